/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Diagnostics: collecting, sorting, suggesting, JSON. Printing with carets is in print.c.
 */
#include "diag/diag.h"

#include <ctype.h>
#include <stdarg.h>

#include "base/json.h"
#include "diag/text.h"

#define TEXT_MAX 480 /* bytes of one message */
#define WORD_MAX 64  /* characters of a word that is compared */

struct diags *diags_new(void)
{
	struct diags *d = xcalloc(1, sizeof(*d));

	d->arena = arena_new();
	/* One more than is kept: the newest stays addressable while it gets its labels. */
	d->list = arena_alloc(d->arena, (DIAG_MAX + 1) * sizeof(*d->list));
	return d;
}

void diags_free(struct diags *d)
{
	while (d) {
		struct diags *next = d->kept;

		arena_free(d->arena);
		free(d);
		d = next;
	}
}

void diags_keep(struct diags *d, struct diags *other)
{
	struct diags *last = other;

	while (last->kept)
		last = last->kept;
	last->kept = d->kept;
	d->kept = other;
}

void diags_freep(struct diags **d)
{
	diags_free(*d);
}

/* Formats, replaces control characters and what isn't UTF-8, cuts. */
static const char *clean_text(struct diags *d, const char *fmt, va_list ap)
{
	_cleanup_(freep) char *s = xvasprintf(fmt, ap);
	size_t n = 0, left = strlen(s);
	char *p = arena_alloc(d->arena, MIN_OF(left, (size_t)TEXT_MAX) + 8);

	for (const char *q = s; left > 0;) {
		uint32_t cp;
		size_t k = text_decode(q, left, &cp);

		if (n + k > TEXT_MAX) {
			memcpy(p + n, "…", sizeof("…") - 1);
			n += sizeof("…") - 1;
			break;
		}
		if (text_printable(cp)) {
			memcpy(p + n, q, k);
			n += k;
		} else {
			p[n++] = cp == '\n' || cp == '\t' ? ' ' : '?';
		}
		q += k;
		left -= k;
	}
	p[n] = '\0';
	return p;
}

static bool span_same(const struct span *a, const struct span *b)
{
	return a->source == b->source && a->line == b->line && a->column == b->column &&
	       a->end_line == b->end_line && a->end_column == b->end_column;
}

static int diag_cmp(const struct diag *a, const struct diag *b)
{
	int r = span_cmp(&a->span, &b->span);

	return r ? r : (int)a->severity - (int)b->severity;
}

/* Drops the one that matters least: the last by place of the mildest severity. */
static void trim(struct diags *d)
{
	while (d->n > DIAG_MAX) {
		size_t worst = 0, i;

		for (i = 1; i < d->n; i++) {
			const struct diag *g = &d->list[i], *w = &d->list[worst];

			if (g->severity > w->severity ||
			    (g->severity == w->severity && diag_cmp(g, w) >= 0))
				worst = i;
		}
		memmove(&d->list[worst], &d->list[worst + 1],
			(d->n - worst - 1) * sizeof(*d->list));
		d->n--;
	}
}

bool diags_has(const struct diags *d, const char *code, struct span span)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		if (span_same(&d->list[i].span, &span) && streq(d->list[i].code, code))
			return true;
	return false;
}

struct diag *diag_add(struct diags *d, enum severity severity, const char *code, struct span span,
		      const char *fmt, ...)
{
	struct diag g = {.severity = severity, .code = code, .span = span};
	va_list ap;
	size_t i;

	va_start(ap, fmt);
	g.message = clean_text(d, fmt, ap);
	va_end(ap);

	for (i = 0; i < d->n; i++) {
		const struct diag *o = &d->list[i];

		if (o->severity == severity && span_same(&o->span, &span) && streq(o->code, code) &&
		    streq(o->message, g.message)) {
			/* Somewhere for the caller's labels to go. */
			struct diag *nowhere = arena_alloc(d->arena, sizeof(*nowhere));

			*nowhere = g;
			return nowhere;
		}
	}
	if (severity == SEVERITY_ERROR)
		d->n_errors++;
	trim(d);
	d->list[d->n] = g;
	return &d->list[d->n++];
}

void diag_label(struct diags *d, struct diag *g, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g->label = clean_text(d, fmt, ap);
	va_end(ap);
}

void diag_help(struct diags *d, struct diag *g, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	g->help = clean_text(d, fmt, ap);
	va_end(ap);
}

void diag_also(struct diags *d, struct diag *g, struct span span, const char *fmt, ...)
{
	va_list ap;

	if (g->n_also == ARRAY_SIZE(g->also) || !span.source)
		return;
	va_start(ap, fmt);
	g->also[g->n_also].label = clean_text(d, fmt, ap);
	va_end(ap);
	g->also[g->n_also++].span = span;
}

/* How many letters are to be changed, added, left out or swapped with their neighbour. */
static unsigned edit_distance(const char *a, size_t n, const char *b, size_t m)
{
	unsigned rows[3][WORD_MAX + 1], *prev2 = rows[0], *prev = rows[1], *row = rows[2];
	size_t i, j;

	for (j = 0; j <= m; j++)
		prev[j] = (unsigned)j;
	for (i = 1; i <= n; i++) {
		unsigned *t = prev2;

		row[0] = (unsigned)i;
		for (j = 1; j <= m; j++) {
			bool same = tolower((unsigned char)a[i - 1]) ==
				    tolower((unsigned char)b[j - 1]);

			row[j] = MIN_OF(prev[j] + 1, row[j - 1] + 1);
			row[j] = MIN_OF(row[j], prev[j - 1] + !same);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = MIN_OF(row[j], prev2[j - 2] + 1);
		}
		prev2 = prev;
		prev = row;
		row = t;
	}
	return prev[m];
}

const char *diag_nearest(const char *word, const char *const *words, size_t n,
			 unsigned *ret_distance)
{
	size_t len = word ? strlen(word) : 0, i;
	const char *best = NULL;
	unsigned least = 0;

	if (len == 0 || len > WORD_MAX)
		return NULL;
	for (i = 0; i < n; i++) {
		size_t m = words[i] ? strlen(words[i]) : 0;
		unsigned dist;

		if (m == 0 || m > WORD_MAX || streq(word, words[i]))
			continue;
		dist = edit_distance(word, len, words[i], m);
		/* A third of the word may differ; or it is a part of the other: "mem" for "memory". */
		if ((dist > MAX_OF(len, m) / 3 || dist >= m) &&
		    !(len >= 3 && strcasestr(words[i], word)) &&
		    !(m >= 3 && strcasestr(word, words[i])))
			continue;
		if (!best || dist < least) {
			best = words[i];
			least = dist;
		}
	}
	if (best && ret_distance)
		*ret_distance = least;
	return best;
}

void diag_suggest(struct diags *d, struct diag *g, const char *word, const char *const *words,
		  size_t n)
{
	const char *best = diag_nearest(word, words, n, NULL);

	if (best)
		diag_label(d, g, "did you mean '%s'?", best);
}

static int cmp(const void *a, const void *b)
{
	const struct diag *const *x = a, *const *y = b;
	int r = diag_cmp(*x, *y);

	return r ? r : (*x < *y ? -1 : *x > *y); /* those of one place in the order they came */
}

void diags_sort(struct diags *d)
{
	const struct diag *order[DIAG_MAX];
	struct diag sorted[DIAG_MAX];
	size_t i;

	trim(d);
	for (i = 0; i < d->n; i++)
		order[i] = &d->list[i];
	qsort(order, d->n, sizeof(*order), cmp);
	for (i = 0; i < d->n; i++)
		sorted[i] = *order[i];
	memcpy(d->list, sorted, d->n * sizeof(*sorted));
}

static void put_place(json_object *o, const struct span *s)
{
	const char *name = s->source && s->source->name ? s->source->name : "";
	unsigned line = MAX_OF(s->line, 1u), column = MAX_OF(s->column, 1u);
	unsigned end_line = MAX_OF(s->end_line, line);
	unsigned end_column = MAX_OF(s->end_column, 1u);

	if (end_line == line)
		end_column = MAX_OF(end_column, column);
	json_put_text(o, "file", name);
	json_object_object_add(o, "line", json_object_new_int64(line));
	json_object_object_add(o, "column", json_object_new_int64(column));
	json_object_object_add(o, "end_line", json_object_new_int64(end_line));
	json_object_object_add(o, "end_column", json_object_new_int64(end_column));
}

static void put_includes(json_object *o, const struct source *s)
{
	json_object *list = json_object_new_array(), *place;

	for (; s && s->included; s = s->included->source) {
		place = json_object_new_object();
		put_place(place, s->included);
		json_object_array_add(list, place);
	}
	if (json_length(list))
		json_object_object_add(o, "included_from", list);
	else
		json_object_put(list);
}

json_object *diags_json(struct diags *d)
{
	static const char *const words[] = {"error", "warning", "note"};
	json_object *list = json_object_new_array(), *o, *also, *place;
	size_t i;
	unsigned k;

	diags_sort(d);
	for (i = 0; i < d->n; i++) {
		const struct diag *g = &d->list[i];

		o = json_object_new_object();
		put_place(o, &g->span);
		json_put_text(o, "severity", words[g->severity]);
		json_put_text(o, "code", g->code);
		json_put_text(o, "message", g->message);
		json_put_text(o, "label", g->label);
		json_put_text(o, "help", g->help);
		put_includes(o, g->span.source);
		if (g->n_also) {
			also = json_object_new_array();
			for (k = 0; k < g->n_also; k++) {
				place = json_object_new_object();
				put_place(place, &g->also[k].span);
				json_put_text(place, "label", g->also[k].label);
				json_object_array_add(also, place);
			}
			json_object_object_add(o, "also", also);
		}
		json_object_array_add(list, o);
	}
	return list;
}
