/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Load, observe, plan, ask, apply: one after the other, in an event loop, with steps in workers.
 */
#include "engine/converge.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/aside.h"
#include "engine/observe.h"
#include "engine/only.h"
#include "engine/perform.h"
#include "engine/rest.h"
#include "engine/run.h"
#include "engine/store.h"
#include "engine/worker.h"
#include "model/manifest_json.h"
#include "model/step_json.h"

#define LOCK_RETRY_US (100 * 1000)
#define LOCK_TELL_S   2 /* what is over sooner (the agent looking at its host) is no news */
#define OVERTAKEN     "another manifest came into force meanwhile; the rest is left to that"

const char *const converge_result_words[] = {
	"converged", "nothing", "changes", "pending", "failed", "refused", "bad", "stopped",
	"declined", NULL,
};

struct slot {
	struct converge *c;
	size_t step;
	double started;
	struct worker *worker; /* NULL: not under way */
	char *what;            /* its progress, as last told */
	uint64_t done, total;
};

struct converge {
	sd_event *loop;
	struct converge_options o;
	json_object *given; /* the manifest that whoever asked has read; NULL: none */
	char *file, *only;
	struct manifest *manifest;
	bool fell_back, stored;
	bool part; /* of a manifest that isn't in force: it doesn't come into force either */
	struct facts *facts;
	struct plan *plan;
	struct run run;
	struct slot *slots; /* one a step */
	bool running, stopped, waiting_told, asking;
	double waiting_since; /* 0: it isn't */
	char *force; /* digest of what was in force when the steps began */
	char *cut;   /* why the rest of the steps was given up, or NULL */
	int lock;    /* -1: not had, or given back while all that goes on is aside */
	double started;
	sd_event_source *defer, *timer;
	struct converge *other; /* the next of this process's */
};

/* All of this process. */
static struct converge *runs;

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static json_object *event_new(const char *word)
{
	json_object *o = json_object_new_object();

	json_put_text(o, "event", word);
	return o;
}

static void emit(struct converge *c, json_object *event)
{
	if (c->o.event)
		c->o.event(c->o.data, event);
	json_object_put(event);
}

const struct plan *converge_plan(const struct converge *c)
{
	return c->plan;
}

const struct facts *converge_facts(const struct converge *c)
{
	return c->facts;
}

const struct manifest *converge_manifest(const struct converge *c)
{
	return c->manifest;
}

bool converge_fell_back(const struct converge *c)
{
	return c->fell_back;
}

bool converge_stored(const struct converge *c)
{
	return c->stored;
}

static void end(struct converge *c, enum converge_result result, const char *text)
{
	json_object *e = event_new("end");
	size_t n = c->plan ? c->plan->n : 0;

	json_put_text(e, "result", converge_result_words[result]);
	json_put_text(e, "text", text);
	if (c->plan) {
		json_put_text(e, "host", c->plan->host);
		json_object_object_add(e, "resources",
				       json_object_new_uint64(c->plan->n_resources));
	}
	if (c->running) {
		for (int s = RUN_DONE; s <= RUN_HELD; s++)
			json_object_object_add(
				e, run_state_words[s],
				json_object_new_uint64(run_count(&c->run, (enum run_state)s)));
	}
	json_object_object_add(e, "seconds", json_object_new_double(now_s() - c->started));
	for (struct converge **p = &runs; *p; p = &(*p)->other) {
		if (*p != c)
			continue;
		*p = c->other;
		break;
	}
	emit(c, e);
	if (c->o.ended)
		c->o.ended(c->o.data, result, c);
	sd_event_source_disable_unref(c->defer);
	sd_event_source_disable_unref(c->timer);
	workers_let_go(c);
	closep(&c->lock);
	run_done(&c->run);
	plan_free(c->plan);
	facts_free(c->facts);
	manifest_free(c->manifest);
	for (size_t i = 0; c->slots && i < n; i++)
		free(c->slots[i].what);
	free(c->slots);
	free(c->force);
	free(c->cut);
	json_object_put(c->given);
	free(c->file);
	free(c->only);
	free(c);
}

/* Diagnostics as a person reads them. */
static void put_printed(json_object *o, const char *key, struct diags *d)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (f) {
		diags_print(d, f, false);
		fclose(f);
	}
	json_put_text(o, key, text);
	free(text);
}

static json_object *error_json(struct converge *c, const struct step *s, const struct err *err)
{
	_cleanup_diags_ struct diags *d = diags_new();
	json_object *o = json_object_new_object();
	struct diag *g = step_diag(d, s, err->path, err->message ? err->message : "failed");
	const struct span *span = &g->span;

	if (err->help)
		diag_help(d, g, "%s", err->help);
	json_put_text(o, "message", err->message);
	json_put_text(o, "help", err->help);
	json_put_text(o, "path", err->path);
	if (span->source) {
		json_put_text(o, "file", span->source->name);
		json_object_object_add(o, "line", json_object_new_int64(span->line));
		json_object_object_add(o, "column", json_object_new_int64(span->column));
	}
	put_printed(o, "rendered", d);
	return o;
}

static json_object *step_event(const struct step *s, const char *state, const char *text)
{
	json_object *e = event_new("step");

	json_put_text(e, "id", s->id);
	json_put_text(e, "kind", s->kind->name);
	json_put_text(e, "name", s->name);
	json_put_text(e, "action", action_words[s->action]);
	json_put_text(e, "state", state);
	json_put_text(e, "text", text);
	json_put_text(e, "why", s->why);
	return e;
}

static void journal(struct converge *c, json_object *event)
{
	json_object *copy = NULL, *error;

	if (json_object_deep_copy(event, &copy, NULL) < 0)
		return;
	json_object_object_add(copy, "time", json_object_new_int64(time(NULL)));
	if (json_object_object_get_ex(copy, "error", &error))
		json_object_object_del(error, "rendered");
	store_journal(copy);
	json_object_put(copy);
}

static void on_progress(void *data, const char *what, uint64_t done, uint64_t total)
{
	struct slot *slot = data;
	json_object *e = step_event(&slot->c->plan->steps[slot->step], "running", what);

	free(slot->what);
	slot->what = xstrdup(what);
	slot->done = done;
	slot->total = total;

	if (total)
		json_object_object_add(e, "total", json_object_new_uint64(total));
	if (done)
		json_object_object_add(e, "done", json_object_new_uint64(done));
	json_object_object_add(e, "seconds", json_object_new_double(now_s() - slot->started));
	emit(slot->c, e);
}

static void next(struct converge *c);

static void on_step_end(void *data, int result, const char *text, json_object *value,
			struct err *err)
{
	struct slot *slot = data;
	struct converge *c = slot->c;
	const struct step *s = &c->plan->steps[slot->step];
	json_object *e = step_event(s, result < 0 ? "failed" : "done", text ? text : s->why);

	slot->worker = NULL;
	if (result < 0 && c->stopped && s->aside) {
		json_object_put(e);
		run_drop(&c->run, slot->step);
		next(c);
		return;
	}
	json_object_object_add(e, "seconds", json_object_new_double(now_s() - slot->started));
	if (result < 0)
		json_object_object_add(e, "error", error_json(c, s, err));
	run_finish(&c->run, slot->step, result);
	journal(c, e);
	emit(c, e);
	next(c);
}

static void start_step(struct converge *c, size_t i)
{
	static const char *const args[] = {"step", NULL};
	const struct step *s = &c->plan->steps[i];
	_cleanup_(freep) char *name = xasprintf("step %s", s->id);
	_cleanup_(closep) int own = -1;
	_cleanup_err_ struct err e = {0};
	struct worker_spec spec = {
		.name = name,
		.args = args,
		.request = perform_request(c->plan, i, c->manifest),
		.timeout_ms = s->timeout_s * 1000,
		.gentle = s->kind->gentle,
		.keep = s->aside ? NULL : s->kind->name,
		.owner = c,
		.lock_fd = c->lock,
		.progress = on_progress,
		.ended = on_step_end,
		.data = &c->slots[i],
	};
	int r = 0;

	c->slots[i] = (struct slot){.c = c, .step = i, .started = now_s()};
	emit(c, step_event(s, "running", NULL));
	if (s->aside)
		spec.lock_fd = own = r = store_lock_aside(s->kind->name, s->name, &e);
	if (r >= 0)
		r = worker_start(c->loop, &spec, &c->slots[i].worker, &e);
	json_object_put(spec.request);
	if (r < 0)
		on_step_end(&c->slots[i], r, NULL, NULL, &e);
}

static enum converge_result outcome(struct converge *c)
{
	bool pending = false;

	if (run_count(&c->run, RUN_FAILED))
		return CONVERGE_FAILED;
	for (size_t i = 0; i < c->plan->n; i++) {
		enum hold hold = c->plan->steps[i].hold;

		if (hold == HOLD_CONFLICT || hold == HOLD_UNKNOWN)
			return CONVERGE_FAILED;
		pending |= hold != HOLD_NO;
	}
	if (c->stopped)
		return CONVERGE_STOPPED;
	if (pending)
		return CONVERGE_PENDING;
	return c->plan->n ? CONVERGED : CONVERGE_NOTHING;
}

static void tell_held(struct converge *c)
{
	for (size_t i = 0; i < c->plan->n; i++) {
		const struct step *s = &c->plan->steps[i];
		json_object *e;

		if (s->hold == HOLD_NO)
			continue;
		e = step_event(s, "held", s->hold_why);
		json_put_text(e, "hold", hold_words[s->hold]);
		if (s->hold == HOLD_CONFLICT) {
			struct err err = {.message = (char *)s->hold_why};

			json_object_object_add(e, "error", error_json(c, s, &err));
		} else if (s->hold == HOLD_UNKNOWN) {
			/* No line of the manifest is at fault. */
			json_object *error = json_object_new_object();

			json_put_text(error, "message", s->hold_why);
			json_object_object_add(e, "error", error);
		}
		emit(c, e);
	}
}

static void stop_aside(struct converge *c)
{
	for (size_t i = 0; i < c->plan->n; i++)
		if (c->slots[i].worker && c->plan->steps[i].aside)
			worker_stop(c->slots[i].worker);
}

/* What goes on comes to its end, or is stopped where it may be; nothing new starts. */
static void cease(struct converge *c)
{
	run_stop(&c->run);
	stop_aside(c);
	if (run_over(&c->run))
		sd_event_source_set_enabled(c->defer, SD_EVENT_ONESHOT);
}

/* The rest isn't done, for a reason of its own. */
static void cut_off(struct converge *c, const char *why)
{
	if (c->stopped)
		return;
	c->stopped = true;
	c->cut = xstrdup(why);
	cease(c);
}

static int on_resume(sd_event_source *s, uint64_t usec, void *data);

static void next(struct converge *c)
{
	size_t i;

	if (c->lock < 0 && run_count(&c->run, RUN_WAITING)) {
		on_resume(NULL, 0, c);
		return;
	}
	while ((i = run_pick(&c->run)) != SIZE_MAX)
		start_step(c, i);
	if (!run_over(&c->run)) {
		/* While all that goes on is aside, others may act. */
		if (c->run.running == c->run.aside && c->lock >= 0) {
			workers_let_go(c);
			closep(&c->lock);
			c->lock = -1;
			if (c->o.aside)
				c->o.aside(c->o.data);
		}
		return;
	}
	/* The last failure to start a step may come here while an outer next() still loops: it ends
	 * once, from the loop. */
	sd_event_source_set_enabled(c->defer, SD_EVENT_ONESHOT);
}

static int on_over(sd_event_source *s, void *data)
{
	struct converge *c = data;

	for (size_t i = 0; i < c->plan->n; i++)
		if (c->run.states[i] == RUN_SKIPPED)
			emit(c, step_event(&c->plan->steps[i], "skipped",
					   c->cut       ? c->cut
					   : c->stopped ? "stopped"
							: "what it needs failed"));
	tell_held(c);
	end(c, c->cut ? CONVERGE_FAILED : outcome(c), c->cut);
	return 0;
}

/* A fetch for what is no longer wanted would hold back the one that is. */
static void cut_off_others(struct converge *c)
{
	for (struct converge *p = runs; p; p = p->other)
		if (p != c && p->running && p->lock < 0 && !p->part &&
		    !streq(p->manifest->digest, c->manifest->digest))
			cut_off(p, OVERTAKEN);
}

static void apply(struct converge *c)
{
	_cleanup_err_ struct err e = {0};

	if (!c->part && !c->fell_back && (c->given || c->file)) {
		if (store_save_manifest(c->manifest, &e) < 0) {
			/* What is made here would be removed again by whoever goes by the old one. */
			err_wrap(&e, "the manifest can't be put in force, so nothing was changed");
			end(c, CONVERGE_FAILED, e.message);
			return;
		}
		c->stored = true;
	}
	if (!c->part)
		cut_off_others(c);
	c->force = store_digest();
	c->defer = sd_event_source_disable_unref(c->defer);
	if (sd_event_add_defer(c->loop, &c->defer, on_over, c) < 0)
		abort();
	sd_event_source_set_enabled(c->defer, SD_EVENT_OFF);
	run_init(&c->run, c->plan, c->o.jobs);
	c->running = true;
	c->slots = xcalloc(c->plan->n + 1, sizeof(*c->slots));
	next(c);
}

/* The executor's lock: 1 when it is had; 0 when it isn't yet, and `again` is called later. */
static int try_lock(struct converge *c, sd_event_time_handler_t again, struct err *ret)
{
	_cleanup_err_ struct err e = {0};

	c->lock = store_lock(&e);
	if (c->lock >= 0) {
		c->waiting_since = 0;
		c->waiting_told = false;
		return 1;
	}
	if (c->lock != -EAGAIN) {
		err_move(ret, &e);
		return c->lock;
	}
	if (c->waiting_since == 0)
		c->waiting_since = now_s();
	if (!c->waiting_told && now_s() - c->waiting_since > LOCK_TELL_S) {
		json_object *w = event_new("waiting");

		json_put_text(w, "text", e.message);
		emit(c, w);
		c->waiting_told = true;
	}
	c->timer = sd_event_source_disable_unref(c->timer);
	if (sd_event_add_time_relative(c->loop, &c->timer, CLOCK_MONOTONIC, LOCK_RETRY_US, 0, again,
				       c) < 0)
		abort();
	return 0;
}

/* The same; false too where the run has ended for want of it. */
static bool take_lock(struct converge *c, sd_event_time_handler_t again)
{
	_cleanup_err_ struct err e = {0};
	int r = try_lock(c, again, &e);

	if (r < 0)
		end(c, CONVERGE_FAILED, e.message);
	return r > 0;
}

/* What was done aside has ended, and more is to be done. */
static int on_resume(sd_event_source *s, uint64_t usec, void *data)
{
	_cleanup_(freep) char *force = NULL;
	_cleanup_err_ struct err e = {0};
	struct converge *c = data;
	int r;

	if (c->stopped)
		return 0;
	r = try_lock(c, on_resume, &e);
	if (r == 0)
		return 0;
	force = store_digest();
	if (r < 0)
		cut_off(c, e.message);
	else if (!streq(force, c->force))
		cut_off(c, OVERTAKEN);
	else
		next(c);
	return 0;
}

static void on_facts(void *data, struct facts *facts)
{
	struct converge *c = data;
	struct plan_options po = c->o.plan;
	json_object *e;

	c->facts = facts;
	po.only = c->only;
	c->plan = c->o.rest ? plan_rest(c->manifest, facts, c->o.rest, c->o.plainly)
			    : plan_make(c->manifest, facts, &po);
	if (c->only && (c->given || c->file) && !c->fell_back)
		c->part = only_is_part(c->plan, c->manifest, facts, &po);
	aside_hold(c->plan, facts->time);
	e = event_new("plan");
	json_object_object_add(e, "plan", plan_to_json(c->plan));
	if (c->fell_back)
		json_object_object_add(e, "in_force", json_object_new_boolean(true));
	emit(c, e);
	if (c->plan->refusal) {
		end(c, CONVERGE_REFUSED, c->plan->refusal);
	} else if (c->o.plan_only) {
		bool unknown = false, conflict = false;

		for (size_t i = 0; i < c->plan->n; i++) {
			unknown |= c->plan->steps[i].hold == HOLD_UNKNOWN;
			conflict |= c->plan->steps[i].hold == HOLD_CONFLICT;
		}
		tell_held(c);
		end(c,
		    unknown || conflict ? CONVERGE_FAILED
		    : c->plan->n        ? CONVERGE_CHANGES
					: CONVERGE_NOTHING,
		    NULL);
	} else if (c->stopped) {
		end(c, CONVERGE_STOPPED, NULL);
	} else if (c->o.confirm && plan_todo(c->plan) > 0) {
		/* A person may think for long: meanwhile whoever else has to act can. Each step looks
		 * whether what the plan saw still holds. */
		closep(&c->lock);
		c->lock = -1;
		c->asking = true;
		emit(c, event_new("confirm"));
	} else {
		apply(c);
	}
}

static int on_confirmed(sd_event_source *s, uint64_t usec, void *data)
{
	struct converge *c = data;

	if (c->stopped) {
		end(c, CONVERGE_STOPPED, NULL);
		return 0;
	}
	if (take_lock(c, on_confirmed))
		apply(c);
	return 0;
}

void converge_confirm(struct converge *c, bool yes)
{
	if (!c->asking)
		return;
	c->asking = false;
	if (yes)
		on_confirmed(NULL, 0, c);
	else
		end(c, CONVERGE_DECLINED, NULL);
}

static int on_not_confirmed(sd_event_source *s, void *data)
{
	end(data, CONVERGE_STOPPED, NULL);
	return 0;
}

void converge_stop(struct converge *c)
{
	c->stopped = true;
	if (c->running)
		cease(c);
	if (c->asking) {
		c->asking = false;
		c->defer = sd_event_source_disable_unref(c->defer);
		if (sd_event_add_defer(c->loop, &c->defer, on_not_confirmed, c) < 0)
			abort();
	}
}

void converge_stop_all(void)
{
	for (struct converge *c = runs; c; c = c->other)
		converge_stop(c);
}

bool converge_any(void)
{
	return runs != NULL;
}

bool converge_is_aside(const struct converge *c)
{
	return c->running && c->lock < 0;
}

json_object *converge_under_way(void)
{
	json_object *list = json_object_new_array();

	for (const struct converge *c = runs; c; c = c->other) {
		for (size_t i = 0; c->running && i < c->plan->n; i++) {
			const struct slot *slot = &c->slots[i];
			json_object *o;

			if (!slot->worker)
				continue;
			o = step_event(&c->plan->steps[i], "running", slot->what);
			json_object_object_del(o, "event");
			if (slot->total)
				json_object_object_add(o, "total",
						       json_object_new_uint64(slot->total));
			if (slot->done)
				json_object_object_add(o, "done",
						       json_object_new_uint64(slot->done));
			json_object_object_add(o, "seconds",
					       json_object_new_double(now_s() - slot->started));
			json_object_array_add(list, o);
		}
	}
	return list;
}

json_object *converge_diagnostics(struct diags *d)
{
	json_object *e = event_new("diagnostics");

	json_object_object_add(e, "list", diags_json(d));
	put_printed(e, "text", d);
	return e;
}

/* For whoever watches the file. */
static json_object *read_event(const struct diags *d)
{
	json_object *e = event_new("read");

	json_put_texts(e, "named", &d->looked_at);
	return e;
}

/* What this run is about, as far as it is sound. */
static void load_wanted(struct converge *c, const struct who *who, struct diags *d)
{
	_cleanup_err_ struct err err = {0};
	struct who named = *who;

	if (c->given) {
		/* Another host's part may be looked at; what is done is for this machine. */
		if (c->o.plan_only)
			named.host = json_text(c->given, "host");
		if (manifest_from_json(c->given, &named, c->o.kinds, d, &c->manifest, &err) < 0)
			diag_error(d, "no-manifest", (struct span){0}, "%s", err.message);
	} else if (c->file) {
		c->manifest = manifest_load_plain(c->file, who, c->o.kinds, d);
	} else if (store_load_manifest(who, c->o.kinds, d, &c->manifest, &err) < 0) {
		diag_error(d, "no-manifest", (struct span){0}, "no manifest in force: %s",
			   err.message);
	}
}

static int load(struct converge *c)
{
	_cleanup_facts_ struct facts *here = observe_machine(c->o.readers);
	struct who who = facts_who(here);
	struct diags *d = diags_new();

	load_wanted(c, &who, d);
	if (c->file)
		emit(c, read_event(d));
	if (!c->manifest || d->n)
		emit(c, converge_diagnostics(d));
	if (!c->manifest) {
		diags_free(d);
		if (!c->o.fall_back || !c->file)
			return -EINVAL;
		d = diags_new();
		if (store_load_manifest(&who, c->o.kinds, d, &c->manifest, NULL) < 0) {
			diags_free(d);
			return -EINVAL;
		}
		c->fell_back = true;
	}
	return 0;
}

static int on_start(sd_event_source *s, void *data);

static int on_lock_timer(sd_event_source *s, uint64_t usec, void *data)
{
	return on_start(s, data);
}

static int on_start(sd_event_source *s, void *data)
{
	struct converge *c = data;
	struct list paths = {0};

	if (c->stopped) {
		end(c, CONVERGE_STOPPED, NULL);
		return 0;
	}
	if (!c->o.plan_only && !take_lock(c, on_lock_timer))
		return 0;
	if (load(c) < 0) {
		end(c, CONVERGE_BAD, NULL);
		return 0;
	}
	observe_paths(c->manifest->arena, c->manifest, &paths);
	observe(c->loop, c->o.readers, &paths, on_facts, c);
	return 0;
}

struct converge *converge_start(sd_event *loop, const struct converge_options *o)
{
	struct converge *c = xcalloc(1, sizeof(*c));

	c->loop = loop;
	c->o = *o;
	c->given = json_object_get(o->manifest);
	c->file = o->file ? xstrdup(o->file) : NULL;
	c->only = o->plan.only ? xstrdup(o->plan.only) : NULL;
	c->lock = -1;
	c->started = now_s();
	c->other = runs;
	runs = c;
	if (sd_event_add_defer(loop, &c->defer, on_start, c) < 0)
		abort();
	return c;
}
