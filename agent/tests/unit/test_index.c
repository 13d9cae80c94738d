/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Finding by name among few and many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/index.h"

#define MANY 5000

static void among_many_each_is_found_and_no_other(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct index x = {0};

	assert_null(index_find(&x, "domain", "d0"));
	for (size_t i = 0; i < MANY; i++) {
		const char *name = arena_printf(a, "d%zu", i);

		index_add(a, &x, i % 2 ? "domain" : "volume", name, name);
	}
	for (size_t i = 0; i < MANY; i++) {
		const char *name = arena_printf(a, "d%zu", i);

		assert_string_equal(index_find(&x, i % 2 ? "domain" : "volume", name), name);
		assert_null(index_find(&x, i % 2 ? "volume" : "domain", name));
	}
	assert_null(index_find(&x, "domain", "d"));
	assert_null(index_find(&x, "domain/d1", ""));
	assert_int_equal(x.n, MANY);
}

static void those_of_one_name_keep_their_order(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct index x = {0};
	char items[MANY];
	size_t n = 0;

	for (size_t i = 0; i < MANY; i++) {
		index_add(a, &x, NULL, "bridge/xenbr0", &items[i]);
		index_add(a, &x, NULL, arena_printf(a, "volume/%zu", i), &items[i]);
	}
	for (const struct index_entry *e = index_first(&x, NULL, "bridge/xenbr0"); e;
	     e = index_next(e))
		assert_ptr_equal(e->item, &items[n++]);
	assert_int_equal(n, MANY);
	assert_null(index_next(index_first(&x, NULL, "volume/7")));
}

static void a_name_may_be_missing(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct index x = {0};

	index_add(a, &x, "domain", NULL, &x);
	assert_ptr_equal(index_find(&x, "domain", NULL), &x);
	assert_null(index_find(&x, "domain", ""));
	assert_null(index_find(&x, NULL, NULL));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(among_many_each_is_found_and_no_other),
		cmocka_unit_test(those_of_one_name_keep_their_order),
		cmocka_unit_test(a_name_may_be_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
