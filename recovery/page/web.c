// SPDX-License-Identifier: GPL-2.0-or-later
#include "web.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "link.h"

#define RESTART_MS 2000u
#define HEAR_AT_ONCE 16
#define STOP_MS 17000

void web_init(struct web *w, struct lb_clock *clock)
{
	*w = (struct web){
		.clock = clock,
		.listen_fd = -1,
		.link_fd = -1,
		.upload_fd = -1,
		.started_ms = lb_clock_ms(clock),
	};
}

void web_send(struct web *w, char kind, const char *text)
{
	char datagram[LINK_DATAGRAM_MAX];
	int n = snprintf(datagram, sizeof(datagram), "%c%s", kind, text);

	/* a page that does not keep up misses something: the next one says more anyway */
	if (w->link_fd >= 0 && n > 0 && (size_t)n < sizeof(datagram))
		(void)!send(w->link_fd, datagram, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* In the child: only the two descriptors, at their places, then the same program anew. */
static void become_server(int listen_fd, int link_fd)
{
	char name[] = "lifeboat-page", argument[] = WEB_SERVE_ARGUMENT;
	char *const argv[] = { name, argument, NULL }, *const env[] = { NULL };
	sigset_t none;
	int a = fcntl(listen_fd, F_DUPFD, 16), b = fcntl(link_fd, F_DUPFD, 16);

	if (a < 0 || b < 0 || dup2(a, WEB_LISTEN_FD) < 0 || dup2(b, WEB_LINK_FD) < 0)
		_exit(1);
	for (int fd = WEB_LINK_FD + 1; fd < 1024; fd++)
		close(fd);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve("/proc/self/exe", argv, env);
	_exit(1);
}

static int spawn(struct web *w, struct lb_error *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return lb_error_set(err, LB_E_IO, "no socket for the page: %s", strerror(errno));
	w->child = fork();
	if (!w->child)
		become_server(w->listen_fd, pair[1]);
	close(pair[1]);
	if (w->child < 0) {
		close(pair[0]);
		return lb_error_set(err, LB_E_IO, "no process for the page: %s", strerror(errno));
	}
	w->link_fd = pair[0];
	if (send(w->link_fd, &w->opt, sizeof(w->opt), MSG_NOSIGNAL) == (ssize_t)sizeof(w->opt))
		return 0;
	return lb_error_set(err, LB_E_IO, "the page's process does not listen: %s", strerror(errno));
}

int web_start(struct web *w, const struct web_options *opt, struct lb_error *err)
{
	int fd = web_server_listen(opt, err);

	w->opt = *opt;
	w->restart_ms = lb_clock_ms(w->clock) + RESTART_MS;
	if (fd < 0)
		return fd;
	w->listen_fd = fd;
	return spawn(w, err);
}

int web_make_code(struct web_options *opt, struct lb_error *err)
{
	static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"; /* none looks like another */
	unsigned char random[8];

	if (opt->code[0])
		return 0;
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return lb_error_set(err, LB_E_IO, "no random bytes for the page's code: %s", strerror(errno));
	for (size_t i = 0, at = 0; i < sizeof(random); i++) {
		if (i == sizeof(random) / 2)
			opt->code[at++] = '-';
		opt->code[at++] = letters[random[i] % 32];
	}
	return 0;
}

static void drop_upload(struct web *w)
{
	if (w->upload_fd >= 0)
		close(w->upload_fd);
	w->upload_fd = -1;
}

static void lost_child(struct web *w)
{
	close(w->link_fd);
	w->link_fd = -1;
	drop_upload(w);
	if (w->child > 0)
		kill(w->child, SIGKILL);
	waitpid(w->child, NULL, 0);
	w->child = 0;
	w->restart_ms = lb_clock_ms(w->clock) + RESTART_MS;
}

/* What came with a datagram; descriptors that nobody asked for are closed. */
static int descriptor_of(struct msghdr *m)
{
	int fd = -1;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h))
		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS &&
		    h->cmsg_len == CMSG_LEN(sizeof(int)))
			memcpy(&fd, CMSG_DATA(h), sizeof(int));
	return fd;
}

static void obey(struct web *w, char what, int fd)
{
	if (what == LINK_UPLOAD && fd >= 0) {
		drop_upload(w); /* the page lets nobody bring a second one: the first is over */
		w->upload_fd = fd;
		w->uploads++;
		return;
	}
	if (fd >= 0)
		close(fd);
	if (what == LINK_CANCEL)
		w->cancel = true;
	else if (what == LINK_REBOOT)
		w->reboot = true;
	else if (what == LINK_RESET)
		w->reset = w->opt.reset;
}

/* One datagram; false: there is none. */
static bool hear(struct web *w)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char what;
	struct iovec text = { .iov_base = &what, .iov_len = 1 };
	struct msghdr m = {
		.msg_iov = &text, .msg_iovlen = 1,
		/* room for one descriptor: the kernel closes whatever else came */
		.msg_control = control.room, .msg_controllen = CMSG_LEN(sizeof(int)),
	};
	ssize_t n = recvmsg(w->link_fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int fd;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	fd = n < 0 ? -1 : descriptor_of(&m);
	if (n <= 0) {
		if (fd >= 0)
			close(fd);
		lost_child(w);
		return false;
	}
	obey(w, what, fd);
	return true;
}

/* The client went away before recovery looked at its bundle. */
static void look_after_upload(struct web *w)
{
	struct pollfd p = { .fd = w->upload_fd };

	if (w->upload_fd >= 0 && poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLERR))
		drop_upload(w);
}

void web_tick(struct web *w)
{
	if (!w->opt.port)
		return;
	if (w->link_fd < 0 && lb_clock_ms(w->clock) >= w->restart_ms) {
		w->restart_ms = lb_clock_ms(w->clock) + RESTART_MS;
		if (w->listen_fd < 0)
			w->listen_fd = web_server_listen(&w->opt, NULL);
		if (w->listen_fd >= 0)
			(void)!spawn(w, NULL);
	}
	for (int i = 0; i < HEAR_AT_ONCE && w->link_fd >= 0 && hear(w); i++)
		;
	look_after_upload(w);
}

void web_stop(struct web *w, char end)
{
	struct pollfd p = { .fd = w->link_fd };
	const char text[] = { end, '\0' };

	drop_upload(w);
	if (w->link_fd >= 0) {
		web_send(w, LINK_END, text);
		shutdown(w->link_fd, SHUT_WR);
		poll(&p, 1, STOP_MS); /* until the other side hangs up */
		lost_child(w);
	}
	if (w->listen_fd >= 0)
		close(w->listen_fd);
	w->listen_fd = -1;
	w->opt.port = 0;
}
