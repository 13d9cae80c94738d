/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor start: a domain that was stopped, by hand or from inside, runs again.
 */
#include "cli/life.h"

int verb_start(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "format", "operands", NULL};
	_cleanup_err_ struct err e = {0};
	struct life l;
	int code;

	if (life_begin(&l, argc, argv, accepts, &code) < 0)
		return code;
	if (intent_start(&l.who, &e) < 0)
		return life_fail(&l, argv[0], &e);
	return life_end(&l);
}
