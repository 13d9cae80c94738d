/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Reading sysfs: the bus says what is plugged in, the classes of links and disks say what is behind it.
 */
#include "host/usb.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/file.h"
#include "base/num.h"
#include "host/sysfs.h"

#define BUS         "/sys/bus/usb"
#define DEVICES_MAX 4096
#define TEXT_MAX    126  /* characters of a device's own words: a string descriptor has no more */
#define HUB         "09" /* USB-IF's class code */

/* Its first line; what isn't printable ASCII becomes '?', for it is the device's own to choose. NULL: there is none. */
static const char *attribute(struct arena *a, const char *port, const char *name)
{
	_cleanup_(freep) char *path = xasprintf(BUS "/devices/%s/%s", port, name);
	_cleanup_(freep) char *text = NULL;

	if (file_read(path, 4096, &text, NULL, NULL) < 0)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	for (char *s = text; *s; s++)
		if (*s < ' ' || *s > '~')
			*s = '?';
	return *text ? arena_strndup(a, text, TEXT_MAX) : NULL;
}

static bool number(struct arena *a, const char *port, const char *name, int64_t *ret)
{
	const char *text = attribute(a, port, name);

	return text && num_parse_int(text, 1, 65535, ret) == 0;
}

static int add_device(struct arena *a, struct usb_facts *ret, const char *port, struct err *e)
{
	const char *vendor = attribute(a, port, "idVendor"), *maker, *product;
	struct usb_device *d;
	int64_t bus, address;

	if (ret->devices.n >= DEVICES_MAX)
		return err_set(e, -E2BIG, "more than %d USB devices", DEVICES_MAX);
	product = attribute(a, port, "idProduct");
	if (!vendor || !product || !number(a, port, "busnum", &bus) ||
	    !number(a, port, "devnum", &address))
		return 0; /* it went while we looked */
	d = arena_alloc(a, sizeof(*d));
	*d = (struct usb_device){
		.port = arena_strdup(a, port),
		.bus = bus,
		.address = address,
		.id = arena_printf(a, "%s:%s", vendor, product),
		.serial = attribute(a, port, "serial"),
		.hub = streq(attribute(a, port, "bDeviceClass"), HUB),
	};
	maker = attribute(a, port, "manufacturer");
	product = attribute(a, port, "product");
	if (maker || product)
		d->name = arena_printf(a, "%s%s%s", maker ? maker : "", maker && product ? " " : "",
				       product ? product : "");
	list_add(a, &ret->devices, d);
	return 0;
}

static int by_port(const void *a, const void *b)
{
	const struct usb_device *x = *(void *const *)a, *y = *(void *const *)b;

	return strverscmp(x->port, y->port);
}

/* Interfaces stand beside the devices that they are of. */
static void add_driver(struct arena *a, struct usb_facts *ret, const char *interface)
{
	const char *port = arena_strndup(a, interface, strcspn(interface, ":"));
	struct usb_device *d = (struct usb_device *)usb_find(ret, port);
	const char *driver = d ? sysfs_driver(a, "usb", interface) : NULL;

	if (driver && !list_has(&d->drivers, driver))
		list_add(a, &d->drivers, (void *)driver);
}

static bool lists_of(void *facts, const char *port, struct list **ret_links,
		     struct list **ret_disks)
{
	struct usb_device *d = (struct usb_device *)usb_find(facts, port);

	if (!d)
		return false;
	*ret_links = &d->links;
	*ret_disks = &d->disks;
	return true;
}

int usb_read(struct arena *a, struct usb_facts *ret, struct err *e)
{
	DIR *dir = opendir(BUS "/devices");
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		/* A machine need not have USB, nor its driver be loaded. */
		return errno == ENOENT ? 0 : err_errno(e, -errno, "open %s", BUS "/devices");
	}
	while (r == 0 && (entry = readdir(dir)))
		if (usb_is_port(entry->d_name))
			r = add_device(a, ret, entry->d_name, e);
	if (ret->devices.n)
		qsort(ret->devices.items, ret->devices.n, sizeof(*ret->devices.items), by_port);
	rewinddir(dir);
	while (r == 0 && ret->devices.n && (entry = readdir(dir)))
		if (strchr(entry->d_name, ':'))
			add_driver(a, ret, entry->d_name);
	closedir(dir);
	if (r < 0 || ret->devices.n == 0)
		return r;
	return sysfs_behind(a, usb_is_port, lists_of, ret, e);
}

bool usb_address(const char *port, int64_t *ret_bus, int64_t *ret_address)
{
	_cleanup_arena_ struct arena *a = arena_new();

	return usb_is_port(port) && number(a, port, "busnum", ret_bus) &&
	       number(a, port, "devnum", ret_address);
}

void usb_probe(const char *port)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_(freep) char *prefix = xasprintf("%s:", port);
	DIR *dir = opendir(BUS "/devices");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		_cleanup_(closep) int fd = -1;

		if (!startswith(entry->d_name, prefix) || sysfs_driver(a, "usb", entry->d_name))
			continue;
		fd = open(BUS "/drivers_probe", O_WRONLY | O_CLOEXEC);
		/* That no driver wants it is no failure. */
		if (fd >= 0 && write(fd, entry->d_name, strlen(entry->d_name)) < 0)
			continue;
	}
	if (dir)
		closedir(dir);
}
