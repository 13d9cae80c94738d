/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor stop: a domain is shut down and stays so until `manor start` or a host boot.
 */
#include "cli/life.h"

int verb_stop(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "format", "timeout", "operands", NULL};
	_cleanup_err_ struct err e = {0};
	struct life l;
	int code;

	if (life_begin(&l, argc, argv, accepts, &code) < 0)
		return code;
	if (intent_stop(&l.who, INTENT_BY_HAND, NULL, l.o.timeout, &e) < 0)
		return life_fail(&l, argv[0], &e);
	return life_end(&l);
}
