/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The reading "disks": which disk is which, what is on it, who uses it.
 */
#include "host/blk.h"
#include "kinds/kinds.h"
#include "kinds/mark.h"

#define ROW(m, t, ...)                                                                             \
	{                                                                                          \
		.name = #m, .type = t, .offset = FIELD_AT(blk_disk, m), __VA_ARGS__                \
	}

TABLE(disk_table, blk_disk, "disk", "A disk or a partition.",
      ROW(name, FIELD_STRING, .doc = "the kernel's name, which another boot may change"),
      ROW(path, FIELD_STRING, .doc = "device"),
      ROW(parent, FIELD_STRING, .doc = "a partition's disk"), ROW(size, FIELD_SIZE, .doc = "size"),
      ROW(model, FIELD_STRING, .doc = "model"),
      ROW(serial, FIELD_STRING, .doc = "serial number: what storage.devices may name"),
      ROW(wwids, FIELD_LIST, .flags = FIELD_UNORDERED,
	  .doc = "world-wide ids: what storage.devices may name"),
      ROW(links, FIELD_LIST, .flags = FIELD_UNORDERED,
	  .doc = "udev's links: what storage.devices may name"),
      ROW(signatures, FIELD_LIST, .doc = "what libblkid finds on it"),
      ROW(pv_uuid, FIELD_STRING, .doc = "of an LVM physical volume"),
      ROW(partitions, FIELD_LIST, .doc = "its partitions"),
      ROW(holders, FIELD_LIST, .doc = "what stands on it"),
      ROW(mounts, FIELD_LIST, .doc = "where it is mounted"),
      ROW(root, FIELD_BOOL, .doc = "the root file system is on it"),
      ROW(readonly, FIELD_BOOL, .doc = "not writable"),
      ROW(removable, FIELD_BOOL, .doc = "removable"),
      ROW(unreadable, FIELD_STRING, .doc = "why it could not be read"));

TABLE(disks_table, blk_facts, "disks", "Disks, as they are.",
      {.name = "disks", .type = FIELD_LIST, .offset = FIELD_AT(blk_facts, disks), .sub = &disk_table,
       .doc = "disks and partitions"});

static int disks_read(struct arena *a, void *ret_record, struct err *e)
{
	int r = blk_read(a, ret_record, e);

	if (r == 0)
		mark_filled(&disks_table, ret_record);
	return r;
}

const struct reader reader_disks = {
	.name = "disks",
	.doc = "Disks: their stable ids, what is on them, who uses them.",
	.table = &disks_table,
	.deadline_ms = 30000,
	.read = disks_read,
};
