/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One program of the system's, run to its end.
 */
#pragma once

#include "base/err.h"

/* Runs argv[0], looked for in PATH; ends with a NULL. 0, or a negative errno with the last line that it wrote to standard
 * error. It dies with who called it. */
int program_run(char *const *argv, struct err *e);
