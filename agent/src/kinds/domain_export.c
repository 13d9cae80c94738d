/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A domain that others made, as it runs, told as the manifest would say it: what Xen and xenstore say of it, and
 * what libxl's record does of the rest. What has no counterpart becomes a comment; passwords are not told.
 */
#include "kinds/domain_xl.h"

#include <stdio.h>

#include "base/json.h"
#include "base/num.h"
#include "kinds/net_facts.h"
#include "model/record_json.h"

#define MIB    (UINT64_C(1) << 20)
#define WEIGHT 256 /* Xen's own, of who says nothing */

/* A field by its table, unless it is what is there anyway. */
static void put_field(struct domain_xl *x, struct emit *out, const struct table *t,
		      const void *record, const char *name)
{
	const struct field *f = field_find(t, name);
	const char *text = field_text(x->arena, f, record, true);
	const struct list *l = field_ptr(f, record);

	if (!field_is_set(t, record, name) || streq(text, f->def))
		return;
	if (f->type == FIELD_LIST && l->n == 0)
		emit_word(out, name, "[]");
	for (size_t i = 0; f->type == FIELD_LIST && i < l->n; i++)
		domain_xl_put(x, out, t, name, l->items[i], 0);
	if (f->type != FIELD_LIST)
		domain_xl_put(x, out, t, name, text, 0);
}

/* --- what starts it --- */

static void loader(struct domain_xl *x, const struct xen_domain *d, const struct domain *m)
{
	if (!d->boot_known) {
		emit_word(x->out, "firmware", d->type == XEN_PVH ? "pvgrub" : "pvgrub64");
		emit_note(x->out, "firmware",
			  "%s: at its next start pvgrub looks for the grub.cfg in its first disk",
			  d->why ? d->why : "what it was started by isn't known");
	} else if (d->type != XEN_HVM && m->firmware != FW_DIRECT) {
		emit_word(x->out, "firmware", firmware_words[m->firmware]);
	} else if (d->kernel) {
		domain_xl_put(x, x->out, &domain_table, "kernel", d->kernel, 0);
		if (d->initrd)
			domain_xl_put(x, x->out, &domain_table, "initrd", d->initrd, 0);
		if (d->cmdline && *d->cmdline)
			domain_xl_put(x, x->out, &domain_table, "cmdline", d->cmdline, 0);
	}
	if (d->type == XEN_HVM && m->firmware == FW_OVMF)
		emit_word(x->out, "firmware", "ovmf");
}

/* --- its machine --- */

static void screen(struct domain_xl *x, json_object *of, const struct domain_vnc *v)
{
	json_object *vnc = of ? json_member(of, "vnc", json_type_object) : NULL;
	bool password = json_text(vnc, "passwd") && *json_text(vnc, "passwd");
	struct emit *m;

	if (!v->enabled)
		return;
	if (password)
		emit_note(
			x->out, "vnc",
			"it has a password, which is not told: write it into %s.vncpasswd beside the "
			"manifest, at most 8 characters, readable by root alone, and say here "
			"'password: {file: %s.vncpasswd}'; else there is none at its next start",
			x->name, x->name);
	m = emit_new(x->arena);
	put_field(x, m, &domain_vnc_table, v, "address");
	put_field(x, m, &domain_vnc_table, v, "display");
	put_field(x, m, &domain_vnc_table, v, "keymap");
	if (emit_has(m, "address") || emit_has(m, "display") || emit_has(m, "keymap"))
		emit_put(x->out, "vnc", m, false);
	else
		emit_word(x->out, "vnc", "true");
}

static void machine(struct domain_xl *x, json_object *record, const struct domain *m)
{
	static const char *const hvm[] = {"boot", "vga", "serial", "usb"};
	static const char *const clock[] = {"tsc", "timer", "hpet", "base", "offset"};

	for (size_t i = 0; x->type == XEN_HVM && i < ARRAY_SIZE(hvm); i++)
		put_field(x, x->out, &domain_table, m, hvm[i]);
	screen(x, domain_record_screen(record, x->type), &m->vnc);
	for (size_t i = 0; i < ARRAY_SIZE(clock); i++)
		put_field(x, emit_map(x->out, "clock"), &domain_clock_table, &m->clock, clock[i]);
}

/* --- memory and processors --- */

static void put_memory(struct domain_xl *x, const char *field, uint64_t bytes)
{
	uint64_t least = (uint64_t)field_find(&domain_table, field)->min;
	uint64_t whole = MAX_OF(bytes - bytes % MIB, least);
	char text[NUM_TEXT];

	emit_word(x->out, field, num_size_exact(text, whole));
	if (whole != bytes)
		emit_note(x->out, field,
			  "it has %llu bytes; here it is in whole MiB, at least %llu",
			  (unsigned long long)bytes, (unsigned long long)(least / MIB));
}

static void shares(struct domain_xl *x, const struct xen_domain *d)
{
	struct emit *m = emit_map(x->out, "scheduler");

	put_memory(x, "memory", d->memory);
	if (d->maxmem > d->memory && d->pci.n && d->type == XEN_HVM)
		emit_note(x->out, "memory",
			  "it was started with %llu MiB; with a PCI device it starts with what "
			  "stands here",
			  (unsigned long long)(d->maxmem / MIB));
	else if (d->maxmem > d->memory)
		put_memory(x, "maxmem", d->maxmem);
	if (d->vcpus != 1)
		domain_xl_put_number(x, x->out, &domain_table, "vcpus", d->vcpus, 0);
	if (d->maxvcpus > d->vcpus)
		domain_xl_put_number(x, x->out, &domain_table, "maxvcpus", d->maxvcpus, 0);
	if (streq(d->cpus, "differently"))
		emit_note(x->out, NULL,
			  "its vcpus are pinned each in its own way: 'cpus' says it for all");
	else if (d->cpus && !streq(d->cpus, "all"))
		domain_xl_put(x, x->out, &domain_table, "cpus", d->cpus, 0);
	if (d->weight && d->weight != WEIGHT)
		domain_xl_put_number(x, m, &domain_scheduler_table, "weight", d->weight, 0);
	if (d->weight && d->cap)
		domain_xl_put_number(x, m, &domain_scheduler_table, "cap", d->cap, 0);
}

/* --- disks --- */

/* What libxl was told of it; NULL: nothing. */
static json_object *told(json_object *record, const char *list, const char *key, const char *value)
{
	json_object *all = record ? json_member(record, list, json_type_array) : NULL;

	for (size_t i = 0; value && i < json_length(all); i++) {
		json_object *o = json_object_array_get_idx(all, i);

		if (streq(json_text(o, key), value))
			return o;
	}
	return NULL;
}

static void lost_disk(struct domain_xl *x, const struct xen_disk *k, const char *why)
{
	emit_note(x->out, "disks", "%s, %.100s, is left out: %s", k->vdev ? k->vdev : "one",
		  k->target ? k->target : "without a disc", why);
}

/* The field that says where it comes from; NULL: that can't be said, and was. */
static const char *source(struct domain_xl *x, const struct xen_disk *k, json_object *as_told)
{
	const char *format = json_text(as_told, "format"), *script = json_text(as_told, "script");

	if (!k->target && k->cdrom && x->type == XEN_HVM)
		return "cdrom";
	if (!k->target)
		lost_disk(x, k, "there is nothing in it");
	else if (script && !startswith(k->target, "/"))
		lost_disk(x, k, "it is connected by a script, and Manor runs none");
	else if (format && !streq(format, "raw") && !streq(format, "unknown"))
		lost_disk(x, k,
			  arena_printf(x->arena,
				       "it is a %s, and Manor's are raw: convert it "
				       "with qemu-img while the guest is off",
				       format));
	else if (startswith(k->target, "nbd://"))
		return "nbd";
	else if (startswith(k->target, "iscsi://"))
		return "iscsi";
	else if (k->target[0] != '/')
		lost_disk(x, k, "it names no path that begins with '/'");
	else if (startswith(k->target, "/dev/"))
		return "device";
	else
		return k->cdrom ? "cdrom" : "file";
	return NULL;
}

static void disk(struct domain_xl *x, const struct xen_disk *k, json_object *record)
{
	const char *from = source(x, k, told(record, "disks", "vdev", k->vdev));
	struct emit *m = emit_new(x->arena), *all = emit_map(x->out, "disks");
	bool good;

	if (!from)
		return;
	if (!k->vdev || !domain_xl_put(x, m, domain_disk_fields, "vdev", k->vdev, 0)) {
		lost_disk(x, k, "the manifest has no word for where the guest finds it");
		return;
	}
	if (streq(from, "device"))
		good = domain_xl_put(x, emit_map(m, "device"), &domain_device_table, "path",
				     k->target, 0);
	else
		good = domain_xl_put(x, m, domain_disk_fields, from,
				     k->target ? k->target : DISC_NONE, 0);
	if (!good)
		return;
	if (k->read_only && !streq(from, "cdrom"))
		emit_word(m, "read_only", "true");
	emit_put(all, k->vdev, m, false);
	if (k->target && domain_xl_is_moving(k->target))
		emit_note(all, k->vdev,
			  "such names may change: /dev/disk/by-id has some that stay");
}

/* --- NICs --- */

static void nic(struct domain_xl *x, const struct xen_nic *n, json_object *record,
		const struct domain *m)
{
	const char *name = arena_printf(x->arena, "eth%lld", (long long)n->devid);
	struct emit *out = emit_new(x->arena), *all = emit_map(x->out, "nics");
	json_object *as_told = told(record, "nics", "mac", n->mac);

	if (!n->bridge || !field_name_ok(n->bridge) || strlen(n->bridge) > NET_NAME_MAX) {
		emit_note(x->out, "nics", "%s is left out: %s%.40s", name,
			  n->bridge ? "no name of the manifest's is bridge " : "it is in no bridge",
			  n->bridge ? n->bridge : "");
		return;
	}
	emit_text(out, "bridge", n->bridge);
	if (!emit_has(x->all->bridges, n->bridge))
		emit_put(x->all->bridges, n->bridge, emit_new(x->arena), false);
	if (n->mac)
		domain_xl_put(x, out, domain_nic_fields, "mac", n->mac, 0);
	for (size_t i = 0; i < m->nics.n; i++) {
		const struct domain_nic *card = m->nics.entries[i].value;

		if (streq(card->mac, n->mac) && card->model != NIC_E1000)
			emit_word(out, "model", nic_model_words[card->model]);
	}
	emit_put(all, name, out, false);
	if (json_text(as_told, "script") && !strstr(json_text(as_told, "script"), "vif-bridge"))
		emit_note(all, name, "script %.80s: Manor plugs it into the bridge by itself",
			  json_text(as_told, "script"));
}

/* --- PCI devices --- */

static void pci(struct domain_xl *x, const struct xen_pci *p, size_t number)
{
	struct emit *all = emit_tall(x->out, "pci"), *out = emit_new(x->arena);

	if (!domain_xl_put(x, out, &domain_pci_table, "address", p->address, 0))
		return;
	if (p->permissive)
		emit_word(out, "permissive", "true");
	emit_put(all, arena_printf(x->arena, "pci%zu", number), out, false);
}

/* --- ends --- */

static void end(struct domain_xl *x, json_object *record, const char *name)
{
	static const struct {
		const char *word, *is, *note;
	} words[] = {
		{"destroy", "destroy", NULL},
		{"restart", "restart", NULL},
		{"preserve", "preserve", NULL},
		{"coredump_destroy", "coredump-destroy", NULL},
		{"coredump_restart", "coredump-restart", NULL},
		{"rename_restart", "restart", "rename-restart, which keeps the ended guest too; here it goes"},
		{"soft_reset", "restart", "soft-reset, which keeps its memory; here it starts anew"},
	};
	const char *word = json_text(record, name); /* libxl tells no "destroy" */

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!streq(words[i].word, word ? word : "destroy"))
			continue;
		if (!streq(words[i].is, field_find(&domain_table, name)->def))
			emit_word(x->out, name, words[i].is);
		if (words[i].note)
			emit_note(x->out, name, "it was told %s", words[i].note);
	}
}

/* --- what is left over --- */

static void lost(struct domain_xl *x, json_object *o, const char *key, const char *why)
{
	json_object *value = o ? json_object_object_get(o, key) : NULL;
	const char *word = value ? json_object_get_string(value) : NULL;

	if (!word || streq(word, "False") || streq(word, "<default>") || streq(word, "[]") ||
	    streq(word, "{ }") || streq(word, "[ ]"))
		return;
	if (json_object_is_type(value, json_type_string) && *word)
		emit_note(x->out, NULL, "%s = %.60s: %s", key, word, why);
	else if (*word)
		emit_note(x->out, NULL, "%s: %s", key, why);
}

/* --- USB devices --- */

/* By what they are, and by where they are plugged in where that doesn't tell them apart. */
static void usb(struct domain_xl *x, const struct usb_device *d, size_t number)
{
	struct emit *all = emit_tall(x->out, "usb_devices"), *out = emit_new(x->arena);
	const char *colon = strchr(d->id, ':');

	if (colon) {
		emit_text(out, "vendor", arena_strndup(x->arena, d->id, (size_t)(colon - d->id)));
		emit_text(out, "product", colon + 1);
	}
	if (d->serial)
		domain_xl_put(x, out, &domain_usb_table, "serial", d->serial, 0);
	else
		domain_xl_put(x, out, &domain_usb_table, "port", d->port, 0);
	emit_put(all, arena_printf(x->arena, "usb%zu", number), out, false);
}

static void usb_devices(struct domain_xl *x, const struct xen_domain *d, json_object *record)
{
	if (d->type != XEN_HVM)
		lost(x, record, "usbdevs", "USB devices go to hvm guests only");
	for (size_t i = 0; i < d->usb.n; i++) {
		const char *port = ((const struct xen_usb *)d->usb.items[i])->port;
		const struct usb_device *u = usb_find(x->usb, port);

		if (u)
			usb(x, u, i);
		else
			emit_note(x->out, NULL,
				  "it has the USB device at %s; what that is isn't known", port);
	}
}

static void rest(struct domain_xl *x, json_object *record)
{
	static const struct {
		int in; /* 0: the record itself, 1: b_info, 2: type.hvm */
		const char *key, *why;
	} words[] = {
		{0, "vtpms", "guests have no TPM"},
		{0, "p9s", "no folders of dom0 are shared"},
		{0, "pvcallsifs", "no sockets of dom0 are shared"},
		{0, "channels", "the manifest has no word for it"},
		{1, "cpuid", "'cpu' says what a guest sees of the processor; until its next start it sees what it does"},
		{1, "device_model", "Xen's own QEMU is the one"},
		{1, "extra", "the device model gets no words beside Manor's"},
		{1, "extra_pv", "the device model gets no words beside Manor's"},
		{1, "extra_hvm", "the device model gets no words beside Manor's"},
		{1, "nested_hvm", "no guest can have guests of its own"},
		{1, "ioports", "nothing of the host's but disks, NICs and PCI devices is handed over"},
		{1, "irqs", "nothing of the host's but disks, NICs and PCI devices is handed over"},
		{1, "iomem", "nothing of the host's but disks, NICs and PCI devices is handed over"},
		{2, "viridian", "the manifest has no word for it"},
		{2, "nested_hvm", "no guest can have guests of its own"},
		{2, "soundhw", "guests have no sound"},
		{2, "gfx_passthru", "no graphics card is handed over"},
		{2, "serial_list", "a guest has one serial port, or none"},
	};
	json_object *in[] = {record, domain_record_build(record), domain_record_hvm(record)};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		lost(x, in[words[i].in], words[i].key, words[i].why);
}

static void say_state(struct domain_xl *x, const struct xen_domain *d)
{
	if (d->state == XEN_PAUSED)
		emit_note(x->out, NULL,
			  "it is paused: 'manor unpause %s' lets it go on once it is "
			  "adopted",
			  x->name);
	else if (d->state == XEN_SHUTDOWN)
		emit_note(x->out, NULL, "it has ended (%s), and is there still: 'xl destroy %lld'",
			  xen_reason_words[d->reason], (long long)d->domid);
}

void domain_export(struct domain_xl *x, const struct xen_domain *d)
{
	_cleanup_json_ json_object *record = domain_record(d);
	struct domain *m = arena_alloc(x->arena, sizeof(*m));

	x->type = d->type;
	m->firmware = d->type == XEN_HVM ? FW_SEABIOS : FW_DIRECT;
	if (record)
		domain_record_machine(x->arena, record, d, m);
	else
		emit_note(x->out, NULL,
			  "libxl has no record of it: what its machine is like isn't known");
	emit_text(x->out, "uuid", d->uuid);
	emit_word(x->out, "type", xen_type_words[d->type]);
	loader(x, d, m);
	if (record)
		machine(x, record, m);
	shares(x, d);
	for (size_t i = 0; i < d->disks.n; i++)
		disk(x, d->disks.items[i], record);
	for (size_t i = 0; i < d->nics.n; i++)
		nic(x, d->nics.items[i], record, m);
	for (size_t i = 0; i < d->pci.n; i++)
		pci(x, d->pci.items[i], i);
	usb_devices(x, d, record);
	if (record) {
		end(x, record, "on_poweroff");
		end(x, record, "on_reboot");
		end(x, record, "on_crash");
		end(x, record, "on_watchdog");
	}
	emit_order(x->out, &domain_table);
	if (record)
		rest(x, record);
	say_state(x, d);
}
