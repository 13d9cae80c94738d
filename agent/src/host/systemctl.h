/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What is asked of systemd.
 */
#pragma once

#include "base/err.h"

/* `systemctl VERB UNIT`, until that is done. */
int systemctl(const char *verb, const char *unit, struct err *e);
/* The host goes down, as by `systemctl reboot` or `poweroff` where there is no logind: "reboot.target", "poweroff.target". It
 * is begun, and not waited for. */
int systemctl_end(const char *target, struct err *e);
