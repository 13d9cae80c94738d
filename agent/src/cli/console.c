/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor console: a terminal at a guest's console.
 */
#include <stdio.h>

#include "cli/guest.h"

static const char *const type_words[] = {"pv", "serial", NULL};

int verb_console(int argc, char **argv)
{
	static const char *const accepts[] = {"type", "operands", NULL};
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_err_ struct err e = {0};
	enum xen_console which = XEN_CONSOLE_FIRST;
	const struct xen_domain *d;
	struct options o;
	const char *name;
	int at, word, r = options_read(argc, argv, accepts, &o, &at);

	if (r)
		return r < 0 ? EXIT_FINE : r;
	name = guest_operand(argc, argv, at);
	if (!name)
		return EXIT_BAD;
	if (o.type) {
		word = word_find(type_words, o.type);
		if (word < 0) {
			fprintf(stderr, "manor console: --type is pv or serial, not '%s'\n",
				o.type);
			return EXIT_BAD;
		}
		which = word == 0 ? XEN_CONSOLE_PV : XEN_CONSOLE_SERIAL;
	}
	d = guest_running(a, argv[0], name);
	if (!d)
		return EXIT_FAILED;
	fprintf(stderr, "manor: the console of %s; Ctrl-] leaves it\n", name);
	xen_console(d->domid, which, &e);
	fprintf(stderr, "manor console: %s\n", e.message ? e.message : "failed");
	return EXIT_FAILED;
}
