/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Owners of libdevmapper's things. For host/lvm*.c alone.
 */
#pragma once

#include <libdevmapper.h>

static inline void pool_freep(struct dm_pool **p)
{
	if (*p)
		dm_pool_destroy(*p);
}

static inline void task_freep(struct dm_task **t)
{
	if (*t)
		dm_task_destroy(*t);
}
