/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Volumes: made thin and empty, or as clones of a template's base; grown live, never shrunk; when the
 * manifest names them no more, buried: renamed, inactive, kept for a time.
 */
#include "kinds/volume.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/num.h"
#include "host/blk.h"
#include "host/disk_file.h"
#include "kinds/domain.h"
#include "kinds/kinds.h"
#include "kinds/lvm_facts.h"
#include "kinds/seed.h"
#include "kinds/snapshot.h"
#include "kinds/storage.h"
#include "kinds/storage_pool.h"
#include "kinds/tombstone.h"

#define STEP_TIMEOUT_S 1800 /* LVM is waited for, never killed */

static enum impact size_impact(const struct field *f, const void *old, const void *new_,
			       const struct facts *facts)
{
	const struct volume *have = old, *want = new_;

	return have && want->size < have->size ? IMPACT_DATA_LOSS : IMPACT_LIVE;
}

TABLE(volume_table, volume, "volume", "A volume: a disk for a domain that outlives it.",
      {.name = "storage", .type = FIELD_STRING, .offset = FIELD_AT(volume, storage),
       .parse = parse_name, .flags = FIELD_REQUIRED, .ref = "storage",
       .impact = IMPACT_DATA_LOSS, .doc = "where it is; it can't be moved to another"},
      {.name = "size", .type = FIELD_SIZE, .offset = FIELD_AT(volume, size), .min = 1,
       .max = INT64_C(8) << 50, .flags = FIELD_REQUIRED, .impact = IMPACT_DATA_LOSS,
       .impact_of = size_impact,
       .doc = "how large, rounded up to 4 MiB; grown live, never shrunk"},
      {.name = "thin", .type = FIELD_BOOL, .offset = FIELD_AT(volume, thin), .def = "true",
       .impact = IMPACT_DATA_LOSS,
       .doc = "from the pool, taking what is written; false: all its space at once, beside the "
	      "pool, and not zeroed"},
      {.name = "swap", .type = FIELD_BOOL, .offset = FIELD_AT(volume, swap), .def = "false",
       .flags = FIELD_CONFIG,
       .doc = "swap space, as mkswap makes it; only when the volume is made, for it would destroy what is "
	      "there"},
      {.name = "base", .type = FIELD_STRING, .offset = FIELD_AT(volume, base),
       .flags = FIELD_STATUS, .doc = "digest of the template's file that it came from"},
      {.name = "kernel", .type = FIELD_STRING, .offset = FIELD_AT(volume, kernel),
       .flags = FIELD_STATUS, .doc = "digest of the kernel that came with it"},
      {.name = "initrd", .type = FIELD_STRING, .offset = FIELD_AT(volume, initrd),
       .flags = FIELD_STATUS, .doc = "digest of the initrd that came with it"},
      {.name = "seed", .type = FIELD_STRING, .offset = FIELD_AT(volume, seed),
       .flags = FIELD_DERIVED, .impact = IMPACT_LIVE,
       .doc = "digest of what cloud-init is told; the guest reads it when it boots"},
      {.name = "instance", .type = FIELD_STRING, .offset = FIELD_AT(volume, instance),
       .flags = FIELD_DERIVED, .impact = IMPACT_LIVE,
       .doc = "whom it is told to: the clone that the guest runs on"},
      {.name = "seed_text", .type = FIELD_STRING, .offset = FIELD_AT(volume, seed_text),
       .flags = FIELD_STATUS | FIELD_SECRET, .doc = "what cloud-init is told"},
      {.name = "seed_of", .type = FIELD_STRING, .offset = FIELD_AT(volume, seed_of),
       .flags = FIELD_STATUS, .doc = "the clone that is the instance"},
      {.name = "path", .type = FIELD_STRING, .offset = FIELD_AT(volume, path),
       .flags = FIELD_STATUS, .doc = "its device"},
      {.name = "active", .type = FIELD_BOOL, .offset = FIELD_AT(volume, active),
       .flags = FIELD_DERIVED, .impact = IMPACT_LIVE, .doc = "whether the kernel has it"},
      {.name = "kept", .type = FIELD_BOOL, .offset = FIELD_AT(volume, kept),
       .flags = FIELD_DERIVED, .impact = IMPACT_LIVE,
       .doc = "whether it stays though no manifest names it: undeleted"},
      {.name = "keep", .type = FIELD_DURATION, .offset = FIELD_AT(volume, keep),
       .flags = FIELD_STATUS, .doc = "how long it is kept once removed"},
      {.name = "data_percent", .type = FIELD_INT, .offset = FIELD_AT(volume, data_percent),
       .flags = FIELD_STATUS, .doc = "of its size, mapped, in hundredths; -1: not known"},
      {.name = "origin", .type = FIELD_STRING, .offset = FIELD_AT(volume, origin),
       .flags = FIELD_STATUS, .doc = "what it was cloned from"});

static const char *size_text(struct arena *a, uint64_t bytes)
{
	char buf[NUM_TEXT];

	return arena_strdup(a, num_size(buf, bytes));
}

const char *volume_path(struct arena *a, const char *storage, const char *name)
{
	return arena_printf(a, "/dev/%s/%s", storage, name);
}

/* --- the manifest --- */

struct resource *volume_imply(struct manifest *m, struct resource *domain, const char *name,
			      const struct node *where, const char *storage, uint64_t size,
			      const char *base_sha256)
{
	struct resource *s = manifest_find(m, "storage", storage), *r;
	struct volume *v;

	r = manifest_imply(m, domain, "volume", name, where);
	if (!r)
		return NULL;
	v = r->record;
	v->storage = arena_strdup(m->arena, storage);
	v->size = size;
	v->thin = true;
	v->base = arena_strdup(m->arena, base_sha256);
	field_mark(&volume_table, v, "storage");
	field_mark(&volume_table, v, "thin");
	if (size)
		field_mark(&volume_table, v, "size");
	if (v->base)
		field_mark(&volume_table, v, "base");
	if (s)
		resource_needs(m, r, s);
	return r;
}

void volume_kind(struct resource *volume, bool thin, bool swap)
{
	struct volume *v = volume->record;

	v->thin = thin;
	v->swap = swap;
	field_mark(&volume_table, v, "swap");
}

void volume_boot(struct resource *volume, const char *kernel_sha256, const char *initrd_sha256)
{
	struct volume *v = volume->record;

	v->kernel = kernel_sha256;
	v->initrd = initrd_sha256;
	if (kernel_sha256)
		field_mark(&volume_table, v, "kernel");
	if (initrd_sha256)
		field_mark(&volume_table, v, "initrd");
}

void volume_seed(struct arena *a, struct resource *volume, const char *text, const char *of,
		 const char *domain_uuid)
{
	struct volume *v = volume->record;
	char digest[SHA256_TEXT];

	sha256_of(text, strlen(text), digest);
	v->seed = arena_strdup(a, digest);
	v->seed_text = text;
	field_mark(&volume_table, v, "seed");
	field_mark(&volume_table, v, "seed_text");
	if (of) {
		v->seed_of = of;
		field_mark(&volume_table, v, "seed_of");
	} else {
		v->instance = arena_strdup(a, domain_uuid);
		field_mark(&volume_table, v, "instance");
	}
}

/* The LVM UUID of the clone that a seed is for; NULL: not there yet. */
static const char *instance_of(const struct lvm_facts *l, const struct volume *v)
{
	const char *slash = v->seed_of ? strchr(v->seed_of, '/') : NULL;
	_cleanup_(freep) char *vg = NULL;
	const struct lvm_lv *lv;

	if (!slash)
		return v->instance;
	vg = xasprintf("%.*s", (int)(slash - v->seed_of), v->seed_of);
	lv = lvm_lv(l, vg, slash + 1);
	return lv ? lv->uuid : v->instance;
}

/* A clone that is behind, and what cloud-init is told of it: a clone made anew is another instance. */
static bool is_to_be_rebuilt(const struct facts *f, const struct manifest *m,
			     const struct resource *want)
{
	const struct volume *v = want->record;
	const char *clone = v->seed_of ? strchr(v->seed_of, '/') : NULL;
	const struct resource *of = clone ? manifest_find(m, "volume", clone + 1) : want;

	return of && volume_behind(f, of) && domain_rebuild(f, m, want->name);
}

static const void *volume_wanted(struct arena *a, const struct facts *f, const struct manifest *m,
				 const struct resource *r)
{
	const struct volume *v = r->record;
	const char *instance = v->seed_of ? instance_of(lvm_facts(f), v) : NULL;
	struct volume *copy;

	/* The instance that goes is nothing to compare with. */
	if (!instance || is_to_be_rebuilt(f, m, r))
		return v;
	copy = arena_alloc(a, sizeof(*copy));
	*copy = *v;
	copy->instance = instance;
	field_mark(&volume_table, copy, "instance");
	return copy;
}

static void volume_prepare(struct manifest *m, struct resource *r)
{
	struct volume *v = r->record;
	const char *why = v->storage ? storage_volume_bad(m->arena, v->storage, r->name) : NULL;

	if (why && !r->misnamed) {
		diag_error(m->diags, "bad-name", r->span, "volume can't be named '%s': %s", r->name,
			   why);
		return;
	}
	if (!v->storage)
		return;
	v->size = round_extents(v->size);
	v->path = volume_path(m->arena, v->storage, r->name);
	field_mark(&volume_table, v, "path");
	v->active = true;
	field_mark(&volume_table, v, "active");
	/* Named again, it is like any other: the mark of the undeleted goes. */
	v->kept = false;
	field_mark(&volume_table, v, "kept");
}

/* --- what is there --- */

static struct volume *fill(struct arena *a, const struct lvm_lv *lv, struct volume *v)
{
	v->storage = lv->vg;
	v->size = lv->size;
	v->thin = streq(lv->type, "thin");
	v->base = lvm_tag_value(&lv->tags, TAG_BASE);
	v->kernel = lvm_tag_value(&lv->tags, TAG_KERNEL);
	v->initrd = lvm_tag_value(&lv->tags, TAG_INITRD);
	v->seed = lvm_tag_value(&lv->tags, TAG_SEED);
	v->instance = lvm_tag_value(&lv->tags, TAG_INSTANCE);
	v->path = volume_path(a, lv->vg, lv->name);
	v->active = lv->active;
	v->kept = streq(lvm_tag_value(&lv->tags, TAG_KEPT), "1");
	v->data_percent = lv->data_percent;
	v->origin = lv->origin;
	for (size_t i = 0; i < volume_table.n; i++) {
		const struct field *f = &volume_table.fields[i];

		if (f->type != FIELD_STRING || *(const char **)field_ptr(f, v))
			field_mark(&volume_table, v, f->name);
	}
	return v;
}

static const char *behind(struct arena *a, const struct volume *want, const char *have)
{
	if (!want->base || !have || streq(want->base, have))
		return NULL;
	return arena_printf(a, "behind: cloned from %.12s…, its template has %.12s…", have,
			    want->base);
}

/* Whether another volume of that name, ours too, is where the manifest wants it: then this one is the
 * stray. */
static bool stray(const struct lvm_facts *l, const struct manifest *m, const struct lvm_lv *lv)
{
	const struct resource *r = m ? manifest_find(m, "volume", lv->name) : NULL;
	const struct volume *want = r ? r->record : NULL;
	const struct lvm_lv *other;

	if (!want || streq(want->storage, lv->vg))
		return false;
	other = lvm_lv(l, want->storage, lv->name);
	return other && lvm_our_id(m, "volume", lv->name, &other->tags);
}

static void add_ours(struct arena *a, const struct manifest *m, const struct lvm_lv *lv,
		     struct actuals *ret)
{
	const struct resource *r = m ? manifest_find(m, "volume", lv->name) : NULL;
	struct actual *x = actual_add(a, ret, &kind_volume, lv->name);
	const char **uses = arena_alloc(a, sizeof(*uses));
	const struct volume *v = fill(a, lv, x->record);

	x->uuid = lvm_our_id(m, "volume", lv->name, &lv->tags);
	x->half_made = lvm_filling(lv);
	x->keep = v->kept;
	x->state = x->half_made ? "half-made" : lv->active ? "active" : "inactive";
	x->data = lv;
	if (r)
		x->note = behind(a, r->record, v->base);
	else if (x->keep)
		x->note = "undeleted: kept though the manifest lacks it";
	uses[0] = arena_printf(a, "storage/%s", lv->vg);
	x->uses = uses;
	x->n_uses = 1;
}

static void volume_actual(struct arena *a, const struct facts *f, const struct manifest *m,
			  struct actuals *ret)
{
	const struct lvm_facts *l = lvm_facts(f);

	for (size_t i = 0; i < l->lvs.n; i++) {
		const struct lvm_lv *lv = l->lvs.items[i];
		const char *name = lvm_tag_value(&lv->tags, TAG_NAME);
		struct actual *x;

		/* Pools are the storage's, bases the template's, tombstones and snapshots nobody's. */
		if (streq(lv->type, "thin-pool") || tombstone_is(lv) || snapshot_is(lv) ||
		    (startswith(lv->name, "base.") && lvm_tag_value(&lv->tags, TAG_BASE)))
			continue;
		if (streq(lv->name, STORAGE_POOL) && lvm_our_id(m, "storage", lv->vg, &lv->tags))
			continue; /* a pool whose making was cut short */
		if (streq(name, lv->name) && lvm_our_id(m, "volume", name, &lv->tags) &&
		    !stray(l, m, lv)) {
			add_ours(a, m, lv, ret);
			continue;
		}
		x = actual_add(a, ret, &kind_volume, arena_printf(a, "%s/%s", lv->vg, lv->name));
		x->foreign = true;
		x->uuid = lvm_tag_value(&lv->tags, TAG_ID);
		x->state = lv->active ? "active" : "inactive";
		x->data = lv;
		fill(a, lv, x->record);
	}
}

bool volume_there(const struct facts *f, const struct resource *volume)
{
	const struct volume *v = volume->record;
	const struct lvm_lv *lv =
		v->storage ? lvm_lv(lvm_facts(f), v->storage, volume->name) : NULL;
	char mark[sizeof(TAG_ID "=") + UUID_TEXT];

	snprintf(mark, sizeof(mark), TAG_ID "=%s", volume->uuid);
	return lv && lv->active && !lvm_filling(lv) && list_has(&lv->tags, mark);
}

bool volume_behind(const struct facts *f, const struct resource *volume)
{
	const struct volume *v = volume->record;
	const struct lvm_lv *lv =
		v->storage ? lvm_lv(lvm_facts(f), v->storage, volume->name) : NULL;
	const char *have = lv ? lvm_tag_value(&lv->tags, TAG_BASE) : NULL;

	return v->base && have && !streq(v->base, have);
}

/* --- deciding --- */

static bool volume_met(const struct facts *f, const struct resource *r, const void *wanted,
		       const struct resource *other)
{
	const struct lvm_facts *l = lvm_facts(f);
	const struct volume *v = wanted;
	const struct lvm_lv *there = v->storage ? lvm_lv(l, v->storage, r->name) : NULL;
	const struct lvm_lv *base = v->base ? lvm_base(l, v->storage, v->base) : NULL;

	return other->kind == &kind_template &&
	       ((there && !lvm_filling(there)) || (base && !lvm_filling(base)));
}

static void decide_create(struct planning *p, const struct resource *want, struct step *step)
{
	struct arena *a = p->arena;
	const struct volume *v = want->record;
	const struct lvm_facts *l = lvm_facts(p->facts);
	const struct lvm_lv *there = lvm_lv(l, v->storage, want->name);
	const struct lvm_lv *base = v->base ? lvm_base(l, v->storage, v->base) : NULL;
	char name[LVM_BASE_TEXT];
	const char *why;

	if (base && lvm_filling(base))
		base = NULL;
	if (v->base)
		step->why = arena_printf(
			a, "clone %s → %s/%s%s%s", lvm_base_name(v->base, name), v->storage,
			want->name, v->size || base ? " " : "",
			v->size || base ? size_text(a, MAX_OF(v->size, base ? base->size : 0))
					: "");
	else if (v->seed)
		step->why = arena_printf(a, "what cloud-init is told, on %s/%s", v->storage,
					 want->name);
	else
		step->why = arena_printf(a, "%s %s %s/%s of %s", v->thin ? "thin" : "thick",
					 v->swap ? "swap volume" : "volume", v->storage, want->name,
					 size_text(a, v->size));
	if (step->half_made)
		step->why = arena_printf(a, "half-made, made again: %s", step->why);
	if (there && !step->half_made) {
		step_hold(step, HOLD_CONFLICT,
			  arena_printf(a,
				       "a foreign volume %s/%s is there: rename one of the two, "
				       "or remove it by hand",
				       v->storage, want->name));
		return;
	}
	if (base && v->size && v->size < base->size) {
		step_hold_at(step, HOLD_CONFLICT, field_span(v, "size"),
			     arena_printf(a, "size %s is less than its template's file has, %s",
					  size_text(a, v->size), size_text(a, base->size)));
	}
	if (!v->thin) {
		why = storage_thick_fits(p, v->storage);
		if (why)
			step_hold(step, HOLD_CONFLICT, why);
		return;
	}
	why = storage_admit(p, v->storage);
	if (!why)
		why = storage_overcommitted(p, v->storage);
	if (why)
		step_hold(step, HOLD_CONFLICT, why);
}

static void decide_update(struct planning *p, const struct resource *want,
			  const struct actual *have, struct step *step)
{
	const struct volume *v = want->record, *is = have->record;
	struct arena *a = p->arena;
	const char *why = NULL;

	/* A pending one that stops nobody: held as an impact, and no word allows it. */
	if (changes_has(&step->changes, "storage"))
		why = arena_printf(
			a,
			"it is in %s: a volume can't be moved to %s; make one of another "
			"name there and copy what is in it",
			is->storage, v->storage);
	else if (changes_has(&step->changes, "thin"))
		why = "a volume can't be made thick or thin afterwards";
	else if (step->impact == IMPACT_DATA_LOSS)
		why = arena_printf(a,
				   "it has %s, the manifest asks for %s: a volume is never shrunk",
				   size_text(a, is->size), size_text(a, v->size));
	if (why) {
		step_hold(step, HOLD_IMPACT, why);
		return;
	}
	if (!changes_has(&step->changes, "size"))
		return;
	why = v->thin ? storage_overcommitted(p, v->storage) : storage_thick_fits(p, v->storage);
	if (why)
		step_hold_at(step, HOLD_CONFLICT, field_span(v, "size"), why);
}

/* The step learns how long its storage keeps tombstones; " until DAY", for its words. */
static const char *bury(struct planning *p, const struct volume *v, struct step *s)
{
	struct volume *going = arena_alloc(p->arena, sizeof(*going));
	char day[32] = "";
	time_t expires;
	struct tm tm;

	*going = *v;
	going->keep = storage_keeps(p->manifest, v->storage);
	field_mark(&volume_table, going, "keep");
	s->have_record = going;
	if (!going->keep)
		return ", kept until it is emptied";
	expires = (time_t)(p->facts->time + (int64_t)going->keep);
	if (gmtime_r(&expires, &tm))
		strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	return arena_printf(p->arena, " until %s", day);
}

static void add_rebuild(struct planning *p, const struct resource *want, const struct actual *have)
{
	const struct volume *v = want->record, *is = have->record;
	char name[LVM_BASE_TEXT];
	struct step *s = plan_rebuild(p->plan, &kind_volume, want);

	if (!s)
		return;
	if (v->seed)
		s->why = "what cloud-init is told, for the new clone";
	else
		s->why = arena_printf(p->arena,
				      "clone %s → %s/%s; the one of %.12s… becomes a tombstone%s",
				      lvm_base_name(v->base, name), v->storage, want->name,
				      is->base, bury(p, is, s));
	s->serial = arena_printf(p->arena, "vg/%s", v->storage);
	s->timeout_s = STEP_TIMEOUT_S;
}

static void volume_decide(struct planning *p, const struct resource *want,
			  const struct actual *have, struct step *step)
{
	struct arena *a = p->arena;
	const struct volume *v;
	const char *trouble, *saved;

	if (have && want && !have->half_made) {
		const char *note = behind(a, want->record, ((struct volume *)have->record)->base);

		if (note && (!step || step->impact != IMPACT_DATA_LOSS))
			plan_note(p->plan, NOTE_KEPT, arena_printf(a, "volume/%s", want->name),
				  note);
	}
	if (have && want && !have->half_made && is_to_be_rebuilt(p->facts, p->manifest, want)) {
		add_rebuild(p, want, have);
		return; /* a step that was found may have moved, and what it is about goes */
	}
	if (!step)
		return;
	v = want ? want->record : have->record;
	step->serial = arena_printf(a, "vg/%s", v->storage);
	step->timeout_s = STEP_TIMEOUT_S;
	if (!want) {
		step->why = arena_printf(a, "%s/%s becomes a tombstone%s", v->storage, step->name,
					 bury(p, v, step));
		if (v->seed)
			step->why = "what cloud-init was told: removed";
		if (have->half_made)
			step->why = "its making did not end: cleared away";
		saved = have->half_made
				? NULL
				: domain_saved_with(
					  p, arena_printf(a, "/dev/%s/%s", v->storage, step->name));
		if (saved)
			step_hold(
				step, HOLD_NEEDS,
				arena_printf(a,
					     "domain/%s was saved while it had it: restore it, or "
					     "give that up (`manor start %s --discard-saved`)",
					     saved, saved));
		trouble = storage_trouble(a, lvm_facts(p->facts), v->storage, NULL);
		if (trouble && manifest_find(p->manifest, "storage", v->storage))
			step_hold(step, HOLD_NEEDS,
				  arena_printf(a, "needs storage/%s", v->storage));
		else if (trouble)
			step_hold(step, HOLD_CONFLICT, trouble);
		return;
	}
	if (step->action == ACTION_CREATE)
		decide_create(p, want, step);
	else
		decide_update(p, want, have, step);
}

/* --- doing --- */

/* The tags say what is on it: they go before it is written and come after. */
static int fill_seed(struct work *w, const char *instance, const struct volume *is, struct err *e)
{
	const struct volume *v = w->step->want_record;
	const char *name = w->step->name, *add[2], *del[3];
	size_t n = 0;
	int r;

	if (!instance)
		return err_set(e, -ENOENT, "the clone %s that it is for isn't there", v->seed_of);
	w->progress(w, "writing", 0, 0);
	if (is && is->seed)
		del[n++] = arena_printf(w->arena, TAG_SEED "=%s", is->seed);
	if (is && is->instance)
		del[n++] = arena_printf(w->arena, TAG_INSTANCE "=%s", is->instance);
	r = n ? lvm_tag(v->storage, name, NULL, 0, del, n, e) : 0;
	if (r == 0)
		r = seed_fill(w->arena, v->storage, name, v->seed_text, instance, e);
	if (r < 0)
		return r;
	add[0] = arena_printf(w->arena, TAG_SEED "=%s", v->seed);
	add[1] = arena_printf(w->arena, TAG_INSTANCE "=%s", instance);
	del[0] = TAG_STATE "=filling";
	return lvm_tag(v->storage, name, add, 2, del, is ? 0 : 1, e);
}

/* Until it is swap space it is half-made. */
static int fill_swap(struct work *w, struct err *e)
{
	const struct volume *v = w->step->want_record;
	const char *state = TAG_STATE "=filling";
	int r = swap_make(lvm_path(w->arena, v->storage, w->step->name), w->step->uuid, e);

	return r < 0 ? r : lvm_tag(v->storage, w->step->name, NULL, 0, &state, 1, e);
}

/* `buried`: the facts are from before it was. */
static int create(struct work *w, bool buried, struct err *e)
{
	const char *name = w->step->name;
	const struct volume *v = w->step->want_record;
	const struct lvm_facts *l = lvm_facts(w->facts);
	const struct lvm_lv *there = buried ? NULL : lvm_lv(l, v->storage, name), *base;
	const char *tags[5];
	size_t n = 0;
	int r;

	if (w->now && w->now->half_made && !buried) {
		const struct lvm_lv *half = w->now->data;

		/* Where it lies, which need not be where it is wanted now. */
		r = lvm_remove(half->vg, half->name, e);
		if (r < 0)
			return r;
		if (streq(half->vg, v->storage))
			there = NULL;
	}
	if (there) {
		return err_set(e, -EEXIST, "volume %s/%s is there and bears no mark of ours",
			       v->storage, name);
	}
	tags[n++] = arena_printf(w->arena, TAG_ID "=%s", w->step->uuid);
	tags[n++] = arena_printf(w->arena, TAG_NAME "=%s", name);
	if (v->seed) {
		tags[n++] = TAG_STATE "=filling";
		r = lvm_thin_create(v->storage, STORAGE_POOL, name, v->size, tags, n, e);
		return r < 0 ? r : fill_seed(w, instance_of(l, v), NULL, e);
	}
	if (!v->base) {
		if (v->swap)
			tags[n++] = TAG_STATE "=filling";
		r = v->thin ? lvm_thin_create(v->storage, STORAGE_POOL, name, v->size, tags, n, e)
			    : lvm_linear_create(v->storage, name, v->size, tags, n, e);
		return r == 0 && v->swap ? fill_swap(w, e) : r;
	}
	base = lvm_base(l, v->storage, v->base);
	if (!base || lvm_filling(base))
		return err_set(e, -ENOENT, "its template's file (sha256 %.12s…) isn't in %s",
			       v->base, v->storage);
	if (v->size && v->size < base->size) {
		err_at(e, "size");
		return err_set(e, -EINVAL, "size is less than its template's file has, %s",
			       size_text(w->arena, base->size));
	}
	tags[n++] = arena_printf(w->arena, TAG_BASE "=%s", v->base);
	if (v->kernel)
		tags[n++] = arena_printf(w->arena, TAG_KERNEL "=%s", v->kernel);
	if (v->initrd)
		tags[n++] = arena_printf(w->arena, TAG_INITRD "=%s", v->initrd);
	w->progress(w, "cloning", 0, 0);
	r = lvm_clone(v->storage, base->name, name, tags, n, e);
	/* Cut here, it is a whole clone of ours, too small: the next plan grows it. */
	if (r == 0 && v->size > base->size)
		r = lvm_extend(v->storage, name, v->size, e);
	return r;
}

static int update(struct work *w, struct err *e)
{
	const struct volume *v = w->step->want_record, *is = w->now->record;
	const char *kept = TAG_KEPT "=1";
	int r = 0;

	if (changes_has(&w->step->changes, "size") && v->size > is->size) {
		r = lvm_extend(is->storage, w->step->name, v->size, e);
		if (r < 0)
			err_at(e, "size");
	}
	if (r == 0 && !is->active)
		r = lvm_activate(is->storage, w->step->name, true, e);
	if (r == 0 &&
	    (changes_has(&w->step->changes, "seed") || changes_has(&w->step->changes, "instance")))
		r = fill_seed(w, instance_of(lvm_facts(w->facts), v), is, e);
	if (r == 0 && is->kept)
		r = lvm_tag(is->storage, w->step->name, NULL, 0, &kept, 1, e);
	return r;
}

static uint64_t keeps(const struct work *w)
{
	const struct volume *v = w->step->have_record;

	return v && field_is_set(&volume_table, v, "keep") ? v->keep : TOMBSTONES_KEEP_S;
}

/* What a seed holds is the manifest's, and may be secret: it goes, as half-made things do. */
static int put_aside(struct work *w, struct err *e)
{
	const struct volume *v = w->now->record;
	int r = w->now->half_made || v->seed
			? lvm_remove(v->storage, w->step->name, e)
			: tombstone_bury(w->arena, w->now->data, time(NULL), keeps(w), e);

	return r == -ENOENT ? 0 : r;
}

static int volume_apply(struct work *w, struct err *e)
{
	const struct volume *v;
	int r;

	if (w->step->action == ACTION_CREATE) {
		r = create(w, false, e);
	} else if (w->step->action == ACTION_REBUILD) {
		r = w->now ? put_aside(w, e) : 0;
		if (r == 0)
			r = create(w, true, e);
	} else if (w->step->action == ACTION_REMOVE) {
		return put_aside(w, e);
	} else {
		r = update(w, e);
	}
	if (r == -ENOSPC) {
		v = w->step->want_record;
		err_help(e, "make room in %s: add a device, grow its pool, or remove volumes",
			 v->storage);
	}
	return r;
}

static const char *const volume_readers[] = {"lvm", NULL};

const struct kind kind_volume = {
	.name = "volume",
	.section = "volumes",
	.table = &volume_table,
	.readers = volume_readers,
	.prepare = volume_prepare,
	.wanted = volume_wanted,
	.met = volume_met,
	.actual = volume_actual,
	.decide = volume_decide,
	.apply = volume_apply,
	.gentle = true,
};
