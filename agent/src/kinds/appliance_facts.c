/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The reader "appliance": which version runs from which slot, where this host is Manor's appliance.
 */
#include "host/slots.h"
#include "kinds/kinds.h"
#include "kinds/reading.h"

TABLE(appliance_table, slots, "appliance", "Manor's appliance; nothing where this host is none.",
      ROW(slots, version, FIELD_STRING, .doc = "its version"),
      ROW(slots, installed, FIELD_BOOL, .doc = "it was started from a slot, not from CD-ROM, USB stick or network"),
      ROW(slots, booted, FIELD_STRING, .doc = "that slot: A or B"),
      ROW(slots, build, FIELD_STRING, .doc = "the digest of its root"),
      ROW(slots, xen, FIELD_STRING, .doc = "arguments that this version starts Xen with"));

READER(appliance, slots_read, appliance_table, 10000,
       "Which version of Manor's appliance this is, from its own files and sysfs.",
       .at_hand = true);
