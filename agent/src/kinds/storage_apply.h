/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The parts of the kind "storage" for each other: the kind itself and its plan (storage.c), and how
 * it is done (storage_apply.c).
 */
#pragma once

#include "kinds/storage.h"

/* The group's name; the UUID and the group's name. */
#define POOL_FOREIGN "volume %s/" STORAGE_POOL " is there and bears no mark of ours"
#define POOL_FOREIGN_HELP                                                                          \
	"rename it, or if it is ours after all, 'lvchange --addtag manor.id=%s %s/" STORAGE_POOL "'"

/* The pool of a group of ours: there and whole. A cut within lvcreate can leave a plain volume of the
 * pool's name. */
const struct lvm_lv *storage_pool_of(const struct lvm_facts *l, const char *vg);

int storage_apply(struct work *w, struct err *e);
