/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where a domain's disks are on this host, and whether it may have them.
 */
#include <stdio.h>

#include "base/num.h"
#include "base/str.h"
#include "kinds/disk_file.h"
#include "kinds/domain_priv.h"
#include "kinds/kinds.h"
#include "kinds/lvm_facts.h"
#include "kinds/path_facts.h"
#include "kinds/storage_device.h"

static void add_unescaped(char **to, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		*(*to)++ = s[i];
		i += s[i] == '-';
	}
}

/* /dev/mapper/vg0-web--data is /dev/vg0/web-data (lvm(8), "VALID NAMES"): others say it so. */
const char *domain_disk_canonical(struct arena *a, const char *target)
{
	const char *dm =
		startswith(target, "/dev/mapper/") ? target + strlen("/dev/mapper/") : NULL;
	size_t n = 0;
	char *text, *to;

	for (; dm && dm[n] && !(dm[n] == '-' && dm[n + 1] != '-'); n++)
		n += dm[n] == '-';
	if (!dm || !dm[n] || n == 0)
		return target;
	text = to = arena_alloc(a, strlen(target) + 2);
	to += snprintf(text, strlen(target) + 2, "/dev/");
	add_unescaped(&to, dm, n);
	*to++ = '/';
	add_unescaped(&to, dm + n + 1, strlen(dm + n + 1));
	*to = '\0';
	return text;
}

/* "/dev/sda" of "/dev/sda2", "/dev/nvme0n1" of "/dev/nvme0n1p2"; NULL: no partition of a disk. */
static const char *whole_of(struct arena *a, const char *path)
{
	static const char *const plain[] = {"/dev/sd", "/dev/hd", "/dev/vd", "/dev/xvd"};
	static const char *const with_p[] = {"/dev/nvme", "/dev/mmcblk", "/dev/loop", "/dev/nbd",
					     "/dev/md"};
	size_t n = strlen(path), end = n;

	while (end && path[end - 1] >= '0' && path[end - 1] <= '9')
		end--;
	if (end == n || end == 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if (startswith(path, plain[i]))
			return arena_strndup(a, path, end);
	for (size_t i = 0; i < ARRAY_SIZE(with_p); i++)
		if (startswith(path, with_p[i]) && path[end - 1] == 'p' && end > 1 &&
		    path[end - 2] >= '0' && path[end - 2] <= '9')
			return arena_strndup(a, path, end - 1);
	return NULL;
}

static void add_claim(struct arena *a, struct list *ret, const char *what, const char *name,
		      bool shared)
{
	struct claim *c;

	if (!what)
		return;
	c = arena_alloc(a, sizeof(*c));
	*c = (struct claim){.what = what, .name = name, .shared = shared};
	list_add(a, ret, c);
}

void domain_abroad(struct arena *a, const void *record, struct list *ret)
{
	const struct domain *d = record;

	for (size_t i = 0; i < d->nics.n; i++) {
		const struct domain_nic *n = d->nics.entries[i].value;

		if (n->mac)
			list_add(a, ret, (char *)n->mac);
	}
}

/* By the name and, where the facts tell it, by the thing itself. Whoever has a partition shares the disk with
 * those who have the others. */
void domain_claims(struct arena *a, const void *record, struct list *ret)
{
	const struct domain *d = record;

	for (size_t i = 0; i < d->disks.n; i++) {
		const struct domain_disk *k = d->disks.entries[i].value;
		const char *what;

		if (!k->target || streq(k->target, DISC_NONE))
			continue;
		what = domain_disk_canonical(a, k->target);
		add_claim(a, ret, what, NULL, k->read_only);
		add_claim(a, ret, k->id, what, k->read_only);
		if (startswith(what, "iscsi://"))
			add_claim(a, ret, iscsi_disk(what), what, k->read_only);
		add_claim(a, ret, whole_of(a, what), NULL, true);
	}
	for (size_t i = 0; i < d->pci.n; i++) {
		const struct domain_pci *p = d->pci.entries[i].value;

		add_claim(a, ret, arena_printf(a, "PCI device %s", p->address), NULL, false);
		((struct claim *)ret->items[ret->n - 1])->at_start = true;
	}
	for (size_t i = 0; i < d->usb_devices.n; i++) {
		const struct domain_usb *u = d->usb_devices.entries[i].value;

		if (!u->at)
			continue;
		add_claim(a, ret, arena_printf(a, "the USB device at %s", u->at), NULL, false);
		((struct claim *)ret->items[ret->n - 1])->alone = true;
	}
	domain_claim_screen(a, d, ret);
}

static bool on_a_path(const struct domain_disk *k)
{
	return k->target && (k->file || (k->cdrom && !streq(k->target, DISC_NONE)));
}

void domain_paths(struct arena *a, const void *record, struct list *ret)
{
	const struct domain *d = record;

	for (size_t i = 0; i < d->disks.n; i++) {
		const struct domain_disk *k = d->disks.entries[i].value;

		if (on_a_path(k))
			list_add(a, ret, (void *)k->target);
	}
	domain_boot_paths(a, d, ret);
}

/* --- the devices that are meant --- */

static bool is_device(const struct domain_disk *k)
{
	return k->device.serial || k->device.wwid || k->device.path || k->device.pci;
}

/* "2" of "sda2" and of "nvme0n1p2". */
static int64_t number_of(const struct blk_disk *part)
{
	size_t n = strlen(part->name), end = n;
	int64_t number;

	while (end && part->name[end - 1] >= '0' && part->name[end - 1] <= '9')
		end--;
	return num_parse_int(part->name + end, 1, 1000, &number) == 0 ? number : 0;
}

static const struct blk_disk *find_device(struct arena *a, const struct facts *f,
					  const struct domain_disk *k, const char **ret_why,
					  const char **ret_help)
{
	const struct blk_disk *disk = device_pick(a, f, &k->device, ret_why, ret_help);
	const struct blk_facts *all = facts_get(f, "disks");

	if (!disk || !k->device.partition)
		return disk;
	for (size_t i = 0; i < all->disks.n; i++) {
		const struct blk_disk *part = all->disks.items[i];

		if (streq(part->parent, disk->name) && number_of(part) == k->device.partition)
			return part;
	}
	*ret_why = arena_printf(a, "%s has no partition %lld", disk->path,
				(long long)k->device.partition);
	return NULL;
}

/* A volume that others made in LVM, by the path that they call it: it is none of the machine's disks. NULL: the
 * device is none. */
static const struct lvm_lv *find_volume(struct arena *a, const struct facts *f,
					const struct domain_disk *k, const char **ret_target)
{
	const char *path = k->device.path ? domain_disk_canonical(a, k->device.path) : NULL;
	const char *vg = path && startswith(path, "/dev/") ? path + strlen("/dev/") : NULL;
	const char *slash = vg ? strchr(vg, '/') : NULL;

	if (!slash || strchr(slash + 1, '/') || k->device.partition)
		return NULL;
	*ret_target = path;
	return lvm_lv(lvm_facts(f), arena_strndup(a, vg, (size_t)(slash - vg)), slash + 1);
}

static void resolve(struct arena *a, const struct facts *f, struct domain_disk *k)
{
	const struct path_state *s = k->target ? path_facts(f, k->target) : NULL;
	const struct blk_disk *disk;
	const char *why, *help, *target;

	if (is_device(k) && find_volume(a, f, k, &target)) {
		k->target = target;
		field_mark(domain_disk_fields, k, "target");
	} else if (is_device(k) && facts_get(f, "disks")) {
		disk = find_device(a, f, k, &why, &help);
		if (!disk)
			return;
		k->target = disk->path;
		k->id = disk->number ? arena_printf(a, "device %s", disk->number) : NULL;
		field_mark(domain_disk_fields, k, "target");
	} else if (s && s->id) {
		k->id = s->id;
	}
	if (k->id)
		field_mark(domain_disk_fields, k, "id");
}

static struct map resolve_all(struct arena *a, const struct facts *f, const struct map *disks)
{
	struct map ret = {0};

	for (size_t i = 0; i < disks->n; i++) {
		struct domain_disk *k = disks->entries[i].value;

		if (is_device(k) || k->file || k->cdrom) {
			struct domain_disk *mine = arena_alloc(a, sizeof(*mine));

			*mine = *k;
			resolve(a, f, mine);
			k = mine;
		}
		map_add(a, &ret, disks->entries[i].name, k);
	}
	return ret;
}

const struct domain *domain_devices(struct arena *a, const struct facts *f, const struct domain *d)
{
	struct domain *copy = arena_alloc(a, sizeof(*copy));

	*copy = *d;
	copy->disks = resolve_all(a, f, &d->disks);
	copy->parted = resolve_all(a, f, &d->parted);
	return copy;
}

/* --- whether it may have them --- */

static void hold(struct planning *p, const struct domain *d, struct step *s, const char *disk,
		 const char *field, enum hold type, const char *why)
{
	step_hold_at(s, type, field_span(d, arena_printf(p->arena, "disks.%s.%s", disk, field)),
		     arena_printf(p->arena, "disk '%s': %s", disk, why));
}

/* Whether a step before this one makes it. */
static bool is_made(const struct resource *want, const char *path)
{
	for (size_t i = 0; i < want->n_needs; i++) {
		const struct disk_file *f = want->needs[i]->record;

		if (want->needs[i]->kind == &kind_file && streq(f->path, path))
			return true;
	}
	return false;
}

static void hold_path(struct planning *p, const struct resource *want, struct step *s,
		      const char *name, const struct domain_disk *k)
{
	const struct path_state *at = path_facts(p->facts, k->target);
	const char *field = k->cdrom ? "cdrom" : "file", *why;

	why = k->cdrom || field_given(domain_disk_fields, k, "format")
		      ? NULL
		      : disk_file_other(p->arena, p->facts, k->target);
	if (why) {
		hold(p, want->record, s, name, field, HOLD_CONFLICT, why);
		return;
	}
	if (is_made(want, k->target))
		return; /* its own step says it */
	if (!at) {
		hold(p, want->record, s, name, field, HOLD_UNKNOWN,
		     arena_printf(p->arena,
				  "nobody looked at %s: these facts are of another manifest",
				  k->target));
		return;
	}
	if (at->why)
		why = arena_printf(p->arena, "%s: %s", k->target, at->why);
	else if (at->type == PATH_ABSENT)
		why = arena_printf(p->arena,
				   k->cdrom ? "%s isn't there"
					    : "%s isn't there: give it a 'size', and it is made",
				   k->target);
	else if (at->type != PATH_FILE)
		why = arena_printf(p->arena, "%s is a %s%s", k->target, path_type_words[at->type],
				   at->type == PATH_DEVICE ? ": name it with 'device'" : "");
	else if (at->size == 0)
		why = arena_printf(p->arena, "%s is empty", k->target);
	else if (!k->read_only && at->read_only)
		why = arena_printf(
			p->arena, "the file system of %s is mounted read-only: say read_only: true",
			k->target);
	if (why)
		hold(p, want->record, s, name, field, HOLD_CONFLICT, why);
}

/* Why no guest may have that volume; NULL: it may. What dom0 has mounted is found by who connects it. */
static const char *volume_busy(struct arena *a, const char *path, const struct lvm_lv *lv,
			       bool write)
{
	if (lvm_tag_value(&lv->tags, TAG_ID) || lvm_tag_value(&lv->tags, TAG_BASE))
		return arena_printf(a, "%s is a volume of Manor's: name it with 'volume'", path);
	if (lv->type && !streq(lv->type, "linear") && !streq(lv->type, "striped") &&
	    !streq(lv->type, "thin") && !startswith(lv->type, "raid") &&
	    !streq(lv->type, "mirror") && !streq(lv->type, "cache"))
		return arena_printf(a, "%s is a %s, which is no disk", path, lv->type);
	if (!lv->active)
		return arena_printf(a, "%s isn't active: 'lvchange -ay %s'", path, path);
	if (write && lv->readonly)
		return arena_printf(a, "%s is read-only: say read_only: true", path);
	return NULL;
}

static void hold_device(struct planning *p, const struct resource *want, struct step *s,
			const char *name, const struct domain_disk *k)
{
	const char *why = NULL, *help = NULL, *path;
	const struct lvm_lv *lv = find_volume(p->arena, p->facts, k, &path);
	const struct blk_disk *disk;
	bool known = facts_get(p->facts, "disks");

	if (lv) {
		why = volume_busy(p->arena, path, lv, !k->read_only);
		if (why)
			hold(p, want->record, s, name, "device", HOLD_CONFLICT, why);
		return;
	}
	disk = find_device(p->arena, p->facts, k, &why, &help);
	if (disk && facts_unknown(p->facts, "lvm")) {
		known = false;
		why = arena_printf(p->arena, "whether a storage has %s isn't known: %s", disk->path,
				   facts_unknown(p->facts, "lvm"));
	} else if (disk) {
		why = device_busy(p->arena, p->facts, disk, !k->read_only);
	}
	if (why)
		hold(p, want->record, s, name, "device", known ? HOLD_CONFLICT : HOLD_UNKNOWN,
		     help ? arena_printf(p->arena, "%s; %s", why, help) : why);
}

void domain_hold_diskless(struct planning *p, const struct resource *want, struct step *s)
{
	const struct domain *d = want->record;

	for (size_t i = 0; i < d->disks.n && step_todo(s); i++) {
		const struct domain_disk *k = d->disks.entries[i].value;
		const char *name = d->disks.entries[i].name;

		if (is_device(k))
			hold_device(p, want, s, name, k);
		else if (on_a_path(k))
			hold_path(p, want, s, name, k);
	}
}

void domain_say_files(struct planning *p, const struct actual *have, struct step *step)
{
	const struct domain *d = have->record;
	_cleanup_str_ struct str files = {0};

	for (size_t i = 0; i < d->disks.n; i++) {
		const struct domain_disk *k = d->disks.entries[i].value;

		if (k->target && !k->read_only && k->target[0] == '/' &&
		    !startswith(k->target, "/dev/"))
			str_addf(&files, "%s%s", files.n ? ", " : "", k->target);
	}
	if (files.n)
		step->why = arena_printf(p->arena, "%s%s%s stay%s", step->why ? step->why : "",
					 step->why ? "; " : "", files.s,
					 strchr(files.s, ',') ? "" : "s");
}
