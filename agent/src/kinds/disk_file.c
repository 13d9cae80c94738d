/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Disk files: made sparse and empty, or as clones of a template's file; grown live, never shrunk, never removed.
 * What stands at the path already is used as it is, unless it was to be a clone and isn't one.
 */
#include "kinds/disk_file.h"

#include <errno.h>

#include "base/num.h"
#include "host/cache.h"
#include "host/disk_file.h"
#include "kinds/domain.h"
#include "kinds/kinds.h"
#include "kinds/path_facts.h"

#define STEP_TIMEOUT_S 7200 /* a copy, where blocks can't be shared */

static enum impact size_impact(const struct field *f, const void *old, const void *new_,
			       const struct facts *facts)
{
	const struct disk_file *have = old, *want = new_;

	return have && want->size < have->size ? IMPACT_DATA_LOSS : IMPACT_LIVE;
}

TABLE(disk_file_table, disk_file, "file", "A file that is a guest's disk.",
      {.name = "path", .type = FIELD_STRING, .offset = FIELD_AT(disk_file, path),
       .flags = FIELD_DERIVED, .doc = "where it is"},
      {.name = "size", .type = FIELD_SIZE, .offset = FIELD_AT(disk_file, size),
       .flags = FIELD_DERIVED, .impact = IMPACT_DATA_LOSS, .impact_of = size_impact,
       .doc = "how large"},
      {.name = "base", .type = FIELD_STRING, .offset = FIELD_AT(disk_file, base),
       .flags = FIELD_STATUS, .doc = "digest of the template's file that it came from"},
      {.name = "kernel", .type = FIELD_STRING, .offset = FIELD_AT(disk_file, kernel),
       .flags = FIELD_STATUS, .doc = "digest of the kernel that came with it"},
      {.name = "initrd", .type = FIELD_STRING, .offset = FIELD_AT(disk_file, initrd),
       .flags = FIELD_STATUS, .doc = "digest of the initrd that came with it"},
      {.name = "swap", .type = FIELD_BOOL, .offset = FIELD_AT(disk_file, swap),
       .flags = FIELD_STATUS, .doc = "whether it is made as swap space"},
      {.name = "held", .type = FIELD_SIZE, .offset = FIELD_AT(disk_file, held),
       .flags = FIELD_STATUS, .doc = "how much of it is occupied"});

struct resource *disk_file_imply(struct manifest *m, struct resource *domain, const char *name,
				 const struct node *where, const char *path, uint64_t size,
				 const char *base_sha256, bool swap)
{
	struct resource *r = manifest_imply(m, domain, "file", name, where);
	struct disk_file *v;

	if (!r)
		return NULL;
	v = r->record;
	*v = (struct disk_file){
		.rec = v->rec,
		.path = path,
		.size = size,
		.base = base_sha256,
		.swap = swap,
	};
	field_mark(&disk_file_table, v, "path");
	field_mark(&disk_file_table, v, "swap");
	if (size)
		field_mark(&disk_file_table, v, "size");
	if (base_sha256)
		field_mark(&disk_file_table, v, "base");
	return r;
}

void disk_file_boot(struct resource *file, const char *kernel_sha256, const char *initrd_sha256)
{
	struct disk_file *v = file->record;

	v->kernel = kernel_sha256;
	v->initrd = initrd_sha256;
	if (kernel_sha256)
		field_mark(&disk_file_table, v, "kernel");
	if (initrd_sha256)
		field_mark(&disk_file_table, v, "initrd");
}

bool disk_file_behind(const struct facts *f, const struct resource *file)
{
	const struct disk_file *v = file->record;
	const struct path_state *s = path_facts(f, v->path);

	return v->base && s && s->base && !streq(v->base, s->base);
}

const char *disk_file_other(struct arena *a, const struct facts *f, const char *path)
{
	const struct path_state *s = path_facts(f, path);

	/* What we cloned is raw, whatever its guest wrote since. */
	if (!s || !s->format || s->base)
		return NULL;
	return arena_printf(
		a,
		"%s begins like a %s image, and guests get raw ones: 'qemu-img convert -O raw %s NEW' makes "
		"one of it, or a template that has it under 'files'; if it is raw, say 'format: raw'",
		path, s->format, path);
}

static void paths(struct arena *a, const void *record, struct list *ret)
{
	const struct disk_file *v = record;

	if (v->path)
		list_add(a, ret, (void *)v->path);
}

bool disk_file_there(const struct facts *f, const struct resource *file)
{
	const struct disk_file *v = file->record;
	const struct path_state *s = path_facts(f, v->path);

	return s && !s->why && s->type == PATH_FILE && (!v->base || s->base);
}

static void actual(struct arena *a, const struct facts *f, const struct manifest *m,
		   struct actuals *ret)
{
	for (size_t i = 0; m && i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];
		const struct disk_file *want = r->record;
		const struct path_state *s;
		struct disk_file *have;
		struct actual *x;

		if (r->kind != &kind_file || !disk_file_there(f, r))
			continue;
		s = path_facts(f, want->path);
		x = actual_add(a, ret, &kind_file, r->name);
		have = x->record;
		have->path = s->path;
		have->size = s->size;
		have->held = s->held;
		have->base = s->base;
		field_mark(&disk_file_table, have, "path");
		field_mark(&disk_file_table, have, "size");
		field_mark(&disk_file_table, have, "held");
		if (have->base)
			field_mark(&disk_file_table, have, "base");
		x->uuid = r->uuid;
		x->state = "there";
		if (want->base && !streq(want->base, have->base))
			x->note = arena_printf(
				a, "behind: cloned from %.12s…, its template has %.12s…",
				have->base, want->base);
		x->data = s;
	}
}

/* What is there needs its template no more. */
static bool met(const struct facts *f, const struct resource *r, const void *wanted,
		const struct resource *other)
{
	const struct disk_file *v = wanted;
	const struct cache_facts *cache = facts_get(f, "cache");

	return other->kind == &kind_template &&
	       (disk_file_there(f, r) || (cache && v->base && map_get(&cache->images, v->base)));
}

static const char *size_text(struct arena *a, uint64_t bytes)
{
	char buf[NUM_TEXT];

	return arena_strdup(a, num_size(buf, bytes));
}

/* Why it can't be made where it is to be; NULL: it can. */
static const char *obstacle(struct arena *a, const struct disk_file *v, const struct path_state *s,
			    const struct cache_image *base)
{
	if (s->why)
		return arena_printf(a, "%s: %s", v->path, s->why);
	if (s->type == PATH_FILE)
		return arena_printf(
			a,
			"%s is there, and wasn't cloned from the template: move it away, "
			"or leave 'from' out to use it as it is",
			v->path);
	if (s->type != PATH_ABSENT)
		return arena_printf(a, "%s is a %s: 'file' takes a file's path%s", v->path,
				    path_type_words[s->type],
				    s->type == PATH_DEVICE ? ", and 'device' a disk" : "");
	if (!s->folder)
		return arena_printf(a,
				    "the folder of %s isn't there: make it, or mount what it is on",
				    v->path);
	if (s->read_only)
		return arena_printf(a, "the file system of %s is mounted read-only", v->path);
	if (base && base->held > s->free)
		return arena_printf(a, "%s is to hold %s, and its file system has %s free", v->path,
				    size_text(a, base->held), size_text(a, s->free));
	return NULL;
}

/* Of the disk that asks for it; empty: the resource itself. */
static struct span disk_span(struct arena *a, const struct resource *want, const char *field)
{
	const char *dot = strchr(want->name, '.');

	if (!want->owner || !dot)
		return (struct span){0};
	return field_span(want->owner->record, arena_printf(a, "disks.%s.%s", dot + 1, field));
}

static void decide_create(struct planning *p, const struct resource *want, struct step *step)
{
	struct arena *a = p->arena;
	const struct disk_file *v = want->record;
	const struct path_state *s = path_facts(p->facts, v->path);
	const struct cache_facts *cache = facts_get(p->facts, "cache");
	const struct cache_image *base = v->base && cache ? map_get(&cache->images, v->base) : NULL;
	const char *why;

	if (v->base)
		step->why = arena_printf(
			a, "clone %.12s… → %s%s%s", v->base, v->path, v->size || base ? ", " : "",
			v->size || base ? size_text(a, MAX_OF(v->size, base ? base->size : 0))
					: "");
	else
		step->why = arena_printf(a, "sparse file %s of %s%s", v->path,
					 size_text(a, v->size), v->swap ? ", swap space" : "");
	if (!s) {
		step_hold(step, HOLD_UNKNOWN,
			  arena_printf(a,
				       "nobody looked at %s: these facts are of another manifest",
				       v->path));
		return;
	}
	why = obstacle(a, v, s, base);
	if (!why && base && v->size && v->size < base->size) {
		why = arena_printf(a, "size %s is less than its template's file has, %s",
				   size_text(a, v->size), size_text(a, base->size));
		step->hold_span = disk_span(a, want, "size");
	} else if (why) {
		step->hold_span = disk_span(a, want, "file");
	}
	if (why)
		step_hold(step, HOLD_CONFLICT, why);
}

static void add_rebuild(struct planning *p, const struct resource *want, const struct actual *have)
{
	const struct disk_file *v = want->record, *is = have->record;
	struct step *s = plan_rebuild(p->plan, &kind_file, want);

	if (!s)
		return;
	s->why = arena_printf(p->arena,
			      "clone %.12s… → %s; the one of %.12s… stays as %s.before-TIME",
			      v->base, v->path, is->base, v->path);
	s->timeout_s = STEP_TIMEOUT_S;
}

static void decide(struct planning *p, const struct resource *want, const struct actual *have,
		   struct step *step)
{
	struct arena *a = p->arena;
	const char *other;

	if (have && want && disk_file_behind(p->facts, want) &&
	    domain_rebuild(p->facts, p->manifest, want->name)) {
		add_rebuild(p, want, have);
		return;
	}
	if (have && want && have->note)
		plan_note(p->plan, NOTE_KEPT, arena_printf(a, "file/%s", want->name), have->note);
	if (!step || !want)
		return;
	step->timeout_s = STEP_TIMEOUT_S;
	step->serial = arena_printf(a, "file/%s", ((const struct disk_file *)want->record)->path);
	if (step->action == ACTION_CREATE) {
		decide_create(p, want, step);
	} else if (!((const struct disk_file *)want->record)->raw &&
		   (other = disk_file_other(a, p->facts,
					    ((const struct disk_file *)want->record)->path))) {
		/* Some have at their end what tells where everything is. */
		step_hold_at(step, HOLD_CONFLICT, disk_span(a, want, "file"), other);
	} else if (step->impact == IMPACT_DATA_LOSS) {
		const struct disk_file *v = want->record, *is = have->record;

		step_hold(step, HOLD_IMPACT,
			  arena_printf(
				  a, "it has %s, the manifest asks for %s: a file is never shrunk",
				  size_text(a, is->size), size_text(a, v->size)));
	}
}

static void on_progress(void *data, uint64_t done, uint64_t total)
{
	struct work *w = data;

	w->progress(w, "copying", done, total);
}

static int apply(struct work *w, struct err *e)
{
	const struct disk_file *v = w->step->want_record;
	struct disk_file_request q = {
		.path = v->path,
		.size = v->size,
		.from = v->base ? cache_image_path(w->arena, v->base) : NULL,
		.base = v->base,
		.kernel = v->kernel,
		.initrd = v->initrd,
		.swap = v->swap ? w->step->uuid : NULL,
		.progress = on_progress,
		.data = w,
	};
	int r;

	if (w->step->action == ACTION_REBUILD && w->now) {
		/* Cut off behind it, the next apply finds nothing there and makes it. */
		r = disk_file_aside(
			v->path, arena_printf(w->arena, "before-%lld", (long long)w->facts->time),
			e);
		if (r < 0)
			return r;
	}
	if (w->step->action == ACTION_CREATE || w->step->action == ACTION_REBUILD)
		r = disk_file_make(&q, e);
	else if (w->step->action == ACTION_UPDATE)
		r = disk_file_grow(v->path, v->size, e);
	else
		return err_set(e, -EPERM, "a disk's file is never removed");
	if (r == -ENOSPC)
		err_help(e, "make room in the file system of %s", v->path);
	return r;
}

/* Several may read one file: then it is made in one way. */
static void check(struct manifest *m)
{
	for (size_t i = 0; i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];
		const struct disk_file *v = r->record;

		for (size_t k = 0; r->kind == &kind_file && k < i; k++) {
			const struct resource *first = m->resources[k];
			const struct disk_file *o = first->record;
			struct diag *g;

			if (first->kind != &kind_file || !streq(o->path, v->path) ||
			    (o->size == v->size && streq(o->base, v->base) && o->swap == v->swap))
				continue;
			g = diag_error(m->diags, "conflicting-files", r->span,
				       "%s is to be made in two ways", v->path);
			diag_also(m->diags, g, first->span, "first here");
			break;
		}
	}
}

static const char *const readers[] = {"paths", "cache", NULL};

const struct kind kind_file = {
	.name = "file",
	.table = &disk_file_table,
	.readers = readers,
	.check = check,
	.paths = paths,
	.met = met,
	.actual = actual,
	.decide = decide,
	.apply = apply,
};
