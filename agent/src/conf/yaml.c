/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * libyaml's events → nodes. Of YAML this takes what a reader sees at a glance: scalars, lists,
 * mappings. What means something else elsewhere, or nothing here, is refused by its name.
 */
#include <errno.h>
#include <yaml.h>

#include "conf/node.h"
#include "conf/syntax.h"
#include "diag/text.h"

#define QUOTE_MAX 40 /* bytes of a text that messages quote */

struct line {
	uint32_t index;  /* of its first character, in code points */
	uint32_t offset; /* the same in bytes */
};

struct loader {
	struct arena *arena;
	const struct source *source;
	struct diags *diags;
	const char *text; /* without a byte order mark */
	size_t size;
	struct line *lines; /* libyaml's lines aren't an editor's: it also breaks at U+0085 and others */
	size_t n_lines;
	yaml_parser_t parser;
	size_t nodes;
	unsigned depth;
	struct span quoted; /* the last event's, if it was a text in quotes */
	bool broken; /* there is no tree to go on with */
};

static void add_line(struct loader *l, size_t index, size_t offset)
{
	if ((l->n_lines & (l->n_lines - 1)) == 0)
		l->lines = xrealloc(l->lines, l->n_lines ? l->n_lines * 2 : 1, sizeof(*l->lines));
	l->lines[l->n_lines++] = (struct line){(uint32_t)index, (uint32_t)offset};
}

static bool allowed(uint32_t cp)
{
	if (cp == '\t' || cp == '\n' || cp == '\r')
		return true;
	if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
		return false;
	/* Line separators of YAML 1.1, a byte order mark out of place, what is no character at all. */
	return cp != 0x2028 && cp != 0x2029 && cp != 0xfeff && cp != 0xfffe && cp != 0xffff;
}

/* Looks at every character once: it is UTF-8, and nothing that an editor would hide. */
static int scan(struct loader *l)
{
	size_t offset = 0, index = 0, column = 1;
	bool utf16 = l->size >= 2 &&
		     (memcmp(l->text, "\xff\xfe", 2) == 0 || memcmp(l->text, "\xfe\xff", 2) == 0);

	add_line(l, 0, 0);
	while (offset < l->size) {
		struct span at = {.source = l->source,
				  .line = (unsigned)l->n_lines,
				  .column = (unsigned)column,
				  .end_line = (unsigned)l->n_lines,
				  .end_column = (unsigned)column + 1};
		struct diag *g;
		uint32_t cp;
		size_t n = text_decode(l->text + offset, l->size - offset, &cp);

		if (cp == TEXT_INVALID) {
			g = diag_error(l->diags, "invalid-utf8", at,
				       "byte 0x%02x is not UTF-8 text",
				       (unsigned char)l->text[offset]);
			diag_help(l->diags, g,
				  utf16 ? "this looks like UTF-16: save it as UTF-8"
					: "save the file as UTF-8");
			return -EINVAL;
		}
		if (!allowed(cp)) {
			g = diag_error(l->diags, "control-character", at,
				       "character U+%04X is not allowed", (unsigned)cp);
			diag_help(l->diags, g, "remove it; most editors hide such characters");
			return -EINVAL;
		}
		offset += n;
		index++;
		column++;
		if (cp == '\n' || (cp == '\r' && !(offset < l->size && l->text[offset] == '\n'))) {
			add_line(l, index, offset);
			column = 1;
		}
	}
	return 0;
}

static const struct line *line_of(const struct loader *l, size_t index)
{
	size_t low = 0, high = l->n_lines;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (l->lines[mid].index <= index)
			low = mid;
		else
			high = mid;
	}
	return &l->lines[low];
}

static struct span place(const struct loader *l, size_t from, size_t to)
{
	const struct line *a = line_of(l, from), *b = line_of(l, MAX_OF(from, to));

	return (struct span){
		.source = l->source,
		.line = (unsigned)(a - l->lines) + 1,
		.column = (unsigned)(from - a->index) + 1,
		.end_line = (unsigned)(b - l->lines) + 1,
		.end_column = (unsigned)(MAX_OF(from, to) - b->index) + 1,
	};
}

static struct span event_place(const struct loader *l, const yaml_event_t *e)
{
	return place(l, e->start_mark.index, e->end_mark.index);
}

/* The text from a mark on. */
static const char *text_at(const struct loader *l, size_t index, size_t *ret_left)
{
	const struct line *line = line_of(l, index);
	size_t offset = line->offset, left = index - line->index;
	uint32_t cp;

	while (left-- > 0 && offset < l->size)
		offset += text_decode(l->text + offset, l->size - offset, &cp);
	*ret_left = l->size - offset;
	return l->text + offset;
}

/* A short form of what the manifest says, for messages. */
static const char *quote(struct loader *l, const char *s)
{
	size_t n = strlen(s);

	if (n <= QUOTE_MAX)
		return s;
	for (n = QUOTE_MAX; n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80;)
		n--;
	return arena_printf(l->arena, "%.*s…", (int)n, s);
}

/* An anchor or a tag in front of a node: where one that begins with `sign` stands. */
static struct span property_place(const struct loader *l, const yaml_event_t *e, char sign)
{
	size_t index = e->start_mark.index, n, end;
	const char *p, *limit;
	uint32_t cp;

	/* Looking costs time by the length of the line; beyond what is shown, nobody asks. */
	if (l->diags->n_errors > 2 * DIAG_MAX)
		return event_place(l, e);
	p = text_at(l, index, &n);
	limit = p + n;
	/* They come in any order, with white space or line breaks and comments between them. */
	while (p < limit && *p != sign) {
		bool comment = *p == '#',
		     blank = *p == ' ' || *p == '\t' || *p == '\n' || *p == '\r';

		while (p < limit && (comment ? *p != '\n' && *p != '\r'
				     : blank ? strchr(" \t\n\r", *p) != NULL
					     : strchr(" \t\n\r", *p) == NULL)) {
			p += text_decode(p, (size_t)(limit - p), &cp);
			index++;
		}
	}
	for (end = index; p < limit && !strchr(" \t\n\r,[]{}", *p); end++)
		p += text_decode(p, (size_t)(limit - p), &cp);
	return place(l, index, end);
}

static void refuse_properties(struct loader *l, const yaml_event_t *e, const yaml_char_t *anchor,
			      const yaml_char_t *tag)
{
	struct diag *g;

	if (anchor) {
		g = diag_error(l->diags, "anchor", property_place(l, e, '&'),
			       "anchors are not supported: '&%s'", quote(l, (const char *)anchor));
		diag_help(l->diags, g,
			  "write the value out, or put what domains share into a template");
	}
	if (tag) {
		g = diag_error(l->diags, "tag", property_place(l, e, '!'),
			       "tags are not supported: '%s'", quote(l, (const char *)tag));
		diag_help(l->diags, g, "leave the tag out: a field's type is known");
	}
}

static void syntax_error(struct loader *l)
{
	const yaml_parser_t *p = &l->parser;
	size_t at = p->problem_mark.index, start = p->context_mark.index;
	struct syntax s = {
		.source = l->source,
		.problem = p->problem ? p->problem : "it can't be read",
		.context = p->context,
		.quoted = l->quoted,
	};

	if (p->error == YAML_MEMORY_ERROR || p->error == YAML_READER_ERROR)
		at = 0;
	s.at = place(l, at, at + 1);
	s.start = p->context ? place(l, start, start + 1) : s.at;
	syntax_explain(l->diags, &s);
}

static int next_event(struct loader *l, yaml_event_t *ret)
{
	if (yaml_parser_parse(&l->parser, ret)) {
		l->quoted = (struct span){0};
		if (ret->type == YAML_SCALAR_EVENT &&
		    (ret->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE ||
		     ret->data.scalar.style == YAML_SINGLE_QUOTED_SCALAR_STYLE))
			l->quoted = event_place(l, ret);
		return 0;
	}
	syntax_error(l);
	l->broken = true;
	return -EINVAL;
}

static struct node *new_node(struct loader *l, enum node_type type, const yaml_event_t *e)
{
	struct node *n;

	if (++l->nodes > NODE_MAX_NODES) {
		diag_error(l->diags, "too-many-nodes", event_place(l, e),
			   "more than %d values in one manifest", NODE_MAX_NODES);
		l->broken = true;
		return NULL;
	}
	n = arena_alloc(l->arena, sizeof(*n));
	n->type = type;
	n->span = event_place(l, e);
	return n;
}

static struct node *load_scalar(struct loader *l, const yaml_event_t *e)
{
	const char *value = (const char *)e->data.scalar.value;
	size_t n = e->data.scalar.length, i;
	struct node *node = new_node(l, NODE_SCALAR, e);

	if (!node)
		return NULL;
	refuse_properties(l, e, e->data.scalar.anchor, e->data.scalar.tag);
	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)value[i];

		/* Escapes in double quotes can say what the text itself may not. */
		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) {
			diag_error(l->diags, "control-character", node->span,
				   "the text holds the control character U+%04X", c);
			break;
		}
	}
	node->text = arena_strndup(l->arena, value, n);
	node->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	if (node->span.end_column == 1 && node->span.end_line > node->span.line) {
		/* A block scalar ends with its last line's break; point no further than that line. */
		node->span.end_line--;
		node->span.end_column =
			node->span.end_line == node->span.line ? node->span.column + 1 : 1;
	}
	return node;
}

static struct node *load_node(struct loader *l, yaml_event_t *e);

static int cmp_keys(const void *a, const void *b)
{
	const struct node_pair *const *x = a, *const *y = b;
	int r = strcmp((*x)->key->text, (*y)->key->text);

	return r ? r : (*x < *y ? -1 : *x > *y);
}

/* libyaml lets them pass; which one wins is nothing to guess about. */
static void refuse_duplicates(struct loader *l, struct node *map)
{
	struct node_pair **sorted, *first = NULL;
	size_t i;

	if (map->n < 2)
		return;
	sorted = xcalloc(map->n, sizeof(*sorted));
	for (i = 0; i < map->n; i++)
		sorted[i] = &map->pairs[i];
	qsort(sorted, map->n, sizeof(*sorted), cmp_keys);
	for (i = 0; i < map->n; i++) {
		struct diag *g;

		if (!first || !streq(first->key->text, sorted[i]->key->text)) {
			first = sorted[i];
			continue;
		}
		g = diag_error(l->diags, "duplicate-key", sorted[i]->key->span,
			       "duplicate key '%s'", quote(l, first->key->text));
		diag_also(l->diags, g, first->key->span, "first here");
		sorted[i]->value = NULL;
	}
	free(sorted);
	/* The first one stays, so that further errors can be found. */
	for (i = 0, first = map->pairs; i < map->n; i++)
		if (map->pairs[i].value)
			*first++ = map->pairs[i];
	map->n = (size_t)(first - map->pairs);
}

static struct node *load_key(struct loader *l, yaml_event_t *e)
{
	bool scalar = e->type == YAML_SCALAR_EVENT;
	struct node *key = load_node(l, e);

	if (!key)
		return NULL;
	if (!scalar && key->type != NODE_SCALAR) {
		struct span at = key->span;

		at.end_line = at.line;
		at.end_column = at.column + 1;
		diag_error(l->diags, "complex-key", at, "a key must be a plain word, not %s",
			   node_type_word(key));
		l->broken = true;
		/* What looks at keys finds a text, and one that no other key has. */
		key->text = arena_printf(l->arena, "\n%zu", l->nodes);
	} else if (key->plain && streq(key->text, "<<")) {
		struct diag *g = diag_error(l->diags, "merge-key", key->span,
					    "merge keys are not supported: '<<'");

		diag_help(l->diags, g, "put what domains share into a template");
	} else if (scalar && *key->text == '\0') {
		diag_error(l->diags, "empty-key", key->span, "a key is empty");
	}
	return key;
}

/* After a collection's start: its items up to its end. */
static struct node *load_collection(struct loader *l, yaml_event_t *start)
{
	bool map = start->type == YAML_MAPPING_START_EVENT;
	bool flow = map ? start->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
			: start->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
	struct node *node = new_node(l, map ? NODE_MAP : NODE_SEQ, start), *key, *value;
	yaml_event_t e;

	if (!node)
		return NULL;
	if (map)
		refuse_properties(l, start, start->data.mapping_start.anchor,
				  start->data.mapping_start.tag);
	else
		refuse_properties(l, start, start->data.sequence_start.anchor,
				  start->data.sequence_start.tag);
	if (l->depth > NODE_MAX_DEPTH) {
		struct span at = node->span;

		at.end_line = at.line;
		at.end_column = at.column + 1;
		diag_error(l->diags, "too-deep", at, "nested deeper than %d levels",
			   NODE_MAX_DEPTH);
		l->broken = true;
		return NULL;
	}
	for (;;) {
		if (next_event(l, &e) < 0)
			return NULL;
		if (e.type == YAML_MAPPING_END_EVENT || e.type == YAML_SEQUENCE_END_EVENT)
			break;
		key = map ? load_key(l, &e) : NULL;
		if (map) {
			yaml_event_delete(&e);
			if (!key || next_event(l, &e) < 0)
				return NULL;
		}
		value = load_node(l, &e);
		yaml_event_delete(&e);
		if (!value)
			return NULL;
		if (map && key->plain && streq(key->text, "<<")) {
			/* Refused, and no key that a table could know. */
		} else if (map) {
			value->key = key;
			node->pairs =
				arena_grow(l->arena, node->pairs, node->n, sizeof(*node->pairs));
			node->pairs[node->n++] = (struct node_pair){key, value};
		} else {
			node->items =
				arena_grow(l->arena, node->items, node->n, sizeof(*node->items));
			node->items[node->n++] = value;
		}
		/* A block's end is only known by what comes behind it: it ends with its last item. */
		node->span.end_line = value->span.end_line;
		node->span.end_column = value->span.end_column;
	}
	if (flow) {
		struct span end = event_place(l, &e);

		node->span.end_line = end.end_line;
		node->span.end_column = end.end_column;
	}
	yaml_event_delete(&e);
	if (map)
		refuse_duplicates(l, node);
	return node;
}

/* NULL only when there is no going on (l->broken). The event stays the caller's. */
static struct node *load_node(struct loader *l, yaml_event_t *e)
{
	struct node *node;

	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return load_scalar(l, e);
	case YAML_ALIAS_EVENT: {
		struct diag *g = diag_error(l->diags, "alias", event_place(l, e),
					    "aliases are not supported: '*%s'",
					    quote(l, (const char *)e->data.alias.anchor));

		diag_help(l->diags, g,
			  "write the value out, or put what domains share into a template");
		l->broken = true; /* its value is missing; what follows may still be looked at */
		node = new_node(l, NODE_SCALAR, e);
		if (node)
			node->text = arena_printf(l->arena, "*%s", (char *)e->data.alias.anchor);
		return node;
	}
	default:
		l->depth++;
		node = load_collection(l, e);
		l->depth--;
		return node;
	}
}

static void check_directives(struct loader *l, const yaml_event_t *e)
{
	const yaml_version_directive_t *v = e->data.document_start.version_directive;

	if (e->data.document_start.tag_directives.start !=
	    e->data.document_start.tag_directives.end)
		diag_error(l->diags, "tag", event_place(l, e), "tags are not supported: %%TAG");
	if (v && !(v->major == 1 && v->minor == 2))
		diag_error(l->diags, "directive", event_place(l, e),
			   "a manifest is YAML 1.2, not %d.%d", v->major, v->minor);
}

static struct node *load_stream(struct loader *l)
{
	struct node *root = NULL;
	bool second = false;
	yaml_event_t e;
	int type;

	for (;;) {
		if (next_event(l, &e) < 0)
			return NULL;
		type = e.type;
		if (type == YAML_DOCUMENT_START_EVENT && !root) {
			check_directives(l, &e);
			yaml_event_delete(&e);
			if (next_event(l, &e) < 0)
				return NULL;
			root = load_node(l, &e);
			if (!root) {
				yaml_event_delete(&e);
				return NULL;
			}
		} else if (type == YAML_DOCUMENT_START_EVENT && !second) {
			diag_error(l->diags, "second-document",
				   place(l, e.start_mark.index, e.start_mark.index + 3),
				   "a manifest is one document: a second one begins here");
			l->broken = second = true;
		}
		yaml_event_delete(&e);
		if (type == YAML_STREAM_END_EVENT || second)
			break;
	}
	if (!root || node_is_null(root)) {
		if (!l->broken) {
			struct diag *g =
				diag_error(l->diags, "empty-manifest", place(l, 0, 0),
					   l->source->included ? "the included file is empty"
							       : "the manifest is empty");

			if (!l->source->included)
				diag_help(l->diags, g,
					  "it begins with 'manor: 1' and a 'namespace'");
		}
		return NULL;
	}
	return l->broken ? NULL : root;
}

struct node *node_load(struct arena *a, const struct source *source, struct diags *d)
{
	struct loader l = {.arena = a,
			   .source = source,
			   .diags = d,
			   .text = source->text,
			   .size = source->size};
	struct node *root = NULL;

	if (l.size > NODE_MAX_BYTES) {
		diag_error(d, "too-large", ((struct span){.source = source}),
			   "the manifest is larger than %u MiB", NODE_MAX_BYTES >> 20);
		return NULL;
	}
	if (l.size >= 3 && memcmp(l.text, "\xef\xbb\xbf", 3) == 0) {
		l.text += 3;
		l.size -= 3;
	}
	if (scan(&l) == 0 && yaml_parser_initialize(&l.parser)) {
		yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
		yaml_parser_set_input_string(&l.parser, (const unsigned char *)l.text, l.size);
		root = load_stream(&l);
		yaml_parser_delete(&l.parser);
	}
	free(l.lines);
	return root;
}
