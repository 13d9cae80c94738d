/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What people see of a transfer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/show.h"

#define MIB (UINT64_C(1) << 20)

static void a_transfer_says_what_is_known_of_it(void **state)
{
	static const struct {
		uint64_t done, total;
		double seconds;
		const char *is;
	} cases[] = {
		{0, 0, 0, ""},
		{0, 0, 100, ""},
		{5 * MIB, 0, 0.5, " 5 MiB"},
		{5 * MIB, 0, 2, " 5 MiB, 2.5 MiB/s"},
		{0, 100 * MIB, 10, " 0 % of 100 MiB"},
		{25 * MIB, 100 * MIB, 0.9, " 25 % of 100 MiB"},
		{25 * MIB, 100 * MIB, 5, " 25 % of 100 MiB, 5 MiB/s, 16s left"},
		{100 * MIB, 100 * MIB, 20, " 100 % of 100 MiB, 5 MiB/s"},
		{INT64_MAX / 2, INT64_MAX, 1, " 50 % of 8192 PiB, 4096 PiB/s, 2s left"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_str_ struct str s = {0};

		show_transfer(&s, cases[i].done, cases[i].total, cases[i].seconds);
		print_message("  '%s'\n", str_get(&s));
		assert_string_equal(str_get(&s), cases[i].is);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_transfer_says_what_is_known_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
