/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The one comparison of what is wanted with what is.
 */
#include "model/diff.h"

#include "model/record_json.h"

struct differ {
	struct arena *arena;
	const struct facts *facts;
	struct changes *out;
};

static void add(struct differ *d, const char *path, const struct field *f, enum impact impact,
		const char *old, const char *new_)
{
	struct changes *c = d->out;

	c->list = arena_grow(d->arena, c->list, c->n, sizeof(*c->list));
	c->list[c->n++] = (struct change){
		.path = path,
		.old_text = old,
		.new_text = new_,
		.field = f,
		.impact = impact,
	};
}

static bool same_list(const struct field *f, const struct list *a, const struct list *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (f->sub) {
			/* Records in a list have no identity of their own: all of it is compared. */
			json_object *x = record_to_json(f->sub, a->items[i], true);
			json_object *y = record_to_json(f->sub, b->items[i], true);
			bool same = json_object_equal(x, y);

			json_object_put(x);
			json_object_put(y);
			if (!same)
				return false;
		} else if (f->flags & FIELD_UNORDERED) {
			if (!list_has(b, a->items[i]) || !list_has(a, b->items[i]))
				return false;
		} else if (!streq(a->items[i], b->items[i])) {
			return false;
		}
	}
	return true;
}

static bool same(const struct field *f, const void *want, const void *have)
{
	const void *a = field_ptr(f, want), *b = field_ptr(f, have);

	switch (f->type) {
	case FIELD_BOOL:
		return *(const bool *)a == *(const bool *)b;
	case FIELD_INT:
		return *(const int64_t *)a == *(const int64_t *)b;
	case FIELD_SIZE:
	case FIELD_DURATION:
		return *(const uint64_t *)a == *(const uint64_t *)b;
	case FIELD_STRING:
		return streq(*(const char *const *)a, *(const char *const *)b);
	case FIELD_ENUM:
		return *(const int *)a == *(const int *)b;
	case FIELD_LIST:
		return same_list(f, a, b);
	case FIELD_SUB:
	case FIELD_MAP:
		break;
	}
	return true;
}

static void diff_table(struct differ *d, const struct table *t, const char *prefix,
		       const void *want, const void *have);

static const char *entry_text(struct arena *a, const struct table *t, const void *record)
{
	const struct record *rec = record;
	const char *text = NULL;

	/* The first few set fields say enough to know it again. */
	for (size_t i = 0, shown = 0; i < t->n && shown < 3; i++) {
		const struct field *f = &t->fields[i];

		if (!(rec->set & (1ull << i)) || (f->flags & (FIELD_STATUS | FIELD_SECRET)) ||
		    f->type == FIELD_SUB || f->type == FIELD_MAP)
			continue;
		text = arena_printf(a, "%s%s%s %s", text ? text : "", text ? ", " : "", f->name,
				    field_text(a, f, record, true));
		shown++;
	}
	return text ? text : "there";
}

static enum impact impact_of(struct differ *d, const struct field *f, const void *have,
			     const void *want)
{
	return f->impact_of ? f->impact_of(f, have, want, d->facts) : f->impact;
}

static void diff_map(struct differ *d, const struct field *f, const char *path, const void *want,
		     const void *have)
{
	const struct map *w = field_ptr(f, want), *h = field_ptr(f, have);

	for (size_t i = 0; i < h->n; i++) {
		const struct entry *e = &h->entries[i];

		if (!map_get(w, e->name))
			add(d, arena_printf(d->arena, "%s.%s", path, e->name), f,
			    impact_of(d, f, have, want), entry_text(d->arena, f->sub, e->value),
			    NULL);
	}
	for (size_t i = 0; i < w->n; i++) {
		const struct entry *e = &w->entries[i];
		const char *at = arena_printf(d->arena, "%s.%s", path, e->name);
		const void *other = map_get(h, e->name);

		if (other)
			diff_table(d, f->sub, at, e->value, other);
		else
			add(d, at, f, impact_of(d, f, have, want), NULL,
			    entry_text(d->arena, f->sub, e->value));
	}
}

static void diff_table(struct differ *d, const struct table *t, const char *prefix,
		       const void *want, const void *have)
{
	const struct record *w = want, *h = have;

	for (size_t i = 0; i < t->n; i++) {
		const struct field *f = &t->fields[i];
		const char *path =
			prefix[0] ? arena_printf(d->arena, "%s.%s", prefix, f->name) : f->name;
		bool has = h->set & (1ull << i);

		if (f->flags & (FIELD_CONFIG | FIELD_STATUS))
			continue;
		/* An unset mapping means an empty one: its membership is always enforced. */
		if (f->type == FIELD_MAP) {
			diff_map(d, f, path, want, have);
			continue;
		}
		if (!(w->set & (1ull << i)))
			continue;
		if (f->type == FIELD_SUB) {
			diff_table(d, f->sub, path, field_ptr(f, want), field_ptr(f, have));
			continue;
		}
		if (has && same(f, want, have))
			continue;
		if (!has && f->type == FIELD_LIST && ((struct list *)field_ptr(f, want))->n == 0)
			continue;
		add(d, path, f, impact_of(d, f, have, want),
		    has ? field_text(d->arena, f, have, true) : NULL,
		    field_text(d->arena, f, want, true));
	}
}

void record_diff(struct arena *a, const struct table *t, const void *want, const void *have,
		 const struct facts *facts, struct changes *ret)
{
	struct differ d = {.arena = a, .facts = facts, .out = ret};

	*ret = (struct changes){0};
	if (have)
		diff_table(&d, t, "", want, have);
}

enum impact changes_worst(const struct changes *c)
{
	enum impact worst = IMPACT_NONE;

	for (size_t i = 0; i < c->n; i++)
		worst = MAX_OF(worst, c->list[i].impact);
	return worst;
}

bool changes_has(const struct changes *c, const char *path_prefix)
{
	size_t n = strlen(path_prefix);

	for (size_t i = 0; i < c->n; i++) {
		const char *p = c->list[i].path;

		if (strncmp(p, path_prefix, n) == 0 && (p[n] == '\0' || p[n] == '.'))
			return true;
	}
	return false;
}
