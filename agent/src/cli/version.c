/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor version
 */
#include <stdio.h>

#include "cli/cli.h"

int verb_version(int argc, char **argv)
{
	static const char *const accepts[] = {"format", NULL};
	struct options o;
	int r;

	if (streq(argv[0], "--version")) {
		printf("manor %s\n", MANOR_VERSION);
		return EXIT_FINE;
	}
	r = options_read(argc, argv, accepts, &o, NULL);
	if (r)
		return r < 0 ? EXIT_FINE : r;
	if (o.json) {
		json_object *j = json_object_new_object();

		json_put_text(j, "version", MANOR_VERSION);
		json_object_object_add(j, "manifest", json_object_new_int(1));
		print_json(j);
	} else {
		printf("manor %s (manifest format 1)\n", MANOR_VERSION);
	}
	return EXIT_FINE;
}
