/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What people see of a transfer, and of what they asked for by name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/cli.h"
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

#define STEP(name, action, state, more)                                                            \
	"{\"event\": \"step\", \"id\": \"domain/" name ":" action "\", \"kind\": \"domain\", "              \
	"\"name\": \"" name "\", \"action\": \"" action "\", \"state\": \"" state "\", \"seconds\": 1.5, " more "}"
#define END(result, more)                                                                          \
	"{\"event\": \"end\", \"result\": \"" result "\", \"host\": \"hv1\", \"done\": 1" more "}"
#define NOTE(text)                                                                                 \
	"{\"event\": \"plan\", \"plan\": {\"steps\": [], \"notes\": ["                                    \
	"{\"type\": \"warning\", \"subject\": \"domain/lists\", \"text\": \"of another\"}, "             \
	"{\"type\": \"kept\", \"subject\": \"domain/web\", \"text\": \"" text "\"}]}}"

/* What a person reads of a verb's run about domain/web; *ret_code is what it exits with. */
static char *read_of(const char *const *events, bool json, int *ret_code)
{
	struct show s = {.quiet_plan = true, .by_name = "domain/web", .json = json};
	FILE *f = tmpfile();
	char *text = calloc(1, 4096);
	int out = dup(STDOUT_FILENO);

	fflush(stdout);
	dup2(fileno(f), STDOUT_FILENO);
	for (; *events; events++) {
		json_object *e = json_tokener_parse(*events);

		assert_non_null(e);
		show_event(&s, e);
		json_object_put(e);
	}
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(out);
	rewind(f);
	(void)!fread(text, 1, 4095, f);
	fclose(f);
	*ret_code = s.exit_code;
	show_done(&s);
	return text;
}

static void what_was_asked_for_by_name_is_told_in_a_line(void **state)
{
	static const struct {
		const char *events[5];
		const char *is;
		int code;
	} cases[] = {
		{{STEP("web", "resume", "done", "\"text\": \"unpaused by hand\", \"why\": \"unpaused by hand\""),
		  END("converged", "")},
		 "web: running again\n", EXIT_FINE},
		{{STEP("web", "pause", "done", "\"text\": \"pause asked for by hand\", \"why\": \"pause asked for by hand\""),
		  END("converged", "")},
		 "web: paused\n", EXIT_FINE},
		{{STEP("web", "stop", "done", "\"text\": \"shut down\", \"why\": \"stop asked for by hand\""),
		  END("converged", "")},
		 "web: stopped: shut down\n", EXIT_FINE},
		/* What it needed is no news; that it can be used is. */
		{{STEP("lists", "update", "done", "\"text\": \"vcpus: 1 → 2\", \"why\": \"vcpus: 1 → 2\""),
		  STEP("web", "create", "done", "\"text\": \"started as domain 7\""),
		  STEP("web", "await", "done", "\"text\": \"ready\", \"why\": \"until it answers\""),
		  END("converged", "")},
		 "web: started as domain 7\nweb: ready\n", EXIT_FINE},
		/* It was paused after all, for a reason that nobody knows yet. */
		{{STEP("web", "pause", "done", "\"text\": \"vg0 is full\", \"why\": \"vg0 is full\""),
		  END("converged", "")},
		 "web: paused: vg0 is full\n", EXIT_FINE},
		/* A change that takes a restart isn't what was asked for. */
		{{STEP("web", "resume", "done", "\"text\": \"unpaused by hand\", \"why\": \"unpaused by hand\""),
		  STEP("web", "restart", "held", "\"hold\": \"impact\", \"text\": \"not allowed: say --allow guest-restart\""),
		  END("pending", ", \"held\": 1")},
		 "web: running again\n", EXIT_FINE},
		{{NOTE("stopped by hand 3m ago; `manor start web` starts it"), END("nothing", "")},
		 "web: stopped by hand 3m ago; `manor start web` starts it\n", EXIT_FINE},
		{{END("nothing", "")}, "web: nothing to do: it is as asked for\n", EXIT_FINE},
		/* Where it isn't done, all is told. */
		{{STEP("web", "restart", "held", "\"hold\": \"impact\", \"text\": \"not allowed\""),
		  STEP("web", "create", "held", "\"hold\": \"wait\", \"text\": \"crashed: again in 8s\""),
		  END("pending", ", \"held\": 2, \"seconds\": 2.0")},
		 "- domain/web               held: not allowed\n- domain/web               held: crashed: again in 8s\n"
		 "hv1 not converged: 1 step done, 2 held, 2.0s.\n",
		 EXIT_CHANGES},
		{{STEP("lists", "start", "failed", "\"why\": \"it is needed\""),
		  STEP("web", "create", "skipped", "\"text\": \"what it needs failed\""),
		  END("failed", ", \"failed\": 1, \"skipped\": 1, \"seconds\": 2.0")},
		 "✘ domain/lists             failed: start\n- domain/web               skipped: what it needs failed\n"
		 "hv1 not converged: 1 step done, 1 failed, 1 skipped, 2.0s.\n"
		 "Run `manor apply` again when the cause is mended.\n",
		 EXIT_FAILED},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int code, again;
		char *text = read_of(cases[i].events, false, &code);

		print_message("%s", text);
		assert_string_equal(text, cases[i].is);
		assert_int_equal(code, cases[i].code);
		free(text);
		free(read_of(cases[i].events, true, &again));
		assert_int_equal(again, code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_transfer_says_what_is_known_of_it),
		cmocka_unit_test(what_was_asked_for_by_name_is_told_in_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
