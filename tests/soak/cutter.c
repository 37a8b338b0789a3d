// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded into QEMU by the soak: knows each write to the card's file, and can end
 * the machine inside one of them, as a power cut does. Python could not be in time.
 *
 *   SOAK_CARD      path of the card's file
 *   SOAK_CONTROL   a file of struct control, which machine.py fills in
 *   SOAK_WRITES    struct note of each write is appended here, before it is carried out
 *
 * QEMU's SD card writes 512 bytes at a time. Of the one that is cut the first @keep
 * bytes are stored; the rest is what it was, or noise.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SECTOR 512
#define MARKER_MAX 64

struct control {
	uint32_t order;		 /* another number: count anew; stored last, together with @nth */
	uint32_t nth;		 /* the nth write is cut; 0: none */
	uint64_t from, to;	 /* only those into these bytes of the card count */
	uint32_t keep;
	uint32_t noise;		 /* seed, 0: the rest is as it was */
	uint32_t fired;		 /* out: 1 once it was cut */
	uint32_t flushes;	 /* out: how often the machine asked for the card's cache to be flushed */
	uint32_t marker_bytes;	 /* counting begins when the console has said this */
	char marker[MARKER_MAX];
};

struct note {
	uint64_t offset;
	uint64_t console_bytes;	 /* that the console had said by then */
	uint32_t bytes;
	uint32_t cut;
};

static struct control *control;
static struct stat card;
static int notes = -1;

static struct {
	uint64_t bytes;
	char last[MARKER_MAX];	/* that it said, newest at the end */
	uint32_t order;
	bool seen;		/* the marker of that order */
} console;

__attribute__((constructor)) static void configure(void)
{
	const char *card_path = getenv("SOAK_CARD"), *control_path = getenv("SOAK_CONTROL");
	const char *notes_path = getenv("SOAK_WRITES");
	int fd;

	if (!card_path || !control_path || !notes_path || stat(card_path, &card))
		abort();
	fd = open(control_path, O_RDWR | O_CLOEXEC);
	notes = open(notes_path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0 || notes < 0)
		abort();
	control = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (control == MAP_FAILED)
		abort();
	close(fd);
	console.order = control->order;
	console.seen = !control->marker_bytes;
}

static void *real(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static bool is_card(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_ino == card.st_ino && st.st_dev == card.st_dev;
}

/* --- the console */

static void look_for_order(void)
{
	uint32_t order = __atomic_load_n(&control->order, __ATOMIC_ACQUIRE);

	if (order == console.order)
		return;
	console.order = order;
	console.seen = !control->marker_bytes;
}

static void console_says(const char *text, size_t len)
{
	size_t n;

	look_for_order();
	n = control->marker_bytes;
	for (size_t i = 0; i < len; i++) {
		memmove(console.last, console.last + 1, MARKER_MAX - 1);
		console.last[MARKER_MAX - 1] = text[i];
		console.seen |= !memcmp(console.last + MARKER_MAX - n, control->marker, n);
	}
	console.bytes += len;
}

ssize_t write(int fd, const void *buf, size_t len)
{
	ssize_t (*next)(int, const void *, size_t) = real("write");

	if (fd == STDOUT_FILENO)
		console_says(buf, len);
	return next(fd, buf, len);
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
	ssize_t (*next)(int, const struct iovec *, int) = real("writev");

	for (int i = 0; fd == STDOUT_FILENO && i < count; i++)
		console_says(iov[i].iov_base, iov[i].iov_len);
	return next(fd, iov, count);
}

/* --- the card */

static void fill_with_noise(uint8_t *to, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		to[i] = (uint8_t)(seed >> 24);
	}
}

/* Does not return. */
static void cut_inside(int fd, const uint8_t *data, size_t len, off_t at)
{
	ssize_t (*next)(int, const void *, size_t, off_t) = real("pwrite64");
	size_t keep = control->keep < len ? control->keep : len;
	size_t sector_end = (keep / SECTOR + 1) * SECTOR;
	size_t rest = (sector_end < len ? sector_end : len) - keep;
	uint8_t noise[SECTOR];

	if (next(fd, data, keep, at) != (ssize_t)keep)
		abort();
	fill_with_noise(noise, rest, control->noise);
	if (control->noise && next(fd, noise, rest, at + (off_t)keep) != (ssize_t)rest)
		abort();
	control->fired = 1;
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

static bool is_to_be_cut(size_t len, off_t at)
{
	look_for_order();
	if (!control->nth || !console.seen)
		return false;
	if ((uint64_t)at >= control->to || (uint64_t)at + len <= control->from)
		return false;
	return --control->nth == 0;
}

static void card_write(int fd, const void *data, size_t len, off_t at)
{
	ssize_t (*next)(int, const void *, size_t) = real("write");
	bool cut = is_to_be_cut(len, at);
	struct note note = {
		.offset = (uint64_t)at,
		.console_bytes = console.bytes,
		.bytes = (uint32_t)len,
		.cut = cut,
	};

	if (next(notes, &note, sizeof(note)) != sizeof(note))
		abort();
	if (cut)
		cut_inside(fd, data, len, at);
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off_t at)
{
	ssize_t (*next)(int, const void *, size_t, off_t) = real("pwrite64");

	if (is_card(fd))
		card_write(fd, buf, len, at);
	return next(fd, buf, len, at);
}

/* What QEMU writes to a card comes in one piece; anything else would not be understood here. */
ssize_t pwritev64(int fd, const struct iovec *iov, int count, off_t at)
{
	ssize_t (*next)(int, const struct iovec *, int, off_t) = real("pwritev64");

	if (is_card(fd)) {
		if (count != 1)
			abort();
		card_write(fd, iov->iov_base, iov->iov_len, at);
	}
	return next(fd, iov, count, at);
}

int fdatasync(int fd)
{
	int (*next)(int) = real("fdatasync");

	if (is_card(fd))
		control->flushes++;
	return next(fd);
}
