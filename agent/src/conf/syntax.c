/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * libyaml stops where nothing can be right any more, which is often lines below the missing colon or
 * quote, and says so in the grammar's words. This looks at the lines themselves for what people get
 * wrong. What it doesn't know it tells as libyaml does.
 */
#include "conf/syntax.h"

#include <ctype.h>

#include "diag/text.h"

#define SHOWN_MAX      60 /* bytes of a line that a message repeats */
#define NO_BREAK_SPACE "\xc2\xa0"
#define NONE           SIZE_MAX

struct line {
	const char *s;
	size_t n;
};

/* What a line says; offsets in bytes from its beginning. */
struct look {
	unsigned number; /* from 1; 0: there is none */
	struct line line;
	size_t indent;   /* of its first character that is no space */
	size_t content;  /* behind any "- " */
	size_t end;      /* without comment and white space */
	size_t colon;    /* the one behind its key, or NONE */
	bool dash;       /* begins with "- " */
};

struct doc {
	struct diags *d;
	const struct syntax *s;
	struct line *lines;
	size_t n;
};

static void split(struct doc *x)
{
	const struct source *s = x->s->source;
	const char *p = s->text, *end = p + s->size;

	if (s->size >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3;
	for (;;) {
		const char *from = p;

		while (p < end && *p != '\n' && *p != '\r')
			p++;
		if ((x->n & (x->n - 1)) == 0)
			x->lines = xrealloc(x->lines, x->n ? x->n * 2 : 1, sizeof(*x->lines));
		x->lines[x->n++] = (struct line){from, (size_t)(p - from)};
		if (p == end)
			return;
		p += p[0] == '\r' && p + 1 < end && p[1] == '\n' ? 2 : 1;
	}
}

/* The bytes from..to of a line as a place. */
static struct span part(const struct doc *x, unsigned number, size_t from, size_t to)
{
	const struct line *l = &x->lines[number - 1];
	struct span span = {.source = x->s->source, .line = number, .end_line = number};
	unsigned column = 1;
	size_t i = 0;

	for (;; column++) {
		uint32_t cp;

		if (i <= from)
			span.column = column;
		span.end_column = column;
		if (i >= to || i >= l->n)
			break;
		i += text_decode(l->s + i, l->n - i, &cp);
	}
	span.end_column = MAX_OF(span.end_column, span.column + 1);
	return span;
}

/* The byte at which a place begins in its line. */
static size_t offset_of(const struct doc *x, const struct span *span)
{
	const struct line *l = &x->lines[span->line - 1];
	size_t i = 0;

	for (unsigned column = 1; column < span->column && i < l->n; column++) {
		uint32_t cp;

		i += text_decode(l->s + i, l->n - i, &cp);
	}
	return i;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Behind a quoted text that begins at `i`; the line's end if it isn't closed there. */
static size_t skip_quoted(const char *s, size_t i, size_t n)
{
	char quote = s[i];

	for (i++; i < n; i++) {
		if (s[i] == '\\' && quote == '"')
			i++;
		else if (s[i] == quote && quote == '\'' && i + 1 < n && s[i + 1] == '\'')
			i++;
		else if (s[i] == quote)
			return i + 1;
	}
	return n;
}

static struct look look_at(const struct doc *x, size_t number)
{
	struct look k = {.number = (unsigned)number, .line = x->lines[number - 1], .colon = NONE};
	const char *s = k.line.s;
	size_t n = k.line.n, i = 0;

	while (i < n && s[i] == ' ')
		i++;
	k.indent = i;
	while (i + 1 < n && s[i] == '-' && s[i + 1] == ' ') {
		k.dash = true;
		while (++i < n && s[i] == ' ')
			;
	}
	k.content = i;
	for (k.end = i; i < n; i++) {
		if (s[i] == '#' && (i == 0 || blank(s[i - 1])))
			break;
		if ((s[i] == '"' || s[i] == '\'') && (i == k.content || blank(s[i - 1]))) {
			i = skip_quoted(s, i, n) - 1;
			k.end = i + 1;
			continue;
		}
		if (s[i] == ':' && k.colon == NONE && s[k.content] != '{' && s[k.content] != '[' &&
		    (i + 1 == n || blank(s[i + 1])))
			k.colon = i;
		if (!blank(s[i]))
			k.end = i + 1;
	}
	return k;
}

static bool empty(const struct look *k)
{
	return k->end <= k->indent;
}

/* The nearest line above that says something; number 0: none. */
static struct look above(const struct doc *x, unsigned number)
{
	while (--number > 0) {
		struct look k = look_at(x, number);

		if (!empty(&k))
			return k;
	}
	return (struct look){0};
}

/* The key of a line, or its first word. */
static const char *name_of(const struct doc *x, const struct look *k)
{
	const char *s = k->line.s + k->content;
	size_t n = (k->colon != NONE ? k->colon : k->end) - k->content;

	if (k->colon == NONE)
		for (size_t i = 0; i < n; i++)
			if (blank(s[i]) || s[i] == ':' || s[i] == '=')
				n = i;
	return arena_strndup(x->d->arena, s, MIN_OF(n, (size_t)SHOWN_MAX));
}

static struct span whole(const struct doc *x, const struct look *k)
{
	return part(x, k->number, k->indent, k->end);
}

static struct diag *say(struct doc *x, struct span span, const char *message)
{
	return diag_error(x->d, "syntax", span, "%s", message);
}

/* --- a key without its colon --- */

/* A line that should have a key and has none. */
static struct diag *no_colon(struct doc *x, const struct look *k)
{
	const char *s = k->line.s + k->content, *name = name_of(x, k), *rest;
	size_t n = k->end - k->content, word = strlen(name);
	struct span span = part(x, k->number, k->content, k->end);
	struct diag *g;

	for (rest = s + word; rest < s + n && (blank(*rest) || strchr(":=" NO_BREAK_SPACE, *rest));)
		rest++;
	if (word > 0 && word + 2 < n && memcmp(s + word, ":" NO_BREAK_SPACE, 3) == 0)
		g = diag_error(x->d, "syntax", span,
			       "the space behind '%s:' is a no-break space (U+00A0)", name);
	else if (word > 0 && word < n && s[word] == ':')
		g = diag_error(x->d, "syntax", span, "there is no space behind the ':' of '%s'",
			       name);
	else
		g = diag_error(x->d, "syntax", span, "there is no ':' behind '%s'", name);
	if (n <= SHOWN_MAX)
		diag_label(x->d, g, "did you mean '%s:%s%.*s'?", name, rest < s + n ? " " : "",
			   (int)(s + n - rest), rest);
	return g;
}

/* An item without its dash, among items that have theirs; `first`: one of them. */
static struct diag *no_dash(struct doc *x, const struct look *k, struct span first)
{
	const char *s = k->line.s + k->content;
	size_t n = k->end - k->content;
	bool glued = n > 1 && s[0] == '-';
	struct diag *g;

	g = glued ? say(x, whole(x, k), "there is no space behind the '-'")
		  : diag_error(x->d, "syntax", whole(x, k), "there is no '- ' in front of '%s'",
			       name_of(x, k));
	if (n <= SHOWN_MAX)
		diag_label(x->d, g, "did you mean '- %.*s'?", (int)(n - glued), s + glued);
	if (first.line != k->number)
		diag_also(x->d, g, first, "items of a list");
	return g;
}

static bool bare(const struct look *k)
{
	return k->number && !empty(k) && k->colon == NONE &&
	       !strchr("{}[],\"'", k->line.s[k->content]);
}

/* --- indentation --- */

static const char *spaces(const struct doc *x, size_t n)
{
	return arena_printf(x->d->arena, "%zu space%s", n, n == 1 ? "" : "s");
}

/* Whether that many spaces are unlike what the text is indented by elsewhere: 3 where all go by 2 or 4. */
static bool odd(const struct doc *x, size_t indent)
{
	size_t by[2] = {0};

	for (size_t number = 1; number <= x->n; number++) {
		const struct line *l = &x->lines[number - 1];
		size_t i = 0;

		while (i < l->n && l->s[i] == ' ')
			i++;
		if (i > 0 && i < l->n)
			by[i % 2]++;
	}
	return indent % 2 && by[1] < by[0];
}

/* A line whose indentation is none of those above it: which there are. */
static void no_level(struct doc *x, const struct look *k)
{
	struct look deeper = {0}, l = above(x, k->number);
	const struct look *wrong = NULL;
	size_t level = NONE;
	struct diag *g;

	for (; l.number; l = above(x, l.number)) {
		/* In "- key: value" both the dash and the key are something to be level with. */
		size_t column = l.content < level ? l.content : l.indent;

		if (column >= level)
			continue;
		level = column;
		if (level > k->indent) {
			deeper = l;
			continue;
		}
		break;
	}
	/* The line that no other goes by is the one to change, be it this or one above. */
	if (!odd(x, k->indent) && deeper.number && odd(x, deeper.indent))
		wrong = &deeper;
	else if (!odd(x, k->indent) && l.number && odd(x, l.indent))
		wrong = &l;
	if (wrong) {
		g = diag_error(x->d, "syntax", whole(x, wrong),
			       "'%s' is indented by %s, '%s' further down by %s", name_of(x, wrong),
			       spaces(x, wrong->indent), name_of(x, k), spaces(x, k->indent));
		diag_also(x->d, g, whole(x, k), "indented by %s", spaces(x, k->indent));
	} else {
		g = diag_error(x->d, "syntax", whole(x, k),
			       "'%s' is indented by %s, like nothing above it", name_of(x, k),
			       spaces(x, k->indent));
		if (deeper.number)
			diag_also(x->d, g, whole(x, &deeper), "indented by %s",
				  spaces(x, deeper.indent > k->indent ? deeper.indent
								      : deeper.content));
	}
	if (l.number && !wrong)
		diag_also(x->d, g, whole(x, &l), "indented by %s", spaces(x, l.indent));
	diag_help(x->d, g, "keys that belong together begin in the same column");
}

/* --- brackets and quotes --- */

static void not_closed(struct doc *x, struct span open, const struct span *seen)
{
	char c = x->lines[open.line - 1].s[offset_of(x, &open)];
	struct diag *g = diag_error(x->d, "syntax", open, "this '%c' is not closed", c);

	diag_label(x->d, g, "a '%c' is missing", c == '[' ? ']' : '}');
	if (seen && seen->line != open.line)
		diag_also(x->d, g, *seen, "this would still be within it");
}

static void quote_not_closed(struct doc *x, struct span open, const struct span *end)
{
	struct diag *g = say(x, open, "the quotes that begin here are not closed in this line");

	if (end)
		diag_also(x->d, g, *end, "they would end only here");
	diag_help(x->d, g,
		  "close them; within '…' a ' is written '', within \"…\" a \" is written \\\"");
}

/* A text in quotes that goes on over several lines and ends right where reading stopped: most likely
 * its first quote was never closed, and what ends it begins another. */
static bool quote_runs_on(struct doc *x)
{
	const struct syntax *s = x->s;
	struct span end;

	if (!s->quoted.source || s->quoted.end_line == s->quoted.line ||
	    s->quoted.end_line != s->at.line || s->quoted.end_column > s->at.column)
		return false;
	end = s->quoted;
	end.line = end.end_line;
	end.column = MAX_OF(end.end_column, 2u) - 1;
	quote_not_closed(x,
			 (struct span){s->source, s->quoted.line, s->quoted.column, s->quoted.line,
				       s->quoted.column + 1},
			 &end);
	return true;
}

/* --- what libyaml found --- */

/* "mapping values are not allowed in this context": a ':' behind what can't be a key. */
static void misplaced_colon(struct doc *x)
{
	struct look k = look_at(x, x->s->at.line), up = above(x, k.number);
	size_t at = offset_of(x, &x->s->at);
	struct diag *g;

	if (k.colon != NONE && k.colon < at) {
		size_t from = k.colon + 1;

		while (from < k.end && blank(k.line.s[from]))
			from++;
		g = say(x, x->s->at, "a second ': ' in one line");
		if (k.end - from <= SHOWN_MAX && !memchr(k.line.s + from, '"', k.end - from) &&
		    !memchr(k.line.s + from, '\\', k.end - from))
			diag_label(x->d, g, "did you mean '\"%.*s\"'?", (int)(k.end - from),
				   k.line.s + from);
		diag_help(x->d, g,
			  "a text that holds ': ' stands in quotes; a mapping begins on the "
			  "next line, or in {}");
		return;
	}
	if (bare(&up)) {
		/* Several in a row: the first is where it begins. */
		for (struct look higher = above(x, up.number);
		     bare(&higher) && higher.indent <= up.indent; higher = above(x, higher.number))
			up = higher;
		g = no_colon(x, &up);
		diag_also(x->d, g, whole(x, &k), "this can't follow without it");
		return;
	}
	if (up.number && up.colon != NONE && k.indent > up.content && odd(x, up.indent) &&
	    !odd(x, k.indent)) {
		g = diag_error(x->d, "syntax", whole(x, &up),
			       "'%s' is indented by %s, '%s' below it by %s", name_of(x, &up),
			       spaces(x, up.indent), name_of(x, &k), spaces(x, k.indent));
		diag_also(x->d, g, whole(x, &k), "indented by %s", spaces(x, k.indent));
		diag_help(x->d, g, "keys that belong together begin in the same column");
		return;
	}
	if (up.number && up.colon != NONE && k.indent > up.content) {
		g = diag_error(
			x->d, "syntax", whole(x, &k),
			"'%s' is indented deeper than '%s' above it, which has a value already",
			name_of(x, &k), name_of(x, &up));
		diag_also(x->d, g, whole(x, &up), "this has its value in the same line");
		diag_help(x->d, g, "keys that belong together begin in the same column");
		return;
	}
	diag_help(x->d, say(x, x->s->at, "a ':' that ends no key"),
		  "a text that holds ': ' stands in quotes");
}

/* "could not find expected ':'": a line that is only a word. */
static void only_a_word(struct doc *x)
{
	struct look k = look_at(x, x->s->start.line), up = above(x, k.number);
	char c = k.line.n > k.content ? k.line.s[k.content] : 0;

	if (c == '"' || c == '\'')
		quote_not_closed(x, part(x, k.number, k.content, k.content + 1), NULL);
	else if (up.dash && up.indent == k.indent)
		no_dash(x, &k, whole(x, &up));
	else
		no_colon(x, &k);
}

static void unopened(struct doc *x, char c)
{
	diag_error(x->d, "syntax", x->s->at, "there is no '%c' that this '%c' would close",
		   c == ']' ? '[' : '{', c);
}

/* Within a line, behind something that was complete. */
static void goes_on(struct doc *x, const char *s, size_t at, size_t n)
{
	const struct span *q = &x->s->quoted;
	struct diag *g;

	if (s[at] == '}' || s[at] == ']') {
		unopened(x, s[at]);
	} else if (q->source && q->end_line == x->s->at.line && q->end_column <= x->s->at.column) {
		g = say(x, x->s->at, "the quotes were closed: nothing may follow them");
		diag_also(x->d, g, *q, "these");
		diag_help(
			x->d, g,
			"put all of it into quotes; within '…' a ' is written '', within \"…\" a \" "
			"is written \\\"");
	} else {
		g = say(x, x->s->at, "nothing may follow here in the same line");
		if (memchr("\"'{[", s[at], 4))
			diag_help(x->d, g, "begin it in a line of its own");
	}
}

/* "did not find expected key", "… '-' indicator": within a block, something that is neither. */
static void unexpected_in_block(struct doc *x, bool list)
{
	struct look k = look_at(x, x->s->at.line), up = above(x, k.number);
	size_t at = offset_of(x, &x->s->at);
	struct look first = look_at(x, x->s->start.line);
	struct diag *g;

	if (quote_runs_on(x))
		return;
	if (at > k.indent) {
		goes_on(x, k.line.s, at, k.line.n);
	} else if (list && x->s->at.column == x->s->start.column) {
		no_dash(x, &k, whole(x, &first));
	} else if (!list && k.dash && x->s->at.column == x->s->start.column) {
		g = say(x, whole(x, &k), "an item of a list among keys");
		diag_also(x->d, g, whole(x, &first), "keys from here on");
		diag_help(x->d, g, "a list stands under a key of its own, deeper than that");
	} else if (at < k.line.n && (k.line.s[at] == '}' || k.line.s[at] == ']')) {
		unopened(x, k.line.s[at]);
	} else if (bare(&up) && k.indent > up.indent) {
		diag_also(x->d, no_colon(x, &up), whole(x, &k), "this can't follow without it");
	} else {
		no_level(x, &k);
	}
}

static bool quote_begins(const struct look *k, size_t i)
{
	const char *s = k->line.s;

	return (s[i] == '"' || s[i] == '\'') && (i == k->content || strchr(" \t,:[{", s[i - 1]));
}

/* Whether a bracket has its counterpart anywhere below. */
static bool closed(const struct doc *x, const struct span *open)
{
	size_t depth = 0, i = offset_of(x, open);

	for (size_t number = open->line; number <= x->n; number++, i = 0) {
		struct look k = look_at(x, number);

		for (; i < k.end; i++) {
			char c = k.line.s[i];

			if (quote_begins(&k, i))
				i = skip_quoted(k.line.s, i, k.end) - 1;
			else if (c == '[' || c == '{')
				depth++;
			else if ((c == ']' || c == '}') && --depth == 0)
				return true;
		}
	}
	return false;
}

/* "did not find expected ',' or '}'" */
static void unexpected_in_flow(struct doc *x, char close)
{
	const struct syntax *s = x->s;
	struct look k = look_at(x, s->at.line), open = look_at(x, s->start.line), up;
	size_t at = offset_of(x, &s->at), from;
	const char *t = k.line.s;
	struct diag *g;

	if (quote_runs_on(x))
		return;
	if (at >= k.line.n && s->at.line == x->n) {
		not_closed(x, s->start, NULL);
		return;
	}
	if (at < k.line.n && (t[at] == '}' || t[at] == ']')) {
		g = diag_error(x->d, "syntax", s->at, "a '%c' must come before this '%c'", close,
			       t[at]);
		diag_also(x->d, g, s->start, "it is to close this");
		return;
	}
	/* A line further down: part of it by its indentation, or not. */
	if (k.number > open.number && (at == k.indent || at == k.colon)) {
		if (k.indent <= open.indent || !closed(x, &s->start)) {
			struct span seen = whole(x, &k);

			not_closed(x, s->start, &seen);
			return;
		}
		up = above(x, k.number);
		if (up.number) {
			g = say(x, part(x, up.number, up.end - 1, up.end),
				"there is no ',' behind this");
			diag_also(x->d, g, whole(x, &k), "the next entry");
			return;
		}
	}
	if (at < k.line.n && t[at] == ':') {
		/* "a: b c: d" lacks a comma, "a: b: c" quotes. */
		for (from = at; from > k.indent && !strchr(" \t,{[", t[from - 1]);)
			from--;
		for (size_t i = from; i > k.indent && blank(t[i - 1]); i--)
			if (i - 1 > k.indent && !strchr(" \t:,{[", t[i - 2])) {
				g = diag_error(x->d, "syntax", part(x, k.number, from, at),
					       "there is no ',' in front of '%.*s'",
					       (int)MIN_OF(at - from, (size_t)SHOWN_MAX), t + from);
				return;
			}
		g = say(x, s->at, "a second ': ' in one entry");
		diag_help(x->d, g, "a text that holds ': ' stands in quotes");
		return;
	}
	g = say(x, s->at, "there is no ',' in front of this");
	diag_also(x->d, g, s->start, "entries of this are parted by commas");
}

/* The last bracket that nothing closes, by the look of it; no source: none. */
static struct span unclosed(const struct doc *x)
{
	struct {
		size_t number, offset;
	} stack[64];
	size_t depth = 0;

	for (size_t number = 1; number <= x->n; number++) {
		struct look k = look_at(x, number);

		for (size_t i = k.indent; i < k.end; i++) {
			char c = k.line.s[i];

			if (quote_begins(&k, i))
				i = skip_quoted(k.line.s, i, k.end) - 1;
			else if ((c == '[' || c == '{') && depth < ARRAY_SIZE(stack))
				stack[depth].number = number, stack[depth++].offset = i;
			else if ((c == ']' || c == '}') && depth > 0)
				depth--;
		}
	}
	if (depth == 0)
		return (struct span){0};
	return part(x, (unsigned)stack[depth - 1].number, stack[depth - 1].offset,
		    stack[depth - 1].offset + 1);
}

/* "did not find expected node content" */
static void no_value(struct doc *x)
{
	struct look k = look_at(x, x->s->at.line);
	size_t at = offset_of(x, &x->s->at);
	char c = at < k.line.n ? k.line.s[at] : 0;
	struct span open;

	if (c == ']' || c == '}') {
		unopened(x, c);
		return;
	}
	open = unclosed(x);
	if (open.source && (!c || (at == k.indent && open.line < k.number))) {
		struct span seen = whole(x, &k);

		not_closed(x, open, c ? &seen : NULL);
		return;
	}
	say(x, x->s->at,
	    c == ','   ? "there is nothing in front of this ','"
	    : c == '-' ? "within [] and {} no '- ' begins an item: ',' parts them"
		       : "a value is missing here");
}

static bool marker(const struct look *k, const char *word)
{
	return k->number && k->line.n >= 3 && memcmp(k->line.s, word, 3) == 0;
}

/* "did not find expected <document start>": something behind the end of all. */
static void behind_the_end(struct doc *x)
{
	struct look k = look_at(x, x->s->at.line), up = above(x, k.number), first = {0};
	const struct look *one, *other;
	size_t beside = 0;
	struct diag *g;

	if (marker(&up, "...")) {
		g = say(x, whole(x, &k), "nothing may follow the end of the manifest");
		diag_also(x->d, g, whole(x, &up), "'...' ends it");
		return;
	}
	if (bare(&up)) {
		diag_also(x->d, no_colon(x, &up), whole(x, &k), "this can't follow without it");
		return;
	}
	for (struct look l = up; l.number && !marker(&l, "---"); l = above(x, l.number))
		first = l;
	if (!first.number || first.indent <= k.indent || first.colon == NONE) {
		g = say(x, whole(x, &k), "nothing may follow the end of the manifest");
		if (up.number)
			diag_also(x->d, g, whole(x, &up), "it ends here");
		return;
	}
	for (struct look l = up; l.number >= first.number && l.number; l = above(x, l.number))
		beside += l.indent == first.indent;
	/* Of two ways to begin a line, the one that is seen once is the slip. */
	one = beside > 1 ? &k : &first;
	other = beside > 1 ? &first : &k;
	g = diag_error(x->d, "syntax", whole(x, one), "'%s' is indented by %s, '%s' by %s",
		       name_of(x, one), spaces(x, one->indent), name_of(x, other),
		       spaces(x, other->indent));
	diag_also(x->d, g, whole(x, other), "indented by %s", spaces(x, other->indent));
	diag_help(x->d, g, "keys that belong together begin in the same column");
}

/* A text that begins with a character which YAML has another use for. */
static void reserved(struct doc *x, struct span at)
{
	struct look k = look_at(x, at.line);
	size_t from = offset_of(x, &at), to = from;
	struct diag *g;
	char c = from < k.line.n ? k.line.s[from] : ' ';

	while (to < k.end && !strchr(" \t,]}", k.line.s[to]))
		to++;
	g = diag_error(x->d, "syntax", at, "a text that begins with '%c' stands in quotes", c);
	if (to > from && to - from <= SHOWN_MAX && !memchr(k.line.s + from, '"', to - from))
		diag_label(x->d, g, "did you mean '\"%.*s\"'?", (int)(to - from), k.line.s + from);
}

static bool conflict(struct doc *x)
{
	for (size_t i = 0; i < x->n; i++) {
		const struct line *l = &x->lines[i];

		if (l->n > 8 && memcmp(l->s, "<<<<<<< ", 8) == 0) {
			diag_help(
				x->d,
				say(x, part(x, (unsigned)i + 1, 0, l->n),
				    "a merge that was never finished: both versions are in the file"),
				"keep one, and take out the lines with <<<<<<<, ======= and >>>>>>>");
			return true;
		}
	}
	return false;
}

static void explain(struct doc *x)
{
	const struct syntax *s = x->s;
	struct look k = look_at(x, s->at.line);
	size_t at = offset_of(x, &s->at);
	char c = at < k.line.n ? k.line.s[at] : 0;
	struct diag *g;

	if (conflict(x))
		return;
	if (c == '\t' || strstr(s->problem, "tab character")) {
		g = say(x, s->at, "a tab can't indent or separate");
		diag_help(x->d, g, "use spaces");
	} else if (strstr(s->problem, "mapping values are not allowed")) {
		if (!quote_runs_on(x))
			misplaced_colon(x);
	} else if (strstr(s->problem, "could not find expected ':'")) {
		only_a_word(x);
	} else if (strstr(s->problem, "did not find expected key") ||
		   strstr(s->problem, "did not find expected '-'")) {
		if (c == ':')
			diag_error(x->d, "empty-key", s->at, "there is no key in front of the ':'");
		else
			unexpected_in_block(x, strstr(s->problem, "'-'") != NULL);
	} else if (strstr(s->problem, "expected ',' or ']'")) {
		unexpected_in_flow(x, ']');
	} else if (strstr(s->problem, "expected ',' or '}'")) {
		unexpected_in_flow(x, '}');
	} else if (strstr(s->problem, "expected node content")) {
		if (c == ':')
			diag_error(x->d, "empty-key", s->at, "there is no key in front of the ':'");
		else
			no_value(x);
	} else if (strstr(s->problem, "expected <document start>")) {
		behind_the_end(x);
	} else if (strstr(s->problem, "unexpected end of stream") ||
		   strstr(s->problem, "unexpected document indicator")) {
		quote_not_closed(x, s->start, NULL);
	} else if (strstr(s->problem, "cannot start any token")) {
		reserved(x, s->at);
	} else if (strstr(s->problem, "alphabetic or numeric character") ||
		   (s->context && strstr(s->context, "a tag"))) {
		reserved(x, s->start);
	} else if (strstr(s->problem, "block sequence entries are not allowed")) {
		g = say(x, s->at, "a list can't begin behind its key");
		diag_help(x->d, g, "begin it on the next line, or write it in []");
	} else if (s->context && strstr(s->context, "a block scalar")) {
		g = say(x, s->start, "a text can't begin behind '|' or '>'");
		diag_help(
			x->d, g,
			"such a text stands in the lines below, indented; one of a single line needs "
			"neither, or quotes");
	} else if (k.line.n > 0 && k.line.s[0] == '%') {
		g = say(x, part(x, k.number, 0, k.end),
			"a manifest has no directives but %YAML 1.2");
		diag_help(x->d, g, "leave the line out");
	} else if (s->context && strstr(s->context, "quoted scalar") &&
		   strstr(s->problem, "hexdecimal")) {
		g = say(x, s->at, "the number of a character is missing here");
		diag_help(x->d, g, "\\x, \\u and \\U take 2, 4 and 8 hex digits");
	} else if (strstr(s->problem, "unknown escape")) {
		g = diag_error(x->d, "syntax", s->at, "'%.*s' means nothing within \"…\"",
			       (int)MIN_OF(k.line.n - at, (size_t)2), k.line.s + at);
		diag_help(x->d, g, "write '…' instead, where '\\' is itself, or '\\\\'");
	} else {
		diag_error(x->d, "syntax", s->at, "this is not YAML: %s", s->problem);
	}
}

void syntax_explain(struct diags *d, const struct syntax *s)
{
	struct doc x = {.d = d, .s = s};

	split(&x);
	explain(&x);
	free(x.lines);
}
