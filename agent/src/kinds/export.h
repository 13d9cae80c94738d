/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A host as a manifest: what is in force, whole, and what others made beside it.
 */
#pragma once

#include "model/facts.h"
#include "model/manifest.h"

/* The manifest's text, in the diagnostics' arena. `m` NULL: none is in force; then bridges are told too, and the head
 * is that of `namespace` (NULL: the host's name). A domain that `m` describes already is not told again. */
const char *export_manifest(const struct manifest *m, const struct facts *f, const char *namespace,
			    struct diags *d);
