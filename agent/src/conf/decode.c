/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Nodes → records, by the field tables. One bad value doesn't stop the others: whoever mends a
 * manifest wants to hear everything at once.
 */
#include <ctype.h>
#include <errno.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/num.h"
#include "base/str.h"
#include "conf/field.h"

#define QUOTE_MAX      40         /* bytes of a value that messages quote */
#define STRING_MAX     65536      /* bytes of a text, unless its field says otherwise */
#define LIST_MAX       4096       /* items */
#define NAMED_FILE_MAX (1u << 20) /* bytes of a file that stands for a value */

struct task {
	struct decode *c;
	bool partial; /* nothing is required, no defaults */
	bool bad;     /* an error was added */
};

static void decode_record(struct task *x, const struct table *t, const struct node *node,
			  const char *what, void *record);

/* Notes that something is wrong; true when that was said already: what a template says is read once by
 * itself and once merged into each of its domains. */
static bool said(struct task *x, const char *code, struct span span)
{
	x->bad = true;
	return span.source && diags_has(x->c->diags, code, span);
}

static const char *wanted(struct decode *c, const struct field *f)
{
	_cleanup_str_ struct str b = {};
	size_t i;

	switch (f->type) {
	case FIELD_BOOL:
		return "true or false";
	case FIELD_INT:
		return "a whole number";
	case FIELD_SIZE:
		return "a size with a unit, such as 512MiB";
	case FIELD_DURATION:
		return "a time with a unit, such as 30s";
	case FIELD_STRING:
		return f->flags & FIELD_FROM_FILE ? "a text, or {file: PATH}" : "a text";
	case FIELD_ENUM:
		str_add(&b, f->words[1] ? "one of " : "");
		for (i = 0; f->words[i]; i++)
			str_addf(&b, "%s%s", i ? ", " : "", f->words[i]);
		return arena_strdup(c->arena, str_get(&b));
	case FIELD_LIST:
		return f->sub ? arena_printf(c->arena, "a list of %ss", f->sub->name)
		       : f->flags & FIELD_ALONE ? "a text, or a list of texts"
						: "a list of texts";
	case FIELD_MAP:
		return arena_printf(c->arena, "a mapping from names to %ss", f->sub->name);
	case FIELD_SUB:
		return "a mapping";
	}
	return "something else";
}

/* What the manifest says, for a message: "a mapping", or the text in quotes. */
static const char *found(struct decode *c, const struct field *f, const struct node *n)
{
	const char *s = n->text;
	size_t len;

	if (n->type != NODE_SCALAR || node_is_null(n))
		return node_type_word(n);
	if (f->flags & FIELD_SECRET)
		return "what is given";
	len = strlen(s);
	if (len <= QUOTE_MAX)
		return arena_printf(c->arena, "'%s'", s);
	for (len = QUOTE_MAX; len > 0 && ((unsigned char)s[len] & 0xc0) == 0x80;)
		len--;
	return arena_printf(c->arena, "'%.*s…'", (int)len, s);
}

/* "-a" where "- a" was meant: a text, or the key of a mapping. */
static bool glued_dash(const struct node *n)
{
	const char *text = n->type == NODE_SCALAR            ? n->text
			   : n->type == NODE_MAP && n->n > 0 ? n->pairs[0].key->text
							     : "";

	return text[0] == '-' && text[1] != '\0';
}

static void wrong_type(struct task *x, const struct field *f, const struct node *n,
		       const char *what)
{
	struct span at = n->span;
	struct diag *g;

	if (said(x, "wrong-type", at))
		return;
	g = diag_error(x->c->diags, "wrong-type", at, "'%s' of %s is %s; it must be %s", f->name,
		       what, found(x->c, f, n), wanted(x->c, f));
	if (f->type == FIELD_SUB)
		field_suggest_keys(x->c, g, f->sub, n);
	if (f->type == FIELD_MAP && n->type == NODE_SEQ)
		field_suggest_names(x->c, g, f->name, f->sub);
	if (f->type == FIELD_LIST && glued_dash(n))
		diag_label(x->c->diags, g, "put a space behind each '-'");
	if (n->type != NODE_SCALAR)
		return;
	if (f->type == FIELD_BOOL) {
		static const char *const yes[] = {"yes", "on", "y", "1", "true"};
		static const char *const no[] = {"no", "off", "n", "0", "false"};
		size_t i;

		for (i = 0; i < ARRAY_SIZE(yes); i++) {
			if (strcasecmp(n->text, yes[i]) == 0)
				diag_label(x->c->diags, g, "write true%s",
					   n->plain ? "" : " without quotes");
			else if (strcasecmp(n->text, no[i]) == 0)
				diag_label(x->c->diags, g, "write false%s",
					   n->plain ? "" : " without quotes");
		}
	} else if (f->type == FIELD_INT && *n->text) {
		const char *digits = n->text + (n->text[0] == '-' || n->text[0] == '+');

		if (!*digits || strspn(digits, "0123456789") != strlen(digits))
			return;
		if (!n->plain)
			diag_label(x->c->diags, g, "write it without quotes");
		else if (digits[0] == '0')
			diag_label(x->c->diags, g,
				   "write it without leading zeros: some read them as octal");
	} else if (f->type == FIELD_LIST && !f->sub && !glued_dash(n) &&
		   strlen(n->text) <= QUOTE_MAX && !node_is_null(n)) {
		const char *other = other_word(f->others, n->text);

		diag_label(x->c->diags, g, "did you mean '[%s]'?", other ? other : n->text);
	}
}

/* A text without quotes that goes on in the next line was rarely meant to. */
static void show_continued(struct task *x, struct diag *g, const struct node *n)
{
	struct span last = n->span;
	const char *line;
	size_t size, i = 0;

	if (n->type != NODE_SCALAR || !n->plain || last.end_line <= last.line)
		return;
	line = source_line(last.source, last.end_line, &size);
	while (line && i < size && line[i] == ' ')
		i++;
	last.line = last.end_line;
	last.column = (unsigned)i + 1;
	diag_also(x->c->diags, g, last, "by its indentation this belongs to it");
}

static struct diag *bad_value(struct task *x, const struct field *f, const struct node *n,
			      const char *what, const char *code, const char *must)
{
	struct diag *g;

	if (said(x, code, n->span))
		return NULL;
	g = diag_error(x->c->diags, code, n->span, "'%s' of %s is %s; %s", f->name, what,
		       found(x->c, f, n), must);
	show_continued(x, g, n);
	return g;
}

static const char *bound_text(struct decode *c, const struct field *f, int64_t bound)
{
	char buf[NUM_TEXT];

	if (f->type == FIELD_SIZE)
		return arena_strdup(c->arena, num_size_exact(buf, (uint64_t)bound));
	return arena_printf(c->arena, "%lld%s", (long long)bound,
			    f->type == FIELD_DURATION ? "s" : "");
}

/* Within min..max, or says what the bound is. */
static bool check_bounds(struct task *x, const struct field *f, const struct node *n,
			 const char *what, int64_t value)
{
	bool bounded = f->min != 0 || f->max != 0;
	const char *must;

	if (!bounded || (value >= f->min && value <= f->max))
		return true;
	if (f->min == f->max)
		must = arena_printf(x->c->arena, "it must be %s", bound_text(x->c, f, f->min));
	else if (value < f->min)
		must = arena_printf(x->c->arena, "it must be at least %s",
				    bound_text(x->c, f, f->min));
	else
		must = arena_printf(x->c->arena, "it must be at most %s",
				    bound_text(x->c, f, f->max));
	bad_value(x, f, n, what, "out-of-range", must);
	return false;
}

static bool decode_bool(struct task *x, const struct field *f, const struct node *n,
			const char *what, bool *ret)
{
	/* YAML 1.2's core schema (10.3.2) and nothing of 1.1's "yes" and "on". */
	static const char *const words[] = {"true", "True", "TRUE", "false", "False", "FALSE"};
	size_t i;

	for (i = 0; n->plain && i < ARRAY_SIZE(words); i++) {
		if (streq(n->text, words[i])) {
			*ret = i < 3;
			return true;
		}
	}
	wrong_type(x, f, n, what);
	return false;
}

static bool decode_int(struct task *x, const struct field *f, const struct node *n,
		       const char *what, int64_t *ret)
{
	int64_t value;
	int r = n->plain ? num_parse_int(n->text, INT64_MIN, INT64_MAX, &value) : -EINVAL;

	if (r == -ERANGE) {
		/* Further out than any bound. */
		value = n->text[0] == '-' ? INT64_MIN : INT64_MAX;
		if (check_bounds(x, f, n, what, value))
			bad_value(x, f, n, what, "out-of-range", "it must be a smaller number");
		return false;
	}
	if (r < 0) {
		wrong_type(x, f, n, what);
		return false;
	}
	if (!check_bounds(x, f, n, what, value))
		return false;
	*ret = value;
	return true;
}

/* "512", "512M", "30sec" are all but right. */
static void suggest_unit(struct task *x, struct diag *g, const struct field *f, const char *text)
{
	static const struct {
		const char *said, *meant;
	} words[] = {{"", "s"},      {"sec", "s"},    {"second", "s"},  {"seconds", "s"},
		     {"min", "m"},   {"minute", "m"}, {"minutes", "m"}, {"hour", "h"},
		     {"hours", "h"}, {"day", "d"},    {"days", "d"},    {"S", "s"},
		     {"M", "m"},     {"H", "h"},      {"D", "d"}};
	size_t digits = strspn(text, "0123456789.");
	const char *unit = text + digits + (text[digits] == ' ');
	char buf[NUM_TEXT];

	if (f->type == FIELD_SIZE) {
		if (num_guess_size(buf, text))
			diag_label(x->c->diags, g, "did you mean '%s'?", buf);
		return;
	}
	for (size_t i = 0; digits > 0 && digits <= 20 && i < ARRAY_SIZE(words); i++)
		if (streq(unit, words[i].said))
			diag_label(x->c->diags, g, "did you mean '%.*s%s'?", (int)digits, text,
				   words[i].meant);
}

static bool decode_measure(struct task *x, const struct field *f, const struct node *n,
			   const char *what, uint64_t *ret)
{
	bool size = f->type == FIELD_SIZE;
	uint64_t value;
	int r = size ? num_parse_size(n->text, &value) : num_parse_duration(n->text, &value);
	struct diag *g;

	if (r == -ENODATA) {
		g = bad_value(x, f, n, what, "missing-unit",
			      size ? "it needs a unit: B, KiB, MiB, GiB, TiB or PiB"
				   : "it needs a unit: s, m, h or d");
		if (g && n->text[0] != '0')
			suggest_unit(x, g, f, n->text);
		return false;
	}
	if (r == -ERANGE) {
		bad_value(x, f, n, what, "out-of-range",
			  f->max ? arena_printf(x->c->arena, "it must be at most %s",
						bound_text(x->c, f, f->max))
				 : "it is too large");
		return false;
	}
	if (r < 0) {
		g = bad_value(x, f, n, what, "bad-value",
			      size ? "it must be a size with a unit, such as 512MiB"
				   : "it must be a time with a unit, such as 30s");
		if (g)
			suggest_unit(x, g, f, n->text);
		return false;
	}
	if (!check_bounds(x, f, n, what, value > INT64_MAX ? INT64_MAX : (int64_t)value))
		return false;
	*ret = value;
	return true;
}

static bool starts_typographic(const char *s)
{
	static const char *const quotes[] = {"“", "”", "„", "‘", "’", "‚", "«", "»"};

	for (size_t i = 0; i < ARRAY_SIZE(quotes); i++)
		if (startswith(s, quotes[i]))
			return true;
	return false;
}

static bool decode_string(struct task *x, const struct field *f, const struct node *n,
			  const char *what, const char **ret)
{
	_cleanup_err_ struct err e = {};
	const char *text;
	size_t max = f->max > 0 ? (size_t)f->max : STRING_MAX;
	int r;

	if (strlen(n->text) > max) {
		bad_value(x, f, n, what, "out-of-range",
			  arena_printf(x->c->arena, "it must be at most %zu bytes long", max));
		return false;
	}
	if (!f->parse) {
		*ret = n->text;
		return true;
	}
	x->c->source = n->span.source;
	r = f->parse(x->c, f, n->text, &text, &e);
	if (r < 0) {
		const char *code = r == -ENODATA            ? "missing-unit"
				   : f->parse == parse_name ? "bad-name"
							    : "bad-value";

		if (!said(x, code, n->span)) {
			const char *other = other_word(f->others, n->text);
			struct diag *g = diag_error(
				x->c->diags, code, n->span, "'%s' of %s: %s is not %s", f->name,
				what, found(x->c, f, n), e.message ? e.message : "right");

			show_continued(x, g, n);
			if (other)
				other_label(x->c, g, other);
			if (e.help)
				diag_help(x->c->diags, g, "%s", e.help);
			if (starts_typographic(n->text))
				diag_help(x->c->diags, g,
					  "typographic quotes are part of the text; those of YAML "
					  "are \" and '");
			else if (f->parse == parse_name)
				field_suggest_name(x->c, g, n->text);
		}
		return false;
	}
	*ret = text;
	return true;
}

static bool decode_enum(struct task *x, const struct field *f, const struct node *n,
			const char *what, int *ret)
{
	const char *other;
	struct diag *g;
	size_t i;

	for (i = 0; f->words[i]; i++) {
		if (streq(f->words[i], n->text)) {
			*ret = (int)i;
			return true;
		}
	}
	g = bad_value(x, f, n, what, "unknown-word",
		      arena_printf(x->c->arena, "it must be %s", wanted(x->c, f)));
	other = other_word(f->others, n->text);
	if (g && other)
		other_label(x->c, g, other);
	else if (g)
		diag_suggest(x->c->diags, g, n->text, f->words, i);
	return false;
}

static bool is_there(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

/* What to do about a file that isn't there: `said` as the manifest has it, `path` where that leads. */
static void help_missing(struct decode *c, struct diag *g, const char *said, const char *path)
{
	_cleanup_(freep) char *cwd = getcwd(NULL, 0), *gone = xstrdup(path);
	_cleanup_(freep) char *from_here = xasprintf("%s/%s", cwd ? cwd : "", said);
	const char *base = strrchr(said, '/');
	_cleanup_(freep) char *beside = base ? xasprintf("%s%s", decode_dir(c), base) : NULL;
	char *slash;

	/* The outermost folder that is missing says more than the file in it. */
	while ((slash = strrchr(gone, '/')) && slash > gone) {
		*slash = '\0';
		if (is_there(gone)) {
			*slash = '/';
			break;
		}
	}
	if (*said != '/' && is_there(from_here))
		diag_help(c->diags, g,
			  "a relative path starts at the folder of the file that it stands in, %s; "
			  "what you have here is %s",
			  decode_dir(c), from_here);
	else if (beside && is_there(beside))
		diag_help(c->diags, g, "there is %s: write {file: %s}", beside, base + 1);
	else if (*said == '/')
		diag_help(c->diags, g, "there is no %s here", gone);
	else
		diag_help(
			c->diags, g,
			"there is no %s: a relative path starts at the folder of the file that it "
			"stands in",
			gone);
}

/* `{file: PATH}`: a scalar that holds the file's text, or NULL when there is none. */
static const struct node *read_file(struct task *x, const struct field *f, const struct node *n,
				    const char *what)
{
	struct decode *c = x->c;
	_cleanup_err_ struct err e = {};
	_cleanup_(freep) char *own = NULL;
	const struct node *value = node_get(n, "file");
	const char *path, *text;
	struct node *s;
	struct stat st;
	size_t len, i;
	int r;

	for (i = 0; i < n->n; i++) {
		const struct node *key = n->pairs[i].key;

		if (!streq(key->text, "file") && !said(x, "unknown-key", key->span))
			diag_error(c->diags, "unknown-key", key->span,
				   "unknown key '%.80s' in '%s' of %s: it must be {file: PATH}",
				   key->text, f->name, what);
	}
	if (!value) {
		if (n->n == 0)
			wrong_type(x, f, n, what);
		return NULL;
	}
	if (value->type != NODE_SCALAR || node_is_null(value)) {
		if (!said(x, "wrong-type", value->span))
			diag_error(c->diags, "wrong-type", value->span,
				   "'file' of '%s' of %s is %s; it must be a path", f->name, what,
				   node_type_word(value));
		return NULL;
	}
	c->source = value->span.source;
	r = parse_path(c, f, value->text, &path, &e);
	if (r < 0) {
		if (!said(x, "bad-value", value->span))
			diag_error(c->diags, "bad-value", value->span,
				   "'file' of '%s' of %s is not %s", f->name, what, e.message);
		return NULL;
	}
	/* A pipe might never end, a device never stop. One that isn't there may be known all the same. */
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		if (!said(x, "unreadable-file", value->span))
			diag_error(c->diags, "unreadable-file", value->span,
				   "'%s' of %s: %s is no regular file", f->name, what, path);
		return NULL;
	}
	r = c->read ? c->read(c, path, &text, &e) : file_read(path, NAMED_FILE_MAX, &own, NULL, &e);
	if (r < 0) {
		if (!said(x, "unreadable-file", value->span)) {
			struct diag *g = diag_error(c->diags, "unreadable-file", value->span,
						    "'%s' of %s: %s", f->name, what, e.message);

			if (r == -ENOENT || r == -ENOTDIR)
				help_missing(c, g, value->text, path);
		}
		return NULL;
	}
	if (own)
		text = own;
	/* An editor's last newline is no part of the value. */
	for (len = strlen(text); len > 0 && isspace((unsigned char)text[len - 1]);)
		len--;
	s = arena_alloc(c->arena, sizeof(*s));
	*s = *value;
	s->text = arena_strndup(c->arena, text, len);
	s->plain = true;
	return s;
}

static bool can_be_record(const struct table *t, const struct node *n)
{
	return n->type == NODE_MAP || (n->type == NODE_SCALAR && field_short(t));
}

static void not_a_mapping(struct task *x, const struct table *t, const struct node *n,
			  const char *what)
{
	static const struct field any = {.type = FIELD_SUB};

	if (!said(x, "wrong-type", n->span))
		field_suggest_keys(x->c,
				   diag_error(x->c->diags, "wrong-type", n->span,
					      "%s is %s; it must be a mapping", what,
					      found(x->c, &any, n)),
				   t, n);
}

static bool decode_list(struct task *x, const struct field *f, const struct node *n,
			const char *what, struct list *l)
{
	bool before = x->bad;
	size_t i, j;

	if (n->n > LIST_MAX) {
		if (!said(x, "too-many", n->span))
			diag_error(x->c->diags, "too-many", n->span,
				   "'%s' of %s has %zu items; it must have at most %d", f->name,
				   what, n->n, LIST_MAX);
		return false;
	}
	x->bad = false;
	for (i = 0; i < n->n; i++) {
		const struct node *item = n->items[i];
		const char *text;

		if (f->sub) {
			void *record = arena_alloc(x->c->arena, f->sub->size);
			const char *one = arena_printf(x->c->arena, "%s %zu of %s", f->sub->name,
						       i + 1, what);

			if (!can_be_record(f->sub, item)) {
				not_a_mapping(x, f->sub, item, one);
				continue;
			}
			decode_record(x, f->sub, item, one, record);
			list_add_at(x->c->arena, l, record, item);
			continue;
		}
		if (item->type != NODE_SCALAR || node_is_null(item)) {
			if (!said(x, "wrong-type", item->span))
				diag_error(x->c->diags, "wrong-type", item->span,
					   "item %zu of '%s' of %s is %s; it must be a text", i + 1,
					   f->name, what, node_type_word(item));
			continue;
		}
		if (!decode_string(x, f, item, what, &text))
			continue;
		for (j = 0; (f->flags & FIELD_UNORDERED) && j < l->n; j++) {
			struct diag *g;

			if (!streq(l->items[j], text) || said(x, "duplicate-item", item->span))
				continue;
			g = diag_error(x->c->diags, "duplicate-item", item->span,
				       "'%s' of %s names '%.80s' twice", f->name, what, text);
			diag_also(x->c->diags, g, l->nodes[j]->span, "first here");
			break;
		}
		list_add_at(x->c->arena, l, (void *)text, item);
	}
	i = !x->bad;
	x->bad |= before;
	return i;
}

static bool decode_map(struct task *x, const struct field *f, const struct node *n,
		       const char *what, struct map *m)
{
	size_t i;

	for (i = 0; i < n->n; i++) {
		const struct node *key = n->pairs[i].key, *value = n->pairs[i].value;
		struct node *empty;
		const char *one;
		void *record;

		x->bad |= !field_name(x->c, key); /* its contents are looked at all the same */
		one = arena_printf(x->c->arena, "%s '%.80s' of %s", f->sub->name, key->text, what);
		if (node_is_null(value)) {
			/* Declared, with nothing to say about it. */
			if (x->partial)
				continue;
			empty = arena_alloc(x->c->arena, sizeof(*empty));
			*empty = *value;
			empty->type = NODE_MAP;
			value = empty;
		}
		if (!can_be_record(f->sub, value)) {
			not_a_mapping(x, f->sub, value, one);
			continue;
		}
		record = arena_alloc(x->c->arena, f->sub->size);
		decode_record(x, f->sub, value, one, record);
		map_add(x->c->arena, m, key->text, record);
		m->entries[m->n - 1].key = key;
	}
	return true;
}

static const struct node *list_of(struct arena *a, const struct node *n)
{
	struct node *list = arena_alloc(a, sizeof(*list));

	list->type = NODE_SEQ;
	list->span = n->span;
	list->key = n->key;
	list->items = arena_alloc(a, sizeof(*list->items));
	list->items[0] = (struct node *)n;
	list->n = 1;
	return list;
}

/* One field's value; true when it is there and right. */
static bool decode_value(struct task *x, const struct field *f, const struct node *n,
			 const char *what, void *record)
{
	void *p = field_ptr(f, record);
	bool partial = x->partial;

	if ((f->flags & FIELD_FROM_FILE) && n->type == NODE_MAP) {
		n = read_file(x, f, n, what);
		if (!n)
			return false;
	}
	if ((f->flags & FIELD_ALONE) && n->type == NODE_SCALAR)
		n = list_of(x->c->arena, n);
	if (f->type == FIELD_SUB ? !can_be_record(f->sub, n)
				 : n->type != (f->type == FIELD_LIST  ? NODE_SEQ
					       : f->type == FIELD_MAP ? NODE_MAP
								      : NODE_SCALAR)) {
		wrong_type(x, f, n, what);
		return false;
	}
	switch (f->type) {
	case FIELD_BOOL:
		return decode_bool(x, f, n, what, p);
	case FIELD_INT:
		return decode_int(x, f, n, what, p);
	case FIELD_SIZE:
	case FIELD_DURATION:
		return decode_measure(x, f, n, what, p);
	case FIELD_STRING:
		return decode_string(x, f, n, what, p);
	case FIELD_ENUM:
		return decode_enum(x, f, n, what, p);
	case FIELD_LIST:
		return decode_list(x, f, n, what, p);
	case FIELD_MAP:
		return decode_map(x, f, n, what, p);
	case FIELD_SUB:
		x->partial |= (f->flags & FIELD_PARTIAL) != 0;
		decode_record(x, f->sub, n, arena_printf(x->c->arena, "'%s' of %s", f->name, what),
			      p);
		x->partial = partial;
		return true;
	}
	return false;
}

/* The default's text is manifest text, read by the same code. */
static bool decode_default(struct task *x, const struct field *f, const struct node *owner,
			   const char *what, void *record)
{
	struct arena *a = x->c->arena;
	struct node *n;

	if (*f->def == '[' || *f->def == '{') {
		struct source *s = arena_alloc(a, sizeof(*s));

		*s = (struct source){.name = "default", .text = f->def, .size = strlen(f->def)};
		n = node_load(a, s, x->c->diags);
		if (!n) {
			x->bad = true;
			return false;
		}
	} else {
		n = arena_alloc(a, sizeof(*n));
		n->type = NODE_SCALAR;
		n->text = f->def;
		n->plain = true;
		n->span = node_span(owner);
	}
	return decode_value(x, f, n, what, record);
}

static void decode_record(struct task *x, const struct table *t, const struct node *node,
			  const char *what, void *record)
{
	size_t errors = x->c->diags->n_errors, i;
	struct record *rec = record;
	uint64_t given;

	given = field_keys(x->c, t, node, what);
	x->bad |= x->c->diags->n_errors > errors;
	rec->node = node;
	if (node->type == NODE_SCALAR) {
		const struct field *f = field_short(t);

		given = 1ull << (f - t->fields);
		if (decode_value(x, f, node, what, record))
			rec->set |= given;
	}
	for (i = 0; node->type == NODE_MAP && i < node->n; i++) {
		const struct node *key = node->pairs[i].key, *value = node->pairs[i].value;
		const struct field *f = field_find(t, key->text);

		if (!f || !field_in_manifest(f)) {
			x->bad = true;
			continue;
		}
		if (f->flags & FIELD_LATER) {
			if (!said(x, "not-supported", key->span)) {
				struct diag *g = diag_error(x->c->diags, "not-supported", key->span,
							    "'%s' of %s is not in this version",
							    f->name, what);

				if (f->doc)
					diag_help(x->c->diags, g, "%s", f->doc);
			}
			continue;
		}
		if (node_is_null(value))
			continue; /* as if it were left out */
		given |= 1ull << (f - t->fields);
		if (decode_value(x, f, value, what, record))
			rec->set |= 1ull << (f - t->fields);
	}
	rec->given = x->c->incomplete ? UINT64_MAX : given;
	for (i = 0; !x->partial && i < t->n; i++) {
		const struct field *f = &t->fields[i];
		struct diag *g;

		if ((given & (1ull << i)) || !field_in_manifest(f) || (f->flags & FIELD_LATER))
			continue;
		if (f->def) {
			if (decode_default(x, f, node, what, record))
				rec->set |= 1ull << i;
		} else if ((f->flags & FIELD_REQUIRED) && !x->c->incomplete) {
			const struct node *null = node_key(node, f->name);

			x->bad = true;
			g = diag_error(x->c->diags, "missing-key",
				       null ? null->span : node_span(node), "%s lacks '%s'", what,
				       f->name);
			if (f->doc)
				diag_help(x->c->diags, g, "'%s': %s", f->name, f->doc);
		}
	}
}

int field_decode(struct decode *c, const struct table *t, const struct node *node, const char *what,
		 void *ret_record)
{
	struct task x = {.c = c};

	if (node_is_null(node)) {
		/* Declared, with nothing to say about it. */
		struct node *empty = arena_alloc(c->arena, sizeof(*empty));

		*empty = *node;
		empty->type = NODE_MAP;
		node = empty;
	}
	if (!can_be_record(t, node)) {
		not_a_mapping(&x, t, node, what);
		return -EINVAL;
	}
	decode_record(&x, t, node, what, ret_record);
	return x.bad ? -EINVAL : 0;
}
