/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Upgrades of the appliance: what status and the console's page say of them, and what is done around a boot.
 */
#pragma once

#include <stdio.h>

#include "base/json.h"

/* The appliance's version and slot, what is on trial and what failed, a line each; nothing where this is no appliance. */
void upgrade_print(FILE *out);
/* The same; NULL: this is no appliance. The caller's. */
json_object *upgrade_json(void);

/* The boot menu's word of Xen's arguments: `settings` are to be tried; NULL: how those that were tried ended. */
int upgrade_menu_settings(const char *settings, bool good, struct err *e);

/* What this boot means for an upgrade that was begun (kinds/upgrade.h), told and noted: early, before the agent. */
int upgrade_booted(void);
/* The version on trial is good: the menu goes on taking it. */
int upgrade_is_good(struct err *e);
/* It isn't, and `why` is told by the old one, with which the host starts again. */
int upgrade_gives_up(const char *why, struct err *e);
