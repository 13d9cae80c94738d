/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The partition table of an installed disk, by libfdisk, on a disk or in a file.
 */
#pragma once

#include "base/ident.h"
#include "host/layout.h"

/* Who the disk and its partitions are. Fixed for manor.img, so that two builds give the same bytes; random, or the disk's
 * own mark, for disks: a boot loader must never take the partition of another. */
struct gpt_ids {
	char disk[UUID_TEXT], parts[LAYOUT_MAX][UUID_TEXT];
};

void gpt_ids_fixed(struct gpt_ids *ret);
void gpt_ids_random(struct gpt_ids *ret);

/* Writes the table in place of whatever there is: first what stands at the disk's end, last its first sector, in one
 * piece with the boot code that stands there already. Until then no firmware sees a table. */
int gpt_write(const char *path, const struct layout *l, const struct gpt_ids *ids, struct err *e);
/* Whether the disk has the first four partitions where they belong; *ret_n: how many there are, *ret_id: whose disk it
 * is. 0: no. */
int gpt_read(const char *path, size_t *ret_n, char ret_id[UUID_TEXT], struct err *e);
/* Tells the kernel of those of them that it doesn't know: others may be in use. */
int gpt_tell_kernel(int fd, const struct layout *l, struct err *e);
