/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor render: a domain of the manifest in xl's words.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/session.h"
#include "kinds/domain.h"
#include "kinds/kinds.h"

int verb_render(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "host", "operands", NULL};
	_cleanup_manifest_ struct manifest *m = NULL;
	const struct resource *domain;
	struct options o;
	const char *name;
	int at, r = options_read(argc, argv, accepts, &o, &at);

	if (r)
		return r < 0 ? EXIT_FINE : r;
	if (argc - at != 1) {
		fprintf(stderr, "manor render: one domain is needed: manor render NAME\n");
		return EXIT_BAD;
	}
	name = startswith(argv[at], "domain/") ? argv[at] + strlen("domain/") : argv[at];
	m = session_manifest(&o);
	if (!m)
		return EXIT_BAD;
	domain = manifest_find(m, kind_domain.name, name);
	if (!domain) {
		fprintf(stderr, "manor render: %s declares no domain '%s'\n", m->source.name, name);
		return EXIT_BAD;
	}
	fputs(domain_render(m->arena, domain), stdout);
	return EXIT_FINE;
}
