/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * How large a pool is to be, and how much may be promised out of it.
 */
#pragma once

#include "kinds/storage.h"

#define EXTENT (4u << 20) /* of the volume groups that we make */

field_parse_fn parse_pool_size;     /* "90%VG" or a size */
field_parse_fn parse_pool_metadata; /* "auto" or a size */
field_parse_fn parse_overcommit;    /* "true", "false", "1.5" */

uint64_t round_extents(uint64_t bytes); /* up */

struct pool_sizes {
	uint64_t data, metadata;
};

/* What the pool should measure, out of what the group has free and what the pool has by now (zeros: no
 * pool yet). Without `metadata:` that is 1/256 of the data, within 8 MiB..15 GiB: four times what LVM
 * itself would give, for clones share data but not the maps of it; and LVM keeps a spare of the same
 * size. Never less than `have`. -ENOSPC: what is asked for in bytes doesn't fit; *ret_needed bytes
 * are missing. */
int pool_target(const struct storage_pool *p, uint64_t vg_size, uint64_t vg_free,
		const struct pool_sizes *have, struct pool_sizes *ret, uint64_t *ret_needed);
/* Whether the manifest asks for less than `have` (by more than rounding). */
bool pool_shrinks(const struct storage_pool *p, uint64_t vg_size, const struct pool_sizes *have);
/* A size in bytes, where the manifest gives one; 0: a share of the group. */
uint64_t pool_bytes(const struct storage_pool *p);
/* How many bytes of volumes a pool of so many bytes may carry; UINT64_MAX: any number. */
uint64_t pool_promise(const struct storage_pool *p, uint64_t pool);
