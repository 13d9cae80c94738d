/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * From what the manifest calls a device to the one disk that is meant, or to why not.
 */
#pragma once

#include "kinds/storage.h"

enum device_state {
	DEVICE_EMPTY,  /* bears nothing: may be taken */
	DEVICE_OURS,   /* a PV that we made, not yet in a volume group */
	DEVICE_MEMBER, /* in the storage's volume group */
	DEVICE_REFUSED,
};

struct device {
	enum device_state state;
	const struct storage_device *want;
	const struct blk_disk *disk; /* NULL: none, or more than one fits */
	const char *why;             /* DEVICE_REFUSED: one sentence */
	const char *help;            /* what to do about it, or NULL */
};

field_parse_fn parse_pci; /* "pci-0000:00:1f.2-ata-1", "pci-0000:00:1f.2", "0000:00:1f.2" */

/* LVM's form of the UUID that our PV on that device bears. */
#define PV_UUID_TEXT 39
void device_pv_uuid(const char *namespace, const char *storage, const struct storage_device *d,
		    char ret[PV_UUID_TEXT]);
/* "serial 'S5GX'", with its bounds of size where it has some */
const char *device_title(struct arena *a, const struct storage_device *d);
/* The key of the field that is given ("serial"). */
const char *device_key(const struct storage_device *d);
/* The one disk that is meant, whatever is on it; else NULL, and why, and what to do (which may be NULL). */
const struct blk_disk *device_pick(struct arena *a, const struct facts *f,
				   const struct storage_device *d, const char **ret_why,
				   const char **ret_help);
/* Why no guest may have that disk, or partition: what dom0 uses, or LVM; NULL: it may. `write`: it is to. */
const char *device_busy(struct arena *a, const struct facts *f, const struct blk_disk *b, bool write);
void device_find(struct arena *a, const struct facts *f, const char *storage,
		 const struct storage_device *d, struct device *ret);
