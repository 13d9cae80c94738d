/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The port that a guest's screen is to be at.
 */
#pragma once

#include "host/xen.h"

/* Whether it can be had, within so many seconds; `held`: the port that goes with the domain that has it now (0: none).
 * Where none is asked for, it can. -EADDRINUSE, -EADDRNOTAVAIL with err_at. */
int xen_screen_free(const struct xen_hardware *h, int64_t held, double wait_s, struct err *e);

/* Whether its QEMU can ask for the password that is asked for: Debian 12's build for Xen has no DES, and ends. It is
 * tried with one that plays no machine. -EOPNOTSUPP with err_at. */
int xen_screen_password(const struct xen_hardware *h, struct err *e);
extern const char *xen_screen_program; /* for tests */
