/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What wakes the agent of itself on the host: domains that come and go, pools that fill up. Libraries that have
 * threads, or may block, watch from processes of their own; whichever ends is started again.
 */
#include "agent/agent.h"
#include "base/log.h"
#include "engine/worker.h"
#include "host/xen_events.h"

#define AGAIN_US 5000000

struct watcher {
	const char *verb, *what;
	bool urgent; /* whatever it tells; else only that a guest ended is */
	struct agent *agent;
	sd_event_source *restart;
};

static struct watcher watchers[] = {
	{.verb = "watch-xen", .what = "Xen"},
	{.verb = "watch-pools", .what = "thin pools", .urgent = true},
};

static void start(struct watcher *w);

static int on_restart(sd_event_source *s, uint64_t usec, void *data)
{
	struct watcher *w = data;

	w->restart = sd_event_source_disable_unref(w->restart);
	start(w);
	return 0;
}

static void later(struct watcher *w)
{
	if (sd_event_add_time_relative(w->agent->loop, &w->restart, CLOCK_MONOTONIC, AGAIN_US, 0,
				       on_restart, w) < 0)
		abort();
}

/* A guest that ended isn't kept waiting for long by what else fails here. What comes and goes otherwise
 * may be that very thing: a domain that can't be made comes and goes at every try. */
static void on_event(void *data, const char *what, uint64_t done, uint64_t total)
{
	struct watcher *w = data;

	if (w->urgent || streq(what, XEN_EVENT_SHUTDOWN))
		agent_wake_soon(w->agent, what);
	else
		agent_wake(w->agent, what, false, false);
}

static void on_end(void *data, int result, const char *text, json_object *value, struct err *e)
{
	struct watcher *w = data;

	if (w->agent->stopping)
		return;
	log_warn("the watch over %s ended: %s; again in 5 s", w->what,
		 e->message ? e->message : "?");
	later(w);
}

static void start(struct watcher *w)
{
	const char *args[] = {w->verb, NULL};
	_cleanup_err_ struct err e = {0};
	struct worker_spec spec = {
		.name = w->verb, .args = args, .lock_fd = -1,
		.progress = on_event, .ended = on_end, .data = w,
	};

	if (worker_start(w->agent->loop, &spec, NULL, &e) < 0) {
		log_error("the watch over %s: %s; again in 5 s", w->what, e.message);
		later(w);
	}
}

void agent_watch_host(struct agent *a)
{
	for (size_t i = 0; i < ARRAY_SIZE(watchers); i++) {
		watchers[i].agent = a;
		start(&watchers[i]);
	}
}
