/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The appliance's two system slots, on the disk that it was started from: which one runs, where they are, what runs. Found
 * by what is mounted at /run/slot and by what stands beside it on the same disk, so that another disk's partitions are never
 * taken for them.
 */
#pragma once

#include "base/err.h"
#include "base/record.h"

#define SLOTS_BOOTED  "/run/slot" /* the slot's file system, put there by the initrd */
#define SLOTS_VERSION "/usr/share/manor/version"

struct slots {
	struct record rec;
	bool installed;      /* started from a slot; else all that follows but `version` is NULL or false */
	const char *version; /* of the appliance that runs; NULL: this is none */
	const char *build;   /* the digest of its root */
	const char *xen;     /* the version's own arguments for Xen; NULL: not known */
	const char *booted, *other; /* "A" and "B", or the other way round */
	const char *device_booted, *device_other; /* /dev/vda3 … */
	const char *boot_id; /* of this boot, wherever it was started from */
	bool on_trial;       /* the boot menu calls it so; of slots_ask_menu() alone */
	bool passed_by;      /* the boot menu was to start the other one, and has given that up; of slots_ask_menu() alone */
	bool settings_tried; /* this boot is the one with the settings that are on trial (host/slot.h) */
	bool kept;           /* /var is on a disk: what is written there is there at the next boot */
};

/* Everything in arena memory. */
int slots_read(struct arena *a, struct slots *ret, struct err *e);
/* Whether the boot menu has the slot that runs on trial, for which it has to be mounted. */
int slots_ask_menu(struct arena *a, struct slots *s, struct err *e);
