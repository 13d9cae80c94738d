/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The whole way for one manifest: load, observe, plan, (ask,) apply. The agent and the command line
 * run the same; whoever runs it hears of it through events, one JSON object each:
 *
 *   {"event": "diagnostics", "list": [...], "text": "…"}   the manifest is bad; "end" follows
 *   {"event": "read", "named": [path…]}                    what `file` names, there or not
 *   {"event": "waiting", "text": "…"}                      for the lock
 *   {"event": "plan", "plan": {…}}                          see plan_to_json
 *   {"event": "confirm"}                                    converge_confirm() is waited for
 *   {"event": "step", "id", "kind", "name", "state", "text"?, "done"?, "total"?, "seconds"?,
 *    "error"?: {message, help?, file?, line?, column?, rendered}}
 *   {"event": "end", "result", "done", "failed", "skipped", "held", "seconds", "text"?}
 *
 * "result" is one of converge_result_words.
 */
#pragma once

#include <json-c/json.h>
#include <systemd/sd-event.h>

#include "engine/planner.h"

enum converge_result {
	CONVERGED,        /* all is as wanted now */
	CONVERGE_NOTHING, /* all was as wanted */
	CONVERGE_CHANGES, /* plan only: there are changes */
	CONVERGE_PENDING, /* some of it waits: not allowed, or not yet time */
	CONVERGE_FAILED,  /* a step failed, is in conflict, or the host could not be read */
	CONVERGE_REFUSED, /* the plan as a whole */
	CONVERGE_BAD,     /* the manifest */
	CONVERGE_STOPPED, /* on request */
	CONVERGE_DECLINED,
};
extern const char *const converge_result_words[];

struct converge;

struct converge_options {
	const struct kind *const *kinds;
	const struct reader *const *readers;
	json_object *manifest;    /* see model/manifest_json.h; borrowed */
	const char *file;         /* else it is read from this plain file; NULL: the one in force */
	struct plan_options plan;
	size_t jobs;
	const struct kind *rest;  /* not that: all of this kind ends (engine/rest.h), as before a power-off */
	bool plainly;             /* … and nothing else is tried first: once more, for those that are left */
	bool plan_only;
	bool confirm;             /* ask before the first step */
	bool fall_back;           /* a bad file: go on with the manifest in force */
	void (*event)(void *data, json_object *event); /* borrowed */
	/* Last, once, from the loop. The converge is freed after it; plan, facts and manifest (any may be
	 * NULL) are valid during the call. */
	void (*ended)(void *data, enum converge_result result, const struct converge *c);
	/* All that goes on now is aside: others may act (converge_is_aside). May be NULL. */
	void (*aside)(void *data);
	void *data;
};

struct converge *converge_start(sd_event *loop, const struct converge_options *o);
void converge_confirm(struct converge *c, bool yes);
/* Lets running steps end, cuts off those aside, starts no more. */
void converge_stop(struct converge *c);
/* While nothing but what is aside goes on, the lock is free: another run may plan and act. */
bool converge_is_aside(const struct converge *c);

/* Of all runs in this process. */
void converge_stop_all(void);
bool converge_any(void);
/* The steps under way, as in "step" events; the caller's. */
json_object *converge_under_way(void);

const struct plan *converge_plan(const struct converge *c);
const struct facts *converge_facts(const struct converge *c);
const struct manifest *converge_manifest(const struct converge *c);
/* It went on with the manifest in force, for the file was bad. */
bool converge_fell_back(const struct converge *c);
/* What it was given is in force now. */
bool converge_stored(const struct converge *c);

/* The "diagnostics" event of a manifest that was loaded; the caller's. */
json_object *converge_diagnostics(struct diags *d);
