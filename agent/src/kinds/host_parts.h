/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What stands behind a device that a guest is to have, network links and disks by their names in the kernel, and whether
 * dom0 can do without them.
 */
#pragma once

#include "model/kind.h"

/* "link eth1, disk sda"; "" for nothing. */
const char *host_parts(struct arena *a, const struct list *links, const struct list *disks);
/* Why the host stops working, or loses data, without them: its default route, a bridge's port, what is mounted. NULL:
 * it doesn't. By the readings "net", "disks" and, where it is known, "lvm". */
const char *host_needs(struct arena *a, const struct facts *f, const struct list *links,
		       const struct list *disks);
/* Why a guest can't have the device that they are behind, by the plan's facts and manifest: `title` names it. NULL: it can.
 * `ret`: HOLD_CONFLICT, or HOLD_UNKNOWN where nobody could tell. */
const char *host_keeps(struct planning *p, const char *title, const struct list *links,
		       const struct list *disks, enum hold *ret);
