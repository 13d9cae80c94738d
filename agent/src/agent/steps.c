/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What failed or is held, for status: of the last run, whoever asked for it. A run of one resource only
 * replaces what it looked at.
 */
#include "agent/agent.h"
#include "base/json.h"
#include "base/log.h"

void agent_steps_take(json_object *steps, json_object *event)
{
	const char *state = json_text(event, "state");

	if (steps && streq(json_text(event, "event"), "step") && json_text(event, "id") &&
	    (streq(state, "failed") || streq(state, "held")))
		json_object_array_add(steps, json_object_get(event));
}

void agent_steps_log(json_object *event, const char *who)
{
	const char *id = json_text(event, "id"), *state = json_text(event, "state");
	const char *text = json_text(event, "text"), *why = json_text(event, "why");
	const char *message = json_text(json_member(event, "error", json_type_object), "message");
	_cleanup_(freep) char *by = who ? xasprintf(" (%s)", who) : xstrdup("");

	if (!streq(json_text(event, "event"), "step") || !id)
		return;
	if (streq(state, "failed") || streq(state, "held")) {
		log_warn("%s %s%s: %s", id, state, by, message ? message : text ? text : "");
	} else if (streq(state, "done")) {
		if (!text)
			text = "done";
		if (!why || streq(why, text))
			log_info("%s%s: %s", id, by, text);
		else
			log_info("%s%s: %s: %s", id, by, why, text);
	}
}

static bool looked_at(const struct plan *p, const char *only, json_object *step)
{
	const char *kind = json_text(step, "kind"), *name = json_text(step, "name");
	_cleanup_(freep) char *resource = xasprintf("%s/%s", kind ? kind : "", name ? name : "");

	if (streq(resource, only))
		return true;
	for (size_t i = 0; i < p->n; i++)
		if (streq(p->steps[i].kind->name, kind) && streq(p->steps[i].name, name))
			return true;
	return false;
}

json_object *agent_steps_after(json_object *before, json_object *steps, const struct plan *p,
			       const char *only)
{
	json_object *all = json_object_new_array();

	/* Without a plan nothing was looked at. */
	for (size_t i = 0; i < json_length(before); i++) {
		json_object *step = json_object_array_get_idx(before, i);

		if (!p || (only && !looked_at(p, only, step)))
			json_object_array_add(all, json_object_get(step));
	}
	for (size_t i = 0; i < json_length(steps); i++)
		json_object_array_add(all, json_object_get(json_object_array_get_idx(steps, i)));
	json_object_put(before);
	return all;
}
