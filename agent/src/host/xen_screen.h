/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The port that a guest's screen is to be at.
 */
#pragma once

#include "host/xen.h"

/* Whether it can be had, within so many seconds; `held`: the port that goes with the domain that has it now (0: none).
 * Where none is asked for, it can. -EADDRINUSE, -EADDRNOTAVAIL with err_at. */
int xen_screen_free(const struct xen_hardware *h, int64_t held, double wait_s, struct err *e);
