// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two small bundles, installed by the real code into slots in memory, once for every byte that
 * is changed and every length that is cut off: refused, or the result is identical; and
 * never a write outside of the two slots that they name. Then the largest manifest and the
 * largest indexes: what they cost is what is written down.
 */
#include <zstd.h>

#include "base/bytes.h"
#include "flow/install.h"
#include "fuzz.h"
#include "port/source_mem.h"
#include "region.h"

#define GOLDEN "tests/golden/"
#define ENV_BYTES 1024u
#define BEYOND 777u	 /* a slot is that much larger than its image */
#define SIGNED_END 3072u /* manifest, signature and the first index's header */

/*
 * What one attempt with the golden bundle may cost, whatever was changed in it. To verify its
 * signature takes 51 KiB of that: in the first attempt, and when it is wrong.
 */
#define ATTEMPT_MEMORY (960u * 1024u)
#define ATTEMPT_FETCHED (64u * 1024u)
/* plan, write, read-back in 4 rounds: each looks at all of a slot's image */
#define ATTEMPT_LOOKS 10u

enum { BOOT, ROOT, DATA, STATE, ENV0, ENV1, REGIONS };
#define SLOTS 3 /* the bundle names the first two */

static const char *const names[REGIONS] = { "boot", "main-root", "data", "state", "env0", "env1" };

struct file {
	uint8_t *bytes;
	size_t len;
};

static struct {
	struct file bundle, want[2];
	struct lb_keyring ring;
	struct fuzz_blk blk[REGIONS];
	uint8_t *before[REGIONS]; /* what they hold when an attempt begins */
	struct lb_clock clock;
	uint64_t now_ms;
} t;

struct tally {
	unsigned int tried, refused, refused_writing, same;
	size_t memory, fetched;
};

static struct file load(const char *name)
{
	char path[128];
	struct file f = { calloc(1, 65536), 0 };
	FILE *in;

	snprintf(path, sizeof(path), GOLDEN "%s", name);
	in = fopen(path, "rb");
	CHECK(in && f.bytes);
	f.len = fread(f.bytes, 1, 65535, in);
	fclose(in);
	return f;
}

/* ---- ports ---- */

static uint64_t now(struct lb_clock *c)
{
	return ++t.now_ms;
}

static int64_t wall(struct lb_clock *c)
{
	return 1700000000;
}

static void sleep_no_time(struct lb_clock *c, uint32_t ms)
{
	t.now_ms += ms;
}

static int open_slot(void *ctx, const char *name, bool writable, struct lb_blk **ret,
		     struct lb_error *err)
{
	for (unsigned int i = 0; i < SLOTS; i++) {
		if (strcmp(name, names[i]))
			continue;
		*ret = &t.blk[i].blk;
		return 0;
	}
	return lb_error_set(err, LB_E_NO_SLOT, "there is no slot %s", name);
}

/* ---- a device that runs release 1 ---- */

static void make_device(void)
{
	static const struct lb_clock_ops clock_ops = {
		.monotonic_ms = now, .wall_s = wall, .sleep_ms = sleep_no_time,
	};
	const size_t size[REGIONS] = { t.want[0].len + BEYOND, t.want[1].len + BEYOND, 5000,
				       REGION_BYTES, ENV_BYTES, ENV_BYTES };
	struct lb_state state = { .name = LB_STATE_REQUESTED, .release = 7 };
	uint32_t seed = 7;
	struct lb_boot boot;
	struct lb_log log;

	t.clock.ops = &clock_ops;
	for (int i = 0; i < REGIONS; i++) {
		fuzz_blk_init(&t.blk[i], names[i], size[i], 0);
		t.blk[i].may_write = true;
		for (size_t at = 0; i < SLOTS && at < size[i]; at++)
			t.blk[i].bytes[at] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
	}
	CHECK(!lb_log_format(&log, &t.blk[STATE].blk, NULL));
	CHECK(!lb_state_save(&log, &state, NULL));
	CHECK(!lb_boot_open(&boot, &t.blk[ENV0].blk, &t.blk[ENV1].blk, NULL));
	CHECK(!lb_boot_set_recovery(&boot, NULL));
	lb_boot_close(&boot);
	for (int i = 0; i < REGIONS; i++)
		t.before[i] = fuzz_exact(t.blk[i].bytes, size[i]);
}

static void reset_device(void)
{
	for (int i = 0; i < REGIONS; i++) {
		struct fuzz_blk *b = &t.blk[i];

		memcpy(b->bytes, t.before[i], b->blk.size_bytes);
		b->writes = b->flushes = 0;
		b->read_bytes = b->written_bytes = 0;
		b->may_write = i != DATA && i != ENV0 && i != ENV1;
	}
}

static int install(const uint8_t *bytes, size_t len, bool *ret_writing, struct tally *tally)
{
	static const struct lb_device device = { .product = "golden", .hardware = { "lifeboat,golden" },
						 .hardware_count = 1, .recovery_release = 1 };
	const struct lb_slots slots = { .open = open_slot };
	const struct lb_patience how = { .clock = &t.clock, .deadline_ms = t.now_ms + 1000000,
					 .retry_min_ms = 1, .retry_max_ms = 1 };
	struct lb_device_state dev;
	struct lb_install in = { .dev = &dev, .slots = &slots, .keys = &t.ring, .device = &device,
				 .clock = &t.clock };
	struct lb_error err = { 0 };
	struct lb_source_mem mem;
	struct fuzz_alloc spent;
	struct lb_boot boot;
	struct lb_log log;
	int rc;

	CHECK(!lb_log_open(&log, &t.blk[STATE].blk, NULL));
	CHECK(!lb_boot_open(&boot, &t.blk[ENV0].blk, &t.blk[ENV1].blk, NULL));
	dev = (struct lb_device_state){ .log = &log, .boot = &boot };
	lb_source_mem_init(&mem, bytes, len);
	fuzz_alloc_start(0);
	rc = lb_install_run(&in, &mem.src, &how, &err);
	*ret_writing = in.writing;
	lb_install_free(&in);
	spent = fuzz_alloc_stop();
	lb_boot_close(&boot);

	CHECK_RESULT(rc, &err);
	CHECK(!spent.balance);
	CHECK(spent.total_bytes <= ATTEMPT_MEMORY && mem.src.fetched_bytes <= ATTEMPT_FETCHED);
	if (spent.total_bytes > tally->memory)
		tally->memory = spent.total_bytes;
	if (mem.src.fetched_bytes > tally->fetched)
		tally->fetched = mem.src.fetched_bytes;
	return rc;
}

/* ---- what must be true after each attempt ---- */

/* Whatever was written had been verified: each byte is the old one or the right one. */
static void check_old_or_right(const uint8_t *is, const uint8_t *was, const uint8_t *want,
			       size_t len)
{
	for (size_t at = 0, n; at < len; at += n) {
		n = len - at < 256 ? len - at : 256;
		if (!memcmp(is + at, was + at, n) || !memcmp(is + at, want + at, n))
			continue;
		for (size_t i = at; i < at + n; i++)
			CHECK(is[i] == was[i] || is[i] == want[i]);
	}
}

static void check_slot(unsigned int n, int rc, bool writing)
{
	const struct fuzz_blk *b = &t.blk[n];
	const struct file *want = &t.want[n];

	CHECK(b->read_bytes <= ATTEMPT_LOOKS * b->blk.size_bytes);
	CHECK(writing || !b->writes);
	if (!rc)
		CHECK(!memcmp(b->bytes, want->bytes, want->len));
	check_old_or_right(b->bytes, t.before[n], want->bytes, want->len);
	CHECK(!memcmp(b->bytes + want->len, t.before[n] + want->len, BEYOND));
}

static int attempt(const uint8_t *bytes, size_t len, struct tally *tally)
{
	bool writing = false;
	int rc;

	reset_device();
	rc = install(bytes, len, &writing, tally);
	check_slot(BOOT, rc, writing);
	check_slot(ROOT, rc, writing);
	CHECK(!t.blk[DATA].writes && !t.blk[ENV0].writes && !t.blk[ENV1].writes);
	for (int i = 0; i < REGIONS; i++)
		fuzz_blk_check(&t.blk[i]);
	tally->tried++;
	tally->same += !rc;
	tally->refused += rc && !writing;
	tally->refused_writing += rc && writing;
	return rc ? (writing ? 2 : 1) : 0;
}

static void tell(const char *what, const struct tally *n)
{
	printf("flip: %s: %u tried, %u refused before the first write, %u after it, %u identical; "
	       "at most %zu KiB allocated and %zu bytes fetched\n",
	       what, n->tried, n->refused, n->refused_writing, n->same, n->memory / 1024, n->fetched);
}

static void every_changed_byte(uint8_t change)
{
	struct tally tally = { 0 };
	char what[64];

	for (size_t i = 0; i < t.bundle.len; i++) {
		uint8_t *bytes = fuzz_exact(t.bundle.bytes, t.bundle.len);
		int end;

		bytes[i] ^= change;
		end = attempt(bytes, t.bundle.len, &tally);
		/* what was signed, and the frame around it: noticed before anything is written */
		if (i < SIGNED_END && end != 1) {
			printf("flip: byte %zu changed by 0x%02x was %s\n", i, change,
			       end ? "noticed late" : "not noticed");
			abort();
		}
		free(bytes);
	}
	snprintf(what, sizeof(what), "every byte changed by 0x%02x", change);
	tell(what, &tally);
}

static void every_length(void)
{
	struct tally tally = { 0 };

	for (size_t len = 0; len < t.bundle.len; len++) {
		uint8_t *bytes = fuzz_exact(t.bundle.bytes, len);

		(void)attempt(bytes, len, &tally);
		free(bytes);
	}
	tell("every length", &tally);
	CHECK(tally.refused > SIGNED_END);
}

/* ---- the largest that is allowed ---- */

/* 64 KiB of JSON that needs most memory per byte: empty lists in a field that is not known. */
static void largest_manifest(void)
{
	struct lb_error err = { 0 };
	char *text = malloc(LB_MANIFEST_MAX_BYTES);
	struct lb_manifest *m = malloc(sizeof(*m));
	struct fuzz_alloc spent;
	size_t at;

	CHECK(text && m);
	at = (size_t)sprintf(text, "{\"x\":[1");
	while (at < LB_MANIFEST_MAX_BYTES - 4) {
		text[at++] = ',';
		text[at++] = '1';
	}
	at += (size_t)sprintf(text + at, "]}");
	fuzz_alloc_start(0);
	CHECK(lb_manifest_parse(text, at, m, &err) == -LB_E_FORMAT); /* a bundle without a format */
	spent = fuzz_alloc_stop();
	CHECK(!spent.balance && spent.total_bytes <= 33u * LB_MANIFEST_MAX_BYTES + sizeof(*m));
	printf("flip: a manifest of %d bytes: %zu KiB allocated\n", LB_MANIFEST_MAX_BYTES,
	       spent.total_bytes / 1024);
	free(m);
	free(text);
}

/* An index of 65536 chunks, for every image alike. */
static uint8_t *make_index(struct lb_image *im)
{
	uint8_t *bytes = calloc(1, LB_INDEX_MAX_BYTES);

	CHECK(bytes);
	memcpy(bytes, "LBINDEX1", 8);
	lb_put_le32(bytes + 8, LB_INDEX_ENTRY_BYTES);
	lb_put_le32(bytes + 12, LB_INDEX_CHUNKS_MAX);
	for (uint32_t i = 0; i < LB_INDEX_CHUNKS_MAX; i++) {
		uint8_t *e = bytes + LB_INDEX_HEADER_BYTES + (size_t)i * LB_INDEX_ENTRY_BYTES;
		/* zeros, and one chunk of the largest size behind the longest prefix */
		bool largest = i == LB_INDEX_CHUNKS_MAX - 1;
		uint32_t length = largest ? LB_CHUNK_MAX_BYTES : 32;

		lb_put_le32(e, length << 8 | (largest ? LB_CHUNK_DATA : LB_CHUNK_ZERO));
		lb_put_le32(e + 4, largest ? LB_STORED_MAX_BYTES |
						     LB_WINDOW_BYTES / LB_REACH_UNIT_BYTES << 24 : 0);
		im->size_bytes += length;
	}
	im->encoding = LB_ENC_ZSTD_FRAMES;
	im->payload.size_bytes = LB_STORED_MAX_BYTES;
	lb_put_le64(bytes + 16, im->size_bytes);
	lb_put_le64(bytes + 24, im->payload.size_bytes);
	im->index.size_bytes = LB_INDEX_MAX_BYTES;
	lb_sha256(bytes, LB_INDEX_MAX_BYTES, im->index.sha256);
	return bytes;
}

static void largest_indexes(void)
{
	static struct lb_manifest m = { .image_count = LB_IMAGES_MAX };
	struct lb_bundle_layout layout = { 0 };
	struct lb_blk *slots[LB_IMAGES_MAX];
	const size_t marks = LB_INDEX_CHUNKS_MAX / LB_INDEX_MARK + 1;
	const size_t per_image = LB_INDEX_MAX_BYTES + 2 * (LB_INDEX_CHUNKS_MAX / 8 + 1) +
				 marks * sizeof(struct lb_chunk_cursor);
	uint8_t *index = make_index(&m.images[0]);
	struct lb_source_mem mem;
	struct fuzz_alloc spent;
	struct fuzz_blk slot;
	struct lb_update u;

	fuzz_blk_init(&slot, "slot", m.images[0].size_bytes, 0);
	for (uint32_t i = 0; i < LB_IMAGES_MAX; i++) {
		m.images[i] = m.images[0];
		slots[i] = &slot.blk;
	}
	lb_source_mem_init(&mem, index, LB_INDEX_MAX_BYTES);
	fuzz_alloc_start(0);
	CHECK(!lb_update_load(&u, &m, &layout, slots, &mem.src, &t.clock, NULL, NULL));
	spent = fuzz_alloc_stop();
	CHECK(mem.src.fetched_bytes == (uint64_t)LB_IMAGES_MAX * LB_INDEX_MAX_BYTES);
	CHECK(u.images[0].index.longest_prefix == LB_WINDOW_BYTES);
	CHECK(spent.total_bytes <= LB_IMAGES_MAX * per_image + 2 * LB_WINDOW_BYTES +
					   LB_CHUNK_MAX_BYTES + LB_STORED_MAX_BYTES + 256u * 1024u);
	printf("flip: %d images of %u chunks: %zu KiB allocated, %zu KiB an image\n", LB_IMAGES_MAX,
	       LB_INDEX_CHUNKS_MAX, spent.total_bytes / 1024, per_image / 1024);
	CHECK(!lb_update_plan(&u, NULL));
	/* once in place, once for what lies elsewhere: the loops are bounded by the slots' sizes */
	CHECK(slot.read_bytes <= 2 * LB_IMAGES_MAX * slot.blk.size_bytes);
	CHECK(!slot.writes);
	lb_update_free(&u);
	fuzz_blk_free(&slot);
	free(index);
}

static void every_change(const char *bundle, const char *root, const char *key)
{
	struct file pem = load(key);
	struct tally whole = { 0 };

	t.bundle = load(bundle);
	t.want[0] = load("boot.img");
	t.want[1] = load(root);
	CHECK(!lb_keyring_add(&t.ring, pem.bytes, pem.len, NULL));
	make_device();
	printf("flip: %s, %zu bytes\n", bundle, t.bundle.len);
	CHECK(!attempt(t.bundle.bytes, t.bundle.len, &whole)); /* unchanged, it is installed */
	every_changed_byte(0x01);
	every_changed_byte(0xff);
	every_length();
	for (int i = 0; i < REGIONS; i++) {
		fuzz_blk_free(&t.blk[i]);
		free(t.before[i]);
	}
	lb_keyring_free(&t.ring);
	free(t.bundle.bytes);
	free(t.want[0].bytes);
	free(t.want[1].bytes);
	free(pem.bytes);
}

int main(void)
{
	every_change("small.lbu", "root.img", "key.pub.pem");
	every_change("prefix.lbu", "prefix.img", "prefix.pub.pem");
	every_change("far.lbu", "far.img", "far.pub.pem");
	largest_manifest();
	largest_indexes();
	return 0;
}
