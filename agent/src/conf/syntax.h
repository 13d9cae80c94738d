/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Why a text isn't YAML, in words for whoever wrote it, at the place where it went wrong rather than
 * where reading it came to a halt.
 */
#pragma once

#include "diag/diag.h"

struct syntax {
	const struct source *source;
	/* libyaml's words; the context may be NULL */
	const char *problem, *context;
	/* One character each: where reading stopped, and where that began which was being read. */
	struct span at, start;
	/* The last text that was read in whole, if it was in quotes; else without a source. */
	struct span quoted;
};

/* Adds one diagnostic, "syntax" or "empty-key". */
void syntax_explain(struct diags *d, const struct syntax *s);
