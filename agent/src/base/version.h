/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Versions that can be compared, as hv/version makes them: "0.1.20261127155956-g472bdafbe", numbers with dots between, and
 * behind a dash what is for people.
 */
#pragma once

#include "base/util.h"

#define VERSION_MAX 96 /* characters */

/* Letters, digits, and . _ + ~ - : good for a message, a file, a command line. */
bool version_sane(const char *v);
/* Below, equal to or above 0 as `a` is older than, as old as or newer than `b`. False: one of them has no numbers. */
bool version_compare(const char *a, const char *b, int *ret);
