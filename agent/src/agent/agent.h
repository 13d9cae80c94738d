/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The resident agent: the one executor. Events only wake it; what to do comes from observing and
 * planning anew each time. It holds no library that can block: libxl's events come from a worker.
 */
#pragma once

#include <json-c/json.h>
#include <systemd/sd-event.h>

#include "engine/converge.h"

/* One run of the agent's own. While an import goes on aside another may begin beside it. */
struct own {
	struct agent *agent;
	struct converge *converge;
	bool file;           /* of the watched file */
	bool told;           /* something happened: the log says that it looks */
	char *complaint;     /* the first line of what is wrong with that */
	json_object *steps;  /* what failed or is held */
};

struct agent {
	sd_event *loop;
	const struct kind *const *kinds;
	const struct reader *const *readers;
	size_t jobs;

	struct own *running;        /* the agent's own run that may act, or waits for its turn */
	bool wanted;                /* something woke it while it ran */
	bool wanted_file;           /* … and it is the file that has to be read */
	char *wanted_why;
	unsigned failures;          /* in a row: the back-off */
	uint64_t not_before;        /* monotonic µs: after a failure, tries wait until then */
	uint64_t due;               /* monotonic µs: some restart's back-off ends; 0: none does */
	sd_event_source *wake_timer, *calm_timer;
	bool stopping;

	int64_t last_time;          /* of the last run's end; 0: none yet */
	enum converge_result last_result;
	char *last_file, *last_sha256, *last_why;
	char *bad_text;             /* what is wrong with the watched file, which isn't in force; or NULL */
	enum converge_result bad_result; /* bad or refused */
	int64_t bad_since;
	json_object *last_steps;    /* steps that failed or are held, for status */

	int listener;

	struct watch *watch;        /* agent/watch.c: the manifest's file, and */
	json_object *named;         /* … paths of files that it names */
	char *seen;                 /* the digest of these as last looked at */

	struct trial_watch *trial;  /* agent/trial.c: this version is on trial; NULL: it isn't */
};

/* Runs until told to stop; returns an exit code. */
int agent_main(const struct kind *const *kinds, const struct reader *const *readers);

/* Something happened: observe and plan soon. `file`: the manifest's file is to be read anew; else the
 * one in force is gone by. `why` NULL: nothing but time went by. `now`: don't wait for the back-off. */
void agent_wake(struct agent *a, const char *why, bool file, bool now);
/* The same for what isn't to be kept waiting for long by what else fails here. */
void agent_wake_soon(struct agent *a, const char *why);
json_object *agent_status(const struct agent *a);

/* agent/watch_host.c */
void agent_watch_host(struct agent *a);

/* agent/watch_usb.c */
void agent_watch_usb(struct agent *a);

/* agent/trial.c: whether this version is on trial, and after a run of all that the manifest says, whether it is good. */
void agent_trial_start(struct agent *a);
void agent_trial_look(struct agent *a, const struct converge *c);

/* Some run has ended: an agent that is to stop may be done. */
void agent_maybe_stop(struct agent *a);

/* agent/watch.c. True: the file is news, it wasn't looked at yet. */
bool watch_start(struct agent *a);
/* What it names was read: to be watched as well. */
void watch_named(struct agent *a, json_object *named);
/* Whether it, or what it names, has changed since it was last looked at. */
bool watch_news(struct agent *a);

/* agent/serve.c: the socket. */
int serve_start(struct agent *a, struct err *e);
/* A run has ended, the agent's own or one that a client asked for (`only`: of one resource, or NULL).
 * `steps`: its events that agent_steps_take() took. */
void agent_took_note(struct agent *a, enum converge_result result, const struct converge *c,
		     const char *why, const char *only, json_object *steps);

/* agent/steps.c: into the log, what a step came to. `who`: asked for it, where a person did; or NULL. */
void agent_steps_log(json_object *event, const char *who);
/* Adds the event of a step that failed or is held; of any other none. */
void agent_steps_take(json_object *steps, json_object *event);
/* What status is to show after a run: its steps, and those from before that it did not look at. Takes
 * `before` over. `p` NULL: it came to no plan. */
json_object *agent_steps_after(json_object *before, json_object *steps, const struct plan *p,
			       const char *only);
