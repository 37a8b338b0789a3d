// SPDX-License-Identifier: GPL-2.0-or-later
#include "trust/policy.h"

#include <stdbool.h>
#include <string.h>

/* The kinds that an engine of this version writes. */
static bool writable(enum lb_image_kind kind)
{
	switch (kind) {
	case LB_KIND_RAW:
	case LB_KIND_FIT:
	case LB_KIND_RECOVERY:
		return true;
	case LB_KIND_UBI:
	case LB_KIND_FILE:
		break;
	}
	return false;
}

static bool for_hardware(const struct lb_manifest *m, const struct lb_device *dev)
{
	for (uint32_t i = 0; i < dev->hardware_count; i++)
		for (uint32_t j = 0; j < m->hardware_count; j++)
			if (!strcmp(dev->hardware[i], m->hardware[j]))
				return true;
	return false;
}

static int check_release(const struct lb_manifest *m, const struct lb_device *dev,
			 struct lb_error *err)
{
	if (strcmp(m->product, dev->product))
		return lb_error_set(err, LB_E_PRODUCT, "the bundle is for product %s, this is %s",
				    m->product, dev->product);
	if (!for_hardware(m, dev))
		return lb_error_set(err, LB_E_HARDWARE,
				    "the bundle names %u kinds of hardware (%s%s), this is %s",
				    m->hardware_count, m->hardware[0],
				    m->hardware_count > 1 ? ", ..." : "",
				    dev->hardware_count ? dev->hardware[0] : "of no known kind");
	if (m->release < dev->floor_release)
		return lb_error_set(err, LB_E_FLOOR, "release %llu is below the floor, which is %llu",
				    (unsigned long long)m->release,
				    (unsigned long long)dev->floor_release);
	if (m->min_recovery > dev->recovery_release)
		return lb_error_set(err, LB_E_CRITICAL,
				    "the bundle needs recovery release %u, this is %u",
				    m->min_recovery, dev->recovery_release);
	return 0;
}

static int check_slot(const struct lb_image *image, struct lb_slot_lookup *slots,
		      struct lb_error *err)
{
	uint64_t room;
	int rc = slots->size(slots, image->target, &room);

	if (rc == -LB_E_NO_SLOT)
		return lb_error_set(err, LB_E_NO_SLOT, "slot %s for image %s does not exist",
				    image->target, image->name);
	if (rc == -LB_E_READ_ONLY)
		return lb_error_set(err, LB_E_READ_ONLY, "slot %s for image %s is read-only",
				    image->target, image->name);
	if (rc)
		return lb_error_set(err, -rc, "slot %s for image %s could not be opened",
				    image->target, image->name);
	if (image->size_bytes > room)
		return lb_error_set(err, LB_E_TOO_BIG,
				    "image %s has %llu bytes, slot %s holds %llu", image->name,
				    (unsigned long long)image->size_bytes, image->target,
				    (unsigned long long)room);
	return 0;
}

uint32_t lb_policy_main_images(const struct lb_manifest *m)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < m->image_count; i++)
		count += m->images[i].kind != LB_KIND_RECOVERY;
	return count;
}

static bool has_image_for(const struct lb_manifest *m, const char *slot)
{
	for (uint32_t i = 0; i < m->image_count; i++)
		if (m->images[i].kind != LB_KIND_RECOVERY && !strcmp(m->images[i].target, slot))
			return true;
	return false;
}

int lb_policy_covers(const struct lb_manifest *m, struct lb_slot_lookup *slots,
		     struct lb_error *err)
{
	const char *slot;

	if (!lb_policy_main_images(m))
		return lb_error_set(err, LB_E_PARTIAL, "the bundle holds nothing of main");
	for (uint32_t n = 0; slots->name && (slot = slots->name(slots, n)); n++)
		if (strcmp(slot, "recovery_a") && strcmp(slot, "recovery_b") &&
		    !has_image_for(m, slot))
			return lb_error_set(err, LB_E_PARTIAL,
					    "the bundle has no image for slot %s: main would be of two releases",
					    slot);
	return 0;
}

int lb_policy_check(const struct lb_manifest *m, const struct lb_device *dev,
		    struct lb_slot_lookup *slots, struct lb_error *err)
{
	int rc = check_release(m, dev, err);

	for (uint32_t i = 0; !rc && i < m->image_count; i++) {
		const struct lb_image *image = &m->images[i];

		if (!writable(image->kind))
			rc = lb_error_set(err, LB_E_UNSUPPORTED,
					  "image %s is of kind %s, which cannot be written here",
					  image->name, lb_image_kind_name(image->kind));
		else if (slots && image->kind != LB_KIND_RECOVERY) /* goes to a copy, not to a slot */
			rc = check_slot(image, slots, err);
	}
	if (!rc && slots && lb_policy_main_images(m))
		rc = lb_policy_covers(m, slots, err);
	return rc;
}
