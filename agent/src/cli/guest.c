/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A domain that runs, by its name.
 */
#include "cli/guest.h"

#include <stdio.h>

const struct xen_domain *guest_running(struct arena *a, const char *verb, const char *name)
{
	_cleanup_err_ struct err e = {0};
	struct xen_facts x = {0};

	if (xen_read(a, name, NULL, &x, &e) < 0) {
		fprintf(stderr, "manor %s: %s\n", verb,
			e.message ? e.message : "Xen could not be read");
		return NULL;
	}
	for (size_t i = 0; i < x.domains.n; i++) {
		const struct xen_domain *d = x.domains.items[i];

		if (streq(d->name, name) && d->state != XEN_DYING)
			return d;
	}
	fprintf(stderr,
		"manor %s: no domain '%s' runs; what it said last is in "
		"/var/log/xen/console/guest-%s.log (serial-%s.log: on a machine's serial port), "
		"and `manor status` says why it is off\n",
		verb, name, name, name);
	return NULL;
}

const char *guest_operand(int argc, char **argv, int at)
{
	if (argc - at != 1) {
		fprintf(stderr, "manor %s: name one domain; see `manor help %s`\n", argv[0],
			argv[0]);
		return NULL;
	}
	return startswith(argv[at], "domain/") ? argv[at] + strlen("domain/") : argv[at];
}
