// SPDX-License-Identifier: GPL-2.0-or-later
/* May this bundle be installed here? Nothing is written to find out. */
#include <string.h>

#include "flow/install.h"
#include "flow/self_update.h"

static int slot_size(struct lb_slot_lookup *l, const char *name, uint64_t *ret_bytes)
{
	const struct lb_slots *slots = ((struct lb_install_lookup *)l)->slots;
	struct lb_blk *blk;
	int r = slots->open(slots->ctx, name, true, &blk, NULL);

	if (r)
		return r;
	r = blk->read_only ? -LB_E_READ_ONLY : 0;
	if (!r)
		*ret_bytes = blk->size_bytes;
	lb_blk_close(blk);
	return r;
}

static const char *slot_name(struct lb_slot_lookup *l, uint32_t n)
{
	const struct lb_slots *slots = ((struct lb_install_lookup *)l)->slots;

	return slots->name(slots->ctx, n);
}

struct lb_install_lookup lb_install_lookup(const struct lb_slots *slots)
{
	return (struct lb_install_lookup){
		.lookup = { .size = slot_size, .name = slots->name ? slot_name : NULL },
		.slots = slots,
	};
}

/* Nothing but a recovery is no release: main that was written has to be finished by one. */
static int check_main(const struct lb_install *in, struct lb_error *err)
{
	if (!in->writing || lb_policy_main_images(&in->manifest))
		return 0;
	return lb_error_set(err, LB_E_PARTIAL, "the bundle holds a recovery, but no main to finish");
}

/* A bundle of nothing but a recovery changes no main: the rule is not for it. */
static int check_newer(const struct lb_install *in, struct lb_error *err)
{
	if (in->writing || !in->above_release || in->manifest.release > in->above_release ||
	    !lb_policy_main_images(&in->manifest))
		return 0;
	return lb_error_set(err, LB_E_NOT_NEWER,
			    "release %llu is not newer than the installed one, %llu, and no file lifeboat/reinstall asks for it",
			    (unsigned long long)in->manifest.release,
			    (unsigned long long)in->above_release);
}

int lb_install_admit(struct lb_install *in, struct lb_source *src, struct lb_error *err)
{
	struct lb_install_lookup sizes = lb_install_lookup(in->slots);
	struct lb_device device = *in->device;
	int r = lb_bundle_read_head(src, &in->head, err);

	if (!r)
		r = lb_keyring_verify(in->keys, in->head.manifest, in->head.manifest_len,
				      in->head.signatures, in->head.signature_count, in->keyid,
				      err);
	if (!r)
		r = lb_manifest_parse(in->head.manifest, in->head.manifest_len, &in->manifest,
				      err);
	if (r)
		return r;
	if (in->expected && memcmp(in->expected, in->head.manifest_sha256, LB_SHA256_BYTES))
		return lb_error_set(err, LB_E_CHANGED,
				    "the source holds release %llu with another manifest than the one expected",
				    (unsigned long long)in->manifest.release);
	if (in->failed_release && in->manifest.release == in->failed_release)
		return lb_error_set(err, LB_E_TRIAL, "the source holds release %llu, which failed here",
				    (unsigned long long)in->manifest.release);
	device.recovery_release = lb_self_update_promise(in);
	r = lb_policy_check(&in->manifest, &device, &sizes.lookup, err);
	if (!r)
		r = check_main(in, err);
	return r ? r : check_newer(in, err);
}
