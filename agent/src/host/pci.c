/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Reading sysfs: the bus says what there is, the classes of links and disks say whose they are.
 */
#include "host/pci.h"

#include <dirent.h>
#include <errno.h>

#include "base/file.h"
#include "host/sysfs.h"

#define BUS         "/sys/bus/pci"
#define DEVICES_MAX 8192

/* Its first line, without "0x"; NULL where there is none. */
static const char *attribute(struct arena *a, const char *address, const char *name)
{
	_cleanup_(freep) char *path = xasprintf(BUS "/devices/%s/%s", address, name);
	_cleanup_(freep) char *text = NULL;

	if (file_read(path, 4096, &text, NULL, NULL) < 0)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return arena_strdup(a, startswith(text, "0x") ? text + 2 : text);
}

const char *pci_driver(struct arena *a, const char *address)
{
	return sysfs_driver(a, "pci", address);
}

static int add_device(struct arena *a, struct pci_facts *ret, const char *address, struct err *e)
{
	struct pci_device *d;
	const char *vendor, *device;

	if (ret->devices.n >= DEVICES_MAX)
		return err_set(e, -E2BIG, "more than %d PCI devices", DEVICES_MAX);
	vendor = attribute(a, address, "vendor");
	device = attribute(a, address, "device");
	if (!vendor || !device)
		return 0; /* it went while we looked */
	d = arena_alloc(a, sizeof(*d));
	d->address = arena_strdup(a, address);
	d->id = arena_printf(a, "%s:%s", vendor, device);
	d->type = attribute(a, address, "class");
	d->driver = pci_driver(a, address);
	list_add(a, &ret->devices, d);
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct pci_device *x = *(void *const *)a, *y = *(void *const *)b;

	return strcmp(x->address, y->address);
}

static bool lists_of(void *facts, const char *address, struct list **ret_links,
		     struct list **ret_disks)
{
	struct pci_device *d = (struct pci_device *)pci_find(facts, address);

	if (!d)
		return false;
	*ret_links = &d->links;
	*ret_disks = &d->disks;
	return true;
}

int pci_read(struct arena *a, struct pci_facts *ret, struct err *e)
{
	DIR *dir = opendir(BUS "/devices");
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		/* A machine need not have a PCI bus. */
		return errno == ENOENT ? 0 : err_errno(e, -errno, "open %s", BUS "/devices");
	}
	while (r == 0 && (entry = readdir(dir)))
		if (pci_is_address(entry->d_name))
			r = add_device(a, ret, entry->d_name, e);
	closedir(dir);
	if (r < 0)
		return r;
	if (ret->devices.n)
		qsort(ret->devices.items, ret->devices.n, sizeof(*ret->devices.items), by_address);
	ret->backend = access(BUS "/drivers/" PCI_BACKEND, F_OK) == 0;
	return sysfs_behind(a, pci_is_address, lists_of, ret, e);
}
