/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What dom0 has of a PCI device, in words for people: what it is, and what it is used for.
 */
#pragma once

#include "host/pci.h"
#include "model/kind.h"

/* "Ethernet controller 8086:100e" */
const char *pci_host_title(struct arena *a, const struct pci_device *d);
/* A bridge or the like: no guest can have it. */
bool pci_host_fixed(const struct pci_device *d);
/* "driver e1000, link eth1" */
const char *pci_host_use(struct arena *a, const struct pci_device *d);
