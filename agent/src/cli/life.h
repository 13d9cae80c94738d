/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What start, stop and restart share: find the domain, write the intent, converge just that domain.
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

/* Reads the verb's arguments (options of `accepts`; one domain, "web" or "domain/web") and what there
 * is. Returns 0, or with *ret_code set to what the process exits with: -1, having said why. */
int life_begin(struct life *l, int argc, char **argv, const char *const *accepts, int *ret_code);
/* The domain as Xen has it: 0 with *ret, NULL where there is none; negative where Xen can't be read. */
struct xen_domain;
int life_xen(const struct life *l, const struct xen_domain **ret, struct err *e);
/* Converges the domain and ends. */
int life_end(struct life *l);
/* For a verb whose intent could not be written: says so and ends. */
int life_fail(struct life *l, const char *verb, const struct err *e);
