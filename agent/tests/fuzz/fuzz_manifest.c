/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Any bytes as a whole manifest, and as a file that one includes, through every kind's checks.
 */
#include <stdio.h>

#include "kinds/kinds.h"
#include "tests/fuzz/fuzz.h"

static void feed(const char *text, size_t n, const struct list *files)
{
	struct diags *d = diags_new();
	struct manifest *m;
	_cleanup_(freep) char *out = NULL;
	size_t size;
	FILE *f;

	m = manifest_load_text("fuzz", "/nonexistent", text, n, files, NULL, all_kinds, d);
	if (!m && d->n_errors == 0)
		abort();
	f = open_memstream(&out, &size);
	diags_print(d, f, false);
	fclose(f);
	json_object_put(diags_json(d));
	diags_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char whole[] = "manor: 1\nnamespace: a.b\ninclude: [part.yaml]\n";
	_cleanup_arena_ struct arena *a = arena_new();
	/* It may include itself. */
	struct manifest_file part = {
		.path = "/nonexistent/part.yaml",
		.text = arena_strndup(a, (const char *)data, n),
		.size = n,
		.real = "/nonexistent/part.yaml",
	};
	struct list files = {0};

	feed((const char *)data, n, NULL);
	list_add(a, &files, &part);
	feed(whole, sizeof(whole) - 1, &files);
	return 0;
}
