/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Manifests that a verb wrote, for people to go on with.
 */
#pragma once

#include "base/err.h"
#include "cli/cli.h"

/* To -o FILE, replacing one with --force alone, else to standard output. */
int written_out(const struct options *o, const char *text, struct err *e);
/* As `manor check` would: what still has to be done, such as a password's file, it tells. */
bool written_sound(const struct options *o, const char *text);
