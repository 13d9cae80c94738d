/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the verbs of a domain's life share: find the domains, write the intents, converge just those.
 */
#pragma once

#include "cli/cli.h"
#include "host/intent.h"
#include "model/facts.h"

struct life {
	struct options o;
	struct manifest *manifest;
	const struct resource *domain;
	struct facts *facts;
	struct intent_who who;
};

/* Reads the verb's arguments (options of `accepts`; domains, "web" or "domain/web") and what there
 * is; for each in turn has `intend` write what is asked for, and converges the domain. Returns the exit code,
 * having said why it isn't 0. */
int life_run(int argc, char **argv, const char *const *accepts,
	     int (*intend)(const struct life *l, struct err *e));

/* -EPERM where its manifest keeps it off: no word said once is to outweigh what is written. */
int life_may_run(const struct life *l, struct err *e);
/* The domain as Xen has it: 0 with *ret, NULL where there is none; negative where Xen can't be read. */
struct xen_domain;
int life_xen(const struct life *l, const struct xen_domain **ret, struct err *e);
