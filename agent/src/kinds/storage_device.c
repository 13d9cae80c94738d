/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * From what the manifest calls a device to the one disk that is meant.
 */
#include "kinds/storage_device.h"

#include <errno.h>
#include <stdio.h>

#include "base/ident.h"
#include "base/num.h"
#include "base/str.h"
#include "kinds/lvm_facts.h"

#define CANDIDATES_MAX 64
#define DEVICE_MIN     (64u << 20)

int parse_pci(struct decode *c, const struct field *f, const char *text, const char **ret,
	      struct err *e)
{
	const char *s = startswith(text, "pci-") ? text + 4 : text;
	unsigned domain, bus, slot, function;
	int n = 0;

	if (sscanf(s, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &n) != 4 || n != 12 ||
	    (s[n] && s[n] != '-'))
		return err_set(e, -EINVAL,
			       "a PCI path such as pci-0000:00:1f.2-ata-1 or 0000:00:1f.2");
	*ret = arena_printf(c->arena, "pci-%04x:%02x:%02x.%x%s", domain, bus, slot, function,
			    s + n);
	return 0;
}

const char *device_key(const struct storage_device *d)
{
	return d->serial ? "serial" : d->wwid ? "wwid" : d->path ? "path" : "pci";
}

static const char *value_of(const struct storage_device *d)
{
	return d->serial ? d->serial : d->wwid ? d->wwid : d->path ? d->path : d->pci;
}

const char *device_title(struct arena *a, const struct storage_device *d)
{
	const char *name = arena_printf(a, "%s '%s'", device_key(d), value_of(d));
	char least[NUM_TEXT], most[NUM_TEXT];

	if (d->min_size && d->max_size)
		return arena_printf(a, "%s of %s to %s", name, num_size(least, d->min_size),
				    num_size(most, d->max_size));
	if (d->min_size)
		return arena_printf(a, "%s of at least %s", name, num_size(least, d->min_size));
	if (d->max_size)
		return arena_printf(a, "%s of at most %s", name, num_size(most, d->max_size));
	return name;
}

/* The 32 hex digits of a version 5 UUID, in groups as LVM writes its own: 6-4-4-4-4-4-6. Its alphabet
 * is letters and digits, of which hex digits are some. */
void device_pv_uuid(const char *namespace, const char *storage, const struct storage_device *d,
		    char ret[PV_UUID_TEXT])
{
	static const unsigned char groups[] = {6, 4, 4, 4, 4, 4, 6};
	_cleanup_(freep) char *plain = xasprintf("%s/%s/%s", storage, device_key(d), value_of(d));
	/* Two of one name are told apart by their sizes. */
	_cleanup_(freep) char *name =
		d->min_size || d->max_size
			? xasprintf("%s/%llu-%llu", plain, (unsigned long long)d->min_size,
				    (unsigned long long)d->max_size)
			: xstrdup(plain);
	char uuid[UUID_TEXT];
	const char *from = uuid;
	char *to = ret;

	ident_uuid(namespace, "pv", name, uuid);
	for (size_t g = 0; g < ARRAY_SIZE(groups); g++) {
		if (g)
			*to++ = '-';
		for (unsigned i = 0; i < groups[g]; i++) {
			while (*from == '-')
				from++;
			*to++ = *from++;
		}
	}
	*to = '\0';
}

static bool behind_pci(const struct blk_disk *b, const char *pci)
{
	size_t n = strlen(pci);

	return b->pci && strncmp(b->pci, pci, n) == 0 && (!b->pci[n] || b->pci[n] == '-');
}

static bool named(const struct blk_disk *b, const struct storage_device *d)
{
	if (d->path)
		return streq(b->path, d->path) || list_has(&b->links, d->path);
	if (b->parent)
		return false; /* the rest names whole disks */
	return d->serial ? streq(b->serial, d->serial)
	       : d->wwid ? list_has(&b->wwids, d->wwid)
			 : behind_pci(b, d->pci);
}

static bool sized(const struct blk_disk *b, const struct storage_device *d)
{
	return b->size >= d->min_size && (!d->max_size || b->size <= d->max_size);
}

static const struct lvm_pv *pv_of(const struct lvm_facts *l, const struct blk_disk *b)
{
	for (size_t i = 0; l && b->pv_uuid && i < l->pvs.n; i++) {
		const struct lvm_pv *p = l->pvs.items[i];

		if (streq(p->uuid, b->pv_uuid) && !p->missing)
			return p;
	}
	return NULL;
}

static const char *joined(struct arena *a, const struct list *l, const char *before)
{
	_cleanup_str_ struct str b = {0};

	for (size_t i = 0; i < l->n; i++)
		str_addf(&b, "%s%s%s", i ? ", " : "", before, (char *)l->items[i]);
	return arena_strdup(a, str_get(&b));
}

/* Why that disk must not be taken, in a few words that follow "it is refused: "; NULL: it may. */
static const char *refusal(struct arena *a, const struct lvm_facts *l, const struct blk_disk *b)
{
	const struct lvm_pv *pv = pv_of(l, b);

	if (b->root)
		return "the root file system is on it";
	if (b->mounts.n)
		return arena_printf(a, "it is mounted on %s", joined(a, &b->mounts, ""));
	if (pv && pv->vg)
		return arena_printf(a, "it belongs to volume group %s", pv->vg);
	if (b->unreadable)
		return arena_printf(a, "it can't be read: %s", b->unreadable);
	if (b->readonly)
		return "it is read-only";
	if (b->signatures.n)
		return arena_printf(a, "it bears a signature: %s", joined(a, &b->signatures, ""));
	if (b->partitions.n)
		return arena_printf(a, "it has partitions: %s", joined(a, &b->partitions, ""));
	if (b->holders.n)
		return arena_printf(a, "it is in use by %s", joined(a, &b->holders, ""));
	if (b->size < DEVICE_MIN)
		return "it is smaller than 64 MiB";
	return NULL;
}

/* In what that disk is not the one that is meant; NULL: it is. */
static const char *mismatch(struct arena *a, const struct blk_disk *b,
			    const struct storage_device *d)
{
	char size[NUM_TEXT];

	if (!named(b, d)) {
		if (d->wwid)
			return b->wwids.n
				       ? arena_printf(a, "its wwid is %s", joined(a, &b->wwids, ""))
				       : "it has no wwid";
		if (d->pci)
			return b->pci ? arena_printf(a, "it is at %s", b->pci)
				      : "it has no PCI path";
		return d->serial ? "another serial" : "another path";
	}
	if (b->size < d->min_size)
		return arena_printf(a, "smaller than min_size, %s", num_size(size, d->min_size));
	if (!sized(b, d))
		return arena_printf(a, "larger than max_size, %s", num_size(size, d->max_size));
	return NULL;
}

static const char *describe(struct arena *a, const struct lvm_facts *l, const struct blk_disk *b,
			    const struct storage_device *d)
{
	char size[NUM_TEXT];
	const char *other = mismatch(a, b, d), *why = refusal(a, l, b);

	return arena_printf(a, "%s (%s%s, %s: %s%s%s)", b->path, b->serial ? "serial " : "",
			    b->serial ? b->serial : "no serial", num_size(size, b->size),
			    other ? other : "", other && why ? "; " : "",
			    why     ? why
			    : other ? ""
				    : "empty");
}

/* Every disk that might have been meant and why it isn't, those of the right name first. */
static const char *candidates(struct arena *a, const struct lvm_facts *l, const struct blk_facts *k,
			      const struct storage_device *d)
{
	_cleanup_str_ struct str b = {0};
	size_t n = 0;

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < k->disks.n; i++) {
			const struct blk_disk *disk = k->disks.items[i];

			if (named(disk, d) != (pass == 0))
				continue;
			if (pass && (disk->parent || startswith(disk->name, "loop")))
				continue;
			if (n++ < CANDIDATES_MAX)
				str_addf(&b, "%s%s", b.n ? ", " : "", describe(a, l, disk, d));
		}
	if (n > CANDIDATES_MAX)
		str_addf(&b, " and %zu more", n - CANDIDATES_MAX);
	return n ? arena_printf(a, "there are: %s", b.s) : "there is no disk at all";
}

const struct blk_disk *device_pick(struct arena *a, const struct facts *f,
				   const struct storage_device *d, const char **ret_why,
				   const char **ret_help)
{
	const struct blk_facts *k = facts_get(f, "disks");
	const struct lvm_facts *l = lvm_facts(f);
	const struct blk_disk *found = NULL;
	_cleanup_str_ struct str all = {0};
	size_t n = 0;

	*ret_help = NULL;
	if (!k) {
		*ret_why = "the disks are not known";
		return NULL;
	}
	for (size_t i = 0; i < k->disks.n; i++) {
		const struct blk_disk *b = k->disks.items[i];

		if (!named(b, d) || !sized(b, d))
			continue;
		found = b;
		str_addf(&all, "%s%s", n++ ? ", " : "", describe(a, l, b, d));
	}
	if (n == 0) {
		*ret_why = arena_printf(a, "no disk has %s; %s", device_title(a, d),
					candidates(a, l, k, d));
		return NULL;
	}
	if (n > 1) {
		*ret_why = arena_printf(a, "%s fits %zu disks: %s", device_title(a, d), n, all.s);
		*ret_help =
			"name it by what only one of them has (see 'manor facts'), or narrow it with "
			"min_size and max_size";
		return NULL;
	}
	return found;
}

static const char *used_by_dom0(struct arena *a, const struct lvm_facts *l,
				const struct blk_disk *b)
{
	const struct lvm_pv *pv = pv_of(l, b);
	const struct lvm_vg *vg = pv && pv->vg ? lvm_vg(l, pv->vg) : NULL;
	struct list holders = {0};

	/* Guests are among them (host/blk_use.h): who of those has it is what claims are about. */
	for (size_t i = 0; i < b->holders.n; i++)
		if (!startswith(b->holders.items[i], "domain "))
			list_add(a, &holders, b->holders.items[i]);
	if (b->root)
		return "the root file system is on it";
	if (b->mounts.n)
		return arena_printf(a, "it is mounted on %s", joined(a, &b->mounts, ""));
	/* A group that is nobody's in dom0 is the guest's own. */
	if (vg && lvm_tag_value(&vg->tags, TAG_ID))
		return arena_printf(a, "it belongs to storage %s", pv->vg);
	if (holders.n)
		return arena_printf(a, "it is in use by %s", joined(a, &holders, ""));
	return NULL;
}

const char *device_busy(struct arena *a, const struct facts *f, const struct blk_disk *b,
			bool write)
{
	const struct blk_facts *k = facts_get(f, "disks");
	const struct lvm_facts *l = lvm_facts(f);
	const char *why = used_by_dom0(a, l, b);

	if (!why && write && b->readonly)
		return arena_printf(a, "%s is read-only: say read_only: true", b->path);
	/* Who has the whole has its partitions. */
	for (size_t i = 0; !why && k && i < k->disks.n; i++) {
		const struct blk_disk *part = k->disks.items[i];

		if (!streq(part->parent, b->name))
			continue;
		why = used_by_dom0(a, l, part);
		if (why)
			return arena_printf(
				a, "%s is not to be given away: its partition %s isn't free: %s",
				b->path, part->path, why);
	}
	return why ? arena_printf(a, "%s is not to be given away: %s", b->path, why) : NULL;
}

void device_find(struct arena *a, const struct facts *f, const char *storage,
		 const struct storage_device *d, struct device *ret)
{
	const struct lvm_facts *l = lvm_facts(f);
	const struct blk_disk *found;
	const struct lvm_pv *pv;
	const char *why;

	*ret = (struct device){.state = DEVICE_REFUSED, .want = d};
	found = device_pick(a, f, d, &ret->why, &ret->help);
	if (!found)
		return;
	ret->disk = found;
	pv = pv_of(l, found);
	if (pv && streq(pv->vg, storage)) {
		if (!found->readonly)
			ret->state = DEVICE_MEMBER;
		else
			ret->why = arena_printf(a,
						"%s, %s, is read-only: nothing in volume group %s "
						"can be changed",
						found->path, device_title(a, d), storage);
		return;
	}
	/* Ours if it bears the very UUID that follows from the manifest, and LVM alone is on it. */
	if (found->pv_uuid && streq(found->pv_uuid, d->pv) && !(pv && pv->vg) &&
	    found->signatures.n == 1 && !found->readonly && !found->mounts.n && !found->holders.n &&
	    !found->root) {
		ret->state = DEVICE_OURS;
		return;
	}
	why = refusal(a, l, found);
	if (!why) {
		ret->state = DEVICE_EMPTY;
		return;
	}
	ret->why = arena_printf(a, "%s, %s, is refused: %s", found->path, device_title(a, d), why);
	if (found->signatures.n && !found->readonly && !found->root && !found->mounts.n &&
	    !(pv && pv->vg))
		ret->help = arena_printf(
			a, "if nothing on it is needed, 'wipefs --all %s' clears it", found->path);
}
