/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a person asked for of a domain, kept in files: what replaces what, and what is dropped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "host/intent.h"

static char dir[] = "/tmp/manor-intent-XXXXXX";

static const struct intent_who web = {"web", "u-web", "boot-1", 1000};

static struct arena *arena;

static const struct intent_domain *read_back(const char *name)
{
	struct intent_facts f = {0};

	assert_int_equal(intent_read(arena, &f, NULL), 0);
	return map_get(&f.domains, name);
}

static void nothing_was_asked(void **state)
{
	assert_null(read_back("web"));
}

static void a_stop_is_kept_until_a_start(void **state)
{
	const struct intent_domain *i;

	assert_int_equal(intent_stop(&web, INTENT_BY_HAND, NULL, 30, NULL), 0);
	i = read_back("web");
	assert_int_equal(i->stopped, INTENT_BY_HAND);
	assert_int_equal(i->since, 1000);
	assert_int_equal(i->timeout, 30);
	assert_string_equal(i->uuid, "u-web");
	assert_string_equal(i->boot_id, "boot-1");
	assert_int_equal(intent_start(&web, NULL), 0);
	assert_null(read_back("web"));
}

static void no_time_at_all_is_not_the_usual_time(void **state)
{
	assert_int_equal(intent_stop(&web, INTENT_BY_HAND, NULL, 0, NULL), 0);
	assert_true(read_back("web")->at_once);
	assert_int_equal(intent_stop(&web, INTENT_BY_HAND, NULL, INTENT_TIMEOUT_LEFT, NULL), 0);
	assert_false(read_back("web")->at_once);
	assert_int_equal(intent_restart(&web, 7, 0, NULL), 0);
	assert_true(read_back("web")->at_once);
	assert_int_equal(read_back("web")->timeout, 0);
	assert_int_equal(intent_forget("web", NULL), 0);
}

static void asking_twice_keeps_the_first_time(void **state)
{
	struct intent_who later = web;

	later.now = 2000;
	assert_int_equal(intent_stop(&web, INTENT_BY_HAND, NULL, INTENT_TIMEOUT_LEFT, NULL), 0);
	assert_int_equal(intent_stop(&later, INTENT_BY_HAND, NULL, INTENT_TIMEOUT_LEFT, NULL), 0);
	assert_int_equal(read_back("web")->since, 1000);
	assert_int_equal(intent_forget("web", NULL), 0);
}

static void a_crash_counts_and_a_stop_ends_the_count(void **state)
{
	assert_int_equal(intent_crash(&web, 3, NULL), 0);
	assert_int_equal(read_back("web")->crashes, 3);
	assert_int_equal(intent_stop(&web, INTENT_INSIDE, "digest", INTENT_TIMEOUT_LEFT, NULL), 0);
	assert_int_equal(read_back("web")->crashes, 0);
	assert_string_equal(read_back("web")->digest, "digest");
	assert_int_equal(intent_forget("web", NULL), 0);
}

static void a_restart_overrules_a_stop(void **state)
{
	assert_int_equal(intent_stop(&web, INTENT_BY_HAND, NULL, INTENT_TIMEOUT_LEFT, NULL), 0);
	assert_int_equal(intent_restart(&web, 7, INTENT_TIMEOUT_LEFT, NULL), 0);
	assert_int_equal(read_back("web")->stopped, INTENT_RUN);
	assert_int_equal(read_back("web")->restart_domid, 7);
	assert_int_equal(intent_forget("web", NULL), 0);
}

static void a_pause_is_of_one_start(void **state)
{
	struct intent_who later = web;

	later.now = 2000;
	assert_int_equal(intent_crash(&web, 2, NULL), 0);
	assert_int_equal(intent_pause(&web, 7, NULL), 0);
	assert_int_equal(intent_pause(&later, 7, NULL), 0);
	assert_int_equal(read_back("web")->paused_domid, 7);
	assert_int_equal(read_back("web")->since, 1000);
	assert_int_equal(read_back("web")->crashes, 2);
	assert_int_equal(intent_pause(&later, 8, NULL), 0);
	assert_int_equal(read_back("web")->since, 2000);
	assert_int_equal(intent_unpause(&web, 8, NULL), 0);
	assert_int_equal(read_back("web")->paused_domid, 0);
	assert_int_equal(read_back("web")->unpaused_domid, 8);
	/* Done: nothing of it is left. */
	assert_int_equal(intent_unpause(&web, 0, NULL), 0);
	assert_int_equal(read_back("web")->unpaused_domid, 0);
	assert_int_equal(intent_pause(&web, 9, NULL), 0);
	assert_int_equal(intent_stop(&web, INTENT_BY_HAND, NULL, INTENT_TIMEOUT_LEFT, NULL), 0);
	assert_int_equal(read_back("web")->paused_domid, 0);
	assert_int_equal(intent_start(&web, NULL), 0);
	assert_null(read_back("web"));
}

static void what_is_of_another_boot_or_domain_is_dropped(void **state)
{
	struct intent_who other = web;

	assert_int_equal(intent_stop(&web, INTENT_BY_HAND, NULL, INTENT_TIMEOUT_LEFT, NULL), 0);
	other.boot_id = "boot-2";
	assert_int_equal(intent_crash(&other, 1, NULL), 0);
	assert_int_equal(read_back("web")->stopped, INTENT_RUN);
	assert_int_equal(intent_stop(&other, INTENT_BY_HAND, NULL, INTENT_TIMEOUT_LEFT, NULL), 0);
	other.uuid = "u-other";
	assert_int_equal(intent_crash(&other, 1, NULL), 0);
	assert_int_equal(read_back("web")->stopped, INTENT_RUN);
	assert_int_equal(intent_forget("web", NULL), 0);
}

static void a_damaged_file_is_no_intent(void **state)
{
	static const char *const texts[] = {"", "{", "[]", "{\"uuid\": 3}", "\xff\xfe", "null"};
	_cleanup_(freep) char *path = xasprintf("%s/web.json", dir);

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(file_write(path, texts[i], strlen(texts[i]), 0600, NULL), 0);
		assert_null(read_back("web"));
		/* And it is no obstacle to the next. */
		assert_int_equal(intent_stop(&web, INTENT_BY_HAND, NULL, INTENT_TIMEOUT_LEFT, NULL),
				 0);
		assert_int_equal(read_back("web")->stopped, INTENT_BY_HAND);
	}
	assert_int_equal(intent_forget("web", NULL), 0);
}

static void a_name_stays_within_its_folder(void **state)
{
	static const char *const names[] = {"", ".", "..", "../web", "a/b", ".hidden"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct intent_who who = web;

		who.name = names[i];
		assert_true(intent_stop(&who, INTENT_BY_HAND, NULL, INTENT_TIMEOUT_LEFT, NULL) < 0);
		assert_true(intent_forget(names[i], NULL) < 0);
	}
	assert_int_equal(intent_forget("absent", NULL), 0);
}

static int set_up(void **state)
{
	arena = arena_new();
	return !mkdtemp(dir) || setenv("MANOR_INTENT_DIR", dir, 1);
}

static int tear_down(void **state)
{
	_cleanup_(freep) char *lock = xasprintf("%s/.lock", dir);

	arena_free(arena);
	unlink(lock);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_was_asked),
		cmocka_unit_test(a_stop_is_kept_until_a_start),
		cmocka_unit_test(no_time_at_all_is_not_the_usual_time),
		cmocka_unit_test(asking_twice_keeps_the_first_time),
		cmocka_unit_test(a_crash_counts_and_a_stop_ends_the_count),
		cmocka_unit_test(a_restart_overrules_a_stop),
		cmocka_unit_test(a_pause_is_of_one_start),
		cmocka_unit_test(what_is_of_another_boot_or_domain_is_dropped),
		cmocka_unit_test(a_damaged_file_is_no_intent),
		cmocka_unit_test(a_name_stays_within_its_folder),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
