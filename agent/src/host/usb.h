/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * USB devices of the machine: which are plugged in where, and what dom0 has of each. Everything here reads only.
 * Where one is plugged in is its bus and the ports on the way to it, "1-1.2"; its address is the kernel's number of
 * it, another one whenever it is plugged in.
 */
#pragma once

#include "base/err.h"
#include "base/record.h"

#define USB_PORT_MAX 31 /* bytes of "1-1.2": a bus, and seven ports at most */

struct usb_device {
	struct record rec;
	const char *port;    /* "1-1.2" */
	int64_t bus, address; /* as lsusb shows them: its node is /dev/bus/usb/BUS/ADDRESS, three digits each */
	const char *id;      /* "046d:c52b": vendor and product */
	const char *serial;  /* as the device says it; NULL: it says none */
	const char *name;    /* the same: what it is, in its maker's words */
	bool hub;
	struct list drivers; /* of strings: of dom0's, that have its interfaces; "usbfs": a program has it, QEMU mostly */
	struct list links;   /* of strings: network links that it is behind */
	struct list disks;   /* of strings: the kernel's names of whole disks */
};

struct usb_facts {
	struct record rec;
	struct list devices; /* of struct usb_device, by port; the controllers' own hubs are none */
};

int usb_read(struct arena *a, struct usb_facts *ret, struct err *e);
/* Bus and address of what is plugged in there now; false: nothing is. */
bool usb_address(const char *port, int64_t *ret_bus, int64_t *ret_address);
/* Has dom0's drivers look at what of it nobody has: who had it may have ended without giving it back. */
void usb_probe(const char *port);

/* Whether that is a place as sysfs calls it: "1-1", "2-1.4". */
static inline bool usb_is_port(const char *s)
{
	const char *dash = strchr(s, '-');
	size_t n = strlen(s);

	if (!dash || n > USB_PORT_MAX || strspn(s, "0123456789") != (size_t)(dash - s) || dash == s)
		return false;
	/* Numbers with a dot between each two. */
	for (const char *p = dash + 1;; p++) {
		size_t digits = strspn(p, "0123456789");

		if (digits == 0 || digits > 3)
			return false;
		p += digits;
		if (*p != '.')
			return !*p;
	}
}

/* The device that is plugged in there, or NULL. */
static inline const struct usb_device *usb_find(const struct usb_facts *f, const char *port)
{
	for (size_t i = 0; f && i < f->devices.n; i++) {
		const struct usb_device *d = f->devices.items[i];

		if (streq(d->port, port))
			return d;
	}
	return NULL;
}
