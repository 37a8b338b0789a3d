/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bundles on inserted media. Each folder of the setting "media", and its folder
 * "lifeboat", is looked through for *.lbu whenever it changes; every bundle found is
 * judged by its head before anything is offered, and the newest is offered first.
 * Whatever lies there may be hostile: no link is followed, names are plain text,
 * numbers are bounded, nothing is believed without a signature.
 */
#ifndef RECOVERY_MEDIA_H
#define RECOVERY_MEDIA_H

#include <sys/types.h>

#include "flow/recovery.h"
#include "linux/source_file.h"
#include "settings.h"

#define MEDIA_FILES 32		/* of all media; more are named by their number only */
#define MEDIA_NAME_MAX 255

struct media_file {
	uint32_t folder;	/* index of the setting */
	char name[sizeof(LB_MEDIUM_FOLDER) + MEDIA_NAME_MAX + 1]; /* relative to it */
	bool offered;		/* may be installed as far as its head says, or that could not be read */
	uint64_t release;	/* signed; 0: not known */
	char version[LB_VERSION_MAX + 1];
	int code;		/* LB_E_*, 0: nothing is wrong with it */
	bool installed;		/* an attempt with it came to a good end */
	char text[232];		/* why not, "" for nothing wrong */
};

struct media_folder {
	bool ours;		/* holds a bundle or a folder "lifeboat" */
	bool reinstall;		/* ... with the file that asks for any release */
	dev_t device;
};

struct media {
	const struct settings *settings;	/* borrowed */
	const struct lb_recovery *recovery;	/* borrowed: keys, device and slots to judge by */
	struct media_folder folders[MEDIA_MAX];
	struct media_file files[MEDIA_FILES];	/* those offered come first, the newest in front */
	uint32_t count, passed;			/* passed: more than there was room for */
	uint32_t reading;			/* attempts under way with one of the files */
	uint32_t print;				/* of what was seen last */
	uint32_t changes;			/* of files or verdicts, counted */
};

/* Looks again; reads heads, and says each verdict, only when something has changed. */
void media_refresh(struct media *m);

/* The @n-th bundle to try; false: no more. Looks again. */
bool media_offer(struct media *m, unsigned int n, char *ret_url, size_t size);

/* Does @path, without a scheme, lie in a folder where media get mounted? */
bool media_holds(const struct media *m, const char *path);

/* The medium that @path is on asks for its bundle even if it is not newer. */
bool media_reinstall(const struct media *m, const char *path);

/* An attempt with @path begins; it has ended with 0 or -LB_E_*. Others than @m's files are passed over. */
void media_begin(struct media *m, const char *path);
void media_end(struct media *m, const char *path, int code, const struct lb_error *why);

#endif
