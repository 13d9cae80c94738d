/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * host/blk.h over disks in memory. What LVM writes on them comes from the LVM in memory.
 */
#include "host/blk.h"

#include <errno.h>

#include "tests/fake/fake.h"

static struct arena *arena;
static struct blk_facts host;

static void copy(struct arena *a, const struct blk_facts *from, struct blk_facts *ret)
{
	*ret = (struct blk_facts){0};
	for (size_t i = 0; i < from->disks.n; i++) {
		const struct blk_disk *d = from->disks.items[i];
		struct blk_disk *c = arena_alloc(a, sizeof(*c));

		*c = *d;
		c->rec = (struct record){0};
		c->name = arena_strdup(a, d->name);
		c->path = arena_strdup(a, d->path);
		c->parent = arena_strdup(a, d->parent);
		c->model = arena_strdup(a, d->model);
		c->serial = arena_strdup(a, d->serial);
		c->pci = arena_strdup(a, d->pci);
		c->pv_uuid = arena_strdup(a, d->pv_uuid);
		c->unreadable = arena_strdup(a, d->unreadable);
		c->wwids = fake_strings(a, &d->wwids);
		c->links = fake_strings(a, &d->links);
		c->signatures = fake_strings(a, &d->signatures);
		c->partitions = fake_strings(a, &d->partitions);
		c->holders = fake_strings(a, &d->holders);
		c->mounts = fake_strings(a, &d->mounts);
		list_add(a, &ret->disks, c);
	}
}

void fake_blk_load(const struct blk_facts *f)
{
	static const struct blk_facts none;

	arena_free(arena);
	arena = arena_new();
	copy(arena, f ? f : &none, &host);
}

int blk_read(struct arena *a, struct blk_facts *ret, struct err *e)
{
	copy(a, &host, ret);
	return 0;
}

static struct blk_disk *find(const char *path)
{
	for (size_t i = 0; i < host.disks.n; i++) {
		struct blk_disk *d = host.disks.items[i];

		if (streq(d->path, path))
			return d;
	}
	return NULL;
}

uint64_t fake_blk_label(const char *path, const char *pv_uuid)
{
	struct blk_disk *d = find(path);

	if (!d)
		return 0;
	if (pv_uuid && !d->pv_uuid) {
		d->pv_uuid = arena_strdup(arena, pv_uuid);
		list_add(arena, &d->signatures, arena_strdup(arena, "LVM2_member"));
	}
	return d->size;
}

int blk_check_free(const char *path, const char *pv_uuid, struct err *e)
{
	const struct blk_disk *d = find(path);

	if (!d)
		return err_errno(e, -ENOENT, "open %s", path);
	if (d->mounts.n || d->holders.n || d->root)
		return err_set(e, -EBUSY, "%s is in use", path);
	if (d->signatures.n == 1 && d->pv_uuid && streq(d->pv_uuid, pv_uuid))
		return 1;
	if (d->signatures.n)
		return err_set(e, -EEXIST, "%s bears a signature: %s", path,
			       (const char *)d->signatures.items[0]);
	return 0;
}

const char *blk_users(struct arena *a, const char *path)
{
	return NULL;
}
