// SPDX-License-Identifier: GPL-2.0-or-later
#include "sources.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "linux/http.h"
#include "linux/net_config.h"
#include "linux/source_file.h"

#define FILE_SCHEME "file://"
#define CONNECT_MS 15000u

static bool is_http(const char *url)
{
	return !strncmp(url, "https://", 8) || !strncmp(url, "http://", 7);
}

static bool is_upload(const char *url)
{
	return !strncmp(url, WEB_UPLOAD_URL, strlen(WEB_UPLOAD_URL));
}

static const char *without_scheme(const char *url)
{
	return strncmp(url, FILE_SCHEME, strlen(FILE_SCHEME)) ? url : url + strlen(FILE_SCHEME);
}

/* The user's data are never written here: read-only, and only for who asks. */
static int mount_data_of(const struct data_settings *d, const char *path, struct lb_error *err)
{
	size_t len = strlen(d->folder);

	if (!d->device[0] || strncmp(path, d->folder, len) || path[len] != '/')
		return 0;
	if (!mount(d->device, d->folder, d->type, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		   d->options[0] ? d->options : NULL) || errno == EBUSY)
		return 0;
	return lb_error_set(err, LB_E_IO, "%.100s cannot be mounted at %.100s: %s", d->device,
			    d->folder, strerror(errno));
}

/* What is not there yet may be put in, or found by the system, at any moment. */
static int open_on_medium(struct media *m, const char *path, struct lb_source **ret, struct lb_error *err)
{
	int r;

	media_begin(m, path);
	r = lb_source_medium_open(path, ret, err);
	return r == -LB_E_NOT_FOUND ? lb_error_set(err, LB_E_AGAIN, "%s is not there", path) : r;
}

static int open_source(void *ctx, const char *url, const struct lb_request *request,
		       const struct lb_network *network, int64_t time_floor_s,
		       struct lb_source **ret, struct lb_error *err)
{
	const struct source_context *c = ctx;
	const struct settings *s = c->settings;
	struct lb_http_options opt = {
		.ca_pem = network->ca_pem[0] ? network->ca_pem : NULL,
		.ca_file = s->config.ca_file[0] ? s->config.ca_file : NULL,
		.header = request && request->header[0] ? request->header : NULL,
		.user_agent = "lifeboat-recovery/" LB_VERSION,
		.not_before_s = time_floor_s,
		.connect_ms = s->stall_ms < CONNECT_MS ? s->stall_ms : CONNECT_MS,
		.stall_ms = s->stall_ms,
		.tick = c->tick,
		.tick_ctx = c->tick_ctx,
	};
	int r;

	if (is_upload(url))
		return web_open_upload(c->web, c->tick, c->tick_ctx, ret, err);
	if (is_http(url))
		return lb_http_source_open(url, &opt, ret, err);
	url = without_scheme(url);
	if (media_holds(c->media, url))
		return open_on_medium(c->media, url, ret, err);
	r = mount_data_of(&s->data, url, err);
	return r ? r : lb_source_file_open(url, ret, err);
}

static int network_up(void *ctx, const struct lb_network *network, struct lb_error *err)
{
	const struct settings *s = ((const struct source_context *)ctx)->settings;

	if (!s->interface[0])
		return 0;
	return lb_net_up(s->interface, network, s->network_wait_s * 1000, err);
}

static bool medium(void *ctx, unsigned int n, char *ret_url, size_t size)
{
	const struct source_context *c = ctx;

	/* who stands in front of the page waits; a stick does not mind */
	if (web_has_upload(c->web) && !n--) {
		snprintf(ret_url, size, WEB_UPLOAD_URL "%u", c->web->uploads);
		return true;
	}
	return media_offer(c->media, n, ret_url, size);
}

/* Who brings a bundle to the page means that one. */
static bool wanted(void *ctx, const char *url)
{
	const struct source_context *c = ctx;

	return is_upload(url) || media_reinstall(c->media, without_scheme(url));
}

static void ended(void *ctx, const char *url, int code, const struct lb_error *why)
{
	media_end(((const struct source_context *)ctx)->media, without_scheme(url), code, why);
}

static bool person_waits(void *ctx)
{
	return web_has_upload(((const struct source_context *)ctx)->web);
}

struct lb_sources sources_of(struct source_context *c)
{
	return (struct lb_sources){
		.ctx = c,
		.open = open_source,
		.network_up = network_up,
		.medium = medium,
		.wanted = wanted,
		.ended = ended,
		.person_waits = person_waits,
	};
}
