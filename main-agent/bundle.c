// SPDX-License-Identifier: GPL-2.0-or-later
#include "bundle.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "linux/config_open.h"
#include "linux/http_session.h"
#include "linux/source_file.h"

/* What is asked for to see whether ranges work: less would do. */
#define PROBE_BYTES 4096

struct lb_http_options agent_http_options(const struct agent *a, const char *url, int64_t now_s)
{
	const char *ca = a->set.config.ca_file;
	bool ours = !*a->set.channel || lb_http_same_origin(url, a->set.channel);

	return (struct lb_http_options){
		.ca_file = *ca ? ca : NULL,
		.header = *a->header && ours ? a->header : NULL,
		.user_agent = "lifeboat-agent/" LB_VERSION,
		.not_before_s = now_s,
		.connect_ms = (uint32_t)a->set.connect_s * 1000,
		.stall_ms = (uint32_t)a->set.stall_s * 1000,
	};
}

/* Main asks once: what recovery would retry is "unreachable" here. */
static int once(int rc, struct lb_error *err)
{
	if (rc != -LB_E_AGAIN)
		return rc;
	if (err)
		err->code = LB_E_UNREACHABLE;
	return -LB_E_UNREACHABLE;
}

static int open_source(const struct agent *a, const struct agent_place *p, int64_t now_s,
		       struct lb_source **ret, struct lb_error *err)
{
	struct lb_http_options opt = agent_http_options(a, p->here, now_s);

	if (p->is_file)
		return lb_source_file_open(p->here, ret, err);
	return lb_http_source_open(p->here, &opt, ret, err);
}

static int verify(const struct agent *a, struct agent_bundle *b, struct lb_error *err)
{
	char keyid[LB_KEYID_HEX];
	int rc = lb_keyring_verify(&a->ring, b->head.manifest, b->head.manifest_len,
				   b->head.signatures, b->head.signature_count, keyid, err);

	if (rc)
		return rc;
	for (uint32_t i = 0; i < b->head.signature_count; i++)
		if (!strcmp(b->head.signatures[i].keyid, keyid))
			b->signature = b->head.signatures[i];
	return lb_manifest_parse(b->head.manifest, b->head.manifest_len, &b->manifest, err);
}

int agent_bundle_open(const struct agent *a, const struct agent_place *place, int64_t now_s,
		      struct agent_bundle *ret, struct lb_error *err)
{
	struct lb_source *src = NULL;
	int rc;

	memset(ret, 0, sizeof(*ret));
	ret->place = *place;
	agent_detail(a, "looking at the head of %s", place->shown);
	rc = open_source(a, place, now_s, &src, err);
	if (!rc)
		rc = lb_bundle_read_head(src, &ret->head, err);
	lb_source_close(src);
	return rc ? once(rc, err) : verify(a, ret, err);
}

void agent_bundle_close(struct agent_bundle *b)
{
	lb_bundle_head_free(&b->head);
	memset(b, 0, sizeof(*b));
}

static int file_bytes(const char *path, uint64_t *ret, struct lb_error *err)
{
	struct stat st;

	if (stat(path, &st) || !S_ISREG(st.st_mode))
		return lb_error_set(err, LB_E_NOT_FOUND, "%.150s is no file any more", path);
	*ret = (uint64_t)st.st_size;
	return 0;
}

/* One range request in the middle of things; 0 bytes when the server does not tell. */
static int server_bytes(const struct agent *a, const struct agent_place *p, uint64_t offset, int64_t now_s,
			uint64_t *ret, struct lb_error *err)
{
	struct lb_http_options opt = agent_http_options(a, p->here, now_s);
	struct lb_http_reply reply;
	uint8_t probe[PROBE_BYTES];
	ptrdiff_t n = lb_http_get_range(p->here, &opt, offset, probe, sizeof(probe), &reply, err);

	if (n < 0)
		return once((int)n, err);
	if (!reply.ranges)
		agent_say(a, "the server of %s has no ranges: recovery has to read the whole file "
			     "after each interruption", p->shown);
	*ret = reply.total_bytes;
	return 0;
}

static int check_whole(const struct agent *a, const struct agent_bundle *b, int64_t now_s,
		       struct lb_error *err)
{
	struct lb_bundle_layout layout;
	uint64_t bytes = 0;
	int rc = lb_bundle_layout(&b->manifest, b->head.end_offset, &layout, err);

	if (rc)
		return rc;
	rc = b->place.is_file ? file_bytes(b->place.here, &bytes, err)
			      : server_bytes(a, &b->place, b->head.end_offset, now_s, &bytes, err);
	if (rc)
		return rc;
	if (b->place.is_file || bytes)
		if (bytes < layout.end_offset)
			return lb_error_set(err, LB_E_TRUNCATED, "%.100s has %" PRIu64
					    " bytes, the bundle's contents end at %" PRIu64,
					    b->place.shown, bytes, layout.end_offset);
	return 0;
}

int agent_bundle_check(const struct agent *a, const struct agent_device *d,
		       const struct agent_bundle *b, int64_t now_s, struct lb_error *err)
{
	struct lb_config_slots slots;
	struct lb_device dev = a->device;
	int rc;

	dev.floor_release = d->floor;
	lb_config_slots_init(&slots, &a->set.config);
	rc = lb_policy_check(&b->manifest, &dev, &slots.lookup, err);
	return rc ? rc : check_whole(a, b, now_s, err);
}
