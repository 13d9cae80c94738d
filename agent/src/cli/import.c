/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor import: what xm and xl were told becomes a manifest's text. It is read back before anyone else reads it.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/file.h"
#include "cli/written.h"
#include "host/xl_cfg.h"
#include "kinds/kinds.h"
#include "kinds/xl_import.h"

static int say(struct err *e)
{
	fprintf(stderr, "manor import: %s\n", e->message);
	if (e->help)
		fprintf(stderr, "  help: %s\n", e->help);
	return EXIT_FAILED;
}

/* The text, in the diagnostics' arena; NULL, having said why, with what to exit with. */
static const char *read_all(char **names, size_t n, const struct options *o, struct diags *d,
			    int *ret_exit)
{
	struct xl_import_file *files = arena_alloc(d->arena, n * sizeof(*files));
	_cleanup_err_ struct err e = {0};
	char host[HOST_NAME_MAX + 1] = "";
	const char *text;

	for (size_t i = 0; i < n; i++) {
		_cleanup_(freep) char *data = NULL;
		size_t size;

		if (file_read(names[i], XL_CFG_MAX, &data, &size, &e) < 0) {
			*ret_exit = say(&e);
			return NULL;
		}
		files[i] = (struct xl_import_file){
			.name = names[i],
			.text = arena_strndup(d->arena, data, size),
			.n = size,
		};
	}
	gethostname(host, sizeof(host) - 1);
	text = xl_import(files, n, o->namespace, host, d);
	diags_sort(d);
	diags_print(d, stderr, o->colour_err);
	*ret_exit = text ? EXIT_FINE : EXIT_BAD;
	return text;
}

int verb_import(int argc, char **argv)
{
	static const char *const accepts[] = {"output", "force", "namespace", "operands", NULL};
	_cleanup_diags_ struct diags *d = NULL;
	_cleanup_err_ struct err e = {0};
	struct options o;
	const char *text, *ok;
	int at, status = 0, r = options_read(argc, argv, accepts, &o, &at);

	if (r)
		return r < 0 ? EXIT_FINE : r;
	if (argc == at) {
		fprintf(stderr, "manor import: which configurations? manor import FILE…\n");
		return EXIT_BAD;
	}
	d = diags_new();
	if (o.namespace &&
	    parse_namespace(&(struct decode){.arena = d->arena}, NULL, o.namespace, &ok, &e) < 0) {
		fprintf(stderr, "manor import: '%s' is not %s\n", o.namespace, e.message);
		return EXIT_BAD;
	}
	text = read_all(argv + at, (size_t)(argc - at), &o, d, &status);
	if (!text)
		return status;
	if (written_out(&o, text, &e) < 0)
		return say(&e);
	if (written_sound(&o, text))
		return EXIT_FINE;
	fprintf(stderr, "manor import: the manifest is written, and is not sound yet\n");
	return EXIT_FAILED;
}
