/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Snapshots to be read.
 */
#include "kinds/snapshot.h"

#include <inttypes.h>

#include "kinds/lvm_facts.h"

#define PREFIX "copy."

/* A domain may be called "copy", and its disks begin alike: but not with a number and a dot. */
bool snapshot_is(const struct lvm_lv *lv)
{
	const char *number = startswith(lv->name, PREFIX) ? lv->name + strlen(PREFIX) : "";
	size_t n = strspn(number, "0123456789");

	return n > 0 && number[n] == '.' && lvm_filling(lv);
}

int snapshot_take(struct arena *a, const struct lvm_lv *of, int64_t now, const char **ret,
		  struct err *e)
{
	static const char *const tags[] = {TAG_STATE "=filling"};
	const char *name = arena_printf(a, PREFIX "%" PRId64 ".%s", now, of->name);
	int r = lvm_clone(of->vg, of->name, name, tags, ARRAY_SIZE(tags), e);

	if (r == 0)
		*ret = name;
	return r;
}

int snapshot_become_base(struct arena *a, const char *vg, const char *lv, const char *sha256,
			 const char *of, struct err *e)
{
	const char *tags[] = {
		arena_printf(a, TAG_BASE "=%s", sha256),
		arena_printf(a, TAG_CAPTURED "=%s", of),
	};
	char name[LVM_BASE_TEXT];
	int r;

	lvm_base_name(sha256, name);
	r = lvm_tag(vg, lv, tags, ARRAY_SIZE(tags), NULL, 0, e);
	if (r == 0)
		r = lvm_rename(vg, lv, name, e);
	if (r < 0)
		return r;
	r = lvm_base_finish(vg, name, e);
	if (r < 0)
		lvm_remove(vg, name, NULL); /* if that fails too: it is marked as half-made */
	return r;
}

static bool may_write(const struct xen_domain *d, const struct lvm_lv *lv)
{
	for (size_t i = 0; i < d->disks.n; i++) {
		const struct xen_disk *disk = d->disks.items[i];

		if (!disk->read_only && lvm_path_is(lv->vg, lv->name, disk->target))
			return true;
	}
	return false;
}

const struct xen_domain *snapshot_writer(const struct xen_facts *x, const struct lvm_lv *lv)
{
	const struct xen_domain *found = NULL;

	for (size_t i = 0; x && i < x->domains.n; i++) {
		const struct xen_domain *d = x->domains.items[i];

		if ((d->state != XEN_RUNNING && d->state != XEN_PAUSED) || !may_write(d, lv))
			continue;
		if (!found || d->state == XEN_RUNNING)
			found = d;
	}
	return found;
}
