/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A manifest as text again, whole: what it includes is in it, its paths start at the root, and secrets are left out.
 */
#pragma once

#include "conf/emit.h"
#include "model/manifest.h"

void manifest_emit(const struct manifest *m, struct emit *out);
