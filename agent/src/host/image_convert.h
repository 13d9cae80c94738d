/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Images that only QEMU can read, through qemu-img, which is handed one open file and is told its format:
 * it guesses nothing and opens nothing else.
 */
#pragma once

#include "host/image.h"

/* Whether it is there: 0 or -ENOPKG. */
int convert_ready(struct err *e);
/* How large the disk in it is. -ENOPKG: no qemu-img; -EILSEQ: it isn't to be read, or has other files. */
int convert_size(int fd, enum image_format f, uint64_t *ret, struct err *e);
/* Onto `target`, a block device that reads as zeros or an empty file; zeros are left out. */
int convert_write(int fd, enum image_format f, const char *target, uint64_t size, struct err *e);
/* An open file without a name in `dir`, and its path for those who must have one. */
int convert_scratch(const char *dir, int *ret, char path[32], struct err *e);

/* The program; for tests to move. */
extern const char *convert_program;
