/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The machine's devices that domains in memory have: PCI devices, and who made them assignable; USB devices.
 */
#include "host/pci.h"
#include "host/xen.h"
#include "tests/fake/fake.h"

static struct xen_facts *host(void)
{
	struct arena *a;

	return fake_xen(&a);
}

static struct arena *arena(void)
{
	struct arena *a;

	fake_xen(&a);
	return a;
}

static const struct xen_domain *holder(const char *address)
{
	for (size_t i = 0; i < host()->domains.n; i++) {
		const struct xen_domain *d = host()->domains.items[i];

		for (size_t k = 0; k < d->pci.n; k++)
			if (streq(((struct xen_pci *)d->pci.items[k])->address, address))
				return d;
	}
	return NULL;
}

static int check_pci(const struct xen_domain *asked, struct err *e)
{
	for (size_t i = 0; i < asked->pci.n; i++) {
		const struct xen_pci *p = asked->pci.items[i];

		if (asked->type == XEN_PVH || !list_has(&host()->virt_caps, "hvm_directio"))
			return err_set(e, -EINVAL, "passthrough not supported on this platform");
		if (!fake_pci_assignable(p->address) || holder(p->address)) {
			err_at(e, "pci.%s", p->label);
			return err_set(e, -EBUSY, "%s is not assignable", p->address);
		}
	}
	return 0;
}

static struct xen_usb *find_usb(const struct xen_domain *d, const char *port)
{
	for (size_t i = 0; i < d->usb.n; i++)
		if (streq(((struct xen_usb *)d->usb.items[i])->port, port))
			return d->usb.items[i];
	return NULL;
}

static int check_usb(const struct xen_usb *u, const struct xen_domain *but, struct err *e)
{
	int r = 0;

	if (!fake_usb_is(u->port, u->bus, u->address))
		r = err_set(e, -ENODEV, "%s isn't plugged in", u->port);
	for (size_t i = 0; r == 0 && i < host()->domains.n; i++)
		if (host()->domains.items[i] != but && find_usb(host()->domains.items[i], u->port))
			r = err_set(e, -EBUSY, "A BUG: another has %s", u->port);
	if (r < 0)
		err_at(e, "usb_devices.%s", u->label);
	return r;
}

int xen_usb_add(int64_t domid, const struct xen_usb *usb, struct err *e)
{
	struct xen_domain *d = fake_xen_domain(domid);
	struct xen_usb *had;
	int r;

	FAKE_FAIL(e);
	if (!d || d->type != XEN_HVM)
		return err_set(e, -EINVAL, "A BUG: it has no ports");
	r = check_usb(usb, d, e);
	if (r < 0 || find_usb(d, usb->port))
		return r;
	fake_xen_usb(usb);
	d->usb_ports = true;
	if (fake_fails("xen_usb_add, killed before the device"))
		return err_set(e, -EIO, "killed before the device");
	had = arena_alloc(arena(), sizeof(*had));
	had->port = arena_strdup(arena(), usb->port);
	list_add(arena(), &d->usb, had);
	return 0;
}

int xen_usb_remove(int64_t domid, const char *port, struct err *e)
{
	struct xen_domain *d = fake_xen_domain(domid);
	struct list kept = {0};

	FAKE_FAIL(e);
	for (size_t i = 0; d && i < d->usb.n; i++)
		if (!streq(((struct xen_usb *)d->usb.items[i])->port, port))
			list_add(arena(), &kept, d->usb.items[i]);
	if (d)
		d->usb = kept;
	return 0;
}

int fake_xen_devices(const struct xen_domain *asked, struct err *e)
{
	int r = check_pci(asked, e);

	for (size_t i = 0; r == 0 && i < asked->usb.n; i++)
		r = check_usb(asked->usb.items[i], NULL, e);
	return r;
}

static struct xen_pci_mark *find_mark(const char *address, struct list *ret_others)
{
	struct xen_pci_mark *found = NULL;

	for (size_t i = 0; i < host()->pci_marks.n; i++) {
		struct xen_pci_mark *m = host()->pci_marks.items[i];

		if (streq(m->address, address))
			found = m;
		else
			list_add(arena(), ret_others, m);
	}
	return found;
}

static struct xen_pci_mark *mark(const char *address, const char *uuid, const char *driver)
{
	struct xen_pci_mark *m = arena_alloc(arena(), sizeof(*m));

	*m = (struct xen_pci_mark){
		.address = arena_strdup(arena(), address),
		.uuid = arena_strdup(arena(), uuid),
		.driver = arena_strdup(arena(), driver),
	};
	return m;
}

int xen_pci_add(const char *address, const char *uuid, const char *driver, struct err *e)
{
	struct list others = {0};

	FAKE_FAIL(e);
	if (find_mark(address, &others))
		host()->pci_marks = others;
	list_add(arena(), &host()->pci_marks, mark(address, uuid, driver));
	if (fake_fails("xen_pci_add, killed behind its mark"))
		return err_set(e, -EIO, "killed behind its mark");
	if (!fake_pci_bind(address, NULL))
		return err_set(e, -ENODEV, "no such device");
	if (fake_fails("xen_pci_add, killed while nobody has it"))
		return err_set(e, -EIO, "killed while nobody has it");
	fake_pci_bind(address, PCI_BACKEND);
	return 0;
}

int xen_pci_remove(const char *address, const char *driver, struct err *e)
{
	struct list others = {0};

	FAKE_FAIL(e);
	if (holder(address))
		return err_set(e, -EBUSY, "a domain has it still");
	fake_pci_bind(address, driver);
	if (fake_fails("xen_pci_remove, killed before its mark goes"))
		return err_set(e, -EIO, "killed before its mark goes");
	if (find_mark(address, &others))
		host()->pci_marks = others;
	return 0;
}
