/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor stop: a domain is shut down and stays so until `manor start` or a host boot.
 */
#include "cli/life.h"

static int intend(const struct life *l, struct err *e)
{
	return intent_stop(&l->who, INTENT_BY_HAND, NULL, l->o.timeout, e);
}

int verb_stop(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "format", "timeout", "operands", NULL};

	return life_run(argc, argv, accepts, intend);
}
