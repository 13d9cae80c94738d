/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A program that has this process's terminal for as long as it runs.
 */
#pragma once

/* Found by PATH where it isn't a path. `env` NULL: as here; `dir` NULL: the folder as here. Waits for its end, which is as
 * waitpid(2) tells it; -1: it could not be started. */
int foreground_run(const char *program, char *const *argv, char *const *env, const char *dir);
