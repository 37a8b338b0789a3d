// SPDX-License-Identifier: GPL-2.0-or-later
/* Where the page can be found, once the interface has an address. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "web.h"

#define LOOK_EVERY_MS 2000u

static bool address_of(const char *interface, char *ret, size_t size)
{
	struct ifreq q = { 0 };
	struct sockaddr_in address;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool found;

	snprintf(q.ifr_name, sizeof(q.ifr_name), "%.15s", interface);
	found = fd >= 0 && !ioctl(fd, SIOCGIFADDR, &q);
	if (fd >= 0)
		close(fd);
	memcpy(&address, &q.ifr_addr, sizeof(address));
	return found && inet_ntop(AF_INET, &address.sin_addr, ret, (socklen_t)size);
}

bool web_new_address(struct web *w)
{
	uint64_t now = lb_clock_ms(w->clock);
	char address[INET_ADDRSTRLEN], url[sizeof(w->url)];

	if (w->listen_fd < 0 || !w->opt.interface[0] || now < w->look_ms)
		return false;
	w->look_ms = now + LOOK_EVERY_MS;
	if (!address_of(w->opt.interface, address, sizeof(address)))
		return false;
	if (w->opt.port == 80)
		snprintf(url, sizeof(url), "http://%s/", address);
	else
		snprintf(url, sizeof(url), "http://%s:%u/", address, w->opt.port);
	if (!strcmp(url, w->url))
		return false;
	memcpy(w->url, url, sizeof(url));
	return true;
}
