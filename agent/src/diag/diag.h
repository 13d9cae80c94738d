/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Diagnostics: collected during one run, sorted by place, printed with the line and a caret, or as
 * JSON. At most DIAG_MAX are kept; how many more there were is said.
 */
#pragma once

#include <json-c/json.h>
#include <stdio.h>

#include "base/err.h"
#include "base/record.h"
#include "diag/source.h"

#define DIAG_MAX 20

enum severity { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_NOTE };

struct diag {
	enum severity severity;
	const char *code;    /* a stable word: "unknown-key" */
	const char *message; /* one sentence in lower case, no final stop */
	const char *label;   /* beside the caret: "did you mean 'xenbr1'?", or NULL */
	struct span span;
	struct {
		struct span span;
		const char *label; /* "declared here" */
	} also[2];
	unsigned n_also;
	const char *help; /* a line of its own below, or NULL */
};

struct diags {
	struct arena *arena;
	struct diag *list;
	size_t n;
	size_t n_errors; /* all errors, those past DIAG_MAX included */
	struct list looked_at; /* paths of the files that what was read names, be they there or not */
	struct diags *kept;    /* others that end with this one */
};

struct diags *diags_new(void);
void diags_free(struct diags *d);
void diags_freep(struct diags **d);
#define _cleanup_diags_ _cleanup_(diags_freep)
/* `other` is d's from now on: what was found with it may be pointed at as long as `d` is there. */
void diags_keep(struct diags *d, struct diags *other);

/* Adds one; the result may be given labels until the next call, and is never NULL. Texts are cut to
 * a sane length and control characters in them are replaced: they quote what others wrote. An exact
 * repetition is dropped. Past DIAG_MAX the last by place give way, warnings before errors. */
struct diag *diag_add(struct diags *d, enum severity severity, const char *code, struct span span,
		      const char *fmt, ...) _printf_(5, 6);
#define diag_error(d, code, span, ...) diag_add(d, SEVERITY_ERROR, code, span, __VA_ARGS__)
#define diag_warn(d, code, span, ...)  diag_add(d, SEVERITY_WARNING, code, span, __VA_ARGS__)
/* Whether one of that code stands at that place already: what several readers of one line would
 * report once each is said once. */
bool diags_has(const struct diags *d, const char *code, struct span span);
/* The text beside the caret, and what to do, and a second place ("declared here"). */
void diag_label(struct diags *d, struct diag *g, const char *fmt, ...) _printf_(3, 4);
void diag_help(struct diags *d, struct diag *g, const char *fmt, ...) _printf_(3, 4);
void diag_also(struct diags *d, struct diag *g, struct span span, const char *fmt, ...)
	_printf_(4, 5);
/* The word that is near enough to `word` (edit distance) to be meant, or NULL. *ret_distance (may be
 * NULL): how many letters differ. */
const char *diag_nearest(const char *word, const char *const *words, size_t n,
			 unsigned *ret_distance);
/* Label "did you mean 'x'?" if one of the words is; nothing otherwise. */
void diag_suggest(struct diags *d, struct diag *g, const char *word, const char *const *words,
		  size_t n);

void diags_sort(struct diags *d);
/* As gcc and clang print: FILE:LINE:COL: error: …, the line, a caret, and what included the file.
 * `colour`: ANSI. */
void diags_print(struct diags *d, FILE *f, bool colour);
/* An array of {file, line, column, end_line, end_column, severity, code, message, label?, help?, also?,
 * included_from?}; also: an array of {file, line, column, end_line, end_column, label}; included_from: an
 * array of the same without label, from the line that names the file to the manifest's own. All columns count characters
 * from 1, the end is exclusive. What has no place says line 1, column 1. The caller owns it. */
json_object *diags_json(struct diags *d);
