/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A tree of mappings, printed once it is whole: only then is it known what fits on a line.
 */
#include "conf/emit.h"

#include <ctype.h>

#define WIDTH  100
#define INDENT 2

struct emit_entry {
	const char *key;   /* NULL: comments alone */
	const char *text;  /* a scalar as it is written, or NULL */
	struct list items; /* of such */
	struct emit *map;
	struct list notes;
};

struct emit {
	struct arena *arena;
	struct emit_entry *list;
	size_t n;
	bool tall;
	bool lazy; /* is nothing while it is empty */
};

struct emit *emit_new(struct arena *a)
{
	struct emit *m = arena_alloc(a, sizeof(*m));

	m->arena = a;
	return m;
}

static struct emit_entry *find(const struct emit *m, const char *key)
{
	for (size_t i = 0; key && i < m->n; i++)
		if (streq(m->list[i].key, key))
			return &m->list[i];
	return NULL;
}

static struct emit_entry *append(struct emit *m)
{
	m->list = arena_grow(m->arena, m->list, m->n, sizeof(*m->list));
	m->list[m->n] = (struct emit_entry){0};
	return &m->list[m->n++];
}

static struct emit_entry *entry(struct emit *m, const char *key)
{
	struct emit_entry *e = find(m, key);

	if (e)
		return e;
	e = append(m);
	e->key = arena_strdup(m->arena, key);
	return e;
}

struct emit *emit_map(struct emit *m, const char *key)
{
	struct emit_entry *e = entry(m, key);

	if (!e->map) {
		e->map = emit_new(m->arena);
		e->map->lazy = true;
	}
	return e->map;
}

struct emit *emit_tall(struct emit *m, const char *key)
{
	struct emit *map = emit_map(m, key);

	map->tall = true;
	return map;
}

void emit_put(struct emit *m, const char *key, struct emit *map, bool tall)
{
	map->tall = tall;
	entry(m, key)->map = map;
}

/* What nobody can take for anything but this text: a safe subset of YAML's plain scalars. */
static bool is_plain(const char *s)
{
	static const char *const words[] = {"null", "true", "false", "yes", "no",
					    "on",   "off",  "y",     "n"};
	size_t n = strlen(s);

	if (n == 0 || !(isalpha((unsigned char)s[0]) || s[0] == '/') || s[n - 1] == ' ')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("_./@+=~-", s[i]) &&
		    !(s[i] == ' ' && s[i + 1] != ' '))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasecmp(words[i], s) == 0)
			return false;
	return true;
}

static const char *scalar(struct arena *a, const char *s)
{
	_cleanup_str_ struct str b = {0};

	if (is_plain(s))
		return arena_strdup(a, s);
	str_addc(&b, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x20 || c == 0x7f) {
			str_addf(&b, "\\x%02x", c);
			continue;
		}
		if (c == '"' || c == '\\')
			str_addc(&b, '\\');
		str_addc(&b, *s);
	}
	str_addc(&b, '"');
	return arena_strdup(a, str_get(&b));
}

void emit_text(struct emit *m, const char *key, const char *text)
{
	entry(m, key)->text = scalar(m->arena, text);
}

void emit_word(struct emit *m, const char *key, const char *word)
{
	entry(m, key)->text = arena_strdup(m->arena, word);
}

void emit_item(struct emit *m, const char *key, const char *text)
{
	list_add(m->arena, &entry(m, key)->items, (void *)scalar(m->arena, text));
}

static bool has_value(const struct emit_entry *e)
{
	if (!e->key || !e->map || !e->map->lazy)
		return e->key && (e->text || e->items.n || e->map);
	for (size_t i = 0; i < e->map->n; i++)
		if (has_value(&e->map->list[i]))
			return true;
	return false;
}

bool emit_has(const struct emit *m, const char *key)
{
	const struct emit_entry *e = find(m, key);

	return e && has_value(e);
}

void emit_note(struct emit *m, const char *key, const char *fmt, ...)
{
	_cleanup_(freep) char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	list_add(m->arena, &entry(m, key)->notes, arena_strdup(m->arena, text));
}

void emit_order(struct emit *m, const struct table *t)
{
	struct emit sorted = {.arena = m->arena};

	for (size_t i = 0; i < t->n; i++) {
		const struct emit_entry *e = find(m, t->fields[i].name);

		if (e)
			*append(&sorted) = *e;
	}
	for (size_t i = 0; i < m->n; i++)
		if (!m->list[i].key || !field_find(t, m->list[i].key))
			*append(&sorted) = m->list[i];
	m->list = sorted.list;
}

/* --- on one line --- */

static bool add_flow(const struct emit *m, struct str *out);

static bool add_value(const struct emit_entry *e, struct str *out)
{
	if (e->map)
		return add_flow(e->map, out);
	if (e->text) {
		str_add(out, e->text);
		return true;
	}
	str_addc(out, '[');
	for (size_t i = 0; i < e->items.n; i++)
		str_addf(out, "%s%s", i ? ", " : "", (const char *)e->items.items[i]);
	str_addc(out, ']');
	return true;
}

/* False where it has to stand on lines of its own. */
static bool add_flow(const struct emit *m, struct str *out)
{
	if (m->tall)
		return false;
	str_addc(out, '{');
	for (size_t i = 0; i < m->n; i++) {
		const struct emit_entry *e = &m->list[i];

		if (e->notes.n || !has_value(e))
			return false;
		str_addf(out, "%s%s: ", i ? ", " : "", e->key);
		if (!add_value(e, out))
			return false;
	}
	str_addc(out, '}');
	return true;
}

void emit_item_map(struct emit *m, const char *key, const struct emit *map)
{
	_cleanup_str_ struct str b = {0};

	if (add_flow(map, &b))
		list_add(m->arena, &entry(m, key)->items, arena_strdup(m->arena, str_get(&b)));
}

/* --- lines --- */

static void add_indent(struct str *out, size_t depth)
{
	for (size_t i = 0; i < depth * INDENT; i++)
		str_addc(out, ' ');
}

/* Broken between words where it is too long. */
static void add_comment(struct str *out, size_t depth, const char *text)
{
	size_t room = WIDTH - depth * INDENT - 2;

	do {
		size_t n = strlen(text), cut = n;

		if (n > room) {
			cut = room;
			while (cut && text[cut] != ' ')
				cut--;
			if (cut == 0)
				cut = room + strcspn(text + room, " ");
		}
		add_indent(out, depth);
		str_addf(out, "# %.*s\n", (int)cut, text);
		text += cut;
		text += strspn(text, " ");
	} while (*text);
}

static void add_map(const struct emit *m, struct str *out, size_t depth);

static void add_entry(const struct emit_entry *e, struct str *out, size_t depth)
{
	_cleanup_str_ struct str line = {0};
	const char *only = e->notes.n == 1 && has_value(e) ? e->notes.items[0] : NULL;
	bool whole = false, beside;

	if (has_value(e)) {
		_cleanup_str_ struct str value = {0};

		whole = add_value(e, &value) &&
			(!e->map || value.n + strlen(e->key) + depth * INDENT + 2 <= WIDTH);
		str_addf(&line, "%s:", e->key);
		if (whole)
			str_addf(&line, " %s", str_get(&value));
	}
	beside = only && depth * INDENT + line.n + strlen(only) + 4 <= WIDTH;
	for (size_t i = 0; !beside && i < e->notes.n; i++)
		add_comment(out, depth, e->notes.items[i]);
	if (!has_value(e))
		return;
	add_indent(out, depth);
	str_add(out, str_get(&line));
	if (beside)
		str_addf(out, "  # %s", only);
	str_addc(out, '\n');
	if (!whole)
		add_map(e->map, out, depth + 1);
}

static void add_map(const struct emit *m, struct str *out, size_t depth)
{
	for (size_t i = 0; i < m->n; i++)
		add_entry(&m->list[i], out, depth);
}

void emit_print(const struct emit *m, struct str *out)
{
	add_map(m, out, 0);
}
