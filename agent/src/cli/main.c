/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor: the verbs, and which one is meant.
 */
#include "cli/cli.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"

const struct verb verbs[] = {
	{"check", "is the manifest sound?", verb_check, false},
	{"plan", "what would change, and how hard does it hit?", verb_plan, false},
	{"apply", "make the host as the manifest says", verb_apply, false},
	{"status", "what is, beside what should be", verb_status, false},
	{"facts", "the host as data", verb_facts, false},
	{"start", "start a domain that was stopped", verb_start, false},
	{"stop", "shut a domain down, and keep it so", verb_stop, false},
	{"restart", "shut a domain down and start it again", verb_restart, false},
	{"undelete", "bring removed volumes back", verb_undelete, false},
	{"schema", "the manifest's JSON Schema, for editors", verb_schema, false},
	{"agent", "stay and keep the host as the manifest says", verb_agent, false},
	{"version", "what this is", verb_version, false},
	{"help", "more about a verb", verb_help, false},
	{"worker", "Manor's own: one step, or one reading", verb_worker, true},
	{NULL, NULL, NULL, false},
};

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
	fprintf(stderr, "manor: there is no verb '%s'; `manor help` lists them\n", argv[1]);
	return EXIT_BAD;
}
