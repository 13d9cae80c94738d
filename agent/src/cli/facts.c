/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor facts: the host as data.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/loop.h"
#include "engine/observe.h"
#include "kinds/kinds.h"

static void on_facts(void *data, struct facts *facts)
{
	struct loop *l = data;

	l->facts = facts;
	sd_event_exit(l->event, 0);
}

struct facts *facts_now(void)
{
	_cleanup_(loop_done) struct loop l = {0};
	struct facts *f;

	if (loop_init(&l) < 0)
		return NULL;
	observe(l.event, all_readers, on_facts, &l);
	if (sd_event_loop(l.event) < 0)
		return NULL;
	f = l.facts;
	l.facts = NULL;
	return f;
}

int verb_facts(int argc, char **argv)
{
	static const char *const accepts[] = {"format", NULL};
	_cleanup_facts_ struct facts *f = NULL;
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
	f = facts_now();
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
