/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands of the host tool share: usage errors, output, progress, files. */
#ifndef LIFEBOAT_CLI_H
#define LIFEBOAT_CLI_H

#include <cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

/* A command returns 0, a negative LB_E_* with its sentence in @err, or this. */
#define CLI_USAGE 1

struct cli_command {
	const char *name, *arguments, *summary;
	const char *help; /* options and what they do; ends with a newline */
	int (*run)(int argc, char **argv, struct lb_error *err);
};

extern const struct cli_command cmd_keygen, cmd_pack, cmd_sign, cmd_info, cmd_verify, cmd_extract,
	cmd_diff, cmd_publish, cmd_recall, cmd_provision, cmd_stick;

/* Sets the sentence of a wrong command line and returns CLI_USAGE. */
int cli_usage(struct lb_error *err, const char *fmt, ...) LB_PRINTF(2, 3);

/* What getopt_long() complained about ('?' or ':'), as cli_usage(). */
int cli_bad_option(struct lb_error *err, char **argv);

/* -LB_E_IO, -LB_E_NOT_FOUND or -LB_E_EXISTS by errno: "PATH cannot be VERB: reason". */
int cli_errno(struct lb_error *err, const char *path, const char *verb);

/* Puts "@subject: " before the sentence; passes @rc on. */
int cli_prefix(struct lb_error *err, const char *subject, int rc);

/* A decimal number of at most @max. False for anything else. */
bool cli_number(const char *text, unsigned long max, unsigned long *ret);

/* Prints @json and a newline to standard output and frees it. */
int cli_print_json(cJSON *json, struct lb_error *err);

/* Exact integers: cJSON itself prints large ones with an exponent. */
void cli_json_u64(cJSON *obj, const char *name, uint64_t v);
void cli_json_hex(cJSON *obj, const char *name, const uint8_t *bytes, size_t len);

/* "12.3 MiB" into @ret (16 bytes). */
const char *cli_size(uint64_t bytes, char ret[16]);

/* A line on standard error that is redrawn; nothing unless that is a terminal. */
struct cli_progress {
	const char *label; /* borrowed */
	uint64_t total, done, started_ms, drawn_ms;
	bool shown;
};

void cli_progress_start(struct cli_progress *p, const char *label, uint64_t total);
void cli_progress_add(struct cli_progress *p, uint64_t bytes);
void cli_progress_end(struct cli_progress *p);

/* A whole small file; owned by the caller, with a NUL behind it. */
int cli_read_file(const char *path, size_t max_len, char **ret, size_t *ret_len,
		  struct lb_error *err) LB_MUST_CHECK;

/*
 * A name of what @fd has open, for this process and its children for as long as it is open: whoever
 * opens that gets the same file, whatever its old name leads to by then.
 */
#define CLI_FD_PATH 40
const char *cli_fd_path(int fd, char ret[CLI_FD_PATH]);

/* All or nothing at the given place; -LB_E_IO. */
int cli_pread_full(int fd, void *buf, size_t len, uint64_t offset) LB_MUST_CHECK;
int cli_write_full(int fd, const void *buf, size_t len) LB_MUST_CHECK;

/*
 * A file that appears under its name only when it is complete: written beside
 * it, flushed, renamed. cli_file_abort() after a failure; harmless after commit.
 */
struct cli_file {
	int fd;
	char *temporary; /* owned */
	const char *path; /* borrowed */
};

int cli_file_create(struct cli_file *f, const char *path, struct lb_error *err) LB_MUST_CHECK;
int cli_file_commit(struct cli_file *f, struct lb_error *err) LB_MUST_CHECK;
void cli_file_abort(struct cli_file *f);

/* An unnamed file beside @path. Returns a descriptor or -LB_E_*. */
int cli_file_unnamed(const char *path, struct lb_error *err) LB_MUST_CHECK;

/* The same in $TMPDIR; in /var/tmp without it. */
int cli_file_temporary(struct lb_error *err) LB_MUST_CHECK;

/* "DIR of @path" joined with @name, from malloc; @name alone when absolute. */
char *cli_beside(const char *path, const char *name);

#endif
