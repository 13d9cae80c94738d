/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Files, read with a limit and written so that a power cut leaves the old or the new, never half.
 */
#pragma once

#include "base/err.h"

/* Reads a whole file, NUL-terminated; *ret is the caller's. -EFBIG above `max` bytes. */
int file_read(const char *path, size_t max, char **ret, size_t *ret_n, struct err *e);
/* The same of a plain file only: a pipe or a device, for which one may wait forever, is -EINVAL. */
int file_read_plain(const char *path, size_t max, char **ret, size_t *ret_n, struct err *e);
/* Temporary file beside it, fsync, rename, fsync of the folder. */
int file_write(const char *path, const void *data, size_t n, int mode, struct err *e);
/* All of it to where that descriptor stands; a negative errno where that can't be. */
int file_write_all(int fd, const void *data, size_t n);
/* As `mkdir -p`; what exists is left as it is. */
int file_mkdirs(const char *path, int mode, struct err *e);
/* Removes a file durably; one that is absent is fine. */
int file_remove(const char *path, struct err *e);
/* fsync of the folder that holds `path`, so that a rename in it survives a power cut. */
int file_sync_dir(const char *path, struct err *e);
