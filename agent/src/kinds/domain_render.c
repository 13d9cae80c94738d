/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A domain in xl's words (xl.cfg(5)): for who wants to compare, or to leave.
 */
#include "base/str.h"
#include "host/xl_cfg.h"
#include "kinds/domain_priv.h"
#include "kinds/kinds.h"

#define MIB (UINT64_C(1) << 20)

/* In quotes, as libxlutil takes them off again (libxlu_cfg.c, xlu__cfgl_dequote). */
static const char *quoted(struct arena *a, const char *s)
{
	_cleanup_str_ struct str out = {0};

	str_addc(&out, '"');
	for (; *s; s++) {
		if ((unsigned char)*s < ' ' || *s == 0x7f) {
			str_addf(&out, "\\x%02x", (unsigned char)*s);
			continue;
		}
		if (*s == '"' || *s == '\\')
			str_addc(&out, '\\');
		str_addc(&out, *s);
	}
	str_addc(&out, '"');
	return arena_strdup(a, str_get(&out));
}

static void text(struct arena *a, struct str *out, const char *key, const char *value)
{
	if (value && *value)
		str_addf(out, "%s = %s\n", key, quoted(a, value));
}

static void number(struct str *out, const char *key, int64_t value)
{
	const char *mark = value < 0 ? "\"" : ""; /* xl's syntax has no numbers with a sign */

	str_addf(out, "%s = %s%lld%s\n", key, mark, (long long)value, mark);
}

/* Of a device only a whole one that is named by its path is known without the host; NULL: it isn't. */
static const char *target(const struct domain_disk *k)
{
	if (k->target)
		return streq(k->target, DISC_NONE) ? "" : k->target;
	return k->device.partition ? NULL : k->device.path;
}

static const char *disk(struct arena *a, const struct domain *d, const struct domain_disk *k)
{
	bool drive = d->type == XEN_HVM && k->cdrom;

	return arena_printf(a, "format=raw, vdev=%s, access=%s, %starget=%s", k->vdev,
			    k->read_only ? "ro" : "rw", drive ? "devtype=cdrom, " : "",
			    target(k) ? target(k) : "/dev/…");
}

/* xl takes blanks and commas from the end of a path. */
static bool is_understood(struct arena *a, const struct domain *d, const struct domain_disk *k)
{
	struct xl_disk back;

	return xl_disk_parse(a, disk(a, d, k), &back, NULL) == 0 && streq(back.target, target(k));
}

/* What xl can't say, or only together with other programs. */
static const char *disk_note(struct arena *a, const struct domain *d, const struct domain_disk *k)
{
	if (k->nbd)
		return "connect it first: nbd-client, and name the device";
	if (k->iscsi)
		return "log in to it first: iscsiadm, and name the device";
	if (!target(k))
		return "which device it is stands in the plan, not in the manifest";
	return is_understood(a, d, k) ? NULL : "xl has no way of writing such a path: rename it";
}

static void disks(struct arena *a, const struct domain *d, struct str *out)
{
	str_add(out, "disk = [\n");
	for (size_t i = 0; i < d->disks.n; i++) {
		const struct domain_disk *k = d->disks.entries[i].value;
		const char *note = disk_note(a, d, k);

		if (note)
			str_addf(out, "    # %s: %s\n", d->disks.entries[i].name, note);
		str_addf(out, "    %s%s,\n", note ? "# " : "", quoted(a, disk(a, d, k)));
	}
	str_add(out, "]\n");
}

static void nics(struct arena *a, const struct domain *d, struct str *out)
{
	str_add(out, "vif = [\n");
	for (size_t i = 0; i < d->nics.n; i++) {
		const struct domain_nic *n = d->nics.entries[i].value;

		const char *emulated = n->model == NIC_NONE ? ", type=vif" : ", model=";

		str_addf(out, "    \"mac=%s, bridge=%s%s%s\",\n", n->mac, n->bridge,
			 d->type == XEN_HVM ? emulated : "",
			 n->model == NIC_NONE ? "" : nic_model_words[n->model]);
	}
	str_add(out, "]\n");
}

static void devices(const struct domain *d, struct str *out)
{
	if (d->pci.n == 0)
		return;
	str_add(out, "pci = [\n");
	for (size_t i = 0; i < d->pci.n; i++) {
		const struct domain_pci *p = d->pci.entries[i].value;

		str_addf(out, "    \"%s%s%s\",\n", p->address, p->permissive ? ",permissive=1" : "",
			 p->seize ? ",seize=1" : "");
	}
	str_add(out, "]\n");
	/* What xl says by itself as well. */
	if (d->type == XEN_PV)
		number(out, "e820_host", 1);
}

static void usb(struct arena *a, const struct domain *d, struct str *out)
{
	if (d->usb_devices.n == 0)
		return;
	str_addf(out, "usbctrl = [\"type=devicemodel,version=3,ports=%d\"]\n", XEN_USB_PORTS);
	str_add(out,
		"# xl calls a USB device by the bus and the address that it has now, as lsusb shows them:\n"
		"# usbdev = [\"hostbus=BUS,hostaddr=ADDRESS\", ...]\n");
	for (size_t i = 0; i < d->usb_devices.n; i++)
		str_addf(out, "# %s: %s\n", d->usb_devices.entries[i].name,
			 usb_title(a, d->usb_devices.entries[i].value));
}

static void boots(struct arena *a, const struct domain *d, const struct xen_hardware *h,
		  struct str *out)
{
	if (d->kernel_path && !streq(d->kernel_path, BOOT_NONE))
		text(a, out, "kernel", d->kernel_path);
	if (d->initrd_path && !streq(d->initrd_path, BOOT_NONE))
		text(a, out, "ramdisk", d->initrd_path);
	text(a, out, "cmdline", d->cmdline);
	if (d->type != XEN_HVM)
		return;
	text(a, out, "bios", firmware_words[d->firmware]);
	text(a, out, "bios_path_override", d->firmware == FW_OVMF ? XEN_UEFI : NULL);
	text(a, out, "boot", h->boot);
	text(a, out, "vga", streq(vga_words[d->vga], "std") ? "stdvga" : vga_words[d->vga]);
	if (h->serial)
		text(a, out, "serial", "pty");
	if (h->usb.n) {
		number(out, "usb", 1);
		str_add(out, "usbdevice = [");
		for (size_t i = 0; i < h->usb.n; i++)
			str_addf(out, "%s\"%s\"", i ? ", " : "", (const char *)h->usb.items[i]);
		str_add(out, "]\n");
	}
	if (h->rng)
		str_add(out, "device_model_args_hvm = [\"-object\", "
			     "\"rng-random,id=manor-rng,filename=/dev/urandom\", \"-device\", "
			     "\"virtio-rng-pci,rng=manor-rng\"]\n");
	if (!h->hpet)
		number(out, "hpet", 0);
	text(a, out, "timer_mode", h->timer);
}

/* An IPv6 address has its brackets there. */
static const char *listen_on(struct arena *a, const struct domain_vnc *v)
{
	return strchr(v->address, ':') ? arena_printf(a, "[%s]", v->address) : v->address;
}

static void screen(struct arena *a, const struct domain *d, struct str *out)
{
	const struct domain_vnc *v = &d->vnc;
	bool chosen = field_is_set(&domain_vnc_table, v, "display");

	if (v->password)
		str_add(out, "# its VNC password is not shown: vncpasswd\n");
	if (d->type == XEN_HVM) {
		number(out, "vnc", v->enabled);
		if (!v->enabled)
			return;
		text(a, out, "vnclisten", listen_on(a, v));
		number(out, "vncunused", !chosen);
		if (chosen)
			number(out, "vncdisplay", v->display);
		text(a, out, "keymap", v->keymap);
	} else if (v->enabled) {
		str_addf(out, "vfb = [\"type=vnc, vnclisten=%s, vncunused=%d", listen_on(a, v),
			 !chosen);
		if (chosen)
			str_addf(out, ", vncdisplay=%lld", (long long)v->display);
		if (v->keymap)
			str_addf(out, ", keymap=%s", v->keymap);
		str_add(out, "\"]\n");
	}
}

static void processors(struct arena *a, const struct xen_hardware *h, struct str *out)
{
	_cleanup_str_ struct str cpuid = {0};

	if (h->nodes && h->cpus)
		str_addf(out, "# nodes %s: xl's 'cpus' says the one or the other\n", h->nodes);
	else if (h->nodes)
		text(a, out, "cpus", arena_printf(a, "nodes:%s", h->nodes));
	if (h->cpus)
		text(a, out, "cpus", h->cpus);
	if (h->weight != 256)
		number(out, "cpu_weight", h->weight);
	if (h->cap)
		number(out, "cap", h->cap);
	if (h->baseline)
		str_addf(
			out,
			"# cpu.baseline %s has no word of xl's: it hides what lies beyond, each by cpuid\n",
			xen_baseline_words[h->baseline]);
	for (size_t i = 0; i < h->hide.n; i++)
		str_addf(&cpuid, ",%s=0", (const char *)h->hide.items[i]);
	if (cpuid.n)
		text(a, out, "cpuid", arena_printf(a, "host%s", str_get(&cpuid)));
	if (!streq(h->tsc, "default"))
		text(a, out, "tsc_mode", h->tsc);
	if (h->localtime)
		number(out, "localtime", 1);
	if (h->rtc_offset)
		number(out, "rtc_timeoffset", h->rtc_offset);
}

const char *domain_render(struct arena *a, const struct resource *r)
{
	const struct domain *d = r->record;
	const struct xen_hardware *h = domain_ask_hardware(a, d);
	uint64_t most = MAX_OF(d->maxmem, d->memory);
	_cleanup_str_ struct str out = {0};

	str_add(&out, "# xl.cfg(5). Manor makes its domains by itself: this is for comparing.\n");
	text(a, &out, "name", r->name);
	text(a, &out, "uuid", d->uuid);
	text(a, &out, "type", xen_type_words[d->type]);
	number(&out, "memory", (int64_t)(d->memory / MIB));
	if (most > d->memory)
		number(&out, "maxmem", (int64_t)(most / MIB));
	number(&out, "vcpus", d->vcpus);
	if (d->maxvcpus > d->vcpus)
		number(&out, "maxvcpus", d->maxvcpus);
	boots(a, d, h, &out);
	screen(a, d, &out);
	processors(a, h, &out);
	disks(a, d, &out);
	nics(a, d, &out);
	devices(d, &out);
	usb(a, d, &out);
	text(a, &out, "on_poweroff", domain_end_words[d->on_poweroff]);
	text(a, &out, "on_reboot", domain_end_words[d->on_reboot]);
	text(a, &out, "on_crash", domain_end_words[d->on_crash]);
	text(a, &out, "on_watchdog", domain_end_words[d->on_watchdog]);
	return arena_strdup(a, str_get(&out));
}
