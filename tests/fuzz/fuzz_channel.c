// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * channel.json, and with mode 0x80 a whole channel file. The rest of the mode says
 * which allocation fails.
 */
#include "fuzz.h"
#include "keys.h"
#include "trust/channel.h"

static const char ours[1][LB_COMPATIBLE_MAX + 1] = { "lifeboat,golden" };

static const struct lb_keyring *keyring(void)
{
	static struct lb_keyring ring;

	if (!ring.count)
		CHECK(!lb_keyring_add(&ring, fuzz_bundle_key, strlen(fuzz_bundle_key), NULL));
	return &ring;
}

static void check_release(const struct lb_channel_release *r)
{
	char url[LB_URL_MAX + 1];

	CHECK(memchr(r->version, '\0', sizeof(r->version)) && memchr(r->url, '\0', sizeof(r->url)));
	CHECK(r->hardware_count <= LB_CHANNEL_HARDWARE_MAX);
	for (uint32_t i = 0; i < r->hardware_count; i++)
		CHECK(lb_compatible_valid(r->hardware[i]));
	if (!lb_url_resolve("https://u.example/stable/channel.lbc", r->url, url, sizeof(url), NULL))
		CHECK(!strstr(url, "..") && strstr(url, "://"));
}

static void check_visit(const struct lb_channel *ch, uint32_t at)
{
	const struct lb_channel_visit *v = &ch->visits[at];

	CHECK(lb_serial_valid(v->id) && v->serial_count && v->serial_count <= LB_CHANNEL_SERIALS_MAX);
	CHECK(v->until_s <= ch->created_s + LB_CHANNEL_VISIT_MAX_S);
	for (uint32_t i = 0; i < v->serial_count; i++)
		CHECK(lb_serial_valid(v->serials[i]) && lb_channel_visit_names(v, v->serials[i]));
	CHECK(!lb_channel_visit_names(v, "") && !lb_channel_visit_names(v, "*"));
	for (uint32_t i = 0; i < at; i++)
		CHECK(strcmp(v->id, ch->visits[i].id));
}

static void check_channel(const struct lb_channel *ch)
{
	const struct lb_channel_release *newest = lb_channel_newest(ch, ours, 1);

	CHECK(lb_name_valid(ch->product) && ch->count <= LB_CHANNEL_RELEASES_MAX);
	for (uint32_t i = 0; i < ch->count; i++) {
		check_release(&ch->releases[i]);
		CHECK(!i || ch->releases[i].release <= ch->releases[i - 1].release);
		if (lb_channel_find(ch, ch->releases[i].release, ours, 1))
			CHECK(newest && newest->release >= ch->releases[i].release);
	}
	CHECK(ch->visit_count <= LB_CHANNEL_VISITS_MAX);
	for (uint32_t i = 0; i < ch->visit_count; i++)
		check_visit(ch, i);
	CHECK(!newest || lb_channel_find(ch, newest->release, ours, 1) == newest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t mode = fuzz_take_mode(data, &size), *bytes = fuzz_exact(data, size);
	const struct lb_keyring *ring = keyring();
	struct lb_channel ch;
	struct lb_error err = { 0 };
	struct fuzz_alloc spent;
	int rc;

	fuzz_alloc_start(mode & 0x7f);
	rc = mode & 0x80 ? lb_channel_open(bytes, size, ring, &ch, &err)
			 : lb_channel_parse(bytes, size, &ch, &err);
	spent = fuzz_alloc_stop();
	CHECK_RESULT(rc, &err);
	CHECK(spent.total_bytes <= 64 * size + LB_MANIFEST_MAX_BYTES + 65536 +
				      LB_CHANNEL_RELEASES_MAX * sizeof(ch.releases[0]) +
				      LB_CHANNEL_VISITS_MAX * sizeof(ch.visits[0]));
	if (!rc) {
		check_channel(&ch);
		lb_channel_free(&ch);
	} else if (!(mode & 0x80)) {
		CHECK(!spent.balance);
	}
	/* refused by its length, unread */
	CHECK(lb_channel_open(bytes, LB_CHANNEL_FILE_MAX + 1, ring, &ch, NULL) == -LB_E_TOO_BIG);
	lb_channel_free(NULL);
	free(bytes);
	return 0;
}
