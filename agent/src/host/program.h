/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Programs of the system's, run to their end.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

/* Runs argv[0], looked for in PATH; ends with a NULL. 0, or a negative errno with the last line that it wrote to standard
 * error. It dies with who called it. */
int program_run(char *const *argv, struct err *e);

/* For whoever starts one in another way. Pipes for what it says, closed on exec; both are the caller's, or none. */
int program_pipes(int out[2], int err[2], struct err *e);
/* All that comes out of both until they end (-1: there is none); of each about `max` bytes are kept, and the rest is unseen.
 * `more` (may be NULL) is called whenever some came. */
void program_hear(int out, int err, size_t max, struct str *ret_out, struct str *ret_err,
		  void (*more)(void *data), void *data);
