/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which machine this is, from sysfs. Reads only; a few small files, so quick that it may be done anywhere.
 */
#pragma once

#include "base/err.h"
#include "base/machine.h"

int machine_read(struct arena *a, struct machine *ret, struct err *e);
/* The same of a sysfs elsewhere than in /sys. */
int machine_read_at(struct arena *a, const char *sys, struct machine *ret, struct err *e);
