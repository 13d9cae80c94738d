/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Golden images as the host has them.
 */
#include "kinds/golden.h"

#include <errno.h>
#include <stdio.h>

#include "base/str.h"
#include "host/cache.h"
#include "kinds/digest.h"
#include "kinds/kinds.h"
#include "kinds/lvm_facts.h"
#include "kinds/path_facts.h"
#include "kinds/snapshot.h"
#include "kinds/template.h"

#define CLONES_NAMED  3
#define DIGITS_NEEDED 6

struct listing {
	struct arena *arena;
	const struct lvm_facts *lvm;
	const struct path_facts *files; /* NULL: nobody looked */
	const struct manifest *manifest, *other;
	const char *unseen; /* a storage of the manifest that isn't there */
	struct golden *list;
	size_t n;
};

/* --- who names it --- */

static void add_name(struct str *to, const char *template, const char *file)
{
	if (to->n)
		str_add(to, ", ");
	str_addf(to, "%s/%s", template, file);
}

/* A file that is wanted somewhere names what is there; one that is wanted nowhere yet, all that it is. */
static bool file_names(struct arena *a, const struct template *t, const struct entry *file,
		       const struct golden *g)
{
	bool wanted = false;

	for (size_t i = 0; i < t->imports.n; i++) {
		const struct template_import *import = t->imports.entries[i].value;

		if (!streq(template_file_of(a, t->imports.entries[i].name), file->name))
			continue;
		wanted = true;
		if (streq(import->sha256, g->sha256) && streq(import->storage, g->vg) &&
		    import->image == g->image)
			return true;
	}
	return !wanted && streq(template_file_id(a, file->value), g->sha256);
}

/* Templates' files; and domains that name a file in the cache by its path. */
static void add_names(struct str *to, struct arena *a, const struct manifest *m, struct golden *g)
{
	const char *path = g->vg ? NULL : arena_printf(a, "%s/%s", CACHE_DIR, g->sha256);

	for (size_t i = 0; m && i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];

		if (r->kind == &kind_template) {
			const struct template *t = r->record;

			for (size_t k = 0; k < t->files.n; k++) {
				if (!file_names(a, t, &t->files.entries[k], g))
					continue;
				add_name(to, r->name, t->files.entries[k].name);
				if (!g->file)
					g->file = t->files.entries[k].value;
			}
		} else if (path && r->kind == &kind_domain) {
			const struct domain *d = r->record;

			if (streq(d->kernel, path) || streq(d->initrd, path))
				add_name(to, "domain", r->name);
		}
	}
}

static const char *names_of(const struct listing *l, struct golden *g)
{
	_cleanup_str_ struct str names = {0};

	add_names(&names, l->arena, l->manifest, g);
	if (!names.n)
		add_names(&names, l->arena, l->other, g);
	return names.n ? arena_strdup(l->arena, names.s) : NULL;
}

/* --- who needs it --- */

static bool came_from(const struct lvm_lv *lv, const struct golden *g)
{
	return streq(lv->vg, g->vg) && !streq(lv->name, g->lv) &&
	       (streq(lv->origin, g->lv) || streq(lvm_tag_value(&lv->tags, TAG_BASE), g->sha256));
}

static bool came_with(const struct lvm_lv *lv, const struct golden *g)
{
	return streq(lvm_tag_value(&lv->tags, TAG_KERNEL), g->sha256) ||
	       streq(lvm_tag_value(&lv->tags, TAG_INITRD), g->sha256);
}

static void find_clones(const struct listing *l, struct golden *g)
{
	for (size_t i = 0; !g->vg && !g->image && l->files && i < l->files->paths.n; i++) {
		const struct path_state *s = l->files->paths.items[i];

		if (streq(s->kernel, g->sha256) || streq(s->initrd, g->sha256))
			list_add(l->arena, &g->clones, (void *)s->path);
	}
	/* A file that was cloned from an image stands by itself. */
	for (size_t i = 0; !g->image && i < l->lvm->lvs.n; i++) {
		const struct lvm_lv *lv = l->lvm->lvs.items[i];

		if (g->vg ? came_from(lv, g) : came_with(lv, g))
			list_add(l->arena, &g->clones,
				 (void *)arena_printf(l->arena, "%s/%s", lv->vg, lv->name));
	}
}

static const char *clones_text(struct arena *a, const struct golden *g)
{
	_cleanup_str_ struct str text = {0};

	for (size_t i = 0; i < MIN_OF(g->clones.n, (size_t)CLONES_NAMED); i++)
		str_addf(&text, "%s%s", i ? ", " : "", (const char *)g->clones.items[i]);
	if (g->clones.n > CLONES_NAMED)
		str_addf(&text, " and %zu more", g->clones.n - CLONES_NAMED);
	return arena_strdup(a, str_get(&text));
}

/* A base can't go from under its clones. A boot file that a template names comes again; another is
 * there only. */
static const char *stays(const struct listing *l, const struct golden *g)
{
	if (!g->ours)
		return "it isn't ours: its storage is of another namespace than the manifest's";
	if (g->left)
		return g->open ? "it is being read: a volume is exported, or a disk captured"
			       : NULL;
	if (g->filling)
		return g->open ? "it is being imported"
			       : "it is half-made: the next apply goes on with it, or clears it away";
	if (g->clones.n && g->vg)
		return arena_printf(l->arena, "%s %s cloned from it", clones_text(l->arena, g),
				    g->clones.n == 1 ? "was" : "were");
	if (g->vg || g->named || g->image)
		return NULL;
	if (g->clones.n)
		return arena_printf(l->arena, "it came with %s, and no template names it any more",
				    clones_text(l->arena, g));
	if (l->unseen)
		return arena_printf(l->arena,
				    "storage/%s isn't there, and nobody knows what the clones in "
				    "it need",
				    l->unseen);
	return NULL;
}

/* --- what there is --- */

static void add(struct listing *l, struct golden *g)
{
	if (!g->left) {
		g->named = names_of(l, g);
		find_clones(l, g);
	}
	g->stays = stays(l, g);
	l->list = arena_grow(l->arena, l->list, l->n, sizeof(*l->list));
	l->list[l->n++] = *g;
}

static void add_base(struct listing *l, const struct lvm_lv *lv)
{
	const char *sha256 = lvm_tag_value(&lv->tags, TAG_BASE);
	const struct lvm_vg *vg = lvm_vg(l->lvm, lv->vg);
	struct golden g = {
		.sha256 = sha256,
		.vg = lv->vg,
		.lv = lv->name,
		.size = lv->size,
		.mapped = lvm_mapped(lv),
		.read_only = lv->readonly,
		.filling = lvm_filling(lv),
		.open = lv->open,
		.left = snapshot_is(lv),
		.captured = lvm_tag_value(&lv->tags, TAG_CAPTURED),
	};
	char name[LVM_BASE_TEXT];

	if (g.left)
		g.sha256 = lv->name;
	else if (!sha256 || !digest_ok(sha256) || !streq(lv->name, lvm_base_name(sha256, name)))
		return;
	g.ours = vg && lvm_our_id(l->manifest, "storage", vg->name, &vg->tags);
	add(l, &g);
}

static const char *unseen(const struct listing *l)
{
	const struct manifest *both[] = {l->manifest, l->other};

	for (size_t k = 0; k < ARRAY_SIZE(both); k++)
		for (size_t i = 0; both[k] && i < both[k]->n_resources; i++) {
			const struct resource *r = both[k]->resources[i];

			if (r->kind == &kind_storage && !lvm_vg(l->lvm, r->name))
				return r->name;
		}
	return NULL;
}

void golden_list(struct arena *a, const struct facts *f, const struct manifest *m,
		 const struct manifest *other, struct golden **ret, size_t *ret_n)
{
	const struct cache_facts *cache = facts_get(f, "cache");
	struct listing l = {
		.arena = a,
		.lvm = lvm_facts(f),
		.files = facts_get(f, "paths"),
		.manifest = m,
		.other = other,
	};

	l.unseen = unseen(&l);
	for (size_t i = 0; i < l.lvm->lvs.n; i++)
		add_base(&l, l.lvm->lvs.items[i]);
	for (size_t i = 0; i < cache->files.n; i++) {
		const struct cache_file *c = cache->files.entries[i].value;
		struct golden g = {
			.sha256 = cache->files.entries[i].name,
			.size = c->size,
			.mapped = (int64_t)c->size,
			.unpacked = c->unpacked,
			.ours = true,
		};

		add(&l, &g);
	}
	for (size_t i = 0; i < cache->images.n; i++) {
		const struct cache_image *c = cache->images.entries[i].value;
		struct golden g = {
			.sha256 = cache->images.entries[i].name,
			.image = true,
			.size = c->size,
			.mapped = (int64_t)c->held,
			.read_only = true,
			.ours = true,
		};

		add(&l, &g);
	}
	*ret = l.list;
	*ret_n = l.n;
}

bool golden_garbage(const struct golden *g)
{
	return g->ours && !g->named && !g->clones.n && !g->stays;
}

bool golden_meant(const struct golden *g, const char *what)
{
	size_t n = strlen(what);

	if (g->vg && strchr(what, '/')) {
		size_t vg = strlen(g->vg);

		return strncmp(what, g->vg, vg) == 0 && what[vg] == '/' &&
		       streq(what + vg + 1, g->lv);
	}
	return n >= DIGITS_NEEDED && startswith(g->sha256, what);
}

int golden_remove(const struct golden *g, struct err *e)
{
	if (g->stays)
		return err_set(e, -EBUSY, "%s", g->stays);
	if (g->image)
		return cache_remove_image(g->sha256, e);
	return g->vg ? lvm_remove(g->vg, g->lv, e) : cache_remove(g->sha256, e);
}
