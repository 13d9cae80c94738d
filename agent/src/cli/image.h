/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor image, between its files: what there is and is named is image.c's, what is made of volumes
 * image_make.c's, what is made of files image_import.c's.
 */
#pragma once

#include "base/err.h"
#include "cli/cli.h"
#include "kinds/golden.h"
#include "model/facts.h"

struct images {
	struct options o;
	char **names; /* what follows `ls` and the like */
	size_t n_names;
	struct manifest *manifest;
	struct manifest *force; /* the one in force, where another is meant: what it names is named, too */
	struct facts *facts;
	struct golden *list;
	size_t n;
};

/* Both return 0, or an exit code, having said why. Reading frees what was read before; the readings
 * "lvm" and "cache" must be among them. */
int images_manifest(struct images *x);
int images_read(struct images *x, const struct reader *const *readers);

int image_import(struct images *x);
int image_export(struct images *x);
int image_capture(struct images *x);

/* --- image_show.c: what the last three show --- */

/* A line on the terminal that says how far it is, and whether to go on; for who is long about it. */
struct image_progress {
	const char *what; /* "web-data: reading" */
	double begun;     /* by the monotonic clock; 0: not yet */
	double told;
	bool shown;
};
bool image_progress(struct image_progress *p, uint64_t done, uint64_t total);
void image_progress_end(struct image_progress *p); /* the line goes */

/* How a template names it. */
struct image_words {
	const char *name; /* "root" */
	const char *path;
	const char *sha256;
	const char *member, *type; /* may be NULL */
	uint64_t size;             /* 0: not said */
};
/* "      root: {url: …, sha256: …}", to be pasted. */
void image_print_words(const struct image_words *w);
json_object *image_words_json(const struct image_words *w);

/* Says what is wrong, and what to do; returns the exit code that fits: interrupted, or failed. */
int image_failed(const char *sub, int r, const struct err *e);
/* One line of the journal: state "exported", "captured", "imported". Takes nothing. */
void image_journal(json_object *o, const char *state);
/* "; did you mean 'web-data'?", or "". */
const char *image_did_you_mean(struct arena *a, const char *word, const char *const *words,
			       size_t n);
