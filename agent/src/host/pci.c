/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Reading sysfs: the bus says what there is, the classes of links and disks say whose they are.
 */
#include "host/pci.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>

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
	_cleanup_(freep) char *path = xasprintf(BUS "/devices/%s/driver", address);
	char link[PATH_MAX];
	ssize_t n = readlink(path, link, sizeof(link) - 1);

	if (n <= 0)
		return NULL;
	link[n] = '\0';
	return arena_strdup(a, strrchr(link, '/') ? strrchr(link, '/') + 1 : link);
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

/* The device that a path in sysfs is behind: its last, for those before are bridges. */
static struct pci_device *behind(const struct pci_facts *f, char *real)
{
	const char *address = NULL;
	char *save = NULL;

	for (char *w = strtok_r(real, "/", &save); w; w = strtok_r(NULL, "/", &save))
		if (pci_is_address(w))
			address = w;
	return address ? (struct pci_device *)pci_find(f, address) : NULL;
}

/* A disk with several ways to it has one name that counts: nvme0c1n1 is a way to nvme0n1. */
static const char *disk_name(struct arena *a, const char *name)
{
	unsigned disk, way, space;
	int n = 0;

	if (sscanf(name, "nvme%uc%un%u%n", &disk, &way, &space, &n) == 3 && !name[n])
		return arena_printf(a, "nvme%un%u", disk, space);
	return arena_strdup(a, name);
}

/* What a class of sysfs is said to, each entry of the device that it is behind. */
struct saying {
	struct arena *arena;
	struct pci_facts *facts;
	bool disks;
};

static void say(void *data, const char *name, char *real)
{
	const struct saying *s = data;
	struct pci_device *d = behind(s->facts, real);

	if (d)
		list_add(s->arena, s->disks ? &d->disks : &d->links,
			 (void *)disk_name(s->arena, name));
}

int pci_read(struct arena *a, struct pci_facts *ret, struct err *e)
{
	DIR *dir = opendir(BUS "/devices");
	struct saying links = {a, ret, false}, disks = {a, ret, true};
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
	r = sysfs_class("net", "/device", say, &links, e);
	return r < 0 ? r : sysfs_class("block", "", say, &disks, e);
}
