/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a JSON object holds, whoever wrote it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/json.h"

static json_object *parse(const char *text)
{
	json_object *o = json_parse(text, strlen(text), NULL);

	assert_non_null(o);
	return o;
}

static void members_are_found_by_key_and_type(void **state)
{
	_cleanup_json_ json_object *o = parse(
		"{\"text\": \"a\", \"int\": 7, \"real\": 1.5, \"flag\": true, \"list\": [1, 2], \"o\": {}}");

	assert_string_equal(json_text(o, "text"), "a");
	assert_int_equal(json_int(o, "int"), 7);
	assert_true(json_real(o, "real") == 1.5 && json_real(o, "int") == 7);
	assert_true(json_flag(o, "flag"));
	assert_int_equal(json_length(json_list(o, "list")), 2);
	assert_non_null(json_member(o, "o", json_type_object));
}

static void what_is_of_another_type_is_as_good_as_absent(void **state)
{
	static const char *const texts[] = {
		"{}", "{\"k\": null}", "{\"k\": {\"k\": 1}}", "[1]", "\"k\"", "null", "7",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_json_ json_object *o = json_tokener_parse(texts[i]);

		assert_null(json_text(o, "k"));
		assert_null(json_list(o, "k"));
		assert_int_equal(json_int(o, "k"), 0);
		assert_true(json_real(o, "k") == 0);
		assert_false(json_flag(o, "k"));
		assert_int_equal(json_length(json_list(o, "k")), 0);
	}
}

static void no_text_is_not_put(void **state)
{
	_cleanup_json_ json_object *o = json_object_new_object();

	json_put_text(o, "a", "b");
	json_put_text(o, "c", NULL);
	assert_string_equal(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
			    "{\"a\":\"b\"}");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_found_by_key_and_type),
		cmocka_unit_test(what_is_of_another_type_is_as_good_as_absent),
		cmocka_unit_test(no_text_is_not_put),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
