// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a harness over files and folders without libFuzzer: the corpus as a test,
 * or one file that crashed. usage: fuzz_NAME PATH...
 */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

#define FILE_MAX (4u * 1024u * 1024u)

static int failed(const char *path, const char *what)
{
	fprintf(stderr, "replay: %s: %s\n", path, what);
	return 1;
}

static int run_file(const char *path, unsigned int *count)
{
	FILE *f = fopen(path, "rb");
	uint8_t *bytes, *exact;
	size_t len;

	if (!f)
		return failed(path, "cannot be opened");
	bytes = malloc(FILE_MAX);
	CHECK(bytes);
	len = fread(bytes, 1, FILE_MAX, f);
	if (ferror(f) || len == FILE_MAX) {
		fclose(f);
		free(bytes);
		return failed(path, "cannot be read, or is too large");
	}
	fclose(f);
	exact = fuzz_exact(bytes, len);
	free(bytes);
	fprintf(stderr, "%s\n", path); /* what ran last when it crashes */
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	++*count;
	return 0;
}

static int not_hidden(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static int run_folder(const char *path, unsigned int *count)
{
	struct dirent **names;
	int n = scandir(path, &names, not_hidden, alphasort), bad = 0;
	char file[4096];

	if (n < 0)
		return failed(path, "cannot be read");
	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		bad |= run_file(file, count);
		free(names[i]);
	}
	free(names);
	return bad;
}

int main(int argc, char **argv)
{
	unsigned int count = 0;
	struct stat st;
	int bad = 0;

	if (argc < 2)
		return failed(argv[0], "which files?");
	for (int i = 1; i < argc; i++) {
		if (stat(argv[i], &st))
			bad |= failed(argv[i], "does not exist");
		else
			bad |= S_ISDIR(st.st_mode) ? run_folder(argv[i], &count)
						   : run_file(argv[i], &count);
	}
	if (!count)
		return failed(argv[1], "holds no file");
	printf("%s: %u inputs\n", argv[0], count);
	return bad;
}
