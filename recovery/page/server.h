/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page in recovery, served by a process of its own without rights: plain HTTP,
 * one request a connection, a fixed number of connections, everything bounded. It
 * knows what the link tells it and passes an upload on; it stores nothing.
 */
#ifndef RECOVERY_WEB_SERVER_H
#define RECOVERY_WEB_SERVER_H

#include "base/error.h"
#include "port/clock.h"

#include "conn.h"

#define WEB_CONNS 8
#define WEB_PEERS 16

struct web_peer {
	struct in6_addr address;
	uint32_t wrong_codes; /* since since_ms */
	uint64_t since_ms;
};

struct web_options {
	char interface[32]; /* the only one that is served; "" all */
	char name[64];	    /* a Host that is allowed besides addresses and localhost; "" none */
	char code[64];	    /* what a request that changes something has to bring */
	uint32_t port;
	uint64_t upload_max; /* bytes */
	bool reset;	     /* there is something that may be erased */
};

struct web_server {
	const struct web_options *opt; /* borrowed */
	struct lb_clock *clock;	       /* borrowed */
	int listen_fd, link_fd;
	struct web_board board;
	struct web_conn conns[WEB_CONNS];
	struct web_conn *uploader;	  /* NULL: nobody uploads */
	struct web_peer peers[WEB_PEERS]; /* that have tried a code */
	bool link_lost;
};

/**
 * web_server_listen() - a listening socket, bound to the options' interface
 * Return: the descriptor or -LB_E_IO. The interface need not have an address yet.
 */
int web_server_listen(const struct web_options *opt, struct lb_error *err);

/* Serves until the link ends, or says so; gives those that wait for an answer a few seconds. */
void web_server_run(struct web_server *s);

/* Is this the code that is shown on the console? Counts wrong ones, for each address by itself. */
enum web_code { WEB_CODE_RIGHT, WEB_CODE_WRONG, WEB_CODE_TOO_OFTEN };
enum web_code web_server_code(struct web_server *s, const struct web_conn *c, const char *code);

/* One letter to recovery; @fd: -1 or a descriptor that goes with it. False: recovery is gone. */
bool web_server_tell(struct web_server *s, char what, int fd);

#endif
