/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * LVM: what is asked of it and told to it.
 */
#include "host/lvm.h"

#include <errno.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "host/lvm_cmd.h"
#include "host/lvm_kernel.h"
#include "host/lvm_report.h"

#define METADATA_MAX (16u << 20) /* of a group's metadata as text */
#define CHUNKS_MAX   (UINT64_C(240) << 20)

static const struct lvm_lv *find(const struct lvm_facts *l, const char *vg, const char *lv)
{
	for (size_t i = 0; i < l->lvs.n; i++) {
		const struct lvm_lv *v = l->lvs.items[i];

		if (streq(v->vg, vg) && streq(v->name, lv))
			return v;
	}
	return NULL;
}

int lvm_read(struct arena *a, struct lvm_facts *ret, struct err *e)
{
	_cleanup_lvm_cmd_ struct lvm_cmd c = {0};
	_cleanup_str_ struct str report = {0};
	struct lvm_facts l;
	int r;

	lvm_cmd_add(&c, "fullreport");
	lvm_cmd_add(&c, lvm_report_options);
	r = lvm_cmd_run(&c, &report, e);
	if (r < 0)
		return r;
	r = lvm_report_parse(a, str_get(&report), report.n, &l, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < l.lvs.n; i++) {
		struct lvm_lv *v = l.lvs.items[i];
		uint64_t id;

		if (streq(v->type, "thin-pool") &&
		    lvm_kernel_transaction(v->vg, v->name, &id, NULL) == 0)
			v->kernel_transaction_id = (int64_t)id;
	}
	*ret = l;
	return 0;
}

int lvm_pv_create(const char *dev, const char *uuid, struct err *e)
{
	_cleanup_lvm_cmd_ struct lvm_cmd c = {0};

	lvm_cmd_add(&c, "pvcreate --norestorefile --uuid");
	lvm_cmd_word(&c, uuid);
	lvm_cmd_word(&c, dev);
	return lvm_cmd_run(&c, NULL, e);
}

int lvm_vg_create(const char *vg, const char *const *devs, size_t n, const char *const *tags,
		  size_t n_tags, struct err *e)
{
	_cleanup_lvm_cmd_ struct lvm_cmd c = {0};

	lvm_cmd_add(&c, "vgcreate --physicalextentsize 4m");
	lvm_cmd_tags(&c, "--addtag", tags, n_tags);
	lvm_cmd_word(&c, vg);
	for (size_t i = 0; i < n; i++)
		lvm_cmd_word(&c, devs[i]);
	return lvm_cmd_run(&c, NULL, e);
}

int lvm_vg_extend(const char *vg, const char *dev, struct err *e)
{
	_cleanup_lvm_cmd_ struct lvm_cmd c = {0};

	lvm_cmd_add(&c, "vgextend");
	lvm_cmd_word(&c, vg);
	lvm_cmd_word(&c, dev);
	return lvm_cmd_run(&c, NULL, e);
}

int lvm_vg_tag(const char *vg, const char *add, const char *del, struct err *e)
{
	_cleanup_lvm_cmd_ struct lvm_cmd c = {0};

	lvm_cmd_add(&c, "vgchange");
	lvm_cmd_tags(&c, "--addtag", &add, add ? 1 : 0);
	lvm_cmd_tags(&c, "--deltag", &del, del ? 1 : 0);
	lvm_cmd_word(&c, vg);
	return lvm_cmd_run(&c, NULL, e);
}

int lvm_pool_create(const char *vg, const char *pool, uint64_t bytes, uint64_t metadata,
		    const char *const *tags, size_t n_tags, struct err *e)
{
	_cleanup_lvm_cmd_ struct lvm_cmd c = {0};
	uint64_t chunk = LVM_POOL_CHUNK;

	/* The largest metadata there is maps about 2^28 chunks. */
	while (bytes / chunk > CHUNKS_MAX)
		chunk *= 2;
	lvm_cmd_add(&c,
		    "lvcreate --type thin-pool --zero y --discards passdown --poolmetadataspare y");
	lvm_cmd_addf(&c, "--chunksize %llub -L %llub --poolmetadatasize %llub",
		     (unsigned long long)chunk, (unsigned long long)bytes,
		     (unsigned long long)metadata);
	lvm_cmd_tags(&c, "--addtag", tags, n_tags);
	lvm_cmd_add(&c, "-n");
	lvm_cmd_word(&c, pool);
	lvm_cmd_word(&c, vg);
	return lvm_cmd_run(&c, NULL, e);
}

/* "already as large" is what was asked for. */
static int fine_if_same(int r, struct err *e)
{
	if (r < 0 && e && e->message && strstr(e->message, "matches existing size")) {
		err_done(e);
		return 0;
	}
	return r;
}

int lvm_pool_extend(const char *vg, const char *pool, uint64_t bytes, uint64_t metadata,
		    struct err *e)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_lvm_cmd_ struct lvm_cmd m = {0};
	const struct lvm_lv *now;
	struct lvm_facts l;
	int r;

	r = lvm_read(a, &l, e);
	if (r < 0)
		return r;
	now = find(&l, vg, pool);
	if (!now)
		return err_set(e, -ENOENT, "no thin pool %s/%s", vg, pool);
	if (metadata > now->metadata_size) {
		lvm_cmd_addf(&m, "lvextend --poolmetadatasize %llub", (unsigned long long)metadata);
		lvm_cmd_lv(&m, vg, pool);
		r = fine_if_same(lvm_cmd_run(&m, NULL, e), e);
		if (r < 0)
			return r;
	}
	return bytes > now->size ? lvm_extend(vg, pool, bytes, e) : 0;
}

int lvm_pool_when_full(const char *vg, const char *pool, bool error, struct err *e)
{
	_cleanup_lvm_cmd_ struct lvm_cmd c = {0};

	lvm_cmd_add(&c, error ? "lvchange --errorwhenfull y" : "lvchange --errorwhenfull n");
	lvm_cmd_lv(&c, vg, pool);
	return lvm_cmd_run(&c, NULL, e);
}

/* The volume group's metadata as text, through a file, for LVM gives it no other way. */
static int metadata_text(const char *vg, char **ret, struct err *e)
{
	_cleanup_lvm_cmd_ struct lvm_cmd c = {0};
	char path[] = "/run/manor-vg-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_errno(e, -errno, "create %s", path);
	close(fd);
	lvm_cmd_add(&c, "vgcfgbackup -f");
	lvm_cmd_word(&c, path);
	lvm_cmd_word(&c, vg);
	r = lvm_cmd_run(&c, NULL, e);
	if (r == 0)
		r = file_read(path, METADATA_MAX, ret, NULL, e);
	unlink(path);
	return r;
}

/* The creation of `lv` that the metadata has and the pool may lack. If the kernel made it and was not
 * told the transaction's number, LVM's own replay fails on "File exists" for ever, though nothing but
 * the number lacks. (Taking the volume out, to have it made again, would serve too; but it can be
 * activated as it is, so somebody may have written to it since.) If the kernel didn't make it, it can't
 * be activated, and LVM would make it with the next creation only: so it is made here. */
static int finish_create(const struct lvm_facts *l, const struct lvm_lv *pool, const char *lv,
			 struct err *e)
{
	const struct lvm_lv *v = find(l, pool->vg, lv), *origin;
	_cleanup_lvm_cmd_ struct lvm_cmd c = {0};

	if (!v || v->thin_id < 0)
		return err_set(e, -EUCLEAN, "thin pool %s/%s is to make %s, which is unknown",
			       pool->vg, pool->name, lv);
	lvm_cmd_add(&c, "lvchange -ay -K");
	lvm_cmd_lv(&c, v->vg, lv);
	if (v->active || lvm_cmd_run(&c, NULL, NULL) == 0)
		return 0;
	/* What was to be filled, or read for a while, is thrown away: an empty one does, where the origin of
	 * a snapshot may be in use by now. */
	if (!v->origin || list_has(&v->tags, "manor.state=filling"))
		return lvm_kernel_message(v->vg, pool->name, EEXIST, e, "create_thin %lld",
					  (long long)v->thin_id);
	origin = find(l, v->vg, v->origin);
	if (!origin || origin->thin_id < 0 || (origin->active && !origin->readonly))
		return err_set(e, -EUCLEAN,
			       "thin pool %s/%s is one transaction behind, and %s is in use", v->vg,
			       pool->name, v->origin);
	return lvm_kernel_message(v->vg, pool->name, EEXIST, e, "create_snap %lld %lld",
				  (long long)v->thin_id, (long long)origin->thin_id);
}

int lvm_pool_mend(const char *vg, const char *pool, struct err *e)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_(freep) char *text = NULL;
	const struct lvm_lv *p;
	const char *lv = NULL;
	struct lvm_facts l;
	int r;

	r = lvm_read(a, &l, e);
	if (r < 0)
		return r;
	p = find(&l, vg, pool);
	if (!p || !streq(p->type, "thin-pool"))
		return err_set(e, -ENOENT, "no thin pool %s/%s", vg, pool);
	if (p->kernel_transaction_id < 0 || p->kernel_transaction_id == p->transaction_id)
		return 0;
	if (p->kernel_transaction_id != p->transaction_id - 1) {
		r = err_set(e, -EUCLEAN,
			    "thin pool %s/%s is at transaction %lld, its metadata at %lld", vg,
			    pool, (long long)p->kernel_transaction_id,
			    (long long)p->transaction_id);
		err_help(e, "deactivate volume group %s and run 'lvconvert --repair %s/%s'", vg, vg,
			 pool);
		return r;
	}
	r = metadata_text(vg, &text, e);
	if (r == 0)
		r = lvm_pending_create(a, text, vg, pool, &lv, e);
	if (r <= 0)
		return r; /* not a creation cut short: LVM replays whatever it is by itself */
	r = finish_create(&l, p, lv, e);
	if (r < 0)
		return r;
	log_info("thin pool %s/%s was one transaction behind: %s was made half-way", vg, pool, lv);
	return lvm_kernel_message(vg, pool, 0, e, "set_transaction_id %lld %lld",
				  (long long)p->kernel_transaction_id,
				  (long long)p->transaction_id);
}

/* Runs a command that creates in a pool. A pool that is one transaction behind fails each of them, in
 * words that vary: it is asked, then mended. */
static int run_in_pool(struct lvm_cmd *c, const char *vg, const char *pool, struct err *e)
{
	_cleanup_arena_ struct arena *a = NULL;
	const struct lvm_lv *p;
	struct lvm_facts l;
	int r, r2;

	r = lvm_cmd_run(c, NULL, e);
	if (r == 0 || r == -EINVAL || r == -ENOSPC || r == -EPERM)
		return r;
	a = arena_new();
	r2 = lvm_read(a, &l, NULL);
	p = r2 == 0 ? find(&l, vg, pool) : NULL;
	if (p && p->pool) /* the origin of a clone was given */
		p = find(&l, vg, p->pool);
	if (!p || p->kernel_transaction_id < 0 || p->kernel_transaction_id == p->transaction_id)
		return r;
	r = lvm_pool_mend(vg, p->name, e);
	return r < 0 ? r : lvm_cmd_run(c, NULL, e);
}

int lvm_thin_create(const char *vg, const char *pool, const char *lv, uint64_t bytes,
		    const char *const *tags, size_t n_tags, struct err *e)
{
	_cleanup_lvm_cmd_ struct lvm_cmd c = {0};

	/* Not wiped: what is not mapped reads as zeros. */
	lvm_cmd_addf(&c, "lvcreate --type thin -kn -Wn -V %llub", (unsigned long long)bytes);
	lvm_cmd_tags(&c, "--addtag", tags, n_tags);
	lvm_cmd_add(&c, "-n");
	lvm_cmd_word(&c, lv);
	lvm_cmd_add(&c, "--thinpool");
	lvm_cmd_lv(&c, vg, pool);
	return run_in_pool(&c, vg, pool, e);
}

int lvm_linear_create(const char *vg, const char *lv, uint64_t bytes, const char *const *tags,
		      size_t n_tags, struct err *e)
{
	_cleanup_lvm_cmd_ struct lvm_cmd c = {0};

	/* Signatures that are found are wiped: the space is nobody's, what stood there is gone. */
	lvm_cmd_addf(&c, "lvcreate --type linear --yes -kn -Wy -Zy -L %llub",
		     (unsigned long long)bytes);
	lvm_cmd_tags(&c, "--addtag", tags, n_tags);
	lvm_cmd_add(&c, "-n");
	lvm_cmd_word(&c, lv);
	lvm_cmd_word(&c, vg);
	return lvm_cmd_run(&c, NULL, e);
}

int lvm_clone(const char *vg, const char *origin, const char *lv, const char *const *tags,
	      size_t n_tags, struct err *e)
{
	_cleanup_lvm_cmd_ struct lvm_cmd c = {0};

	lvm_cmd_add(&c, "lvcreate -s -kn -prw");
	lvm_cmd_tags(&c, "--addtag", tags, n_tags);
	lvm_cmd_add(&c, "-n");
	lvm_cmd_word(&c, lv);
	lvm_cmd_lv(&c, vg, origin);
	return run_in_pool(&c, vg, origin, e);
}

int lvm_extend(const char *vg, const char *lv, uint64_t bytes, struct err *e)
{
	_cleanup_lvm_cmd_ struct lvm_cmd c = {0};

	lvm_cmd_addf(&c, "lvextend -L %llub", (unsigned long long)bytes);
	lvm_cmd_lv(&c, vg, lv);
	return fine_if_same(lvm_cmd_run(&c, NULL, e), e);
}

static int activate(const char *vg, const char *lv, bool on, struct err *e)
{
	_cleanup_lvm_cmd_ struct lvm_cmd c = {0};

	lvm_cmd_add(&c, on ? "lvchange -ay -K" : "lvchange -an");
	lvm_cmd_lv(&c, vg, lv);
	return on ? run_in_pool(&c, vg, lv, e) : lvm_cmd_run(&c, NULL, e);
}

int lvm_activate(const char *vg, const char *lv, bool on, struct err *e)
{
	_cleanup_arena_ struct arena *a = NULL;
	int r = activate(vg, lv, on, e);
	const struct lvm_lv *v;
	struct lvm_facts l;

	if (r == 0 || on)
		return r;
	/* One whose activation was cut short can't be told from one in use by LVM; finished, it goes. */
	a = arena_new();
	v = lvm_read(a, &l, NULL) == 0 ? find(&l, vg, lv) : NULL;
	if (!v || v->active || activate(vg, lv, true, NULL) < 0)
		return r;
	err_done(e);
	return activate(vg, lv, false, e);
}

int lvm_autoactivate(const char *vg, const char *lv, bool on, struct err *e)
{
	_cleanup_lvm_cmd_ struct lvm_cmd c = {0};

	lvm_cmd_add(&c, on ? "lvchange -kn" : "lvchange -ky");
	lvm_cmd_lv(&c, vg, lv);
	return lvm_cmd_run(&c, NULL, e);
}

int lvm_rename(const char *vg, const char *from, const char *to, struct err *e)
{
	_cleanup_lvm_cmd_ struct lvm_cmd c = {0};

	lvm_cmd_add(&c, "lvrename");
	lvm_cmd_word(&c, vg);
	lvm_cmd_word(&c, from);
	lvm_cmd_word(&c, to);
	return lvm_cmd_run(&c, NULL, e);
}

int lvm_tag(const char *vg, const char *lv, const char *const *add, size_t n_add,
	    const char *const *del, size_t n_del, struct err *e)
{
	_cleanup_lvm_cmd_ struct lvm_cmd c = {0};

	if (n_add + n_del == 0)
		return 0;
	lvm_cmd_add(&c, "lvchange");
	lvm_cmd_tags(&c, "--addtag", add, n_add);
	lvm_cmd_tags(&c, "--deltag", del, n_del);
	lvm_cmd_lv(&c, vg, lv);
	return lvm_cmd_run(&c, NULL, e);
}

int lvm_remove(const char *vg, const char *lv, struct err *e)
{
	_cleanup_lvm_cmd_ struct lvm_cmd c = {0};

	lvm_cmd_add(&c, "lvremove --yes");
	lvm_cmd_lv(&c, vg, lv);
	return run_in_pool(&c, vg, lv, e);
}

const char *lvm_base_name(const char *sha256, char buf[LVM_BASE_TEXT])
{
	snprintf(buf, LVM_BASE_TEXT, "base.%.16s", sha256);
	return buf;
}

int lvm_base_create(const char *vg, const char *pool, const char *lv, uint64_t bytes,
		    const char *sha256, struct err *e)
{
	_cleanup_(freep) char *base = xasprintf("manor.base=%s", sha256);
	const char *tags[] = {base, "manor.state=filling"};

	return lvm_thin_create(vg, pool, lv, bytes, tags, ARRAY_SIZE(tags), e);
}

int lvm_base_shrink(const char *vg, const char *lv, uint64_t bytes, struct err *e)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_lvm_cmd_ struct lvm_cmd c = {0};
	struct lvm_facts facts = {0};
	bool filling = false;
	int r = lvm_read(a, &facts, e);

	for (size_t i = 0; r == 0 && i < facts.lvs.n; i++) {
		const struct lvm_lv *is = facts.lvs.items[i];

		if (streq(is->vg, vg) && streq(is->name, lv))
			filling = list_has(&is->tags, "manor.state=filling");
	}
	if (r < 0)
		return r;
	if (!filling) /* the one rule that keeps this from ever cutting off somebody's data */
		return err_set(e, -EINVAL, "%s/%s is not being filled", vg, lv);
	lvm_cmd_addf(&c, "lvreduce --force --yes -L %llub", (unsigned long long)bytes);
	lvm_cmd_lv(&c, vg, lv);
	return fine_if_same(lvm_cmd_run(&c, NULL, e), e);
}

int lvm_base_finish(const char *vg, const char *lv, struct err *e)
{
	static const char *const filling = "manor.state=filling";
	_cleanup_lvm_cmd_ struct lvm_cmd c = {0};
	_cleanup_(freep) char *mapped = NULL;
	const char *tag;
	_cleanup_err_ struct err none = {0};
	uint64_t bytes;
	int r;

	/* While it is active it can be asked; a base is as good without that. */
	if (lvm_kernel_mapped(vg, lv, &bytes, &none) == 0)
		mapped = xasprintf("manor.mapped=%llu", (unsigned long long)bytes);
	/* Inactive first: of a running volume LVM would have to load its table anew, with the pool at
	 * rest. The rest is one write of the group's metadata: read-only and finished at once, or neither. */
	r = lvm_activate(vg, lv, false, e);
	if (r < 0)
		return r;
	tag = mapped;
	lvm_cmd_add(&c, "lvchange -pr -ky");
	lvm_cmd_tags(&c, "--addtag", &tag, mapped ? 1 : 0);
	lvm_cmd_tags(&c, "--deltag", &filling, 1);
	lvm_cmd_lv(&c, vg, lv);
	return lvm_cmd_run(&c, NULL, e);
}

const char *lvm_path(struct arena *a, const char *vg, const char *lv)
{
	const char *path = arena_printf(a, "/dev/%s/%s", vg, lv);
	struct dm_pool *mem;
	char *name;

	if (access(path, F_OK) == 0)
		return path;
	mem = dm_pool_create("manor", 256);
	name = mem ? dm_build_dm_name(mem, vg, lv, NULL) : NULL;
	if (name)
		path = arena_printf(a, "%s/%s", dm_dir(), name);
	if (mem)
		dm_pool_destroy(mem);
	return path;
}

bool lvm_path_is(const char *vg, const char *lv, const char *path)
{
	_cleanup_arena_ struct arena *a = arena_new();
	const char *own = lvm_path(a, vg, lv);
	struct stat mine, other;

	return streq(own, path) ||
	       (path && stat(own, &mine) == 0 && stat(path, &other) == 0 && S_ISBLK(mine.st_mode) &&
		S_ISBLK(other.st_mode) && mine.st_rdev == other.st_rdev);
}
