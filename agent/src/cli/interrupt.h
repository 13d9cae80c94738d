/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * SIGINT, SIGTERM and SIGHUP for a command that works in its own process for long: it is told, ends what
 * it is about, and clears away what is half-made.
 */
#pragma once

#include "base/util.h"

/* From here on they only set what the next says, and end a sleep. A second one ends the process. */
void interrupt_watch(void);
bool interrupted(void);
