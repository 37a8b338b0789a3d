// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE /* accept4() */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link.h"

#define TICK_MS 500
#define WRONG_CODES_MAX 10u
#define WRONG_CODES_MS 60000u
#define END_MS 15000u

static int failed(int fd, const struct web_options *opt, struct lb_error *err)
{
	int error = errno;

	if (fd >= 0)
		close(fd);
	return lb_error_set(err, LB_E_IO, "the page cannot be served on port %u of %s: %s", opt->port,
			    opt->interface[0] ? opt->interface : "all interfaces", strerror(error));
}

int web_server_listen(const struct web_options *opt, struct lb_error *err)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)opt->port) };
	struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)opt->port) };
	int yes = 1, no = 0, fd;
	int r;

	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
	} else {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd < 0)
			return failed(fd, opt, err);
		any.sin6_family = AF_UNSPEC;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (opt->interface[0] && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, opt->interface,
					    (socklen_t)strlen(opt->interface) + 1))
		return failed(fd, opt, err);
	r = any.sin6_family == AF_INET6 ? bind(fd, (struct sockaddr *)&any, sizeof(any))
					: bind(fd, (struct sockaddr *)&any4, sizeof(any4));
	return r || listen(fd, WEB_CONNS) ? failed(fd, opt, err) : fd;
}

/* The next character of a code that counts: dashes and blanks are for the eye, capitals too. */
static int next_of(const char **at)
{
	while (**at == '-' || **at == ' ')
		(*at)++;
	if (!**at)
		return 0;
	return **at >= 'a' && **at <= 'z' ? *(*at)++ - 'a' + 'A' : *(*at)++;
}

/* Takes as long for a wrong code as for the right one. */
static bool same_code(const char *given, const char *right)
{
	int differ = 0, a, b;

	do {
		a = next_of(&given);
		b = next_of(&right);
		differ |= a ^ b;
	} while (b);
	return !differ;
}

/* Who has tried: the one that is known, or the place of whoever came least recently. */
static struct web_peer *peer_of(struct web_server *s, const struct in6_addr *address)
{
	struct web_peer *oldest = &s->peers[0];

	for (int i = 0; i < WEB_PEERS; i++) {
		if (!memcmp(&s->peers[i].address, address, sizeof(*address)))
			return &s->peers[i];
		if (s->peers[i].since_ms < oldest->since_ms)
			oldest = &s->peers[i];
	}
	*oldest = (struct web_peer){ .address = *address, .since_ms = lb_clock_ms(s->clock) };
	return oldest;
}

enum web_code web_server_code(struct web_server *s, const struct web_conn *c, const char *code)
{
	struct web_peer *peer = peer_of(s, &c->peer);
	uint64_t now = lb_clock_ms(s->clock);

	if (now - peer->since_ms >= WRONG_CODES_MS) {
		peer->since_ms = now;
		peer->wrong_codes = 0;
	}
	if (peer->wrong_codes >= WRONG_CODES_MAX)
		return WEB_CODE_TOO_OFTEN;
	if (s->opt->code[0] && same_code(code, s->opt->code))
		return WEB_CODE_RIGHT;
	peer->wrong_codes++;
	return WEB_CODE_WRONG;
}

bool web_server_tell(struct web_server *s, char what, int fd)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec text = { .iov_base = &what, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &text, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *h;

		m.msg_control = control.room;
		m.msg_controllen = sizeof(control.room);
		h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(h), &fd, sizeof(int));
	}
	return !s->link_lost && sendmsg(s->link_fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

static void hear(struct web_server *s)
{
	char datagram[LINK_DATAGRAM_MAX];
	ssize_t n;

	while ((n = recv(s->link_fd, datagram, sizeof(datagram), MSG_DONTWAIT)) > 0) {
		web_board_hear(&s->board, datagram, (size_t)n);
		if (datagram[0] == LINK_TAKEN && s->uploader) {
			s->uploader->taken = true;
			s->uploader->problems = s->board.problems;
		}
		if (datagram[0] == LINK_DONE && s->uploader) {
			s->uploader->done = true;
			s->uploader->problems = s->board.problems;
		}
	}
	if (!n || (errno != EAGAIN && errno != EINTR))
		s->link_lost = true;
}

static void accept_one(struct web_server *s)
{
	struct sockaddr_in6 from = { 0 };
	socklen_t len = sizeof(from);
	int fd = accept4(s->listen_fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	for (int i = 0; fd >= 0 && i < WEB_CONNS; i++) {
		if (s->conns[i].state == WEB_FREE) {
			web_conn_open(s, &s->conns[i], fd);
			if (from.sin6_family == AF_INET6)
				s->conns[i].peer = from.sin6_addr;
			else /* the address of an IPv4 peer lies in front */
				memcpy(&s->conns[i].peer, &from.sin6_flowinfo, sizeof(from.sin6_flowinfo));
			return;
		}
	}
	if (fd >= 0)
		close(fd);
}

/* Nobody waits for an answer, or for the rest of one. */
static bool all_served(const struct web_server *s)
{
	for (int i = 0; i < WEB_CONNS; i++)
		if (s->conns[i].state != WEB_FREE && s->conns[i].state != WEB_HEAD)
			return false;
	return true;
}

static bool has_room(const struct web_server *s)
{
	for (int i = 0; i < WEB_CONNS; i++)
		if (s->conns[i].state == WEB_FREE)
			return true;
	return false;
}

static void wait_for_something(struct web_server *s, struct pollfd *p)
{
	int n = 2;

	/* who comes when all places are taken waits in the queue of the socket */
	p[0] = (struct pollfd){ .fd = has_room(s) ? s->listen_fd : -1, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = s->link_lost ? -1 : s->link_fd, .events = POLLIN };
	for (int i = 0; i < WEB_CONNS; i++)
		n += web_conn_poll(&s->conns[i], p + n);
	poll(p, (nfds_t)n, TICK_MS);
}

void web_server_run(struct web_server *s)
{
	struct pollfd p[2 + 2 * WEB_CONNS];
	uint64_t end_ms = 0;

	for (;;) {
		uint64_t now;

		wait_for_something(s, p);
		if (p[1].revents)
			hear(s);
		now = lb_clock_ms(s->clock);
		if ((s->link_lost || s->board.ended) && !end_ms)
			end_ms = now + END_MS;
		for (int i = 0; i < WEB_CONNS; i++)
			web_conn_step(s, &s->conns[i]);
		if (end_ms && (now >= end_ms || all_served(s)))
			return;
		if (p[0].revents)
			accept_one(s);
	}
}
