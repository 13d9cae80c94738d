/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Domains in the manifest: the field table, merging with the template, what follows from a domain
 * (clones of disks, boot files, MACs), and what can't be.
 */
#include "kinds/domain_priv.h"
#include "kinds/kinds.h"
#include "kinds/template.h"
#include "model/record_json.h"

#include <errno.h>

#define MIB         (INT64_C(1) << 20)
#define MEMORY_MIN  (16 * MIB)
#define MEMORY_MAX  (INT64_C(1) << 44)
#define VCPUS_MAX   128
#define CMDLINE_MAX 1023 /* xen/include/public/xen.h: MAX_GUEST_CMDLINE */
#define TIMEOUT_MAX 3600

/* QEMU's names. */
const char *const nic_model_words[] = {"none", "e1000", "rtl8139", "ne2k_pci", "virtio-net", NULL};
const char *const domain_end_words[] = {"destroy",          "restart",          "preserve",
					"coredump-destroy", "coredump-restart", NULL};
static const char *const at_shutdown_words[] = {"shutdown", "save", NULL};
static const char *const state_words[] = {"running", "stopped", "paused", NULL};

/* A file of the template, or a path. */
static int parse_boot(struct decode *c, const struct field *f, const char *text, const char **ret,
		      struct err *e)
{
	size_t n = strlen(text);

	if (n && text[n - 1] == '/')
		return err_set(e, -EINVAL, "a file: it ends with '/'");
	/* As it is written: what runs was noted so, and another way of writing it is another kernel. */
	if (strchr(text, '/') && *text != '/')
		text = arena_printf(c->arena, "%s/%s", decode_dir(c), text);
	return parse_text(c, f, text, ret, e);
}

static int parse_cmdline(struct decode *c, const struct field *f, const char *text,
			 const char **ret, struct err *e)
{
	if (strlen(text) > CMDLINE_MAX)
		return err_set(e, -EINVAL, "a kernel command line: it has more than %d bytes",
			       CMDLINE_MAX);
	for (const char *s = text; *s; s++)
		if ((unsigned char)*s < ' ')
			return err_set(e, -EINVAL, "a kernel command line: it is one line");
	*ret = text;
	return 0;
}

static int parse_uuid(struct decode *c, const struct field *f, const char *text, const char **ret,
		      struct err *e)
{
	char uuid[UUID_TEXT];

	if (ident_uuid_parse(text, uuid) < 0)
		return err_set(
			e, -EINVAL,
			"a UUID: 32 hex digits such as 6ba7b810-9dad-41d1-80b4-00c04fd430c8");
	*ret = arena_strdup(c->arena, uuid);
	return 0;
}

static enum impact memory_impact(const struct field *f, const void *old, const void *new_,
				 const struct facts *facts)
{
	const struct domain *have = old, *want = new_;

	return want->memory <= have->maxmem ? IMPACT_LIVE : IMPACT_GUEST_RESTART;
}

static enum impact vcpus_impact(const struct field *f, const void *old, const void *new_,
				const struct facts *facts)
{
	const struct domain *have = old, *want = new_;

	return want->vcpus <= have->maxvcpus ? IMPACT_LIVE : IMPACT_GUEST_RESTART;
}

/* A disk may come while the guest runs. One that goes may be mounted, and nothing but a shutdown makes
 * sure that it isn't, unless the manifest says so (`attached: false`). What QEMU plays it keeps open. */
static enum impact disks_impact(const struct field *f, const void *old, const void *new_,
				const struct facts *facts)
{
	const struct map *have = field_ptr(f, old), *want = field_ptr(f, new_);
	const struct domain *d = new_;

	for (size_t i = 0; i < have->n; i++) {
		const struct entry *e = &have->entries[i];

		if (!map_get(want, e->name) &&
		    (!map_get(&d->parted, e->name) ||
		     (d->type == XEN_HVM && domain_disk_emulated(e->value))))
			return IMPACT_GUEST_RESTART;
	}
	return IMPACT_LIVE;
}

/* xl's, and what other programs say. */
static const struct other_word model_others[] = {
	{"ne2000", "ne2k_pci"}, {"ne2k", "ne2k_pci"}, {"8139", "rtl8139"}, {"virtio", "virtio-net"}, {}};
static const struct other_word nic_others[] = {
	{"ip", "nothing: addresses are the guest's own matter ('cloud_init' tells it)"},
	{"rate", "nothing: what a guest sends isn't limited"},
	{"script", "nothing: Manor plugs it into its bridge"},
	{"type", "nothing: 'model' says what is emulated"},
	{"vlan", "a bridge of its own, with a VLAN's device under it"},
	{}};

TABLE_OTHERS(domain_nic_table, domain_nic, "nic", "A network interface.", nic_others,
      {.name = "bridge", .type = FIELD_STRING, .offset = FIELD_AT(domain_nic, bridge),
       .ref = "bridge", .flags = FIELD_REQUIRED, .impact = IMPACT_LIVE,
       .doc = "the bridge that it is plugged into"},
      {.name = "mac", .type = FIELD_STRING, .offset = FIELD_AT(domain_nic, mac),
       .parse = parse_mac, .impact = IMPACT_LIVE,
       .doc = "MAC address; follows from namespace, domain and name when not given, and never "
	      "changes then"},
      {.name = "model", .type = FIELD_ENUM, .offset = FIELD_AT(domain_nic, model),
       .words = nic_model_words, .others = model_others, .impact = IMPACT_GUEST_RESTART,
       .doc = "of hvm: the card that is emulated for guests without Xen's drivers; e1000 when not given; of others "
	      "none"},
      {.name = "vif", .type = FIELD_STRING, .offset = FIELD_AT(domain_nic, vif),
       .flags = FIELD_STATUS, .doc = "the interface in dom0"},
      {.name = "devid", .type = FIELD_INT, .offset = FIELD_AT(domain_nic, devid),
       .flags = FIELD_STATUS, .doc = "its number within the domain"});

/* xm's, xl's and others' names. */
static const struct other_word xl_words[] = {
	{"audio", "nothing: leave it out, there is no sound"},
	{"autostart", "state: running, which holds at each boot"},
	{"bios", "firmware"},
	{"bootloader", "firmware: pvgrub64, or pvgrub for pvh"},
	{"builder", "type"},
	{"cdrom", "disks, with {vdev: hdc, cdrom: PATH}"},
	{"cpu_cap", "scheduler.cap"},
	{"cpu_weight", "scheduler.weight"},
	{"cpuid", "cpu, with hide and show"},
	{"extra", "cmdline"},
	{"hpet", "clock.hpet"},
	{"localtime", "clock.base"},
	{"mac", "mac within 'nics'"},
	{"on_shutdown", "on_poweroff"},
	{"ramdisk", "initrd"},
	{"restart", "on_poweroff, on_reboot and on_crash"},
	{"root", "cmdline: root=…"},
	{"soundhw", "nothing: leave it out, there is no sound"},
	{"stdvga", "vga"},
	{"timer_mode", "clock.timer"},
	{"tpm", "nothing: leave it out, there is no vTPM"},
	{"tsc_mode", "clock.tsc"},
	{"usbdev", "usb_devices"},
	{"usbdevice", "usb"},
	{"vfb", "vnc"},
	{"vif", "nics"},
	{"vncdisplay", "vnc.display"},
	{"vnclisten", "vnc.address"},
	{"vncpasswd", "vnc.password"},
	{}};
static const struct other_word state_others[] = {
	{"on", "running"}, {"off", "stopped"}, {"down", "stopped"}, {"halted", "stopped"}, {"started", "running"}, {}};
static const struct other_word type_others[] = {
	{"linux", "pv"}, {"paravirt", "pv"}, {"paravirtual", "pv"}, {"full", "hvm"}, {"generic", "pv"}, {}};
static const struct other_word firmware_others[] = {
	{"bios", "seabios"},	   {"uefi", "ovmf"},	 {"efi", "ovmf"},
	{"pygrub", "pvgrub64"}, {"rombios", "seabios"}, {}};
static const struct other_word end_others[] = {
	{"rename-restart", "restart, or preserve for what is left of it"}, {"soft-reset", "restart"}, {}};

TABLE_OTHERS(domain_table, domain, "domain", "A guest.", xl_words,
      {.name = "template", .type = FIELD_STRING, .offset = FIELD_AT(domain, template),
       .parse = parse_name, .flags = FIELD_CONFIG, .ref = "template",
       .doc = "golden files and defaults; what the domain says itself goes over them"},
      {.name = "uuid", .type = FIELD_STRING, .offset = FIELD_AT(domain, uuid), .parse = parse_uuid,
       .impact = IMPACT_GUEST_RESTART,
       .doc = "its UUID, for a guest that goes by the one it had (a licence), or that is to be adopted; follows from "
	      "namespace and name when not given"},
      {.name = "state", .type = FIELD_ENUM, .offset = FIELD_AT(domain, state),
       .words = state_words, .others = state_others, .def = "running", .flags = FIELD_CONFIG, .impact = IMPACT_LIVE,
       .doc = "what it is to do: running; stopped, which shuts it down in order and keeps its disks; or paused, with "
	      "all that it has in memory"},
      {.name = "type", .type = FIELD_ENUM, .offset = FIELD_AT(domain, type),
       .words = xen_type_words, .others = type_others, .def = "pvh", .impact = IMPACT_GUEST_RESTART,
       .doc = "pv; pvh, or hvm for a whole emulated machine (both need hardware virtualisation)"},
      {.name = "firmware", .type = FIELD_ENUM, .offset = FIELD_AT(domain, firmware),
       .words = firmware_words, .others = firmware_others, .impact = IMPACT_GUEST_RESTART,
       .doc = "what starts the guest. hvm: seabios (when not given) or ovmf, for UEFI. pv, pvh: direct, its "
	      "'kernel' (when not given); pvgrub, or for pv pvgrub64 or pvgrub32, boots the kernel in its own disk"},
      {.name = "boot", .type = FIELD_LIST, .offset = FIELD_AT(domain, boot),
       .parse = parse_boot_from, .others = boot_others, .def = "[disk, cdrom]", .impact = IMPACT_GUEST_RESTART,
       .doc = "of hvm: what the firmware tries, in order: disk, cdrom, network; ovmf takes a cdrom first, whatever it says"},
      {.name = "vga", .type = FIELD_ENUM, .offset = FIELD_AT(domain, vga), .words = vga_words,
       .def = "std", .impact = IMPACT_GUEST_RESTART, .doc = "of hvm: the graphics card"},
      {.name = "vnc", .type = FIELD_SUB, .offset = FIELD_AT(domain, vnc),
       .sub = &domain_vnc_table, .def = "{enabled: false}",
       .doc = "its screen, for a VNC viewer; none when not given"},
      {.name = "serial", .type = FIELD_ENUM, .offset = FIELD_AT(domain, serial),
       .words = serial_words, .def = "pty", .impact = IMPACT_GUEST_RESTART,
       .doc = "of hvm: the serial port, which 'manor console' shows and a log keeps: pty or none"},
      {.name = "usb", .type = FIELD_LIST, .offset = FIELD_AT(domain, usb), .parse = parse_usb, .others = usb_others,
       .flags = FIELD_UNORDERED, .def = "[]", .impact = IMPACT_GUEST_RESTART,
       .doc = "of hvm: devices at an emulated USB port: tablet (a mouse that is where the viewer's is), "
	      "mouse, keyboard"},
      {.name = "rng", .type = FIELD_BOOL, .offset = FIELD_AT(domain, rng), .def = "false",
       .impact = IMPACT_GUEST_RESTART,
       .doc = "of hvm: a source of random numbers (virtio), filled from dom0's"},
      {.name = "clock", .type = FIELD_SUB, .offset = FIELD_AT(domain, clock),
       .sub = &domain_clock_table, .def = "{}", .doc = "what it gets its time from"},
      {.name = "cpu", .type = FIELD_SUB, .offset = FIELD_AT(domain, cpu),
       .sub = &domain_cpu_table, .def = "{}", .doc = "what it sees of the processor"},
      {.name = "cpus", .type = FIELD_STRING, .offset = FIELD_AT(domain, cpus),
       .parse = parse_cpus, .impact = IMPACT_LIVE,
       .doc = "the processors that its vcpus run on: 0,2-3, or all but one: 0-7,^3; when not given, left as "
	      "it is, and all at a start"},
      {.name = "nodes", .type = FIELD_STRING, .offset = FIELD_AT(domain, nodes),
       .parse = parse_nodes, .impact = IMPACT_GUEST_RESTART,
       .doc = "NUMA nodes that its memory comes from, and its processors unless 'cpus' says; Xen's choice "
	      "when not given"},
      {.name = "scheduler", .type = FIELD_SUB, .offset = FIELD_AT(domain, scheduler),
       .sub = &domain_scheduler_table, .def = "{}", .doc = "its share of the processors"},
      {.name = "preset", .type = FIELD_ENUM, .offset = FIELD_AT(domain, preset),
       .words = preset_words, .def = "none", .flags = FIELD_CONFIG,
       .doc = "timing-sensitive, for telephony: clock.tsc native and scheduler.weight 512 unless they are given; "
	      "it needs 'cpus'"},
      {.name = "sound", .flags = FIELD_LATER, .type = FIELD_STRING,
       .doc = "leave it out: guests of a host without ears are silent"},
      {.name = "vtpm", .flags = FIELD_LATER, .type = FIELD_STRING,
       .doc = "leave it out: a TPM that lives in a file of dom0 proves nothing"},
      {.name = "kernel", .type = FIELD_STRING, .offset = FIELD_AT(domain, kernel),
       .parse = parse_boot, .flags = FIELD_CONFIG,
       .doc = "a file of the template or, with a slash, a path; pv and pvh need it unless 'firmware' boots the "
	      "guest's own; hvm starts it at once, instead of what 'boot' says"},
      {.name = "initrd", .type = FIELD_STRING, .offset = FIELD_AT(domain, initrd),
       .parse = parse_boot, .flags = FIELD_CONFIG,
       .doc = "a file of the template or, with a slash, a path, for that kernel; none when not given"},
      {.name = "kernel_path", .type = FIELD_STRING, .offset = FIELD_AT(domain, kernel_path),
       .flags = FIELD_DERIVED, .impact = IMPACT_GUEST_RESTART, .doc = "the kernel's path"},
      {.name = "initrd_path", .type = FIELD_STRING, .offset = FIELD_AT(domain, initrd_path),
       .flags = FIELD_DERIVED, .impact = IMPACT_GUEST_RESTART, .doc = "the initrd's path, or none"},
      {.name = "cmdline", .type = FIELD_STRING, .offset = FIELD_AT(domain, cmdline),
       .parse = parse_cmdline, .impact = IMPACT_GUEST_RESTART,
       .doc = "the kernel's command line; empty when not given"},
      {.name = "memory", .type = FIELD_SIZE, .offset = FIELD_AT(domain, memory),
       .min = MEMORY_MIN, .max = MEMORY_MAX, .flags = FIELD_REQUIRED,
       .impact = IMPACT_GUEST_RESTART, .impact_of = memory_impact,
       .doc = "memory, in whole MiB; changes while it runs as long as it is within maxmem"},
      {.name = "maxmem", .type = FIELD_SIZE, .offset = FIELD_AT(domain, maxmem),
       .min = MEMORY_MIN, .max = MEMORY_MAX, .impact = IMPACT_GUEST_RESTART,
       .doc = "how far memory can be raised while it runs; when not given, left as it is, and at a "
	      "start as much as memory"},
      {.name = "vcpus", .type = FIELD_INT, .offset = FIELD_AT(domain, vcpus), .min = 1,
       .max = VCPUS_MAX, .def = "1", .impact = IMPACT_GUEST_RESTART, .impact_of = vcpus_impact,
       .doc = "virtual processors; change while it runs as long as they are within maxvcpus"},
      {.name = "maxvcpus", .type = FIELD_INT, .offset = FIELD_AT(domain, maxvcpus), .min = 1,
       .max = VCPUS_MAX, .impact = IMPACT_GUEST_RESTART,
       .doc = "how far vcpus can be raised while it runs; when not given, left as it is, and at a "
	      "start as many as vcpus"},
      {.name = "disks", .type = FIELD_MAP, .offset = FIELD_AT(domain, disks),
       .sub = &domain_disk_table, .impact = IMPACT_GUEST_RESTART, .impact_of = disks_impact,
       .doc = "its disks by name; one that leaves the manifest takes a restart, for the guest may use it; with "
	      "'attached: false' it is taken from a guest that runs"},
      {.name = "cloud_init", .type = FIELD_SUB, .offset = FIELD_AT(domain, cloud_init),
       .sub = &cloud_init_table, .flags = FIELD_CONFIG,
       .doc = "what cloud-init in the guest is told at its first boot"},
      {.name = "nics", .type = FIELD_MAP, .offset = FIELD_AT(domain, nics),
       .sub = &domain_nic_table, .impact = IMPACT_LIVE, .doc = "its interfaces by name"},
      {.name = "pci", .type = FIELD_MAP, .offset = FIELD_AT(domain, pci), .sub = &domain_pci_table,
       .impact = IMPACT_GUEST_RESTART,
       .doc = "PCI devices of the machine's that it alone has, by name; of pv and hvm, on a host with an IOMMU"},
      {.name = "usb_devices", .type = FIELD_MAP, .offset = FIELD_AT(domain, usb_devices),
       .sub = &domain_usb_table, .impact = IMPACT_LIVE,
       .doc = "of hvm: USB devices of the machine's that it alone has, by name, as long as they are plugged in; they come "
	      "and go while it runs"},
      {.name = "depends_on", .type = FIELD_LIST, .offset = FIELD_AT(domain, depends_on),
       .parse = parse_name, .ref = "domain", .flags = FIELD_CONFIG | FIELD_UNORDERED,
       .doc = "domains that are started first, and are ready first where they say when that is; their failure "
	      "stops this one's start"},
      {.name = "ready", .type = FIELD_SUB, .offset = FIELD_AT(domain, ready),
       .sub = &domain_ready_table, .flags = FIELD_CONFIG,
       .doc = "what tells that it does its work; when not given, that it was started"},
      {.name = "on_poweroff", .type = FIELD_ENUM, .offset = FIELD_AT(domain, on_poweroff),
       .words = domain_end_words, .others = end_others, .def = "destroy", .flags = FIELD_CONFIG,
       .doc = "what follows when the guest powers itself off: destroy (it stays off until `manor "
	      "start`, a host boot, or a change of its manifest), restart, or preserve (what is left of it stays, to be "
	      "looked at, until `manor restart` or `manor stop`); coredump-destroy and coredump-restart write its "
	      "memory to /var/lib/xen/dump/NAME.core first"},
      {.name = "on_reboot", .type = FIELD_ENUM, .offset = FIELD_AT(domain, on_reboot),
       .words = domain_end_words, .others = end_others, .def = "restart", .flags = FIELD_CONFIG,
       .doc = "what follows when it reboots itself"},
      {.name = "on_crash", .type = FIELD_ENUM, .offset = FIELD_AT(domain, on_crash),
       .words = domain_end_words, .others = end_others, .def = "restart", .flags = FIELD_CONFIG,
       .doc = "what follows when it crashes; restarts come with a growing delay, at most 5 minutes"},
      {.name = "on_watchdog", .type = FIELD_ENUM, .offset = FIELD_AT(domain, on_watchdog),
       .words = domain_end_words, .others = end_others, .def = "restart", .flags = FIELD_CONFIG,
       .doc = "what follows when its watchdog (xenwatchdogd, or a kernel's driver) isn't fed in time; as with on_crash"},
      {.name = "on_host_shutdown", .type = FIELD_ENUM,
       .offset = FIELD_AT(domain, on_host_shutdown), .words = at_shutdown_words, .def = "shutdown",
       .flags = FIELD_CONFIG,
       .doc = "what becomes of it when the host goes down: shutdown, and it starts at the next boot; or save, and it goes "
	      "on there where it was"},
      {.name = "shutdown_timeout", .type = FIELD_DURATION,
       .offset = FIELD_AT(domain, shutdown_timeout), .min = 1, .max = TIMEOUT_MAX, .def = "60s",
       .flags = FIELD_CONFIG,
       .doc = "how long the guest may take to shut down before it is destroyed"},
      {.name = "parted", .type = FIELD_MAP, .offset = FIELD_AT(domain, parted),
       .sub = &domain_disk_table, .flags = FIELD_STATUS, .doc = "disks that it does without"},
      {.name = "pauses_for", .type = FIELD_STRING, .offset = FIELD_AT(domain, pauses_for),
       .flags = FIELD_STATUS, .doc = "what a step pauses it for"},
      {.name = "usb_ports", .type = FIELD_BOOL, .offset = FIELD_AT(domain, usb_ports),
       .flags = FIELD_STATUS, .doc = "whether it is made with a port for USB devices"},
      {.name = "said", .type = FIELD_STRING, .offset = FIELD_AT(domain, said),
       .flags = FIELD_STATUS, .doc = "digest of what its manifest says of it"},
      {.name = "saves", .type = FIELD_BOOL, .offset = FIELD_AT(domain, saves),
       .flags = FIELD_STATUS, .doc = "whether a step that ends it saves it"},
      {.name = "state_now", .type = FIELD_STRING, .offset = FIELD_AT(domain, state_now),
       .flags = FIELD_STATUS, .doc = "what it does"},
      {.name = "domid", .type = FIELD_INT, .offset = FIELD_AT(domain, domid),
       .flags = FIELD_STATUS, .doc = "Xen's number of it"},
      {.name = "ready_now", .type = FIELD_BOOL, .offset = FIELD_AT(domain, ready_now),
       .flags = FIELD_STATUS, .doc = "whether it was found ready since its start"},
      {.name = "displays_from", .type = FIELD_INT, .offset = FIELD_AT(domain, displays_from),
       .flags = FIELD_STATUS, .doc = "the first VNC display that is tried where none is named"},
      {.name = "vnc_now", .type = FIELD_STRING, .offset = FIELD_AT(domain, vnc_now),
       .flags = FIELD_STATUS, .doc = "where its screen is"},
      {.name = "memory_now", .type = FIELD_SIZE, .offset = FIELD_AT(domain, memory_now),
       .flags = FIELD_STATUS, .doc = "memory that it has"},
      {.name = "vcpus_now", .type = FIELD_INT, .offset = FIELD_AT(domain, vcpus_now),
       .flags = FIELD_STATUS, .doc = "virtual processors that it uses"},
      {.name = "started", .type = FIELD_INT, .offset = FIELD_AT(domain, started),
       .flags = FIELD_STATUS, .doc = "when it was made, seconds since 1970"});

const struct table *const domain_nic_fields = &domain_nic_table;

/* The template's part below the domain's own words. */
static struct node *before(struct manifest *m, const char *name, struct node *node,
			   bool *ret_incomplete)
{
	const struct node *word = node->type == NODE_MAP ? node_get(node, "template") : NULL;
	const struct resource *t;
	const struct record *rec;
	struct node *under;

	if (!word || node_is_null(word))
		return node;
	t = word->type == NODE_SCALAR ? manifest_find(m, "template", word->text) : NULL;
	rec = t ? t->record : NULL;
	under = rec && rec->node ? node_get(rec->node, "domain") : NULL;
	if (under && under->type == NODE_MAP)
		return node_merge(m->arena, under, node);
	/* Unknown, or there but not to be understood: what the domain got from it isn't known. */
	*ret_incomplete = !rec || !rec->node || (under && !node_is_null(under)) ||
			  (!under && field_given(t->kind->table, rec, "domain"));
	return node;
}

bool domain_type_known(const struct lowering *l)
{
	const struct node *n = l->d->rec.node;

	/* Of an incomplete record everything counts as given. */
	return (n && node_get(n, "type")) || l->d->rec.given != UINT64_MAX;
}

/* A name of the template's file → the cached file; a path → itself. NULL when said what is wrong. */
static const char *boot_path(struct lowering *l, const char *field, const char *text,
			     const char **ret_sha256)
{
	const struct template_import *i;
	struct span span = field_span(l->d, field);

	if (text[0] == '/')
		return text;
	if (!field_given(&domain_table, l->d, "template")) {
		struct diag *g = diag_error(l->m->diags, "unknown-file", span,
					    "%s of %s: '%s' names a template's file, and it has no "
					    "template",
					    field, resource_title(l->m->arena, l->r), text);
		diag_help(l->m->diags, g, "write a path with a slash, or name a template");
		return NULL;
	}
	if (!l->template)
		return NULL;
	i = template_import(l->m, l->template, text, NULL);
	if (!i) {
		domain_unknown_file(l, span, field, text);
		return NULL;
	}
	resource_needs(l->m, l->r, l->template);
	*ret_sha256 = i->sha256;
	return i->path;
}

static void prepare_boot(struct lowering *l)
{
	struct domain *d = l->d;

	const char *firmware = domain_firmware_path(d);

	if (d->kernel) {
		d->kernel_path = boot_path(l, "kernel", d->kernel, &l->kernel_sha256);
	} else if (firmware) {
		d->kernel_path = firmware;
	} else if (d->type == XEN_HVM) {
		d->kernel_path = BOOT_NONE;
	} else if (!field_given(&domain_table, d, "kernel") &&
		   !field_given(&domain_table, d, "firmware")) {
		struct diag *g = diag_error(l->m->diags, "missing-key", l->r->span,
					    "%s lacks 'kernel'", resource_title(l->m->arena, l->r));
		diag_help(
			l->m->diags, g,
			"kernel: a file of its template or, with a slash, a path; or 'firmware: pvgrub', "
			"which boots the kernel in its own disk");
	}
	d->initrd_path =
		d->initrd ? boot_path(l, "initrd", d->initrd, &l->initrd_sha256) : BOOT_NONE;
	if (!d->cmdline)
		d->cmdline = "";
	if (d->kernel_path)
		field_mark(&domain_table, d, "kernel_path");
	if (d->initrd_path)
		field_mark(&domain_table, d, "initrd_path");
	field_mark(&domain_table, d, "cmdline");
}

static void whole_mib(struct lowering *l, const char *field, uint64_t bytes)
{
	if (bytes % MIB == 0)
		return;
	diag_error(l->m->diags, "bad-value", field_span(l->d, field),
		   "'%s' of %s is not in whole MiB", field, resource_title(l->m->arena, l->r));
}

/* Told where the domain itself says one of the two; the other may be its template's. */
static void exceeds(struct lowering *l, const char *now, const char *most)
{
	struct span own = l->r->span, less = field_span(l->d, now), more = field_span(l->d, most);
	bool at_most = more.source == own.source && more.line >= own.line;
	struct diag *g = diag_error(l->m->diags, "out-of-range", at_most ? more : less,
				    "'%s' of %s is less than its '%s'", most,
				    resource_title(l->m->arena, l->r), now);

	diag_also(l->m->diags, g, at_most ? less : more, "%s", at_most ? now : most);
	diag_help(l->m->diags, g, "lower '%s', or raise '%s', for which a guest that runs restarts",
		  now, most);
}

static void prepare_bounds(struct lowering *l)
{
	const struct domain *d = l->d;

	whole_mib(l, "memory", d->memory);
	whole_mib(l, "maxmem", d->maxmem);
	if (field_is_set(&domain_table, d, "maxmem") && d->maxmem < d->memory)
		exceeds(l, "memory", "maxmem");
	if (field_is_set(&domain_table, d, "maxvcpus") && d->maxvcpus < d->vcpus)
		exceeds(l, "vcpus", "maxvcpus");
}

static void prepare_model(struct lowering *l, const char *name, struct domain_nic *n)
{
	bool hvm = l->d->type == XEN_HVM;
	struct diag *g;

	if (!field_given(&domain_nic_table, n, "model")) {
		n->model = hvm ? NIC_E1000 : NIC_NONE;
	} else if (!hvm && n->model != NIC_NONE && domain_type_known(l)) {
		g = diag_error(l->m->diags, "bad-combination",
			       field_span(l->d, arena_printf(l->m->arena, "nics.%s.model", name)),
			       "%s guests have no emulated card: nic '%.80s' of %s",
			       xen_type_words[l->d->type], name, resource_title(l->m->arena, l->r));
		diag_help(l->m->diags, g, "leave it out: they have Xen's own; or say type: hvm");
	}
	if (hvm)
		field_mark(&domain_nic_table, n, "model");
}

/* Without defaults, which the next version may have more of; nothing that derives: where a disk is today is the
 * host's, and which file a word of the template stands for is the template's. */
static void digest(struct manifest *m, struct domain *d)
{
	_cleanup_json_ json_object *o = record_given_to_json(&domain_table, d);
	const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	char said[SHA256_TEXT];

	sha256_of(text, strlen(text), said);
	d->said = arena_strdup(m->arena, said);
	field_mark(&domain_table, d, "said");
}

static void prepare(struct manifest *m, struct resource *r)
{
	struct lowering l = {.m = m, .r = r, .d = r->record};

	if (!field_given(&domain_table, l.d, "uuid")) {
		l.d->uuid = r->uuid;
		field_mark(&domain_table, l.d, "uuid");
	}
	if (l.d->template)
		l.template = manifest_find(m, "template", l.d->template);
	domain_lower_hardware(&l);
	prepare_boot(&l);
	domain_lower_disks(&l);
	domain_lower_pci(&l);
	domain_lower_usb(&l);
	domain_lower_ready(&l);
	prepare_bounds(&l);
	for (size_t i = 0; i < l.d->nics.n; i++) {
		struct domain_nic *n = l.d->nics.entries[i].value;
		char mac[MAC_TEXT];

		prepare_model(&l, l.d->nics.entries[i].name, n);
		if (field_given(&domain_nic_table, n, "mac"))
			continue;
		ident_mac(m->namespace, r->name, l.d->nics.entries[i].name, mac);
		n->mac = arena_strdup(m->arena, mac);
		field_mark(&domain_nic_table, n, "mac");
	}
	domain_check_settings(&l);
	digest(m, l.d);
}

static const char *const readers[] = {"xen", "intent", NULL};

const struct kind kind_domain = {
	.name = "domain",
	.section = "domains",
	.table = &domain_table,
	.readers = readers,
	.alone = true,
	.before = before,
	.prepare = prepare,
	.check = domain_check,
	.paths = domain_paths,
	.claims = domain_claims,
	.abroad = domain_abroad,
	.wanted = domain_wanted,
	.met = domain_met,
	.actual = domain_actual,
	.decide = domain_decide,
	.meet = domain_meet,
	.share = domain_share,
	.takes = domain_takes,
	.rest = domain_at_shutdown,
	.apply = domain_apply,
};
