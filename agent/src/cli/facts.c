/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor facts: the host as data.
 */
#include <stdio.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/loop.h"
#include "cli/session.h"
#include "engine/observe.h"
#include "kinds/kinds.h"

#define FACTS_BYTES (64u << 20)

static void on_facts(void *data, struct facts *facts)
{
	struct loop *l = data;

	l->facts = facts;
	sd_event_exit(l->event, 0);
}

struct facts *facts_now(const struct manifest *m)
{
	_cleanup_(loop_done) struct loop l = {0};
	_cleanup_arena_ struct arena *a = arena_new();
	struct list paths = {0};
	struct facts *f;

	if (loop_init(&l) < 0)
		return NULL;
	observe_paths(a, m, &paths);
	observe(l.event, all_readers, &paths, on_facts, &l);
	if (sd_event_loop(l.event) < 0)
		return NULL;
	f = l.facts;
	l.facts = NULL;
	return f;
}

struct facts *facts_load(const char *verb, const char *path)
{
	_cleanup_(freep) char *text = NULL;
	_cleanup_err_ struct err e = {0};
	struct facts *f = NULL;
	json_object *json;
	size_t n;

	if (file_read(streq(path, "-") ? "/dev/stdin" : path, FACTS_BYTES, &text, &n, &e) == 0) {
		json = json_parse(text, n, &e);
		if (json) {
			facts_from_json(json, all_readers, &f, &e);
			json_object_put(json);
		}
	}
	if (!f) {
		fprintf(stderr, "manor %s: facts %s: %s\n", verb, path, e.message);
		fprintf(stderr, "  help: make one on the host, with `manor facts > FILE`\n");
	}
	return f;
}

int verb_facts(int argc, char **argv)
{
	static const char *const accepts[] = {"format", "file", NULL};
	_cleanup_facts_ struct facts *f = NULL;
	_cleanup_manifest_ struct manifest *m = NULL;
	struct options o;
	int r = options_read(argc, argv, accepts, &o, NULL);
	bool known = true;

	if (r)
		return r < 0 ? EXIT_FINE : r;
	if (o.text) {
		fprintf(stderr,
			"manor facts: facts are JSON, and have no other form; for people there "
			"is `manor status`\n");
		return EXIT_BAD;
	}
	/* What else is read is the same whatever the manifest says; without one no path is asked for. */
	m = o.file ? session_manifest(&o) : session_in_force();
	if (o.file && !m)
		return EXIT_BAD;
	f = facts_now(m);
	if (!f)
		return EXIT_FAILED;
	/* JSON is what facts are; there is no other form. */
	print_json(facts_to_json(f));
	for (size_t i = 0; i < f->n; i++) {
		if (f->readings[i].known)
			continue;
		fprintf(stderr, "manor facts: '%s' is not known: %s\n", f->readings[i].reader->name,
			f->readings[i].why);
		known = false;
	}
	return known ? EXIT_FINE : EXIT_FAILED;
}
