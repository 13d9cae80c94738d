/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kinds/pci_host.h"

#include "kinds/host_parts.h"

/* PCI's classes (PCI Code and ID Assignment), as far as people plug them in. The first that fits. */
static const struct {
	const char *type, *word;
} types[] = {
	{"0101", "IDE controller"},  {"0104", "RAID controller"}, {"0106", "SATA controller"},
	{"0107", "SAS controller"},  {"0108", "NVMe controller"}, {"01", "disk controller"},
	{"0200", "Ethernet controller"}, {"02", "network controller"}, {"03", "graphics card"},
	{"0403", "audio device"},    {"04", "multimedia device"}, {"05", "memory controller"},
	{"0600", "host bridge"},     {"0601", "ISA bridge"},      {"0604", "PCI bridge"},
	{"06", "bridge"},            {"0700", "serial port"},     {"07", "communication controller"},
	{"08", "system device"},     {"0c03", "USB controller"},  {"0c05", "SMBus controller"},
	{"0c", "serial bus controller"}, {"0d", "wireless controller"}, {"12", "accelerator"},
};

const char *pci_host_title(struct arena *a, const struct pci_device *d)
{
	const char *word = "device";

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (!startswith(d->type, types[i].type))
			continue;
		word = types[i].word;
		break;
	}
	return arena_printf(a, "%s %s", word, d->id);
}

bool pci_host_fixed(const struct pci_device *d)
{
	return startswith(d->type, "06") || startswith(d->type, "08");
}

const char *pci_host_use(struct arena *a, const struct pci_device *d)
{
	const char *parts = host_parts(a, &d->links, &d->disks);

	return arena_printf(a, "driver %s%s%s", d->driver, *parts ? ", " : "", parts);
}
