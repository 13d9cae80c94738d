/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor export: this host as a manifest, with what others made on it. It is read back before anyone else reads it.
 */
#include <stdio.h>

#include "cli/loop.h"
#include "cli/session.h"
#include "cli/written.h"
#include "kinds/export.h"
#include "kinds/kinds.h"

static int say(struct err *e)
{
	fprintf(stderr, "manor export: %s\n", e->message);
	if (e->help)
		fprintf(stderr, "  help: %s\n", e->help);
	return EXIT_FAILED;
}

/* What could not be read is missing in the manifest. */
static bool all_known(const struct facts *f)
{
	bool known = true;

	for (size_t i = 0; i < f->n; i++) {
		if (f->readings[i].known)
			continue;
		fprintf(stderr, "manor export: '%s' is not known, and missing here: %s\n",
			f->readings[i].reader->name, f->readings[i].why);
		known = false;
	}
	return known;
}

/* Of other facts than this host's nothing is in force. */
static int find(const struct options *o, struct manifest **ret)
{
	*ret = o->file ? session_manifest(o) : o->facts ? NULL : session_in_force();
	return o->file && !*ret ? EXIT_BAD : EXIT_FINE;
}

int verb_export(int argc, char **argv)
{
	static const char *const accepts[] = {"file",  "facts",     "output",
					      "force", "namespace", NULL};
	_cleanup_manifest_ struct manifest *m = NULL;
	_cleanup_facts_ struct facts *f = NULL;
	_cleanup_diags_ struct diags *d = NULL;
	_cleanup_err_ struct err e = {0};
	struct options o;
	const char *text, *ok;
	int r = options_read(argc, argv, accepts, &o, NULL);
	bool known, sound;

	if (r)
		return r < 0 ? EXIT_FINE : r;
	d = diags_new();
	if (o.namespace &&
	    parse_namespace(&(struct decode){.arena = d->arena}, NULL, o.namespace, &ok, &e) < 0) {
		fprintf(stderr, "manor export: '%s' is not %s\n", o.namespace, e.message);
		return EXIT_BAD;
	}
	r = find(&o, &m);
	if (r != EXIT_FINE)
		return r;
	f = o.facts ? facts_load("export", o.facts) : facts_now(m);
	if (!f)
		return o.facts ? EXIT_BAD : EXIT_FAILED;
	known = all_known(f);
	text = export_manifest(m, f, o.namespace, d);
	if (written_out(&o, text, &e) < 0)
		return say(&e);
	sound = written_sound(&o, text);
	if (!sound)
		fprintf(stderr, "manor export: the manifest is written, and is not sound yet\n");
	return known && sound ? EXIT_FINE : EXIT_FAILED;
}
