/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor: the verbs, and which one is meant.
 */
#include "cli/cli.h"
#include "diag/diag.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"

const struct verb verbs[] = {
	{"check", verb_check, false},
	{"plan", verb_plan, false},
	{"apply", verb_apply, false},
	{"status", verb_status, false},
	{"facts", verb_facts, false},
	{"start", verb_start, false},
	{"stop", verb_stop, false},
	{"restart", verb_restart, false},
	{"pause", verb_pause, false},
	{"unpause", verb_unpause, false},
	{"save", verb_save, false},
	{"restore", verb_restore, false},
	{"rebuild", verb_rebuild, false},
	{"console", verb_console, false},
	{"vnc", verb_vnc, false},
	{"screen", verb_screen, false},
	{"upgrade", verb_upgrade, false},
	{"image", verb_image, false},
	{"undelete", verb_undelete, false},
	{"trash", verb_trash, false},
	{"render", verb_render, false},
	{"import", verb_import, false},
	{"export", verb_export, false},
	{"adopt", verb_adopt, false},
	{"install", verb_install, false},
	{"slot", verb_slot, true},
	{"netboot", verb_netboot, false},
	{"fetch", verb_fetch, false},
	{"schema", verb_schema, false},
	{"agent", verb_agent, false},
	{"version", verb_version, false},
	{"help", verb_help, false},
	{"worker", verb_worker, true},
	{NULL, NULL, false},
};

/* What xl calls it comes to mind first. */
static const char *meant(const char *said)
{
	static const struct {
		const char *xl, *manor;
	} words[] = {
		{"list", "status"},   {"create", "apply"},
		{"shutdown", "stop"}, {"destroy", "stop DOMAIN --timeout 0s"},
		{"reboot", "restart"}, {"info", "facts"},
	};
	const char *names[64];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (streq(said, words[i].xl))
			return words[i].manor;
	for (const struct verb *v = verbs; v->name && n < ARRAY_SIZE(names); v++)
		names[n++] = v->name;
	return diag_nearest(said, names, n, NULL);
}

static int no_verb(const char *said)
{
	const char *word = meant(said);

	if (word)
		fprintf(stderr, "manor: there is no verb '%.80s'; did you mean `manor %s`?\n", said,
			word);
	else
		fprintf(stderr, "manor: there is no verb '%.80s'; `manor help` lists them\n", said);
	return EXIT_BAD;
}

int main(int argc, char **argv)
{
	char help[] = "help";
	char *none[] = {help, NULL};

	/* A reader that goes away is an error on write, not a death in the middle of a step. */
	signal(SIGPIPE, SIG_IGN);
	setlocale(LC_CTYPE, "C.UTF-8");
	umask(022);
	log_init(getenv("MANOR_DEBUG") ? LOG_DEBUG_ : LOG_WARN_, false);
	if (argc < 2 || streq(argv[1], "--help") || streq(argv[1], "-h"))
		return verb_help(1, none);
	if (streq(argv[1], "--version"))
		return verb_version(argc - 1, argv + 1);
	for (const struct verb *v = verbs; v->name; v++)
		if (streq(v->name, argv[1]))
			return v->run(argc - 1, argv + 1);
	return no_verb(argv[1]);
}
