/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What ends with the host, and in which order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <unistd.h>

#include "engine/rest.h"

static const struct table no_fields = {.name = "thing", .size = sizeof(struct record)};
static const char *const no_readers[] = {NULL};

/* "mail" needs "db"; "web" needs what needs it; "left" is in no manifest any more. */
static void actual(struct arena *a, const struct facts *f, const struct manifest *m,
		   struct actuals *ret)
{
	static const char *const names[] = {"db", "left", "mail", "web", "other"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct actual *x = actual_add(a, ret, m->kinds[0], names[i]);

		x->uuid = "u";
		x->foreign = streq(names[i], "other");
	}
}

static const struct kind thing = {
	.name = "thing", .table = &no_fields, .readers = no_readers, .actual = actual,
};

static void those_who_need_one_end_before_it(void **state)
{
	const struct kind *const kinds[] = {&thing, NULL};
	_cleanup_arena_ struct arena *a = arena_new();
	struct manifest m = {.arena = a, .kinds = kinds};
	struct resource db = {.kind = &thing, .name = "db"},
			mail = {.kind = &thing, .name = "mail"};
	struct resource web = {.kind = &thing, .name = "web"};
	_cleanup_facts_ struct facts *f = facts_new();
	_cleanup_plan_ struct plan *p = NULL;
	static const char *const order[] = {"left", "web", "mail", "db"};

	manifest_add(&m, &db);
	manifest_add(&m, &mail);
	manifest_add(&m, &web);
	resource_needs(&m, &mail, &db);
	resource_needs(&m, &web, &mail);
	p = plan_rest(&m, f, &thing, false);
	assert_null(p->refusal);
	assert_int_equal(p->n, ARRAY_SIZE(order));
	for (size_t i = 0; i < p->n; i++) {
		assert_string_equal(p->steps[i].name, order[i]);
		assert_int_equal(p->steps[i].action, ACTION_STOP);
		assert_true(step_todo(&p->steps[i]));
	}
	assert_int_equal(p->steps[3].n_after, 2);
	assert_false(p->steps[3].after[0].required);
}

#define LAYERS 60

static const char *layer(struct arena *a, size_t i)
{
	return arena_printf(a, "guest-%zu", i);
}

static void all_layers(struct arena *a, const struct facts *f, const struct manifest *m,
		       struct actuals *ret)
{
	for (size_t i = 0; i < LAYERS; i++)
		actual_add(a, ret, m->kinds[0], layer(a, i))->uuid = "u";
}

static void layers_that_need_the_two_before_end_one_by_one(void **state)
{
	struct kind deep = thing;
	const struct kind *const kinds[] = {&deep, NULL};
	_cleanup_arena_ struct arena *a = arena_new();
	struct manifest m = {.arena = a, .kinds = kinds};
	struct resource r[LAYERS] = {0};
	_cleanup_facts_ struct facts *f = facts_new();
	_cleanup_plan_ struct plan *p = NULL;

	deep.actual = all_layers;
	for (size_t i = 0; i < LAYERS; i++) {
		r[i].kind = &deep;
		r[i].name = layer(a, i);
		manifest_add(&m, &r[i]);
		for (size_t k = 1; k <= 2 && k <= i; k++)
			resource_needs(&m, &r[i], &r[i - k]);
	}
	/* By each of the ways from the last to the first, of which there are as many as Fibonacci's sixtieth number says,
	 * this would not end. */
	alarm(60);
	p = plan_rest(&m, f, &deep, false);
	alarm(0);
	assert_int_equal(p->n, LAYERS);
	for (size_t i = 0; i < p->n; i++) {
		assert_string_equal(p->steps[i].name, layer(a, LAYERS - 1 - i));
		assert_int_equal(p->steps[i].n_after, i);
	}
}

static char changed[] = "changed";

static void at_rest(struct arena *a, const struct facts *f, const struct manifest *m,
		    const struct actual *have, struct step *step)
{
	if (streq(have->name, "db"))
		step->want_record = changed;
}

static void the_kind_says_how_each_ends(void **state)
{
	struct kind gentle = thing;
	const struct kind *const kinds[] = {&gentle, NULL};
	_cleanup_arena_ struct arena *a = arena_new();
	struct manifest m = {.arena = a, .kinds = kinds};
	char record[] = "record";
	struct resource db = {.kind = &gentle, .name = "db", .record = record};
	struct resource web = {.kind = &gentle, .name = "web", .record = record};
	_cleanup_facts_ struct facts *f = facts_new();
	_cleanup_plan_ struct plan *p = NULL, *again = NULL;

	gentle.rest = at_rest;
	manifest_add(&m, &db);
	manifest_add(&m, &web);
	p = plan_rest(&m, f, &gentle, false);
	assert_int_equal(p->n, 4);
	for (size_t i = 0; i < p->n; i++)
		assert_ptr_equal(p->steps[i].want_record, streq(p->steps[i].name, "db")    ? changed
							  : streq(p->steps[i].name, "web") ? record
											   : NULL);
	/* Who is left after that ends as everybody does. */
	again = plan_rest(&m, f, &gentle, true);
	for (size_t i = 0; i < again->n; i++)
		assert_ptr_not_equal(again->steps[i].want_record, changed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(those_who_need_one_end_before_it),
		cmocka_unit_test(layers_that_need_the_two_before_end_one_by_one),
		cmocka_unit_test(the_kind_says_how_each_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
