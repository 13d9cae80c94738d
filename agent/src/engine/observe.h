/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The host's facts: every reader in a worker of its own, side by side, each with its deadline. One that
 * hangs or fails is unknown, with the reason; the others aren't held up past their own deadlines.
 */
#pragma once

#include <systemd/sd-event.h>

#include "model/facts.h"
#include "model/manifest.h"

/* All paths that the manifest's resources name, once each (kind.paths). `m` may be NULL: none. */
void observe_paths(struct arena *a, const struct manifest *m, struct list *ret);
/* Which machine this is (facts_who), and nothing else. In this very process: a few small files. */
struct facts *observe_machine(const struct reader *const *readers);
/* `paths`: of strings, for the readers that read what the manifest names; copied. `done` comes once, never from within this call; it owns the facts. */
void observe(sd_event *loop, const struct reader *const *readers, const struct list *paths,
	     void (*done)(void *data, struct facts *facts), void *data);
