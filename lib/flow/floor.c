// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The floor record alone is a note that root in main may delete. The manifest of
 * the confirmed release says the same and is signed, so both have to be gone
 * before an older release is accepted.
 */
#include "flow/floor.h"

#include "bundle/manifest.h"
#include "state/records.h"

/* What cannot be understood is as good as absent; what cannot be read is not. */
static int absent(int code)
{
	return code == -LB_E_IO || code == -LB_E_NOMEM ? code : 0;
}

/* min_release of the confirmed release's manifest, 0 without one that is signed. */
static int signed_floor(struct lb_log *log, const struct lb_keyring *ring, uint64_t *ret,
			struct lb_error *err)
{
	struct lb_release confirmed = { 0 };
	struct lb_manifest m;
	int code = lb_release_load(log, LB_REC_CONFIRMED, &confirmed, err);

	if (!code)
		code = lb_keyring_verify(ring, confirmed.manifest, confirmed.manifest_len,
					 &confirmed.signature, 1, NULL, err);
	if (!code)
		code = lb_manifest_parse(confirmed.manifest, confirmed.manifest_len, &m, err);
	lb_release_free(&confirmed);
	*ret = code ? 0 : m.min_release;
	return absent(code);
}

int lb_floor_effective(struct lb_log *log, const struct lb_keyring *ring, uint64_t built_in,
		       uint64_t *ret, struct lb_error *err)
{
	uint64_t recorded = 0, vouched = 0, floor = built_in;
	int code = absent(lb_floor_load(log, &recorded, err));

	if (!code)
		code = signed_floor(log, ring, &vouched, err);
	if (code)
		return code;
	if (recorded > floor)
		floor = recorded;
	if (vouched > floor)
		floor = vouched;
	*ret = floor;
	return 0;
}
