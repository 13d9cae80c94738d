/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The host's facts: every reader in a worker of its own, side by side, each with its deadline. One that
 * hangs or fails is unknown, with the reason; the others aren't held up past their own deadlines.
 */
#pragma once

#include <systemd/sd-event.h>

#include "model/facts.h"

/* `done` comes once, never from within this call; it owns the facts. */
void observe(sd_event *loop, const struct reader *const *readers,
	     void (*done)(void *data, struct facts *facts), void *data);
