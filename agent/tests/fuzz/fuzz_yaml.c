/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Any bytes as a manifest: nodes or diagnostics, each with a place inside the text, and both forms of
 * printing them work.
 */
#include <stdio.h>

#include "conf/node.h"
#include "tests/fuzz/fuzz.h"

static unsigned count_lines(const struct source *s)
{
	unsigned n = 0;
	size_t size;

	while (n < 100000 && source_line(s, n + 1, &size))
		n++;
	return n;
}

static void check_spans(const struct node *n, unsigned depth)
{
	size_t i;

	if (n->span.line == 0 || n->span.column == 0 || n->span.end_line < n->span.line ||
	    depth > NODE_MAX_DEPTH + 1)
		abort();
	for (i = 0; i < n->n; i++) {
		if (n->type == NODE_MAP && !node_get(n, n->pairs[i].key->text))
			abort();
		check_spans(n->type == NODE_MAP ? n->pairs[i].value : n->items[i], depth + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	_cleanup_diags_ struct diags *d = diags_new();
	char *text = arena_strndup(d->arena, (const char *)data, n);
	struct source s = {.name = "fuzz", .text = text, .size = n};
	struct node *root = node_load(d->arena, &s, d);
	_cleanup_(freep) char *out = NULL;
	size_t size, i;
	FILE *f;

	if (!root && d->n_errors == 0)
		abort();
	if (root && n < 100000)
		check_spans(root, 1);
	if (root && n < 100000)
		node_merge(d->arena, root, root);
	for (i = 0; i < d->n && n < 100000; i++)
		if (d->list[i].span.line == 0 || d->list[i].span.line > count_lines(&s) + 1)
			abort();
	f = open_memstream(&out, &size);
	diags_print(d, f, true);
	fclose(f);
	json_object_put(diags_json(d));
	return 0;
}
