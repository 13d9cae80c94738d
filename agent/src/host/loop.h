/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Loop devices (loop(4)): how a file becomes a block device for blkback. Linked into manor-hotplug too: libc and
 * the kernel, nothing else. All return 0 (or what is said) or a negative errno.
 */
#pragma once

#include <linux/loop.h>
#include <stdbool.h>
#include <sys/stat.h>

#define LOOP_PATH 32

/* What our loop devices bear as their name (lo_file_name): those that nobody uses may go. */
#define LOOP_NAME "manor"

/* Binds a free device to the open file: direct I/O where the file system can, so that nothing is cached
 * twice and what a guest flushed is on the disk. */
int loop_attach(int file, bool read_only, char ret[LOOP_PATH]);
/* Free at once, or when its last user closes it. Free already, or another's by now, is fine. */
int loop_detach(const char *path);
/* The file is larger now. */
int loop_resize(const char *path);
/* Each device that is bound to that file: what `each` returns, unless 0, ends it and is returned. `fd` is the
 * device, open for reading. */
int loop_each(const struct stat *file,
	      int (*each)(void *data, int fd, const char *path, const struct loop_info64 *info),
	      void *data);
/* Whether the open device is a loop device that is bound to that file. */
bool loop_is_of(int fd, const struct stat *file);
