/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Walking a plan: what starts when, what a failure stops, what Ctrl-C leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/graph.h"
#include "engine/run.h"
#include "model/kind.h"

static const struct table no_fields = {.name = "thing"};
static const struct kind thing = {.name = "thing", .table = &no_fields};

static struct plan *plan_of(size_t n)
{
	struct plan *p = plan_new();

	for (size_t i = 0; i < n; i++)
		plan_add(p, ACTION_CREATE, &thing, "x", NULL);
	return p;
}

static void independent_steps_start_together_up_to_the_jobs(void **state)
{
	_cleanup_plan_ struct plan *p = plan_of(3);
	struct run r;

	run_init(&r, p, 2);
	assert_int_equal(run_pick(&r), 0);
	assert_int_equal(run_pick(&r), 1);
	assert_int_equal(run_pick(&r), SIZE_MAX);
	run_finish(&r, 1, 0);
	assert_int_equal(run_pick(&r), 2);
	assert_false(run_over(&r));
	run_finish(&r, 0, 0);
	run_finish(&r, 2, 0);
	assert_true(run_over(&r));
	run_done(&r);
}

static void a_failure_stops_what_needs_it_and_nothing_else(void **state)
{
	_cleanup_plan_ struct plan *p = plan_of(4);
	struct run r;

	step_after(p, &p->steps[1], 0, true);
	step_after(p, &p->steps[2], 1, true);
	step_after(p, &p->steps[3], 0, false);
	run_init(&r, p, 1);
	assert_int_equal(run_pick(&r), 0);
	run_finish(&r, 0, -5);
	assert_int_equal(r.states[1], RUN_SKIPPED);
	assert_int_equal(r.states[2], RUN_SKIPPED);
	assert_int_equal(run_pick(&r), 3);
	run_finish(&r, 3, 0);
	assert_true(run_over(&r));
	assert_int_equal(run_count(&r, RUN_DONE), 1);
	run_done(&r);
}

static void steps_of_one_serial_never_overlap(void **state)
{
	_cleanup_plan_ struct plan *p = plan_of(3);
	struct run r;

	p->steps[0].serial = p->steps[1].serial = "vg/vg0";
	run_init(&r, p, 8);
	assert_int_equal(run_pick(&r), 0);
	assert_int_equal(run_pick(&r), 2);
	assert_int_equal(run_pick(&r), SIZE_MAX);
	run_finish(&r, 0, 0);
	assert_int_equal(run_pick(&r), 1);
	run_done(&r);
}

static void what_is_done_aside_takes_no_job_from_others(void **state)
{
	_cleanup_plan_ struct plan *p = plan_of(4);
	struct run r;

	p->steps[0].aside = p->steps[1].aside = true;
	run_init(&r, p, 1);
	assert_int_equal(run_pick(&r), 0);
	assert_int_equal(run_pick(&r), 2);
	assert_int_equal(run_pick(&r), SIZE_MAX);
	run_finish(&r, 2, 0);
	assert_int_equal(run_pick(&r), 3);
	run_finish(&r, 3, 0);
	assert_int_equal(run_pick(&r), SIZE_MAX);
	run_drop(&r, 0);
	assert_int_equal(r.states[0], RUN_SKIPPED);
	assert_int_equal(run_pick(&r), 1);
	assert_false(run_over(&r));
	run_finish(&r, 1, 0);
	assert_true(run_over(&r));
	run_done(&r);
}

static void held_steps_are_not_done_and_stop_lets_the_running_end(void **state)
{
	_cleanup_plan_ struct plan *p = plan_of(3);
	struct run r;

	step_hold(&p->steps[0], HOLD_IMPACT, "not allowed");
	run_init(&r, p, 1);
	assert_int_equal(run_pick(&r), 1);
	run_stop(&r);
	assert_int_equal(run_pick(&r), SIZE_MAX);
	assert_false(run_over(&r));
	run_finish(&r, 1, 0);
	assert_true(run_over(&r));
	assert_int_equal(r.states[0], RUN_HELD);
	assert_int_equal(r.states[2], RUN_SKIPPED);
	run_done(&r);
}

static void sorting_keeps_order_where_it_may_and_finds_circles(void **state)
{
	_cleanup_plan_ struct plan *p = plan_of(3);
	_cleanup_(waiters_freep) struct waiters *w = NULL;
	bool waits[3];

	p->steps[0].name = "a";
	p->steps[1].name = "b";
	p->steps[2].name = "c";
	step_after(p, &p->steps[0], 2, true);
	assert_int_equal(graph_sort(p, NULL), 0);
	assert_string_equal(p->steps[0].name, "b");
	assert_string_equal(p->steps[1].name, "c");
	assert_string_equal(p->steps[2].name, "a");
	assert_int_equal(p->steps[2].after[0].step, 1);
	w = waiters_new(p);
	waiters_of(w, 1, waits);
	assert_true(waits[2] && waits[1] && !waits[0]);
	waiters_add(w, 0, 2);
	waiters_of(w, 1, waits);
	assert_true(waits[0]);
	step_after(p, &p->steps[1], 2, false);
	assert_true(graph_sort(p, NULL) < 0);
	assert_int_equal(p->n, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(independent_steps_start_together_up_to_the_jobs),
		cmocka_unit_test(a_failure_stops_what_needs_it_and_nothing_else),
		cmocka_unit_test(steps_of_one_serial_never_overlap),
		cmocka_unit_test(what_is_done_aside_takes_no_job_from_others),
		cmocka_unit_test(held_steps_are_not_done_and_stop_lets_the_running_end),
		cmocka_unit_test(sorting_keeps_order_where_it_may_and_finds_circles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
