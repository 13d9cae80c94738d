/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The disk that the appliance is to be installed to: which one is meant, what is on it, and whether it may be taken.
 */
#pragma once

#include "kinds/storage_device.h"

struct target {
	const struct blk_disk *disk; /* NULL: none, or more than one fits */
	const char *id;   /* what --erase is to say: its serial; else its wwid, else its path */
	struct list on_it; /* strings: all that would be lost */
	const char *why;  /* it may not be taken: one sentence; NULL: it may */
	const char *help; /* what to do about it, or NULL */
};

/* "serial=S5GX", "wwid=naa.5…", "/dev/disk/by-id/…", "sda" */
int target_parse(struct arena *a, const char *text, struct storage_device *ret, struct err *e);
/* The one that the manifest installs to. */
struct storage_device target_of(const struct install_disk *d);
/* What `disks` says of it. `erase` (may be NULL) is what a person said may be lost. `half_made`: an installation was
 * begun there and cut off, so that nothing on it is anybody's. */
void target_find(struct arena *a, const struct facts *f, const struct storage_device *d,
		 const char *erase, bool (*half_made)(const char *path), struct target *ret);
