/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor console, manor vnc: where a guest can be seen. Any domain will do, ours or not: looking changes nothing.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "host/xen.h"

static const char *const type_words[] = {"pv", "serial", NULL};

/* The domain of that name, NULL having said why. */
static const struct xen_domain *running(struct arena *a, const char *verb, const char *name)
{
	_cleanup_err_ struct err e = {0};
	struct xen_facts x = {0};

	if (xen_read(a, &x, &e) < 0) {
		fprintf(stderr, "manor %s: %s\n", verb,
			e.message ? e.message : "Xen could not be read");
		return NULL;
	}
	for (size_t i = 0; i < x.domains.n; i++) {
		const struct xen_domain *d = x.domains.items[i];

		if (streq(d->name, name) && d->state != XEN_DYING)
			return d;
	}
	fprintf(stderr,
		"manor %s: no domain '%s' runs; what it said last is in "
		"/var/log/xen/console/guest-%s.log, and `manor status` says why it is off\n",
		verb, name, name);
	return NULL;
}

static const char *operand(int argc, char **argv, int at)
{
	if (argc - at != 1) {
		fprintf(stderr, "manor %s: name one domain; see `manor help %s`\n", argv[0],
			argv[0]);
		return NULL;
	}
	return startswith(argv[at], "domain/") ? argv[at] + strlen("domain/") : argv[at];
}

int verb_console(int argc, char **argv)
{
	static const char *const accepts[] = {"type", "operands", NULL};
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_err_ struct err e = {0};
	enum xen_console which = XEN_CONSOLE_FIRST;
	const struct xen_domain *d;
	struct options o;
	const char *name;
	int at, word, r = options_read(argc, argv, accepts, &o, &at);

	if (r)
		return r < 0 ? EXIT_FINE : r;
	name = operand(argc, argv, at);
	if (!name)
		return EXIT_BAD;
	if (o.type) {
		word = word_find(type_words, o.type);
		if (word < 0) {
			fprintf(stderr, "manor console: --type is pv or serial, not '%s'\n",
				o.type);
			return EXIT_BAD;
		}
		which = word == 0 ? XEN_CONSOLE_PV : XEN_CONSOLE_SERIAL;
	}
	d = running(a, argv[0], name);
	if (!d)
		return EXIT_FAILED;
	fprintf(stderr, "manor: the console of %s; Ctrl-] leaves it\n", name);
	xen_console(d->domid, which, &e);
	fprintf(stderr, "manor console: %s\n", e.message ? e.message : "failed");
	return EXIT_FAILED;
}

int verb_vnc(int argc, char **argv)
{
	static const char *const accepts[] = {"format", "operands", NULL};
	_cleanup_arena_ struct arena *a = arena_new();
	const struct xen_domain *d;
	struct options o;
	const char *name;
	int at, r = options_read(argc, argv, accepts, &o, &at);

	if (r)
		return r < 0 ? EXIT_FINE : r;
	name = operand(argc, argv, at);
	if (!name)
		return EXIT_BAD;
	d = running(a, argv[0], name);
	if (!d)
		return EXIT_FAILED;
	if (!d->vnc) {
		fprintf(stderr,
			"manor vnc: %s has no screen; `vnc: true` in the manifest gives it one\n",
			name);
		return EXIT_FAILED;
	}
	if (o.json) {
		json_object *j = json_object_new_object();

		json_put_text(j, "domain", name);
		json_put_text(j, "vnc", d->vnc);
		print_json(j);
		return EXIT_FINE;
	}
	printf("%s\n", d->vnc);
	if (startswith(d->vnc, "127.") || startswith(d->vnc, "[::1]"))
		fprintf(stderr,
			"It listens on this host alone: from elsewhere, ssh -L %s:%s root@HOST, and a "
			"viewer at localhost:%s\n",
			strrchr(d->vnc, ':') + 1, d->vnc, strrchr(d->vnc, ':') + 1);
	return EXIT_FINE;
}
