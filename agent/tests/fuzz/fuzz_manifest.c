/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Any bytes as a whole manifest, through every kind's checks.
 */
#include <stdio.h>

#include "kinds/kinds.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct diags *d = diags_new();
	struct manifest *m;
	_cleanup_(freep) char *out = NULL;
	size_t size;
	FILE *f;

	m = manifest_load_text("fuzz", "/nonexistent", (const char *)data, n, NULL, all_kinds, d);
	if (!m && d->n_errors == 0)
		abort();
	f = open_memstream(&out, &size);
	diags_print(d, f, false);
	fclose(f);
	json_object_put(diags_json(d));
	diags_free(d);
	return 0;
}
