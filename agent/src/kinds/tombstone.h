/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Burying a volume and bringing it back. The rename is what makes it a tombstone, or a volume again:
 * what comes before and after it may be cut off and done again.
 */
#pragma once

#include "host/lvm.h"
#include "kinds/volume.h"

#define TOMBSTONE_PREFIX "trash."
#define TOMBSTONE_KEPT_S (14 * 86400)

/* A volume of ours under a tombstone's name. */
bool tombstone_is(const struct lvm_lv *lv);
/* Deactivates, renames and tags it. -EBUSY when somebody has it open, saying who. */
int tombstone_bury(struct arena *a, const struct lvm_lv *lv, int64_t now, struct err *e);
