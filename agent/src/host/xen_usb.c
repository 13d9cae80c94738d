/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * USB devices that domains have: libxl's books of them, and what their QEMUs have open, which is the truth. libxl notes
 * where a device is plugged in, and never that it was unplugged.
 */
#include "host/xen_ctx.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "host/usb.h"

#define CONTROLLERS_MAX 32
#define PORTS_MAX       31 /* of one of libxl's controllers */
#define DOMAINS_MAX     65536
#define OPEN_WAIT_S     5
#define POLL_US         50000

/* "/dev/bus/usb/001/004" */
static void node_of(int64_t bus, int64_t address, char ret[64])
{
	snprintf(ret, 64, "/dev/bus/usb/%03lld/%03lld", (long long)bus, (long long)address);
}

/* Whether the domain's QEMU has it. */
static bool is_open(struct xen_ctx *x, int64_t domid, int64_t bus, int64_t address)
{
	int64_t pid = xen_get_int(x, 0, "/local/domain/%d/image/device-model-pid", (int)domid);
	_cleanup_(freep) char *folder = xasprintf("/proc/%lld/fd", (long long)pid);
	DIR *dir = pid > 0 ? opendir(folder) : NULL;
	struct dirent *entry;
	bool found = false;
	char node[64];

	node_of(bus, address, node);
	while (!found && dir && (entry = readdir(dir))) {
		_cleanup_(freep) char *path = xasprintf("%s/%.32s", folder, entry->d_name);
		char target[PATH_MAX];
		ssize_t n = readlink(path, target, sizeof(target) - 1);

		target[MAX_OF(n, 0)] = '\0';
		found = streq(target, node);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* Waits until it has, or hasn't any more. */
static bool becomes(struct xen_ctx *x, int64_t domid, int64_t bus, int64_t address, bool open)
{
	double until = xen_clock() + OPEN_WAIT_S;

	while (is_open(x, domid, bus, address) != open) {
		if (xen_clock() > until)
			return false;
		usleep(POLL_US);
	}
	return true;
}

/* One port of a domain's controllers that libxl has something in. */
struct booked {
	struct xen_ctx *x;
	int64_t domid;
	const char *key;  /* of xenstore */
	const char *port; /* of the machine's: "1-1.2" */
};

static void each_booked(struct xen_ctx *x, int64_t domid,
			void (*each)(const struct booked *b, void *data), void *data)
{
	unsigned n;
	_cleanup_(freep) char **controllers = xen_dir(x, &n, "/libxl/%d/device/vusb", (int)domid);

	for (unsigned i = 0; controllers && i < MIN_OF(n, (unsigned)CONTROLLERS_MAX); i++) {
		int64_t ports = xen_get_int(x, 0, "/libxl/%d/device/vusb/%.16s/num-ports",
					    (int)domid, controllers[i]);

		for (int p = 1; p <= (int)MIN_OF(ports, (int64_t)PORTS_MAX); p++) {
			_cleanup_(freep) char *key =
				xasprintf("/libxl/%d/device/vusb/%.16s/port/%d", (int)domid,
					  controllers[i], p);
			_cleanup_(freep) char *port = xen_get(x, "%s", key);
			struct booked b = {x, domid, key, port};

			if (port && usb_is_port(port))
				each(&b, data);
		}
	}
}

static void each_booked_anywhere(struct xen_ctx *x,
				 void (*each)(const struct booked *b, void *data), void *data)
{
	unsigned n;
	_cleanup_(freep) char **domains = xen_dir(x, &n, "/local/domain");

	for (unsigned i = 0; domains && i < MIN_OF(n, (unsigned)DOMAINS_MAX); i++)
		each_booked(x, strtol(domains[i], NULL, 10), each, data);
}

static bool has_controller(struct xen_ctx *x, int64_t domid)
{
	unsigned n;
	_cleanup_(freep) char **all = xen_dir(x, &n, "/libxl/%d/device/vusb", (int)domid);

	return all && n;
}

/* --- reading --- */

struct reading {
	struct arena *arena;
	struct xen_domain *domain;
};

static void read_one(const struct booked *b, void *data)
{
	const struct reading *r = data;
	int64_t bus, address;
	struct xen_usb *u;

	if (!usb_address(b->port, &bus, &address) || !is_open(b->x, b->domid, bus, address))
		return;
	u = arena_alloc(r->arena, sizeof(*u));
	u->port = arena_strdup(r->arena, b->port);
	list_add(r->arena, &r->domain->usb, u);
}

void xen_read_usb(struct xen_ctx *x, struct arena *a, struct xen_domain *d)
{
	struct reading r = {a, d};

	/* Others' controllers QEMU doesn't play. */
	d->usb_ports = d->type == XEN_HVM && has_controller(x, d->domid);
	if (d->usb_ports)
		each_booked(x, d->domid, read_one, &r);
}

/* --- what was unplugged --- */

/* QEMU's devices of that domain whose device of the machine's isn't open: "xenusb-BUS-ADDRESS", as libxl calls them. */
static void forget_dead(struct xen_ctx *x, int64_t domid)
{
	char *said = NULL;

	if (libxl_qemu_monitor_command(x->xl, (uint32_t)domid, "info usb", &said, NULL) == 0)
		for (const char *s = said; s && (s = strstr(s, "ID: xenusb-")); s++) {
			_cleanup_(freep) char *command = NULL;
			char *answer = NULL;
			long long bus, address;

			if (sscanf(s, "ID: xenusb-%lld-%lld", &bus, &address) != 2 ||
			    is_open(x, domid, bus, address))
				continue;
			command = xasprintf("device_del xenusb-%lld-%lld", bus, address);
			libxl_qemu_monitor_command(x->xl, (uint32_t)domid, command, &answer, NULL);
			free(answer);
		}
	free(said);
	x->log.n = 0;
}

/* What is wanted elsewhere; NULL: of what is gone alone. Another worker's device may be on its way to its QEMU. */
static void sweep_one(const struct booked *b, void *data)
{
	const char *wanted = data;
	int64_t bus, address;

	if (usb_address(b->port, &bus, &address) &&
	    (!streq(b->port, wanted) || is_open(b->x, b->domid, bus, address)))
		return;
	forget_dead(b->x, b->domid);
	xen_put(b->x, NULL, "", "%s", b->key);
}

static void sweep(struct xen_ctx *x, const char *wanted)
{
	each_booked_anywhere(x, sweep_one, (void *)wanted);
}

struct holder {
	const char *port;
	int64_t domid;
};

static void hold_one(const struct booked *b, void *data)
{
	struct holder *h = data;

	if (streq(b->port, h->port))
		h->domid = b->domid;
}

/* The domain that libxl has it booked for; 0: none. */
static int64_t holder(struct xen_ctx *x, const char *port)
{
	struct holder h = {.port = port};

	each_booked_anywhere(x, hold_one, &h);
	return h.domid;
}

int xen_usb_check(struct xen_ctx *x, const struct xen_domain *d, struct err *e)
{
	for (size_t i = 0; i < d->usb.n; i++) {
		const struct xen_usb *u = d->usb.items[i];
		int64_t domid, bus, address;
		int r = 0;

		if (!usb_address(u->port, &bus, &address) || bus != u->bus || address != u->address)
			r = err_set(e, -ENODEV, "what was plugged in at %s isn't any more",
				    u->port);
		if (r == 0 && x) {
			sweep(x, u->port);
			domid = holder(x, u->port);
			if (domid)
				r = err_set(e, -EBUSY, "domain %lld has the USB device at %s",
					    (long long)domid, u->port);
		}
		if (r < 0) {
			err_at(e, "usb_devices.%s", u->label);
			return r;
		}
	}
	return 0;
}

int xen_usb_opened(struct xen_ctx *x, const struct xen_domain *d, int64_t domid, struct err *e)
{
	for (size_t i = 0; i < d->usb.n; i++) {
		const struct xen_usb *u = d->usb.items[i];

		if (becomes(x, domid, u->bus, u->address, true))
			continue;
		err_at(e, "usb_devices.%s", u->label);
		err_help(e, "its log, /var/log/xen/qemu-dm-%s.log, may say why",
			 d->name ? d->name : "NAME");
		return err_set(e, -EIO, "QEMU has not opened the USB device at %s within %d s",
			       u->port, OPEN_WAIT_S);
	}
	return 0;
}

/* --- while it runs --- */

static int add_controller(struct xen_ctx *x, int64_t domid, struct err *e)
{
	libxl_device_usbctrl c;
	int rc;

	if (has_controller(x, domid))
		return 0;
	xen_usb_controller(&c);
	rc = libxl_device_usbctrl_add(x->xl, (uint32_t)domid, &c, NULL);
	libxl_device_usbctrl_dispose(&c);
	return rc ? xen_fail(x, e, -EIO, rc, "add a USB controller") : 0;
}

static int take(struct xen_ctx *x, int64_t domid, const char *port, struct err *e)
{
	int64_t bus, address;
	libxl_device_usbdev *all;
	int n = 0, rc, r = 0;

	sweep(x, NULL);
	if (!usb_address(port, &bus, &address))
		return 0;
	all = libxl_device_usbdev_list(x->xl, (uint32_t)domid, &n);
	for (int i = 0; r == 0 && i < n; i++) {
		if (all[i].u.hostdev.hostbus != bus || all[i].u.hostdev.hostaddr != address)
			continue;
		rc = libxl_device_usbdev_remove(x->xl, (uint32_t)domid, &all[i], NULL);
		if (rc)
			r = xen_fail(x, e, -EIO, rc, "take the USB device at %s away", port);
		else if (!becomes(x, domid, bus, address, false))
			r = err_set(e, -EIO, "QEMU still has the USB device at %s after %d s", port,
				    OPEN_WAIT_S);
	}
	libxl_device_usbdev_list_free(all, n);
	if (r == 0)
		usb_probe(port);
	return r;
}

int xen_usb_remove(int64_t domid, const char *port, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	libxl_dominfo info;
	int r = xen_open_domain(&x, domid, &info, e);

	return r < 0 ? r : take(&x, domid, port, e);
}

int xen_usb_add(int64_t domid, const struct xen_usb *want, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	struct xen_domain asked = {0};
	libxl_device_usbdev dev;
	libxl_dominfo info;
	struct list one = {.items = (void *[]){(void *)want}, .n = 1};
	int rc, r = xen_open_domain(&x, domid, &info, e);

	if (r < 0)
		return r;
	asked.usb = one;
	sweep(&x, want->port);
	if (holder(&x, want->port) == domid)
		return xen_usb_opened(&x, &asked, domid, e);
	r = xen_usb_check(&x, &asked, e);
	if (r == 0)
		r = add_controller(&x, domid, e);
	if (r < 0)
		return r;
	xen_usb_config(want, &dev);
	rc = libxl_device_usbdev_add(x.xl, (uint32_t)domid, &dev, NULL);
	libxl_device_usbdev_dispose(&dev);
	if (rc)
		return xen_fail(&x, e, -EIO, rc, "hand over the USB device at %s", want->port);
	r = xen_usb_opened(&x, &asked, domid, e);
	if (r < 0)
		take(&x, domid, want->port, NULL);
	return r;
}
