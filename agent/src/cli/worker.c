/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor worker step | read NAME | watch-xen | watch-pools | upgrade-good | upgrade-fell: Manor's own processes; see engine/worker.h for what they
 * are asked and answer. manor worker stop-guests, manor worker booted: what systemd runs when the host goes down, and when
 * it has come up.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/loop.h"
#include "cli/upgrade.h"
#include "engine/converge.h"
#include "engine/perform.h"
#include "host/lvm_events.h"
#include "host/xen_events.h"
#include "kinds/kinds.h"
#include "model/record_json.h"

#define REQUEST_BYTES (64u << 20)
#define EXTEND_EVERY  UINT64_C(60000000) /* microseconds */
#define EXTEND_FOR    (90 * EXTEND_EVERY)
#define STOP_JOBS     100 /* guests that end take no work, but time */

/* Libraries print to standard output as they like; the protocol has a descriptor of its own. */
static FILE *answer;

static void say(json_object *o)
{
	fprintf(answer, "%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	fflush(answer);
	json_object_put(o);
}

static void say_progress(void *data, const char *what, uint64_t done, uint64_t total)
{
	json_object *o = json_object_new_object();

	json_put_text(o, "progress", what);
	json_object_object_add(o, "done", json_object_new_uint64(done));
	json_object_object_add(o, "total", json_object_new_uint64(total));
	say(o);
}

static int say_result(int r, const char *text, json_object *value, const struct err *e)
{
	json_object *o = json_object_new_object(), *x;

	json_object_object_add(o, "result", json_object_new_int(r));
	json_put_text(o, "text", text);
	if (value)
		json_object_object_add(o, "value", value);
	if (r < 0) {
		x = json_object_new_object();
		json_put_text(x, "message", e->message ? e->message : "failed");
		json_put_text(x, "help", e->help);
		json_put_text(x, "path", e->path);
		json_object_object_add(o, "error", x);
	}
	say(o);
	return r < 0 ? EXIT_FAILED : EXIT_FINE;
}

static json_object *read_request(struct err *e)
{
	_cleanup_str_ struct str text = {0};
	char buf[65536];
	ssize_t n;

	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0 && text.n < REQUEST_BYTES)
		str_addn(&text, buf, (size_t)n);
	return json_parse(str_get(&text), text.n, e);
}

/* 1: a line; 0: there is none any more; negative: none to be had, and no more. */
static int read_line(struct str *ret, struct err *e)
{
	int c;

	while ((c = getc_unlocked(stdin)) != EOF && c != '\n') {
		if (ret->n >= REQUEST_BYTES)
			return err_set(e, -EFBIG, "a request is a line of at most %u MiB",
				       REQUEST_BYTES >> 20);
		str_addc(ret, (char)c);
	}
	if (c == EOF && ferror(stdin))
		return err_errno(e, -errno, "read the request");
	return c != EOF || ret->n > 0;
}

/* One request a line, until there are no more: see `keep` in engine/worker.h. */
static int work_step(void)
{
	bool asked = false;

	for (int code = EXIT_FAILED;; asked = true) {
		_cleanup_str_ struct str line = {0};
		_cleanup_(freep) char *done = NULL;
		_cleanup_err_ struct err e = {0};
		json_object *request;
		int r = read_line(&line, &e);

		if (r == 0 && asked)
			return code;
		if (r == 0)
			r = err_set(&e, -EINVAL,
				    "nothing is asked for: a step is a line of JSON on standard "
				    "input");
		if (r < 0)
			return say_result(r, NULL, NULL, &e);
		request = json_parse(str_get(&line), line.n, &e);
		r = request ? perform_step(request, all_kinds, all_readers, say_progress, NULL,
					   &done, &e)
			    : -EINVAL;
		json_object_put(request);
		code = say_result(r, done, NULL, &e);
	}
}

static int work_read(const char *name)
{
	const char *names[] = {name, NULL};
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_err_ struct err e = {0};
	json_object *request = read_request(&e), *list;
	struct list paths = {0};
	struct facts *f;
	int r;

	/* Without a request, as by hand, none. */
	list = request ? json_list(request, "paths") : NULL;
	for (size_t i = 0; i < json_length(list); i++)
		if (json_object_get_string(json_object_array_get_idx(list, i)))
			list_add(a, &paths,
				 arena_strdup(a, json_object_get_string(
							 json_object_array_get_idx(list, i))));
	json_object_put(request);
	f = perform_read(all_readers, names, &paths, NULL);

	if (f->n != 1)
		r = say_result(err_set(&e, -ENOENT, "no reader '%s'", name), NULL, NULL, &e);
	else if (!f->readings[0].known)
		r = say_result(err_set(&e, -EIO, "%s", f->readings[0].why), NULL, NULL, &e);
	else
		r = say_result(
			0, NULL,
			record_to_json(f->readings[0].reader->table, f->readings[0].record, true),
			&e);
	facts_free(f);
	return r;
}

/* False when the agent is gone. */
static bool tell_event(void *data, const char *what)
{
	say_progress(NULL, what, 0, 0);
	return !ferror(answer);
}

static int work_watch(int (*watch)(bool (*event)(void *data, const char *what), void *data,
				   struct err *e))
{
	_cleanup_err_ struct err e = {0};
	int r;

	/* It is of no use to anybody else, and would wait for the next event to notice. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	r = watch(tell_event, NULL, &e);
	return say_result(r, NULL, NULL, &e);
}

static void on_event(void *data, json_object *event)
{
	const char *state = json_text(event, "state"), *text = json_text(event, "text");
	const char *message = json_text(json_member(event, "error", json_type_object), "message");

	if (streq(json_text(event, "event"), "step") && (!streq(state, "running") || text))
		log_info("%s %s: %s", json_text(event, "id"), state,
			 message ? message
			 : text  ? text
				 : "");
	else if (streq(json_text(event, "event"), "waiting"))
		log_info("waiting: %s", text ? text : "");
}

struct stopping {
	struct loop loop;
	struct converge_options o;
	uint64_t until;
};

/* Each step has its own time limit; systemd's, for all of them, would end who is being saved. */
static int on_extend(sd_event_source *source, uint64_t at, void *data)
{
	struct stopping *s = data;

	if (at >= s->until)
		return 0;
	sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%llu", (unsigned long long)(3 * EXTEND_EVERY));
	sd_event_source_set_time(source, at + EXTEND_EVERY);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void on_ended(void *data, enum converge_result result, const struct converge *c)
{
	struct stopping *s = data;
	bool failed = result == CONVERGE_FAILED || result == CONVERGE_REFUSED;

	/* A saving that ran out of time leaves its guest suspended: it is shut down then. */
	if (failed && !s->o.plainly) {
		s->o.plainly = true;
		converge_start(s->loop.event, &s->o);
		return;
	}
	/* Where nothing is in force there are no guests of ours. */
	sd_event_exit(s->loop.event, failed);
}

static void stopping_done(struct stopping *s)
{
	loop_done(&s->loop);
}

static int stop_guests(void)
{
	_cleanup_(stopping_done) struct stopping s = {
		.o =
			{
				.kinds = all_kinds,
				.readers = all_readers,
				.plan = {.allowed = IMPACT_LIVE},
				.rest = &kind_domain,
				.jobs = STOP_JOBS,
				.event = on_event,
				.ended = on_ended,
				.data = &s,
			},
	};
	uint64_t now;

	log_init(getenv("MANOR_DEBUG") ? LOG_DEBUG_ : LOG_INFO_, getenv("JOURNAL_STREAM") != NULL);
	if (loop_init(&s.loop) < 0 || sd_event_now(s.loop.event, CLOCK_MONOTONIC, &now) < 0)
		return EXIT_FAILED;
	s.until = now + EXTEND_FOR;
	if (sd_event_add_time(s.loop.event, NULL, CLOCK_MONOTONIC, now, EXTEND_EVERY / 10,
			      on_extend, &s) < 0)
		return EXIT_FAILED;
	converge_start(s.loop.event, &s.o);
	return sd_event_loop(s.loop.event) == 0 ? EXIT_FINE : EXIT_FAILED;
}

static int work_upgrade(bool good)
{
	_cleanup_err_ struct err e = {0};
	_cleanup_json_ json_object *request = good ? NULL : read_request(&e);
	int r = good ? upgrade_is_good(&e) : upgrade_gives_up(json_text(request, "why"), &e);

	return say_result(
		r, good ? "this version is good" : "the host starts again, with the old version",
		NULL, &e);
}

int verb_worker(int argc, char **argv)
{
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);

	/* Whatever a library runs, it gains nothing by it. */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	/* The executor's lock, where there is one: held till the end, passed on to nobody. */
	(void)fcntl(3, F_SETFD, FD_CLOEXEC);
	answer = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!answer || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return EXIT_FAILED;
	if (argc == 2 && streq(argv[1], "step"))
		return work_step();
	if (argc == 3 && streq(argv[1], "read"))
		return work_read(argv[2]);
	if (argc == 2 && streq(argv[1], "watch-xen"))
		return work_watch(xen_watch);
	if (argc == 2 && streq(argv[1], "watch-pools"))
		return work_watch(lvm_watch);
	if (argc == 2 && streq(argv[1], "upgrade-good"))
		return work_upgrade(true);
	if (argc == 2 && streq(argv[1], "upgrade-fell"))
		return work_upgrade(false);
	if (argc == 2 && streq(argv[1], "stop-guests"))
		return stop_guests();
	if (argc == 2 && streq(argv[1], "booted"))
		return upgrade_booted();
	fprintf(stderr, "manor worker: this is Manor's own; it is not for people\n");
	return EXIT_BAD;
}
