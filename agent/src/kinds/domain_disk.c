/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A domain's disks in the manifest: where each comes from, and what volumes follow from that.
 */
#include <errno.h>

#include "host/seed.h"
#include "kinds/disk_file.h"
#include "kinds/domain_priv.h"
#include "kinds/kinds.h"
#include "kinds/storage_device.h"
#include "kinds/template.h"
#include "kinds/volume.h"

#define MIB (INT64_C(1) << 20)

/* A drive's disc is changed as the guest runs; of another guest a cdrom is a disk like others. */
static enum impact target_impact(const struct field *f, const void *old, const void *new_,
				 const struct facts *facts)
{
	const struct domain_disk *have = old, *want = new_;

	return have->changeable && want->cdrom ? IMPACT_LIVE : f->impact;
}

/* A path by one name: with ".." the same file could have several. */
static int parse_file(struct decode *c, const struct field *f, const char *text, const char **ret,
		      struct err *e)
{
	int r = parse_path(c, f, text, ret, e);
	size_t n = r < 0 ? 0 : strlen(*ret);

	if (r < 0)
		return r;
	if (strstr(*ret, "/../") || (n > 3 && streq(*ret + n - 3, "/..")))
		return err_set(e, -EINVAL, "a path without '..': write where it leads");
	return 0;
}

static int parse_disc(struct decode *c, const struct field *f, const char *text, const char **ret,
		      struct err *e)
{
	if (!streq(text, DISC_NONE))
		return parse_file(c, f, text, ret, e);
	*ret = DISC_NONE;
	return 0;
}

static const char *const format_words_here[] = {"raw", NULL};
static const struct other_word format_others[] = {
	{"qcow2", "raw, which 'qemu-img convert -O raw' makes of it"},
	{"qcow", "raw, which 'qemu-img convert -O raw' makes of it"},
	{"vmdk", "raw, which 'qemu-img convert -O raw' makes of it"},
	{"vhd", "raw, which 'qemu-img convert -O raw' makes of it"},
	{}};

TABLE(domain_device_table, storage_device, "device",
      "A disk of the machine's, by what stays the same when cables and kernels change.",
      {.name = "serial", .type = FIELD_STRING, .offset = FIELD_AT(storage_device, serial),
       .parse = parse_text, .max = 255, .flags = FIELD_CONFIG,
       .doc = "its serial number, as 'manor facts' shows it"},
      {.name = "wwid", .type = FIELD_STRING, .offset = FIELD_AT(storage_device, wwid),
       .parse = parse_text, .max = 255, .flags = FIELD_CONFIG,
       .doc = "its world-wide id, as 'manor facts' shows it"},
      {.name = "path", .type = FIELD_STRING, .offset = FIELD_AT(storage_device, path),
       .parse = parse_path, .flags = FIELD_CONFIG,
       .doc = "a link that stays, such as /dev/disk/by-id/…, of a disk or a partition; or a volume that others made in "
	      "LVM: /dev/GROUP/VOLUME"},
      {.name = "pci", .type = FIELD_STRING, .offset = FIELD_AT(storage_device, pci),
       .parse = parse_pci, .flags = FIELD_CONFIG,
       .doc = "where it sits, as 'manor facts' shows it: pci-0000:00:1f.2-ata-1"},
      {.name = "min_size", .type = FIELD_SIZE, .offset = FIELD_AT(storage_device, min_size),
       .min = 1, .max = INT64_MAX, .flags = FIELD_CONFIG,
       .doc = "at least so large; any size when not given"},
      {.name = "max_size", .type = FIELD_SIZE, .offset = FIELD_AT(storage_device, max_size),
       .min = 1, .max = INT64_MAX, .flags = FIELD_CONFIG,
       .doc = "at most so large; any size when not given"},
      {.name = "partition", .type = FIELD_INT, .offset = FIELD_AT(storage_device, partition),
       .min = 1, .max = 128, .flags = FIELD_CONFIG,
       .doc = "the number of a partition of it; the whole disk when not given"});

TABLE(domain_disk_table, domain_disk, "disk",
      "A disk: from (a clone of a file of the template), volume (a declared one), file, cdrom, device, nbd or "
      "iscsi say where it comes from; without any of them it is an empty volume of its own, 'size' "
      "large, in 'storage'.",
      {.name = "vdev", .type = FIELD_STRING, .offset = FIELD_AT(domain_disk, vdev),
       .parse = parse_vdev, .flags = FIELD_REQUIRED, .impact = IMPACT_GUEST_RESTART,
       .doc = "what the guest calls it: xvda, sda1"},
      {.name = "from", .type = FIELD_STRING, .offset = FIELD_AT(domain_disk, from),
       .parse = parse_text, .flags = FIELD_CONFIG,
       .doc = "the template's file that it is a clone of; with 'file', a clone that is a file"},
      {.name = "volume", .type = FIELD_STRING, .offset = FIELD_AT(domain_disk, volume),
       .parse = parse_name, .flags = FIELD_CONFIG, .ref = "volume", .doc = "a declared volume"},
      {.name = "file", .type = FIELD_STRING, .offset = FIELD_AT(domain_disk, file),
       .parse = parse_file, .flags = FIELD_CONFIG,
       .doc = "a file in dom0; one that isn't there is made when 'size' or 'from' is given, sparse: it "
	      "occupies what is written; it is never removed"},
      {.name = "format", .type = FIELD_ENUM, .offset = FIELD_AT(domain_disk, format), .words = format_words_here,
       .others = format_others, .flags = FIELD_CONFIG,
       .doc = "of a file: raw, which all are; said where it begins like qcow2, VMDK or VHD and is none, for such files "
	      "are refused else"},
      {.name = "cdrom", .type = FIELD_STRING, .offset = FIELD_AT(domain_disk, cdrom),
       .parse = parse_disc, .flags = FIELD_CONFIG,
       .doc = "an ISO in dom0, which many guests may read; an hvm guest has a drive for it, where another can be put "
	      "while it runs, or none: then it is empty"},
      {.name = "device", .type = FIELD_SUB, .offset = FIELD_AT(domain_disk, device),
       .sub = &domain_device_table, .flags = FIELD_CONFIG,
       .doc = "a disk of the machine's, or a partition of one, as it is"},
      {.name = "nbd", .type = FIELD_STRING, .offset = FIELD_AT(domain_disk, nbd),
       .parse = parse_nbd, .flags = FIELD_CONFIG,
       .doc = "an export of a network block device server: nbd://HOST/EXPORT"},
      {.name = "iscsi", .type = FIELD_STRING, .offset = FIELD_AT(domain_disk, iscsi),
       .parse = parse_iscsi, .flags = FIELD_CONFIG,
       .doc = "an iSCSI disk: iscsi://HOST/TARGET/LUN; one user of a target at a time"},
      {.name = "storage", .type = FIELD_STRING, .offset = FIELD_AT(domain_disk, storage),
       .parse = parse_name, .flags = FIELD_CONFIG, .ref = "storage",
       .doc = "where the clone or the empty volume lives; the template's storage when not given"},
      {.name = "size", .type = FIELD_SIZE, .offset = FIELD_AT(domain_disk, size), .min = MIB,
       .max = INT64_C(1) << 60, .flags = FIELD_CONFIG,
       .doc = "of a clone, an empty volume or a file, which can grow while the guest runs; a clone is as "
	      "large as the template's file when not given"},
      {.name = "thin", .type = FIELD_BOOL, .offset = FIELD_AT(domain_disk, thin), .flags = FIELD_CONFIG,
       .doc = "of an empty volume: false: all its space at once, beside the pool, and not zeroed; from the "
	      "pool, taking what is written, when not given"},
      {.name = "swap", .type = FIELD_BOOL, .offset = FIELD_AT(domain_disk, swap), .flags = FIELD_CONFIG,
       .doc = "of an empty volume or file: made as swap space; plain when not given"},
      {.name = "read_only", .type = FIELD_BOOL, .offset = FIELD_AT(domain_disk, read_only),
       .def = "false", .impact = IMPACT_GUEST_RESTART,
       .doc = "the guest may only read it; a cdrom always"},
      {.name = "attached", .type = FIELD_BOOL, .offset = FIELD_AT(domain_disk, attached), .def = "true",
       .flags = FIELD_CONFIG,
       .doc = "false: the guest does without it, and what is on it stays; from one that runs it is taken at once, so "
	      "unmount it there before: Linux doesn't object, and loses what it had not written"},
      {.name = "target", .type = FIELD_STRING, .offset = FIELD_AT(domain_disk, target),
       .flags = FIELD_DERIVED, .impact = IMPACT_GUEST_RESTART, .impact_of = target_impact,
       .doc = "the device or file in dom0"},
      {.name = "id", .type = FIELD_STRING, .offset = FIELD_AT(domain_disk, id),
       .flags = FIELD_STATUS, .doc = "the thing itself, whatever it is called"},
      {.name = "changeable", .type = FIELD_BOOL, .offset = FIELD_AT(domain_disk, changeable),
       .flags = FIELD_STATUS, .doc = "whether its disc can be changed while the guest runs"});

const struct table *const domain_disk_fields = &domain_disk_table;

/* Of a disk's field; NULL: of the disk. */
static struct span at(const struct lowering *l, const char *disk, const char *field)
{
	return field_span(l->d, arena_printf(l->m->arena, "disks.%s%s%s", disk, field ? "." : "",
					     field ? field : ""));
}

void domain_unknown_file(struct lowering *l, struct span span, const char *what, const char *file)
{
	const struct template *t = l->template->record;
	const char **names = arena_alloc(l->m->arena, (t->files.n + 1) * sizeof(*names));
	struct diag *g;

	if (!template_lacks(l->template, file))
		return;
	for (size_t i = 0; i < t->files.n; i++)
		names[i] = t->files.entries[i].name;
	g = diag_error(l->m->diags, "unknown-file", span,
		       "%s of %s: template '%s' has no file '%s'", what,
		       resource_title(l->m->arena, l->r), l->template->name, file);
	diag_suggest(l->m->diags, g, file, names, t->files.n);
	diag_also(l->m->diags, g, l->template->span, "declared here");
}

static void set_target(struct domain_disk *k, const char *target)
{
	k->target = target;
	field_mark(&domain_disk_table, k, "target");
}

/* The file of the template; NULL: what is wrong was said. */
static const struct template_file *clone_of(struct lowering *l, const char *name,
					    const struct domain_disk *k)
{
	const struct template_file *f;

	if (!field_given(&domain_table, l->d, "template")) {
		diag_error(l->m->diags, "unknown-file", at(l, name, "from"),
			   "disk '%s' of %s is to be a clone of '%s', but it has no template", name,
			   resource_title(l->m->arena, l->r), k->from);
		return NULL;
	}
	if (!l->template)
		return NULL;
	f = template_file(l->template, k->from);
	if (!f)
		domain_unknown_file(l, at(l, name, "from"),
				    arena_printf(l->m->arena, "disk '%s'", name), k->from);
	return f;
}

/* The storage that is there; NULL: what is wrong was said. */
static struct resource *place_of(struct lowering *l, const char *name, struct domain_disk *k)
{
	struct manifest *m = l->m;
	const struct template *t = l->template ? l->template->record : NULL;
	struct diag *g;

	if (!k->storage && t && t->storage) {
		k->storage = t->storage;
		field_mark(&domain_disk_table, k, "storage");
	}
	if (k->storage)
		return manifest_find(m, "storage", k->storage); /* an unknown one was said */
	if (field_given(&domain_disk_table, k, "storage") ||
	    (t && field_given(l->template->kind->table, t, "storage")) ||
	    (field_given(&domain_table, l->d, "template") && !t))
		return NULL;
	g = diag_error(m->diags, "missing-key", at(l, name, NULL),
		       "disk '%s' of %s lacks 'storage'", name, resource_title(m->arena, l->r));
	if (l->template)
		diag_help(m->diags, g, "name one here, or once for all in template '%s'",
			  l->template->name);
	return NULL;
}

static const char *full_name(const struct lowering *l, const char *name)
{
	return arena_printf(l->m->arena, "%s.%s", l->r->name, name);
}

static void prepare_clone(struct lowering *l, const char *name, struct domain_disk *k)
{
	struct manifest *m = l->m;
	const struct template_import *i;
	struct resource *volume;
	const char *full = full_name(l, name);
	bool known = field_given(&domain_table, l->d, "template");

	if (known && (!l->template || !place_of(l, name, k)))
		return;
	if (!clone_of(l, name, k))
		return;
	i = template_import(m, l->template, k->from, k->storage);
	volume =
		i ? volume_imply(m, l->r, full, k->rec.node, k->storage, k->size, i->sha256) : NULL;
	if (!volume)
		return;
	volume_boot(volume, l->kernel_sha256, l->initrd_sha256);
	set_target(k, volume_path(m->arena, k->storage, full));
	resource_needs(m, volume, l->template);
	resource_needs(m, l->r, volume);
	resource_needs(m, l->r, l->template);
}

static void prepare_volume(struct lowering *l, const char *name, struct domain_disk *k)
{
	struct resource *volume = manifest_find(l->m, "volume", k->volume);
	const struct volume *v;

	if (!volume)
		return; /* which was said */
	v = volume->record;
	if (!v->storage)
		return;
	set_target(k, volume_path(l->m->arena, v->storage, volume->name));
}

/* An empty volume of the domain's own. */
static void prepare_empty(struct lowering *l, const char *name, struct domain_disk *k)
{
	const char *full = full_name(l, name);
	struct resource *volume;

	if (!field_given(&domain_disk_table, k, "size")) {
		struct diag *g = diag_error(l->m->diags, "missing-key", at(l, name, NULL),
					    "disk '%.80s' of %s has no 'size'", name,
					    resource_title(l->m->arena, l->r));

		diag_help(
			l->m->diags, g,
			"size and storage: an empty volume; from: a clone of a file of the template; "
			"volume: a declared one; or file, cdrom, device, nbd, iscsi");
		return;
	}
	if (!place_of(l, name, k) || !k->size)
		return;
	volume = volume_imply(l->m, l->r, full, k->rec.node, k->storage, k->size, NULL);
	if (!volume)
		return;
	volume_kind(volume, k->thin || !field_is_set(&domain_disk_table, k, "thin"), k->swap);
	set_target(k, volume_path(l->m->arena, k->storage, full));
	resource_needs(l->m, l->r, volume);
}

static void prepare_file(struct lowering *l, const char *name, struct domain_disk *k)
{
	const struct template_import *i = NULL;
	struct resource *file;

	if (k->from) {
		if (!clone_of(l, name, k))
			return;
		i = template_import_image(l->m, l->template, k->from);
	}
	set_target(k, k->file);
	if (!i && !k->size) {
		if (k->swap)
			diag_error(
				l->m->diags, "missing-key", at(l, name, "swap"),
				"disk '%.80s' of %s is to be made as swap space, but has no 'size'",
				name, resource_title(l->m->arena, l->r));
		return; /* it is there, and used as it is */
	}
	file = disk_file_imply(l->m, l->r, full_name(l, name), k->rec.node, k->file, k->size,
			       i ? i->sha256 : NULL, k->swap);
	if (!file)
		return;
	((struct disk_file *)file->record)->raw = field_given(&domain_disk_table, k, "format");
	resource_needs(l->m, l->r, file);
	if (i) {
		disk_file_boot(file, l->kernel_sha256, l->initrd_sha256);
		resource_needs(l->m, file, l->template);
		resource_needs(l->m, l->r, l->template);
	}
}

static void prepare_cdrom(struct lowering *l, const char *name, struct domain_disk *k)
{
	if (!k->read_only && node_get(k->rec.node, "read_only"))
		diag_error(l->m->diags, "bad-value", at(l, name, "read_only"),
			   "a cdrom can't be written: disk '%.80s' of %s", name,
			   resource_title(l->m->arena, l->r));
	if (streq(k->cdrom, DISC_NONE) && l->d->type != XEN_HVM && domain_type_known(l)) {
		struct diag *g = diag_error(
			l->m->diags, "bad-combination", at(l, name, "cdrom"),
			"only hvm guests have drives that can be empty: disk '%.80s' of "
			"%s, which is %s",
			name, resource_title(l->m->arena, l->r), xen_type_words[l->d->type]);
		diag_help(l->m->diags, g,
			  "name an ISO, or leave the disk out; a file called none is ./none");
	}
	k->read_only = true;
	field_mark(&domain_disk_table, k, "read_only");
	set_target(k, k->cdrom);
}

/* The manifest's own word: what could not be read of a template may say anything. */
static bool is_said(const struct record *rec, const char *key)
{
	const struct node *n = rec->node ? node_get(rec->node, key) : NULL;

	return n && !node_is_null(n);
}

static void prepare_device(struct lowering *l, const char *name, struct domain_disk *k)
{
	static const char *const keys[] = {"serial", "wwid", "path", "pci"};
	const char *found = NULL;
	struct diag *g;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!is_said(&k->device.rec, keys[i]))
			continue;
		if (found) {
			diag_error(l->m->diags, "conflicting-keys",
				   at(l, name, arena_printf(l->m->arena, "device.%s", keys[i])),
				   "device of disk '%.80s' of %s has both '%s' and '%s'", name,
				   resource_title(l->m->arena, l->r), found, keys[i]);
			return;
		}
		found = keys[i];
	}
	if (!found && !field_strange(&domain_device_table, &k->device)) {
		g = diag_error(l->m->diags, "missing-key", at(l, name, "device"),
			       "device of disk '%.80s' of %s doesn't say which", name,
			       resource_title(l->m->arena, l->r));
		diag_help(l->m->diags, g, "serial, wwid, path or pci, as 'manor facts' shows them");
	}
}

static void prepare_nbd(struct lowering *l, const char *name, struct domain_disk *k)
{
	set_target(k, k->nbd);
}

static void prepare_iscsi(struct lowering *l, const char *name, struct domain_disk *k)
{
	set_target(k, k->iscsi);
}

/* Where a disk comes from: the first that is given; and what may be said beside it. */
static const struct disk_source {
	const char *key, *what;
	void (*prepare)(struct lowering *l, const char *name, struct domain_disk *k);
	const char *takes[5];
} sources[] = {
	{"volume", "a declared volume", prepare_volume, {NULL}},
	{"file", "a file", prepare_file, {"from", "size", "swap", NULL}},
	{"from", "a clone", prepare_clone, {"storage", "size", NULL}},
	{"cdrom", "a cdrom", prepare_cdrom, {NULL}},
	{"device", "a device", prepare_device, {NULL}},
	{"nbd", "a disk from the network", prepare_nbd, {NULL}},
	{"iscsi", "a disk from the network", prepare_iscsi, {NULL}},
	{NULL, "an empty volume", prepare_empty, {"storage", "size", "thin", "swap", NULL}},
};

static bool takes(const struct disk_source *s, const char *key)
{
	for (size_t i = 0; s->takes[i]; i++)
		if (streq(s->takes[i], key))
			return true;
	return streq(s->key, key);
}

/* What doesn't go with where it comes from. */
static bool check_source(struct lowering *l, const char *name, const struct domain_disk *k,
			 const struct disk_source *s)
{
	static const char *const others[] = {"volume", "file",    "from", "cdrom", "device", "nbd",
					     "iscsi",  "storage", "size", "thin",  "swap"};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		const char *key = others[i];
		struct resource *volume;
		struct diag *g;

		if (takes(s, key) || !is_said(&k->rec, key))
			continue;
		if (s->key && (i >= 7) && streq(s->key, "volume")) {
			g = diag_error(l->m->diags, "conflicting-keys", at(l, name, key),
				       "'%s' of disk '%s' of %s belongs to the volume", key, name,
				       resource_title(l->m->arena, l->r));
			volume = k->volume ? manifest_find(l->m, "volume", k->volume) : NULL;
			if (volume)
				diag_also(l->m->diags, g, volume->span, "declared here");
		} else if (i < 7) {
			struct span here = at(l, name, key), there = at(l, name, s->key);
			bool first = span_cmp(&here, &there) < 0;

			g = diag_error(l->m->diags, "conflicting-keys",
				       at(l, name, first ? s->key : key),
				       "disk '%.80s' of %s has both '%s' and '%s'", name,
				       resource_title(l->m->arena, l->r), first ? key : s->key,
				       first ? s->key : key);
			diag_also(l->m->diags, g, at(l, name, first ? key : s->key), "first here");
			return false;
		} else {
			diag_error(l->m->diags, "conflicting-keys", at(l, name, key),
				   "'%s' of disk '%.80s' of %s: %s has none", key, name,
				   resource_title(l->m->arena, l->r), s->what);
		}
	}
	return true;
}

static void prepare_source(struct lowering *l, const char *name, struct domain_disk *k)
{
	const struct disk_source *s = sources;

	while (s->key && !is_said(&k->rec, s->key))
		s++;
	/* An unknown word, or a template's that couldn't be read, may have been meant. */
	if (!s->key && ((field_strange(&domain_disk_table, k) && !is_said(&k->rec, "size")) ||
			field_given(&domain_disk_table, k, "volume")))
		return;
	if (!check_source(l, name, k, s))
		return;
	/* What could not be understood was said. */
	if (!s->key || field_is_set(&domain_disk_table, k, s->key))
		s->prepare(l, name, k);
}

/* A guest's kernel gives its disks numbers by letter and partition, whatever stands before them, and an emulated
 * machine's IDE bus does so too; a whole disk has the numbers of all its partitions. */
static bool same_to_guest(const char *a, const char *b)
{
	const char *x = a + (startswith(a, "xvd") ? 3 : 2), *y = b + (startswith(b, "xvd") ? 3 : 2);

	return *x == *y && (!x[1] || !y[1] || streq(x + 1, y + 1));
}

static void same_vdev(struct lowering *l, const char *first, const char *second, const char *was,
		      const char *is)
{
	struct diag *g;

	if (streq(was, is)) {
		g = diag_error(l->m->diags, "duplicate-vdev", at(l, second, "vdev"),
			       "disks '%s' and '%s' of %s are both %s", first, second,
			       resource_title(l->m->arena, l->r), is);
	} else {
		g = diag_error(l->m->diags, "duplicate-vdev", at(l, second, "vdev"),
			       "disks '%s' and '%s' of %s are %s and %s, which are one to a guest",
			       first, second, resource_title(l->m->arena, l->r), was, is);
		diag_help(l->m->diags, g,
			  "hda and sda are other names for xvda, and who has all of it has xvda1 "
			  "too: take another letter");
	}
	diag_also(l->m->diags, g, at(l, first, "vdev"), "first here");
}

static bool is_away(const struct domain_disk *k)
{
	return field_is_set(&domain_disk_table, k, "attached") && !k->attached;
}

static void prepare_disks(struct lowering *l)
{
	const struct map *disks = &l->d->disks;

	for (size_t i = 0; i < disks->n; i++) {
		struct domain_disk *k = disks->entries[i].value;
		const char *name = disks->entries[i].name;

		prepare_source(l, name, k);
		for (size_t j = 0; j < i; j++) {
			const struct domain_disk *other = disks->entries[j].value;

			if (!k->vdev || !other->vdev || is_away(k) || is_away(other) ||
			    !same_to_guest(k->vdev, other->vdev))
				continue;
			same_vdev(l, disks->entries[j].name, name, other->vdev, k->vdev);
			break;
		}
	}
}

/* With the domain's first disk, unless it says where. */
static const char *seed_storage(const struct lowering *l)
{
	const struct cloud_init *c = &l->d->cloud_init;

	if (c->storage)
		return c->storage;
	for (size_t i = 0; i < l->d->disks.n; i++) {
		const struct domain_disk *k = l->d->disks.entries[i].value;
		const struct resource *v =
			k->volume ? manifest_find(l->m, "volume", k->volume) : NULL;

		if (k->storage)
			return k->storage;
		if (v && ((struct volume *)v->record)->storage)
			return ((struct volume *)v->record)->storage;
	}
	return NULL;
}

/* Whether any of its disks is to be a volume, right or wrong. */
static bool has_volumes(const struct lowering *l)
{
	static const char *const none[] = {"file", "cdrom", "device", "nbd", "iscsi"};

	for (size_t i = 0; i < l->d->disks.n; i++) {
		const void *k = l->d->disks.entries[i].value;
		bool other = false;

		for (size_t n = 0; n < ARRAY_SIZE(none); n++)
			other |= field_given(&domain_disk_table, k, none[n]);
		if (!other)
			return true;
	}
	return false;
}

static void prepare_seed(struct lowering *l)
{
	const struct cloud_init *c = &l->d->cloud_init;
	struct arena *a = l->m->arena;
	const char *storage = seed_storage(l), *of = NULL, *full;
	struct resource *clone = NULL, *volume;
	struct domain_disk *k;

	if (!field_is_set(&domain_table, l->d, "cloud_init"))
		return;
	if (map_get(&l->d->disks, SEED_DISK)) {
		diag_error(l->m->diags, "conflicting-keys", at(l, SEED_DISK, NULL),
			   "a disk of %s is called '" SEED_DISK
			   "', as the one that 'cloud_init' makes",
			   resource_title(a, l->r));
		return;
	}
	for (size_t i = 0; i < l->d->disks.n && !of; i++) {
		const struct domain_disk *disk = l->d->disks.entries[i].value;

		if (!disk->from || disk->file || !disk->target)
			continue;
		full = arena_printf(a, "%s.%s", l->r->name, l->d->disks.entries[i].name);
		clone = manifest_find(l->m, "volume", full);
		of = arena_printf(a, "%s/%s", disk->storage, full);
	}
	if (!storage) {
		struct diag *g;

		if (field_given(&cloud_init_table, c, "storage") || has_volumes(l))
			return; /* what is wrong was said */
		g = diag_error(l->m->diags, "missing-key", field_span(l->d, "cloud_init"),
			       "'cloud_init' of %s lacks 'storage'", resource_title(a, l->r));
		diag_help(l->m->diags, g,
			  "it has no volume to go with: say where its own shall be");
		return;
	}
	if (!manifest_find(l->m, "storage", storage))
		return; /* which was said */
	full = arena_printf(a, "%s." SEED_DISK, l->r->name);
	volume = volume_imply(l->m, l->r, full, c->rec.node, storage, SEED_BYTES, NULL);
	if (!volume)
		return;
	volume_seed(a, volume, seed_text(a, c, l->r->name), of, l->r->uuid);
	if (clone)
		resource_needs(l->m, volume, clone);
	k = arena_alloc(a, sizeof(*k));
	*k = (struct domain_disk){
		.vdev = c->vdev,
		.read_only = true,
		.target = volume_path(a, storage, full),
	};
	field_mark(&domain_disk_table, k, "vdev");
	field_mark(&domain_disk_table, k, "read_only");
	field_mark(&domain_disk_table, k, "target");
	map_add(a, &l->d->disks, SEED_DISK, k);
	field_mark(&domain_table, l->d, "disks");
	resource_needs(l->m, l->r, volume);
}

const char *iscsi_disk(const char *uri)
{
	return strchr(uri + strlen("iscsi://"), '/') + 1;
}

const char *domain_disk_what(struct arena *a, const struct domain_disk *k)
{
	const struct storage_device *d = &k->device;

	if (k->target && startswith(k->target, "iscsi://"))
		return iscsi_disk(k->target);
	if (k->target || !(d->serial || d->wwid || d->path || d->pci))
		return k->target;
	if (d->partition)
		return arena_printf(a, "partition %lld of %s", (long long)d->partition,
				    device_title(a, d));
	return device_title(a, d);
}

const char *domain_disk_key(const struct domain_disk *k)
{
	for (size_t i = 0; sources[i].key; i++)
		if (is_said(&k->rec, sources[i].key))
			return sources[i].key;
	return "vdev";
}

/* What it is to do without is none of its disks: no claim, no name to the guest. What it is made of stays. */
static void part(struct lowering *l)
{
	struct map all = l->d->disks;

	l->d->disks = (struct map){0};
	for (size_t i = 0; i < all.n; i++) {
		const struct domain_disk *k = all.entries[i].value;

		map_add(l->m->arena, is_away(k) ? &l->d->parted : &l->d->disks, all.entries[i].name,
			all.entries[i].value);
	}
	if (l->d->parted.n)
		field_mark(&domain_table, l->d, "parted");
}

void domain_lower_disks(struct lowering *l)
{
	prepare_disks(l);
	prepare_seed(l);
	part(l);
}
