/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * PCI devices that guests are given: each is taken from dom0 for as long as a domain of the manifest names it. What is
 * wanted follows from the domains; nothing of it is written by itself.
 */
#pragma once

#include "host/pci.h"
#include "host/xen.h"
#include "model/kind.h"

struct pci {
	struct record rec;
	const char *address; /* "0000:00:0a.0" */
	bool seize;          /* though a driver of dom0's has it */
	const char *driver;  /* that had it, and gets it back */
	const char *device;  /* for people: "Ethernet controller 8086:100e" */
};

extern const struct table pci_table;

/* "00:0a.0", "0000:00:0a.0" */
field_parse_fn parse_pci_address;

/* The device that a domain asks for; NULL where that could not be. */
struct resource *pci_imply(struct manifest *m, struct resource *domain, const char *address,
			   bool seize, const struct node *where);
/* Whether it can be given to a guest at once. */
bool pci_there(const struct facts *f, const char *address);
/* Why this host can give no device to any guest; NULL: it can, or isn't known. */
const char *pci_incapable(const struct facts *f);
