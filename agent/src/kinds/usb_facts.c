/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The reader "usb".
 */
#include "host/usb.h"
#include "kinds/kinds.h"
#include "kinds/reading.h"

TABLE(usb_device_table, usb_device, "device", "A USB device.",
      ROW(usb_device, port, FIELD_STRING,
	  .doc = "Where it is plugged in, bus and ports: what domains.usb_devices may name."),
      ROW(usb_device, bus, FIELD_INT, .doc = "Its bus, as lsusb shows it."),
      ROW(usb_device, address, FIELD_INT, .doc = "The kernel's number of it, another one at each plugging in."),
      ROW(usb_device, id, FIELD_STRING, .doc = "Vendor and product."),
      ROW(usb_device, serial, FIELD_STRING, .doc = "Its serial number, where it has one."),
      ROW(usb_device, name, FIELD_STRING, .doc = "What it calls itself."),
      ROW(usb_device, hub, FIELD_BOOL, .doc = "Whether it is a hub."),
      ROW(usb_device, drivers, FIELD_LIST,
	  .doc = "Drivers of dom0's that have it; usbfs: a program has it, as a guest's QEMU."),
      ROW(usb_device, links, FIELD_LIST, .doc = "Network links that it is behind."),
      ROW(usb_device, disks, FIELD_LIST, .doc = "Disks that it is behind."));

TABLE(usb_facts_table, usb_facts, "usb", "USB devices.",
      ROW(usb_facts, devices, FIELD_LIST, .sub = &usb_device_table,
	  .doc = "All that are plugged in."));

READER(usb, usb_read, usb_facts_table, 30000,
       "USB devices: what they are, where they are plugged in, and the links and disks behind them, from sysfs.");
