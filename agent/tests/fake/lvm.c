/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * host/lvm.h over volume groups in memory, which do what LVM does as far as a step can see: extents,
 * space, names, tags, pools that are a transaction behind.
 */
#include "host/lvm.h"

#include <errno.h>
#include <stdio.h>

#include "tests/fake/fake.h"

#define EXTENT (UINT64_C(4) << 20)

static struct arena *arena;
static struct lvm_facts host;
static unsigned next_uuid;

static void copy(struct arena *a, const struct lvm_facts *from, struct lvm_facts *ret)
{
	*ret = (struct lvm_facts){0};
	for (size_t i = 0; i < from->vgs.n; i++) {
		const struct lvm_vg *v = from->vgs.items[i];
		struct lvm_vg *c = arena_alloc(a, sizeof(*c));

		*c = *v;
		c->rec = (struct record){0};
		c->name = arena_strdup(a, v->name);
		c->uuid = arena_strdup(a, v->uuid);
		c->tags = fake_strings(a, &v->tags);
		list_add(a, &ret->vgs, c);
	}
	for (size_t i = 0; i < from->pvs.n; i++) {
		const struct lvm_pv *p = from->pvs.items[i];
		struct lvm_pv *c = arena_alloc(a, sizeof(*c));

		*c = *p;
		c->rec = (struct record){0};
		c->name = arena_strdup(a, p->name);
		c->uuid = arena_strdup(a, p->uuid);
		c->vg = arena_strdup(a, p->vg);
		list_add(a, &ret->pvs, c);
	}
	for (size_t i = 0; i < from->lvs.n; i++) {
		const struct lvm_lv *l = from->lvs.items[i];
		struct lvm_lv *c = arena_alloc(a, sizeof(*c));

		*c = *l;
		c->rec = (struct record){0};
		c->name = arena_strdup(a, l->name);
		c->vg = arena_strdup(a, l->vg);
		c->uuid = arena_strdup(a, l->uuid);
		c->type = arena_strdup(a, l->type);
		c->pool = arena_strdup(a, l->pool);
		c->origin = arena_strdup(a, l->origin);
		c->health = arena_strdup(a, l->health);
		c->tags = fake_strings(a, &l->tags);
		list_add(a, &ret->lvs, c);
	}
}

void fake_lvm_load(const struct lvm_facts *f)
{
	static const struct lvm_facts none;

	arena_free(arena);
	arena = arena_new();
	copy(arena, f ? f : &none, &host);
	next_uuid = 1;
}

int lvm_read(struct arena *a, struct lvm_facts *ret, struct err *e)
{
	copy(a, &host, ret);
	return 0;
}

static struct lvm_vg *find_vg(const char *vg)
{
	for (size_t i = 0; i < host.vgs.n; i++) {
		struct lvm_vg *v = host.vgs.items[i];

		if (streq(v->name, vg))
			return v;
	}
	return NULL;
}

static struct lvm_pv *find_pv(const char *name)
{
	for (size_t i = 0; i < host.pvs.n; i++) {
		struct lvm_pv *p = host.pvs.items[i];

		if (streq(p->name, name))
			return p;
	}
	return NULL;
}

static struct lvm_lv *find_lv(const char *vg, const char *lv)
{
	for (size_t i = 0; i < host.lvs.n; i++) {
		struct lvm_lv *l = host.lvs.items[i];

		if (streq(l->vg, vg) && streq(l->name, lv))
			return l;
	}
	return NULL;
}

static int need_lv(const char *vg, const char *lv, struct lvm_lv **ret, struct err *e)
{
	*ret = find_lv(vg, lv);
	return *ret ? 0 : err_set(e, -ENOENT, "Failed to find logical volume \"%s/%s\"", vg, lv);
}

/* How a call that changes a volume begins: it fails in its turn, or has the volume. */
static int begin(const char *call, const char *vg, const char *lv, struct lvm_lv **ret,
		 struct err *e)
{
	int r = fake_turn(call, e);

	return r < 0 ? r : need_lv(vg, lv, ret, e);
}

static const char *new_uuid(void)
{
	return arena_printf(arena, "FaKe00-0000-0000-0000-0000-0000-%06u", next_uuid++);
}

static void add_tags(struct list *l, const char *const *tags, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!list_has(l, tags[i]))
			list_add(arena, l, arena_strdup(arena, tags[i]));
}

static void del_tag(struct list *l, const char *tag)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (!streq(l->items[i], tag))
			l->items[n++] = l->items[i];
	l->n = n;
}

static uint64_t extents(uint64_t bytes)
{
	return (bytes + EXTENT - 1) / EXTENT * EXTENT;
}

int lvm_pv_create(const char *dev, const char *uuid, struct err *e)
{
	struct lvm_pv *p = find_pv(dev);
	uint64_t size;

	FAKE_FAIL(e);
	if (p && p->vg)
		return err_set(e, -EBUSY, "Can't initialize physical volume \"%s\" of volume group",
			       dev);
	size = fake_blk_label(dev, uuid);
	if (!size)
		return err_set(e, -ENOENT, "No device found for %s", dev);
	if (!p) {
		p = arena_alloc(arena, sizeof(*p));
		p->name = arena_strdup(arena, dev);
		list_add(arena, &host.pvs, p);
	}
	p->uuid = arena_strdup(arena, uuid);
	p->size = p->free = size;
	return 0;
}

static int join(struct lvm_vg *v, const char *dev, struct err *e)
{
	struct lvm_pv *p = find_pv(dev);
	uint64_t size;

	if (!p || p->vg)
		return err_set(e, -EIO, "%s is no free physical volume", dev);
	size = p->size / EXTENT * EXTENT - EXTENT;
	p->vg = v->name;
	p->size = p->free = size;
	v->size += size;
	v->free += size;
	return 0;
}

int lvm_vg_create(const char *vg, const char *const *devs, size_t n, const char *const *tags,
		  size_t n_tags, struct err *e)
{
	struct lvm_vg *v;
	int r = 0;

	FAKE_FAIL(e);
	if (find_vg(vg))
		return err_set(e, -EEXIST, "A volume group called %s already exists.", vg);
	v = arena_alloc(arena, sizeof(*v));
	v->name = arena_strdup(arena, vg);
	v->uuid = new_uuid();
	v->extent_size = EXTENT;
	add_tags(&v->tags, tags, n_tags);
	for (size_t i = 0; i < n && r == 0; i++)
		r = join(v, devs[i], e);
	if (r == 0)
		list_add(arena, &host.vgs, v);
	return r;
}

int lvm_vg_extend(const char *vg, const char *dev, struct err *e)
{
	struct lvm_vg *v = find_vg(vg);

	FAKE_FAIL(e);
	return v ? join(v, dev, e) : err_set(e, -ENOENT, "Volume group \"%s\" not found", vg);
}

int lvm_vg_tag(const char *vg, const char *add, const char *del, struct err *e)
{
	struct lvm_vg *v = find_vg(vg);

	FAKE_FAIL(e);
	if (!v)
		return err_set(e, -ENOENT, "Volume group \"%s\" not found", vg);
	add_tags(&v->tags, &add, add ? 1 : 0);
	if (del)
		del_tag(&v->tags, del);
	return 0;
}

static int take(const char *vg, uint64_t bytes, struct err *e)
{
	struct lvm_vg *v = find_vg(vg);

	if (!v)
		return err_set(e, -ENOENT, "Volume group \"%s\" not found", vg);
	if (v->free < bytes)
		return err_set(e, -ENOSPC, "Volume group \"%s\" has insufficient free space", vg);
	v->free -= bytes;
	return 0;
}

static int add_lv(const char *vg, const char *name, const char *type, uint64_t bytes,
		  const char *const *tags, size_t n_tags, struct lvm_lv **ret, struct err *e)
{
	struct lvm_lv *l;

	if (find_lv(vg, name))
		return err_set(e, -EEXIST,
			       "Logical Volume \"%s\" already exists in volume group \"%s\"", name,
			       vg);
	l = arena_alloc(arena, sizeof(*l));
	*l = (struct lvm_lv){
		.name = arena_strdup(arena, name),
		.vg = arena_strdup(arena, vg),
		.uuid = new_uuid(),
		.type = type,
		.size = bytes,
		.active = true,
		.created = 1700000000,
		.thin_id = -1,
		.data_percent = -1,
		.metadata_percent = -1,
		.transaction_id = -1,
		.kernel_transaction_id = -1,
	};
	add_tags(&l->tags, tags, n_tags);
	list_add(arena, &host.lvs, l);
	*ret = l;
	return 0;
}

int lvm_pool_create(const char *vg, const char *pool, uint64_t bytes, uint64_t metadata,
		    const char *const *tags, size_t n_tags, struct err *e)
{
	struct lvm_lv *l;
	int r;

	FAKE_FAIL(e);
	if (find_lv(vg, pool))
		return err_set(e, -EEXIST, "Logical Volume \"%s\" already exists", pool);
	r = take(vg, bytes + 2 * metadata, e);
	if (r == 0)
		r = add_lv(vg, pool, "linear", bytes, tags, n_tags, &l, e);
	if (r < 0)
		return r;
	/* Cut off before the plain volume became a pool. */
	if (fake_fails("lvm_pool_create (half-way)")) {
		find_vg(vg)->free += 2 * metadata;
		return err_set(e, -EIO, "lvm_pool_create: made to fail half-way");
	}
	l->type = "thin-pool";
	l->metadata_size = metadata;
	l->data_percent = 0;
	l->metadata_percent = 10;
	l->transaction_id = l->kernel_transaction_id = 0;
	l->error_when_full = true;
	return 0;
}

int lvm_pool_extend(const char *vg, const char *pool, uint64_t bytes, uint64_t metadata,
		    struct err *e)
{
	struct lvm_lv *l;
	int r = begin(__func__, vg, pool, &l, e);

	if (r == 0 && metadata > l->metadata_size) {
		r = take(vg, 2 * (metadata - l->metadata_size), e);
		if (r == 0)
			l->metadata_size = metadata;
	}
	return r == 0 && bytes > l->size ? lvm_extend(vg, pool, bytes, e) : r;
}

int lvm_pool_when_full(const char *vg, const char *pool, bool error, struct err *e)
{
	struct lvm_lv *l;
	int r = begin(__func__, vg, pool, &l, e);

	if (r == 0)
		l->error_when_full = error;
	return r;
}

int lvm_pool_mend(const char *vg, const char *pool, struct err *e)
{
	struct lvm_lv *l;
	int r = begin(__func__, vg, pool, &l, e);

	if (r < 0 || l->kernel_transaction_id < 0 || l->kernel_transaction_id == l->transaction_id)
		return r;
	if (l->kernel_transaction_id != l->transaction_id - 1)
		return err_set(e, -EUCLEAN, "thin pool %s/%s is out of step", vg, pool);
	l->kernel_transaction_id = l->transaction_id;
	return 0;
}

/* One volume more in the pool, or less: a pool that is behind is mended first, as the real one does, and a
 * full one takes no more. */
static int transact(const char *vg, const char *pool, bool more, struct err *e)
{
	struct lvm_lv *p;
	int r = need_lv(vg, pool, &p, e);

	if (r == 0 && p->kernel_transaction_id != p->transaction_id)
		r = lvm_pool_mend(vg, pool, e);
	if (r == 0 && more && p->data_percent >= 10000)
		return err_set(e, -ENOSPC, "free space in thin pool %s/%s reached threshold", vg,
			       pool);
	if (r == 0)
		p->kernel_transaction_id = ++p->transaction_id;
	return r;
}

static int64_t next_thin_id(const char *vg)
{
	int64_t most = 0;

	for (size_t i = 0; i < host.lvs.n; i++) {
		const struct lvm_lv *l = host.lvs.items[i];

		if (streq(l->vg, vg))
			most = MAX_OF(most, l->thin_id);
	}
	return most + 1;
}

static int thin(const char *vg, const char *pool, const char *lv, uint64_t bytes,
		const char *const *tags, size_t n_tags, struct lvm_lv **ret, struct err *e)
{
	int64_t id = next_thin_id(vg);
	int r;

	if (find_lv(vg, lv))
		return err_set(e, -EEXIST, "Logical Volume \"%s\" already exists", lv);
	r = transact(vg, pool, true, e);
	if (r == 0)
		r = add_lv(vg, lv, "thin", extents(bytes), tags, n_tags, ret, e);
	if (r < 0)
		return r;
	(*ret)->pool = arena_strdup(arena, pool);
	(*ret)->thin_id = id;
	(*ret)->data_percent = 0;
	return 0;
}

int lvm_thin_create(const char *vg, const char *pool, const char *lv, uint64_t bytes,
		    const char *const *tags, size_t n_tags, struct err *e)
{
	struct lvm_lv *l;

	FAKE_FAIL(e);
	return thin(vg, pool, lv, bytes, tags, n_tags, &l, e);
}

int lvm_linear_create(const char *vg, const char *lv, uint64_t bytes, const char *const *tags,
		      size_t n_tags, struct err *e)
{
	struct lvm_lv *l;
	int r;

	FAKE_FAIL(e);
	r = take(vg, extents(bytes), e);
	return r < 0 ? r : add_lv(vg, lv, "linear", extents(bytes), tags, n_tags, &l, e);
}

int lvm_clone(const char *vg, const char *origin, const char *lv, const char *const *tags,
	      size_t n_tags, struct err *e)
{
	struct lvm_lv *o, *l;
	int r = begin(__func__, vg, origin, &o, e);

	if (r == 0 && !o->pool)
		return err_set(e, -EINVAL, "%s/%s is not thin", vg, origin);
	if (r == 0)
		r = thin(vg, o->pool, lv, o->size, tags, n_tags, &l, e);
	if (r < 0)
		return r;
	l->origin = arena_strdup(arena, origin);
	l->data_percent = o->data_percent;
	return 0;
}

int lvm_extend(const char *vg, const char *lv, uint64_t bytes, struct err *e)
{
	struct lvm_lv *l;
	int r = begin(__func__, vg, lv, &l, e);

	bytes = extents(bytes);
	if (r < 0 || bytes == l->size)
		return r;
	if (bytes < l->size)
		return err_set(e, -EINVAL, "New size given is less than the existing size");
	r = l->pool ? 0 : take(vg, bytes - l->size, e);
	if (r == 0)
		l->size = bytes;
	return r;
}

int lvm_activate(const char *vg, const char *lv, bool on, struct err *e)
{
	struct lvm_lv *l;
	int r = begin(__func__, vg, lv, &l, e);

	if (r == 0 && !on && l->open)
		return err_set(e, -EBUSY, "Logical volume %s/%s in use.", vg, lv);
	if (r == 0)
		l->active = on;
	return r;
}

int lvm_autoactivate(const char *vg, const char *lv, bool on, struct err *e)
{
	struct lvm_lv *l;

	return begin(__func__, vg, lv, &l, e);
}

int lvm_rename(const char *vg, const char *from, const char *to, struct err *e)
{
	struct lvm_lv *l;
	int r = begin(__func__, vg, from, &l, e);

	if (r == 0 && find_lv(vg, to))
		return err_set(e, -EEXIST, "Logical Volume \"%s\" already exists", to);
	for (size_t i = 0; r == 0 && i < host.lvs.n; i++) {
		struct lvm_lv *x = host.lvs.items[i];

		if (streq(x->vg, vg) && streq(x->origin, from))
			x->origin = arena_strdup(arena, to);
	}
	if (r == 0)
		l->name = arena_strdup(arena, to);
	return r;
}

int lvm_tag(const char *vg, const char *lv, const char *const *add, size_t n_add,
	    const char *const *del, size_t n_del, struct err *e)
{
	struct lvm_lv *l;
	int r = begin(__func__, vg, lv, &l, e);

	if (r < 0)
		return r;
	add_tags(&l->tags, add, n_add);
	for (size_t i = 0; i < n_del; i++)
		del_tag(&l->tags, del[i]);
	return 0;
}

int lvm_remove(const char *vg, const char *lv, struct err *e)
{
	struct lvm_lv *l;
	size_t n = 0;
	int r = begin(__func__, vg, lv, &l, e);

	if (r < 0)
		return r;
	if (l->open)
		return err_set(e, -EBUSY, "Logical volume %s/%s in use.", vg, lv);
	if (l->pool)
		r = transact(vg, l->pool, false, e);
	else
		find_vg(vg)->free += l->size + 2 * l->metadata_size;
	if (r < 0)
		return r;
	for (size_t i = 0; i < host.lvs.n; i++)
		if (host.lvs.items[i] != l)
			host.lvs.items[n++] = host.lvs.items[i];
	host.lvs.n = n;
	for (size_t i = 0; i < n; i++) {
		struct lvm_lv *x = host.lvs.items[i];

		if (streq(x->vg, vg) && streq(x->origin, lv))
			x->origin = NULL;
	}
	return 0;
}

const char *lvm_base_name(const char *sha256, char buf[LVM_BASE_TEXT])
{
	snprintf(buf, LVM_BASE_TEXT, "base.%.16s", sha256);
	return buf;
}

int lvm_base_create(const char *vg, const char *pool, const char *lv, uint64_t bytes,
		    const char *sha256, struct err *e)
{
	const char *tags[] = {NULL, "manor.state=filling"};
	struct lvm_lv *l;

	FAKE_FAIL(e);
	tags[0] = arena_printf(arena, "manor.base=%s", sha256);
	return thin(vg, pool, lv, bytes, tags, ARRAY_SIZE(tags), &l, e);
}

int lvm_base_shrink(const char *vg, const char *lv, uint64_t bytes, struct err *e)
{
	struct lvm_lv *l;
	int r = begin(__func__, vg, lv, &l, e);

	if (r == 0 && !list_has(&l->tags, "manor.state=filling"))
		return err_set(e, -EINVAL, "%s/%s is not being filled", vg, lv);
	if (r == 0)
		l->size = extents(bytes);
	return r;
}

int lvm_base_finish(const char *vg, const char *lv, struct err *e)
{
	struct lvm_lv *l;
	int r = begin(__func__, vg, lv, &l, e);

	if (r < 0)
		return r;
	l->active = false;
	if (fake_fails("lvm_base_finish (half-way)"))
		return err_set(e, -EIO, "lvm_base_finish: made to fail half-way");
	l->readonly = true;
	add_tags(&l->tags,
		 (const char *const[]){
			 arena_printf(arena, "manor.mapped=%llu", (unsigned long long)l->size / 2)},
		 1);
	l->data_percent = -1;
	del_tag(&l->tags, "manor.state=filling");
	return 0;
}

const char *lvm_path(struct arena *a, const char *vg, const char *lv)
{
	return arena_printf(a, "/dev/%s/%s", vg, lv);
}

bool lvm_path_is(const char *vg, const char *lv, const char *path)
{
	_cleanup_(freep) char *own = xasprintf("/dev/%s/%s", vg, lv);

	return streq(own, path);
}
