/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What tests say to the host in memory: its state, and which of its calls is to fail.
 */
#pragma once

#include "base/util.h"

/* Whether this mutating call is the one to fail; the golden harness counts and answers. */
bool fake_fails(const char *op);

/* The state, from facts; NULL: an empty host. Nothing of the argument is kept. */
struct net_facts;
void fake_net_load(const struct net_facts *f);
