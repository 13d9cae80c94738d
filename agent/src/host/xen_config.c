/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What is asked of a domain, in libxl's words: names and marks, memory, processors, what it boots, disks, NICs, PCI and
 * USB devices.
 */
#include "host/xen_config.h"

#include <errno.h>
#include <stdio.h>

#include "base/str.h"

#define KIB       1024u
#define ABOUT_MAX 1900 /* xenstored's default limit for a value is 2048 */

static char *dup_or_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

void xen_disk_config(libxl_device_disk *ret, const struct xen_disk *disk, const char *hotplug,
		     bool hvm)
{
	libxl_device_disk_init(ret);
	ret->pdev_path = dup_or_null(disk->target);
	ret->vdev = xstrdup(disk->vdev);
	ret->backend = LIBXL_DISK_BACKEND_PHY;
	ret->format = LIBXL_DISK_FORMAT_RAW;
	ret->readwrite = !disk->read_only;
	/* A drive's disc is QEMU's own, file or not: nothing is attached for it. */
	if (hvm && disk->cdrom) {
		ret->backend = LIBXL_DISK_BACKEND_QDISK;
		ret->is_cdrom = ret->removable = 1;
		ret->readwrite = 0;
		if (!disk->target)
			ret->format = LIBXL_DISK_FORMAT_EMPTY;
		return;
	}
	libxl_defbool_set(&ret->discard_enable, !disk->read_only);
	ret->script = dup_or_null(hotplug);
}

void xen_nic_config(libxl_device_nic *ret, const struct xen_nic *nic, const char *hotplug)
{
	unsigned b[6];

	libxl_device_nic_init(ret);
	ret->bridge = xstrdup(nic->bridge);
	ret->nictype = nic->model ? LIBXL_NIC_TYPE_VIF_IOEMU : LIBXL_NIC_TYPE_VIF;
	if (nic->model)
		ret->model = xstrdup(nic->model);
	if (sscanf(nic->mac, "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) ==
	    6)
		for (int i = 0; i < 6; i++)
			ret->mac[i] = (uint8_t)b[i];
	ret->script = dup_or_null(hotplug);
}

void xen_pci_device(const char *address, libxl_device_pci *ret)
{
	unsigned domain = 0, bus = 0, slot = 0, function = 0;

	libxl_device_pci_init(ret);
	sscanf(address, "%x:%x:%x.%x", &domain, &bus, &slot, &function);
	ret->domain = (int)domain;
	ret->bus = (uint8_t)bus;
	ret->dev = (uint8_t)slot;
	ret->func = (uint8_t)function;
	ret->vfunc_mask = 1; /* as xl asks for a single function */
	ret->rdm_policy = LIBXL_RDM_RESERVE_POLICY_RELAXED;
}

static void pci_config(const struct xen_domain *d, libxl_domain_config *c)
{
	c->pcidevs = xcalloc(d->pci.n, sizeof(*c->pcidevs));
	for (size_t i = 0; i < d->pci.n; i++) {
		const struct xen_pci *p = d->pci.items[i];

		xen_pci_device(p->address, &c->pcidevs[c->num_pcidevs]);
		c->pcidevs[c->num_pcidevs++].permissive = p->permissive;
	}
	/* Its memory has holes where the machine's has, or the devices' would lie under it. */
	if (d->pci.n && d->type == XEN_PV)
		libxl_defbool_set(&c->b_info.u.pv.e820_host, true);
}

void xen_usb_controller(libxl_device_usbctrl *ret)
{
	libxl_device_usbctrl_init(ret);
	ret->type = LIBXL_USBCTRL_TYPE_DEVICEMODEL;
	ret->version = 3; /* xHCI: the one that takes devices of every speed */
	ret->ports = XEN_USB_PORTS;
}

void xen_usb_config(const struct xen_usb *usb, libxl_device_usbdev *ret)
{
	libxl_device_usbdev_init(ret);
	libxl_device_usbdev_init_type(ret, LIBXL_USBDEV_TYPE_HOSTDEV);
	ret->ctrl = -1; /* any that has a port left */
	ret->u.hostdev.hostbus = (uint8_t)usb->bus;
	ret->u.hostdev.hostaddr = (uint8_t)usb->address;
}

/* A controller without a device is for one that is plugged in later. */
static void usb_config(const struct xen_domain *d, libxl_domain_config *c)
{
	if (!d->usb_ports)
		return;
	c->usbctrls = xcalloc(1, sizeof(*c->usbctrls));
	xen_usb_controller(&c->usbctrls[c->num_usbctrls++]);
	c->usbdevs = xcalloc(d->usb.n, sizeof(*c->usbdevs));
	for (size_t i = 0; i < d->usb.n; i++)
		xen_usb_config(d->usb.items[i], &c->usbdevs[c->num_usbdevs++]);
}

/* "KEY=VALUE\n", unless there is no value. */
static void about(struct str *s, const char *key, const char *value)
{
	if (value && *value)
		str_addf(s, "%s=%s\n", key, value);
}

int xen_marks(const struct xen_domain *d, const char *state, int64_t started,
	      const struct xen_logs *before, char ***ret, struct err *e)
{
	_cleanup_str_ struct str text = {0};
	char **list;
	size_t n = 0;

	about(&text, "name", d->name);
	about(&text, "type", xen_type_words[d->type]);
	str_addf(&text, "started=%lld\nshutdown_timeout=%lld\n", (long long)started,
		 (long long)d->shutdown_timeout);
	str_addf(&text, "console=%lld\n", (long long)before->console);
	if (d->type == XEN_HVM)
		str_addf(&text, "serial=%lld\n", (long long)before->serial);
	about(&text, "restored", d->restored ? "1" : NULL);
	about(&text, "discs", d->discs ? "1" : NULL);
	about(&text, "kernel", d->kernel);
	about(&text, "initrd", d->initrd);
	about(&text, "cmdline", d->cmdline);
	if (text.n > ABOUT_MAX) {
		err_at(e, "kernel");
		return err_set(e, -ENAMETOOLONG,
			       "paths and command line together have more than %d bytes",
			       ABOUT_MAX);
	}
	if (d->settings && strlen(d->settings) > XEN_SETTINGS_MAX)
		return err_set(e, -ENAMETOOLONG, "its settings together have more than %d bytes",
			       XEN_SETTINGS_MAX);
	list = xcalloc(13, sizeof(*list));
	list[n++] = xstrdup("manor/uuid");
	list[n++] = xstrdup(d->mark_uuid);
	list[n++] = xstrdup("manor/state");
	list[n++] = xstrdup(state);
	list[n++] = xstrdup("manor/about");
	list[n++] = str_take(&text);
	if (d->settings) {
		list[n++] = xstrdup("manor/settings");
		list[n++] = xstrdup(d->settings);
	}
	if (d->paused_for) {
		list[n++] = xstrdup("manor/paused");
		list[n++] = xstrdup(d->paused_for);
	}
	if (d->ready) {
		list[n++] = xstrdup("manor/ready");
		list[n++] = xstrdup("1");
	}
	*ret = list;
	return 0;
}

int xen_config(const struct xen_domain *d, const struct xen_place *p, libxl_domain_config *c,
	       struct err *e)
{
	libxl_domain_type type = d->type == XEN_PV    ? LIBXL_DOMAIN_TYPE_PV
				 : d->type == XEN_PVH ? LIBXL_DOMAIN_TYPE_PVH
						      : LIBXL_DOMAIN_TYPE_HVM;
	int r;

	c->c_info.type = type;
	c->c_info.name = xstrdup(d->name);
	r = xen_marks(d, "building", p->now, &p->before, &c->c_info.xsdata, e);
	if (r < 0)
		return r;
	if (libxl_uuid_from_string(&c->c_info.uuid, d->uuid))
		return err_set(e, -EINVAL, "'%s' is no UUID", d->uuid);
	libxl_domain_build_info_init_type(&c->b_info, type);
	c->b_info.max_memkb = MAX_OF(d->maxmem, d->memory) / KIB;
	c->b_info.target_memkb = d->memory / KIB;
	c->b_info.max_vcpus = (int)MAX_OF(d->maxvcpus, d->vcpus);
	/* Claimed first, so that of two made at once the second fails at the start. */
	libxl_defbool_set(&c->b_info.claim_mode, true);
	c->b_info.kernel = dup_or_null(d->image ? d->image : d->kernel);
	c->b_info.ramdisk = dup_or_null(d->initrd);
	/* Of a kernel; libxl takes an empty one for one that is meant. */
	c->b_info.cmdline = d->kernel && d->cmdline && *d->cmdline ? xstrdup(d->cmdline) : NULL;
	xen_bitmap_make(&c->b_info.avail_vcpus, c->b_info.max_vcpus);
	for (int i = 0; i < d->vcpus; i++)
		libxl_bitmap_set(&c->b_info.avail_vcpus, i);
	r = xen_hardware_config(d, p, c, e);
	if (r < 0)
		return r;

	c->disks = xcalloc(d->disks.n, sizeof(*c->disks));
	for (size_t i = 0; i < d->disks.n; i++)
		xen_disk_config(&c->disks[c->num_disks++], d->disks.items[i], p->hotplug,
				d->type == XEN_HVM);
	c->nics = xcalloc(d->nics.n, sizeof(*c->nics));
	for (size_t i = 0; i < d->nics.n; i++)
		xen_nic_config(&c->nics[c->num_nics++], d->nics.items[i], p->hotplug);
	pci_config(d, c);
	usb_config(d, c);
	return 0;
}
