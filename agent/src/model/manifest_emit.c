/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Nodes to text, by the tables that they were read by: what stands there, not what follows from it.
 */
#include "model/manifest_emit.h"

struct emitting {
	struct arena *arena;
	struct diags *diags; /* nobody's: it was all sound */
};

static void emit_record(struct emitting *x, struct emit *out, const struct table *t,
			const struct node *node);

/* Relative paths start at the folder of the file that they stand in: elsewhere they would lead elsewhere. */
static const char *text_of(struct emitting *x, const struct field *f, const struct node *n)
{
	struct decode c = {.arena = x->arena, .diags = x->diags, .source = n->span.source};
	const char *whole;

	if (!f || !f->parse || f->parse(&c, f, n->text, &whole, NULL) < 0)
		return n->text;
	return *whole == '/' || startswith(whole, "file://") ? whole : n->text;
}

static void emit_scalar(struct emitting *x, struct emit *out, const struct field *f,
			const char *key, const struct node *n)
{
	if (node_is_null(n))
		emit_word(out, key, "null");
	else if (f && (f->flags & FIELD_SECRET))
		emit_note(
			out, key,
			"%s is left out, for it is secret: write it into a file that root alone can "
			"read, and say '%s: {file: PATH}'",
			key, key);
	else if (!f || f->type == FIELD_STRING || !n->plain)
		emit_text(out, key, text_of(x, f, n));
	else
		emit_word(out, key, n->text);
}

static void emit_list(struct emitting *x, struct emit *out, const struct field *f, const char *key,
		      const struct node *n)
{
	if (n->n == 0)
		emit_word(out, key, "[]");
	for (size_t i = 0; i < n->n; i++) {
		const struct node *item = n->items[i];
		struct emit *map;

		if (item->type == NODE_SCALAR) {
			emit_item(out, key, text_of(x, f, item));
		} else if (item->type == NODE_MAP && f && f->sub) {
			map = emit_new(x->arena);
			emit_record(x, map, f->sub, item);
			emit_item_map(out, key, map);
		}
	}
}

/* `{file: PATH}` */
static void emit_file(struct emitting *x, struct emit *out, const char *key, const struct node *n)
{
	static const struct field path = {
		.name = "file", .type = FIELD_STRING, .parse = parse_path};
	const struct node *file = node_get(n, "file");

	if (file && file->type == NODE_SCALAR)
		emit_text(emit_map(out, key), "file", text_of(x, &path, file));
}

static void emit_value(struct emitting *x, struct emit *out, const struct field *f, const char *key,
		       const struct node *n)
{
	struct emit *map;

	if (n->type == NODE_SCALAR) {
		emit_scalar(x, out, f, key, n);
	} else if (n->type == NODE_SEQ) {
		emit_list(x, out, f, key, n);
	} else if (f && f->sub) {
		map = emit_new(x->arena);
		if (f->type == FIELD_SUB)
			emit_record(x, map, f->sub, n);
		for (size_t i = 0; f->type == FIELD_MAP && i < n->n; i++)
			emit_value(x, map, &(struct field){.type = FIELD_SUB, .sub = f->sub},
				   n->pairs[i].key->text, n->pairs[i].value);
		emit_put(out, key, map, false);
	} else {
		emit_file(x, out, key, n);
	}
}

static void emit_record(struct emitting *x, struct emit *out, const struct table *t,
			const struct node *node)
{
	for (size_t i = 0; i < node->n; i++) {
		const char *key = node->pairs[i].key->text;

		emit_value(x, out, field_find(t, key), key, node->pairs[i].value);
	}
}

void manifest_emit(const struct manifest *m, struct emit *out)
{
	struct emitting x = {.arena = m->arena, .diags = diags_new()};
	const struct table *t = manifest_table(m->arena, m->kinds);

	for (size_t r = 0; r < m->roots.n; r++) {
		const struct node *root = m->roots.items[r];

		for (size_t i = 0; i < root->n; i++) {
			const char *key = root->pairs[i].key->text;
			const struct node *n = root->pairs[i].value;
			const struct field *f = field_find(t, key);
			struct emit *section;

			if (streq(key, "include"))
				continue;
			if (!f || f->type != FIELD_MAP || n->type != NODE_MAP) {
				if (!emit_has(out, key))
					emit_value(&x, out, f, key, n);
				continue;
			}
			section = emit_tall(out, key);
			for (size_t k = 0; k < n->n; k++)
				emit_value(&x, section,
					   &(struct field){.type = FIELD_SUB, .sub = f->sub},
					   n->pairs[k].key->text, n->pairs[k].value);
		}
	}
	emit_order(out, t);
	diags_free(x.diags);
}
