/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The resident loop: what wakes it, when it may act, what it remembers for status.
 */
#include "agent/agent.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "base/json.h"
#include "base/log.h"
#include "engine/store.h"
#include "engine/worker.h"
#include "host/xen_events.h"

#define SETTLE_US      (300 * 1000ull)    /* events come in flocks */
#define BACKOFF_US     (5 * 1000000ull)   /* after a failure, doubling … */
#define BACKOFF_MAX_US (300 * 1000000ull) /* … to this */
#define CALM_US        (270 * 1000000ull) /* nothing happened for so long, */
#define CALM_JITTER_US (60 * 1000000ull)  /* … or up to so much more */
#define STOP_US        (20 * 1000000ull)  /* steps at hand may take so long to end */

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void set(char **field, const char *text)
{
	free(*field);
	*field = text ? xstrdup(text) : NULL;
}

static int on_wake(sd_event_source *s, uint64_t usec, void *data);

static void arm(struct agent *a, uint64_t at)
{
	if (!a->wake_timer) {
		if (sd_event_add_time(a->loop, &a->wake_timer, CLOCK_MONOTONIC, at, 10000, on_wake,
				      a) < 0)
			abort();
		return;
	}
	sd_event_source_set_time(a->wake_timer, at);
	sd_event_source_set_enabled(a->wake_timer, SD_EVENT_ONESHOT);
}

static bool busy(const struct agent *a)
{
	return a->running && !converge_is_aside(a->running->converge);
}

void agent_wake(struct agent *a, const char *why, bool file, bool now)
{
	log_debug("woken: %s", why ? why : "it is time");
	a->wanted = true;
	a->wanted_file |= file;
	if (why)
		set(&a->wanted_why, why);
	if (now) {
		a->failures = 0;
		a->not_before = 0;
	}
	if (!busy(a) && !a->stopping)
		arm(a, MAX_OF(now_us() + SETTLE_US, a->not_before));
}

void agent_wake_soon(struct agent *a, const char *why)
{
	a->not_before = MIN_OF(a->not_before, now_us() + BACKOFF_US);
	agent_wake(a, why, false, false);
}

static void on_event(void *data, json_object *event)
{
	struct own *run = data;
	const char *word = json_text(event, "event"), *text = json_text(event, "text");

	if (streq(word, "read"))
		watch_named(run->agent, json_list(event, "named"));
	if (streq(word, "diagnostics") && text) {
		log_error("%s", text);
		if (!run->complaint)
			run->complaint = xasprintf("%.*s", (int)strcspn(text, "\n"), text);
	}
	agent_steps_take(run->steps, event);
	agent_steps_log(event, NULL);
}

/* A restart's back-off ends by itself: that is an event too. */
static void wait_for_held(struct agent *a, const struct plan *p)
{
	int64_t first = 0;

	for (size_t i = 0; p && i < p->n; i++) {
		const struct step *s = &p->steps[i];

		if (s->hold == HOLD_WAIT && (!first || s->not_before < first))
			first = s->not_before;
	}
	a->due = 0;
	if (first) {
		int64_t wait = MAX_OF(first - (int64_t)time(NULL), (int64_t)0);

		a->due = now_us() + (uint64_t)wait * 1000000;
	}
	if (a->due && !busy(a) && !a->wanted && !a->stopping)
		arm(a, MAX_OF(a->due, a->not_before));
}

void agent_took_note(struct agent *a, enum converge_result result, const struct converge *c,
		     const char *why, const char *only, json_object *steps)
{
	const struct manifest *m = converge_manifest(c);

	a->last_time = time(NULL);
	a->last_result = result;
	set(&a->last_why, why);
	a->last_steps = agent_steps_after(a->last_steps, steps, converge_plan(c), only);
	/* A client has put the watched file in force itself. */
	if (converge_stored(c) && streq(m->source.name, STORE_WATCHED))
		set(&a->bad_text, NULL);
	if (m) {
		set(&a->last_file, m->source.name);
		set(&a->last_sha256, m->sha256);
	}
	if (result == CONVERGED || result == CONVERGE_NOTHING || result == CONVERGE_PENDING) {
		a->failures = 0;
		a->not_before = 0;
	}
	wait_for_held(a, converge_plan(c));
}

static void release(struct own *run)
{
	json_object_put(run->steps);
	free(run->complaint);
	free(run);
}

static int on_none_left(sd_event_source *s, void *data)
{
	sd_event_exit(((struct agent *)data)->loop, 0);
	return 0;
}

void agent_maybe_stop(struct agent *a)
{
	sd_event_source *last;

	if (!a->stopping || converge_any())
		return;
	/* After all else: clients are still told how their runs ended. */
	if (sd_event_add_defer(a->loop, &last, on_none_left, a) < 0)
		abort();
	sd_event_source_set_priority(last, SD_EVENT_PRIORITY_IDLE);
	sd_event_source_set_floating(last, true);
	sd_event_source_unref(last);
}

/* What waited while the run could not be left alone. */
static void on_aside(void *data)
{
	struct own *run = data;
	struct agent *a = run->agent;

	if (a->wanted && a->running == run && !a->stopping)
		arm(a, MAX_OF(now_us() + SETTLE_US, a->not_before));
}

/* Whether the watched file is one to go by: status says so until it is. */
static void judge(struct agent *a, struct own *run, enum converge_result result,
		  const struct converge *c)
{
	const struct plan *p = converge_plan(c);
	const char *text = NULL;

	if (result == CONVERGE_BAD || converge_fell_back(c))
		text = run->complaint ? run->complaint : "it can't be read";
	else if (result == CONVERGE_REFUSED)
		text = p && p->refusal ? p->refusal : "refused";
	else if (!converge_stored(c))
		return; /* it came to no judgement */
	if (text && !a->bad_text)
		a->bad_since = time(NULL);
	a->bad_result =
		result == CONVERGE_REFUSED && !converge_fell_back(c) ? result : CONVERGE_BAD;
	set(&a->bad_text, text);
}

static void on_ended(void *data, enum converge_result result, const struct converge *c)
{
	struct own *run = data;
	struct agent *a = run->agent;

	if (a->running == run)
		a->running = NULL;
	if (run->file)
		judge(a, run, result, c);
	agent_took_note(a, result, c, NULL, NULL, run->steps);
	agent_trial_look(a, c);
	if (run->told || result != CONVERGE_NOTHING)
		log_info("run ended: %s", converge_result_words[result]);
	sd_notifyf(0, "STATUS=%s", converge_result_words[result]);
	if (a->stopping) {
		release(run);
		agent_maybe_stop(a);
		return;
	}
	if (result == CONVERGE_FAILED || result == CONVERGE_REFUSED || result == CONVERGE_BAD) {
		uint64_t wait = BACKOFF_US << MIN_OF(a->failures, 10u);

		a->failures++;
		a->not_before = MAX_OF(a->not_before, now_us() + MIN_OF(wait, BACKOFF_MAX_US));
		/* What failed for want of something else (a server, memory) is tried again; a refusal or
		 * a bad file waits for a new file. */
		if (result == CONVERGE_FAILED) {
			a->wanted = true;
			set(&a->wanted_why, "what failed is tried again");
			a->wanted_file |=
				run->file && !converge_stored(c) && !converge_fell_back(c);
		}
		/* The file is refused: what was in force before goes on being kept. */
		if (result == CONVERGE_REFUSED && run->file && access(STORE_MANIFEST, F_OK) == 0) {
			a->wanted = true;
			a->not_before = 0;
			set(&a->wanted_why, "the new manifest is refused: the one in force");
		}
	}
	release(run);
	if (busy(a))
		return;
	if (a->wanted)
		arm(a, MAX_OF(now_us() + SETTLE_US, a->not_before));
	else if (a->due)
		arm(a, MAX_OF(a->due, a->not_before));
}

static int on_wake(sd_event_source *s, uint64_t usec, void *data)
{
	struct agent *a = data;
	struct converge_options o = {
		.kinds = a->kinds,
		.readers = a->readers,
		.file = a->wanted_file ? STORE_WATCHED : NULL,
		.plan = {.allowed = IMPACT_LIVE},
		.jobs = a->jobs,
		.fall_back = true,
		.event = on_event,
		.ended = on_ended,
		.aside = on_aside,
	};
	struct own *run;

	if (busy(a) || a->stopping)
		return 0;
	if (!a->wanted_file && access(STORE_MANIFEST, F_OK) < 0)
		return 0; /* nothing is in force yet: there is nothing to keep */
	if (a->wanted_why)
		log_info("observing: %s", a->wanted_why);
	o.data = run = xcalloc(1, sizeof(*run));
	*run = (struct own){
		.agent = a,
		.file = a->wanted_file,
		.told = a->wanted_why != NULL,
		.steps = json_object_new_array(),
	};
	a->wanted = a->wanted_file = false;
	set(&a->wanted_why, NULL);
	a->running = run;
	run->converge = converge_start(a->loop, &o);
	return 0;
}

static int on_hangup(sd_event_source *s, const struct signalfd_siginfo *si, void *data)
{
	struct agent *a = data;

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)now_us());
	agent_wake(a, "SIGHUP", access(STORE_WATCHED, F_OK) == 0, true);
	sd_notify(0, "READY=1");
	return 0;
}

static int on_give_up(sd_event_source *s, uint64_t usec, void *data)
{
	sd_event_exit(((struct agent *)data)->loop, 0);
	return 0;
}

static int on_stop(sd_event_source *s, const struct signalfd_siginfo *si, void *data)
{
	struct agent *a = data;

	sd_notify(0, "STOPPING=1");
	a->stopping = true;
	/* Steps at hand end by themselves, clients' too, and imports are cut off; if that takes too long
	 * they go on without us, and hold the lock meanwhile. */
	converge_stop_all();
	agent_maybe_stop(a);
	sd_event_add_time_relative(a->loop, NULL, CLOCK_MONOTONIC, STOP_US, 0, on_give_up, a);
	return 0;
}

json_object *agent_status(const struct agent *a)
{
	json_object *o = json_object_new_object();

	json_object *under_way = converge_under_way();

	json_object_object_add(o, "running", json_object_new_boolean(a->running != NULL));
	if (json_length(under_way))
		json_object_object_add(o, "under_way", under_way);
	else
		json_object_put(under_way);
	if (a->last_time) {
		json_object_object_add(o, "time", json_object_new_int64(a->last_time));
		json_put_text(o, "result", converge_result_words[a->last_result]);
	}
	json_put_text(o, "file", a->last_file);
	json_put_text(o, "sha256", a->last_sha256);
	if (a->bad_text) {
		json_object *bad = json_object_new_object();

		json_put_text(bad, "file", STORE_WATCHED);
		json_put_text(bad, "result", converge_result_words[a->bad_result]);
		json_object_object_add(bad, "since", json_object_new_int64(a->bad_since));
		json_put_text(bad, "text", a->bad_text);
		json_object_object_add(o, "not_in_force", bad);
	}
	if (a->last_steps)
		json_object_object_add(o, "steps", json_object_get(a->last_steps));
	return o;
}

static void calm(struct agent *a);

/* Nothing tells of all that changes (by hand, in a pool): so now and then one looks. */
static int on_calm(sd_event_source *s, uint64_t usec, void *data)
{
	struct agent *a = data;

	calm(a);
	if (!a->wanted && !a->running)
		agent_wake(a, NULL, watch_news(a), false);
	return 0;
}

/* Hosts that were started together look at different times. */
static void calm(struct agent *a)
{
	const char *often = secure_getenv("MANOR_LOOK_EVERY"); /* for tests, in µs */
	uint64_t wait = CALM_US + (uint64_t)random() % CALM_JITTER_US;

	if (often)
		wait = strtoull(often, NULL, 10);

	if (!a->calm_timer) {
		srandom((unsigned)now_us() ^ (unsigned)getpid());
		if (sd_event_add_time_relative(a->loop, &a->calm_timer, CLOCK_MONOTONIC, wait,
					       1000000, on_calm, a) < 0)
			abort();
		return;
	}
	sd_event_source_set_time_relative(a->calm_timer, wait);
	sd_event_source_set_enabled(a->calm_timer, SD_EVENT_ONESHOT);
}

static int start(struct agent *a)
{
	_cleanup_err_ struct err e = {0};
	int r;

	worker_block_signals();
	r = sd_event_default(&a->loop);
	if (r < 0)
		return err_errno(&e, r, "event loop");
	sd_event_set_watchdog(a->loop, true);
	sd_event_add_signal(a->loop, NULL, SIGTERM, on_stop, a);
	sd_event_add_signal(a->loop, NULL, SIGINT, on_stop, a);
	sd_event_add_signal(a->loop, NULL, SIGHUP, on_hangup, a);
	r = serve_start(a, &e);
	if (r < 0) {
		log_error("%s", e.message);
		return r;
	}
	agent_watch_host(a);
	agent_watch_usb(a);
	agent_trial_start(a);
	calm(a);
	/* A file that was not looked at yet is news; else what was applied last, perhaps from elsewhere,
	 * is what this host goes by. */
	if (watch_start(a))
		agent_wake(a, "start: the manifest is new", true, true);
	else
		agent_wake(a, "start", false, true);
	sd_notify(0, "READY=1\nSTATUS=observing");
	return 0;
}

int agent_main(const struct kind *const *kinds, const struct reader *const *readers)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	struct agent a = {
		.kinds = kinds, .readers = readers, .jobs = n > 0 ? (size_t)n : 1, .listener = -1,
	};
	int r;

	r = start(&a);
	if (r >= 0)
		r = sd_event_loop(a.loop);
	closep(&a.listener);
	sd_event_unref(a.loop);
	return r < 0 ? 1 : 0;
}
