/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A large file that is written piece by piece and appears under its name whole, or not at all. Until then
 * it has no name, where the file system can do that: whatever ends the process, nothing is left behind.
 * Elsewhere it is called ".NAME.XXXXXX.part" meanwhile, which kill -9 and a power cut leave.
 */
#pragma once

#include "base/err.h"

struct newfile;

/* -EEXIST: the name is taken, unless `replace`; -EINVAL: by what is no regular file, or it is no name of a
 * file. The caller owns *ret. */
int newfile_open(const char *path, int mode, bool replace, struct newfile **ret, struct err *e);
int newfile_fd(const struct newfile *f); /* to write to; it stays newfile's */
/* What was written is on stable storage, and has its name. -EEXIST: the name was taken meanwhile. */
int newfile_place(struct newfile *f, struct err *e);
/* Takes NULL; what wasn't placed is gone. */
void newfile_free(struct newfile *f);
void newfile_freep(struct newfile **f);
#define _cleanup_newfile_ _cleanup_(newfile_freep)

/* False: as if no file system could have files without a name; for tests. */
extern bool newfile_nameless;
