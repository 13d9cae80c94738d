/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What dom0 has of a PCI device, in words for people: what it is, what it is used for, and whether dom0 can do
 * without it.
 */
#pragma once

#include "host/pci.h"
#include "model/kind.h"

/* "Ethernet controller 8086:100e" */
const char *pci_host_title(struct arena *a, const struct pci_device *d);
/* A bridge or the like: no guest can have it. */
bool pci_host_fixed(const struct pci_device *d);
/* "link eth1, disk sda": what stands behind it; "" for nothing. */
const char *pci_host_parts(struct arena *a, const struct pci_device *d);
/* "driver e1000, link eth1" */
const char *pci_host_use(struct arena *a, const struct pci_device *d);
/* Why the host stops working, or loses data, without it: its default route, a bridge's port, what is mounted. NULL:
 * it doesn't. By the readings "net", "disks" and, where it is known, "lvm". */
const char *pci_host_needs(struct arena *a, const struct facts *f, const struct pci_device *d);
/* What else the manifest wants of what is behind it: a link, a storage's device; NULL: nothing. */
const char *pci_host_declared(struct arena *a, const struct facts *f, const struct manifest *m,
			      const struct pci_device *d);
