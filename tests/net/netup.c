// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Calls lb_net_up() as recovery does, each time when a line comes in; answers with
 * "CODE MILLISECONDS CHILDREN", the last being those that nobody reaped.
 *
 *   netup INTERFACE WAIT_MS [ADDRESS [GATEWAY [DNS]]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "linux/clock.h"
#include "linux/net_config.h"

int main(int argc, char **argv)
{
	static struct lb_network network;
	char line[8];

	if (argc < 3)
		return 2;
	if (argc > 3)
		snprintf(network.address, sizeof(network.address), "%s", argv[3]);
	if (argc > 4)
		snprintf(network.gateway, sizeof(network.gateway), "%s", argv[4]);
	if (argc > 5)
		snprintf(network.dns, sizeof(network.dns), "%s", argv[5]);
	while (fgets(line, sizeof(line), stdin)) {
		uint64_t start = lb_clock_ms(lb_clock_system());
		struct lb_error err = { 0 };
		int r = lb_net_up(argv[1], &network, (uint32_t)strtoul(argv[2], NULL, 10), &err);

		printf("%s %llu %s\n", lb_error_name(r),
		       (unsigned long long)(lb_clock_ms(lb_clock_system()) - start),
		       waitpid(-1, NULL, WNOHANG) < 0 ? "none" : "some");
		fflush(stdout);
	}
	return 0;
}
