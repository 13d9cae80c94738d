/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A manifest for many hosts, of which one is meant, or each is looked at.
 */
#pragma once

#include "model/manifest.h"

/* Goes on with a tree that has `hosts`: makes it that of the host for whom it is read, or checks each part, so that what
 * is wrong with any is known wherever one looks; then m->hosts has them, and `m` nothing else. False: something is wrong,
 * and was said. */
bool hosts_load(struct manifest *m, struct decode *c, const struct who *who);
