/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The reading "disks": which disk is which, what is on it, who uses it.
 */
#include "host/blk.h"
#include "kinds/kinds.h"
#include "kinds/reading.h"

TABLE(disk_table, blk_disk, "disk", "A disk or a partition.",
      ROW(blk_disk, name, FIELD_STRING, .doc = "the kernel's name, which another boot may change"),
      ROW(blk_disk, path, FIELD_STRING, .doc = "device"),
      ROW(blk_disk, number, FIELD_STRING, .doc = "major and minor number"),
      ROW(blk_disk, parent, FIELD_STRING, .doc = "a partition's disk"),
      ROW(blk_disk, size, FIELD_SIZE, .doc = "size"),
      ROW(blk_disk, model, FIELD_STRING, .doc = "model"),
      ROW(blk_disk, serial, FIELD_STRING, .doc = "serial number: what storage.devices may name"),
      ROW(blk_disk, pci, FIELD_STRING,
	  .doc = "where it sits, as udev's ID_PATH: what storage.devices may name"),
      ROW(blk_disk, wwids, FIELD_LIST, .flags = FIELD_UNORDERED,
	  .doc = "world-wide ids: what storage.devices may name"),
      ROW(blk_disk, links, FIELD_LIST, .flags = FIELD_UNORDERED,
	  .doc = "udev's links: what storage.devices may name"),
      ROW(blk_disk, signatures, FIELD_LIST, .doc = "what libblkid finds on it"),
      ROW(blk_disk, pv_uuid, FIELD_STRING, .doc = "of an LVM physical volume"),
      ROW(blk_disk, partitions, FIELD_LIST, .doc = "its partitions"),
      ROW(blk_disk, holders, FIELD_LIST, .doc = "what stands on it"),
      ROW(blk_disk, mounts, FIELD_LIST, .doc = "where it is mounted"),
      ROW(blk_disk, root, FIELD_BOOL, .doc = "the root file system is on it"),
      ROW(blk_disk, readonly, FIELD_BOOL, .doc = "not writable"),
      ROW(blk_disk, removable, FIELD_BOOL, .doc = "removable"),
      ROW(blk_disk, unreadable, FIELD_STRING, .doc = "why it could not be read"));

TABLE(disks_table, blk_facts, "disks", "Disks, as they are.",
      {.name = "disks", .type = FIELD_LIST, .offset = FIELD_AT(blk_facts, disks), .sub = &disk_table,
       .doc = "disks and partitions"});

READER(disks, blk_read, disks_table, 30000,
       "Disks: their stable ids, what is on them, who uses them.");
