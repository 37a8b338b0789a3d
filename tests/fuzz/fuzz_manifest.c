// SPDX-License-Identifier: GPL-2.0-or-later
/* manifest.json. The mode says which allocation fails. */
#include "bundle/bundle.h"
#include "bundle/manifest.h"
#include "bundle/tar.h"
#include "fuzz.h"

static bool terminated(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

static void check_member(const struct lb_image *im, const struct lb_member *m, const char *suffix)
{
	char wanted[sizeof(m->name)];

	snprintf(wanted, sizeof(wanted), "%s%s", im->name, suffix);
	CHECK(terminated(m->name, sizeof(m->name)) && !strcmp(m->name, wanted));
	CHECK(m->size_bytes <= LB_TAR_SIZE_MAX);
}

static void check_image(const struct lb_manifest *m, const struct lb_image *im)
{
	CHECK(terminated(im->name, sizeof(im->name)) && lb_name_valid(im->name));
	CHECK(terminated(im->target, sizeof(im->target)) && lb_name_valid(im->target));
	CHECK(lb_image_kind_by_name(lb_image_kind_name(im->kind)) == (int)im->kind);
	CHECK(lb_encoding_by_name(lb_encoding_name(im->encoding)) == (int)im->encoding);
	CHECK(im->size_bytes);
	CHECK(im->index.size_bytes <= LB_INDEX_MAX_BYTES);
	CHECK(im->index.size_bytes % LB_INDEX_FAR_BYTES == 0);
	check_member(im, &im->index, ".idx");
	check_member(im, &im->payload, lb_encoding_suffix(im->encoding));
	for (const struct lb_image *other = m->images; other < im; other++)
		CHECK(strcmp(other->name, im->name) && strcmp(other->target, im->target));
}

static void check_manifest(const struct lb_manifest *m)
{
	struct lb_bundle_layout layout;

	CHECK(m->format == LB_MANIFEST_FORMAT && m->release && m->min_release <= m->release);
	CHECK(terminated(m->product, sizeof(m->product)) && lb_name_valid(m->product));
	CHECK(terminated(m->version, sizeof(m->version)));
	CHECK(m->hardware_count && m->hardware_count <= LB_HARDWARE_MAX);
	for (uint32_t i = 0; i < m->hardware_count; i++)
		CHECK(terminated(m->hardware[i], sizeof(m->hardware[i])) &&
		      lb_compatible_valid(m->hardware[i]));
	CHECK(m->image_count && m->image_count <= LB_IMAGES_MAX);
	for (uint32_t i = 0; i < m->image_count; i++)
		check_image(m, &m->images[i]);
	CHECK(!lb_bundle_layout(m, 4096, &layout, NULL)); /* sizes were bounded: they add up */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t mode = fuzz_take_mode(data, &size), *text = fuzz_exact(data, size);
	static struct lb_manifest m, before;
	struct lb_error err = { 0 };
	struct fuzz_alloc spent;
	int rc;

	memset(&m, 0x5a, sizeof(m));
	before = m;
	fuzz_alloc_start(mode);
	rc = lb_manifest_parse(text, size, &m, &err);
	spent = fuzz_alloc_stop();
	CHECK_RESULT(rc, &err);
	CHECK(!spent.balance);
	/* a value of JSON takes two bytes and a comma at least, cJSON 64 bytes and the text */
	CHECK(spent.total_bytes <= 64 * size + sizeof(m) + 1024);
	if (rc)
		CHECK(!memcmp(&m, &before, sizeof(m)));
	else
		check_manifest(&m);
	free(text);
	return 0;
}
