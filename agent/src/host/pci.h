/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * PCI devices of the machine: which there are, which driver has each, and what dom0 has of it. Everything here reads
 * only. A device that guests can be given is one that Xen's own driver in dom0 has, "pciback".
 */
#pragma once

#include <stdio.h>

#include "base/err.h"
#include "base/record.h"

#define PCI_BACKEND "pciback" /* as sysfs calls xen-pciback */

struct pci_device {
	struct record rec;
	const char *address; /* "0000:00:0a.0": domain, bus, slot, function */
	const char *id;      /* "8086:100e": vendor and device */
	const char *type;    /* six hex digits: class, subclass, interface; "020000" is Ethernet */
	const char *driver;  /* "e1000"; NULL: none */
	struct list links;   /* of strings: network links that it is behind */
	struct list disks;   /* of strings: the kernel's names of whole disks */
};

struct pci_facts {
	struct record rec;
	bool backend;        /* Xen's driver is loaded */
	struct list devices; /* of struct pci_device, by address */
};

int pci_read(struct arena *a, struct pci_facts *ret, struct err *e);
/* The driver that has it now, or NULL. Arena memory. */
const char *pci_driver(struct arena *a, const char *address);

/* Whether that is a device's address in full, as a word of a path in sysfs: "0000:00:03.0". */
static inline bool pci_is_address(const char *s)
{
	unsigned domain, bus, slot, function;
	int n = 0;

	return sscanf(s, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &n) == 4 &&
	       n == 12 && !s[n];
}

/* The device of that address, or NULL. */
static inline const struct pci_device *pci_find(const struct pci_facts *f, const char *address)
{
	for (size_t i = 0; f && i < f->devices.n; i++) {
		const struct pci_device *d = f->devices.items[i];

		if (streq(d->address, address))
			return d;
	}
	return NULL;
}

static inline bool pci_assignable(const struct pci_device *d)
{
	return streq(d->driver, PCI_BACKEND);
}
