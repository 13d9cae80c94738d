/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor fetch: a manifest from where a machine that starts would have it, checked as there.
 */
#include <errno.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/written.h"
#include "conf/node.h"
#include "host/remote.h"

#define PATIENCE_S 60

int verb_fetch(int argc, char **argv)
{
	static const char *const accepts[] = {"output", "force",   "sha256",   "key",
					      "ca",     "timeout", "operands", NULL};
	_cleanup_(freep) char *text = NULL;
	_cleanup_err_ struct err e = {0};
	struct remote q = {.max = NODE_MAX_BYTES, .patience_s = PATIENCE_S};
	struct options o;
	size_t n;
	int at, r = options_read(argc, argv, accepts, &o, &at);

	if (r)
		return r < 0 ? EXIT_FINE : r;
	if (argc - at != 1) {
		fprintf(stderr, "manor fetch: one address is needed: manor fetch URL\n");
		return EXIT_BAD;
	}
	q.url = argv[at];
	q.sha256 = o.sha256;
	q.keys = o.key;
	q.ca = o.ca;
	if (o.timeout >= 0)
		q.patience_s = (unsigned)o.timeout;
	r = remote_read(&q, &text, &n, &e);
	if (r >= 0 && strlen(text) != n)
		r = err_set(&e, -EINVAL, "%s is no text", q.url);
	if (r >= 0)
		r = written_out(&o, text, &e);
	if (r >= 0)
		return EXIT_FINE;
	/* One line: a console has no room for more. */
	fprintf(stderr, "%s%s%s\n", e.message, e.help ? "; " : "", e.help ? e.help : "");
	return EXIT_FAILED;
}
