/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What stands behind the devices of a bus, as sysfs tells it.
 */
#pragma once

#include "base/err.h"
#include "base/record.h"

/* Whose lists a device's links and disks go to; false: nobody's. */
typedef bool sysfs_lists_fn(void *facts, const char *device, struct list **ret_links,
			    struct list **ret_disks);

/* Adds the kernel's names of all links and whole disks to the lists of the device that each is behind: of the parts of its
 * path that are devices (`is_device`) the last, for those before are on the way there (bridges, hubs). */
int sysfs_behind(struct arena *a, bool (*is_device)(const char *part), sysfs_lists_fn *lists,
		 void *facts, struct err *e);
/* The driver that something on that bus ("pci") has; NULL: none has it. Arena memory. */
const char *sysfs_driver(struct arena *a, const char *bus, const char *device);
