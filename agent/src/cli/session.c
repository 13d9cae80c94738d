/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One run from the command line: the agent's if it answers, else our own.
 */
#include "cli/session.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>

#include "agent/client.h"
#include "cli/loop.h"
#include "cli/show.h"
#include "engine/converge.h"
#include "engine/store.h"
#include "kinds/kinds.h"
#include "model/manifest_json.h"

struct here {
	struct show show;
	struct converge *converge;
	sd_event *event;
	bool interrupted;
};

/* "y" and nothing else; the end of input is no. *ret_interrupted: Ctrl-C. */
static bool ask(bool *ret_interrupted)
{
	const struct timespec at_once = {0};
	char line[16];
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);

	/* Standard output may be a file or a pipe that the person doesn't see. */
	fprintf(stderr, "Apply? [y/N] ");
	for (;;) {
		struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};

		/* SIGINT is blocked for the loop; here it answers. */
		if (poll(&p, 1, 200) > 0)
			break;
		if (sigtimedwait(&ends, NULL, &at_once) > 0) {
			fprintf(stderr, "\n");
			*ret_interrupted = true;
			return false;
		}
	}
	return fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y');
}

static void on_event(void *data, json_object *event)
{
	struct here *h = data;

	show_event(&h->show, event);
}

static int on_ask(sd_event_source *s, void *data)
{
	struct here *h = data;
	bool yes;

	if (h->show.asked) {
		h->show.asked = false;
		h->show.quiet_plan = true;
		yes = ask(&h->interrupted);
		if (h->interrupted)
			converge_stop(h->converge);
		else
			converge_confirm(h->converge, yes);
	}
	return 0;
}

static void on_ended(void *data, enum converge_result result, const struct converge *c)
{
	struct here *h = data;

	h->converge = NULL;
	sd_event_exit(h->event, 0);
}

static int on_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *data)
{
	struct here *h = data;

	if (!h->interrupted)
		fprintf(stderr, "\nmanor: stopping: the steps at hand come to their end first\n");
	h->interrupted = true;
	if (h->converge)
		converge_stop(h->converge);
	return 0;
}

static int run_here(const struct session *s, struct show *show, json_object *manifest)
{
	_cleanup_(loop_done) struct loop l = {0};
	struct here h = {.show = *show};
	sd_event_source *asker = NULL;
	struct converge_options o = {
		.kinds = all_kinds,
		.readers = all_readers,
		.manifest = manifest,
		.plan = {.allowed = s->allowed, .only = s->only},
		.jobs = s->o->jobs ? (size_t)s->o->jobs : (size_t)sysconf(_SC_NPROCESSORS_ONLN),
		.plan_only = s->plan_only,
		.confirm = s->confirm,
		.event = on_event,
		.ended = on_ended,
		.data = &h,
	};

	if (loop_init(&l) < 0)
		return EXIT_FAILED;
	h.event = l.event;
	h.converge = converge_start(l.event, &o);
	sd_event_add_signal(l.event, NULL, SIGINT, on_signal, &h);
	sd_event_add_signal(l.event, NULL, SIGTERM, on_signal, &h);
	/* The question is asked between two turns of the loop, not from within an event. */
	sd_event_add_post(l.event, &asker, on_ask, &h);
	if (sd_event_loop(l.event) < 0)
		h.show.exit_code = EXIT_FAILED;
	sd_event_source_unref(asker);
	*show = h.show;
	return h.interrupted && h.show.exit_code != EXIT_FINE ? EXIT_INTERRUPTED : h.show.exit_code;
}

static int run_there(const struct session *s, struct show *show, json_object *manifest,
		     struct client *c)
{
	json_object *request = json_object_new_object(), *event;
	bool interrupted = false, yes;

	json_put_text(request, "verb", s->plan_only ? "plan" : "apply");
	if (manifest)
		json_object_object_add(request, "manifest", json_object_get(manifest));
	json_put_text(request, "allow", impact_words[s->allowed]);
	json_put_text(request, "only", s->only);
	json_object_object_add(request, "confirm", json_object_new_boolean(s->confirm));
	if (s->o->jobs)
		json_object_object_add(request, "jobs", json_object_new_int64(s->o->jobs));
	client_send(c, request);
	json_object_put(request);
	while (!show->ended && (event = client_receive(c, &interrupted))) {
		show_event(show, event);
		json_object_put(event);
		if (show->asked) {
			json_object *answer = json_object_new_object();

			show->asked = false;
			show->quiet_plan = true;
			yes = ask(&interrupted);
			json_object_object_add(answer, interrupted ? "stop" : "confirm",
					       json_object_new_boolean(interrupted || yes));
			client_send(c, answer);
			json_object_put(answer);
		}
	}
	client_close(c);
	if (!show->ended) {
		fprintf(stderr, "manor: the agent went away in the middle; it goes on by itself "
				"when it is back (systemctl status manor), or run apply again\n");
		return EXIT_FAILED;
	}
	return interrupted && show->exit_code != EXIT_FINE ? EXIT_INTERRUPTED : show->exit_code;
}

/* Read here, with our descriptors and our patience: the agent is handed what it says. False where it is
 * bad, which is shown. */
static bool read_manifest(const struct session *s, struct show *show, json_object **ret)
{
	struct diags *d = diags_new();
	struct who who = who_of(s->o->host);
	struct manifest *m = manifest_load(s->file, &who, all_kinds, d);
	_cleanup_(freep) char *real = realpath(s->file, NULL);
	json_object *event;

	if (m) {
		*ret = manifest_to_json(m);
		/* Whoever reads of it elsewhere isn't where we are. */
		if (s->file[0] != '/' && real && access(real, F_OK) == 0)
			json_put_text(*ret, "name", real);
		manifest_free(m);
		return true;
	}
	diags_sort(d);
	event = converge_diagnostics(d);
	show_event(show, event);
	json_object_put(event);
	event = json_object_new_object();
	json_put_text(event, "event", "end");
	json_put_text(event, "result", converge_result_words[CONVERGE_BAD]);
	show_event(show, event);
	json_object_put(event);
	diags_free(d);
	return false;
}

int session_run(const struct session *s)
{
	struct show show = {
		.json = s->o->json,
		.plan_only = s->plan_only,
		.quiet_plan = s->by_name,
		.by_name = s->by_name ? s->only : NULL,
		.colour = s->o->colour,
		.terminal = isatty(STDOUT_FILENO),
		.file = s->file,
	};
	_cleanup_json_ json_object *manifest = NULL;
	struct client *c;
	int r = EXIT_BAD;

	if (!s->file || read_manifest(s, &show, &manifest)) {
		c = client_open();
		r = c ? run_there(s, &show, manifest, c) : run_here(s, &show, manifest);
	}
	show_done(&show);
	return r;
}

void session_from_options(struct session *s, const struct options *o)
{
	int word = MAX_OF(word_find(impact_words, o->allow), word_find(impact_words, o->only));

	s->o = o;
	s->allowed = word >= 0 ? (enum impact)word : IMPACT_LIVE;
	if (o->only && strchr(o->only, '/'))
		s->only = o->only;
}

const char *session_file(const struct options *o)
{
	if (o->file)
		return o->file;
	return access(STORE_MANIFEST, R_OK) == 0 ? NULL : manifest_path(o);
}

struct manifest *session_in_force(void)
{
	_cleanup_err_ struct err e = {0};
	struct diags *d = diags_new();
	struct who who = who_of(NULL);
	struct manifest *m = NULL;

	if (store_load_manifest(&who, all_kinds, d, &m, &e) == 0)
		return m;
	if (access(STORE_MANIFEST, F_OK) == 0)
		fprintf(stderr, "manor: %s\n", e.message);
	diags_free(d);
	return NULL;
}

struct manifest *session_manifest(const struct options *o)
{
	struct manifest *m;

	if (session_file(o))
		return manifest_open(o);
	m = session_in_force();
	return m ? m : manifest_open(o);
}

int cli_converge(const char *only, const struct options *o)
{
	struct session s = {0};

	session_from_options(&s, o);
	s.only = only;
	s.by_name = true;
	s.file = session_file(o);
	return session_run(&s);
}
