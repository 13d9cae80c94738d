/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A new version on trial: the agent looks after each of its runs whether all is back that there was before the upgrade. Then
 * the version is good; when the time is up first, the host is started again, and the boot menu takes the old one. Both
 * are done in a worker, for what keeps the menu's choice is a disk. Where no agent gets as far as this, manor-trial.timer
 * starts the host again.
 */
#include "agent/agent.h"

#include <time.h>

#include "base/log.h"
#include "engine/store.h"
#include "engine/worker.h"
#include "kinds/upgrade.h"

#define AT_LEAST_US (30 * 1000000ull) /* that an agent has which was started when the time was up */
#define AGAIN_US    (60 * 1000000ull)
#define LOOK_US     (10 * 1000000ull) /* while it is on trial, looked at so often */
#define WORKER_MS   120000

struct trial_watch {
	struct agent *agent;
	struct arena *arena;
	struct trial trial;
	char *misses; /* what was missing when it was last looked at */
	bool at_work; /* a worker makes it good, or gives it up */
	sd_event_source *deadline, *look;
};

static void set_misses(struct trial_watch *w, const char *text)
{
	if (!streq(text, w->misses))
		log_info("upgrade: not good yet: %s", text);
	free(w->misses);
	w->misses = xstrdup(text);
}

static void release(struct trial_watch *w)
{
	w->agent->trial = NULL;
	sd_event_source_disable_unref(w->deadline);
	sd_event_source_disable_unref(w->look);
	arena_free(w->arena);
	free(w->misses);
	free(w);
}

static void on_end(void *data, int result, const char *text, json_object *value, struct err *e)
{
	struct trial_watch *w = data;

	w->at_work = false;
	if (result < 0) {
		log_error("upgrade: %s", e->message ? e->message : "failed");
		sd_event_source_set_time_relative(w->deadline, AGAIN_US);
		sd_event_source_set_enabled(w->deadline, SD_EVENT_ONESHOT);
		return;
	}
	log_info("upgrade: %s", text ? text : "done");
	release(w);
}

static void ask(struct trial_watch *w, const char *verb, json_object *request)
{
	const char *args[] = {verb, NULL};
	struct worker_spec spec = {
		.name = verb,
		.args = args,
		.request = request,
		.timeout_ms = WORKER_MS,
		.gentle = true,
		.lock_fd = -1,
		.ended = on_end,
		.data = w,
	};
	_cleanup_err_ struct err e = {0};

	if (w->at_work)
		return;
	w->at_work = true;
	if (worker_start(w->agent->loop, &spec, NULL, &e) < 0)
		on_end(w, -1, NULL, NULL, &e);
}

static int on_deadline(sd_event_source *s, uint64_t usec, void *data)
{
	struct trial_watch *w = data;
	json_object *request = json_object_new_object();

	log_error("upgrade: %s isn't good after %lld s: %s", w->trial.version,
		  (long long)w->trial.within, w->misses);
	json_object_object_add(request, "why", json_object_new_string(w->misses));
	ask(w, "upgrade-fell", request);
	json_object_put(request);
	return 0;
}

/* What has come right since the last run makes no event of its own. */
static int on_look(sd_event_source *s, uint64_t usec, void *data)
{
	struct trial_watch *w = data;

	agent_wake(w->agent, NULL, false, false);
	sd_event_source_set_time_relative(s, LOOK_US);
	return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

void agent_trial_start(struct agent *a)
{
	struct trial_watch *w = xcalloc(1, sizeof(*w));
	struct slots slots;
	struct timespec up;
	uint64_t at, now;

	w->agent = a;
	w->arena = arena_new();
	trial_read(w->arena, &w->trial);
	if (slots_read(w->arena, &slots, NULL) < 0 ||
	    upgrade_boot(&slots, &w->trial) != UPGRADE_ON_TRIAL) {
		release(w);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &up); /* since power-on */
	now = (uint64_t)up.tv_sec * 1000000;
	at = MAX_OF((uint64_t)w->trial.within * 1000000, now + AT_LEAST_US);
	w->misses = xstrdup("it was not looked at yet");
	if (sd_event_add_time(a->loop, &w->deadline, CLOCK_MONOTONIC, at, 1000000, on_deadline, w) <
		    0 ||
	    sd_event_add_time_relative(a->loop, &w->look, CLOCK_MONOTONIC, LOOK_US, 1000000,
				       on_look, w) < 0)
		abort();
	log_info("upgrade: %s is on trial: it is good when all is back, within %lld s of power-on",
		 w->trial.version, (long long)w->trial.within);
	a->trial = w;
	/* Nothing was in force before, so there is nothing to come back. */
	if (access(STORE_MANIFEST, F_OK) < 0 && !w->trial.guests.n)
		ask(w, "upgrade-good", NULL);
}

void agent_trial_look(struct agent *a, const struct converge *c)
{
	_cleanup_arena_ struct arena *arena = arena_new();
	struct trial_watch *w = a->trial;
	const char *misses;

	if (!w || w->at_work)
		return;
	misses = upgrade_misses(arena, converge_manifest(c), converge_facts(c), converge_plan(c),
				&w->trial);
	if (misses)
		set_misses(w, misses);
	else
		ask(w, "upgrade-good", NULL);
}
