/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Workers as the executor sees them: this program is its own worker, good, crashing or hanging.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/worker.h"

struct seen {
	sd_event *loop;
	int result;
	unsigned ended, progress;
	bool hung, stay;
	char text[256], message[4096];
	int value;
};

static void on_progress(void *data, const char *what, uint64_t done, uint64_t total)
{
	struct seen *s = data;

	assert_string_equal(what, "half");
	assert_int_equal(done, 1);
	assert_int_equal(total, 2);
	s->progress++;
}

static void on_end(void *data, int result, const char *text, json_object *value, struct err *e)
{
	struct seen *s = data;

	s->ended++;
	s->hung = worker_hangs("stubborn");
	s->result = result;
	snprintf(s->text, sizeof(s->text), "%s", text ? text : "");
	snprintf(s->message, sizeof(s->message), "%s", e->message ? e->message : "");
	s->value = json_object_get_int(value);
	if (!s->stay)
		sd_event_exit(s->loop, 0);
}

static struct seen run(const char *how, json_object *request, unsigned timeout_ms)
{
	const char *args[] = {how, NULL};
	struct seen s = {0};
	struct worker_spec spec = {
		.name = how, .args = args, .request = request, .timeout_ms = timeout_ms,
		.lock_fd = -1, .progress = on_progress, .ended = on_end, .data = &s,
	};
	_cleanup_err_ struct err e = {0};

	assert_true(sd_event_new(&s.loop) >= 0);
	assert_int_equal(worker_start(s.loop, &spec, NULL, &e), 0);
	assert_true(sd_event_loop(s.loop) >= 0);
	sd_event_unref(s.loop);
	assert_int_equal(s.ended, 1);
	return s;
}

static void a_good_one_gets_its_request_and_tells_its_progress(void **state)
{
	json_object *request = json_object_new_string("hello");
	struct seen s = run("good", request, 10000);

	json_object_put(request);
	assert_int_equal(s.result, 0);
	assert_string_equal(s.text, "hello");
	assert_int_equal(s.value, 42);
	assert_int_equal(s.progress, 1);
}

static void a_failure_carries_its_message(void **state)
{
	struct seen s = run("fails", NULL, 10000);

	assert_int_equal(s.result, -ENOENT);
	assert_string_equal(s.message, "no such bridge");
}

static void a_crash_is_a_failure_with_the_signal_and_its_last_words(void **state)
{
	struct seen s = run("crashes", NULL, 10000);

	assert_true(s.result < 0);
	assert_non_null(strstr(s.message, "signal 6"));
	assert_non_null(strstr(s.message, "last words"));
}

static void one_that_says_nothing_is_a_failure(void **state)
{
	struct seen s = run("silent", NULL, 10000);

	assert_true(s.result < 0);
	assert_non_null(strstr(s.message, "without a result"));
}

static void one_that_hangs_is_ended_in_time(void **state)
{
	struct seen s = run("hangs", NULL, 300);

	assert_int_equal(s.result, -ETIMEDOUT);
}

static void one_that_babbles_is_ended(void **state)
{
	struct seen s = run("babbles", NULL, 0);

	assert_int_equal(s.result, -EMSGSIZE);
}

static int on_stop(sd_event_source *s, uint64_t usec, void *data)
{
	worker_stop(data);
	return 0;
}

/* What has to end by itself isn't killed because its time limit comes after it was asked. */
static void one_that_was_asked_to_end_gets_its_grace(void **state)
{
	const char *args[] = {"deaf", NULL};
	struct seen s = {0};
	struct worker_spec spec = {
		.name = "deaf", .args = args, .timeout_ms = 800, .gentle = true,
		.lock_fd = -1, .progress = on_progress, .ended = on_end, .data = &s,
	};
	_cleanup_err_ struct err e = {0};
	struct worker *w;

	assert_true(sd_event_new(&s.loop) >= 0);
	assert_int_equal(worker_start(s.loop, &spec, &w, &e), 0);
	assert_true(sd_event_add_time_relative(s.loop, NULL, CLOCK_MONOTONIC, 300000, 0, on_stop,
					       w) >= 0);
	assert_true(sd_event_loop(s.loop) >= 0);
	sd_event_unref(s.loop);
	assert_int_equal(s.result, 0);
	assert_int_equal(s.value, 7);
}

/* No second one is started beside it until it has died. */
static void a_reading_is_given_up_and_known_to_hang(void **state)
{
	const char *args[] = {"stubborn", NULL};
	struct seen s = {.stay = true};
	struct worker_spec spec = {
		.name = "stubborn", .args = args, .timeout_ms = 300, .lock_fd = -1,
		.progress = on_progress, .ended = on_end, .data = &s,
	};
	_cleanup_err_ struct err e = {0};

	assert_true(sd_event_new(&s.loop) >= 0);
	assert_int_equal(worker_start(s.loop, &spec, NULL, &e), 0);
	while (!s.ended)
		assert_true(sd_event_run(s.loop, UINT64_MAX) >= 0);
	assert_int_equal(s.result, -ETIMEDOUT);
	assert_true(s.hung);
	for (int i = 0; i < 100 && worker_hangs("stubborn"); i++)
		assert_true(sd_event_run(s.loop, 100000) >= 0);
	assert_false(worker_hangs("stubborn"));
	assert_int_equal(s.ended, 1);
	sd_event_unref(s.loop);
}

static void what_libraries_print_does_not_confuse_it(void **state)
{
	struct seen s = run("noisy", NULL, 10000);

	assert_int_equal(s.result, 0);
}

/* One after the other, as the executor would give them out. Returns the process that did it. */
static int ask(sd_event *loop, const char *word, const char *keep, const void *owner,
	       struct seen *ret)
{
	const char *args[] = {"again", NULL};
	json_object *request = json_object_new_string(word);
	struct seen s = {.loop = loop, .stay = true};
	struct worker_spec spec = {
		.name = word, .args = args, .request = request, .timeout_ms = 10000,
		.keep = keep, .owner = owner, .lock_fd = -1, .ended = on_end, .data = &s,
	};
	_cleanup_err_ struct err e = {0};

	assert_int_equal(worker_start(loop, &spec, NULL, &e), 0);
	json_object_put(request);
	while (!s.ended)
		assert_true(sd_event_run(loop, UINT64_MAX) >= 0);
	assert_int_equal(s.ended, 1);
	*ret = s;
	return s.value;
}

static void one_that_is_kept_does_the_next_of_its_kind_and_owner(void **state)
{
	int a, b, pid, other;
	struct seen s;
	sd_event *loop;

	assert_true(sd_event_new(&loop) >= 0);
	pid = ask(loop, "one", "volume", &a, &s);
	assert_string_equal(s.text, "\"one\"");
	assert_int_equal(ask(loop, "two", "volume", &a, &s), pid);
	assert_string_equal(s.text, "\"two\"");
	other = ask(loop, "three", "domain", &a, &s);
	assert_int_not_equal(other, pid);
	assert_int_not_equal(ask(loop, "four", "volume", &b, &s), pid);
	assert_int_not_equal(ask(loop, "five", NULL, &a, &s), pid);
	workers_let_go(&a);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(kill(other, 0), -1);
	assert_int_not_equal(ask(loop, "six", "volume", &a, &s), pid);
	workers_let_go(&a);
	workers_let_go(&b);
	sd_event_unref(loop);
}

static void one_that_is_kept_and_dies_is_replaced(void **state)
{
	struct seen s;
	sd_event *loop;
	int a, pid;

	assert_true(sd_event_new(&loop) >= 0);
	pid = ask(loop, "one", "volume", &a, &s);
	/* In its second request: that one alone fails. */
	ask(loop, "crash", "volume", &a, &s);
	assert_true(s.result < 0);
	assert_non_null(strstr(s.message, "signal 6"));
	assert_int_not_equal(ask(loop, "two", "volume", &a, &s), pid);
	assert_int_equal(s.result, 0);
	/* While it has nothing to do: nobody is told. */
	pid = s.value;
	assert_int_equal(kill(pid, SIGKILL), 0);
	for (int i = 0; i < 100 && kill(pid, 0) == 0; i++)
		assert_true(sd_event_run(loop, 100000) >= 0);
	assert_int_equal(s.ended, 1);
	assert_int_not_equal(ask(loop, "three", "volume", &a, &s), pid);
	assert_int_equal(s.result, 0);
	workers_let_go(&a);
	sd_event_unref(loop);
}

static int again(void)
{
	char buf[256];

	while (fgets(buf, sizeof(buf), stdin)) {
		json_object *o = json_object_new_object();

		buf[strcspn(buf, "\n")] = '\0';
		if (strstr(buf, "crash"))
			abort();
		json_object_object_add(o, "result", json_object_new_int(0));
		json_object_object_add(o, "text", json_object_new_string(buf));
		json_object_object_add(o, "value", json_object_new_int(getpid()));
		printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
		fflush(stdout);
		json_object_put(o);
	}
	return 0;
}

static int work(const char *how)
{
	char buf[256] = "";

	if (streq(how, "good")) {
		if (!fgets(buf, sizeof(buf), stdin))
			return 1;
		buf[strcspn(buf, "\n")] = '\0';
		printf("{\"progress\":\"half\",\"done\":1,\"total\":2}\n"
		       "{\"result\":0,\"text\":%s,\"value\":42}\n",
		       buf);
	} else if (streq(how, "again")) {
		return again();
	} else if (streq(how, "fails")) {
		printf("{\"result\":-2,\"error\":{\"message\":\"no such bridge\"}}\n");
	} else if (streq(how, "crashes")) {
		fprintf(stderr, "last words\n");
		abort();
	} else if (streq(how, "hangs")) {
		pause();
	} else if (streq(how, "babbles")) {
		memset(buf, 'x', sizeof(buf));
		while (fwrite(buf, sizeof(buf), 1, stdout) == 1)
			;
		pause();
	} else if (streq(how, "deaf")) {
		signal(SIGTERM, SIG_IGN);
		sleep(2);
		printf("{\"result\":0,\"value\":7}\n");
	} else if (streq(how, "stubborn")) {
		signal(SIGTERM, SIG_IGN);
		for (;;)
			pause();
	} else if (streq(how, "noisy")) {
		printf("WARNING: something\n[1, 2]\nnull\n{\"result\":0}\n");
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_one_gets_its_request_and_tells_its_progress),
		cmocka_unit_test(a_failure_carries_its_message),
		cmocka_unit_test(a_crash_is_a_failure_with_the_signal_and_its_last_words),
		cmocka_unit_test(one_that_says_nothing_is_a_failure),
		cmocka_unit_test(one_that_hangs_is_ended_in_time),
		cmocka_unit_test(one_that_babbles_is_ended),
		cmocka_unit_test(one_that_was_asked_to_end_gets_its_grace),
		cmocka_unit_test(a_reading_is_given_up_and_known_to_hang),
		cmocka_unit_test(what_libraries_print_does_not_confuse_it),
		cmocka_unit_test(one_that_is_kept_does_the_next_of_its_kind_and_owner),
		cmocka_unit_test(one_that_is_kept_and_dies_is_replaced),
	};

	if (argc == 3 && streq(argv[1], "worker"))
		return work(argv[2]);
	worker_block_signals();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
