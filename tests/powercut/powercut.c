// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * powercut                        every scenario and every canary, one process for each processor
 * powercut --quick                the same with fewer fates, each run cut once
 * powercut --deep                 one cut deeper, media with sectors of 512 and of 4096 bytes
 * powercut ... --no-canaries      scenarios only, where canaries are looked for by another build
 * powercut ... --jobs N           so many processes
 * powercut --list
 * powercut --only NAME            one scenario or canary; after it --quick or --deep may follow
 * powercut --replay NAME cut=17 pending=lost tear=2 ...   what a FAIL line names, call by call
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenarios.h"

static const struct sim_scenario *const scenario_tables[] = {
	device_scenarios, self_update_scenarios, reuse_scenarios, patch_scenarios, reset_scenarios, log_scenarios, handover_scenarios,
};
static const struct sim_canary *const canary_tables[] = {
	device_canaries, self_update_canaries, reuse_canaries, patch_canaries, reset_canaries, log_canaries, handover_canaries,
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

/* ---- everything, on several processors ---- */

struct run {
	struct sim_tally how;
	bool no_canaries;
	long jobs;
};

/* Shared between the processes. */
struct sums {
	uint64_t next; /* piece of work that nobody has taken yet */
	uint64_t cuts, failed, caught, canaries;
};

static uint64_t add(uint64_t *sum, uint64_t n)
{
	return __atomic_fetch_add(sum, n, __ATOMIC_SEQ_CST);
}

static void run_canary(const struct sim_canary *k, struct sums *sums)
{
	struct sim_tally tally = { .quiet = true, .quick = true };

	sim_powercut(find_scenario(k->scenario), k, &tally);
	tally.quick = false; /* few cuts find most of them; some take all */
	if (!tally.failed)
		sim_powercut(find_scenario(k->scenario), k, &tally);
	add(&sums->canaries, 1);
	add(&sums->caught, tally.failed > 0);
	printf("  %s canary %s, after %llu cuts\n", tally.failed ? "caught" : "MISSED", k->name,
	       (unsigned long long)tally.cuts);
	fflush(stdout);
}

static void run_scenario(const struct sim_scenario *sc, const struct sim_tally *how,
			 struct sums *sums)
{
	struct sim_tally tally = *how;

	sim_powercut(sc, NULL, &tally);
	add(&sums->cuts, tally.cuts);
	add(&sums->failed, tally.failed);
}

/* Takes what is next, until nothing is left: scenarios, those with large sectors, canaries. */
static void work(const struct run *run, struct sums *sums)
{
	uint64_t number = 0, mine = add(&sums->next, 1);
	struct sim_tally tally = run->how;

	for (int pass = 0; pass <= run->how.deep; pass++) {
		tally.sector = pass ? 4096 : 512;
		for (size_t t = 0; t < COUNT(scenario_tables); t++)
			for (const struct sim_scenario *sc = scenario_tables[t]; sc->name; sc++)
				if (number++ == mine) {
					run_scenario(sc, &tally, sums);
					mine = add(&sums->next, 1);
				}
	}
	for (size_t t = 0; !run->no_canaries && t < COUNT(canary_tables); t++)
		for (const struct sim_canary *k = canary_tables[t]; k->name; k++)
			if (number++ == mine) {
				run_canary(k, sums);
				mine = add(&sums->next, 1);
			}
}

/* The line that counts. */
static int conclude(const struct run *run, const struct sums *sums)
{
	printf("powercut: %llu cuts, %llu failed, ", (unsigned long long)sums->cuts,
	       (unsigned long long)sums->failed);
	if (run->no_canaries)
		printf("canaries not looked for\n");
	else
		printf("canaries %llu of %llu caught\n", (unsigned long long)sums->caught,
		       (unsigned long long)sums->canaries);
	return sums->failed || sums->caught != sums->canaries || !sums->cuts;
}

static int run_all(const struct run *run)
{
	struct sums *sums = mmap(NULL, sizeof(*sums), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	if (sums == MAP_FAILED)
		abort();
	for (long i = 0; i < run->jobs; i++) {
		pid_t pid = fork();

		if (pid < 0)
			abort();
		if (!pid) {
			work(run, sums);
			exit(0);
		}
	}
	while (wait(&status) > 0)
		sums->failed += status != 0; /* a crash, or memory that leaked */
	return conclude(run, sums);
}

/* Options of a run; false: something else was asked for. */
static bool parse_run(int argc, char **argv, struct run *run)
{
	*run = (struct run){ .jobs = sysconf(_SC_NPROCESSORS_ONLN) };
	if (run->jobs < 1)
		run->jobs = 1;
	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--quick"))
			run->how.quick = true;
		else if (!strcmp(argv[i], "--deep"))
			run->how.deep = true;
		else if (!strcmp(argv[i], "--no-canaries"))
			run->no_canaries = true;
		else if (!strcmp(argv[i], "--sector") && i + 1 < argc)
			run->how.sector = (uint32_t)strtoul(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--jobs") || ++i == argc ||
			 (run->jobs = strtol(argv[i], NULL, 10)) < 1)
			return false;
	}
	return true;
}

/* ---- one thing ---- */

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
	fputs("usage: powercut [--quick | --deep] [--no-canaries] [--jobs N]\n"
	      "       powercut [--list | --only NAME [--quick | --deep] [--sector BYTES] |\n"
	      "                 --replay NAME cut=N pending=FATE tear=N loss=WHAT ...]\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	const struct sim_canary *canary = argc > 2 ? find_canary(argv[2]) : NULL;
	const struct sim_scenario *sc =
		canary ? find_scenario(canary->scenario) : argc > 2 ? find_scenario(argv[2]) : NULL;
	struct run run;
	int ret;

	if (parse_run(argc - 1, argv + 1, &run))
		return run_all(&run);
	if (argc == 2 && !strcmp(argv[1], "--list"))
		return list_all();
	if (!sc)
		return usage();
	if (!strcmp(argv[1], "--only") && parse_run(argc - 3, argv + 3, &run)) {
		sim_powercut(sc, canary, &run.how);
		return run.how.failed > 0;
	}
	if (argc > 3 && !strcmp(argv[1], "--replay")) {
		ret = sim_replay(sc, canary, argc - 3, argv + 3);
		return ret == 2 ? usage() : ret;
	}
	return usage();
}
