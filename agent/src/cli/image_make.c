/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor image export and capture: a volume becomes a file, and of a captured disk the snapshot that was read
 * becomes the base that the file would be imported as. The executor's lock is held while the storage is
 * changed, not while the volume is read: open as it is then, nobody takes it for a leftover.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/json.h"
#include "base/num.h"
#include "cli/destroy.h"
#include "cli/image.h"
#include "cli/interrupt.h"
#include "host/blk.h"
#include "host/image_pack.h"
#include "kinds/domain.h"
#include "kinds/kinds.h"
#include "kinds/lvm_facts.h"
#include "kinds/snapshot.h"
#include "kinds/storage.h"
#include "kinds/template.h"

struct making {
	struct images *x;
	const char *sub; /* "export" */
	const struct lvm_lv *lv;
	const struct resource *domain; /* of a capture */
	const char *disk;
	const char *name; /* what it is called as a file of a template */
	const char *snapshot, *vg; /* of the volume, while there is one, and where */
	const char *file, *member;
	int lock;
	struct image_progress progress;
	struct pack_result result;
};

static const struct reader *const readers[] = {&reader_lvm, &reader_cache, &reader_xen, NULL};
static const struct reader *const without_xen[] = {&reader_lvm, &reader_cache, NULL};

static int lock(struct making *m, struct err *e)
{
	m->lock = destroy_lock_wait("image", e);
	return MIN_OF(m->lock, 0);
}

static void unlock(struct making *m)
{
	closep(&m->lock);
	m->lock = -1;
}

/* --- which volume --- */

static bool ours(const struct images *x, const struct lvm_lv *lv)
{
	const struct lvm_vg *vg = lvm_vg(lvm_facts(x->facts), lv->vg);

	return vg && lvm_our_id(x->manifest, "storage", vg->name, &vg->tags);
}

static bool exportable(const struct images *x, const struct lvm_lv *lv)
{
	return !streq(lv->type, "thin-pool") && ours(x, lv) && !lvm_filling(lv);
}

static const struct lvm_lv *find_base(const struct images *x, const char *digits)
{
	for (size_t i = 0; i < x->n; i++)
		if (x->list[i].vg && x->list[i].ours && !x->list[i].filling &&
		    golden_meant(&x->list[i], digits))
			return lvm_lv(lvm_facts(x->facts), x->list[i].vg, x->list[i].lv);
	return NULL;
}

/* "web-data", "volume/web.root", "vg0/web.root" (whoever's, in a storage of ours), or a base's digest. */
static const struct lvm_lv *find_volume(const struct images *x, const char *what, struct err *e)
{
	const struct lvm_facts *l = lvm_facts(x->facts);
	const char *name = startswith(what, "volume/") ? what + strlen("volume/") : what;
	struct arena *a = x->facts->arena;
	_cleanup_(freep) const char **names = xcalloc(l->lvs.n + 1, sizeof(*names));
	const struct lvm_lv *base;
	size_t n = 0;

	for (size_t i = 0; i < l->lvs.n; i++) {
		const struct lvm_lv *lv = l->lvs.items[i];

		if (!exportable(x, lv))
			continue;
		if ((streq(lv->name, name) && lvm_our_id(x->manifest, "volume", name, &lv->tags)) ||
		    streq(arena_printf(a, "%s/%s", lv->vg, lv->name), what))
			return lv;
		names[n++] = strchr(what, '/') && name == what
				     ? arena_printf(a, "%s/%s", lv->vg, lv->name)
				     : lv->name;
	}
	base = find_base(x, what);
	if (base)
		return base;
	err_help(e,
		 "volumes are named as `manor status` shows them, bases by their digest as `manor "
		 "image ls` does, both as STORAGE/LV too");
	err_set(e, -ENOENT, "there is no volume or base of ours '%s'%s", what,
		image_did_you_mean(a, name, names, n));
	return NULL;
}

/* --- whether it holds still --- */

static const char *called(const struct xen_domain *d)
{
	return d->name ? d->name : d->mark_name ? d->mark_name : "without a name";
}

static int runs(const struct making *m, const struct xen_domain *d, struct err *e)
{
	const struct lvm_lv *lv = m->lv;

	if (lv->pool && !m->domain)
		err_help(
			e,
			"stop it with `manor stop %s`, or pause it with `manor pause %s`; or say --live for "
			"a copy as a power cut would leave it",
			called(d), called(d));
	else if (m->domain)
		err_help(e, "stop it with `manor stop %s`, or pause it with `manor pause %s`",
			 called(d), called(d));
	else
		err_help(e,
			 "it is no thin volume, so no snapshot can be taken of it: stop the guest "
			 "with `manor stop %s` until the export has ended",
			 called(d));
	return err_set(e, -EBUSY, "domain/%s %s, and may write to %s/%s", called(d),
		       d->state == XEN_RUNNING ? "runs" : "is paused", lv->vg, lv->name);
}

/* Somebody in dom0: mounted, or open. What a guest has it is told by its name. */
static int used_here(const struct making *m, struct err *e)
{
	struct arena *a = m->x->facts->arena;
	const struct xen_facts *xen = xen_facts(m->x->facts);
	const struct lvm_lv *lv = m->lv;
	const char *who;

	for (size_t i = 0; xen && i < xen->domains.n; i++) {
		const struct xen_domain *d = xen->domains.items[i];

		for (size_t k = 0; k < d->disks.n; k++) {
			const struct xen_disk *disk = d->disks.items[k];

			if (lvm_path_is(lv->vg, lv->name, disk->target))
				return 0;
		}
	}
	if (!lv->open)
		return 0;
	who = blk_users(a, lvm_path(a, lv->vg, lv->name));
	err_help(e, "%s",
		 lv->pool && !m->domain
			 ? "end that, or say --live for a copy as a power cut would leave it"
			 : "end that first");
	return err_set(e, -EBUSY, "%s/%s is in use in dom0%s%s", lv->vg, lv->name, who ? ": " : "",
		       who ? who : "");
}

/* Of what is thin the snapshot is of one moment, so nobody may write to it at that moment; of what isn't,
 * not before all of it is read. */
static int holds_still(const struct making *m, struct err *e)
{
	const struct xen_domain *d = snapshot_writer(xen_facts(m->x->facts), m->lv);

	if (m->x->o.live && m->lv->pool)
		return 0;
	if (d && (d->state == XEN_RUNNING || !m->lv->pool))
		return runs(m, d, e);
	return used_here(m, e);
}

/* --- reading it --- */

/* The volume itself, once more, among what was read just now. */
static int look_again(struct making *m, struct err *e)
{
	struct images *x = m->x;
	const char *vg, *name;

	vg = arena_strdup(x->manifest->arena, m->lv->vg);
	name = arena_strdup(x->manifest->arena, m->lv->name);
	m->lv = NULL;
	if (images_read(x, readers) != EXIT_FINE)
		return err_set(e, -EIO, "the host could not be read once more");
	m->lv = lvm_lv(lvm_facts(x->facts), vg, name);
	return m->lv ? 0 : err_set(e, -ENOENT, "%s/%s is gone", vg, name);
}

static bool on_go_on(void *data, uint64_t done, uint64_t total)
{
	struct making *m = data;

	return image_progress(&m->progress, done, total);
}

static void on_opened(void *data)
{
	unlock(data);
}

/* All is read, and the file about to appear. What a base is made of must be nobody else's until it is one. */
static int on_read(void *data, struct err *e)
{
	struct making *m = data;
	int r;

	image_progress_end(&m->progress);
	if (m->lv->pool && !m->domain)
		return 0;
	r = lock(m, e);
	if (r == 0)
		r = look_again(m, e);
	return r < 0 || m->domain ? r : holds_still(m, e);
}

static int read_it(struct making *m, struct err *e)
{
	struct arena *a = m->x->manifest->arena;
	const char *lv = m->snapshot ? m->snapshot : m->lv->name;
	struct pack_request q = {
		.from = lvm_path(a, m->lv->vg, lv),
		.to = m->file,
		.member = m->member,
		.replace = m->x->o.force,
		.opened = on_opened,
		.read = on_read,
		.go_on = on_go_on,
		.data = m,
	};
	bool idle = !m->snapshot && !m->lv->active;
	const char *vg = arena_strdup(a, m->lv->vg), *name = arena_strdup(a, m->lv->name);
	int r = idle ? lvm_activate(vg, name, true, e) : 0;

	m->progress.what = arena_printf(a, "%s: %s", m->sub, m->lv->name);
	if (r == 0)
		r = image_pack(&q, &m->result, e);
	image_progress_end(&m->progress);
	if (idle)
		lvm_activate(vg, name, false, NULL);
	if (r == -EEXIST)
		err_help(e, "name another with -o, or say --force to replace it");
	return r;
}

static int take_snapshot(struct making *m, struct err *e)
{
	m->vg = arena_strdup(m->x->manifest->arena, m->lv->vg);
	return snapshot_take(m->x->manifest->arena, m->lv, time(NULL), &m->snapshot, e);
}

/* It is nobody else's, so that no lock is needed. */
static void drop_snapshot(struct making *m)
{
	_cleanup_err_ struct err e = {0};
	int r = m->snapshot ? lvm_remove(m->vg, m->snapshot, &e) : 0;

	if (r < 0 && r != -ENOENT) /* gone: it was on its way to be a base */
		fprintf(stderr,
			"manor image %s: its snapshot %s/%s is left, until `manor image gc`: %s\n",
			m->sub, m->vg, m->snapshot, e.message);
	m->snapshot = NULL;
}

/* --- what is told --- */

static json_object *told_json(const struct making *m)
{
	json_object *o = json_object_new_object();

	if (m->domain) {
		json_put_text(o, "domain", m->domain->name);
		json_put_text(o, "disk", m->disk);
	}
	json_put_text(o, "storage", m->lv->vg);
	json_put_text(o, "volume", m->lv->name);
	json_put_text(o, "file", m->file);
	json_put_text(o, "sha256", m->result.sha256);
	json_object_object_add(o, "size", json_object_new_uint64(m->result.size));
	json_object_object_add(o, "data", json_object_new_uint64(m->result.data));
	json_object_object_add(o, "bytes", json_object_new_uint64(m->result.file));
	return o;
}

/* Its absolute path, for who pastes it elsewhere; the file is there. */
static const char *absolute(struct arena *a, const char *path)
{
	char real[PATH_MAX];

	return arena_strdup(a, realpath(path, real) ? real : path);
}

/* `base`: its digest in the storage, or NULL. */
static void tell(const struct making *m, const char *base, bool was_there)
{
	json_object *o = told_json(m);
	const struct image_words words = {
		.name = m->name,
		.path = m->file,
		.sha256 = m->result.sha256,
		.member = m->member,
		.size = m->result.size,
	};
	char size[NUM_TEXT], data[NUM_TEXT], file[NUM_TEXT], lv[LVM_BASE_TEXT];

	if (base) {
		json_put_text(o, "digest", base);
		json_put_text(o, "lv", lvm_base_name(base, lv));
	}
	image_journal(o, m->domain ? "captured" : "exported");
	if (m->x->o.json) {
		json_object_object_add(o, "files", image_words_json(&words));
		print_json(o);
		return;
	}
	json_object_put(o);
	printf("%s/%s → %s\n", m->lv->vg, m->lv->name, m->file);
	printf("  sha256  %s\n", m->result.sha256);
	printf("  size    %s, of which %s aren't zeros; %s in the file\n",
	       num_size(size, m->result.size), num_size(data, m->result.data),
	       num_size(file, m->result.file));
	if (base)
		printf("  base    %s/%s%s\n", m->lv->vg, lvm_base_name(base, lv),
		       was_there ? ", which was there already" : "");
	image_print_words(&words);
}

/* --- what all begins with --- */

static int begin(struct making *m, const char *sub, struct images *x)
{
	*m = (struct making){.x = x, .sub = sub, .lock = -1};
	if (x->n_names != 1) {
		fprintf(stderr, "manor image %s: name one %s; see `manor help image`\n", sub,
			streq(sub, "capture") ? "domain" : "volume");
		return EXIT_BAD;
	}
	if (x->o.output && !pack_ending(x->o.output)) {
		fprintf(stderr,
			"manor image %s: '%s' doesn't say what it is to be: its name must end in .img.zst, "
			".img.gz, .img, .tar.zst, .tar.gz or .tar\n",
			sub, x->o.output);
		return EXIT_BAD;
	}
	return images_manifest(x);
}

/* The file, before anything is done for it. */
static int name_file(struct making *m, const char *name, struct err *e)
{
	struct arena *a = m->x->manifest->arena;
	struct stat st;
	int r;

	m->file = m->x->o.output ? m->x->o.output : arena_printf(a, "%s" PACK_ENDING, name);
	if (pack_is_tar(pack_ending(m->file)))
		m->member = arena_printf(a, "%s.img", name);
	if (m->x->o.force || lstat(m->file, &st) < 0)
		return 0;
	r = err_set(e, -EEXIST, "%s is there already", m->file);
	err_help(e, "name another with -o, or say --force to replace it");
	return r;
}

/* Behind the dot of "web.root"; of others "root", or the volume's own name. */
static const char *file_name(const struct lvm_lv *lv)
{
	const char *dot = strrchr(lv->name, '.');

	return startswith(lv->name, "base.") ? "root" : dot ? dot + 1 : lv->name;
}

/* A snapshot keeps what its origin gives up. Where that is written to, or where it stays, it is something
 * new, as which a pool that is all but full takes none. */
static int admitted(const struct making *m, struct err *e)
{
	struct planning p = {
		.arena = m->x->facts->arena,
		.manifest = m->x->manifest,
		.facts = m->x->facts,
	};
	const char *why = storage_trouble(p.arena, lvm_facts(p.facts), m->lv->vg, NULL);

	if (!why)
		why = storage_admit(&p, m->lv->vg);
	return why ? err_set(e, -ENOSPC, "%s", why) : 0;
}

/* --- export --- */

static int export(struct making *m, struct err *e)
{
	struct images *x = m->x;
	const struct lvm_lv *lv;
	int r;

	if (images_read(x, readers) != EXIT_FINE &&
	    (!x->o.live || images_read(x, without_xen) != EXIT_FINE))
		return err_set(e, -EIO, "so nobody knows who uses the volume");
	m->lv = lv = find_volume(x, x->names[0], e);
	if (!lv)
		return -ENOENT;
	m->name = arena_strdup(x->manifest->arena, file_name(lv));
	r = name_file(m, arena_strdup(x->manifest->arena, lv->name), e);
	if (r == 0)
		r = holds_still(m, e);
	if (r == 0 && lv->pool && snapshot_writer(xen_facts(x->facts), lv))
		r = admitted(m, e);
	if (r == 0 && lv->pool)
		r = take_snapshot(m, e);
	return r < 0 ? r : read_it(m, e);
}

int image_export(struct images *x)
{
	_cleanup_err_ struct err e = {0};
	struct making m;
	int r = begin(&m, "export", x);

	if (r)
		return r;
	interrupt_watch();
	r = lock(&m, &e);
	if (r == 0)
		r = export(&m, &e);
	drop_snapshot(&m);
	unlock(&m);
	if (r < 0)
		return image_failed(m.sub, r, &e);
	m.file = absolute(x->manifest->arena, m.file);
	tell(&m, NULL, false);
	return EXIT_FINE;
}

/* --- capture --- */

static const struct resource *find_domain(const struct images *x, const char *name)
{
	const struct manifest *m = x->manifest;
	_cleanup_(freep) const char **names = xcalloc(m->n_resources + 1, sizeof(*names));
	const struct resource *r;
	size_t n = 0;

	if (startswith(name, "domain/"))
		name += strlen("domain/");
	r = manifest_find(m, "domain", name);
	if (r)
		return r;
	for (size_t i = 0; i < m->n_resources; i++)
		if (m->resources[i]->kind == &kind_domain)
			names[n++] = m->resources[i]->name;
	fprintf(stderr, "manor image capture: %s declares no domain '%s'%s\n", m->source.name, name,
		image_did_you_mean(m->arena, name, names, n));
	return NULL;
}

/* The one that is named, or the first that is a clone. Returns 0, or an exit code, having said why. */
static int find_disk(struct making *m)
{
	const struct domain *d = m->domain->record;
	_cleanup_(freep) const char **names = xcalloc(d->disks.n + 1, sizeof(*names));
	const char *disk = m->x->o.disk;

	for (size_t i = 0; i < d->disks.n; i++) {
		const struct domain_disk *k = d->disks.entries[i].value;

		names[i] = d->disks.entries[i].name;
		if (!m->disk && (disk ? streq(names[i], disk) : k->from != NULL))
			m->disk = names[i];
	}
	if (m->disk)
		return 0;
	if (disk)
		fprintf(stderr, "manor image capture: domain/%s has no disk '%s'%s\n",
			m->domain->name, disk,
			image_did_you_mean(m->x->manifest->arena, disk, names, d->disks.n));
	else
		fprintf(stderr,
			"manor image capture: none of the disks of domain/%s is a clone of a template's "
			"file: say which one with --disk\n",
			m->domain->name);
	return EXIT_BAD;
}

/* The volume that the disk is. */
static int find_target(struct making *m, struct err *e)
{
	const struct domain *d = m->domain->record;
	const struct domain_disk *k = map_get(&d->disks, m->disk);
	const struct lvm_facts *l = lvm_facts(m->x->facts);

	m->lv = NULL;
	for (size_t i = 0; k->target && i < l->lvs.n; i++) {
		const struct lvm_lv *lv = l->lvs.items[i];

		if (lvm_path_is(lv->vg, lv->name, k->target))
			m->lv = lv;
	}
	if (!m->lv)
		return err_set(e, -ENOENT, "disk '%s' of domain/%s is no volume that is there%s%s",
			       m->disk, m->domain->name, k->target ? ": " : "",
			       k->target ? k->target : "");
	if (!m->lv->pool || !ours(m->x, m->lv)) {
		err_help(e, "`manor image export` makes a file of it");
		return err_set(
			e, -EINVAL,
			"disk '%s' of domain/%s is no thin volume in a storage of ours, so it "
			"can't become a base",
			m->disk, m->domain->name);
	}
	return lvm_filling(m->lv)
		       ? err_set(e, -EINVAL, "%s/%s is half-made", m->lv->vg, m->lv->name)
		       : 0;
}

static const struct xen_domain *as_xen_has_it(const struct making *m)
{
	const struct xen_facts *xen = xen_facts(m->x->facts);

	for (size_t i = 0; xen && i < xen->domains.n; i++) {
		const struct xen_domain *d = xen->domains.items[i];

		if (streq(d->mark_uuid, m->domain->uuid) || streq(d->uuid, m->domain->uuid) ||
		    streq(d->name, m->domain->name))
			return d;
	}
	return NULL;
}

/* *ret_domid: its number; -1: there is none. */
static int rests(const struct making *m, int64_t *ret_domid, struct err *e)
{
	const struct xen_domain *d = as_xen_has_it(m);

	*ret_domid = d ? d->domid : -1;
	return d && d->state == XEN_RUNNING ? runs(m, d, e) : holds_still(m, e);
}

/* A snapshot of a guest that rested before and after it was taken. */
static int take_of_guest(struct making *m, struct err *e)
{
	int64_t before, after;
	int r = rests(m, &before, e);

	if (r == 0)
		r = admitted(m, e);
	if (r == 0)
		r = take_snapshot(m, e);
	if (r == 0)
		r = look_again(m, e);
	if (r == 0)
		r = rests(m, &after, e);
	if (r == 0 && before != after)
		r = err_set(e, -EBUSY, "domain/%s was started or stopped while it was captured",
			    m->domain->name);
	return r;
}

/* The snapshot becomes the base that the file would become; unless that is there. The lock is held. */
static int adopt(struct making *m, const char *sha256, bool *ret_was_there, struct err *e)
{
	struct arena *a = m->x->manifest->arena;
	const struct template_file file = {.sha256 = m->result.sha256, .member = m->member};
	const struct template_import *i = template_import_of(a, &file, m->lv->vg);
	const struct lvm_lv *there = lvm_lv(lvm_facts(m->x->facts), i->storage, i->lv);
	const char *way = template_in_the_way(a, m->x->facts, i);
	const char *from = arena_strdup(a, m->lv->name);
	int r = 0;

	if (way)
		return err_set(e, -EEXIST, "%s", way);
	*ret_was_there = there && !lvm_filling(there);
	if (*ret_was_there)
		return 0;
	if (there && there->open)
		return err_set(e, -EBUSY, "%s/%s is being imported", i->storage, i->lv);
	if (there)
		r = lvm_remove(i->storage, i->lv, e);
	if (r == 0)
		r = snapshot_become_base(a, i->storage, m->snapshot, sha256, from, e);
	if (r == 0)
		m->snapshot = NULL;
	return r;
}

static int capture(struct making *m, struct err *e)
{
	struct arena *a = m->x->manifest->arena;
	int r;

	r = name_file(m, arena_printf(a, "%s-%s", m->domain->name, m->disk), e);
	if (r < 0)
		return r;
	m->name = m->disk;
	if (images_read(m->x, readers) != EXIT_FINE)
		return err_set(e, -EIO, "so nobody knows whether the domain rests");
	r = find_target(m, e);
	if (r == 0)
		r = take_of_guest(m, e);
	return r < 0 ? r : read_it(m, e);
}

int image_capture(struct images *x)
{
	_cleanup_err_ struct err e = {0};
	bool was_there = false, made = false;
	const char *id = NULL;
	struct arena *a;
	struct making m;
	int r = begin(&m, "capture", x);

	if (r)
		return r;
	a = x->manifest->arena;
	m.domain = find_domain(x, x->names[0]);
	r = m.domain ? find_disk(&m) : EXIT_BAD;
	if (r)
		return r;
	interrupt_watch();
	r = lock(&m, &e);
	if (r == 0)
		r = capture(&m, &e);
	if (r == 0) {
		const struct template_file file = {.sha256 = m.result.sha256, .member = m.member};

		made = true;
		m.file = absolute(a, m.file);
		id = template_file_id(a, &file);
		r = adopt(&m, id, &was_there, &e);
	}
	drop_snapshot(&m);
	unlock(&m);
	if (r < 0 && made) {
		err_help(&e, "%s is whole (sha256 %s): `manor image import` makes the base of it",
			 m.file, m.result.sha256);
		err_wrap(&e, "its snapshot did not become a base");
	}
	if (r < 0)
		return image_failed(m.sub, r, &e);
	tell(&m, id, was_there);
	return EXIT_FINE;
}
