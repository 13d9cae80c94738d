/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What import, export and capture show while they are at it, and in the end.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/image.h"
#include "cli/interrupt.h"
#include "cli/show.h"
#include "diag/diag.h"
#include "engine/store.h"

#define TELL_S 0.2

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

bool image_progress(struct image_progress *p, uint64_t done, uint64_t total)
{
	_cleanup_str_ struct str far = {0};
	double now = now_s();

	if (p->begun == 0)
		p->begun = now;
	if (now - p->told < TELL_S || !isatty(STDERR_FILENO))
		return !interrupted();
	p->told = now;
	p->shown = true;
	show_transfer(&far, done, total, now - p->begun);
	fprintf(stderr, "\r\033[K  … %s%s %.1fs", p->what, str_get(&far), now - p->begun);
	fflush(stderr);
	return !interrupted();
}

void image_progress_end(struct image_progress *p)
{
	if (p->shown)
		fprintf(stderr, "\r\033[K");
	*p = (struct image_progress){.what = p->what};
}

/* A scalar within braces: as it is where YAML can't take it for anything else. */
static void add_scalar(struct str *b, const char *text)
{
	json_object *quoted;

	if (strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._+-") ==
		    strlen(text) &&
	    (*text == '/' || (*text >= 'a' && *text <= 'z'))) {
		str_add(b, text);
		return;
	}
	quoted = json_object_new_string(text);
	str_add(b, json_object_to_json_string_ext(quoted, JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(quoted);
}

void image_print_words(const struct image_words *w)
{
	_cleanup_str_ struct str b = {0};
	char size[NUM_TEXT];

	str_addf(&b, "      %s: {url: ", w->name);
	add_scalar(&b, w->path);
	if (w->member) {
		str_add(&b, ", member: ");
		add_scalar(&b, w->member);
	}
	if (w->type)
		str_addf(&b, ", format: %s", w->type);
	str_addf(&b, ", sha256: %s", w->sha256);
	if (w->size)
		str_addf(&b, ", size: %s", num_size_exact(size, w->size));
	printf("As a file of a template:\n%s}\n", str_get(&b));
}

json_object *image_words_json(const struct image_words *w)
{
	json_object *files = json_object_new_object(), *o = json_object_new_object();
	char size[NUM_TEXT];

	json_put_text(o, "url", w->path);
	json_put_text(o, "member", w->member);
	json_put_text(o, "format", w->type);
	json_put_text(o, "sha256", w->sha256);
	if (w->size)
		json_put_text(o, "size", num_size_exact(size, w->size));
	json_object_object_add(files, w->name, o);
	return files;
}

int image_failed(const char *sub, int r, const struct err *e)
{
	if (interrupted()) { /* whatever else went wrong of that */
		fprintf(stderr, "manor image %s: interrupted; nothing is left of it\n", sub);
		return EXIT_INTERRUPTED;
	}
	fprintf(stderr, "manor image %s: %s\n", sub, e->message ? e->message : strerror(-r));
	if (e->help)
		fprintf(stderr, "  help: %s\n", e->help);
	return EXIT_FAILED;
}

void image_journal(json_object *o, const char *state)
{
	json_object *line = NULL;

	if (json_object_deep_copy(o, &line, NULL) < 0)
		return;
	json_put_text(line, "event", "image");
	json_put_text(line, "state", state);
	json_object_object_add(line, "time", json_object_new_int64(time(NULL)));
	store_journal(line);
	json_object_put(line);
}

const char *image_did_you_mean(struct arena *a, const char *word, const char *const *words,
			       size_t n)
{
	const char *near = diag_nearest(word, words, n, NULL);

	return near ? arena_printf(a, "; did you mean '%s'?", near) : "";
}
