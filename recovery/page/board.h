/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the page shows: the newest events as recovery sent them, and its last lines. */
#ifndef RECOVERY_WEB_BOARD_H
#define RECOVERY_WEB_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEB_EVENT_MAX 1024
#define WEB_LOG_MAX 8192
#define WEB_STATUS_MAX (3 * WEB_EVENT_MAX + 512)

struct web_board {
	char device[WEB_EVENT_MAX];   /* JSON objects; "" until the first one came */
	char message[WEB_EVENT_MAX];
	char progress[WEB_EVENT_MAX];
	char problem[WEB_EVENT_MAX];  /* text of the newest warning or error, with its code */
	char line[128];		      /* the progress as text */
	char log[WEB_LOG_MAX];	      /* whole lines */
	size_t log_len;
	uint32_t problems;	      /* how many there were */
	bool ended;
	char end;		      /* LINK_END_...; 0 not yet */
};

/* One datagram of the link: a letter (link.h) and text. Others are passed over. */
void web_board_hear(struct web_board *b, const char *datagram, size_t len);

/* The page's status as JSON; @upload: an object. Return: its length. */
size_t web_board_status(const struct web_board *b, const char *upload, char *ret, size_t size);

/* The same for people without JavaScript. */
size_t web_board_text(const struct web_board *b, char *ret, size_t size);

#endif
