/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor undelete: removed volumes listed, or brought back: the newest of a name, or all of a domain's.
 * Whose they are the manifest's namespace says. It goes to LVM itself, whose own lock keeps it apart
 * from an apply.
 */
#include <stdio.h>

#include "cli/trash.h"

/* Whether a newer tombstone of that volume stands before it. One of another's counts only where there
 * is none of ours. */
static bool older(const struct tombstone *t, size_t n, size_t index)
{
	for (size_t i = 0; i < n; i++)
		if (streq(t[i].name, t[index].name) &&
		    (t[i].ours != t[index].ours ? t[i].ours : i < index))
			return true;
	return false;
}

static int bring_back(struct arena *a, const struct facts *f, const char *what,
		      const struct tombstone *t, size_t n)
{
	int exit_code = EXIT_FINE;
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		_cleanup_err_ struct err e = {0};

		if (!volume_meant(&t[i], what) || older(t, n, i))
			continue;
		found++;
		if (volume_undelete(a, f, &t[i], &e) == 0) {
			printf("volume/%s is back: %s/%s, kept until a manifest names it\n",
			       t[i].name, t[i].vg, t[i].name);
			continue;
		}
		fprintf(stderr, "manor undelete: volume/%s: %s\n", t[i].name, e.message);
		if (e.help)
			fprintf(stderr, "  help: %s\n", e.help);
		exit_code = EXIT_FAILED;
	}
	if (found)
		return exit_code;
	fprintf(stderr, "manor undelete: no removed volume of '%s' is kept; there %s%s", what,
		n ? "are: " : "are none", n ? "" : "\n");
	for (size_t i = 0; i < n; i++)
		if (!older(t, n, i))
			fprintf(stderr, "%s%s", i ? ", " : "", t[i].name);
	if (n)
		fprintf(stderr, "\n");
	return EXIT_FAILED;
}

int verb_undelete(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "format", "noheadings", "operands", NULL};
	_cleanup_(trash_done) struct trash t = {0};
	struct options o;
	int rest;
	int r = options_read(argc, argv, accepts, &o, &rest);

	if (r)
		return r < 0 ? EXIT_FINE : r;
	if (argc - rest > 1) {
		fprintf(stderr, "manor undelete: one volume or domain at a time\n");
		return EXIT_BAD;
	}
	r = trash_open(&t, &o, argv[0]);
	if (r)
		return r;
	if (rest >= argc) {
		trash_print(&t, &o);
		return EXIT_FINE;
	}
	return bring_back(t.facts->arena, t.facts, argv[rest], t.list, t.n);
}
