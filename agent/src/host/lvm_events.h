/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * That a thin pool fills up, or has room again. How full it is, observing tells; the kernel's own event comes at
 * one mark only, and LVM owns that.
 */
#pragma once

#include "base/err.h"

/* Calls `event` whenever a running thin pool above 80 % of its data or metadata has more or less of them in use, by
 * a whole percent, until it returns false; blocks. Looks every 5 s, and every second where one is above 90 %.
 * Returns a negative errno when device-mapper can't be asked, 0 after `event` ended it. */
int lvm_watch(bool (*event)(void *data, const char *what), void *data, struct err *e);
