/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * host/usb.h over devices in memory.
 */
#include "host/usb.h"

#include "tests/fake/fake.h"

static struct arena *arena;
static struct usb_facts host;

static void copy(struct arena *a, const struct usb_facts *from, struct usb_facts *ret)
{
	*ret = (struct usb_facts){0};
	for (size_t i = 0; i < from->devices.n; i++) {
		const struct usb_device *d = from->devices.items[i];
		struct usb_device *c = arena_alloc(a, sizeof(*c));

		*c = (struct usb_device){
			.port = arena_strdup(a, d->port),
			.bus = d->bus,
			.address = d->address,
			.id = arena_strdup(a, d->id),
			.serial = arena_strdup(a, d->serial),
			.name = arena_strdup(a, d->name),
			.hub = d->hub,
			.drivers = fake_strings(a, &d->drivers),
			.links = fake_strings(a, &d->links),
			.disks = fake_strings(a, &d->disks),
		};
		list_add(a, &ret->devices, c);
	}
}

void fake_usb_load(const struct usb_facts *f)
{
	static const struct usb_facts none;

	arena_free(arena);
	arena = arena_new();
	copy(arena, f ? f : &none, &host);
}

int usb_read(struct arena *a, struct usb_facts *ret, struct err *e)
{
	copy(a, &host, ret);
	return 0;
}

bool fake_usb_is(const char *port, int64_t bus, int64_t address)
{
	const struct usb_device *d = usb_find(&host, port);

	return d && d->bus == bus && d->address == address;
}
