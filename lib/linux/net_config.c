// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux/net_config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "linux/fs.h"

#define UDHCPC "/sbin/udhcpc"
#define UDHCPC_SCRIPT "/etc/lifeboat/udhcpc.sh"
#define RESOLV_CONF "/run/resolv.conf"
#define POLL_MS 100

static void name_interface(struct ifreq *req, const char *interface)
{
	memset(req, 0, sizeof(*req));
	snprintf(req->ifr_name, sizeof(req->ifr_name), "%s", interface);
}

static void put_address(struct sockaddr *where, struct in_addr address)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = address };

	memcpy(where, &in, sizeof(in));
}

static int bring_up(int fd, const char *interface, struct lb_error *err)
{
	struct ifreq req;

	name_interface(&req, interface);
	if (ioctl(fd, SIOCGIFFLAGS, &req))
		return lb_error_set(err, LB_E_NOT_FOUND, "network interface %s: %s", interface,
				    strerror(errno));
	if (req.ifr_flags & IFF_UP)
		return 0;
	req.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &req))
		return lb_error_set(err, LB_E_IO, "network interface %s cannot be started: %s",
				    interface, strerror(errno));
	return 0;
}

static bool has_address(int fd, const char *interface)
{
	struct ifreq req;

	name_interface(&req, interface);
	return !ioctl(fd, SIOCGIFADDR, &req);
}

/*
 * In a child of a child: whoever is process 1 reaps udhcpc, not we. It inherits @lock, which
 * is free again when it is gone. Only what is allowed between fork() and exec() is called.
 */
static void start_udhcpc(const char *interface, int lock)
{
	const char *const argv[] = { "udhcpc", "-b", "-S", "-T", "2", "-A", "5",
				     "-i", interface, "-s", UDHCPC_SCRIPT, NULL };
	const char *const env[] = { "PATH=/bin:/sbin:/usr/bin:/usr/sbin", NULL };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* POSIX: the strings are not written, the prototype is older than const */
	if (fcntl(lock, F_SETFD, 0) != -1 && !access(UDHCPC, X_OK) && !fork())
		execve(UDHCPC, (char *const *)argv, (char *const *)env);
	_exit(access(UDHCPC, X_OK) ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* 0 started, 1 it runs already, or a failure. */
static int ask_dhcp(const char *interface, struct lb_error *err)
{
	char path[64];
	int lock, status = 0;
	pid_t pid;

	snprintf(path, sizeof(path), "/run/udhcpc-%s.lock", interface);
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0)
		return lb_error_set(err, LB_E_IO, "%s cannot be made: %s", path, strerror(errno));
	if (flock(lock, LOCK_EX | LOCK_NB)) {
		close(lock);
		return 1;
	}
	pid = fork();
	if (!pid)
		start_udhcpc(interface, lock);
	close(lock);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && !status ? 0 : lb_error_set(err, LB_E_IO, UDHCPC " cannot be started");
}

static int wait_for_address(int fd, const char *interface, uint32_t wait_ms, struct lb_error *err)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };

	for (uint32_t waited = 0; !has_address(fd, interface); waited += POLL_MS) {
		if (waited >= wait_ms)
			return lb_error_set(err, LB_E_AGAIN,
					    "network interface %s has no address so far", interface);
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* "192.0.2.7/24" */
static int parse_cidr(const char *text, struct in_addr *ret_address, struct in_addr *ret_mask,
		      struct lb_error *err)
{
	char address[64];
	const char *slash = strchr(text, '/');
	unsigned long bits = 32;
	char *end;

	snprintf(address, sizeof(address), "%.*s", slash ? (int)(slash - text) : 63, text);
	if (slash) {
		bits = strtoul(slash + 1, &end, 10);
		if (end == slash + 1 || *end || bits > 32)
			bits = 33;
	}
	if (bits > 32 || inet_pton(AF_INET, address, ret_address) != 1)
		return lb_error_set(err, LB_E_INVALID, "\"%s\" is no address of the form 192.0.2.7/24",
				    text);
	ret_mask->s_addr = htonl(bits ? 0xffffffffu << (32 - bits) : 0);
	return 0;
}

static int set_gateway(int fd, const char *text, struct lb_error *err)
{
	struct rtentry route = { .rt_flags = RTF_UP | RTF_GATEWAY };
	struct in_addr gateway;

	if (inet_pton(AF_INET, text, &gateway) != 1)
		return lb_error_set(err, LB_E_INVALID, "gateway \"%s\" is no address", text);
	put_address(&route.rt_gateway, gateway);
	put_address(&route.rt_dst, (struct in_addr){ 0 });
	put_address(&route.rt_genmask, (struct in_addr){ 0 });
	if (ioctl(fd, SIOCADDRT, &route) && errno != EEXIST)
		return lb_error_set(err, LB_E_IO, "gateway %s cannot be set: %s", text,
				    strerror(errno));
	return 0;
}

static int set_dns(const char *text, struct lb_error *err)
{
	char line[96];
	struct in_addr dns;

	if (inet_pton(AF_INET, text, &dns) != 1)
		return lb_error_set(err, LB_E_INVALID, "name server \"%s\" is no address", text);
	snprintf(line, sizeof(line), "nameserver %s\n", text);
	return lb_fs_write(RESOLV_CONF, line, strlen(line), 0644, err);
}

static int set_static(int fd, const char *interface, const struct lb_network *n,
		      struct lb_error *err)
{
	struct in_addr address = { 0 }, mask = { 0 };
	struct ifreq req;
	int r = parse_cidr(n->address, &address, &mask, err);

	if (r)
		return r;
	name_interface(&req, interface);
	put_address(&req.ifr_addr, address);
	if (ioctl(fd, SIOCSIFADDR, &req))
		return lb_error_set(err, LB_E_IO, "address %s cannot be set: %s", n->address,
				    strerror(errno));
	put_address(&req.ifr_netmask, mask);
	if (ioctl(fd, SIOCSIFNETMASK, &req))
		return lb_error_set(err, LB_E_IO, "mask of %s cannot be set: %s", n->address,
				    strerror(errno));
	if (n->gateway[0])
		r = set_gateway(fd, n->gateway, err);
	return r || !n->dns[0] ? r : set_dns(n->dns, err);
}

int lb_net_up(const char *interface, const struct lb_network *n, uint32_t wait_ms,
	      struct lb_error *err)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return lb_error_set(err, LB_E_IO, "no network: %s", strerror(errno));
	r = bring_up(fd, interface, err);
	if (!r && n->address[0])
		r = set_static(fd, interface, n, err);
	else if (!r && !has_address(fd, interface))
		r = ask_dhcp(interface, err);
	/* who asked before has waited before */
	if (r >= 0)
		r = wait_for_address(fd, interface, r ? 0 : wait_ms, err);
	close(fd);
	return r;
}
