/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Diagnostics as people read them: the place, the message, the line, a caret under it.
 */
#include "base/str.h"
#include "diag/diag.h"
#include "diag/text.h"

#define TAB_STOP   8
#define LINE_WIDTH 110 /* columns of a source line that are shown */
#define LINE_LEAD  30  /* columns before the caret that stay visible when a long line is cut */

#define ANSI_BOLD    "\033[1m"
#define ANSI_RED     "\033[1;31m"
#define ANSI_MAGENTA "\033[1;35m"
#define ANSI_CYAN    "\033[1;36m"
#define ANSI_GREEN   "\033[1;32m"
#define ANSI_OFF     "\033[0m"

struct style {
	const char *bold, *mark, *off;
	const char *severity[3];
};

static const struct style plain = {"", "", "", {"", "", ""}};
static const struct style coloured = {
	ANSI_BOLD, ANSI_GREEN, ANSI_OFF, {ANSI_RED, ANSI_MAGENTA, ANSI_CYAN},
};

/* The columns on the terminal where a line's span begins and ends, counted from 0. */
static void screen_columns(const char *line, size_t n, unsigned from, unsigned to, size_t *ret_from,
			   size_t *ret_to)
{
	size_t column = 0;
	unsigned c;

	*ret_from = *ret_to = 0;
	for (c = 1;; c++) {
		uint32_t cp;
		size_t k;

		if (c == from)
			*ret_from = column;
		if (c == to)
			*ret_to = column;
		if (n == 0 || c >= to)
			break;
		k = text_decode(line, n, &cp);
		column += cp == '\t'           ? TAB_STOP - column % TAB_STOP
			  : text_printable(cp) ? text_width(cp)
					       : 1;
		line += k;
		n -= k;
	}
	if (c < from)
		*ret_from = column;
	if (c < to)
		*ret_to = column;
	if (*ret_to <= *ret_from)
		*ret_to = *ret_from + 1;
}

/* The line's columns first..last with tabs made spaces and nothing that moves a cursor. */
static void add_line(struct str *b, const char *line, size_t n, size_t first, size_t last)
{
	size_t column = 0;

	if (first > 0)
		str_add(b, "…");
	while (n > 0) {
		uint32_t cp;
		size_t k = text_decode(line, n, &cp), width;

		width = cp == '\t'           ? TAB_STOP - column % TAB_STOP
			: text_printable(cp) ? text_width(cp)
					     : 1;
		if (column >= last) {
			str_add(b, "…");
			break;
		}
		if (column >= first) {
			if (cp == '\t')
				str_addf(b, "%*s", (int)width, "");
			else if (text_printable(cp))
				str_addn(b, line, k);
			else
				str_addc(b, '?');
		} else if (column + width > first) {
			/* Cut in the middle of a tab or a wide one: keep the columns. */
			str_addf(b, "%*s", (int)(column + width - first), "");
		}
		column += width;
		line += k;
		n -= k;
	}
}

static void print_place(FILE *f, const struct style *st, const struct span *s, char mark,
			const char *label)
{
	_cleanup_str_ struct str b = {};
	size_t n, from, to, first = 0, i;
	const char *line = source_line(s->source, s->line, &n);

	if (!line || s->source->size == 0)
		return;
	/* What goes on over several lines is underlined to the end of its first. */
	screen_columns(line, n, s->column, s->end_line > s->line ? UINT32_MAX : s->end_column,
		       &from, &to);
	if (from > LINE_WIDTH - LINE_LEAD)
		first = from - LINE_LEAD;
	add_line(&b, line, n, first, first + LINE_WIDTH);
	fprintf(f, "%5u | %s\n", s->line, str_get(&b));

	str_done(&b);
	str_addf(&b, "%*s", (int)(from - first + (first > 0)), "");
	str_add(&b, *st->mark ? st->mark : "");
	str_addc(&b, mark);
	for (i = from + 1; i < MIN_OF(to, first + LINE_WIDTH); i++)
		str_addc(&b, '~');
	if (label)
		str_addf(&b, " %s", label);
	str_add(&b, st->off);
	fprintf(f, "      | %s\n", str_get(&b));
}

/* Why a file is read that nobody named on the command line. */
static void print_includes(FILE *f, const struct source *s)
{
	const char *comma = "";

	if (!s || !s->included)
		return;
	fputs("   included", f);
	for (; s->included && s->included->source; s = s->included->source, comma = ",")
		fprintf(f, "%s from %s:%u", comma, s->included->source->name, s->included->line);
	fputs("\n", f);
}

static void print_one(FILE *f, const struct style *st, const struct diag *g)
{
	static const char *const words[] = {"error", "warning", "note"};
	const struct source *s = g->span.source;
	unsigned i;

	fputs(st->bold, f);
	if (s && s->name && g->span.line)
		fprintf(f, "%s:%u:%u: ", s->name, g->span.line, MAX_OF(g->span.column, 1u));
	else if (s && s->name)
		fprintf(f, "%s: ", s->name);
	fprintf(f, "%s%s%s:%s %s%s%s\n", st->off, st->severity[g->severity], words[g->severity],
		st->off, st->bold, g->message, st->off);
	print_place(f, st, &g->span, '^', g->label);
	print_includes(f, s);
	for (i = 0; i < g->n_also; i++) {
		const struct span *a = &g->also[i].span;

		if (a->source != s && a->source && a->source->name)
			fprintf(f, "   in %s:\n", a->source->name);
		print_place(f, st, a, '~', g->also[i].label);
	}
	if (g->help)
		fprintf(f, "  help: %s\n", g->help);
}

void diags_print(struct diags *d, FILE *f, bool colour)
{
	const struct style *st = colour ? &coloured : &plain;
	size_t i, errors = 0;

	diags_sort(d);
	for (i = 0; i < d->n; i++) {
		print_one(f, st, &d->list[i]);
		errors += d->list[i].severity == SEVERITY_ERROR;
	}
	if (d->n_errors > errors)
		fprintf(f, "and %zu more %s\n", d->n_errors - errors,
			d->n_errors - errors == 1 ? "error" : "errors");
}
