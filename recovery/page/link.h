/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The line between recovery and the process that serves the page: a socket of
 * datagrams, the first byte of each says what it is. The serving process has no
 * right to anything else, so whatever it sends is looked at as hostile.
 */
#ifndef RECOVERY_WEB_LINK_H
#define RECOVERY_WEB_LINK_H

/* From recovery; text behind the letter. */
#define LINK_DEVICE 'D'	      /* event "device", JSON */
#define LINK_MESSAGE 'M'	      /* event "message", JSON */
#define LINK_PROGRESS 'P'      /* event "progress", JSON */
#define LINK_LINE 'L'	      /* the message as a line of the log */
#define LINK_PROGRESS_LINE 'T' /* the progress as a line */
#define LINK_PROBLEM 'W'	      /* a warning or error: its sentence and code */
#define LINK_TAKEN 'A'	      /* recovery has begun to read the upload */
#define LINK_DONE 'O'	      /* it has stopped reading it; what comes of it follows */
#define LINK_END 'E'	      /* recovery ends, one of the letters below: answer who waits, and end, too */
#define LINK_END_INSTALLED 'i'
#define LINK_END_REBOOT 'r' /* a newer recovery goes on */
#define LINK_END_OTHER 'o'

/* To recovery. */
#define LINK_UPLOAD 'u' /* with the end of a stream as a file descriptor: a bundle comes */
#define LINK_CANCEL 'c' /* give main back, if nothing was written yet */
#define LINK_REBOOT 'r'
#define LINK_RESET 'x' /* erase the user's data */

#define LINK_DATAGRAM_MAX 1200

#endif
