// SPDX-License-Identifier: GPL-2.0-or-later
#include "channel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundle.h"
#include "files.h"
#include "visit.h"

#define CACHE_FILE "channel.lbc"

static int check_list(const struct agent *a, const struct agent_memory *m,
		      const struct lb_channel *ch, struct lb_error *err)
{
	if (strcmp(ch->product, a->device.product))
		return lb_error_set(err, LB_E_PRODUCT, "the channel is for product %s, this is %s",
				    ch->product, a->device.product);
	if (!strcmp(m->channel_url, a->set.channel) && ch->sequence < m->channel_sequence)
		return lb_error_set(err, LB_E_ROLLBACK,
				    "the channel has sequence %" PRIu64 ", %" PRIu64
				    " was seen before", ch->sequence, m->channel_sequence);
	return 0;
}

static int open_list(const struct agent *a, const struct agent_memory *m, const void *bytes,
		     size_t len, struct lb_channel *ret, struct lb_error *err)
{
	struct lb_channel ch = { 0 };
	int rc = lb_channel_open(bytes, len, &a->ring, &ch, err);

	if (!rc)
		rc = check_list(a, m, &ch, err);
	if (rc)
		lb_channel_free(&ch);
	else
		*ret = ch;
	return rc;
}

int agent_channel_cached(const struct agent *a, const struct agent_memory *m,
			 struct lb_channel *ret, struct lb_error *err)
{
	char path[AGENT_PATH_MAX], *bytes;
	ptrdiff_t len;

	if (!*a->set.channel || strcmp(m->channel_url, a->set.channel))
		return lb_error_set(err, LB_E_NOT_FOUND, "no channel file was seen so far");
	bytes = malloc(LB_CHANNEL_FILE_MAX + 1);
	if (!bytes)
		return lb_error_set(err, LB_E_NOMEM, "no memory for the channel file");
	agent_path(path, a->set.state_dir, CACHE_FILE);
	len = agent_file_read(path, bytes, LB_CHANNEL_FILE_MAX + 1, err);
	if (len >= 0)
		len = open_list(a, m, bytes, (size_t)len, ret, err);
	free(bytes);
	return (int)len;
}

/*
 * The copy first, then what says that it is newer: a cut costs one full answer. A
 * broken data partition must not keep the device from an update that may mend it.
 */
static void remember(const struct agent *a, struct agent_memory *m, const struct lb_channel *ch,
		     const char *etag, const void *bytes, size_t len)
{
	struct agent_memory before = *m;
	struct lb_error err = { 0 };
	char path[AGENT_PATH_MAX];

	snprintf(m->channel_url, sizeof(m->channel_url), "%s", a->set.channel);
	snprintf(m->etag, sizeof(m->etag), "%s", etag);
	m->channel_sequence = ch->sequence;
	m->channel_created_s = ch->created_s;
	if (strcmp(before.channel_url, m->channel_url))
		agent_visit_first(a, ch, m);
	if (!memcmp(&before, m, sizeof(before)) && *etag)
		return;
	agent_path(path, a->set.state_dir, CACHE_FILE);
	if (agent_file_write(path, bytes, len, &err) || agent_memory_save(a, m, &err))
		agent_error(a, "%s; an older channel would not be noticed", err.text);
}

/* A server's answer in @buf; 0 and @ret untouched when it has not changed. */
static int ask(const struct agent *a, int64_t now_s, const char *etag, void *buf,
	       struct lb_http_reply *reply, ptrdiff_t *ret_len, struct lb_error *err)
{
	struct lb_http_options opt = agent_http_options(a, a->set.channel, now_s);
	ptrdiff_t n = lb_http_get(a->set.channel, &opt, *etag ? etag : NULL, buf,
				  LB_CHANNEL_FILE_MAX, reply, err);

	if (n == -LB_E_AGAIN) {
		if (err)
			err->code = LB_E_UNREACHABLE;
		return -LB_E_UNREACHABLE;
	}
	*ret_len = n;
	return n < 0 ? (int)n : 0;
}

static int fetch(const struct agent *a, int64_t now_s, struct agent_memory *m, void *buf,
		 struct lb_channel *ret, uint32_t *ret_retry_s, struct lb_error *err)
{
	struct lb_channel cached = { 0 }, fresh = { 0 };
	bool have = *m->etag && !agent_channel_cached(a, m, &cached, NULL);
	struct lb_http_reply reply = { 0 };
	ptrdiff_t len = 0;
	int rc = ask(a, now_s, have ? m->etag : "", buf, &reply, &len, err);

	*ret_retry_s = reply.retry_after_s;
	if (!rc && reply.status == 304 && have) {
		agent_detail(a, "the channel has not changed since sequence %" PRIu64,
			     cached.sequence);
		*ret = cached;
		return 0;
	}
	lb_channel_free(&cached);
	if (!rc)
		rc = open_list(a, m, buf, (size_t)len, &fresh, err);
	if (!rc) {
		remember(a, m, &fresh, reply.etag, buf, (size_t)len);
		agent_detail(a, "the channel has sequence %" PRIu64 " and %" PRIu32 " releases",
			     fresh.sequence, fresh.count);
		*ret = fresh;
	}
	return rc;
}

int agent_channel_fetch(const struct agent *a, int64_t now_s, struct agent_memory *m,
			struct lb_channel *ret, uint32_t *ret_retry_s, struct lb_error *err)
{
	void *buf;
	int rc;

	*ret_retry_s = 0;
	if (!*a->set.channel)
		return lb_error_set(err, LB_E_INVALID, "no channel is configured (agent.channel)");
	buf = malloc(LB_CHANNEL_FILE_MAX);
	if (!buf)
		return lb_error_set(err, LB_E_NOMEM, "no memory for the channel file");
	rc = fetch(a, now_s, m, buf, ret, ret_retry_s, err);
	free(buf);
	return rc;
}

int agent_channel_url(const struct agent *a, const struct lb_channel_release *entry,
		      char ret[LB_URL_MAX + 1], struct lb_error *err)
{
	return lb_url_resolve(a->set.channel, entry->url, ret, LB_URL_MAX + 1, err);
}
