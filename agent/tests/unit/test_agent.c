/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the agent remembers of runs for status.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "base/json.h"
#include "kinds/kinds.h"

static json_object *event(const char *name, const char *state)
{
	json_object *o = json_object_new_object();
	_cleanup_(freep) char *id = xasprintf("domain/%s:create", name);

	json_put_text(o, "event", "step");
	json_put_text(o, "id", id);
	json_put_text(o, "kind", "domain");
	json_put_text(o, "name", name);
	json_put_text(o, "state", state);
	return o;
}

static json_object *steps(const char *one, const char *two)
{
	const char *const names[] = {one, two};
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_json_ json_object *e = names[i] ? event(names[i], "failed") : NULL;

		agent_steps_take(list, e);
	}
	return list;
}

static void only_what_failed_or_is_held_is_kept(void **state)
{
	static const char *const states[] = {"running", "done", "held", "failed"};
	_cleanup_json_ json_object *list = json_object_new_array();

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		_cleanup_json_ json_object *e = event("web", states[i]);

		agent_steps_take(list, e);
	}
	assert_int_equal(json_length(list), 2);
}

static const char *nth(json_object *list, size_t i)
{
	return json_text(json_object_array_get_idx(list, i), "name");
}

static void a_run_replaces_what_it_looked_at(void **state)
{
	_cleanup_plan_ struct plan *p = plan_new();
	_cleanup_json_ json_object *none = steps(NULL, NULL), *mail = steps("mail", NULL);
	json_object *list;

	/* A whole run that went well leaves nothing of an earlier one's. */
	list = agent_steps_after(steps("web", "mail"), none, p, NULL);
	assert_int_equal(json_length(list), 0);
	json_object_put(list);

	/* One that came to no plan leaves all. */
	list = agent_steps_after(steps("web", "mail"), none, NULL, NULL);
	assert_int_equal(json_length(list), 2);

	/* One of a single resource leaves the others'. */
	list = agent_steps_after(list, none, p, "domain/web");
	assert_int_equal(json_length(list), 1);
	assert_string_equal(nth(list, 0), "mail");
	json_object_put(list);

	/* And of what it did beside that too. */
	plan_add(p, ACTION_CREATE, &kind_domain, "mail", NULL);
	list = agent_steps_after(steps("mail", "lists"), mail, p, "domain/web");
	assert_int_equal(json_length(list), 2);
	assert_string_equal(nth(list, 0), "lists");
	assert_string_equal(nth(list, 1), "mail");
	json_object_put(list);

	list = agent_steps_after(NULL, mail, p, NULL);
	assert_int_equal(json_length(list), 1);
	json_object_put(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_failed_or_is_held_is_kept),
		cmocka_unit_test(a_run_replaces_what_it_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
