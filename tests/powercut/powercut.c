// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * powercut                        every scenario, then every canary
 * powercut --quick                the same with fewer fates, each run cut once
 * powercut --deep                 one cut deeper, media with sectors of 512 and of 4096 bytes
 * powercut ... --part 1/2         half of the first cuts and half of the canaries; exit 0 if all is well
 * powercut --sum LOG...           adds up the last lines of all parts
 * powercut --list
 * powercut --only NAME            one scenario
 * powercut --replay NAME cut=17 pending=lost tear=2 ...   what a FAIL line names, call by call
 */
#include <stdio.h>
#include <string.h>

#include "scenarios.h"

static const struct sim_scenario *const scenario_tables[] = {
	log_scenarios, handover_scenarios, device_scenarios, self_update_scenarios,
};
static const struct sim_canary *const canary_tables[] = {
	log_canaries, handover_canaries, device_canaries, self_update_canaries,
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

/* The canaries of this part. */
static uint32_t run_canaries(const struct sim_tally *how, uint32_t *ret_count)
{
	uint32_t caught = 0, number = 0;

	*ret_count = 0;
	for (size_t t = 0; t < COUNT(canary_tables); t++) {
		for (const struct sim_canary *k = canary_tables[t]; k->name; k++) {
			struct sim_tally tally = { .quiet = true, .quick = true };

			if (how->parts && number++ % how->parts != how->part)
				continue;
			sim_powercut(find_scenario(k->scenario), k, &tally);
			tally.quick = false; /* few cuts find most of them; some take all */
			if (!tally.failed)
				sim_powercut(find_scenario(k->scenario), k, &tally);
			++*ret_count;
			caught += tally.failed > 0;
			printf("  %s canary %s, after %llu cuts\n",
			       tally.failed ? "caught" : "MISSED", k->name,
			       (unsigned long long)tally.cuts);
		}
	}
	return caught;
}

/* The line that counts. */
static int conclude(uint64_t cuts, uint64_t bad, uint64_t caught, uint64_t canaries)
{
	printf("powercut: %llu cuts, %llu failed, canaries %llu of %llu caught\n",
	       (unsigned long long)cuts, (unsigned long long)bad, (unsigned long long)caught,
	       (unsigned long long)canaries);
	return bad || caught != canaries || !cuts;
}

static void run_scenarios(struct sim_tally *tally)
{
	for (size_t t = 0; t < COUNT(scenario_tables); t++)
		for (const struct sim_scenario *sc = scenario_tables[t]; sc->name; sc++)
			sim_powercut(sc, NULL, tally);
}

static int run_all(struct sim_tally *tally)
{
	uint32_t canaries, caught;

	run_scenarios(tally);
	if (tally->deep) {
		printf("  sectors of 4096 bytes:\n");
		tally->sector = 4096;
		run_scenarios(tally);
	}
	caught = run_canaries(tally, &canaries);
	return conclude(tally->cuts, tally->failed, caught, canaries);
}

/* Numbers of the last line of @path are added to @sum. */
static bool add_log(const char *path, unsigned long long sum[4])
{
	FILE *f = fopen(path, "r");
	unsigned long long n[4];
	bool found = false;
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		found = sscanf(line, "powercut: %llu cuts, %llu failed, canaries %llu of %llu caught",
			       &n[0], &n[1], &n[2], &n[3]) == 4;
	for (int i = 0; found && i < 4; i++)
		sum[i] += n[i];
	if (f)
		fclose(f);
	return found;
}

static int add_up(int count, char *const *paths)
{
	unsigned long long sum[4] = { 0 };

	for (int i = 0; i < count; i++) {
		if (add_log(paths[i], sum))
			continue;
		fprintf(stderr, "powercut: %s does not end as it should\n", paths[i]);
		return 1;
	}
	return conclude(sum[0], sum[1], sum[2], sum[3]);
}

/* Options of a run over everything; false: something else was asked for. */
static bool parse_run(int argc, char **argv, struct sim_tally *tally)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--quick"))
			tally->quick = true;
		else if (!strcmp(argv[i], "--deep"))
			tally->deep = true;
		else if (strcmp(argv[i], "--part") || ++i == argc ||
			 sscanf(argv[i], "%u/%u", &tally->part, &tally->parts) != 2 ||
			 !tally->part || tally->part-- > tally->parts)
			return false;
	}
	return true;
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
	fputs("usage: powercut [--quick | --deep] [--part I/N]\n"
	      "       powercut [--list | --only NAME | --sum LOG... |\n"
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
	if (parse_run(argc, argv, &tally))
		return run_all(&tally);
	if (argc > 2 && !strcmp(argv[1], "--sum"))
		return add_up(argc - 2, argv + 2);
	if (argc == 2 && !strcmp(argv[1], "--list"))
		return list_all();
	tally = (struct sim_tally){ 0 };
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
