/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The reading "paths": what stands at the paths that the manifest names.
 */
#pragma once

#include "host/paths.h"
#include "model/facts.h"

/* NULL where the reading is unknown, or was made for a manifest that doesn't name that path. */
const struct path_state *path_facts(const struct facts *f, const char *path);
