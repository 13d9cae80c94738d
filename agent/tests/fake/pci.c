/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * host/pci.h over devices in memory. Which driver has one changes with the Xen in memory.
 */
#include "host/pci.h"

#include "tests/fake/fake.h"

static struct arena *arena;
static struct pci_facts host;

static void copy(struct arena *a, const struct pci_facts *from, struct pci_facts *ret)
{
	*ret = (struct pci_facts){.backend = from->backend};
	for (size_t i = 0; i < from->devices.n; i++) {
		const struct pci_device *d = from->devices.items[i];
		struct pci_device *c = arena_alloc(a, sizeof(*c));

		*c = (struct pci_device){
			.address = arena_strdup(a, d->address),
			.id = arena_strdup(a, d->id),
			.type = arena_strdup(a, d->type),
			.driver = arena_strdup(a, d->driver),
			.links = fake_strings(a, &d->links),
			.disks = fake_strings(a, &d->disks),
		};
		list_add(a, &ret->devices, c);
	}
}

void fake_pci_load(const struct pci_facts *f)
{
	static const struct pci_facts none;

	arena_free(arena);
	arena = arena_new();
	copy(arena, f ? f : &none, &host);
}

int pci_read(struct arena *a, struct pci_facts *ret, struct err *e)
{
	copy(a, &host, ret);
	return 0;
}

bool fake_pci_bind(const char *address, const char *driver)
{
	struct pci_device *d = (struct pci_device *)pci_find(&host, address);

	if (!d)
		return false;
	host.backend |= streq(driver, PCI_BACKEND);
	d->driver = arena_strdup(arena, driver);
	/* What stood behind it is no longer there. */
	if (!driver || streq(driver, PCI_BACKEND))
		d->links = d->disks = (struct list){0};
	return true;
}

bool fake_pci_assignable(const char *address)
{
	const struct pci_device *d = pci_find(&host, address);

	return d && pci_assignable(d);
}
