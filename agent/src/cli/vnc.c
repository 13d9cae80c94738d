/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor vnc: where a guest's screen is.
 */
#include <stdio.h>

#include "cli/guest.h"

int verb_vnc(int argc, char **argv)
{
	static const char *const accepts[] = {"format", "operands", NULL};
	_cleanup_arena_ struct arena *a = arena_new();
	const struct xen_domain *d;
	struct options o;
	const char *name;
	int at, r = options_read(argc, argv, accepts, &o, &at);

	if (r)
		return r < 0 ? EXIT_FINE : r;
	name = guest_operand(argc, argv, at);
	if (!name)
		return EXIT_BAD;
	d = guest_running(a, argv[0], name);
	if (!d)
		return EXIT_FAILED;
	if (!d->vnc) {
		fprintf(stderr,
			"manor vnc: %s has no screen; `vnc: true` in the manifest gives it one\n",
			name);
		return EXIT_FAILED;
	}
	if (o.json) {
		json_object *j = json_object_new_object();

		json_put_text(j, "domain", name);
		json_put_text(j, "vnc", d->vnc);
		print_json(j);
		return EXIT_FINE;
	}
	printf("%s\n", d->vnc);
	if (startswith(d->vnc, "127.") || startswith(d->vnc, "[::1]"))
		fprintf(stderr,
			"It listens on this host alone: from elsewhere, ssh -L %s:%s root@HOST, and a "
			"viewer at localhost:%s\n",
			strrchr(d->vnc, ':') + 1, d->vnc, strrchr(d->vnc, ':') + 1);
	return EXIT_FINE;
}
