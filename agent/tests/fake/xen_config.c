/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What libxl would be asked for: each configuration is filled by the product's own code (host/xen_config.c), with libxl's own
 * types, and kept in libxl's own JSON. It leaves out what libxl decides by itself.
 */
#include "host/xen_config.h"

/* Which yajl it is for, its header wants to be told. */
#define HAVE_YAJL_YAJL_VERSION_H 1
#include <libxl_json.h>

#include "base/str.h"
#include "tests/fake/fake.h"

#define CPUS 64

static struct str kept;

/* One call, "NAME: " and what it was given. */
static void keep(const char *call, const char *name, yajl_gen gen)
{
	const unsigned char *text;
	size_t n;

	if (yajl_gen_get_buf(gen, &text, &n) == yajl_gen_status_ok)
		str_addf(&kept, "%s %s %.*s", call, name, (int)n, (const char *)text);
}

static yajl_gen generator(void)
{
	yajl_gen gen = yajl_gen_alloc(NULL);

	yajl_gen_config(gen, yajl_gen_beautify, 1);
	yajl_gen_config(gen, yajl_gen_indent_string, "  ");
	return gen;
}

/* Half of the processors on each of two nodes; a processor that has every feature. */
int fake_xen_configure(const char *call, const struct xen_domain *d, int64_t cpus, struct err *e)
{
	int node_of[CPUS];
	struct xen_place place = {
		.hotplug = "/usr/lib/manor/hotplug",
		.now = 1760000000,
		.logs = true,
		.leaf_max = 0xd,
		.leaf_extended_max = 0x80000008,
		.leaf_7_max = 1,
		.cpus = (int)MIN_OF(cpus, INT64_C(64)),
		.cpus_max = CPUS,
		.nodes = 2,
		.node_of = node_of,
	};
	libxl_domain_config c;
	yajl_gen gen;
	int r;

	for (int i = 0; i < place.cpus; i++)
		node_of[i] = i * 2 / place.cpus;
	libxl_domain_config_init(&c);
	r = xen_config(d, &place, &c, e);
	gen = generator();
	if (r == 0 && libxl_domain_config_gen_json(gen, &c) == yajl_gen_status_ok)
		keep(call, d->name, gen);
	yajl_gen_free(gen);
	libxl_domain_config_dispose(&c);
	return r;
}

void fake_xen_disk(const struct xen_disk *disk, bool drive)
{
	libxl_device_disk c;
	yajl_gen gen = generator();

	xen_disk_config(&c, disk, "/usr/lib/manor/hotplug", drive);
	if (libxl_device_disk_gen_json(gen, &c) == yajl_gen_status_ok)
		keep(drive ? "disc" : "disk", disk->vdev, gen);
	yajl_gen_free(gen);
	libxl_device_disk_dispose(&c);
}

void fake_xen_nic(const struct xen_nic *nic)
{
	libxl_device_nic c;
	yajl_gen gen = generator();

	xen_nic_config(&c, nic, "/usr/lib/manor/hotplug");
	if (libxl_device_nic_gen_json(gen, &c) == yajl_gen_status_ok)
		keep("nic", nic->mac, gen);
	yajl_gen_free(gen);
	libxl_device_nic_dispose(&c);
}

void fake_xen_usb(const struct xen_usb *usb)
{
	libxl_device_usbdev c;
	yajl_gen gen = generator();

	xen_usb_config(usb, &c);
	if (libxl_device_usbdev_gen_json(gen, &c) == yajl_gen_status_ok)
		keep("usb", usb->port, gen);
	yajl_gen_free(gen);
	libxl_device_usbdev_dispose(&c);
}

char *fake_xen_asked(void)
{
	return str_take(&kept);
}
