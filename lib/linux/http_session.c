// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Invariant: a byte reaches the reader only out of a 200 or a 206 answer, and
 * never more of them than the answer announced.
 */
#include "linux/http_session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "bundle/url.h"
#include "linux/clock.h"

#define DISCARD_MAX (16u * 1024u) /* an error page longer than this costs the connection */
#define POLL_MS 1000
/*
 * What lies in buffers when the power is cut was fetched for nothing. The kernel
 * would let this one grow to megabytes; doubled by it, with ours, it stays under 256 KiB.
 */
#define SOCKET_BUFFER_BYTES (96 * 1024)

static uint64_t now_ms(void)
{
	return lb_clock_ms(lb_clock_system());
}

static bool carries_file(const struct lb_http_session *s)
{
	return s->status == 200 || s->status == 206;
}

/* How long the body may be at most. */
static uint64_t body_limit(const struct lb_http_session *s)
{
	if (s->status != 206)
		return UINT64_MAX;
	return s->headers.has_range ? s->headers.last - s->headers.first + 1 : 0;
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
	struct lb_http_session *s = context;

	s->active_ms = now_ms();
	lb_http_headers_line(&s->headers, line, size * count);
	return size * count;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
	struct lb_http_session *s = context;
	size_t len = size * count;

	s->active_ms = now_ms();
	curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &s->status);
	if (!carries_file(s)) {
		s->body_bytes += len;
		return s->body_bytes > DISCARD_MAX ? CURL_WRITEFUNC_ERROR : len;
	}
	if (len > body_limit(s) - s->body_bytes) {
		s->overflow = true;
		return CURL_WRITEFUNC_ERROR;
	}
	if (len > sizeof(s->buffer) - s->tail) {
		s->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	memcpy(s->buffer + s->tail, data, len);
	s->tail += len;
	s->body_bytes += len;
	s->arrived_bytes += len;
	return len;
}

static int on_socket(void *context, curl_socket_t fd, curlsocktype purpose)
{
	int bytes = SOCKET_BUFFER_BYTES;

	/* a kernel that does not care costs bytes after a cut, nothing else */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	return CURL_SOCKOPT_OK;
}

static void perform(struct lb_http_session *s)
{
	int left, still_running;
	CURLMsg *msg;

	curl_multi_perform(s->multi, &still_running);
	while ((msg = curl_multi_info_read(s->multi, &left))) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		s->finished = true;
		s->result = msg->data.result;
	}
}

static bool head_is_here(const struct lb_http_session *s)
{
	return s->headers.done && s->status >= 200;
}

static bool body_is_here(const struct lb_http_session *s)
{
	return s->head < s->tail;
}

/* Has the program had enough? Asked about once a second, however often bytes come. */
static bool stop_asked(struct lb_http_session *s, uint64_t now)
{
	if (!s->tick || now - s->ticked_ms < POLL_MS)
		return false;
	s->ticked_ms = now;
	return s->tick(s->tick_ctx);
}

/* Until @ready or the end of the transfer; gives up after the stall limit. */
static int wait_until(struct lb_http_session *s, bool (*ready)(const struct lb_http_session *s),
		      uint64_t deadline_ms, struct lb_error *err)
{
	for (;;) {
		uint64_t now, left, limit = s->stall_ms;

		perform(s);
		curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &s->status);
		if (s->finished || ready(s))
			return 0;
		now = now_ms();
		if (stop_asked(s, now))
			return lb_error_set(err, LB_E_AGAIN, "waiting for %s was stopped",
					    s->place);
		if (!s->status && limit < s->connect_ms)
			limit = s->connect_ms; /* still connecting: curl watches that */
		if (now - s->active_ms >= limit)
			return lb_error_set(err, LB_E_AGAIN, "no byte from %s for %u ms", s->place,
					    (uint32_t)(now - s->active_ms));
		if (now >= deadline_ms)
			return lb_error_set(err, LB_E_AGAIN, "%s did not finish its answer in %u s",
					    s->place, (uint32_t)((now - s->asked_ms) / 1000));
		left = s->active_ms + limit - now;
		curl_multi_poll(s->multi, NULL, 0, left < POLL_MS ? (int)left + 1 : POLL_MS, NULL);
	}
}

/*
 * A request on a connection that was kept and turns out dead is tried once more by curl,
 * which keeps the first failure's text: it does not belong to one of the second's.
 */
static const char *curl_words(const struct lb_http_session *s)
{
	const char *text = s->curl_error;

	if (s->result == CURLE_COULDNT_RESOLVE_HOST && !strstr(text, "resolve"))
		return "Could not resolve host";
	if (s->result == CURLE_COULDNT_CONNECT && !strstr(text, "connect to"))
		return "Could not connect to server";
	if (s->result == CURLE_RECV_ERROR && strstr(text, "(-0x0000)"))
		return "the connection was closed too early"; /* mbedTLS has no error for it */
	return text[0] ? text : curl_easy_strerror(s->result);
}

/* Why a transfer ended before its body did. */
static int transfer_error(struct lb_http_session *s, struct lb_error *err)
{
	int code = LB_E_AGAIN;

	if (s->overflow)
		return lb_error_set(err, LB_E_REFUSED, "%s sent more bytes than it announced",
				    s->place);
	switch (s->result) {
	case CURLE_PEER_FAILED_VERIFICATION:
		return lb_tls_error(&s->verdict, s->place, err);
	case CURLE_OUT_OF_MEMORY:
		code = LB_E_NOMEM;
		break;
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
		code = LB_E_INVALID;
		break;
	default:
		break;
	}
	return lb_error_set(err, code, "%s: %s (curl %d)", s->place, curl_words(s),
			    (int)s->result);
}

static int status_error(struct lb_http_session *s, struct lb_error *err)
{
	long status = s->status;

	if (status == 408 || status == 416 || status == 425 || status == 429 || status >= 500) {
		if (s->headers.retry_after_s)
			return lb_error_set(err, LB_E_AGAIN,
					    "the server answered %ld for %s and asks to wait %u s",
					    status, s->place, s->headers.retry_after_s);
		return lb_error_set(err, LB_E_AGAIN, "the server answered %ld for %s", status,
				    s->place);
	}
	return lb_error_set(err, LB_E_REFUSED, "the server answered %ld for %s", status, s->place);
}

/* The headers of one request: the token only where it belongs, and If-Range. */
static int set_headers(struct lb_http_session *s, const char *url, const struct lb_http_ask *ask)
{
	bool with_token = s->token && lb_http_same_origin(url, s->url);
	const char *tag = ask->range ? ask->if_range : ask->if_none_match;
	char line[LB_HTTP_ETAG_BYTES + 32];
	struct curl_slist *list;

	curl_slist_free_all(s->extra);
	s->extra = NULL;
	if (tag && tag[0]) {
		snprintf(line, sizeof(line), "%s: %s", ask->range ? "If-Range" : "If-None-Match",
			 tag);
		s->extra = curl_slist_append(NULL, line);
		if (!s->extra)
			return -LB_E_NOMEM;
	}
	if (with_token) {
		list = curl_slist_append(s->extra, s->token->data);
		if (!list)
			return -LB_E_NOMEM;
		s->extra = list;
	}
	return curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, s->extra) ? -LB_E_NOMEM : 0;
}

static int set_range(struct lb_http_session *s, const struct lb_http_ask *ask)
{
	char range[48];

	if (!ask->range)
		return curl_easy_setopt(s->easy, CURLOPT_RANGE, NULL) ? -LB_E_NOMEM : 0;
	if (ask->last == LB_HTTP_TO_END)
		snprintf(range, sizeof(range), "%" PRIu64 "-", ask->first);
	else
		snprintf(range, sizeof(range), "%" PRIu64 "-%" PRIu64, ask->first, ask->last);
	return curl_easy_setopt(s->easy, CURLOPT_RANGE, range) ? -LB_E_NOMEM : 0;
}

static void forget_answer(struct lb_http_session *s)
{
	memset(&s->headers, 0, sizeof(s->headers));
	lb_tls_verdict_reset(&s->verdict);
	s->status = 0;
	s->has_length = false;
	s->length_bytes = 0;
	s->body_bytes = 0;
	s->head = s->tail = 0;
	s->finished = s->paused = s->overflow = false;
	s->result = CURLE_OK;
	s->curl_error[0] = '\0';
	s->started_ms = s->active_ms = now_ms();
}

/* A server that sends line after line, or from place to place, ends here. */
static uint64_t head_deadline_ms(const struct lb_http_session *s)
{
	return s->asked_ms + s->connect_ms + s->stall_ms;
}

/* One request to @url, until its head or its end is here. */
static int request(struct lb_http_session *s, const char *url, const struct lb_http_ask *ask,
		   struct lb_error *err)
{
	curl_off_t length = -1;
	int code;

	lb_http_session_stop(s);
	forget_answer(s);
	lb_http_place(url, s->place, sizeof(s->place));
	if (lb_http_is_https(url) && !s->has_ca)
		return lb_error_set(err, LB_E_CERT_UNTRUSTED,
				    "%s cannot be trusted: no CA certificate is configured",
				    s->place);
	if (set_headers(s, url, ask) || set_range(s, ask) ||
	    curl_easy_setopt(s->easy, CURLOPT_URL, url) ||
	    curl_multi_add_handle(s->multi, s->easy))
		return lb_error_set(err, LB_E_NOMEM, "no memory to ask %s", s->place);
	s->running = true;
	s->requests++;

	code = wait_until(s, head_is_here, head_deadline_ms(s), err);
	if (code)
		return code;
	if (!head_is_here(s))
		return s->result ? transfer_error(s, err) :
				   lb_error_set(err, LB_E_AGAIN, "%s sent no answer", s->place);
	curl_easy_getinfo(s->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	s->has_length = length >= 0;
	s->length_bytes = length >= 0 ? (uint64_t)length : 0;
	return 0;
}

static bool is_redirect(long status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool never(const struct lb_http_session *s)
{
	return false;
}

/* Where the answer sends us, as a copy in s->target. */
static int follow(struct lb_http_session *s, bool was_https, struct lb_error *err)
{
	char *next = NULL, *copy;
	int code = wait_until(s, never, head_deadline_ms(s), err); /* curl resolves it at the end */

	if (code)
		return code;
	if (s->result && s->body_bytes <= DISCARD_MAX)
		return transfer_error(s, err);
	curl_easy_getinfo(s->easy, CURLINFO_REDIRECT_URL, &next);
	if (!next || strlen(next) > LB_HTTP_URL_MAX)
		return lb_error_set(err, LB_E_REFUSED,
				    "%s answered %ld without an address to go on", s->place,
				    s->status);
	if (strncasecmp(next, "http://", 7) && !lb_http_is_https(next))
		return lb_error_set(err, LB_E_REFUSED, "%s redirects to something else than HTTP",
				    s->place);
	if (was_https && !lb_http_is_https(next))
		return lb_error_set(err, LB_E_REFUSED, "%s redirects from https to http",
				    s->place);
	copy = strdup(next);
	if (!copy)
		return lb_error_set(err, LB_E_NOMEM, "no memory to ask %s", s->place);
	free(s->target);
	s->target = copy;
	return 0;
}

static int check_status(struct lb_http_session *s, const struct lb_http_ask *ask,
			struct lb_error *err)
{
	bool wanted;

	switch (s->status) {
	case 200:
		wanted = true;
		break;
	case 206:
		wanted = ask->range;
		break;
	case 304:
		wanted = !ask->range && ask->if_none_match && ask->if_none_match[0];
		break;
	case 416:
		wanted = ask->range && !s->headers.has_range && s->headers.has_total;
		break;
	default:
		wanted = false;
	}
	if (!wanted)
		return status_error(s, err);
	if (carries_file(s) && s->headers.encoded)
		return lb_error_set(err, LB_E_REFUSED,
				    "%s is sent compressed though that was not asked for",
				    s->place);
	return 0;
}

static int ask_from(struct lb_http_session *s, const struct lb_http_ask *ask, struct lb_error *err)
{
	int code;

	for (int hops = 0; hops <= LB_HTTP_REDIRECTS_MAX; hops++) {
		const char *url = s->target ? s->target : s->url;
		bool was_https = lb_http_is_https(url);

		code = request(s, url, ask, err);
		if (code)
			return code;
		if (!is_redirect(s->status))
			return check_status(s, ask, err);
		code = follow(s, was_https, err);
		if (code)
			return code;
	}
	return lb_error_set(err, LB_E_REFUSED, "%s redirects more than %d times", s->place,
			    LB_HTTP_REDIRECTS_MAX);
}

static void forget_target(struct lb_http_session *s)
{
	free(s->target);
	s->target = NULL;
}

int lb_http_session_start(struct lb_http_session *s, const struct lb_http_ask *ask,
			  struct lb_error *err)
{
	bool redirected = s->target;
	int code;

	s->asked_ms = now_ms();
	code = ask_from(s, ask, err);

	/* what a redirect led to may expire (signed addresses): ask the first host again */
	if (code == -LB_E_REFUSED && redirected) {
		forget_target(s);
		code = ask_from(s, ask, err);
	}
	if (code) {
		lb_http_session_stop(s);
		forget_target(s);
	}
	return code;
}

ptrdiff_t lb_http_session_read(struct lb_http_session *s, void *buf, size_t len,
			       struct lb_error *err)
{
	size_t n;
	int code;

	if (!body_is_here(s) && s->running && !s->finished) {
		s->head = s->tail = 0;
		s->active_ms = now_ms(); /* the reader's own pauses do not count */
		if (s->paused) {
			s->paused = false;
			curl_easy_pause(s->easy, CURLPAUSE_CONT);
		}
		code = wait_until(s, body_is_here, UINT64_MAX, err);
		if (code)
			return code;
	}
	if (!body_is_here(s)) {
		if (s->result)
			return transfer_error(s, err);
		if (s->status == 206 && s->body_bytes < body_limit(s))
			return lb_error_set(err, LB_E_AGAIN, "%s ended its answer early", s->place);
		return 0;
	}
	n = s->tail - s->head < len ? s->tail - s->head : len;
	if (buf)
		memcpy(buf, s->buffer + s->head, n);
	s->head += n;
	return (ptrdiff_t)n;
}

void lb_http_session_stop(struct lb_http_session *s)
{
	if (!s->running)
		return;
	/* the last byte is here, but curl may not have looked behind it yet */
	if (!s->finished && s->has_length && s->body_bytes == s->length_bytes)
		perform(s);
	curl_multi_remove_handle(s->multi, s->easy);
	s->running = false;
}

static int set_options(struct lb_http_session *s, const struct lb_http_options *opt)
{
	CURL *e = s->easy;
	struct curl_blob ca = { (void *)(uintptr_t)opt->ca_pem, 0, CURL_BLOB_COPY };
	int failed = 0;

	failed |= curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	failed |= curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	failed |= curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	failed |= curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	failed |= curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)s->connect_ms);
	/* a server that was lost may be at another address now */
	failed |= curl_easy_setopt(e, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	failed |= curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	failed |= curl_easy_setopt(e, CURLOPT_SOCKOPTFUNCTION, on_socket);
	failed |= curl_easy_setopt(e, CURLOPT_ERRORBUFFER, s->curl_error);
	failed |= curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	failed |= curl_easy_setopt(e, CURLOPT_HEADERDATA, s);
	failed |= curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	failed |= curl_easy_setopt(e, CURLOPT_WRITEDATA, s);
	if (opt->user_agent)
		failed |= curl_easy_setopt(e, CURLOPT_USERAGENT, opt->user_agent);
	failed |= curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	if (opt->ca_pem) {
		ca.len = strlen(opt->ca_pem);
		failed |= curl_easy_setopt(e, CURLOPT_CAINFO_BLOB, &ca);
	} else if (opt->ca_file) {
		failed |= curl_easy_setopt(e, CURLOPT_CAINFO, opt->ca_file);
	}
	s->has_ca = opt->ca_pem || opt->ca_file;
	return failed ? -LB_E_NOMEM : lb_tls_hook(e, &s->verdict);
}

static int check_arguments(const char *url, const struct lb_http_options *opt,
			   struct lb_error *err)
{
	char shown[81];

	if ((strncasecmp(url, "http://", 7) && !lb_http_is_https(url)) ||
	    strlen(url) > LB_HTTP_URL_MAX)
		return lb_error_set(err, LB_E_INVALID, "%s is not an http or https address",
				    lb_url_shown(url, shown, sizeof(shown)));
	if (opt->header && (strpbrk(opt->header, "\r\n") || !strchr(opt->header, ':')))
		return lb_error_set(err, LB_E_INVALID, "the request's header line is malformed");
	if (opt->ca_pem || opt->ca_file)
		return lb_tls_check_ca(opt->ca_pem, opt->ca_file, err);
	return 0;
}

int lb_http_session_open(const char *url, const struct lb_http_options *opt,
			 struct lb_http_session **ret, struct lb_error *err)
{
	struct lb_http_session *s;
	int code = check_arguments(url, opt, err);

	if (code)
		return code;
	s = calloc(1, sizeof(*s));
	if (!s)
		return lb_error_set(err, LB_E_NOMEM, "no memory for a connection");
	s->connect_ms = opt->connect_ms ? opt->connect_ms : 15000;
	s->stall_ms = opt->stall_ms ? opt->stall_ms : 30000;
	s->tick = opt->tick;
	s->tick_ctx = opt->tick_ctx;
	s->verdict.not_before_s = opt->not_before_s;
	s->url = strdup(url);
	s->easy = curl_easy_init();
	s->multi = curl_multi_init();
	if (opt->header)
		s->token = curl_slist_append(NULL, opt->header);
	if (!s->url || !s->easy || !s->multi || (opt->header && !s->token))
		code = -LB_E_NOMEM;
	else
		code = set_options(s, opt);
	if (code) {
		lb_http_session_close(s);
		return lb_error_set(err, -code, "a connection cannot be set up: %s",
				    lb_error_meaning(code));
	}
	*ret = s;
	return 0;
}

void lb_http_session_close(struct lb_http_session *s)
{
	if (!s)
		return;
	lb_http_session_stop(s);
	curl_easy_cleanup(s->easy);
	curl_multi_cleanup(s->multi);
	curl_slist_free_all(s->extra);
	curl_slist_free_all(s->token);
	forget_target(s);
	free(s->url);
	free(s);
}
