/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What fits into a pool: for the parts of the kind "storage"; what others ask is in storage.h.
 */
#pragma once

#include "kinds/storage.h"

/* Of a percentage, in hundredths: nothing new is put into a pool beyond the first two. */
#define DATA_FULL     9500
#define METADATA_FULL 9000
#define WARN_FULL     8000

const char *percent_text(struct arena *a, int64_t hundredths); /* "34.5 %" */
/* The plan's arithmetic for that storage, whose pool and what is beside it will be so large; warns where the
 * plan promises more than there is. Once a plan: further calls do nothing. */
void storage_room(struct planning *p, const char *storage, uint64_t pool, uint64_t group_free);
/* The sum of what volumes are promised out of the pool; sizes that follow from a base are taken from
 * the facts, or left out while it isn't there (`l` may be NULL). */
uint64_t storage_promised(const struct manifest *m, const struct lvm_facts *l, const char *storage,
			  const struct resource **ret_largest);
