// SPDX-License-Identifier: GPL-2.0-or-later
#include "watch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REGION (256u * 1024u)
#define ENV_BYTES 1024u
#define CHUNK_BYTES 3000u

static const char *const names[WATCH_NAMES] = {
	[WATCH_LOG] = "log", [WATCH_STATE] = "state", [WATCH_RECORD] = "record",
	[WATCH_RELEASE] = "release", [WATCH_REQUEST] = "request", [WATCH_RESULT] = "result",
	[WATCH_CONFIRMED] = "confirmed", [WATCH_PREVIOUS] = "previous",
	[WATCH_INSTALLED] = "installed", [WATCH_FLOOR] = "floor", [WATCH_CLOCK] = "clock",
	[WATCH_NETWORK] = "network", [WATCH_NOTE] = "note", [WATCH_TRIES] = "tries",
	[WATCH_FLAG] = "flag", [WATCH_TRIAL] = "trial", [WATCH_COUNT] = "count",
	[WATCH_SLOT] = "slot", [WATCH_RTRIES] = "rtries", [WATCH_MAIN] = "main",
	[WATCH_OTHER] = "other",
};

static void must(bool ok)
{
	if (!ok) {
		fputs("order-trace: setting up failed\n", stderr);
		abort();
	}
}

/* ---- the world ---- */

static void read_head(const struct mini_bundle *b, struct lb_bundle_head *ret)
{
	const struct sim_source_manners all = { 0 };
	struct lb_source *src;
	struct sim s;

	sim_init(&s);
	src = sim_source_open(&s, b->bytes, b->len, &all);
	must(!lb_bundle_read_head(src, ret, NULL));
	lb_source_close(src);
	sim_free(&s);
}

static void make_carriers(struct watch_world *w)
{
	const struct mini_image images[] = {
		{ .name = "recovery", .encoding = LB_ENC_NONE,
		  .bytes = w->fit[2], .len = w->fit_len[2] },
		{ .name = "root", .encoding = LB_ENC_ZSTD_FRAMES,
		  .bytes = w->main_os[2], .len = WATCH_MAIN_BYTES },
	};

	mini_pack_with_recovery(&w->carrier, 2, images, 2, CHUNK_BYTES, 2);
	mini_pack_with_recovery(&w->alone, 2, images, 1, CHUNK_BYTES, 2);
	read_head(&w->carrier, &w->carrier_head);
	read_head(&w->alone, &w->alone_head);
	must(!lb_manifest_parse(w->carrier_head.manifest, w->carrier_head.manifest_len,
				&w->carried, NULL));
}

const struct watch_world *watch_world(void)
{
	static struct watch_world w;

	if (w.carrier.bytes)
		return &w;
	for (uint32_t r = 1; r <= WATCH_RELEASES; r++) {
		const struct mini_image root = {
			.name = "root", .encoding = LB_ENC_ZSTD_FRAMES,
			.bytes = w.main_os[r], .len = WATCH_MAIN_BYTES,
		};

		mini_fill(w.main_os[r], WATCH_MAIN_BYTES, 10 + r);
		mini_pack(&w.bundle[r], r, &root, 1, CHUNK_BYTES);
		read_head(&w.bundle[r], &w.head[r]);
	}
	for (uint32_t r = 1; r <= 2; r++)
		w.fit_len[r] = mini_fit(w.fit[r], r);
	make_carriers(&w);
	return &w;
}

/* ---- what is durable ---- */

/* A region as the next start would find it: what is not flushed is not there. */
struct view {
	struct lb_blk blk;
	const struct sim_region *under;
};

static int view_read(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	memcpy(buf, ((struct view *)b)->under->medium + offset, len);
	return 0;
}

static void view_close(struct lb_blk *b)
{
}

static struct view view_of(const struct watched *b)
{
	static const struct lb_blk_ops ops = {
		.read = view_read, .read_medium = view_read, .close = view_close,
	};
	struct view v = { .blk = b->under->blk, .under = b->under };

	v.blk.ops = &ops;
	v.blk.read_only = true;
	return v;
}

static void note(char to[24], const char *fmt, ...) LB_PRINTF(2, 3);

static void note(char to[24], const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(to, 24, fmt, args);
	va_end(args);
}

static void note_release(char to[24], uint64_t release)
{
	if (release)
		note(to, "R%llu", (unsigned long long)release);
	else
		note(to, "none");
}

static void look_at_release(struct lb_log *log, uint16_t type, char to[24])
{
	struct lb_release r;

	if (lb_release_load(log, type, &r, NULL)) {
		note(to, "none");
		return;
	}
	note(to, "R%llu", (unsigned long long)r.release);
	lb_release_free(&r);
}

static void look_at_state(struct lb_log *log, char value[WATCH_NAMES][24])
{
	struct lb_state s = { 0 };
	int have = !lb_state_load(log, &s, NULL);

	note(value[WATCH_RECORD], "%d", have);
	note(value[WATCH_STATE], "%s", lb_state_text(s.name));
	note_release(value[WATCH_RELEASE], s.release);
}

static void look_at_request(struct lb_log *log, char to[24])
{
	struct lb_request q;

	if (lb_request_load(log, &q, NULL))
		note(to, "none");
	else if (q.recovery_only)
		note(to, "visit");
	else
		note(to, "R%llu", (unsigned long long)q.release);
}

static void look_at_note(struct lb_log *log, char value[WATCH_NAMES][24])
{
	struct lb_self_update n = { 0 };

	if (lb_self_update_load(log, &n, NULL))
		memset(&n, 0, sizeof(n));
	note(value[WATCH_TRIES], "%u", n.tries);
	if (n.copy)
		note(value[WATCH_NOTE], "%c", n.copy);
	else
		note(value[WATCH_NOTE], "none");
}

static void look_at_records(struct lb_log *log, char value[WATCH_NAMES][24])
{
	struct lb_network net;
	struct lb_result v;
	uint64_t floor = 0;
	int64_t clock = 0;

	look_at_state(log, value);
	look_at_request(log, value[WATCH_REQUEST]);
	note(value[WATCH_RESULT], "none");
	if (!lb_result_load(log, &v, NULL))
		note(value[WATCH_RESULT], "R%llu", (unsigned long long)v.release);
	look_at_release(log, LB_REC_CONFIRMED, value[WATCH_CONFIRMED]);
	look_at_release(log, LB_REC_PREVIOUS, value[WATCH_PREVIOUS]);
	look_at_release(log, LB_REC_INSTALLED, value[WATCH_INSTALLED]);
	must(!lb_floor_load(log, &floor, NULL) && !lb_clock_floor_load(log, &clock, NULL));
	note(value[WATCH_FLOOR], "%llu", (unsigned long long)floor);
	note(value[WATCH_CLOCK], "%lld", (long long)clock);
	note(value[WATCH_NETWORK], "none");
	if (!lb_network_load(log, &net, NULL))
		note(value[WATCH_NETWORK], "%.20s", net.address);
	look_at_note(log, value);
}

static void look_at_log(struct watch *w, char value[WATCH_NAMES][24])
{
	struct view v = view_of(&w->blk[WATCH_STATE_BLK]);
	struct lb_log log = { 0 };
	int r = lb_log_open(&log, &v.blk, NULL);

	note(value[WATCH_LOG], r ? "lost" : "whole");
	look_at_records(&log, value);
}

static void look_at_env(struct watch *w, char value[WATCH_NAMES][24])
{
	struct view a = view_of(&w->blk[WATCH_ENV0]), b = view_of(&w->blk[WATCH_ENV1]);
	struct lb_boot_status st;
	struct lb_boot boot;

	must(!lb_boot_open(&boot, &a.blk, &b.blk, NULL));
	lb_boot_read(&boot, &st);
	lb_boot_close(&boot);
	note(value[WATCH_FLAG], "%s", st.target == LB_BOOT_MAIN ? "main"
				      : st.manual		  ? "manual"
				      : st.target == LB_BOOT_RECOVERY ? "recovery"
								      : "lost");
	note(value[WATCH_TRIAL], "%d", st.trial);
	note(value[WATCH_COUNT], "%u", st.main_boots);
	note(value[WATCH_SLOT], "%c", st.recovery_slot);
	note(value[WATCH_RTRIES], "%u", st.recovery_boots);
}

/* ---- telling ---- */

static void tell_unflushed(struct watch *w, const struct watched *but)
{
	for (int i = 0; i < WATCH_BLKS; i++)
		if (w->on && w->blk[i].dirty && &w->blk[i] != but)
			printf("event unflushed=%s\n", w->blk[i].blk.name);
}

static void tell(struct watch *w, char now[WATCH_NAMES][24])
{
	bool any = false;

	for (int i = 0; i < WATCH_NAMES; i++) {
		if (!strcmp(w->value[i], now[i]))
			continue;
		if (w->on)
			printf("%s %s=%s", any ? "" : "event", names[i], now[i]);
		any = true;
	}
	if (any && w->on)
		putchar('\n');
	memcpy(w->value, now, sizeof(w->value));
}

static enum watch_name name_of(const struct watch *w, const struct watched *b)
{
	if (b == &w->blk[WATCH_ROOT])
		return WATCH_MAIN;
	if (b == &w->blk[WATCH_A] || b == &w->blk[WATCH_B])
		return b->blk.name[strlen(b->blk.name) - 1] == w->running ? WATCH_NAMES : WATCH_OTHER;
	return WATCH_LOG;
}

/* The release that a slot holds whole on the medium; 0: none. Its length in @ret_len. */
static uint32_t content(const struct watched *b, size_t *ret_len)
{
	const struct watch_world *world = watch_world();
	bool root = !strcmp(b->blk.name, "root");

	for (uint32_t r = 1; r <= (root ? WATCH_RELEASES : 2); r++) {
		*ret_len = root ? WATCH_MAIN_BYTES : world->fit_len[r];
		if (!memcmp(b->under->medium, root ? world->main_os[r] : world->fit[r], *ret_len))
			return r;
	}
	return 0;
}

static void look_at_slot(const struct watched *b, char to[24])
{
	size_t len;
	uint32_t r = content(b, &len);

	note_release(to, r);
	if (!r)
		note(to, "torn");
}

/* ---- the port ---- */

static struct watched *of(struct lb_blk *b)
{
	return (struct watched *)b;
}

static int watched_read(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	return lb_blk_read(&of(b)->under->blk, offset, buf, len);
}

/* All of what was written was read back: it is what it is. */
static int watched_read_medium(struct lb_blk *b, uint64_t offset, void *buf, size_t len)
{
	struct watched *x = of(b);
	enum watch_name name = name_of(x->watch, x);
	char now[WATCH_NAMES][24];
	size_t whole;

	if (offset <= x->read_back && x->read_back < offset + len)
		x->read_back = offset + len;
	if ((name == WATCH_MAIN || name == WATCH_OTHER) && !x->dirty && content(x, &whole) &&
	    x->read_back >= whole) {
		memcpy(now, x->watch->value, sizeof(now));
		look_at_slot(x, now[name]);
		tell(x->watch, now);
	}
	return lb_blk_read_medium(&x->under->blk, offset, buf, len);
}

static int watched_write(struct lb_blk *b, uint64_t offset, const void *buf, size_t len)
{
	struct watched *x = of(b);
	enum watch_name name = name_of(x->watch, x);
	char now[WATCH_NAMES][24];

	tell_unflushed(x->watch, x);
	if (name == WATCH_NAMES && x->watch->on)
		puts("event running=written");
	if (name == WATCH_MAIN || name == WATCH_OTHER) {
		memcpy(now, x->watch->value, sizeof(now));
		note(now[name], "torn");
		tell(x->watch, now);
	}
	x->dirty = true;
	x->read_back = 0;
	return lb_blk_write(&x->under->blk, offset, buf, len);
}

static int watched_flush(struct lb_blk *b)
{
	struct watched *x = of(b);
	char now[WATCH_NAMES][24];
	int r = lb_blk_flush(&x->under->blk);

	x->dirty = x->dirty && r;
	memcpy(now, x->watch->value, sizeof(now));
	if (x == &x->watch->blk[WATCH_STATE_BLK])
		look_at_log(x->watch, now);
	else if (name_of(x->watch, x) == WATCH_LOG)
		look_at_env(x->watch, now);
	tell(x->watch, now);
	return r;
}

static void watched_close(struct lb_blk *b)
{
}

/* ---- all of it ---- */

static void add(struct watch *w, int i, const char *name, size_t size)
{
	static const struct lb_blk_ops ops = {
		.read = watched_read, .read_medium = watched_read_medium, .write = watched_write,
		.flush = watched_flush, .close = watched_close,
	};
	struct watched *b = &w->blk[i];

	sim_add(&w->sim, name, size);
	*b = (struct watched){ .watch = w, .under = sim_region(&w->sim, name) };
	b->blk = b->under->blk;
	b->blk.ops = &ops;
}

void watch_init(struct watch *w, char running)
{
	const struct watch_world *world = watch_world();

	memset(w, 0, sizeof(*w));
	sim_init(&w->sim);
	w->running = running;
	add(w, WATCH_STATE_BLK, "state", REGION);
	add(w, WATCH_ENV0, "env0", ENV_BYTES);
	add(w, WATCH_ENV1, "env1", ENV_BYTES);
	add(w, WATCH_ROOT, "root", WATCH_MAIN_BYTES + 777);
	add(w, WATCH_A, "recovery_a", WATCH_SLOT_BYTES);
	add(w, WATCH_B, "recovery_b", WATCH_SLOT_BYTES);
	memcpy(w->blk[WATCH_ROOT].under->medium, world->main_os[1], WATCH_MAIN_BYTES);
	for (int i = WATCH_A; i <= WATCH_B; i++)
		memcpy(w->blk[i].under->medium, world->fit[1], world->fit_len[1]);
}

void watch_free(struct watch *w)
{
	sim_free(&w->sim);
}

void watch_begin(struct watch *w)
{
	sim_settle(&w->sim);
	for (int i = 0; i < WATCH_BLKS; i++)
		w->blk[i].dirty = false;
	look_at_log(w, w->value);
	look_at_env(w, w->value);
	look_at_slot(&w->blk[WATCH_ROOT], w->value[WATCH_MAIN]);
	look_at_slot(&w->blk[w->running == 'a' ? WATCH_B : WATCH_A], w->value[WATCH_OTHER]);
	fputs("start", stdout);
	for (int i = 0; i < WATCH_NAMES; i++)
		printf(" %s=%s", names[i], w->value[i]);
	putchar('\n');
	w->on = true;
}

void watch_end(struct watch *w)
{
	tell_unflushed(w, NULL);
	w->on = false;
}

struct lb_blk *watch_slot(struct watch *w, const char *name)
{
	for (int i = WATCH_ROOT; i < WATCH_BLKS; i++)
		if (!strcmp(w->blk[i].blk.name, name))
			return &w->blk[i].blk;
	return NULL;
}
