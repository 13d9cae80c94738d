/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A domain's disks in the manifest: where each comes from, and what volumes follow from that.
 */
#include "host/seed.h"
#include "kinds/domain_priv.h"
#include "kinds/kinds.h"
#include "kinds/template.h"
#include "kinds/volume.h"

#define MIB (INT64_C(1) << 20)

TABLE(domain_disk_table, domain_disk, "disk",
      "A disk: a clone of a file of the template (from), or a declared volume (volume).",
      {.name = "vdev", .type = FIELD_STRING, .offset = FIELD_AT(domain_disk, vdev),
       .parse = parse_vdev, .flags = FIELD_REQUIRED, .impact = IMPACT_GUEST_RESTART,
       .doc = "what the guest calls it: xvda, sda1"},
      {.name = "from", .type = FIELD_STRING, .offset = FIELD_AT(domain_disk, from),
       .parse = parse_text, .flags = FIELD_CONFIG, .doc = "the template's file that it is a clone of"},
      {.name = "storage", .type = FIELD_STRING, .offset = FIELD_AT(domain_disk, storage),
       .parse = parse_name, .flags = FIELD_CONFIG, .ref = "storage",
       .doc = "where the clone lives; the template's storage when not given"},
      {.name = "size", .type = FIELD_SIZE, .offset = FIELD_AT(domain_disk, size), .min = MIB,
       .max = INT64_C(1) << 60, .flags = FIELD_CONFIG,
       .doc = "of the clone, which can grow while the guest runs; as large as the file when not "
	      "given"},
      {.name = "volume", .type = FIELD_STRING, .offset = FIELD_AT(domain_disk, volume),
       .parse = parse_name, .flags = FIELD_CONFIG, .ref = "volume", .doc = "a declared volume"},
      {.name = "read_only", .type = FIELD_BOOL, .offset = FIELD_AT(domain_disk, read_only),
       .def = "false", .impact = IMPACT_GUEST_RESTART, .doc = "the guest may only read it"},
      {.name = "file", .flags = FIELD_LATER, .type = FIELD_STRING,
       .doc = "make the image a file of the template, and the disk a clone of it with 'from'"},
      {.name = "cdrom", .flags = FIELD_LATER, .type = FIELD_STRING,
       .doc = "make the image a file of the template, and the disk a clone of it with 'from' and "
	      "'read_only: true'"},
      {.name = "target", .type = FIELD_STRING, .offset = FIELD_AT(domain_disk, target),
       .flags = FIELD_DERIVED, .impact = IMPACT_GUEST_RESTART, .doc = "the device in dom0"});

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

static void prepare_clone(struct lowering *l, const char *name, struct domain_disk *k)
{
	struct manifest *m = l->m;
	const struct template *t = l->template ? l->template->record : NULL;
	const struct template_import *i;
	struct resource *volume;
	struct span span = at(l, name, "from");
	const char *full;

	if (!field_given(&domain_table, l->d, "template")) {
		diag_error(m->diags, "unknown-file", span,
			   "disk '%s' of %s is to be a clone of '%s', but it has no template", name,
			   resource_title(m->arena, l->r), k->from);
		return;
	}
	if (!t)
		return;
	if (!k->storage && t->storage) {
		k->storage = t->storage;
		field_mark(&domain_disk_table, k, "storage");
	}
	if (!k->storage && (field_given(&domain_disk_table, k, "storage") ||
			    field_given(l->template->kind->table, t, "storage")))
		return; /* what is wrong with it was said */
	if (!k->storage) {
		struct diag *g = diag_error(m->diags, "missing-key", at(l, name, NULL),
					    "disk '%s' of %s lacks 'storage'", name,
					    resource_title(m->arena, l->r));
		diag_help(m->diags, g, "name one here, or once for all in template '%s'",
			  l->template->name);
		return;
	}
	if (!manifest_find(m, "storage", k->storage))
		return; /* which was said */
	if (!template_file(l->template, k->from)) {
		domain_unknown_file(l, span, arena_printf(m->arena, "disk '%s'", name), k->from);
		return;
	}
	i = template_import(m, l->template, k->from, k->storage);
	full = arena_printf(m->arena, "%s.%s", l->r->name, name);
	volume =
		i ? volume_imply(m, l->r, full, k->rec.node, k->storage, k->size, i->sha256) : NULL;
	if (!volume)
		return;
	volume_boot(volume, l->kernel_sha256, l->initrd_sha256);
	k->target = volume_path(m->arena, k->storage, full);
	field_mark(&domain_disk_table, k, "target");
	resource_needs(m, volume, l->template);
	resource_needs(m, l->r, volume);
	resource_needs(m, l->r, l->template);
}

static void prepare_volume(struct lowering *l, const char *name, struct domain_disk *k)
{
	static const char *const belongs[] = {"size", "storage"};
	struct resource *volume = manifest_find(l->m, "volume", k->volume);
	const struct volume *v;

	for (size_t i = 0; i < ARRAY_SIZE(belongs); i++) {
		if (!field_is_set(&domain_disk_table, k, belongs[i]))
			continue;
		struct diag *g =
			diag_error(l->m->diags, "conflicting-keys", at(l, name, belongs[i]),
				   "'%s' of disk '%s' of %s belongs to the volume", belongs[i],
				   name, resource_title(l->m->arena, l->r));
		if (volume)
			diag_also(l->m->diags, g, volume->span, "declared here");
	}
	if (!volume)
		return; /* which was said */
	v = volume->record;
	if (!v->storage)
		return;
	k->target = volume_path(l->m->arena, v->storage, volume->name);
	field_mark(&domain_disk_table, k, "target");
}

static void prepare_disks(struct lowering *l)
{
	const struct map *disks = &l->d->disks;

	for (size_t i = 0; i < disks->n; i++) {
		struct domain_disk *k = disks->entries[i].value;
		const char *name = disks->entries[i].name;

		const struct table *t = &domain_disk_table;
		bool both = k->from && k->volume;

		if (both || (!field_given(t, k, "from") && !field_given(t, k, "volume") &&
			     !field_strange(t, k))) {
			struct diag *g = diag_error(
				l->m->diags, both ? "conflicting-keys" : "missing-key",
				at(l, name, both ? "volume" : NULL), "disk '%.80s' of %s %s", name,
				resource_title(l->m->arena, l->r),
				both ? "has both 'from' and 'volume'"
				     : "has neither 'from' nor 'volume'");
			diag_help(l->m->diags, g,
				  "from: a clone of a file of the template; "
				  "volume: a declared volume");
		} else if (k->from) {
			prepare_clone(l, name, k);
		} else if (k->volume) {
			prepare_volume(l, name, k);
		}
		for (size_t j = 0; j < i; j++) {
			const struct domain_disk *other = disks->entries[j].value;
			struct diag *g;

			if (!k->vdev || !streq(k->vdev, other->vdev))
				continue;
			g = diag_error(l->m->diags, "duplicate-vdev", at(l, name, "vdev"),
				       "disks '%s' and '%s' of %s are both %s",
				       disks->entries[j].name, name,
				       resource_title(l->m->arena, l->r), k->vdev);
			diag_also(l->m->diags, g, at(l, disks->entries[j].name, "vdev"),
				  "first here");
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

		if (!disk->from || !disk->target)
			continue;
		full = arena_printf(a, "%s.%s", l->r->name, l->d->disks.entries[i].name);
		clone = manifest_find(l->m, "volume", full);
		of = arena_printf(a, "%s/%s", disk->storage, full);
	}
	if (!storage) {
		struct diag *g;

		if (field_given(&cloud_init_table, c, "storage") || l->d->disks.n)
			return; /* what is wrong was said */
		g = diag_error(l->m->diags, "missing-key", field_span(l->d, "cloud_init"),
			       "'cloud_init' of %s lacks 'storage'", resource_title(a, l->r));
		diag_help(l->m->diags, g, "it has no disk to go with: say where its own shall be");
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

void domain_lower_disks(struct lowering *l)
{
	prepare_disks(l);
	prepare_seed(l);
}
