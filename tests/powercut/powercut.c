// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * powercut                        every scenario, then every canary
 * powercut --quick                the same with fewer fates, each run cut once
 * powercut --list
 * powercut --only NAME            one scenario
 * powercut --replay NAME cut=17 pending=lost tear=2 ...   what a FAIL line names, call by call
 */
#include <stdio.h>
#include <string.h>

#include "scenarios.h"

static const struct sim_scenario *const scenario_tables[] = {
	log_scenarios, handover_scenarios, device_scenarios,
};
static const struct sim_canary *const canary_tables[] = {
	log_canaries, handover_canaries, device_canaries,
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct sim_scenario *find_scenario(const char *name)
{
	for (size_t t = 0; t < COUNT(scenario_tables); t++)
		for (const struct sim_scenario *sc = scenario_tables[t]; sc->name; sc++)
			if (!strcmp(sc->name, name))
				return sc;
	return NULL;
}

static const struct sim_canary *find_canary(const char *name)
{
	for (size_t t = 0; t < COUNT(canary_tables); t++)
		for (const struct sim_canary *k = canary_tables[t]; k->name; k++)
			if (!strcmp(k->name, name))
				return k;
	return NULL;
}

static int run_canaries(uint32_t *ret_count)
{
	uint32_t caught = 0;

	*ret_count = 0;
	for (size_t t = 0; t < COUNT(canary_tables); t++) {
		for (const struct sim_canary *k = canary_tables[t]; k->name; k++) {
			struct sim_tally tally = { .quiet = true };

			sim_powercut(find_scenario(k->scenario), k, &tally);
			++*ret_count;
			caught += tally.failed > 0;
			printf("  %s canary %s, after %llu cuts\n",
			       tally.failed ? "caught" : "MISSED", k->name,
			       (unsigned long long)tally.cuts);
		}
	}
	return (int)caught;
}

static int run_all(bool quick)
{
	struct sim_tally tally = { .quick = quick };
	uint32_t canaries, caught;

	for (size_t t = 0; t < COUNT(scenario_tables); t++)
		for (const struct sim_scenario *sc = scenario_tables[t]; sc->name; sc++)
			sim_powercut(sc, NULL, &tally);
	caught = (uint32_t)run_canaries(&canaries);
	printf("powercut: %llu cuts, %llu failed, canaries %u of %u caught\n",
	       (unsigned long long)tally.cuts, (unsigned long long)tally.failed, caught, canaries);
	return tally.failed || caught != canaries;
}

static int list_all(void)
{
	for (size_t t = 0; t < COUNT(scenario_tables); t++)
		for (const struct sim_scenario *sc = scenario_tables[t]; sc->name; sc++)
			printf("%s\n", sc->name);
	for (size_t t = 0; t < COUNT(canary_tables); t++)
		for (const struct sim_canary *k = canary_tables[t]; k->name; k++)
			printf("%s (canary, over %s)\n", k->name, k->scenario);
	return 0;
}

static int usage(void)
{
	fputs("usage: powercut [--quick | --list | --only NAME |\n"
	      "                 --replay NAME cut=N pending=FATE tear=N ...]\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	const struct sim_canary *canary = argc > 2 ? find_canary(argv[2]) : NULL;
	const struct sim_scenario *sc =
		canary ? find_scenario(canary->scenario) : argc > 2 ? find_scenario(argv[2]) : NULL;
	struct sim_tally tally = { 0 };
	int ret;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 1)
		return run_all(false);
	if (argc == 2 && !strcmp(argv[1], "--quick"))
		return run_all(true);
	if (argc == 2 && !strcmp(argv[1], "--list"))
		return list_all();
	if (!sc)
		return usage();
	if (argc == 3 && !strcmp(argv[1], "--only")) {
		sim_powercut(sc, canary, &tally);
		return tally.failed > 0;
	}
	if (argc > 3 && !strcmp(argv[1], "--replay")) {
		ret = sim_replay(sc, canary, argc - 3, argv + 3);
		return ret == 2 ? usage() : ret;
	}
	return usage();
}
