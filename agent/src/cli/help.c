/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor help: the manual's pages, from within the program.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/page.h"

#define REFERENCE "@REFERENCE@\n"

const struct page *page_find(const char *name)
{
	const struct page *p;

	for (p = pages; p->name; p++)
		if (streq(p->name, name))
			return p;
	return NULL;
}

void page_print(const struct page *p, FILE *f)
{
	const char *mark = strstr(p->text, REFERENCE);

	if (!mark) {
		fputs(p->text, f);
		return;
	}
	fwrite(p->text, 1, (size_t)(mark - p->text), f);
	reference_print(f, false);
	fputs(mark + strlen(REFERENCE), f);
}

static void overview(FILE *f)
{
	const struct page *p;

	for (p = pages; p->name; p++)
		if (streq(p->name, "manor"))
			fprintf(f, "usage: %s\n", p->synopsis);
	for (p = pages; p->name; p++)
		if (!streq(p->name, "manor") && p->section == 1)
			fprintf(f, "  %-9s %s\n", p->name, p->summary);
	fputs("\n'manor help VERB' says more; 'manor help appliance.yaml' is about the manifest.\n",
	      f);
}

int verb_help(int argc, char **argv)
{
	const struct page *p;

	if (argc < 2) {
		overview(stdout);
		return EXIT_FINE;
	}
	p = page_find(streq(argv[1], "--help") || streq(argv[1], "-h") ? "help" : argv[1]);
	/* As the manual calls them: manor-apply(1), manor-appliance.yaml(5). */
	if (!p && startswith(argv[1], "manor-"))
		p = page_find(argv[1] + strlen("manor-"));
	if (!p && streq(argv[1], "appliance"))
		p = page_find("appliance.yaml");
	if (!p) {
		fprintf(stderr, "manor help: there is no page '%.80s'\n", argv[1]);
		overview(stderr);
		return EXIT_BAD;
	}
	page_print(p, stdout);
	return EXIT_FINE;
}
