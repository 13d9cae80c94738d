/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Templates: what is wanted of their files follows from the domains, what is there from the bases'
 * tags and the cache's names. Bases are shared: each digest is imported once a place.
 */
#include "kinds/template.h"

#include <errno.h>
#include <stdio.h>

#include "base/str.h"
#include "host/cache.h"
#include "host/image_tar.h"
#include "kinds/digest.h"
#include "kinds/kinds.h"
#include "kinds/lvm_facts.h"
#include "kinds/storage.h"
#include "model/kind.h"

/* A slow line and a large image; one that stands still is noticed by the fetching itself. */
#define IMPORT_TIMEOUT_S (12u * 3600)
#define LOOK_AGAIN_S     300 /* nobody tells when one that a person imports has ended */

/* A member's name, without what says "here" before it. */
static int parse_member(struct decode *c, const struct field *f, const char *text, const char **ret,
			struct err *e)
{
	if (!tar_name_ok(text))
		return err_set(e, -EINVAL,
			       "the name of a tar archive's member: relative, and without ..");
	while (startswith(text, "./"))
		for (text += 2; *text == '/'; text++)
			;
	*ret = arena_strdup(c->arena, text);
	return 0;
}

TABLE(template_file_table, template_file, "file", "A golden file: a disk's image, or a boot file.",
      {.name = "url", .type = FIELD_STRING, .offset = FIELD_AT(template_file, url),
       .parse = parse_url, .flags = FIELD_REQUIRED,
       .doc = "where it is: http, https or file; a path is a file beside the manifest"},
      {.name = "mirrors", .type = FIELD_LIST, .offset = FIELD_AT(template_file, mirrors),
       .parse = parse_url,
       .doc = "other urls of the same file, tried in this order when the first fails; where a "
	      "download broke off, the next goes on"},
      {.name = "sha256", .type = FIELD_STRING, .offset = FIELD_AT(template_file, sha256),
       .parse = parse_digest, .flags = FIELD_FROM_FILE,
       .doc = "digest of the file as downloaded: 64 hex digits, or {file: SHA256SUMS}; this or "
	      "sha512 is required to import it, for bases are named by it"},
      {.name = "sha512", .type = FIELD_STRING, .offset = FIELD_AT(template_file, sha512),
       .parse = parse_digest_512, .flags = FIELD_FROM_FILE,
       .doc = "in place of sha256: 128 hex digits, or {file: SHA512SUMS}"},
      {.name = "member", .type = FIELD_STRING, .offset = FIELD_AT(template_file, member),
       .parse = parse_member,
       .doc = "the file is a tar archive, packed or not, sparse or not, and this is the name of "
	      "what is wanted of it; files of one archive are imported in one pass"},
      {.name = "format", .type = FIELD_ENUM, .offset = FIELD_AT(template_file, format),
       .words = image_format_words,
       .doc = "what the file is, unpacked; an error where its content says otherwise. When not "
	      "given (auto), its content tells; qcow2, vmdk, vhd and vhdx need qemu-utils"},
      {.name = "ca", .type = FIELD_STRING, .offset = FIELD_AT(template_file, ca),
       .parse = parse_path,
       .doc = "a file of certificates (PEM) to trust for its urls in place of the system's"},
      {.name = "time_limit", .type = FIELD_DURATION,
       .offset = FIELD_AT(template_file, time_limit), .min = 1, .max = 12 * 3600,
       .doc = "fetching it may take so long; 12h when not given"},
      {.name = "size", .type = FIELD_SIZE, .offset = FIELD_AT(template_file, size), .min = 1,
       .max = INT64_C(16) << 40,
       .doc = "the most that may come out when it is decompressed; 16 TiB when not given"});

TABLE(template_import_table, template_import, "import", "A file in one place.",
      {.name = "url", .type = FIELD_STRING, .offset = FIELD_AT(template_import, url),
       .flags = FIELD_CONFIG, .doc = "where it comes from"},
      {.name = "mirrors", .type = FIELD_LIST, .offset = FIELD_AT(template_import, mirrors),
       .flags = FIELD_CONFIG, .doc = "or from there"},
      {.name = "sha256", .type = FIELD_STRING, .offset = FIELD_AT(template_import, sha256),
       .doc = "its digest, or, of a part of a file or one known by another digest, what stands for "
	      "that"},
      {.name = "digest", .type = FIELD_STRING, .offset = FIELD_AT(template_import, digest),
       .flags = FIELD_CONFIG, .doc = "the file's own digest, where sha256 isn't that"},
      {.name = "member", .type = FIELD_STRING, .offset = FIELD_AT(template_import, member),
       .flags = FIELD_CONFIG, .doc = "which part of the archive"},
      {.name = "format", .type = FIELD_ENUM, .offset = FIELD_AT(template_import, format),
       .words = image_format_words, .flags = FIELD_CONFIG, .doc = "what it is"},
      {.name = "ca", .type = FIELD_STRING, .offset = FIELD_AT(template_import, ca),
       .flags = FIELD_CONFIG, .doc = "certificates to trust"},
      {.name = "time_limit", .type = FIELD_DURATION,
       .offset = FIELD_AT(template_import, time_limit), .flags = FIELD_CONFIG,
       .doc = "fetching may take so long"},
      {.name = "storage", .type = FIELD_STRING, .offset = FIELD_AT(template_import, storage),
       .doc = "where its base is; the cache when not given"},
      {.name = "image", .type = FIELD_BOOL, .offset = FIELD_AT(template_import, image),
       .doc = "in the cache as a disk's image, not as a boot file"},
      {.name = "lv", .type = FIELD_STRING, .offset = FIELD_AT(template_import, lv),
       .doc = "the base's name"},
      {.name = "path", .type = FIELD_STRING, .offset = FIELD_AT(template_import, path),
       .doc = "the cached file's path"},
      {.name = "size", .type = FIELD_SIZE, .offset = FIELD_AT(template_import, size),
       .flags = FIELD_CONFIG, .doc = "the most that may come out"});

TABLE(template_table, template, "template", "Golden files, and what domains made of them begin with.",
      {.name = "files", .type = FIELD_MAP, .offset = FIELD_AT(template, files),
       .sub = &template_file_table, .flags = FIELD_CONFIG,
       .doc = "the files by name; a domain's disk says from: NAME, its kernel: and initrd: too"},
      {.name = "storage", .type = FIELD_STRING, .offset = FIELD_AT(template, storage),
       .parse = parse_name, .ref = "storage", .flags = FIELD_CONFIG,
       .doc = "import there before any domain asks for it; also where its domains' disks live that "
	      "name no storage"},
      {.name = "domain", .type = FIELD_SUB, .offset = FIELD_AT(template, domain),
       .sub = &domain_table, .flags = FIELD_CONFIG | FIELD_PARTIAL,
       .doc = "what merges under the words of each domain made of it"},
      {.name = "imports", .type = FIELD_MAP, .offset = FIELD_AT(template, imports),
       .sub = &template_import_table, .flags = FIELD_DERIVED,
       .doc = "which file is wanted where"});

const struct template_file *template_file(const struct resource *r, const char *file)
{
	const struct template *t = r->record;

	return map_get(&t->files, file);
}

static void mark_import(struct template_import *i)
{
	const struct table *t = &template_import_table;

	field_mark(t, i, "url");
	field_mark(t, i, "sha256");
	if (i->mirrors.n)
		field_mark(t, i, "mirrors");
	if (i->digest)
		field_mark(t, i, "digest");
	if (i->member)
		field_mark(t, i, "member");
	if (i->format)
		field_mark(t, i, "format");
	if (i->ca)
		field_mark(t, i, "ca");
	if (i->time_limit)
		field_mark(t, i, "time_limit");
	if (i->storage)
		field_mark(t, i, "storage");
	if (i->image)
		field_mark(t, i, "image");
	if (i->lv)
		field_mark(t, i, "lv");
	if (i->path)
		field_mark(t, i, "path");
	if (i->size)
		field_mark(t, i, "size");
}

bool template_same_place(const struct template_import *a, const struct template_import *b)
{
	return streq(a->sha256, b->sha256) && streq(a->storage, b->storage) && a->image == b->image;
}

static bool needs(const struct resource *r, const struct resource *other)
{
	if (r == other)
		return true;
	for (size_t i = 0; i < r->n_needs; i++)
		if (needs(r->needs[i], other))
			return true;
	return false;
}

/* Two templates with one file: the second waits for the first, and then finds it there. */
static void share(struct manifest *m, struct resource *r, const struct template_import *mine)
{
	for (size_t i = 0; i < m->n_resources; i++) {
		struct resource *other = m->resources[i];
		const struct template *t = other->record;

		if (other == r || other->kind != r->kind)
			continue;
		for (size_t j = 0; j < t->imports.n; j++) {
			if (!template_same_place(t->imports.entries[j].value, mine))
				continue;
			if (!needs(other, r))
				resource_needs(m, r, other);
			break;
		}
	}
}

/* Bases and boot files are named by 64 hex digits: a whole file by its sha256; what is known by another
 * digest, or is a part of a file, by the sha256 of these words. Without a digest the manifest has an error
 * already; others go on to find theirs. */
static void identify(struct arena *a, const struct template_file *f, struct template_import *i)
{
	const char *digest = digest_ok(f->sha256)       ? f->sha256
			     : digest_512_ok(f->sha512) ? f->sha512
							: digest_none,
		   *what;
	char *id;

	i->sha256 = digest;
	if (digest == digest_none || (digest == f->sha256 && !f->member))
		return;
	what = f->member ? arena_printf(a, "%s/%s", digest, f->member) : digest;
	id = arena_alloc(a, SHA256_TEXT);
	sha256_of(what, strlen(what), id);
	i->sha256 = id;
	i->digest = digest;
}

const char *template_file_id(struct arena *a, const struct template_file *f)
{
	struct template_import i = {0};

	identify(a, f, &i);
	return i.sha256;
}

struct template_import *template_import_of(struct arena *a, const struct template_file *f,
					   const char *storage)
{
	struct template_import *i = arena_alloc(a, sizeof(*i));
	char lv[LVM_BASE_TEXT];

	i->url = f->url;
	i->mirrors = f->mirrors;
	i->member = f->member;
	i->format = f->format;
	i->ca = f->ca;
	i->time_limit = f->time_limit;
	i->size = f->size;
	identify(a, f, i);
	if (storage) {
		i->storage = storage;
		i->lv = arena_strdup(a, lvm_base_name(i->sha256, lv));
	} else {
		i->path = arena_printf(a, "%s/%s", CACHE_DIR, i->sha256);
	}
	mark_import(i);
	return i;
}

static const struct template_import *add_import(struct manifest *m, struct resource *r,
						const char *file, const char *storage, bool image)
{
	struct template *t = r->record;
	const struct template_file *f = map_get(&t->files, file);
	/* No storage is called so: upper case. */
	const char *key = arena_printf(m->arena, "%s@%s", file,
				       storage ? storage
				       : image ? "IMAGES"
					       : "cache");
	struct template_import *i = map_get(&t->imports, key);
	struct resource *place;

	if (i || !f)
		return i;
	i = template_import_of(m->arena, f, storage);
	if (image) {
		i->image = true;
		i->path = arena_printf(m->arena, "%s/%s.img", CACHE_DIR, i->sha256);
		field_mark(&template_import_table, i, "image");
	}
	place = storage ? manifest_find(m, "storage", storage) : NULL;
	if (place)
		resource_needs(m, r, place);
	map_add(m->arena, &t->imports, key, i);
	field_mark(&template_table, t, "imports");
	share(m, r, i);
	return i;
}

const struct template_import *template_import(struct manifest *m, struct resource *r,
					      const char *file, const char *storage)
{
	return add_import(m, r, file, storage, false);
}

const struct template_import *template_import_image(struct manifest *m, struct resource *r,
						    const char *file)
{
	return add_import(m, r, file, NULL, true);
}

/* The digest of one file, looked up where it stands in a list of sums. */
static void prepare_digest(struct manifest *m, struct resource *r, const struct entry *entry,
			   const char *field, enum hash_type type, const char **digest)
{
	struct template_file *f = entry->value;
	const char *found;
	char *name;

	if (type == HASH_SHA256 ? digest_ok(*digest) : digest_512_ok(*digest))
		return;
	name = arena_strdup(m->arena, digest_url_name(m->arena, f->url));
	found = digest_lookup(m->arena, type, *digest, name);
	if (found)
		*digest = found;
	else
		diag_error(m->diags, "unknown-digest",
			   field_span(r->record,
				      arena_printf(m->arena, "files.%s.%s", entry->name, field)),
			   "the list of sums has no line for '%s', the last part of the url", name);
}

static void prepare_file(struct manifest *m, struct resource *r, const struct entry *entry)
{
	struct template_file *f = entry->value;
	struct diag *g;

	if (f->member && f->format != IMAGE_AUTO && f->format != IMAGE_TAR)
		diag_error(m->diags, "contradiction",
			   field_span(r->record,
				      arena_printf(m->arena, "files.%s.format", entry->name)),
			   "`member` is for tar archives, and `format` says %s",
			   image_format_words[f->format]);
	if (!f->url)
		return;
	if ((!f->sha256 && field_given(&template_file_table, f, "sha256")) ||
	    (!f->sha512 && field_given(&template_file_table, f, "sha512")))
		return; /* what is wrong with it was said */
	if (f->sha256 && f->sha512) {
		g = diag_error(m->diags, "contradiction",
			       field_span(r->record,
					  arena_printf(m->arena, "files.%s.sha512", entry->name)),
			       "file '%s' of %s has two digests", entry->name,
			       resource_title(m->arena, r));
		diag_help(m->diags, g,
			  "one is enough: bases are named by it, so keep the sha256 "
			  "where the file was imported before");
		return;
	}
	if (!f->sha256 && !f->sha512) {
		g = diag_error(m->diags, "missing-digest", entry->key ? entry->key->span : r->span,
			       "file '%s' of %s has no sha256", entry->name,
			       resource_title(m->arena, r));
		diag_help(m->diags, g,
			  "write `sha256:` with what sha256sum says of it; it is verified "
			  "while it is fetched, and the base is named by it");
		return;
	}
	if (f->sha256)
		prepare_digest(m, r, entry, "sha256", HASH_SHA256, &f->sha256);
	else
		prepare_digest(m, r, entry, "sha512", HASH_SHA512, &f->sha512);
}

static bool used(const struct manifest *m, const struct resource *r)
{
	for (size_t i = 0; i < m->n_resources; i++) {
		const struct domain *d = m->resources[i]->record;

		if (streq(m->resources[i]->kind->name, "domain") && streq(d->template, r->name))
			return true;
	}
	return false;
}

bool template_lacks(const struct resource *r, const char *file)
{
	const struct record *rec = r->record;
	const struct node *files;

	if (template_file(r, file) || !rec->node)
		return false;
	files = node_get(rec->node, "files");
	if (!files)
		return !field_given(&template_table, rec, "files");
	return (node_is_null(files) || files->type == NODE_MAP) && !node_key(files, file);
}

/* A file that the template's own domain part names. Of one in use the domains say what is wrong. */
static void want_file(struct manifest *m, struct resource *r, const char *file, const char *path,
		      const char *storage, bool complain)
{
	const struct template *t = r->record;
	_cleanup_(freep) const char **names = NULL;
	struct diag *g;

	if (template_file(r, file)) {
		if (storage)
			template_import(m, r, file, streq(storage, "") ? NULL : storage);
		return;
	}
	if (!complain || !template_lacks(r, file))
		return;
	g = diag_error(m->diags, "unknown-file", field_span(t, path), "%s has no file '%s'",
		       resource_title(m->arena, r), file);
	names = xcalloc(t->files.n, sizeof(*names));
	for (size_t i = 0; i < t->files.n; i++)
		names[i] = t->files.entries[i].name;
	diag_suggest(m->diags, g, file, names, t->files.n);
}

static void prepare(struct manifest *m, struct resource *r)
{
	struct template *t = r->record;
	bool complain = !used(m, r);

	for (size_t i = 0; i < t->files.n; i++)
		prepare_file(m, r, &t->files.entries[i]);
	field_mark(&template_table, t, "imports");
	for (size_t i = 0; i < t->domain.disks.n; i++) {
		const struct entry *entry = &t->domain.disks.entries[i];
		const struct domain_disk *disk = entry->value;
		const char *storage = disk->storage ? disk->storage : t->storage;

		/* As a file it is imported when a domain asks for it. */
		if (disk->from && disk->file)
			storage = NULL;
		if (disk->from)
			want_file(m, r, disk->from,
				  arena_printf(m->arena, "domain.disks.%s.from", entry->name),
				  t->storage && storage ? storage : NULL, complain);
	}
	if (t->domain.kernel && !strchr(t->domain.kernel, '/'))
		want_file(m, r, t->domain.kernel, "domain.kernel", t->storage ? "" : NULL,
			  complain);
	if (t->domain.initrd && !strchr(t->domain.initrd, '/'))
		want_file(m, r, t->domain.initrd, "domain.initrd", t->storage ? "" : NULL,
			  complain);
	/* Files alone, to be there before any domain; their names are all there is to go by. */
	if (!t->storage || t->domain.disks.n || t->domain.kernel || t->domain.initrd)
		return;
	for (size_t i = 0; i < t->files.n; i++) {
		const char *name = t->files.entries[i].name;
		bool boot = streq(name, "kernel") || streq(name, "initrd");

		template_import(m, r, name, boot ? NULL : t->storage);
	}
}

static const struct cache_facts *cache_of(const struct facts *f)
{
	return facts_get(f, "cache");
}

bool template_there(const struct facts *f, const struct template_import *i)
{
	const struct cache_facts *cache = cache_of(f);
	const struct lvm_lv *lv;

	if (!i->storage)
		return cache && map_get(i->image ? &cache->images : &cache->files, i->sha256);
	lv = lvm_lv(lvm_facts(f), i->storage, i->lv);
	return lv && streq(lvm_tag_value(&lv->tags, TAG_BASE), i->sha256) && !lvm_filling(lv);
}

static void actual_template(struct arena *a, const struct facts *f, const struct resource *r,
			    struct actuals *ret)
{
	const struct template *want = r->record;
	struct template *have = arena_alloc(a, sizeof(*have));
	struct actual *actual;

	for (size_t i = 0; i < want->imports.n; i++)
		if (template_there(f, want->imports.entries[i].value))
			map_add(a, &have->imports, want->imports.entries[i].name,
				want->imports.entries[i].value);
	if (want->imports.n > 0 && have->imports.n == 0)
		return;
	field_mark(&template_table, have, "imports");
	actual = actual_add(a, ret, r->kind, r->name);
	actual->uuid = r->uuid;
	actual->common = true;
	actual->record = have;
	/* Some are missing: another domain came, or a base that several share is there already. */
	actual->half_made = have->imports.n < want->imports.n;
	actual->state = want->files.n == 0     ? "defaults"
			: want->imports.n == 0 ? "not used"
			: actual->half_made    ? "incomplete"
					       : "imported";
}

static bool wanted(const struct manifest *m, const char *vg, const char *sha256)
{
	for (size_t i = 0; i < m->n_resources; i++) {
		const struct template *t = m->resources[i]->record;

		if (m->resources[i]->kind != &kind_template)
			continue;
		for (size_t j = 0; j < t->imports.n; j++) {
			const struct template_import *import = t->imports.entries[j].value;

			if (streq(import->storage, vg) && streq(import->sha256, sha256))
				return true;
		}
	}
	return false;
}

static size_t clones_of(const struct lvm_facts *l, const struct lvm_lv *base, const char *sha256)
{
	size_t n = 0;

	for (size_t i = 0; i < l->lvs.n; i++) {
		const struct lvm_lv *lv = l->lvs.items[i];

		n += lv != base && streq(lv->vg, base->vg) &&
		     streq(lvm_tag_value(&lv->tags, TAG_BASE), sha256);
	}
	return n;
}

/* A base in a group of ours that no template names any more: finished, it is kept and said so; half
 * filled, it is nothing to anybody and goes. Its name has a slash, so it is no template's. */
static void actual_base(struct arena *a, const struct lvm_facts *l, const struct lvm_lv *lv,
			const char *uuid, struct actuals *ret)
{
	const char *sha256 = lvm_tag_value(&lv->tags, TAG_BASE);
	size_t n = clones_of(l, lv, sha256);
	struct actual *actual =
		actual_add(a, ret, &kind_template, arena_printf(a, "%s/%s", lv->vg, lv->name));

	actual->uuid = uuid;
	actual->record = arena_alloc(a, sizeof(struct template));
	actual->data = lv;
	if (lvm_filling(lv)) {
		actual->half_made = true;
		actual->state = "half-made";
		return;
	}
	actual->keep = true;
	actual->state = "kept";
	actual->note = n == 1 ? "kept: base of no template, used by 1 clone"
			      : arena_printf(a, "kept: base of no template, used by %zu clones", n);
}

static void actual(struct arena *a, const struct facts *f, const struct manifest *m,
		   struct actuals *ret)
{
	const struct lvm_facts *l = lvm_facts(f);

	if (!m)
		return;
	for (size_t i = 0; i < m->n_resources; i++)
		if (m->resources[i]->kind == &kind_template && !strchr(m->resources[i]->name, '/'))
			actual_template(a, f, m->resources[i], ret);
	for (size_t i = 0; m->namespace && i < l->lvs.n; i++) {
		const struct lvm_lv *lv = l->lvs.items[i];
		const char *sha256 = lvm_tag_value(&lv->tags, TAG_BASE);
		const struct lvm_vg *vg = lvm_vg(l, lv->vg);
		char uuid[UUID_TEXT], name[LVM_BASE_TEXT];

		if (!sha256 || !vg || !digest_ok(sha256) ||
		    !streq(lv->name, lvm_base_name(sha256, name)) || wanted(m, lv->vg, sha256))
			continue;
		ident_uuid(m->namespace, "storage", vg->name, uuid);
		if (streq(lvm_tag_value(&vg->tags, TAG_ID), uuid))
			actual_base(a, l, lv, arena_strdup(a, uuid), ret);
	}
}

const char *template_in_the_way(struct arena *a, const struct facts *f,
				const struct template_import *i)
{
	const struct lvm_lv *lv = i->storage ? lvm_lv(lvm_facts(f), i->storage, i->lv) : NULL;
	const char *sha256 = lv ? lvm_tag_value(&lv->tags, TAG_BASE) : NULL;

	if (!lv || streq(sha256, i->sha256))
		return NULL;
	if (!sha256)
		return arena_printf(
			a,
			"%s/%s is there and bears no mark of ours: rename or remove it by "
			"hand",
			i->storage, i->lv);
	return arena_printf(a, "%s/%s holds another file whose sha256 begins alike (%s)",
			    i->storage, i->lv, sha256);
}

const char *template_file_of(struct arena *a, const char *key)
{
	return arena_strndup(a, key, strcspn(key, "@"));
}

static void decide(struct planning *p, const struct resource *want, const struct actual *have,
		   struct step *step)
{
	const struct template *t = want ? want->record : NULL;
	_cleanup_str_ struct str why = {0};
	const char *last = NULL;

	if (!step)
		return;
	if (!want) { /* a half-filled base: see actual_base() */
		const struct lvm_lv *lv = have->data;

		step->why = "half-made, and no template wants it";
		step->impact = IMPACT_NONE;
		if (lv->open) {
			step_hold(step, HOLD_WAIT, "somebody is filling it");
			step->not_before = p->facts->time + LOOK_AGAIN_S;
		}
		return;
	}
	for (size_t i = 0; i < t->imports.n; i++) {
		const struct template_import *import = t->imports.entries[i].value;
		const char *place = import->storage ? import->storage : "the cache";
		const char *way;

		if (template_there(p->facts, import))
			continue;
		if (last && !streq(last, place))
			str_addf(&why, " into %s", last);
		str_addf(&why, "%s%s", why.n ? ", " : "import ",
			 template_file_of(p->arena, t->imports.entries[i].name));
		last = place;
		step->bytes += import->size;
		way = template_in_the_way(p->arena, p->facts, import);
		if (!way && import->storage)
			way = storage_admit(p, import->storage);
		if (way)
			step_hold(step, HOLD_CONFLICT, way);
	}
	if (last)
		str_addf(&why, " into %s", last);
	if (why.n)
		step->why = arena_strdup(p->arena, str_get(&why));
	step->impact = IMPACT_NONE; /* nothing that runs notices */
	step->timeout_s = IMPORT_TIMEOUT_S;
	step->aside = true; /* half an import is marked as such, and made anew */
}

static const char *const readers[] = {"lvm", "cache", NULL};

const struct kind kind_template = {
	.name = "template",
	.section = "templates",
	.table = &template_table,
	.readers = readers,
	.prepare = prepare,
	.actual = actual,
	.decide = decide,
	.apply = template_apply,
	.gentle = true,
};
