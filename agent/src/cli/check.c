/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor check: is the manifest sound? Looks at the file alone, never at the host.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "model/kind.h"

/* "2 bridges, 1 domain" */
static void print_counts(const struct manifest *m)
{
	const char *comma = "";
	size_t k, i, n;

	for (k = 0; m->kinds[k]; k++) {
		for (i = n = 0; i < m->n_resources; i++)
			n += m->resources[i]->kind == m->kinds[k] && !m->resources[i]->owner;
		if (n == 0)
			continue;
		printf("%s%zu %s", comma, n, n == 1 ? m->kinds[k]->name : m->kinds[k]->section);
		comma = ", ";
	}
	if (!*comma)
		printf("nothing declared");
}

int verb_check(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "format", NULL};
	struct options o;
	_cleanup_manifest_ struct manifest *m = NULL;
	int r;

	r = options_read(argc, argv, accepts, &o, NULL);
	if (r != 0)
		return r < 0 ? EXIT_FINE : r;
	m = manifest_open(&o);
	if (!m)
		return EXIT_BAD;
	if (o.json) {
		print_json(diags_json(m->diags));
	} else {
		printf("%s: sound: ", m->source.name);
		print_counts(m);
		printf("\n");
	}
	return EXIT_FINE;
}
