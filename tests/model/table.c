// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Prints the library's transition table, its choice of jobs and its limits as
 * Promela, so that the model has no table of its own that could be out of date.
 */
#include <ctype.h>
#include <stdio.h>

#include "flow/machine.h"
#include "flow/self_update.h"
#include "lb_boot_names.h"

static void define(const char *prefix, const char *text, int value)
{
	printf("#define %s_", prefix);
	for (; *text; text++)
		putchar(isalnum((unsigned char)*text) ? toupper((unsigned char)*text) : '_');
	printf(" %d\n", value);
}

static void print_names(void)
{
	for (int i = 0; i < LB_STATE_COUNT; i++)
		define("STATE", lb_state_text((enum lb_state_name)i), i);
	for (int i = 0; i < LB_EV_COUNT; i++)
		define("EV", lb_event_text((enum lb_event)i), i);
	for (int i = 0; i < LB_REASON_COUNT; i++)
		define("REASON", lb_reason_text((enum lb_reason)i), i);
	for (int i = LB_JOB_WAIT; i < LB_JOB_COUNT; i++)
		define("JOB", lb_job_text((enum lb_job)i), i);
	printf("#define BOOT_LIMIT %d\n#define RECOVERY_LIMIT %d\n#define SELF_UPDATE_TRIES %d\n",
	       LB_BOOT_LIMIT, LB_RECOVERY_LIMIT, LB_SELF_UPDATE_TRIES);
}

/* A pair that is not listed blocks the model, which then reports a dead end. */
static void print_next(void)
{
	printf("\ninline machine_next(s, e, ret)\n{\n\tif\n");
	for (int s = 0; s < LB_STATE_COUNT; s++)
		for (int e = 0; e < LB_EV_COUNT; e++) {
			int next = lb_machine_next((enum lb_state_name)s, (enum lb_event)e);

			if (next >= 0)
				printf("\t:: s == %d && e == %d -> ret = %d /* %s, %s -> %s */\n",
				       s, e, next, lb_state_text((enum lb_state_name)s),
				       lb_event_text((enum lb_event)e),
				       lb_state_text((enum lb_state_name)next));
		}
	printf("\t:: else -> IMPOSSIBLE(s, e)\n\tfi\n}\n");

	printf("\n#define CAN_HAPPEN(s, e) (0");
	for (int s = 0; s < LB_STATE_COUNT; s++)
		for (int e = 0; e < LB_EV_COUNT; e++)
			if (lb_machine_next((enum lb_state_name)s, (enum lb_event)e) >= 0)
				printf(" || ((s) == %d && (e) == %d)", s, e);
	printf(")\n");
}

static void print_jobs(void)
{
	printf("\ninline machine_job(s, why, asked, ret)\n{\n\tif\n");
	for (int s = 0; s < LB_STATE_COUNT; s++)
		for (int why = 0; why < LB_REASON_COUNT; why++)
			for (int asked = 0; asked < 2; asked++) {
				enum lb_job job = lb_machine_job((enum lb_state_name)s,
								 (enum lb_reason)why, asked);

				printf("\t:: s == %d && why == %d && %sasked -> ret = %d /* %s */\n", s,
				       why, asked ? "" : "!", job, lb_job_text(job));
			}
	printf("\tfi\n}\n");
}

int main(void)
{
	printf("/* Printed by tests/model/table.c from lib/flow/machine.c: do not edit. */\n");
	print_names();
	print_next();
	print_jobs();
	return 0;
}
