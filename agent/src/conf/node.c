/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Looking things up in the tree, and merging two of them.
 */
#include "conf/node.h"

#include <ctype.h>
#include <limits.h>

static struct node_pair *find(const struct node *map, const char *key, size_t n)
{
	size_t i;

	if (!map || map->type != NODE_MAP)
		return NULL;
	for (i = 0; i < map->n; i++)
		if (strncmp(map->pairs[i].key->text, key, n) == 0 &&
		    map->pairs[i].key->text[n] == '\0')
			return &map->pairs[i];
	return NULL;
}

struct node *node_get(const struct node *map, const char *key)
{
	struct node_pair *p = find(map, key, strlen(key));

	return p ? p->value : NULL;
}

struct node *node_key(const struct node *map, const char *key)
{
	struct node_pair *p = find(map, key, strlen(key));

	return p ? p->key : NULL;
}

const struct node *node_at(const struct node *map, const char *path, const struct node **ret_key)
{
	const struct node *at = map, *key = map ? map->key : NULL;

	while (at && path && *path) {
		size_t n = strcspn(path, ".");

		if (at->type == NODE_SEQ) {
			char *end;
			unsigned long i =
				isdigit((unsigned char)*path) ? strtoul(path, &end, 10) : ULONG_MAX;

			if (i >= at->n || end != path + n)
				break;
			at = at->items[i];
		} else {
			const struct node_pair *p = find(at, path, n);

			if (!p)
				break;
			at = p->value;
			key = p->key;
		}
		path += n;
		path += *path == '.';
	}
	if (ret_key)
		*ret_key = key;
	return at;
}

bool node_is_null(const struct node *n)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL"};
	size_t i;

	if (!n || n->type != NODE_SCALAR || !n->plain)
		return false;
	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (streq(n->text, words[i]))
			return true;
	return false;
}

const char *node_type_word(const struct node *n)
{
	switch (n->type) {
	case NODE_MAP:
		return "a mapping";
	case NODE_SEQ:
		return "a list";
	default:
		return node_is_null(n) ? "nothing" : "a string";
	}
}

struct span node_span(const struct node *n)
{
	if (!n)
		return (struct span){};
	if (n->key && (node_is_null(n) || n->type != NODE_SCALAR))
		return n->key->span;
	return n->span;
}

static struct node *copy(struct arena *a, const struct node *n, size_t room)
{
	struct node *c = arena_alloc(a, sizeof(*c));

	*c = *n;
	c->pairs = arena_alloc(a, room * sizeof(*c->pairs) + 1);
	c->n = 0;
	return c;
}

struct node *node_without(struct arena *a, const struct node *map, const char *key)
{
	struct node *c = copy(a, map, map->n);

	for (size_t i = 0; i < map->n; i++)
		if (!streq(map->pairs[i].key->text, key))
			c->pairs[c->n++] = map->pairs[i];
	return c;
}

struct node *node_copy(struct arena *a, const struct node *n)
{
	struct node *c = arena_alloc(a, sizeof(*c));

	*c = *n;
	if (n->type == NODE_SEQ) {
		c->items = arena_alloc(a, n->n * sizeof(*c->items) + 1);
		for (size_t i = 0; i < n->n; i++)
			c->items[i] = node_copy(a, n->items[i]);
	} else if (n->type == NODE_MAP) {
		c->pairs = arena_alloc(a, n->n * sizeof(*c->pairs) + 1);
		for (size_t i = 0; i < n->n; i++) {
			c->pairs[i].key = node_copy(a, n->pairs[i].key);
			c->pairs[i].value = node_copy(a, n->pairs[i].value);
			c->pairs[i].value->key = c->pairs[i].key;
		}
	}
	return c;
}

size_t node_count(const struct node *n)
{
	size_t all = 1;

	for (size_t i = 0; i < n->n; i++)
		all += n->type == NODE_MAP ? 1 + node_count(n->pairs[i].value)
					   : node_count(n->items[i]);
	return all;
}

static int by_text(const void *a, const void *b)
{
	const struct node_pair *const *x = a, *const *y = b;

	return strcmp((*x)->key->text, (*y)->key->text);
}

/* The pairs of a mapping sorted by key, so that merging large mappings stays quick. */
static struct node_pair **sorted_pairs(const struct node *map)
{
	struct node_pair **list = xcalloc(map->n + 1, sizeof(*list));
	size_t i;

	for (i = 0; i < map->n; i++)
		list[i] = &map->pairs[i];
	qsort(list, map->n, sizeof(*list), by_text);
	return list;
}

static struct node_pair *find_sorted(struct node_pair **list, size_t n, const struct node_pair *p)
{
	struct node_pair **hit = bsearch(&p, list, n, sizeof(*list), by_text);

	return hit ? *hit : NULL;
}

struct node *node_merge(struct arena *a, struct node *under, struct node *over)
{
	_cleanup_(freep) struct node_pair **overs = NULL, **unders = NULL;
	struct node *m;
	size_t i;

	if (!over)
		return under;
	if (over->type != NODE_MAP)
		return over;
	if (!under || under->type != NODE_MAP) {
		/* Nothing to merge with: what `over` unsets goes all the same. */
		m = copy(a, over, over->n);
		for (i = 0; i < over->n; i++) {
			struct node_pair p = over->pairs[i];

			if (node_is_null(p.value))
				continue;
			p.value = node_merge(a, NULL, p.value);
			m->pairs[m->n++] = p;
		}
		return m;
	}
	m = copy(a, over, under->n + over->n);
	overs = sorted_pairs(over);
	unders = sorted_pairs(under);
	for (i = 0; i < under->n; i++) {
		struct node_pair p = under->pairs[i];
		const struct node_pair *o = find_sorted(overs, over->n, &p);

		if (o && node_is_null(o->value))
			continue;
		if (o) {
			p.key = o->key;
			p.value = node_merge(a, p.value, o->value);
		}
		m->pairs[m->n++] = p;
	}
	for (i = 0; i < over->n; i++) {
		struct node_pair p = over->pairs[i];

		if (node_is_null(p.value) || find_sorted(unders, under->n, &p))
			continue;
		p.value = node_merge(a, NULL, p.value);
		m->pairs[m->n++] = p;
	}
	return m;
}
