/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The reader "machine": by what a manifest for many hosts knows this one.
 */
#include "host/machine.h"
#include "kinds/kinds.h"
#include "kinds/reading.h"

TABLE(machine_table, machine, "machine", "Which machine it is.",
      ROW(machine, macs, FIELD_LIST, .flags = FIELD_UNORDERED,
	  .doc = "the addresses that its network cards were made with"),
      ROW(machine, serial, FIELD_STRING, .doc = "SMBIOS' serial number of the system, if it tells one"),
      ROW(machine, uuid, FIELD_STRING, .doc = "SMBIOS' UUID of the system, if it tells one"),
      ROW(machine, serial_why, FIELD_STRING, .doc = "why there is no serial number"),
      ROW(machine, uuid_why, FIELD_STRING, .doc = "why there is no UUID"));

READER(machine, machine_read, machine_table, 10000,
       "Which machine it is: the MACs of its network cards, serial number and UUID, from sysfs.",
       .at_hand = true);
