/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor plan: what would change. With --facts it reads no host at all.
 */
#include <stdio.h>

#include "base/json.h"
#include "cli/loop.h"
#include "cli/session.h"
#include "cli/show.h"
#include "engine/planner.h"
#include "kinds/kinds.h"
#include "model/step_json.h"

/* What is in the way, at the lines that ask for it. */
static void tell_conflicts(const struct plan *p, bool colour)
{
	_cleanup_diags_ struct diags *d = diags_new();

	for (size_t i = 0; i < p->n; i++)
		if (p->steps[i].hold == HOLD_CONFLICT)
			step_diag(d, &p->steps[i], NULL, p->steps[i].hold_why);
	diags_sort(d);
	diags_print(d, stderr, colour);
}

static int plan_offline(const struct options *o)
{
	_cleanup_facts_ struct facts *f = facts_load("plan", o->facts);
	_cleanup_manifest_ struct manifest *m = NULL;
	_cleanup_plan_ struct plan *p = NULL;
	struct session s = {0};
	struct show show = {.json = o->json, .plan_only = true, .colour = o->colour};
	struct who who;
	int r = EXIT_FINE;

	if (!f)
		return EXIT_BAD;
	/* The host is that of the facts. */
	who = facts_who(f);
	who.host = o->host;
	m = manifest_open_for(o, &who);
	if (!m)
		return EXIT_BAD;
	session_from_options(&s, o);
	p = plan_make(m, f, &(struct plan_options){.allowed = s.allowed, .only = s.only});
	show.file = m->source.name;
	if (o->json) {
		print_json(plan_to_json(p));
	} else {
		json_object *json = plan_to_json(p);

		show_plan(&show, json, false);
		json_object_put(json);
	}
	if (p->refusal) {
		fprintf(stderr, "manor plan: refused: %s\n", p->refusal);
		if (p->refusal_help)
			fprintf(stderr, "help: %s\n", p->refusal_help);
		return EXIT_FAILED;
	}
	if (!o->json)
		tell_conflicts(p, o->colour_err);
	for (size_t i = 0; i < p->n; i++) {
		enum hold hold = p->steps[i].hold;

		if (hold == HOLD_CONFLICT || hold == HOLD_UNKNOWN)
			return EXIT_FAILED;
		r = EXIT_CHANGES;
	}
	return r;
}

int verb_plan(int argc, char **argv)
{
	static const char *const accepts[] = {"file",  "format", "facts", "host",
					      "allow", "only",   NULL};
	struct session s = {.plan_only = true};
	struct options o;
	int r = options_read(argc, argv, accepts, &o, NULL);

	if (r)
		return r < 0 ? EXIT_FINE : r;
	if (o.facts)
		return plan_offline(&o);
	session_from_options(&s, &o);
	s.file = manifest_path(&o);
	return s.file ? session_run(&s) : EXIT_BAD;
}
