/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Any bytes as GRUB's environment block: what is sound says the same when it is written anew.
 */
#include "host/grubenv.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct grubenv *g = grubenv_parse(a, (const char *)data, n), *again;
	char block[GRUBENV_SIZE];

	if (g->damaged && g->n)
		abort();
	grubenv_set(g, "ORDER", "B A");
	/* What fills both sectors can't be written; all else can. */
	if (!grubenv_format(g, block, NULL))
		return 0;
	again = grubenv_parse(a, block, sizeof(block));
	if (again->damaged || again->n != g->n || !streq(grubenv_get(again, "ORDER"), "B A"))
		abort();
	for (size_t i = 0; i < g->n; i++)
		if (!streq(g->vars[i].name, again->vars[i].name) ||
		    !streq(g->vars[i].value, again->vars[i].value))
			abort();
	return 0;
}
