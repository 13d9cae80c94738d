/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor check: is the manifest sound? Looks at the file alone, never at the host.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "model/kind.h"

/* "2 bridges, 1 domain" */
static void print_counts(const struct kind *const *kinds, const size_t *counts)
{
	const char *comma = "";

	for (size_t k = 0; kinds[k]; k++) {
		if (counts[k] == 0)
			continue;
		printf("%s%zu %s", comma, counts[k],
		       counts[k] == 1 ? kinds[k]->name : kinds[k]->section);
		comma = ", ";
	}
	printf("%s\n", *comma ? "" : "nothing declared");
}

static void print_sound(const struct manifest *m)
{
	printf("%s: sound: ", m->source.name);
	if (m->hosts.n == 0) {
		print_counts(m->kinds, manifest_count(m->arena, m));
		return;
	}
	printf("%zu host%s\n", m->hosts.n, m->hosts.n == 1 ? "" : "s");
	for (size_t i = 0; i < m->hosts.n; i++) {
		const struct manifest_host *host = m->hosts.items[i];

		printf("  %s: ", host->name);
		print_counts(m->kinds, host->counts);
	}
}

int verb_check(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "format", "host", NULL};
	struct options o;
	_cleanup_manifest_ struct manifest *m = NULL;
	struct who who = {0};
	int r;

	r = options_read(argc, argv, accepts, &o, NULL);
	if (r != 0)
		return r < 0 ? EXIT_FINE : r;
	who.host = o.host;
	m = manifest_open_for(&o, o.host ? &who : NULL);
	if (!m)
		return EXIT_BAD;
	if (o.json)
		print_json(diags_json(m->diags));
	else
		print_sound(m);
	return EXIT_FINE;
}
