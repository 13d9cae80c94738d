/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * GRUB's environment block, in which menu and system tell each other of slots: 1024 bytes, "# GRUB Environment Block",
 * lines of NAME=VALUE, and '#' to the end (GRUB's manual, "The GRUB environment block").
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

#define GRUBENV_SIZE  1024
#define GRUBENV_FIRST "# GRUB Environment Block\n"
/* What is said stands in the first sector, and nothing but '#' in the second: whichever of the two a power cut lets
 * through, the block is the old one or the new one. */
#define GRUBENV_USED  512
#define GRUBENV_VARS  32
#define GRUBENV_NAME  32  /* bytes of a name: letters, digits, '_' */
#define GRUBENV_VALUE 200 /* bytes of a value: what prints */

struct grubenv_var {
	const char *name, *value;
};

struct grubenv {
	struct arena *arena;
	struct grubenv_var vars[GRUBENV_VARS]; /* in the order of the file */
	size_t n;
	bool overfull;       /* one was set that had no place */
	const char *damaged; /* why nothing was taken of it; NULL: it is sound */
};

/* What the bytes say; never NULL. Those that are no whole block (empty, torn, zeros, of another length) say nothing,
 * and .damaged says why: a menu boots from such a one, too. Memory is the arena's. */
struct grubenv *grubenv_parse(struct arena *a, const char *data, size_t n);
/* The same of the file `name` in the folder `dir`, an open descriptor. One that is missing or can't be read says nothing
 * either. False: `dir` is no folder. */
bool grubenv_read(int dir, const char *name, struct arena *a, struct grubenv **ret, struct err *e);

const char *grubenv_get(const struct grubenv *g, const char *name); /* NULL: it isn't there */
/* Sets it, or adds it. What can't stand there (see above, or the block is full) is told by grubenv_write(). */
void grubenv_set(struct grubenv *g, const char *name, const char *value);
/* Fills the block; false: that isn't possible. */
bool grubenv_format(const struct grubenv *g, char block[GRUBENV_SIZE], struct err *e);
/* Writes the block over the one that is there: the file isn't emptied before, moved, nor made longer, for GRUB writes to
 * its sectors, too. Only one that is missing or of another length is made anew, beside it, and renamed. */
bool grubenv_write(int dir, const char *name, const struct grubenv *g, struct err *e);
