// SPDX-License-Identifier: GPL-2.0-or-later
#include "board.h"

#include <stdio.h>
#include <string.h>

#include "link.h"

/* Keeps the last WEB_LOG_MAX bytes, whole lines only. */
static void keep_line(struct web_board *b, const char *line, size_t len)
{
	if (len + 1 > sizeof(b->log))
		return;
	while (b->log_len + len + 1 > sizeof(b->log)) {
		char *nl = memchr(b->log, '\n', b->log_len);
		size_t cut = nl ? (size_t)(nl - b->log) + 1 : b->log_len;

		memmove(b->log, b->log + cut, b->log_len - cut);
		b->log_len -= cut;
	}
	memcpy(b->log + b->log_len, line, len);
	b->log[b->log_len + len] = '\n';
	b->log_len += len + 1;
}

/* An object that was cut would spoil the whole status: better the one before. */
static void keep(char *ret, size_t size, const char *text, size_t len)
{
	if (len >= size)
		return;
	memcpy(ret, text, len);
	ret[len] = '\0';
}

void web_board_hear(struct web_board *b, const char *datagram, size_t len)
{
	const char *text = datagram + 1;

	if (!len)
		return;
	len--;
	switch (datagram[0]) {
	case LINK_DEVICE:
		keep(b->device, sizeof(b->device), text, len);
		break;
	case LINK_MESSAGE:
		keep(b->message, sizeof(b->message), text, len);
		break;
	case LINK_PROGRESS:
		keep(b->progress, sizeof(b->progress), text, len);
		break;
	case LINK_PROBLEM:
		keep(b->problem, sizeof(b->problem), text, len);
		b->problems++;
		break;
	case LINK_LINE:
		keep_line(b, text, len);
		break;
	case LINK_PROGRESS_LINE:
		keep(b->line, sizeof(b->line), text, len);
		break;
	case LINK_END:
		b->ended = true;
		b->end = len ? text[0] : LINK_END_OTHER;
		break;
	default:
		break;
	}
}

static const char *or_null(const char *object)
{
	return object[0] ? object : "null";
}

size_t web_board_status(const struct web_board *b, const char *upload, char *ret, size_t size)
{
	int n = snprintf(ret, size,
			 "{\"device\":%s,\"message\":%s,\"progress\":%s,\"upload\":%s,\"ended\":%s}\n",
			 or_null(b->device), or_null(b->message), or_null(b->progress), upload,
			 b->ended ? "true" : "false");

	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

size_t web_board_text(const struct web_board *b, char *ret, size_t size)
{
	size_t keep_log = b->log_len < size / 2 ? b->log_len : size / 2;
	int n = snprintf(ret, size, "%s\n\n%.*s%s", b->line[0] ? b->line : "(no progress yet)",
			 (int)keep_log, b->log + b->log_len - keep_log,
			 b->ended ? "\nThe device restarts.\n" : "");

	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}
