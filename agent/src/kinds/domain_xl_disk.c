/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Disks. libxlutil understands what xl does; what only xm took (a mode with '!', a backend's domain behind it) is
 * taken away before. What would be misunderstood as a raw disk, or can't be named, stays a comment.
 */
#include "kinds/domain_xl.h"

#include <ctype.h>

#define NBD_PORT "10809"

struct drive {
	struct xl_disk disk;
	const char *prefix; /* "phy", "file", "tap" … of the old way of writing; "": the new one */
	const char *spec;
	struct emit *out, *all;
	const char *name;
	struct span span;
	unsigned line;
};

/* A guest without a disk that it had is told on the terminal, too. */
static void lost(struct domain_xl *x, const struct drive *v, const char *why)
{
	emit_note(x->out, "disks", "'%.100s' (line %u) is left out: %s", v->spec, v->line, why);
	domain_xl_lost(x, "this disk", v->span, why);
}

/* --- the way xm wrote them --- */

static const char *prefix_of(struct arena *a, const char *spec)
{
	size_t n = strspn(spec, "abcdefghijklmnopqrstuvwxyz0123456789");

	return n && spec[n] == ':' ? arena_strndup(a, spec, n) : "";
}

/* "phy:x,hda1,w!,dom1" → "phy:x,hda1,w" */
static const char *tidy(struct domain_xl *x, struct drive *v)
{
	_cleanup_str_ struct str b = {0};
	const char *rest = v->spec;

	v->prefix = prefix_of(x->arena, v->spec);
	if (!*v->prefix)
		return v->spec;
	for (size_t i = 0; *rest; i++) {
		size_t n = strcspn(rest, ",");
		char *part = arena_strndup(x->arena, rest, n);
		char *mark = i == 2 ? strchr(part, '!') : NULL;

		rest += n + (rest[n] == ',');
		if (mark) {
			*mark = '\0';
			emit_note(
				x->out, "disks",
				"'%.100s' (line %u): '!' let several write at once; here one may, "
				"and others only where all of them read",
				v->spec, v->line);
		}
		if (i > 2 && *part)
			emit_note(
				x->out, "disks",
				"'%.40s' of '%.100s' (line %u) is left out: dom0 alone serves disks",
				part, v->spec, v->line);
		if (i <= 2)
			str_addf(&b, "%s%s", i ? "," : "", part);
	}
	return arena_strdup(x->arena, str_get(&b));
}

/* How xl was told to do it. */
static void say_words(struct domain_xl *x, const struct drive *v)
{
	static const char *const words[] = {
		"backendtype",   "direct-io-safe", "discard", "no-discard",
		"specification", "colo",           "no-colo", "trusted",
		"untrusted",     "grant_usage",    NULL};
	const char *rest = v->spec, *key, *value;

	while (!*v->prefix && (key = domain_xl_part(x->arena, &rest, &value))) {
		if (streq(key, "target"))
			return; /* which is the rest of it */
		if (word_find(words, key) >= 0)
			emit_note(v->all, v->name,
				  "%s%s%s (line %u): Manor connects it its own way", key,
				  value ? "=" : "", value ? value : "", v->line);
	}
}

/* --- where they come from --- */

/* /dev/VG/LV and /dev/mapper/VG-LV, as far as a name tells. */
static bool is_volume(const char *path)
{
	static const char *const folders[] = {"disk/", "cciss/", "ida/", "md/", "rd/", "ataraid/"};
	const char *name = path + strlen("/dev/");

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (startswith(name, folders[i]))
			return false;
	return strchr(name, '/') != NULL;
}

bool domain_xl_is_moving(const char *path)
{
	static const char *const names[] = {"/dev/sd", "/dev/hd", "/dev/nvme", "/dev/vd"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (startswith(path, names[i]))
			return true;
	return false;
}

/* An emulated drive plays files alone: it stays, and is empty. */
static bool own_drive(struct domain_xl *x, struct drive *v, const char *path)
{
	emit_note(
		v->all, v->name,
		"%.100s (line %u), the machine's own drive, isn't handed over: make an ISO of the disc, and "
		"say 'cdrom: PATH'",
		path, v->line);
	return domain_xl_put(x, v->out, &domain_disk_table, "cdrom", DISC_NONE, v->line);
}

static bool device(struct domain_xl *x, struct drive *v, const char *path)
{
	if (v->disk.cdrom && x->type == XEN_HVM)
		return own_drive(x, v, path);
	if (!domain_xl_put(x, emit_map(v->out, "device"), &domain_device_table, "path", path,
			   v->line))
		return false;
	if (v->disk.cdrom)
		emit_note(v->all, v->name,
			  "the machine's own drive isn't handed over: make an ISO of the disc, and "
			  "say 'cdrom: PATH'");
	else if (is_volume(path))
		emit_note(v->all, v->name, "an LVM volume made by hand");
	else if (domain_xl_is_moving(path))
		emit_note(v->all, v->name,
			  "such names may change: /dev/disk/by-id has some that stay");
	return true;
}

/* "10.0.0.5 20001", "10.0.0.5/web" */
static bool nbd(struct domain_xl *x, struct drive *v)
{
	const char *target = v->disk.target;
	size_t n = strcspn(target, " :/"), digits;
	const char *port = target + n + strspn(target + n, " :"), *name;

	digits = strcspn(port, "/");
	name = port[digits] ? port + digits + 1 : "";
	if (!domain_xl_put(x, v->out, &domain_disk_table, "nbd",
			   arena_printf(x->arena, "nbd://%.*s:%.*s/%s", (int)n, target,
					digits ? (int)digits : (int)strlen(NBD_PORT),
					digits ? port : NBD_PORT, name),
			   v->line))
		return false;
	if (!*name)
		emit_note(
			v->all, v->name,
			"the server's one export: behind the slash stands its name if it has one");
	return true;
}

/* "iqn=iqn.2001-05.org:web,portal=10.0.0.1:3260", as Xen's block-iscsi takes it. */
static bool iscsi(struct domain_xl *x, struct drive *v)
{
	const char *rest = v->disk.target, *key, *value, *target = NULL, *portal = NULL;

	while ((key = domain_xl_part(x->arena, &rest, &value))) {
		if (streq(key, "iqn"))
			target = value;
		else if (streq(key, "portal"))
			portal = value;
		else if (!value && startswith(key, "iqn."))
			target = key;
	}
	if (!target || !portal) {
		lost(x, v, "say 'iscsi: iscsi://HOST/TARGET/LUN', for it doesn't name the host");
		return false;
	}
	if (!domain_xl_put(x, v->out, &domain_disk_table, "iscsi",
			   arena_printf(x->arena, "iscsi://%s/%s/0", portal, target), v->line))
		return false;
	emit_note(v->all, v->name, "unit 0, for line %u names none", v->line);
	return true;
}

/* "/srv/web.qcow2" → "/srv/web.img" */
static const char *raw_name(struct arena *a, const char *path)
{
	const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
	size_t n = dot && dot > slash ? (size_t)(dot - path) : strlen(path);
	const char *name = arena_printf(a, "%.*s.img", (int)n, path);

	return streq(name, path) ? arena_printf(a, "%s.raw", path) : name;
}

static bool file(struct domain_xl *x, struct drive *v, const char *path)
{
	const char *field = v->disk.cdrom ? "cdrom" : "file";

	if (streq(v->disk.format, "raw"))
		return domain_xl_put(x, v->out, &domain_disk_table, field, path, v->line);
	if (!domain_xl_put(x, v->out, &domain_disk_table, field, raw_name(x->arena, path), v->line))
		return false;
	emit_note(v->all, v->name,
		  "%s there, and raw here; convert it first: qemu-img convert -O raw %s %s",
		  v->disk.format, path, raw_name(x->arena, path));
	return true;
}

static bool source(struct domain_xl *x, struct drive *v)
{
	const char *target = v->disk.target;
	bool raw = streq(v->disk.format, "raw");

	if (streq(v->disk.script, "block-nbd"))
		return nbd(x, v);
	if (streq(v->disk.script, "block-iscsi"))
		return iscsi(x, v);
	if (v->disk.script) {
		lost(x, v, "it is connected by a script, and Manor runs none");
		return false;
	}
	if ((!*target || streq(v->disk.format, "empty")) && v->disk.cdrom && x->type == XEN_HVM)
		return domain_xl_put(x, v->out, &domain_disk_table, "cdrom", DISC_NONE, v->line);
	if (!*target || streq(v->disk.format, "empty")) {
		lost(x, v, "a drive without a disc is none");
		return false;
	}
	if (streq(v->prefix, "phy") && *target != '/')
		target = arena_printf(x->arena, "/dev/%s", target);
	if (*target != '/') {
		lost(x, v, "it names no path that begins with '/'");
		return false;
	}
	if (!startswith(target, "/dev/") || !target[strlen("/dev/")])
		return file(x, v, target);
	if (raw)
		return device(x, v, target);
	lost(x, v, "a device that isn't a raw disk: convert what is on it with qemu-img");
	return false;
}

/* --- one disk --- */

static const char *vdev_of(struct domain_xl *x, const char *vdev)
{
	char *s = arena_strdup(x->arena, startswith(vdev, "/dev/") ? vdev + 5 : vdev);

	for (char *p = s; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return s;
}

/* Why the guest can't have it under that name; NULL: it can. */
static const char *vdev_wrong(struct domain_xl *x, struct emit *all, const char *vdev)
{
	const struct field *f = field_find(&domain_disk_table, "vdev");
	struct decode c = {.arena = x->arena, .diags = x->all->diags};
	_cleanup_err_ struct err e = {0};
	const char *canonical;
	size_t n = strlen(vdev);

	if (f->parse(&c, f, vdev, &canonical, &e) < 0)
		return arena_printf(x->arena, "'%.40s' is not %s", vdev, e.message);
	if (x->type == XEN_HVM && isdigit((unsigned char)vdev[n - 1]))
		return arena_printf(x->arena,
				    "hvm guests have whole disks, and '%s' is a partition", vdev);
	if (all && emit_has(all, vdev))
		return arena_printf(x->arena, "another disk is '%s'", vdev);
	return NULL;
}

/* To blkfront of today a partition of an IDE disk is all of that disk, and the next has no room beside it; one of a SCSI
 * disk is a partition still. */
static void note_vdev(struct domain_xl *x, const struct drive *v)
{
	size_t n = strlen(v->name);

	if (x->type != XEN_HVM && startswith(v->name, "hd") &&
	    isdigit((unsigned char)v->name[n - 1]))
		emit_note(
			v->all, v->name,
			"Linux since 2.6.37 takes %s for all of xvd%c: with a kernel of today say "
			"vdev: xvd%s",
			v->name, v->name[2], v->name + 2);
}

static void disk(struct domain_xl *x, struct emit **all, const char *spec, struct span span)
{
	struct drive v = {.spec = spec, .span = span, .line = span.line};
	_cleanup_err_ struct err e = {0};
	const char *wrong;

	if (xl_disk_parse(x->arena, tidy(x, &v), &v.disk, &e) < 0) {
		lost(x, &v, e.message);
		return;
	}
	v.name = vdev_of(x, v.disk.vdev);
	wrong = vdev_wrong(x, *all, v.name);
	if (wrong) {
		lost(x, &v, wrong);
		return;
	}
	v.all = *all ? *all : emit_new(x->arena);
	v.out = emit_new(x->arena);
	emit_text(v.out, "vdev", v.name);
	if (!source(x, &v))
		return;
	if (v.disk.read_only && !(v.disk.cdrom && emit_has(v.out, "cdrom")))
		emit_word(v.out, "read_only", "true");
	if (v.disk.backend && !streq(v.disk.backend, "0") && !streq(v.disk.backend, "Domain-0"))
		emit_note(v.all, v.name, "backend=%.40s (line %u): dom0 alone serves disks",
			  v.disk.backend, v.line);
	note_vdev(x, &v);
	say_words(x, &v);
	*all = v.all;
	emit_put(v.all, v.name, v.out, false);
}

void domain_xl_disks(struct domain_xl *x)
{
	struct xl_setting *s = domain_xl_take(x, "disk");
	struct emit *all = NULL;

	if (!domain_xl_is_list(x, s, "every disk"))
		return;
	for (size_t i = 0; i < s->n; i++)
		disk(x, &all, s->items[i].text ? s->items[i].text : "", s->items[i].span);
	if (all)
		emit_put(x->out, "disks", all, true);
}
