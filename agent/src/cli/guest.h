/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What console and vnc share: a domain that runs, ours or not. Looking changes nothing.
 */
#pragma once

#include "cli/cli.h"
#include "host/xen.h"

/* The one operand, without "domain/"; NULL having said that one is needed. */
const char *guest_operand(int argc, char **argv, int at);
/* The domain of that name as Xen has it; NULL having said that none runs. */
const struct xen_domain *guest_running(struct arena *a, const char *verb, const char *name);
