/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Workers: spawned, read line by line, waited for, ended in time.
 */
#include "engine/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"

#define LINE_MAX_BYTES (64u << 20)
#define TAIL_BYTES     2000
#define GRACE_US       (10 * 1000000ull)

struct worker {
	struct worker *other; /* the next that was given up */
	char *name, *keep;
	pid_t pid;
	int in, out, err; /* our ends */
	char *request;
	size_t sent, request_n;
	struct str line, tail;
	sd_event_source *in_source, *out_source, *err_source, *child_source, *timer;
	bool exited, out_closed, timed_out, gentle;
	bool resting; /* in `idle` */
	bool killed;  /* asked to end, by its time limit or by worker_stop() */
	bool stopped; /* … the latter */
	bool babbled;
	int status;
	unsigned timeout_ms;
	bool has_result;
	int result;
	char *text;
	json_object *value;
	struct err error;
	struct worker_spec spec;
};

/* Killed, and not dead yet. */
static struct worker *given_up;
/* Kept, with nothing to do. */
static struct worker *idle;

bool worker_hangs(const char *name)
{
	for (const struct worker *w = given_up; w; w = w->other)
		if (streq(w->name, name))
			return true;
	return false;
}

static void leave(struct worker **list, struct worker *w)
{
	for (struct worker **p = list; *p; p = &(*p)->other) {
		if (*p != w)
			continue;
		*p = w->other;
		break;
	}
}

static void release(struct worker *w)
{
	leave(&given_up, w);
	leave(&idle, w);
	sd_event_source_disable_unref(w->in_source);
	sd_event_source_disable_unref(w->out_source);
	sd_event_source_disable_unref(w->err_source);
	sd_event_source_disable_unref(w->child_source);
	sd_event_source_disable_unref(w->timer);
	closep(&w->in);
	closep(&w->out);
	closep(&w->err);
	str_done(&w->line);
	str_done(&w->tail);
	free(w->request);
	free(w->text);
	free(w->name);
	free(w->keep);
	json_object_put(w->value);
	err_done(&w->error);
	free(w);
}

static void say_why(struct worker *w)
{
	const char *tail = str_get(&w->tail);

	if (w->has_result)
		return;
	if (w->babbled)
		w->result =
			err_set(&w->error, -EMSGSIZE, "its worker said more than %u MiB at once",
				LINE_MAX_BYTES >> 20);
	else if (w->timed_out)
		w->result = err_set(&w->error, -ETIMEDOUT, "took longer than %u s",
				    w->timeout_ms / 1000);
	else if (WIFSIGNALED(w->status))
		w->result = err_set(&w->error, -EIO, "its worker died of signal %d (%s)%s%s",
				    WTERMSIG(w->status), strsignal(WTERMSIG(w->status)),
				    tail[0] ? ": " : "", tail);
	else
		w->result = err_set(&w->error, -EIO, "its worker ended without a result%s%s",
				    tail[0] ? ": " : "", tail);
}

/* What one request left behind. */
static void forget_answer(struct worker *w)
{
	w->timer = sd_event_source_disable_unref(w->timer);
	w->in_source = sd_event_source_disable_unref(w->in_source);
	str_done(&w->tail);
	free(w->request);
	w->request = NULL;
	free(w->text);
	w->text = NULL;
	json_object_put(w->value);
	w->value = NULL;
	err_done(&w->error);
	w->has_result = false;
}

/* It answered, and goes on living. Whoever asked may give it the next at once. */
static void rest(struct worker *w)
{
	struct worker_spec spec = w->spec;
	int result = w->result;
	_cleanup_(freep) char *text = w->text;
	_cleanup_err_ struct err error = w->error;
	json_object *value = w->value;

	w->text = NULL;
	w->value = NULL;
	w->error = (struct err){0};
	forget_answer(w);
	w->spec.ended = NULL;
	w->spec.progress = NULL;
	w->resting = true;
	w->other = idle;
	idle = w;
	if (spec.ended)
		spec.ended(spec.data, result, text, value, &error);
	json_object_put(value);
}

/* Over when the process is reaped and all it said is read. A grandchild may keep the pipe open: the
 * result line or the exit is enough then. */
static void maybe_over(struct worker *w)
{
	if (w->keep && w->has_result && !w->exited && !w->killed && !w->out_closed) {
		rest(w);
		return;
	}
	/* Nothing comes after what it was asked to leave. */
	if (w->keep && w->has_result && w->in >= 0) {
		w->in_source = sd_event_source_disable_unref(w->in_source);
		closep(&w->in);
		w->in = -1;
	}
	if (!w->exited || (!w->out_closed && !w->has_result && !w->killed))
		return;
	say_why(w);
	if (w->spec.ended)
		w->spec.ended(w->spec.data, w->result, w->text, w->value, &w->error);
	release(w);
}

static void take_line(struct worker *w, const char *line)
{
	json_object *o = json_tokener_parse(line), *v;
	const char *text = json_text(o, "text"), *progress = json_text(o, "progress");

	if (!o || !json_object_is_type(o, json_type_object)) {
		/* A library printed to standard output: it belongs to the log. */
		log_debug("%s: %s", w->name, line);
	} else if (json_object_object_get_ex(o, "result", &v)) {
		w->has_result = true;
		w->result = json_object_get_int(v);
		free(w->text);
		w->text = text ? xstrdup(text) : NULL;
		if (json_object_object_get_ex(o, "value", &v)) {
			json_object_put(w->value);
			w->value = json_object_get(v);
		}
		if (w->result < 0 && json_object_object_get_ex(o, "error", &v)) {
			const char *message = json_text(v, "message");
			const char *help = json_text(v, "help");
			const char *path = json_text(v, "path");

			err_set(&w->error, w->result, "%s", message ? message : "failed");
			if (help)
				err_help(&w->error, "%s", help);
			if (path)
				err_at(&w->error, "%s", path);
		}
	} else if (progress && w->spec.progress) {
		w->spec.progress(w->spec.data, progress, (uint64_t)json_int(o, "done"),
				 (uint64_t)json_int(o, "total"));
	}
	json_object_put(o);
}

/* Reads once what the pipe holds; false when there was nothing (yet, or any more). */
static bool take_output(struct worker *w)
{
	char buf[65536];
	ssize_t n = read(w->out, buf, sizeof(buf));
	size_t seen;
	char *nl;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		sd_event_source_set_enabled(w->out_source, SD_EVENT_OFF);
		w->out_closed = true;
		return false;
	}
	if (w->line.n + (size_t)n > LINE_MAX_BYTES) {
		/* Nothing of it is heard any more, or the loop would turn about it alone. */
		w->babbled = true;
		w->out_source = sd_event_source_disable_unref(w->out_source);
		closep(&w->out);
		w->out = -1;
		w->out_closed = true;
		worker_stop(w);
		return false;
	}
	seen = w->line.n;
	str_addn(&w->line, buf, (size_t)n);
	while ((nl = memchr(w->line.s + seen, '\n', w->line.n - seen))) {
		seen = 0;
		size_t used = (size_t)(nl - w->line.s) + 1;

		*nl = '\0';
		take_line(w, w->line.s);
		memmove(w->line.s, w->line.s + used, w->line.n - used + 1);
		w->line.n -= used;
	}
	return true;
}

static int on_out(sd_event_source *s, int fd, uint32_t events, void *data)
{
	take_output(data);
	maybe_over(data);
	return 0;
}

static int on_err(sd_event_source *s, int fd, uint32_t events, void *data)
{
	struct worker *w = data;
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		sd_event_source_set_enabled(s, SD_EVENT_OFF);
		return 0;
	}
	buf[n] = '\0';
	log_info("%s: %s", w->name, buf);
	str_addn(&w->tail, buf, (size_t)n);
	if (w->tail.n > TAIL_BYTES) {
		memmove(w->tail.s, w->tail.s + w->tail.n - TAIL_BYTES, TAIL_BYTES + 1);
		w->tail.n = TAIL_BYTES;
	}
	return 0;
}

static int on_in(sd_event_source *s, int fd, uint32_t events, void *data)
{
	struct worker *w = data;
	ssize_t n = write(fd, w->request + w->sent, w->request_n - w->sent);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n > 0)
		w->sent += (size_t)n;
	if (n < 0 || w->sent == w->request_n) {
		w->in_source = sd_event_source_disable_unref(w->in_source);
		if (w->keep && n >= 0)
			return 0;
		closep(&w->in);
		w->in = -1;
	}
	return 0;
}

static int on_child(sd_event_source *s, const siginfo_t *si, void *data)
{
	struct worker *w = data;

	w->exited = true;
	if (w->resting) {
		release(w);
		return 0;
	}
	w->status = si->si_code == CLD_EXITED ? (si->si_status & 0xff) << 8 : si->si_status;
	/* What it said last may still be in the pipe. */
	while (!w->out_closed && take_output(w))
		;
	maybe_over(w);
	return 0;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *data);

/* SIGTERM, and after a grace the timer once more, but for one that must end by itself. */
static void ask_to_end(struct worker *w)
{
	sd_event *loop = sd_event_source_get_event(w->child_source);

	w->killed = true;
	w->timer = sd_event_source_disable_unref(w->timer);
	if (!w->exited)
		kill(-w->pid, SIGTERM);
	if ((w->exited || !w->gentle) &&
	    sd_event_add_time_relative(loop, &w->timer, CLOCK_MONOTONIC, w->exited ? 0 : GRACE_US,
				       10000, on_timer, w) < 0)
		abort();
}

static int on_timer(sd_event_source *s, uint64_t usec, void *data)
{
	struct worker *w = data;

	w->timed_out |= !w->stopped;
	if (w->exited) { /* a grandchild holds its pipe */
		w->killed = true;
		maybe_over(w);
		return 0;
	}
	if (!w->killed) {
		log_warn("%s: over its time limit of %u s, asked to end", w->name,
			 w->timeout_ms / 1000);
		ask_to_end(w);
		return 0;
	}
	kill(-w->pid, SIGKILL);
	/* What hangs in the kernel doesn't die either. A reading is given up all the same; a step is
	 * waited for, for it may yet change the host. */
	if (w->spec.lock_fd < 0 && w->spec.ended) {
		say_why(w);
		w->other = given_up;
		given_up = w;
		w->spec.ended(w->spec.data, w->result, NULL, NULL, &w->error);
		w->spec.ended = NULL;
		w->spec.progress = NULL;
	}
	return 0;
}

void worker_stop(struct worker *w)
{
	if (w->killed)
		return; /* it was asked already, and its grace runs */
	w->stopped = true;
	ask_to_end(w);
}

void worker_block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static int spawn(struct worker *w, const struct worker_spec *spec, struct err *e)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1}, errp[2] = {-1, -1};
	const char *argv[16] = {"manor", "worker"};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	size_t n = 2;
	int r;

	for (size_t i = 0; spec->args[i] && n + 1 < ARRAY_SIZE(argv); i++)
		argv[n++] = spec->args[i];
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(errp, O_CLOEXEC) < 0) {
		r = -errno;
		closep(&in[0]);
		closep(&in[1]);
		closep(&out[0]);
		closep(&out[1]);
		return err_errno(e, r, "pipe");
	}
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	posix_spawn_file_actions_adddup2(&actions, errp[1], 2);
	if (spec->lock_fd >= 0)
		posix_spawn_file_actions_adddup2(&actions, spec->lock_fd, 3);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	r = -posix_spawn(&w->pid, "/proc/self/exe", &actions, &attr, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	closep(&in[0]);
	closep(&out[1]);
	closep(&errp[1]);
	w->in = in[1];
	w->out = out[0];
	w->err = errp[0];
	if (r < 0)
		return err_errno(e, r, "start a worker");
	fcntl(w->in, F_SETFL, O_NONBLOCK);
	fcntl(w->out, F_SETFL, O_NONBLOCK);
	fcntl(w->err, F_SETFL, O_NONBLOCK);
	return 0;
}

/* Gives it what `spec` says: its request, its time. */
static int hand(sd_event *loop, struct worker *w, const struct worker_spec *spec)
{
	int r;

	free(w->name);
	w->name = xstrdup(spec->name);
	w->gentle = spec->gentle;
	w->timeout_ms = spec->timeout_ms;
	w->spec = *spec;
	if (spec->request)
		w->request = xasprintf("%s\n", json_object_to_json_string_ext(
						       spec->request, JSON_C_TO_STRING_PLAIN));
	else
		w->request = xstrdup("");
	w->request_n = strlen(w->request);
	w->sent = 0;
	r = sd_event_add_io(loop, &w->in_source, w->in, EPOLLOUT, on_in, w);
	if (r >= 0 && spec->timeout_ms)
		r = sd_event_add_time_relative(loop, &w->timer, CLOCK_MONOTONIC,
					       spec->timeout_ms * 1000ull, 10000, on_timer, w);
	return r;
}

static struct worker *idle_of(const struct worker_spec *spec)
{
	struct worker *w = idle;

	while (w && (w->out_closed || !streq(w->keep, spec->keep) || w->spec.owner != spec->owner))
		w = w->other;
	return spec->keep ? w : NULL;
}

/* Nothing is under way in it, so it can go at once; and it is gone when this returns, with the lock that it had. */
static void let_go(struct worker *w)
{
	pid_t pid = w->exited ? 0 : w->pid;

	release(w);
	if (pid && kill(pid, SIGKILL) == 0)
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
}

void workers_let_go(const void *owner)
{
	for (struct worker *w = idle, *next; w; w = next) {
		next = w->other;
		if (w->spec.owner == owner)
			let_go(w);
	}
}

int worker_start(sd_event *loop, const struct worker_spec *spec, struct worker **ret, struct err *e)
{
	struct worker *w = idle_of(spec);
	int r;

	if (w) {
		leave(&idle, w);
		w->resting = false;
		r = hand(loop, w, spec);
		if (r >= 0) {
			if (ret)
				*ret = w;
			return 0;
		}
		let_go(w);
	}
	w = xcalloc(1, sizeof(*w));
	w->in = w->out = w->err = -1;
	w->keep = spec->keep ? xstrdup(spec->keep) : NULL;
	r = spawn(w, spec, e);
	if (r < 0) {
		release(w);
		return r;
	}
	r = sd_event_add_child(loop, &w->child_source, w->pid, WEXITED, on_child, w);
	if (r >= 0)
		r = sd_event_add_io(loop, &w->out_source, w->out, EPOLLIN, on_out, w);
	if (r >= 0)
		r = sd_event_add_io(loop, &w->err_source, w->err, EPOLLIN, on_err, w);
	if (r >= 0)
		r = hand(loop, w, spec);
	if (r < 0) {
		kill(-w->pid, SIGTERM);
		release(w);
		return err_errno(e, r, "watch a worker");
	}
	/* An exit is looked at after what the pipe still holds. */
	sd_event_source_set_priority(w->child_source, SD_EVENT_PRIORITY_NORMAL + 10);
	if (ret)
		*ret = w;
	return 0;
}
