/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Any bytes as a configuration of xl's: a manifest that comes of it is YAML, and says nothing that no table knows.
 */
#include <stdio.h>

#include "kinds/kinds.h"
#include "kinds/xl_import.h"
#include "tests/fuzz/fuzz.h"

static void read_back(const char *text)
{
	static const char *const never[] = {"syntax",        "duplicate-key",     "unknown-key",
					    "bad-name",      "control-character", "wrong-type",
					    "name-too-long", "reserved-name"};
	struct diags *d = diags_new();

	manifest_load_text("fuzz", "/nonexistent", text, strlen(text), NULL, NULL, all_kinds, d);
	for (size_t i = 0; i < d->n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(never); k++)
			if (streq(d->list[i].code, never[k])) {
				diags_print(d, stderr, false);
				abort();
			}
	diags_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct xl_import_file file = {.name = "fuzz.cfg", .n = n};
	_cleanup_diags_ struct diags *d = diags_new();
	_cleanup_(freep) char *out = NULL;
	const char *text;
	size_t size;
	FILE *f;

	file.text = (const char *)data;
	text = xl_import(&file, 1, "lab.example.org", "fuzz", d);
	if (!text && d->n_errors == 0)
		abort();
	f = open_memstream(&out, &size);
	diags_print(d, f, false);
	fclose(f);
	if (text)
		read_back(text);
	return 0;
}
