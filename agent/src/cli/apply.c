/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor apply: make the host as the manifest says.
 */
#include <stdio.h>

#include "cli/session.h"

int verb_apply(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "format", "yes", "allow",
					      "only", "jobs",   NULL};
	struct session s = {0};
	struct options o;
	int r = options_read(argc, argv, accepts, &o, NULL);

	if (r)
		return r < 0 ? EXIT_FINE : r;
	session_from_options(&s, &o);
	s.file = manifest_path(&o);
	if (!s.file)
		return EXIT_BAD;
	/* Scripts and pipelines have no one to ask: running apply is the answer there. */
	s.confirm = !o.yes && !o.json && isatty(STDIN_FILENO);
	return session_run(&s);
}
