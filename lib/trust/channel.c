// SPDX-License-Identifier: GPL-2.0-or-later
#include "trust/channel.h"

#include "bundle/bundle.h"
#include "port/source_mem.h"

int lb_channel_open(const void *bytes, size_t len, const struct lb_keyring *ring,
		    struct lb_channel *ret, struct lb_error *err)
{
	struct lb_bundle_head head;
	struct lb_source_mem mem;
	int rc;

	if (len > LB_CHANNEL_FILE_MAX)
		return lb_error_set(err, LB_E_TOO_BIG, "the channel file has %zu bytes, at most %u are allowed",
				    len, LB_CHANNEL_FILE_MAX);
	lb_source_mem_init(&mem, bytes, len);
	rc = lb_signed_read_head(&mem.src, "channel", &head, err);
	if (rc)
		return rc;
	rc = lb_keyring_verify(ring, head.manifest, head.manifest_len, head.signatures,
			       head.signature_count, NULL, err);
	if (!rc)
		rc = lb_channel_parse(head.manifest, head.manifest_len, ret, err);
	lb_bundle_head_free(&head);
	return rc;
}
