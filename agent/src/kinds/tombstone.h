/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Burying a volume and bringing it back. The rename is what makes it a tombstone, or a volume again:
 * what comes before and after it may be cut off and done again.
 */
#pragma once

#include "host/lvm.h"
#include "kinds/volume.h"

#define TOMBSTONE_PREFIX "trash."

/* A volume of ours under a tombstone's name. */
bool tombstone_is(const struct lvm_lv *lv);
/* Deactivates, renames and tags it, to be kept for so many seconds. -EBUSY when somebody has it open,
 * saying who. */
int tombstone_bury(struct arena *a, const struct lvm_lv *lv, int64_t now, uint64_t keep,
		   struct err *e);
/* Destroys it. Refuses (-EINVAL) what is no tombstone. */
int tombstone_purge(const struct lvm_lv *lv, struct err *e);
