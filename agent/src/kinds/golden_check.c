/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Whether golden images are still what they were when they were imported.
 */
#include <errno.h>

#include "host/cache.h"
#include "kinds/digest.h"
#include "kinds/golden.h"
#include "kinds/kinds.h"
#include "kinds/lvm_facts.h"
#include "kinds/template.h"

const char *const golden_result_words[] = {"fine", "not checked", "wrong", NULL};

/* --- boot files --- */

/* Its name is its sha256, unless it is known by another digest or is a part of a file: that the template says
 * which names it. Of one that nobody names it isn't known. */
static void check_file(struct arena *a, const struct golden *g, struct golden_finding *ret)
{
	_cleanup_err_ struct err e = {0};
	bool other = g->file && !g->file->sha256;
	int r;

	if (g->image) {
		ret->result = GOLDEN_UNCHECKED;
		ret->why = "it is unpacked, and the digest is of the file as downloaded";
		return;
	}
	if (g->file && g->file->member) {
		ret->result = GOLDEN_UNCHECKED;
		ret->why = "it came out of an archive, whose digest is known, not its own";
		return;
	}
	r = cache_check(g->sha256, other ? HASH_SHA512 : HASH_SHA256,
			other ? g->file->sha512 : g->sha256, &e);
	if (r == 0)
		return;
	ret->result = GOLDEN_WRONG;
	if (r == -EBADMSG && !g->file)
		ret->why =
			arena_printf(a,
				     "%s: damaged, unless it came out of an archive or was known "
				     "by its sha512, for no template names it any more",
				     e.message);
	else
		ret->why = arena_strdup(a, e.message);
}

/* --- bases --- */

static const char *wrong(struct arena *a, const struct lvm_facts *l, const struct lvm_lv *lv)
{
	const struct lvm_vg *vg = lvm_vg(l, lv->vg);

	if (vg && vg->partial)
		return arena_printf(a, "a device of %s is missing", lv->vg);
	if (lv->health)
		return arena_printf(a, "LVM says: %s", lv->health);
	if (!lv->pool)
		return "it is no thin volume";
	if (!lv->readonly)
		return arena_printf(a,
				    "it is writable, so what is cloned from it may be anything: "
				    "'lvchange -pr %s/%s' if you know that nobody wrote to it",
				    lv->vg, lv->name);
	/* One that was captured is its own: what it is a snapshot of may change, and go. */
	if (lv->origin && !lvm_tag_value(&lv->tags, TAG_CAPTURED))
		return arena_printf(a, "it is a clone itself, of %s", lv->origin);
	if (lvm_tag_value(&lv->tags, TAG_ID) || lvm_tag_value(&lv->tags, TAG_TRASH))
		return "its tags make it a base and a volume";
	return NULL;
}

static void check_base(struct arena *a, const struct facts *f, const struct golden *g,
		       struct golden_finding *ret)
{
	const struct lvm_lv *lv = lvm_lv(lvm_facts(f), g->vg, g->lv);

	if (g->filling) {
		ret->result = GOLDEN_UNCHECKED;
		ret->why =
			g->stays
				? g->stays
				: "an export or a capture was cut off: `manor image gc` clears it away";
		return;
	}
	ret->why = lv ? wrong(a, lvm_facts(f), lv) : "it is gone";
	if (ret->why)
		ret->result = GOLDEN_WRONG;
}

void golden_check(struct arena *a, const struct facts *f, const struct golden *g,
		  struct golden_finding *ret)
{
	*ret = (struct golden_finding){
		.sha256 = g->sha256,
		.vg = g->vg,
		.named = g->named,
	};
	if (g->vg)
		check_base(a, f, g, ret);
	else
		check_file(a, g, ret);
}

/* --- the rest --- */

struct rest {
	struct arena *arena;
	struct golden_finding *list;
	size_t n;
};

static void add(struct rest *r, const char *sha256, const char *vg, const char *named,
		const char *why)
{
	for (size_t i = 0; i < r->n; i++)
		if (streq(r->list[i].sha256, sha256) && streq(r->list[i].vg, vg))
			return;
	r->list = arena_grow(r->arena, r->list, r->n, sizeof(*r->list));
	r->list[r->n++] = (struct golden_finding){sha256, vg, named, GOLDEN_WRONG, why};
}

static bool listed(const struct golden *list, size_t n, const struct template_import *x)
{
	for (size_t i = 0; i < n; i++)
		if (streq(list[i].sha256, x->sha256) && streq(list[i].vg, x->storage) &&
		    list[i].image == x->image)
			return true;
	return false;
}

void golden_check_rest(struct arena *a, const struct facts *f, const struct manifest *m,
		       const struct golden *list, size_t n, struct golden_finding **ret,
		       size_t *ret_n)
{
	const struct lvm_facts *l = lvm_facts(f);
	struct rest r = {.arena = a};

	for (size_t i = 0; i < m->n_resources; i++) {
		const struct template *t = m->resources[i]->record;

		for (size_t k = 0; m->resources[i]->kind == &kind_template && k < t->imports.n;
		     k++) {
			const struct template_import *x = t->imports.entries[k].value;
			const char *way = template_in_the_way(a, f, x);

			if (!listed(list, n, x))
				add(&r, x->sha256, x->storage,
				    arena_printf(a, "%s/%s", m->resources[i]->name,
						 template_file_of(a, t->imports.entries[k].name)),
				    way ? way : "it is missing: the next apply imports it");
		}
	}
	/* Those that a template wants were told just now. */
	for (size_t i = 0; i < l->lvs.n; i++) {
		const struct lvm_lv *lv = l->lvs.items[i];
		const char *sha256 = lvm_tag_value(&lv->tags, TAG_BASE);
		const struct lvm_vg *vg = lvm_vg(l, lv->vg);
		char name[LVM_BASE_TEXT];

		if (!startswith(lv->name, "base.") || !sha256 || !vg ||
		    !lvm_our_id(m, "storage", vg->name, &vg->tags) ||
		    (digest_ok(sha256) && streq(lv->name, lvm_base_name(sha256, name))))
			continue;
		add(&r, lv->name, lv->vg, NULL,
		    arena_printf(a, "its tag names another digest: %s", sha256));
	}
	*ret = r.list;
	*ret_n = r.n;
}
