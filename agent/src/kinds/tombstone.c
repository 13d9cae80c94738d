/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Removed volumes that are kept for a time.
 */
#include "kinds/tombstone.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/num.h"
#include "host/blk.h"
#include "kinds/lvm_facts.h"
#include "kinds/storage.h"

/* "trash.1700000000.web.root" → when and whose; false for any other name. */
static bool parse(const char *lv, int64_t *ret_time, const char **ret_name)
{
	_cleanup_(freep) char *number = NULL;
	const char *dot;

	if (!startswith(lv, TOMBSTONE_PREFIX))
		return false;
	lv += strlen(TOMBSTONE_PREFIX);
	dot = strchr(lv, '.');
	if (!dot || !dot[1])
		return false;
	number = xasprintf("%.*s", (int)(dot - lv), lv);
	if (num_parse_int(number, 0, INT64_MAX / 2, ret_time) < 0)
		return false;
	*ret_name = dot + 1;
	return true;
}

bool tombstone_is(const struct lvm_lv *lv)
{
	int64_t when;
	const char *name;

	return lvm_tag_value(&lv->tags, TAG_ID) && parse(lv->name, &when, &name);
}

int tombstone_bury(struct arena *a, const struct lvm_lv *lv, int64_t now, uint64_t keep,
		   struct err *e)
{
	const char *to = arena_printf(a, TOMBSTONE_PREFIX "%" PRId64 ".%s", now, lv->name);
	const char *tags[2] = {arena_printf(a, TAG_TRASH "=%" PRId64, now + (int64_t)keep)};
	size_t n = 1;
	int r;

	/* While it is active it can be asked. */
	if (lv->pool && lv->data_percent >= 0)
		tags[n++] = arena_printf(a, TAG_MAPPED "=%" PRId64, lvm_mapped(lv));

	r = lvm_activate(lv->vg, lv->name, false, e);
	if (r == -EBUSY) {
		const char *who = blk_users(a, lvm_path(a, lv->vg, lv->name));

		return err_set(e, r, "volume %s/%s is in use%s%s", lv->vg, lv->name,
			       who ? ": " : "", who ? who : "");
	}
	if (r == 0)
		r = lvm_rename(lv->vg, lv->name, to, e);
	if (r == 0)
		r = lvm_tag(lv->vg, to, tags, n, NULL, 0, e);
	return r < 0 ? r : lvm_autoactivate(lv->vg, to, false, e);
}

int tombstone_purge(const struct lvm_lv *lv, struct err *e)
{
	/* The one rule that keeps this from ever destroying what is in use or wanted. */
	if (!tombstone_is(lv))
		return err_set(e, -EINVAL, "%s/%s is no tombstone", lv->vg, lv->name);
	return lvm_remove(lv->vg, lv->name, e);
}

static int newest_first(const void *x, const void *y)
{
	const struct tombstone *p = x, *q = y;

	return p->removed < q->removed ? 1 : p->removed > q->removed ? -1 : strcmp(p->lv, q->lv);
}

void volume_tombstones(struct arena *a, const struct facts *f, const struct manifest *m,
		       struct tombstone **ret, size_t *ret_n)
{
	const struct lvm_facts *l = lvm_facts(f);
	struct tombstone *list = NULL;
	size_t n = 0;

	for (size_t i = 0; l && i < l->lvs.n; i++) {
		const struct lvm_lv *lv = l->lvs.items[i];
		const char *tag = lvm_tag_value(&lv->tags, TAG_TRASH), *name;
		int64_t removed, expires;

		if (!tombstone_is(lv) || !parse(lv->name, &removed, &name))
			continue;
		if (!tag || num_parse_int(tag, 0, INT64_MAX, &expires) < 0)
			expires = removed + (int64_t)TOMBSTONES_KEEP_S; /* cut off before its tag */
		list = arena_grow(a, list, n, sizeof(*list));
		list[n++] = (struct tombstone){
			.name = name,
			.vg = lv->vg,
			.lv = lv->name,
			.size = lv->size,
			.uuid = lvm_tag_value(&lv->tags, TAG_ID),
			.removed = removed,
			.expires = expires,
			.held = lvm_mapped(lv),
			.cloned = lvm_tag_value(&lv->tags, TAG_BASE) != NULL,
			.ours = m && lvm_our_id(m, "volume", name, &lv->tags),
		};
	}
	if (n)
		qsort(list, n, sizeof(*list), newest_first);
	*ret = list;
	*ret_n = n;
}

bool volume_meant(const struct tombstone *t, const char *what)
{
	size_t n;

	if (startswith(what, "volume/"))
		return streq(t->name, what + strlen("volume/"));
	if (startswith(what, "domain/"))
		what += strlen("domain/");
	else if (streq(t->name, what))
		return true;
	n = strlen(what);
	return n && !strchr(what, '.') && strncmp(t->name, what, n) == 0 && t->name[n] == '.';
}

static int not_ours(const struct tombstone *t, struct err *e)
{
	int r = err_set(e, -EPERM,
			"%s/%s isn't ours: its mark is of another namespace than the manifest's",
			t->vg, t->lv);

	err_help(e, "name the manifest that it belongs to with -f FILE");
	return r;
}

int volume_purge(const struct facts *f, const struct tombstone *t, struct err *e)
{
	const struct lvm_lv *lv = lvm_lv(lvm_facts(f), t->vg, t->lv);

	if (!t->ours)
		return not_ours(t, e);
	if (!lv)
		return 0; /* gone by now, or brought back */
	return tombstone_purge(lv, e);
}

int volume_undelete(struct arena *a, const struct facts *f, const struct tombstone *t,
		    struct err *e)
{
	const struct lvm_lv *lv = lvm_lv(lvm_facts(f), t->vg, t->lv), *there;
	const char *tag = lv ? lvm_tag_value(&lv->tags, TAG_TRASH) : NULL;
	const char *kept = TAG_KEPT "=1";
	const char *size = lv ? lvm_tag_value(&lv->tags, TAG_MAPPED) : NULL;
	const char *gone[2];
	size_t n = 0;
	int r;

	if (!lv || !tombstone_is(lv))
		return err_set(e, -ENOENT, "no tombstone %s/%s", t->vg, t->lv);
	if (!t->ours)
		return not_ours(t, e);
	there = lvm_lv(lvm_facts(f), t->vg, t->name);
	if (there) {
		r = err_set(e, -EEXIST, "volume %s/%s is there by now", t->vg, t->name);
		err_help(e, "take it out of the manifest and apply, or rename it; then try again");
		return r;
	}
	/* Marked to be kept before it has its name again: no apply in between may bury it anew. */
	if (tag)
		gone[n++] = arena_printf(a, TAG_TRASH "=%s", tag);
	if (size)
		gone[n++] = arena_printf(a, TAG_MAPPED "=%s", size);
	r = lvm_tag(t->vg, t->lv, &kept, 1, gone, n, e);
	if (r == 0)
		r = lvm_autoactivate(t->vg, t->lv, true, e);
	if (r == 0)
		r = lvm_rename(t->vg, t->lv, t->name, e);
	return r < 0 ? r : lvm_activate(t->vg, t->name, true, e);
}
