/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A plan or an apply from the command line: through the agent where one runs, else in this process;
 * shown the same.
 */
#pragma once

#include "cli/cli.h"
#include "engine/planner.h"

struct session {
	const char *file;    /* absolute or as named; NULL: the one in force */
	enum impact allowed;
	const char *only;    /* kind/name, or NULL */
	bool plan_only;
	bool by_name;        /* what is done was asked for by name: no plan is shown before it */
	bool confirm;        /* ask on the terminal before the first step */
	const struct options *o;
};

/* Runs to its end; returns the exit code. */
int session_run(const struct session *s);
/* For verbs that changed an intent: converge what concerns `only` ("domain/web"). */
int cli_converge(const char *only, const struct options *o);
/* The manifest that verbs about what runs go by: -f, else NULL for the one in force if there is one,
 * else the usual places' (NULL too when there is none). */
const char *session_file(const struct options *o);
/* The manifest in force, the caller's; NULL when there is none. */
struct manifest *session_in_force(void);
/* That manifest, opened: with -f that one, else the one in force, else the usual places'. NULL, having
 * said why: none, or a bad one. */
struct manifest *session_manifest(const struct options *o);
/* --allow and --only of the options. */
void session_from_options(struct session *s, const struct options *o);
