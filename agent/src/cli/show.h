/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What people see of a plan and of its application: made from the events of engine/converge.h alone,
 * so that it is the same whether the agent or this process does the work.
 */
#pragma once

#include <json-c/json.h>
#include <stdio.h>

#include "base/str.h"

struct show {
	bool json;     /* pass the events on as they are, a line each */
	bool plan_only;
	bool quiet_plan; /* the plan was shown already, or isn't asked for */
	const char *by_name; /* "domain/web": all that it is about, told in a line; or NULL */
	bool colour;
	bool terminal; /* progress lines replace each other */
	size_t pending; /* a progress line stands unfinished */
	const char *file; /* the manifest as the operator named it */
	bool told;        /* by_name: what was done of it */
	json_object *held; /* by_name: what "step" events said so; shown where something went wrong */
	bool asked;       /* a "confirm" event came: the caller answers it */
	int exit_code;    /* after "end" */
	bool ended;
	json_object *plan; /* the last plan event's */
};

void show_event(struct show *s, json_object *event);
void show_done(struct show *s);
/* The plan as a table of its own, for `manor plan` and before the question. */
void show_plan(struct show *s, json_object *plan, bool in_force);
/* How far a transfer is, how fast on the average and how long it will still take, as far as that is known
 * after so many seconds: " 25 % of 4 GiB, 52.5 MiB/s, 58s left". Total 0: not known. */
void show_transfer(struct str *s, uint64_t done, uint64_t total, double seconds);
