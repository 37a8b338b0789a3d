// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lifeboat-recovery: builds the ports from a configuration file, runs the flow,
 * reports once. On the board init reboots when it ends; on a workstation it is
 * an ordinary program on files. docs/RECOVERY.md.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "bundle/fit_sign.h"
#include "console.h"
#include "events.h"
#include "linux/clock.h"
#include "linux/worker.h"
#include "linux/config_open.h"
#include "linux/fs.h"
#include "linux/http.h"
#include "linux/lock.h"
#include "led.h"
#include "media.h"
#include "page/link.h"
#include "page/web.h"
#include "report.h"
#include "settings.h"
#include "sources.h"
#include "voice.h"

#define INTRODUCE_MS 1000u

enum exit_code {
	EXIT_INSTALLED = 0, /* main may be booted; it changed or was found whole */
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_RETURNED = 3,  /* main may be booted as it was; the result record says why */
	EXIT_STOPPED = 4,   /* by a signal: start it again to go on */
	EXIT_REBOOT = 5,    /* a newer recovery was written: it goes on after a reboot */
};

struct program {
	struct settings settings;
	struct console console;
	struct web web;
	struct voice voice;
	struct lb_reporter report;
	struct lb_blk *state, *env[2];
	struct lb_log log;
	struct lb_boot boot;
	struct lb_keyring keys;
	mbedtls_pk_context fit_key;
	struct media media;
	struct report stick_report;
	struct led led;
	struct source_context source_context;
	struct lb_recovery recovery;
	struct lb_worker *worker;
	pid_t told;  /* the page's process that was told what the device is, and what it was told */
	bool told_known;
	struct lb_state told_state;
	uint64_t introduced_ms;
	int signals; /* signalfd */
	bool stop;   /* one of them came */
};

struct arguments {
	const char *config, *reason, *copy, *install;
	bool events, quiet;
};

static const char usage[] =
	"usage: lifeboat-recovery --config FILE [options]\n"
	"\n"
	"Carries out what the state region asks for: installs, resumes, rescues or\n"
	"heals, and sets the boot flag for what may be started next.\n"
	"\n"
	"  -c, --config FILE   which device this is and where its parts lie\n"
	"  -i, --install URL   first stage a request for the bundle at URL or in a file\n"
	"  -r, --reason WORD   why recovery was started: requested, flag-lost,\n"
	"                      boot-limit, main-invalid or manual; default: the kernel's\n"
	"                      command line says it\n"
	"  -C, --copy a|b      which recovery copy runs; default: the command line says it\n"
	"  -e, --events        print JSON lines instead of text\n"
	"  -q, --quiet         no progress\n"
	"  -V, --version       print the version\n"
	"  -h, --help          print this\n"
	"\n"
	"exit status: 0 main may be started (updated or found whole), 1 failed, 2 usage,\n"
	"3 main may be started unchanged (refused or unreachable), 4 stopped by a signal,\n"
	"5 a newer recovery was written and goes on after a reboot\n";

/* For those who look at the page: when the state has changed, and when the page's process is a new one. */
static void introduce(struct program *p)
{
	const struct lb_device *d = &p->recovery.device;
	struct lb_state s = { 0 };
	char *event;
	bool known;

	if (p->web.link_fd < 0)
		return;
	known = !lb_state_load(&p->log, &s, NULL);
	if (p->told == p->web.child && p->told_known == known && p->told_state.name == s.name &&
	    p->told_state.release == s.release)
		return;
	event = event_device(0, &(struct event_device){
		.product = d->product,
		.hardware = d->hardware_count ? d->hardware[0] : "",
		.state = known ? lb_state_text(s.name) : "unknown",
		.release = known ? s.release : 0,
		.recovery_release = p->settings.release,
		.reset = p->settings.reset_count > 0,
	});
	if (event)
		web_send(&p->web, LINK_DEVICE, event);
	free(event);
	p->told = p->web.child;
	p->told_known = known;
	p->told_state = s;
}

/* Not at every tick: the records lie on the medium. */
static void introduce_again(struct program *p)
{
	uint64_t now = lb_clock_ms(lb_clock_system());

	if (!p->introduced_ms || now - p->introduced_ms < INTRODUCE_MS)
		return;
	p->introduced_ms = now;
	introduce(p);
}

static bool stop_asked(void *ctx)
{
	struct program *p = ctx;
	struct signalfd_siginfo info;

	console_beat(&p->console);
	web_tick(&p->web);
	if (web_new_address(&p->web)) {
		lb_say(&p->report, LB_LEVEL_INFO, "page", "the page is at %s", p->web.url);
		console_show_code(&p->console, p->settings.web.code);
	}
	introduce_again(p);
	report_write(&p->stick_report, false);
	if (p->web.reboot)
		p->stop = true;
	if (p->web.reset && !p->recovery.visiting) {
		p->web.reset = false;
		lb_say(&p->report, LB_LEVEL_WARN, "reset",
		       "nothing is erased: that is possible while recovery waits for a person");
	}
	if (read(p->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		p->stop = true;
	return p->stop;
}

/* Too late is told once, and forgotten. */
static bool cancelled(void *ctx)
{
	struct program *p = ctx;

	if (p->web.cancel && p->recovery.committed) {
		p->web.cancel = false;
		lb_say(&p->report, LB_LEVEL_WARN, "cancelled",
		       "main is being written: the update can only be finished now");
	}
	return p->web.cancel;
}

static bool reset_asked(void *ctx)
{
	struct program *p = ctx;
	bool asked = p->web.reset;

	p->web.reset = false;
	return asked;
}

/* Who waits for a server stops waiting. */
static bool leave_server(void *ctx)
{
	return stop_asked(ctx) || cancelled(ctx);
}

static int watch_signals(struct program *p)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	p->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return p->signals < 0 ? -LB_E_IO : 0;
}

static int open_slot(void *ctx, const char *name, bool writable, struct lb_blk **ret,
		     struct lb_error *err)
{
	struct program *p = ctx;
	const struct lb_config_slot *slot = lb_config_slot(&p->settings.config, name);

	if (!slot)
		return lb_error_set(err, LB_E_NO_SLOT, "slot %s is not configured", name);
	return lb_config_open_region(&slot->region, writable, name, ret, err);
}

static const char *slot_name(void *ctx, uint32_t n)
{
	const struct lb_config *c = &((struct program *)ctx)->settings.config;

	return n < c->slot_count ? c->slots[n].name : NULL;
}

static int open_source(void *ctx, uint32_t n, struct lb_blk **ret, struct lb_error *err)
{
	const struct settings *s = &((struct program *)ctx)->settings;

	if (n >= s->source_count)
		return -LB_E_NOT_FOUND;
	return lb_config_open_region(&s->sources[n].region, false, s->sources[n].name, ret, err);
}

static int open_reset(void *ctx, uint32_t n, struct lb_blk **ret, struct lb_error *err)
{
	const struct settings *s = &((struct program *)ctx)->settings;

	if (n >= s->reset_count)
		return -LB_E_NOT_FOUND;
	return lb_config_open_region(&s->reset[n].region, true, s->reset[n].name, ret, err);
}

/* WORD of "@key=WORD" on the kernel's command line; "" without one. */
static void boot_argument(const char *path, const char *key, char *ret, size_t size)
{
	char line[2049] = "";
	const char *at;
	ptrdiff_t n = lb_fs_read(path, line, sizeof(line) - 1, NULL);

	line[n > 0 ? n : 0] = '\0';
	at = strstr(line, key);
	at = at ? at + strlen(key) : "";
	snprintf(ret, size, "%.*s", (int)strcspn(at, " \n"), at);
}

/* What U-Boot says, unless the caller does: why recovery runs, and from which copy. */
static void hear_the_bootloader(struct program *p, const struct arguments *a)
{
	char reason[32], copy[2];

	boot_argument(p->settings.cmdline, "lifeboat.reason=", reason, sizeof(reason));
	boot_argument(p->settings.cmdline, "lifeboat.copy=", copy, sizeof(copy));
	if (a->reason)
		snprintf(reason, sizeof(reason), "%s", a->reason);
	if (a->copy)
		snprintf(copy, sizeof(copy), "%s", a->copy);
	p->recovery.reason = lb_reason_parse(reason, strlen(reason));
	p->recovery.copy = copy[0] == 'a' || copy[0] == 'b' ? copy[0] : 0;
}

/* The bootloader's public key, so that its verdict on a FIT is known beforehand. */
static int load_fit_key(struct program *p, struct lb_error *err)
{
	char pem[8192];
	ptrdiff_t n;
	int r;

	mbedtls_pk_init(&p->fit_key);
	if (!p->settings.fit_key[0])
		return 0;
	n = lb_fs_read(p->settings.fit_key, pem, sizeof(pem), err);
	if (n < 0)
		return (int)n;
	r = lb_fit_key_parse(pem, (size_t)n, &p->fit_key, err);
	if (!r)
		p->recovery.fit_key = &p->fit_key;
	return r;
}

static int open_storage(struct program *p, struct lb_error *err)
{
	const struct lb_config *c = &p->settings.config;
	int r = lb_config_open_region(&c->state, true, "state", &p->state, err);

	for (int i = 0; !r && i < 2; i++)
		r = lb_config_open_region(&c->env[i], true, "environment", &p->env[i], err);
	if (!r)
		r = lb_handover_open_log(&p->log, p->state, &p->recovery.state_lost, err);
	if (!r)
		r = lb_boot_open(&p->boot, p->env[0], p->env[1], err);
	return r;
}

static int open_trust(struct program *p, struct lb_error *err)
{
	int r = lb_config_load_keys(&p->settings.config, &p->keys, err);

	if (!r)
		r = lb_config_device(&p->settings.config, &p->recovery.device, err);
	p->recovery.device.recovery_release = p->settings.release;
	return r ? r : load_fit_key(p, err);
}

static void fill_ports(struct program *p, const struct arguments *a)
{
	struct lb_recovery *r = &p->recovery;

	r->dev = (struct lb_device_state){ .log = &p->log, .boot = &p->boot };
	r->slots = (struct lb_slots){
		.ctx = p, .open = open_slot, .name = slot_name, .source = open_source,
	};
	p->media = (struct media){ .settings = &p->settings, .recovery = r };
	p->stick_report.media = &p->media;
	p->stick_report.recovery = r;
	p->source_context = (struct source_context){
		.settings = &p->settings, .tick = leave_server, .tick_ctx = p, .media = &p->media,
		.web = &p->web,
	};
	r->sources = sources_of(&p->source_context);
	r->clock = lb_clock_system();
	r->worker = p->worker;
	r->keys = &p->keys;
	r->report = &p->report;
	r->limits = p->settings.limits;
	memcpy(r->urls, p->settings.urls, sizeof(r->urls));
	r->url_count = p->settings.url_count;
	hear_the_bootloader(p, a);
	r->time_floor_s = LB_BUILD_TIME;
	r->stop = stop_asked;
	r->stop_ctx = p;
	r->cancelled = cancelled;
	r->cancelled_ctx = p;
	r->reset = (struct lb_reset_regions){ .ctx = p, .open = open_reset };
	r->reset_asked = reset_asked;
	r->reset_ctx = p;
}

/* --install: what the agent does in main, without its checks. */
static int stage(struct program *p, const char *url, struct lb_error *err)
{
	struct lb_request request = { .url_count = 1, .time_s = LB_BUILD_TIME };

	if (strlen(url) > LB_URL_MAX)
		return lb_error_set(err, LB_E_INVALID, "the URL is longer than %d characters",
				    LB_URL_MAX);
	snprintf(request.urls[0], sizeof(request.urls[0]), "%s", url);
	p->recovery.reason = LB_REASON_REQUESTED;
	return lb_handover_stage(&p->recovery.dev, &request, NULL, err);
}

/* The peak of memory, for those who watch it. */
static void report_memory(struct program *p)
{
	char status[2048];
	ptrdiff_t n = lb_fs_read("/proc/self/status", status, sizeof(status) - 1, NULL);
	const char *at;

	status[n > 0 ? n : 0] = '\0';
	at = strstr(status, "VmHWM:");
	if (at)
		lb_say(&p->report, LB_LEVEL_INFO, "memory", "peak of memory: %lu KiB",
		       strtoul(at + strlen("VmHWM:"), NULL, 10));
}

static int outcome(enum lb_recovery_end end)
{
	switch (end) {
	case LB_END_BOOT_MAIN:
		return EXIT_INSTALLED;
	case LB_END_RETURNED:
		return EXIT_RETURNED;
	case LB_END_REBOOT:
		return EXIT_REBOOT;
	default:
		return EXIT_STOPPED;
	}
}

/* A device without a page is no worse at updating. */
static void open_page(struct program *p)
{
	struct lb_error err = { 0 };
	int r;

	if (!p->settings.web.port)
		return;
	p->web.silence_ms = p->settings.stall_ms;
	r = web_make_code(&p->settings.web, &err);
	if (!r)
		r = web_start(&p->web, &p->settings.web, &err);
	if (r)
		lb_say_error(&p->report, LB_LEVEL_WARN, r, &err);
	else if (!p->settings.web.interface[0])
		console_show_code(&p->console, p->settings.web.code); /* there is no address to wait for */
}

static int run(struct program *p, const struct arguments *a, struct lb_error *err)
{
	enum lb_recovery_end end = LB_END_STOPPED;
	int r = settings_load(a->config, &p->settings, err);

	if (!r)
		r = lb_lock_take(p->settings.lock, err);
	if (r < 0)
		return r;
	if (p->settings.heartbeat[0])
		p->console.heartbeat = p->settings.heartbeat;
	p->led.folder = p->settings.led;
	r = led_show(&p->led, LED_WORKING, err);
	if (r)
		lb_say_error(&p->report, LB_LEVEL_WARN, r, err);
	open_page(p);
	r = open_storage(p, err);
	if (!r)
		r = open_trust(p, err);
	if (r)
		return r;
	console_attach_log(&p->console, &p->log);
	fill_ports(p, a);
	if (a->install)
		r = stage(p, a->install, err);
	introduce(p);
	p->introduced_ms = lb_clock_ms(lb_clock_system());
	if (!r)
		r = lb_recovery_run(&p->recovery, &end, err);
	introduce(p);
	if (r)
		return r;
	report_memory(p);
	return outcome(end);
}

/* The last words: what is shown and left behind when nothing is read any more. */
static void conclude(struct program *p, int status)
{
	bool ended = status != EXIT_STOPPED;

	report_write(&p->stick_report, ended);
	if (ended && report_has_medium(&p->stick_report))
		lb_say(&p->report, LB_LEVEL_INFO, "unplug", "the medium may be taken out");
	if (status == EXIT_INSTALLED || (status == EXIT_RETURNED && !p->stick_report.reason.code[0]))
		led_show(&p->led, LED_SUCCESS, NULL);
	else if (status == EXIT_FAILED || status == EXIT_RETURNED)
		led_show(&p->led, LED_FAILED, NULL);
}

static void close_all(struct program *p)
{
	lb_boot_close(&p->boot);
	lb_keyring_free(&p->keys);
	mbedtls_pk_free(&p->fit_key);
	for (int i = 0; i < 2; i++)
		lb_blk_close(p->env[i]);
	lb_blk_close(p->state);
	lb_worker_close(p->worker);
}

static int parse(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "install", required_argument, NULL, 'i' },
		{ "reason", required_argument, NULL, 'r' },
		{ "copy", required_argument, NULL, 'C' },
		{ "events", no_argument, NULL, 'e' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:i:r:C:eqVh", options, NULL)) != -1) {
		switch (c) {
		case 'c': a->config = optarg; break;
		case 'i': a->install = optarg; break;
		case 'r': a->reason = optarg; break;
		case 'C': a->copy = optarg; break;
		case 'e': a->events = true; break;
		case 'q': a->quiet = true; break;
		case 'V': puts("lifeboat-recovery " LB_VERSION); return EXIT_INSTALLED;
		case 'h': fputs(usage, stdout); return EXIT_INSTALLED;
		default: return EXIT_USAGE;
		}
	}
	if (a->config && optind == argc &&
	    (!a->reason || lb_reason_parse(a->reason, strlen(a->reason)) != LB_REASON_NONE))
		return -1;
	fputs(usage, stderr);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct arguments args = { 0 };
	struct lb_error err = { 0 };
	struct program *p;
	int r;

	if (argc == 2 && !strcmp(argv[1], WEB_SERVE_ARGUMENT))
		return web_serve();
	r = parse(argc, argv, &args);
	if (r >= 0)
		return r;
	p = calloc(1, sizeof(*p));
	if (!p || watch_signals(p) || lb_http_init()) {
		fputs("lifeboat-recovery: error: no memory to start [out-of-memory]\n", stderr);
		return EXIT_FAILED;
	}
	console_init(&p->console, stdout, lb_clock_system());
	p->console.events = args.events;
	p->console.quiet = args.quiet;
	web_init(&p->web, lb_clock_system());
	p->worker = lb_worker_open();
	voice_add(&p->voice, console_reporter(&p->console));
	voice_add(&p->voice, web_listener(&p->web));
	voice_add(&p->voice, report_listener(&p->stick_report));
	voice_add(&p->voice, led_listener(&p->led));
	p->report = voice_reporter(&p->voice);
	r = run(p, &args, &err);
	if (r < 0) {
		lb_say_error(&p->report, LB_LEVEL_ERROR, r, &err);
		r = EXIT_FAILED;
	}
	conclude(p, r);
	web_stop(&p->web, r == EXIT_INSTALLED ? LINK_END_INSTALLED
			  : r == EXIT_REBOOT ? LINK_END_REBOOT
					     : LINK_END_OTHER);
	close_all(p);
	lb_http_exit();
	free(p);
	return r;
}
