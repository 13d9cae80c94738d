/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Domains in the manifest: the field table, merging with the template, what follows from a domain
 * (clones of disks, boot files, MACs), and what can't be.
 */
#include "host/seed.h"
#include "kinds/domain_priv.h"
#include "kinds/kinds.h"
#include "kinds/net_facts.h"
#include "kinds/template.h"
#include "kinds/volume.h"

#include <errno.h>

#define MIB         (INT64_C(1) << 20)
#define MEMORY_MIN  (16 * MIB)
#define MEMORY_MAX  (INT64_C(1) << 44)
#define VCPUS_MAX   128
#define CMDLINE_MAX 1023 /* xen/include/public/xen.h: MAX_GUEST_CMDLINE */
#define TIMEOUT_MAX 3600

#define BOOT_INSTEAD                                                                               \
	"guests boot their kernel directly: give 'kernel', and 'initrd' if it needs one"

static const char *const end_words[] = {"destroy", "restart", NULL};

/* A file of the template, or a path. */
static int parse_boot(struct decode *c, const struct field *f, const char *text, const char **ret,
		      struct err *e)
{
	size_t n = strlen(text);

	if (n && text[n - 1] == '/')
		return err_set(e, -EINVAL, "a file: it ends with '/'");
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
 * sure that it isn't. */
static enum impact disks_impact(const struct field *f, const void *old, const void *new_,
				const struct facts *facts)
{
	const struct map *have = field_ptr(f, old), *want = field_ptr(f, new_);

	for (size_t i = 0; i < have->n; i++)
		if (!map_get(want, have->entries[i].name))
			return IMPACT_GUEST_RESTART;
	return IMPACT_LIVE;
}

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

TABLE(domain_nic_table, domain_nic, "nic", "A network interface.",
      {.name = "bridge", .type = FIELD_STRING, .offset = FIELD_AT(domain_nic, bridge),
       .ref = "bridge", .flags = FIELD_REQUIRED, .impact = IMPACT_LIVE,
       .doc = "the bridge that it is plugged into"},
      {.name = "mac", .type = FIELD_STRING, .offset = FIELD_AT(domain_nic, mac),
       .parse = parse_mac, .impact = IMPACT_LIVE,
       .doc = "MAC address; follows from namespace, domain and name when not given, and never "
	      "changes then"},
      {.name = "model", .flags = FIELD_LATER, .type = FIELD_STRING,
       .doc = "leave it out: pv and pvh guests have Xen's own network card"},
      {.name = "vif", .type = FIELD_STRING, .offset = FIELD_AT(domain_nic, vif),
       .flags = FIELD_STATUS, .doc = "the interface in dom0"},
      {.name = "devid", .type = FIELD_INT, .offset = FIELD_AT(domain_nic, devid),
       .flags = FIELD_STATUS, .doc = "its number within the domain"});

TABLE(domain_table, domain, "domain", "A guest.",
      {.name = "template", .type = FIELD_STRING, .offset = FIELD_AT(domain, template),
       .parse = parse_name, .flags = FIELD_CONFIG, .ref = "template",
       .doc = "golden files and defaults; what the domain says itself goes over them"},
      {.name = "type", .type = FIELD_ENUM, .offset = FIELD_AT(domain, type),
       .words = xen_type_words, .def = "pvh", .impact = IMPACT_GUEST_RESTART,
       .doc = "pvh (needs hardware virtualisation) or pv; hvm comes with a later version"},
      {.name = "firmware", .flags = FIELD_LATER, .type = FIELD_STRING, .doc = BOOT_INSTEAD},
      {.name = "boot", .flags = FIELD_LATER, .type = FIELD_STRING, .doc = BOOT_INSTEAD},
      {.name = "vnc", .flags = FIELD_LATER, .type = FIELD_STRING,
       .doc = "leave it out: a guest's console is text, and 'xl console' shows it"},
      {.name = "kernel", .type = FIELD_STRING, .offset = FIELD_AT(domain, kernel),
       .parse = parse_boot, .flags = FIELD_CONFIG, .doc = "a file of the template or, with a slash, a path; required"},
      {.name = "initrd", .type = FIELD_STRING, .offset = FIELD_AT(domain, initrd),
       .parse = parse_boot, .flags = FIELD_CONFIG,
       .doc = "a file of the template or, with a slash, a path; none when not given"},
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
       .doc = "its disks by name; one that goes takes a restart, for the guest may use it"},
      {.name = "cloud_init", .type = FIELD_SUB, .offset = FIELD_AT(domain, cloud_init),
       .sub = &cloud_init_table, .flags = FIELD_CONFIG,
       .doc = "what cloud-init in the guest is told at its first boot"},
      {.name = "nics", .type = FIELD_MAP, .offset = FIELD_AT(domain, nics),
       .sub = &domain_nic_table, .impact = IMPACT_LIVE, .doc = "its interfaces by name"},
      {.name = "depends_on", .type = FIELD_LIST, .offset = FIELD_AT(domain, depends_on),
       .parse = parse_name, .ref = "domain", .flags = FIELD_CONFIG | FIELD_UNORDERED,
       .doc = "domains that are started first, and whose failure stops this one's start"},
      {.name = "on_poweroff", .type = FIELD_ENUM, .offset = FIELD_AT(domain, on_poweroff),
       .words = end_words, .def = "destroy", .flags = FIELD_CONFIG,
       .doc = "what follows when the guest powers itself off: destroy (it stays off until `manor "
	      "start`, a host boot, or a change of its manifest) or restart"},
      {.name = "on_reboot", .type = FIELD_ENUM, .offset = FIELD_AT(domain, on_reboot),
       .words = end_words, .def = "restart", .flags = FIELD_CONFIG,
       .doc = "what follows when it reboots itself"},
      {.name = "on_crash", .type = FIELD_ENUM, .offset = FIELD_AT(domain, on_crash),
       .words = end_words, .def = "restart", .flags = FIELD_CONFIG,
       .doc = "what follows when it crashes; restarts come with a growing delay, at most 5 minutes"},
      {.name = "shutdown_timeout", .type = FIELD_DURATION,
       .offset = FIELD_AT(domain, shutdown_timeout), .min = 1, .max = TIMEOUT_MAX, .def = "60s",
       .flags = FIELD_CONFIG,
       .doc = "how long the guest may take to shut down before it is destroyed"},
      {.name = "state", .type = FIELD_STRING, .offset = FIELD_AT(domain, state),
       .flags = FIELD_STATUS, .doc = "what it does"},
      {.name = "domid", .type = FIELD_INT, .offset = FIELD_AT(domain, domid),
       .flags = FIELD_STATUS, .doc = "Xen's number of it"},
      {.name = "memory_now", .type = FIELD_SIZE, .offset = FIELD_AT(domain, memory_now),
       .flags = FIELD_STATUS, .doc = "memory that it has"},
      {.name = "vcpus_now", .type = FIELD_INT, .offset = FIELD_AT(domain, vcpus_now),
       .flags = FIELD_STATUS, .doc = "virtual processors that it uses"},
      {.name = "started", .type = FIELD_INT, .offset = FIELD_AT(domain, started),
       .flags = FIELD_STATUS, .doc = "when it was made, seconds since 1970"});

const struct table *const domain_disk_fields = &domain_disk_table;
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

/* What prepare() works on. */
struct lowering {
	struct manifest *m;
	struct resource *r;
	struct domain *d;
	struct resource *template; /* NULL: none, or one that is unknown, which was said */
	const char *kernel_sha256, *initrd_sha256; /* of the template's files; NULL: others */
};

/* Of a disk's field; NULL: of the disk. */
static struct span at(const struct lowering *l, const char *disk, const char *field)
{
	return field_span(l->d, arena_printf(l->m->arena, "disks.%s%s%s", disk, field ? "." : "",
					     field ? field : ""));
}

static void unknown_file(struct lowering *l, struct span span, const char *what, const char *file)
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

/* A name of the template's file → the cached file; a path → itself. NULL when said what is wrong. */
static const char *boot_path(struct lowering *l, const char *field, const char *text,
			     const char **ret_sha256)
{
	const struct template_import *i;
	struct span span = field_span(l->d, field);

	if (text[0] == '/')
		return text;
	if (strchr(text, '/'))
		return arena_printf(l->m->arena, "%s/%s", l->m->dir, text);
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
		unknown_file(l, span, field, text);
		return NULL;
	}
	resource_needs(l->m, l->r, l->template);
	*ret_sha256 = i->sha256;
	return i->path;
}

static void prepare_boot(struct lowering *l)
{
	struct domain *d = l->d;

	/* What was meant to boot instead is said to be for later, with what to do. */
	bool later = d->type == XEN_HVM || node_get(d->rec.node, "firmware") ||
		     node_get(d->rec.node, "boot");

	if (!field_given(&domain_table, d, "kernel") && !later) {
		struct diag *g = diag_error(l->m->diags, "missing-key", l->r->span,
					    "%s lacks 'kernel'", resource_title(l->m->arena, l->r));
		diag_help(l->m->diags, g,
			  "kernel: a file of its template or, with a slash, a path");
	} else if (d->kernel) {
		d->kernel_path = boot_path(l, "kernel", d->kernel, &l->kernel_sha256);
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
		unknown_file(l, span, arena_printf(m->arena, "disk '%s'", name), k->from);
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

static void whole_mib(struct lowering *l, const char *field, uint64_t bytes)
{
	if (bytes % MIB == 0)
		return;
	diag_error(l->m->diags, "bad-value", field_span(l->d, field),
		   "'%s' of %s is not in whole MiB", field, resource_title(l->m->arena, l->r));
}

static void prepare_bounds(struct lowering *l)
{
	const struct domain *d = l->d;
	struct diag *g;

	whole_mib(l, "memory", d->memory);
	whole_mib(l, "maxmem", d->maxmem);
	if (field_is_set(&domain_table, d, "maxmem") && d->maxmem < d->memory) {
		g = diag_error(l->m->diags, "out-of-range", field_span(d, "maxmem"),
			       "'maxmem' of %s is less than its 'memory'",
			       resource_title(l->m->arena, l->r));
		diag_also(l->m->diags, g, field_span(d, "memory"), "memory");
	}
	if (field_is_set(&domain_table, d, "maxvcpus") && d->maxvcpus < d->vcpus) {
		g = diag_error(l->m->diags, "out-of-range", field_span(d, "maxvcpus"),
			       "'maxvcpus' of %s is less than its 'vcpus'",
			       resource_title(l->m->arena, l->r));
		diag_also(l->m->diags, g, field_span(d, "vcpus"), "vcpus");
	}
}

static void prepare(struct manifest *m, struct resource *r)
{
	struct lowering l = {.m = m, .r = r, .d = r->record};

	if (l.d->template)
		l.template = manifest_find(m, "template", l.d->template);
	if (l.d->type == XEN_HVM) {
		struct diag *g = diag_error(m->diags, "not-supported", field_span(l.d, "type"),
					    "type hvm (%s) is not in this version",
					    resource_title(m->arena, r));

		diag_help(m->diags, g,
			  "write pvh, or pv where the processor lacks virtualisation; both boot "
			  "their kernel directly, from 'kernel' and 'initrd'");
	}
	prepare_boot(&l);
	prepare_disks(&l);
	prepare_seed(&l);
	prepare_bounds(&l);
	for (size_t i = 0; i < l.d->nics.n; i++) {
		struct domain_nic *n = l.d->nics.entries[i].value;
		char mac[MAC_TEXT];

		if (field_given(&domain_nic_table, n, "mac"))
			continue;
		ident_mac(m->namespace, r->name, l.d->nics.entries[i].name, mac);
		n->mac = arena_strdup(m->arena, mac);
		field_mark(&domain_nic_table, n, "mac");
	}
}

/* One use of something that only one may have: a MAC, a volume that is written to. */
struct use {
	const char *what; /* the MAC, the target */
	const struct resource *domain;
	const struct entry *entry; /* of the NIC or disk */
	const char *field;         /* of it */
	bool writes;
};

static int by_what(const void *a, const void *b)
{
	const struct use *x = a, *y = b;
	int r = strcmp(x->what, y->what);

	if (r == 0)
		r = strcmp(x->domain->name, y->domain->name);
	return r ? r : strcmp(x->entry->name, y->entry->name);
}

static struct span use_span(const struct use *u)
{
	return field_span(u->entry->value, u->field);
}

/* The domain, or of two uses within one the NIC or disk. */
static const char *use_title(struct arena *a, const char *word, const struct use *u,
			     const struct use *other)
{
	const char *domain = resource_title(a, u->domain);

	if (u->domain != other->domain)
		return domain;
	return arena_printf(a, "%s '%.80s' of %s", word, u->entry->name, domain);
}

static bool earlier(const struct use *a, const struct use *b)
{
	struct span x = use_span(a), y = use_span(b);

	return x.line != y.line ? x.line < y.line : x.column <= y.column;
}

static void add_use(struct manifest *m, struct use **list, size_t *n, const struct resource *r,
		    const char *what, bool writes, const struct entry *entry, const char *field)
{
	if (!what)
		return;
	*list = arena_grow(m->arena, *list, *n, sizeof(**list));
	(*list)[(*n)++] = (struct use){
		.what = what,
		.domain = r,
		.writes = writes,
		.entry = entry,
		.field = field,
	};
}

/* A guest with the MAC of one of the host's own cards would take its packets. */
static void check_host_mac(struct manifest *m, const struct use *u)
{
	for (size_t i = 0; i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];
		const struct link *l = r->record;
		struct diag *g;

		if (r->kind != &kind_link || !l->match.mac || !streq(l->match.mac, u->what))
			continue;
		g = diag_error(m->diags, "duplicate-mac", use_span(u),
			       "%s has the MAC address of link '%s', %s",
			       resource_title(m->arena, u->domain), r->name, u->what);
		diag_also(m->diags, g, field_span(l, "match.mac"), "the link's");
	}
}

static void check(struct manifest *m)
{
	struct use *macs = NULL, *targets = NULL;
	size_t n_macs = 0, n_targets = 0;

	for (size_t i = 0; i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];
		const struct domain *d = r->record;

		if (r->kind != &kind_domain)
			continue;
		for (size_t k = 0; k < d->nics.n; k++)
			add_use(m, &macs, &n_macs, r,
				((struct domain_nic *)d->nics.entries[k].value)->mac, true,
				&d->nics.entries[k], "mac");
		for (size_t k = 0; k < d->disks.n; k++) {
			const struct domain_disk *x = d->disks.entries[k].value;

			add_use(m, &targets, &n_targets, r, x->target, !x->read_only,
				&d->disks.entries[k], x->volume ? "volume" : "from");
		}
	}
	for (size_t i = 0; i < n_macs; i++)
		check_host_mac(m, &macs[i]);
	if (macs)
		qsort(macs, n_macs, sizeof(*macs), by_what);
	for (size_t i = 1; i < n_macs; i++) {
		bool swap = earlier(&macs[i], &macs[i - 1]);
		const struct use *second = &macs[swap ? i - 1 : i],
				 *first = &macs[swap ? i : i - 1];
		struct diag *g;

		if (!streq(macs[i].what, macs[i - 1].what))
			continue;
		g = diag_error(m->diags, "duplicate-mac", use_span(second),
			       "%s and %s have the same MAC address %s",
			       use_title(m->arena, "nic", first, second),
			       use_title(m->arena, "nic", second, first), first->what);
		diag_also(m->diags, g, use_span(first), "first here");
	}
	if (targets)
		qsort(targets, n_targets, sizeof(*targets), by_what);
	for (size_t i = 1; i < n_targets; i++) {
		bool swap = earlier(&targets[i], &targets[i - 1]);
		const struct use *second = &targets[swap ? i - 1 : i],
				 *first = &targets[swap ? i : i - 1];
		struct diag *g;

		if (!streq(targets[i].what, targets[i - 1].what) ||
		    (!first->writes && !second->writes))
			continue;
		g = diag_error(m->diags, "shared-volume", use_span(second),
			       "%s uses a volume that %s uses too, and one of them may write it",
			       use_title(m->arena, "disk", second, first),
			       use_title(m->arena, "disk", first, second));
		diag_also(m->diags, g, use_span(first), "first here");
		diag_help(m->diags, g, "a volume is shared only where all say read_only: true");
	}
}

static const char *const readers[] = {"xen", "intent", NULL};

const struct kind kind_domain = {
	.name = "domain",
	.section = "domains",
	.table = &domain_table,
	.readers = readers,
	.before = before,
	.prepare = prepare,
	.check = check,
	.claims = domain_claims,
	.wanted = domain_wanted,
	.met = domain_met,
	.actual = domain_actual,
	.decide = domain_decide,
	.apply = domain_apply,
};
