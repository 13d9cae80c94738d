/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The two system slots of an installed machine, and what the boot menu goes by: which is tried first, which are good. As
 * RAUC has it: ORDER, and of each OK and TRY (hv/appliance/grub/disk.cfg).
 */
#pragma once

#include "host/grubenv.h"

#define SLOT_DIR     "/run/slot" /* the slot that runs, where the machine is installed */
#define SLOT_GRUBENV "grub/grubenv"

extern const char *const slot_names[]; /* "A", "B"; ends with NULL */

/* What the menu starts next: the first of the order that is good and wasn't tried since; else the first of the order. */
const char *slot_primary(const struct grubenv *g);
bool slot_good(const struct grubenv *g, const char *name);
/* It is the one of the order to be started, and isn't any more: it was tried too often, or is bad. */
bool slot_given_up(const struct grubenv *g, const char *name);
/* It was made the next boot's, and nobody has called it good since: the menu starts it once. */
bool slot_on_trial(const struct grubenv *g, const char *name);
void slot_set_primary(struct grubenv *g, const char *name);
void slot_set_good(struct grubenv *g, const char *name, bool good);
/* Xen's arguments besides those of the slot's version, in force: what the manifest says of them, once it was good. */
#define SLOT_SETTINGS_MAX 180 /* bytes; two of them and what is known of the slots have a place in grubenv */
const char *slot_settings(const struct grubenv *g); /* "": none */
void slot_set_settings(struct grubenv *g, const char *settings);
/* The next boot is to try those, once; and how that ended. */
void slot_settings_try(struct grubenv *g, const char *settings);
void slot_settings_end(struct grubenv *g, bool good);
/* Whether this system was started with those that are tried. */
bool slot_settings_tried(void);
/* The slot that this system runs from; NULL: from none. Arena memory. */
const char *slot_current(struct arena *a);

/* The EFI system partition of the disk that this system runs from, mounted for as long as it is needed, by one at a time.
 * -ENXIO: it isn't installed. */
struct slot_esp {
	int dir, lock;
};
int slot_esp_open(struct slot_esp *ret, struct err *e);
/* The same, and what the boot menu goes by is read; in `a`. */
int slot_esp_read(struct slot_esp *ret, struct arena *a, struct grubenv **ret_env, struct err *e);
void slot_esp_close(struct slot_esp *esp);
#define _cleanup_esp_ _cleanup_(slot_esp_close)
/* The partition of that label on the disk that this system runs from: its path, the caller's. */
int slot_partition(const char *label, char **ret, struct err *e);
