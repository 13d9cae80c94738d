/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A domain's machine in the manifest: its tables, what goes with which type, and the way to Xen and back.
 */
#include "kinds/domain_hardware.h"

#include <errno.h>
#include <stdio.h>

#include "base/ident.h"
#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "kinds/domain_priv.h"
#include "kinds/kinds.h"
#include "model/record_json.h"

#define CPUS_MAX      4096
#define PASSWORD_MAX  8   /* RFC 6143, 7.2.2: more isn't looked at */
#define WEIGHT        256 /* Xen's own, of who says nothing */
#define PRESET_WEIGHT 512
#define DAY           86400
#define GRUB_DIR      "/usr/lib/grub-xen/"

const char *const firmware_words[] = {"direct",  "pvgrub", "pvgrub32", "pvgrub64",
				      "seabios", "ovmf",   NULL};
const char *const vga_words[] = {"none", "std", "cirrus", NULL};
const char *const serial_words[] = {"none", "pty", NULL};
const char *const preset_words[] = {"none", "timing-sensitive", NULL};
static const char *const tsc_words[] = {"default", "native", "always_emulate", "native_paravirt",
					NULL};
static const char *const timer_words[] = {"default",
					  "delay_for_missed_ticks",
					  "no_delay_for_missed_ticks",
					  "no_missed_ticks_pending",
					  "one_missed_tick_pending",
					  NULL};
static const char *const base_words[] = {"utc", "localtime", NULL};
static const char *const boot_words[] = {"disk", "cdrom", "network", NULL};
static const char *const usb_words[] = {"tablet", "mouse", "keyboard", NULL};

/* xl's letters and PCs' words. */
const struct other_word boot_others[] = {
	{"c", "disk"},		 {"d", "cdrom"},	  {"n", "network"},
	{"cd", "disk, cdrom"},	 {"dc", "cdrom, disk"},	  {"cn", "disk, network"},
	{"nc", "network, disk"}, {"dn", "cdrom, network"}, {"nd", "network, cdrom"},
	{"cdn", "disk, cdrom, network"}, {"dcn", "cdrom, disk, network"}, {"ndc", "network, cdrom, disk"},
	{"ncd", "network, disk, cdrom"}, {"dvd", "cdrom"}, {"hd", "disk"},
	{"hda", "disk"},	 {"net", "network"},	  {"pxe", "network"},
	{"iso", "cdrom"},	 {}};
const struct other_word usb_others[] = {
	{"true", "tablet"}, {"yes", "tablet"}, {"1", "tablet"}, {"usbtablet", "tablet"}, {}};
static const struct other_word baseline_others[] = {
	{"v1", "x86-64-v1"},	   {"v2", "x86-64-v2"}, {"v3", "x86-64-v3"}, {"x86-64", "x86-64-v1"},
	{"x86-64-v4", "x86-64-v3 at most"}, {}};
static const struct other_word vnc_others[] = {
	{"port", "display, which is the port less 5900"}, {"listen", "address"}, {"passwd", "password"}, {}};

/* --- words --- */

static int parse_word_of(const char *const *words, const char *text, const char **ret,
			 struct err *e)
{
	_cleanup_str_ struct str s = {0};

	if (word_find(words, text) >= 0) {
		*ret = text;
		return 0;
	}
	for (size_t i = 0; words[i]; i++)
		str_addf(&s, "%s%s", i ? ", " : "", words[i]);
	return err_set(e, -EINVAL, "one of %s", str_get(&s));
}

int parse_boot_from(struct decode *c, const struct field *f, const char *text, const char **ret,
		    struct err *e)
{
	return parse_word_of(boot_words, text, ret, e);
}

int parse_usb(struct decode *c, const struct field *f, const char *text, const char **ret,
	      struct err *e)
{
	return parse_word_of(usb_words, text, ret, e);
}

/* "4", "2-3" or, to be left out, "^2" */
static int add_range(const char *part, bool *set, struct err *e)
{
	bool out = *part == '^';
	_cleanup_(freep) char *first = xstrdup(part + out);
	char *dash = strchr(first, '-');
	int64_t a, b;

	if (dash)
		*dash = '\0';
	if (num_parse_int(first, 0, CPUS_MAX - 1, &a) < 0 ||
	    (dash ? num_parse_int(dash + 1, 0, CPUS_MAX - 1, &b) : (b = a, 0)) < 0 || b < a)
		return err_set(e, -EINVAL,
			       streq(part, "all") ? "'all' alone, or a list of numbers and ranges: "
						    "instead of all,^0 say 1-3 where there are four"
						  : "a list of numbers and ranges, such as 0,2-3");
	for (; a <= b; a++)
		set[a] = !out;
	return 0;
}

/* Into the one way of writing it, in which Xen's answer is written too. */
static int parse_ranges(struct arena *arena, const char *what, const char *text, const char **ret,
			struct err *e)
{
	_cleanup_(freep) char *copy = xstrdup(text);
	_cleanup_(freep) bool *set = xcalloc(CPUS_MAX, sizeof(*set));
	char *rest = copy, *part;
	int r = 0;

	while (r == 0 && (part = strsep(&rest, ",")))
		r = add_range(part, set, e);
	if (r < 0)
		return r;
	*ret = num_ranges(arena, set, CPUS_MAX);
	return **ret ? 0 : err_set(e, -EINVAL, "a list of %s: nothing is left of it", what);
}

int parse_cpus(struct decode *c, const struct field *f, const char *text, const char **ret,
	       struct err *e)
{
	if (streq(text, "all")) {
		*ret = text;
		return 0;
	}
	return parse_ranges(c->arena, "processors", text, ret, e);
}

int parse_nodes(struct decode *c, const struct field *f, const char *text, const char **ret,
		struct err *e)
{
	return parse_ranges(c->arena, "NUMA nodes", text, ret, e);
}

static int parse_password(struct decode *c, const struct field *f, const char *text,
			  const char **ret, struct err *e)
{
	size_t n = strcspn(text, "\r\n");

	if (n == 0 || text[n + strspn(text + n, "\r\n")])
		return err_set(e, -EINVAL, "a password: it is one line");
	if (n > PASSWORD_MAX)
		return err_set(e, -EINVAL,
			       "a VNC password: the protocol looks at no more than %d characters",
			       PASSWORD_MAX);
	*ret = arena_strndup(c->arena, text, n);
	return 0;
}

/* QEMU's folder pc-bios/keymaps. With another name it doesn't start. */
static const char *const keymaps[] = {
	"ar", "bepo",  "cz",    "da",    "de",    "de-ch", "en-gb", "en-us", "es", "et", "fi", "fo",
	"fr", "fr-be", "fr-ca", "fr-ch", "hr",    "hu",    "is",    "it",    "ja", "lt", "lv", "mk",
	"nl", "no",    "pl",    "pt",    "pt-br", "ru",    "sl",    "sv",    "th", "tr", NULL};

static int parse_keymap(struct decode *c, const struct field *f, const char *text, const char **ret,
			struct err *e)
{
	const char *meant;

	if (word_find(keymaps, text) < 0) {
		/* The usual slip: a country's code for a language's, or none of both. */
		meant = streq(text, "us") || streq(text, "en") ? "en-us"
			: streq(text, "uk") || streq(text, "gb")
				? "en-gb"
				: diag_nearest(text, keymaps, ARRAY_SIZE(keymaps) - 1, NULL);
		return err_set(e, -EINVAL, "a keymap of QEMU's%s%s%s",
			       meant ? "; did you mean '" : ": ",
			       meant ? meant : "de, en-us, fr, … (/usr/share/qemu/keymaps)",
			       meant ? "'?" : "");
	}
	*ret = text;
	return 0;
}

/* A name of libxl's or libx86's: letters, digits, '-', '_', '.'. */
static int parse_feature(struct decode *c, const struct field *f, const char *text,
			 const char **ret, struct err *e)
{
	if (!xen_cpu_feature_ok(text))
		return err_set(e, -EINVAL,
			       "a processor feature that libxl knows: avx, avx2, aesni, x2apic");
	*ret = text;
	return 0;
}

/* --- tables --- */

TABLE_OTHERS(
	domain_vnc_table, domain_vnc, "vnc", "A screen that a VNC viewer shows.", vnc_others,
	{.name = "enabled",
	 .type = FIELD_BOOL,
	 .offset = FIELD_AT(domain_vnc, enabled),
	 .flags = FIELD_SHORT,
	 .def = "true",
	 .impact = IMPACT_GUEST_RESTART,
	 .doc = "whether there is one: `vnc: true` is enough"},
	{.name = "address",
	 .type = FIELD_STRING,
	 .offset = FIELD_AT(domain_vnc, address),
	 .parse = parse_ip,
	 .def = "127.0.0.1",
	 .impact = IMPACT_GUEST_RESTART,
	 .doc = "where it listens; VNC encrypts nothing: on another address than 127.0.0.1 give a password and mind "
		"who can reach it"},
	{.name = "display",
	 .type = FIELD_INT,
	 .offset = FIELD_AT(domain_vnc, display),
	 .min = 0,
	 .max = DISPLAY_MAX,
	 .impact = IMPACT_GUEST_RESTART,
	 .doc = "its number: port 5900 and so many; one that is free, and that no other names, when not given ('manor "
		"vnc' tells)"},
	{.name = "password",
	 .type = FIELD_STRING,
	 .offset = FIELD_AT(domain_vnc, password),
	 .parse = parse_password,
	 .flags = FIELD_CONFIG | FIELD_SECRET | FIELD_FROM_FILE,
	 .doc = "at most 8 characters, better as {file: PATH}; never printed; none when not given. Refused where QEMU is built "
		"without DES, as Debian 12's for Xen is"},
	{.name = "password_mark",
	 .type = FIELD_STRING,
	 .offset = FIELD_AT(domain_vnc, password_mark),
	 .flags = FIELD_DERIVED,
	 .impact = IMPACT_GUEST_RESTART,
	 .doc = "tells whether the password is another"},
	{.name = "keymap",
	 .type = FIELD_STRING,
	 .offset = FIELD_AT(domain_vnc, keymap),
	 .parse = parse_keymap,
	 .impact = IMPACT_GUEST_RESTART,
	 .doc = "of the viewer's keyboard: de, fr; QEMU's own when not given"});

TABLE(domain_clock_table, domain_clock, "clock", "What the guest gets its time from.",
      {.name = "tsc", .type = FIELD_ENUM, .offset = FIELD_AT(domain_clock, tsc),
       .words = tsc_words, .def = "default", .impact = IMPACT_GUEST_RESTART,
       .doc = "the time stamp counter, as in xl.cfg: native reads the processor's own, always_emulate traps "
	      "each reading"},
      {.name = "timer", .type = FIELD_ENUM, .offset = FIELD_AT(domain_clock, timer),
       .words = timer_words, .def = "default", .impact = IMPACT_GUEST_RESTART,
       .doc = "of hvm: what becomes of ticks that came while the guest didn't run, as timer_mode in xl.cfg"},
      {.name = "hpet", .type = FIELD_BOOL, .offset = FIELD_AT(domain_clock, hpet), .def = "true",
       .impact = IMPACT_GUEST_RESTART, .doc = "of hvm: whether the machine has an HPET"},
      {.name = "base", .type = FIELD_ENUM, .offset = FIELD_AT(domain_clock, base),
       .words = base_words, .def = "utc", .impact = IMPACT_GUEST_RESTART,
       .doc = "what its real-time clock shows; Windows expects localtime"},
      {.name = "offset", .type = FIELD_INT, .offset = FIELD_AT(domain_clock, offset),
       .min = -366 * DAY, .max = 366 * DAY, .def = "0", .impact = IMPACT_GUEST_RESTART,
       .doc = "seconds that it is ahead of that"});

TABLE(domain_cpu_table, domain_cpu, "cpu", "What the guest sees of the processor.",
      {.name = "baseline", .type = FIELD_ENUM, .offset = FIELD_AT(domain_cpu, baseline),
       .words = xen_baseline_words, .others = baseline_others, .def = "host", .impact = IMPACT_GUEST_RESTART,
       .doc = "host: all that Xen can show; x86-64-v1, -v2, -v3: no more than that level has (x86-64 psABI), so "
	      "that a guest can move between unequal hosts"},
      {.name = "hide", .type = FIELD_LIST, .offset = FIELD_AT(domain_cpu, hide),
       .parse = parse_feature, .flags = FIELD_UNORDERED, .def = "[]",
       .impact = IMPACT_GUEST_RESTART, .doc = "features that it doesn't see beside those"},
      {.name = "show", .type = FIELD_LIST, .offset = FIELD_AT(domain_cpu, show),
       .parse = parse_feature, .flags = FIELD_UNORDERED, .def = "[]",
       .impact = IMPACT_GUEST_RESTART,
       .doc = "features that it sees all the same, where the processor has them"});

TABLE(domain_scheduler_table, domain_scheduler, "scheduler", "Its share of the processors.",
      {.name = "weight", .type = FIELD_INT, .offset = FIELD_AT(domain_scheduler, weight), .min = 1,
       .max = 65535, .impact = IMPACT_LIVE,
       .doc = "against that of others when there isn't enough for all; when not given, left as it is, and 256 at a "
	      "start"},
      {.name = "cap", .type = FIELD_INT, .offset = FIELD_AT(domain_scheduler, cap), .min = 0,
       .max = 100 * CPUS_MAX, .impact = IMPACT_LIVE,
       .doc = "at most so many percent of one processor, even if others are idle; 0: no limit; when not given, left "
	      "as it is, and none at a start"});

/* --- what goes with what --- */

static void wrong(struct lowering *l, const char *field, const char *help, const char *fmt, ...)
	_printf_(4, 5);

static void wrong(struct lowering *l, const char *field, const char *help, const char *fmt, ...)
{
	struct diag *g;
	va_list ap;
	char text[320];

	if (!domain_type_known(l))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	g = diag_error(l->m->diags, "bad-combination", field_span(l->d, field), "%s (%s)", text,
		       resource_title(l->m->arena, l->r));
	if (help)
		diag_help(l->m->diags, g, "%s", help);
}

/* What stands there: where its template can't be read, whether it is given isn't known. */
static bool given(const struct lowering *l, const char *field)
{
	return l->d->rec.node && node_get(l->d->rec.node, field);
}

static const char *type_word(const struct lowering *l)
{
	return xen_type_words[l->d->type];
}

/* What only a whole machine has. */
static void check_hvm_only(struct lowering *l)
{
	static const char *const fields[] = {"boot", "vga", "serial", "usb", "rng"};

	for (size_t i = 0; l->d->type != XEN_HVM && i < ARRAY_SIZE(fields); i++)
		if (given(l, fields[i]))
			wrong(l, fields[i], "leave it out, or say type: hvm",
			      "'%s' is a machine's that is emulated, and %s guests have none",
			      fields[i], type_word(l));
	if (l->d->type != XEN_HVM && l->d->clock.timer)
		wrong(l, "clock.timer", "leave it out, or say type: hvm",
		      "%s guests have no emulated timer", type_word(l));
	if (l->d->type != XEN_HVM && !l->d->clock.hpet)
		wrong(l, "clock.hpet", "leave it out, or say type: hvm",
		      "%s guests have no HPET anyway", type_word(l));
}

static void check_firmware(struct lowering *l)
{
	struct domain *d = l->d;
	bool hvm = d->type == XEN_HVM, kernel = given(l, "kernel");
	bool set = field_is_set(&domain_table, d, "firmware");

	if (!set)
		d->firmware = hvm ? FW_SEABIOS : FW_DIRECT;
	if (hvm && d->firmware != FW_SEABIOS && d->firmware != FW_OVMF)
		wrong(l, "firmware", "seabios, or ovmf for UEFI",
		      "hvm guests start by a PC's firmware, not by %s",
		      firmware_words[d->firmware]);
	else if (!hvm && (d->firmware == FW_SEABIOS || d->firmware == FW_OVMF))
		wrong(l, "firmware",
		      d->type == XEN_PVH
			      ? "pvgrub boots the kernel in the guest's own disk; with 'kernel' leave it out"
			      : "pvgrub64 boots the kernel in the guest's own disk; with 'kernel' leave it out",
		      "%s guests have no PC's firmware", type_word(l));
	else if (hvm && d->firmware == FW_OVMF && kernel)
		wrong(l, "kernel", "leave one of them out: seabios starts such a kernel",
		      "UEFI takes no kernel that dom0 gives, and starts what is on its disks");
	else if (!hvm && d->firmware != FW_DIRECT && kernel)
		wrong(l, "kernel", "leave one of them out",
		      "'firmware: %s' boots the guest's own kernel, and 'kernel' another",
		      firmware_words[d->firmware]);
	else if (d->type == XEN_PVH && (d->firmware == FW_PVGRUB64 || d->firmware == FW_PVGRUB32))
		wrong(l, "firmware", "pvgrub",
		      "there is one pvgrub for pvh guests, which starts kernels of both widths");
	else if (!hvm && d->firmware != FW_DIRECT && d->disks.n == 0 && !given(l, "disks"))
		diag_help(
			l->m->diags,
			diag_warn(
				l->m->diags, "nothing-to-boot", field_span(d, "firmware"),
				"'firmware: %s' boots the kernel in the guest's own disk, and %s has none",
				firmware_words[d->firmware], resource_title(l->m->arena, l->r)),
			"give it the disk that has its kernel and /boot/grub/grub.cfg");
	if (given(l, "cmdline") && !kernel && (hvm || d->firmware != FW_DIRECT))
		wrong(l, "cmdline", "say it in the guest's own boot loader",
		      "'cmdline' is for a kernel that is given, by 'kernel'");
	if (given(l, "initrd") && !kernel && (hvm || d->firmware != FW_DIRECT))
		wrong(l, "initrd", "leave it out: the guest's own boot loader has its own",
		      "'initrd' is for a kernel that is given, by 'kernel'");
	field_mark(&domain_table, d, "firmware");
}

const char *domain_firmware_path(const struct domain *d)
{
	if (d->type == XEN_PVH)
		return d->firmware == FW_DIRECT ? NULL : GRUB_DIR "grub-i386-xen_pvh.bin";
	switch (d->firmware) {
	case FW_PVGRUB:
	case FW_PVGRUB64:
		return GRUB_DIR "grub-x86_64-xen.bin";
	case FW_PVGRUB32:
		return GRUB_DIR "grub-i386-xen.bin";
	default:
		return NULL;
	}
}

/* What libxl has QEMU play (libxl_dm.c, libxl__build_device_model_args_new): four on two IDE cables, by letter whatever
 * stands before it, and SCSI's, of which the controller itself is the eighth. Others are there once the guest's own
 * drivers are. */
#define IDE_DISKS  4
#define SCSI_DISKS 7
#define PCI_SLOTS  32

static bool is_scsi(const struct domain_disk *k)
{
	return startswith(k->vdev, "sd") && !k->cdrom;
}

bool domain_disk_emulated(const struct domain_disk *k)
{
	/* xvda, hda, sda */
	const char *d = k->vdev ? strchr(k->vdev, 'd') : NULL;

	return d && d[1] - 'a' < (is_scsi(k) ? SCSI_DISKS : IDE_DISKS);
}

/* One whose name could not be understood may be any. */
static bool has_disk(const struct domain *d, bool cdrom)
{
	for (size_t i = 0; i < d->disks.n; i++) {
		const struct domain_disk *k = d->disks.entries[i].value;

		if (streq(k->cdrom, DISC_NONE))
			continue;
		if (!k->cdrom == !cdrom && (!k->vdev || domain_disk_emulated(k)))
			return true;
	}
	return false;
}

static bool has_card(const struct domain *d)
{
	for (size_t i = 0; i < d->nics.n; i++) {
		const struct domain_nic *n = d->nics.entries[i].value;

		if (n->model != NIC_NONE || !field_given(domain_nic_fields, n, "model") ||
		    field_strange(domain_nic_fields, n))
			return true;
	}
	return false;
}

/* A machine's firmware needs something to start from. */
static void check_boots(struct lowering *l)
{
	const struct domain *d = l->d;

	if (d->type != XEN_HVM || field_given(&domain_table, d, "kernel") || d->boot.n == 0 ||
	    field_strange(&domain_table, d))
		return;
	for (size_t i = 0; i < d->boot.n; i++) {
		const char *from = d->boot.items[i];

		if (streq(from, "network") ? has_card(d) : has_disk(d, streq(from, "cdrom")))
			return;
	}
	wrong(l, given(l, "boot") ? "boot" : "type",
	      list_has(&d->boot, "disk") && d->disks.n
		      ? "its firmware sees hda to hdd, which xvda to xvdd are too, and sda to sdg; others only the "
			"guest's own drivers see"
	      : given(l, "boot") && (d->disks.n || d->nics.n)
		      ? "name in it what the guest has: disk, cdrom or, with a nic, network"
		      : "give it a disk or a cdrom, or 'boot: [network]' and a nic",
	      given(l, "boot") ? "it has nothing of what 'boot' names"
			       : "it has nothing to boot from");
}

/* OVMF for Xen isn't told what 'boot' says, and tries a CD first. */
static void warn_of_disc(struct lowering *l)
{
	const struct domain *d = l->d;

	if (d->type != XEN_HVM || d->firmware != FW_OVMF || d->boot.n == 0 ||
	    streq(d->boot.items[0], "cdrom"))
		return;
	for (size_t i = 0; i < d->disks.n; i++) {
		const struct domain_disk *k = d->disks.entries[i].value;
		struct diag *g;

		if (!k->cdrom || streq(k->cdrom, DISC_NONE))
			continue;
		g = diag_warn(l->m->diags, "boot-order", field_span(k, "cdrom"),
			      "UEFI starts a CD that is in the drive before the disk, whatever "
			      "'boot' of %s says",
			      resource_title(l->m->arena, l->r));
		diag_help(l->m->diags, g, "say 'cdrom: none' once it is installed");
	}
}

static void check_disk(struct lowering *l, const char *at, const struct domain_disk *k)
{
	size_t n = strlen(k->vdev);

	if (k->vdev[n - 1] >= '0' && k->vdev[n - 1] <= '9')
		wrong(l, arena_printf(l->m->arena, "%s.vdev", at),
		      "name a whole one, xvda or hda; what is in it has to be a whole disk too, with partitions",
		      "hvm guests have whole disks, and '%s' is a partition", k->vdev);
	else if (k->cdrom && !domain_disk_emulated(k))
		wrong(l, arena_printf(l->m->arena, "%s.vdev", at), "hda to hdd",
		      "an emulated machine has four drives, and '%s' is none of them", k->vdev);
	else if (is_scsi(k) && !domain_disk_emulated(k))
		wrong(l, arena_printf(l->m->arena, "%s.vdev", at), "sda to sdg, or xvde to xvdp",
		      "an emulated SCSI controller has seven disks, and '%s' is none of them",
		      k->vdev);
	else if (k->read_only && !k->cdrom && domain_disk_emulated(k) && !is_scsi(k))
		wrong(l,
		      arena_printf(l->m->arena, "%s.%s", at,
				   streq(at, "cloud_init") ? "vdev" : "read_only"),
		      "say vdev: xvde, which the guest's own drivers see, or sda; an ISO is a cdrom",
		      "'%s' is an emulated IDE disk too, and QEMU has none that is read-only",
		      k->vdev);
}

/* The emulated controllers have whole disks; what the guest's own drivers attach may be anything. */
static void check_disks(struct lowering *l)
{
	const struct domain *d = l->d;
	const struct domain_disk seed = {.vdev = d->cloud_init.vdev, .read_only = true};

	for (size_t i = 0; d->type == XEN_HVM && i < d->disks.n; i++) {
		const struct domain_disk *k = d->disks.entries[i].value;

		if (k->vdev)
			check_disk(l,
				   arena_printf(l->m->arena, "disks.%s", d->disks.entries[i].name),
				   k);
	}
	if (d->type == XEN_HVM && given(l, "cloud_init") && seed.vdev)
		check_disk(l, "cloud_init", &seed);
}

/* All of them are on one bus, beside its bridge, the board's own functions and Xen's. */
static void check_cards(struct lowering *l)
{
	const struct domain *d = l->d;
	size_t room = PCI_SLOTS - 3 - (d->vga != VGA_NONE) - d->rng - (d->usb_devices.n > 0),
	       n = d->pci.n;
	bool scsi = false;

	for (size_t i = 0; i < d->disks.n; i++) {
		const struct domain_disk *k = d->disks.entries[i].value;

		scsi |= k->vdev && is_scsi(k);
	}
	for (size_t i = 0; i < d->nics.n; i++) {
		const struct domain_nic *k = d->nics.entries[i].value;

		n += !(field_given(domain_nic_fields, k, "model") && k->model == NIC_NONE);
	}
	if (d->type == XEN_HVM && d->nics.n && n > room - scsi)
		wrong(l, "nics", "say model: none of those that the guest's own drivers see to",
		      "an emulated machine has room for %zu cards of these devices, and they are %zu",
		      room - scsi, n);
}

static bool is_loopback(const char *address)
{
	return !address || startswith(address, "127.") || streq(address, "::1");
}

static void prepare_vnc(struct lowering *l)
{
	struct domain_vnc *v = &l->d->vnc;
	char digest[SHA256_TEXT];
	const char *text;
	struct diag *g;

	if (!v->password) {
		v->password_mark = "none";
		if (v->enabled && !is_loopback(v->address) &&
		    !field_given(&domain_vnc_table, v, "password")) {
			g = diag_warn(
				l->m->diags, "open-screen", field_span(l->d, "vnc.address"),
				"whoever reaches %s has the screen and keyboard of %s: it has no "
				"password",
				v->address, resource_title(l->m->arena, l->r));
			diag_help(
				l->m->diags, g,
				"say 'password: {file: …}', or leave the address out: `manor vnc` tells the way "
				"through ssh");
		}
	} else {
		text = arena_printf(l->m->arena, "%s %s", l->r->uuid, v->password);
		sha256_of(text, strlen(text), digest);
		v->password_mark = arena_strndup(l->m->arena, digest, 16);
	}
	field_mark(&domain_vnc_table, v, "password_mark");
}

static void set_weight(struct domain *d)
{
	d->scheduler.weight = PRESET_WEIGHT;
	field_mark(&domain_scheduler_table, &d->scheduler, "weight");
}

/* What the preset says where the domain itself says nothing. */
static void prepare_preset(struct lowering *l)
{
	struct domain *d = l->d;

	if (d->preset != PRESET_TIMING)
		return;
	if (!field_given(&domain_clock_table, &d->clock, "tsc"))
		d->clock.tsc = word_find(tsc_words, "native");
	if (!field_given(&domain_scheduler_table, &d->scheduler, "weight"))
		set_weight(d);
	if (!given(l, "cpus") && !given(l, "nodes"))
		wrong(l, "preset", "cpus: \"2-3\", the processors that are to be its own",
		      "'timing-sensitive' needs 'cpus': without processors of its own no clock is steady");
}

void domain_lower_hardware(struct lowering *l)
{
	struct domain *d = l->d;

	check_hvm_only(l);
	check_firmware(l);
	check_boots(l);
	warn_of_disc(l);
	check_disks(l);
	check_cards(l);
	prepare_vnc(l);
	prepare_preset(l);
	if (!d->nodes) {
		d->nodes = "all";
		field_mark(&domain_table, d, "nodes");
	}
}

/* --- to Xen and back --- */

/* What can't be changed while it runs, and isn't read of Xen. */
static const char *const settings[] = {"firmware", "boot", "vga",   "serial", "usb",
				       "rng",      "vnc",  "clock", "cpu",    "nodes"};

static json_object *settings_json(const struct domain *d)
{
	_cleanup_json_ json_object *all = record_to_json(&domain_table, d, true);
	json_object *o = json_object_new_object();
	json_object *nics = json_object_new_object(), *vnc;

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		json_object *value = json_object_object_get(all, settings[i]);

		if (value)
			json_object_object_add(o, settings[i], json_object_get(value));
	}
	/* The guest can read its marks. */
	vnc = json_member(o, "vnc", json_type_object);
	if (vnc)
		json_object_object_del(vnc, "password");
	for (size_t i = 0; d->type == XEN_HVM && i < d->nics.n; i++) {
		const struct domain_nic *n = d->nics.entries[i].value;

		/* A wrong one was told, and is none. */
		if (n->mac)
			json_put_text(nics, n->mac, nic_model_words[n->model]);
	}
	json_object_object_add(o, "models", nics);
	return o;
}

const char *domain_settings(struct arena *a, const struct domain *d)
{
	_cleanup_json_ json_object *o = settings_json(d);

	return arena_strdup(a, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
}

void domain_check_settings(struct lowering *l)
{
	size_t n = strlen(domain_settings(l->m->arena, l->d));
	struct diag *g;

	if (n <= XEN_SETTINGS_MAX)
		return;
	g = diag_error(
		l->m->diags, "too-long",
		field_given(&domain_table, l->d, "cpu") ? field_span(l->d, "cpu") : l->r->span,
		"what %s is like takes %zu bytes to note, of at most %d: boot, vga, usb, vnc, clock, "
		"cpu and the models of its nics",
		resource_title(l->m->arena, l->r), n, XEN_SETTINGS_MAX);
	diag_help(
		l->m->diags, g,
		"name fewer features in cpu.hide and cpu.show: 'baseline' hides many by one word");
}

/* What `from` says, over what `to` does. */
static void merge(json_object *to, json_object *from)
{
	json_object_object_foreach(from, key, value)
	{
		json_object *below = json_member(to, key, json_type_object);

		if (below && json_object_is_type(value, json_type_object))
			merge(below, value);
		else
			json_object_object_add(to, key, json_object_get(value));
	}
}

/* What libxl's record says of it; what that doesn't is as wanted, for unknown is not different. */
static json_object *settings_of_record(struct arena *a, const struct xen_domain *x,
				       const struct domain *want)
{
	_cleanup_json_ json_object *record = domain_record(x), *said = NULL;
	struct domain *d = arena_alloc(a, sizeof(*d));
	json_object *o;

	if (!record)
		return NULL;
	domain_record_machine(a, record, x, d);
	said = settings_json(d);
	o = want ? settings_json(want) : json_object_new_object();
	merge(o, said);
	return o;
}

json_object *domain_settings_of(struct arena *a, const struct xen_domain *x,
				const struct domain *want)
{
	if (!x->mark_uuid)
		return settings_of_record(a, x, want);
	return x->settings ? json_parse(x->settings, strlen(x->settings), NULL) : NULL;
}

void domain_read_hardware(struct arena *a, const struct xen_domain *x, json_object *made_as,
			  const struct domain *want, struct domain *d)
{
	/* Without the mark, or with one that can't be read: unknown is not different. */
	if ((!made_as || record_from_json(a, &domain_table, made_as, d, NULL) < 0) && want) {
		_cleanup_json_ json_object *as_wanted = settings_json(want);

		(void)record_from_json(a, &domain_table, as_wanted, d, NULL);
	}
	d->cpus = x->cpus ? x->cpus : want ? want->cpus : NULL;
	if (d->cpus)
		field_mark(&domain_table, d, "cpus");
	if (x->weight) {
		d->scheduler.weight = x->weight;
		d->scheduler.cap = x->cap;
		field_mark(&domain_scheduler_table, &d->scheduler, "weight");
		field_mark(&domain_scheduler_table, &d->scheduler, "cap");
	} else if (want) {
		d->scheduler = want->scheduler;
	}
	field_mark(&domain_table, d, "scheduler");
}

int domain_nic_model(json_object *made_as, const char *mac)
{
	json_object *models = made_as ? json_member(made_as, "models", json_type_object) : NULL;
	const char *model = mac && models ? json_text(models, mac) : NULL;

	return model ? word_find(nic_model_words, model) : -1;
}

struct xen_hardware *domain_ask_hardware(struct arena *a, const struct domain *d)
{
	struct xen_hardware *h = arena_alloc(a, sizeof(*h));
	_cleanup_str_ struct str boot = {0};

	for (size_t i = 0; i < d->boot.n; i++) {
		const char *from = d->boot.items[i];

		str_add(&boot, streq(from, "disk") ? "c" : streq(from, "cdrom") ? "d" : "n");
	}
	*h = (struct xen_hardware){
		.ovmf = d->firmware == FW_OVMF,
		.boot = arena_strdup(a, str_get(&boot)),
		.vga = vga_words[d->vga],
		.serial = d->serial == SERIAL_PTY,
		.rng = d->rng,
		.usb = d->usb,
		.vnc = d->vnc.enabled,
		.vnc_address = d->vnc.address,
		.vnc_display =
			field_is_set(&domain_vnc_table, &d->vnc, "display") ? d->vnc.display : -1,
		.vnc_from = d->displays_from,
		.vnc_password = d->vnc.password,
		.keymap = d->vnc.keymap,
		.tsc = tsc_words[d->clock.tsc],
		.timer = d->clock.timer ? timer_words[d->clock.timer] : NULL,
		.hpet = d->clock.hpet,
		.localtime = d->clock.base == 1,
		.rtc_offset = d->clock.offset,
		.baseline = d->cpu.baseline,
		.hide = d->cpu.hide,
		.show = d->cpu.show,
		.cpus = d->cpus && !streq(d->cpus, "all") ? d->cpus : NULL,
		.nodes = streq(d->nodes, "all") ? NULL : d->nodes,
		.weight = d->scheduler.weight ? d->scheduler.weight : WEIGHT,
		.cap = d->scheduler.cap,
	};
	return h;
}
