/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor image import: a file at hand becomes a base in a storage, or a boot file in the cache, as if a
 * template named it; so a template that does finds it there.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/ident.h"
#include "base/json.h"
#include "base/num.h"
#include "cli/destroy.h"
#include "cli/image.h"
#include "cli/interrupt.h"
#include "host/image_tar.h"
#include "kinds/digest.h"
#include "kinds/import.h"
#include "kinds/kinds.h"
#include "kinds/lvm_facts.h"
#include "kinds/storage.h"

#define BUF (1u << 20)

static const char sub[] = "import";
static const struct reader *const readers[] = {&reader_lvm, &reader_cache, NULL};

struct importing {
	struct images *x;
	const char *path, *storage; /* storage NULL: into the cache */
	struct template_file file;
	const struct template_import *what;
	uint64_t size; /* that came out; 0: not known */
	int lock;
	struct image_progress progress;
};

/* --- what was asked for --- */

static int bad(const char *text, const char *word)
{
	fprintf(stderr, "manor image import: %s%s; see `manor help image`\n", text, word);
	return EXIT_BAD;
}

static int check_words(struct importing *i)
{
	const struct options *o = &i->x->o;
	int type = o->type ? word_find(image_format_words, o->type) : 0;
	char digest[SHA256_TEXT] = "";

	if (i->x->n_names != 1)
		return bad("name one file", "");
	if (o->boot && (o->storage || o->type))
		return bad("a boot file goes into the cache as it is: with --boot there is no ",
			   o->storage ? "--storage" : "--type");
	if (type < 0)
		return bad("--type takes raw, tar, qcow2, vmdk, vhd or vhdx, not ", o->type);
	if (o->member && type && type != IMAGE_TAR)
		return bad("--member is for tar archives, and --type says ", o->type);
	if (o->member && !tar_name_ok(o->member))
		return bad("--member takes a relative name without .., not ", o->member);
	if (o->sha256) {
		for (size_t k = 0; k < SHA256_TEXT - 1 && o->sha256[k]; k++)
			digest[k] = (char)tolower((unsigned char)o->sha256[k]);
		if (strlen(o->sha256) != SHA256_TEXT - 1 || !digest_ok(digest))
			return bad("--sha256 takes 64 hex digits, not ", o->sha256);
		i->file.sha256 = arena_strdup(i->x->manifest->arena, digest);
	}
	i->file.format = type;
	i->file.member = o->member;
	while (startswith(i->file.member, "./"))
		for (i->file.member += 2; *i->file.member == '/'; i->file.member++)
			;
	return 0;
}

/* The one that is named, or the only one. */
static int choose_storage(struct importing *i)
{
	const struct manifest *m = i->x->manifest;
	_cleanup_(freep) const char **names = xcalloc(m->n_resources + 1, sizeof(*names));
	const char *name = i->x->o.storage;
	size_t n = 0;

	if (i->x->o.boot)
		return 0;
	if (startswith(name, "storage/"))
		name += strlen("storage/");
	for (size_t k = 0; k < m->n_resources; k++)
		if (m->resources[k]->kind == &kind_storage)
			names[n++] = m->resources[k]->name;
	for (size_t k = 0; k < n; k++)
		if (name ? streq(names[k], name) : n == 1)
			i->storage = names[k];
	if (i->storage)
		return 0;
	if (name)
		fprintf(stderr, "manor image import: %s declares no storage '%s'%s\n",
			m->source.name, name, image_did_you_mean(m->arena, name, names, n));
	else if (n)
		fprintf(stderr,
			"manor image import: %s declares several storages: say which with "
			"--storage\n",
			m->source.name);
	else
		fprintf(stderr,
			"manor image import: %s declares no storage; a boot file goes into the cache: "
			"--boot\n",
			m->source.name);
	return EXIT_BAD;
}

/* --- the file --- */

static int digest_of(struct importing *i, int fd, uint64_t size, struct err *e)
{
	_cleanup_(freep) char *buf = xcalloc(1, BUF);
	struct hash *h = hash_new(HASH_SHA256);
	char digest[HASH_TEXT];
	uint64_t done = 0;
	bool go_on = true;
	ssize_t n = 0;

	i->progress.what = "digest";
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	while (go_on && (n = read(fd, buf, BUF)) > 0) {
		hash_add(h, buf, (size_t)n);
		done += (uint64_t)n;
		go_on = image_progress(&i->progress, done, size);
	}
	image_progress_end(&i->progress);
	hash_end(h, digest);
	if (!go_on)
		return err_set(e, -ECANCELED, "interrupted");
	if (n < 0)
		return err_errno(e, -errno, "read %s", i->path);
	i->file.sha256 = arena_strdup(i->x->manifest->arena, digest);
	return 0;
}

static int look_at_file(struct importing *i, struct err *e)
{
	struct arena *a = i->x->manifest->arena;
	const char *path = i->x->names[0];
	char real[PATH_MAX];
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !realpath(path, real))
		return err_errno(e, -errno, "open %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "%s is not a file", path);
	if (st.st_size == 0)
		return err_set(e, -EINVAL, "%s is empty", path);
	i->path = arena_strdup(a, real);
	i->file.url = url_of_path(a, i->path);
	return i->file.sha256 ? 0 : digest_of(i, fd, (uint64_t)st.st_size, e);
}

/* --- importing --- */

static int on_changing(void *data, bool begins, struct err *e)
{
	struct importing *i = data;

	if (!begins) {
		closep(&i->lock);
		i->lock = -1;
		return 0;
	}
	i->lock = destroy_lock_wait("image", e);
	return MIN_OF(i->lock, 0);
}

static void on_progress(void *data, uint64_t done, uint64_t total)
{
	struct importing *i = data;

	image_progress(&i->progress, done, total);
}

static bool on_go_on(void *data)
{
	return !interrupted();
}

static int admitted(const struct importing *i, struct err *e)
{
	struct planning p = {
		.arena = i->x->facts->arena,
		.manifest = i->x->manifest,
		.facts = i->x->facts,
	};
	const struct lvm_facts *l = lvm_facts(p.facts);
	const struct lvm_vg *vg = lvm_vg(l, i->storage);
	const char *why = storage_trouble(p.arena, l, i->storage, NULL);

	if (!why && (!vg || !lvm_lv(l, i->storage, STORAGE_POOL))) {
		err_help(e, "`manor apply` makes it");
		return err_set(e, -ENOENT, "storage/%s isn't there yet", i->storage);
	}
	if (!why && !lvm_our_id(p.manifest, "storage", i->storage, &vg->tags))
		why = arena_printf(p.arena, "volume group %s bears no mark of ours", i->storage);
	if (!why)
		why = storage_admit(&p, i->storage);
	return why ? err_set(e, -ENOSPC, "%s", why) : 0;
}

/* 1: it is there already. */
static int do_import(struct importing *i, struct err *e)
{
	struct arena *a = i->x->manifest->arena;
	struct import import = {
		.progress = on_progress,
		.go_on = on_go_on,
		.changing = on_changing,
		.data = i,
	};
	int r = look_at_file(i, e);

	if (r < 0)
		return r;
	i->what = import.what = template_import_of(a, &i->file, i->storage);
	if (images_read(i->x, readers) != EXIT_FINE)
		return err_set(e, -EIO, "so nobody knows what is there");
	if (template_there(i->x->facts, i->what))
		return 1;
	r = i->storage ? admitted(i, e) : 0;
	i->progress.what = "import";
	if (r == 0)
		r = i->storage ? import_bases(a, i->x->facts, &import, 1, e)
			       : import_to_cache(&import, e);
	image_progress_end(&i->progress);
	i->size = import.result.size;
	if (r == -EBADMSG)
		err_help(e, i->x->o.sha256 ? "without --sha256 it is imported as what it is"
					   : "it changed meanwhile: try again");
	else if (r == -EMEDIUMTYPE || r == -EILSEQ || r == -ENXIO)
		err_help(e, "--member says which file of a tar archive, --type what a file is that "
			    "doesn't say so by itself");
	return r;
}

static void tell(const struct importing *i, bool was_there)
{
	json_object *o = json_object_new_object();
	const char *format = i->file.format ? image_format_words[i->file.format] : NULL;
	const struct image_words words = {
		.name = i->storage ? "root" : "kernel",
		.path = i->path,
		.sha256 = i->file.sha256,
		.member = i->file.member,
		.type = format,
		.size = i->size,
	};

	json_put_text(o, "file", i->path);
	json_put_text(o, "sha256", i->file.sha256);
	json_put_text(o, "digest", i->what->sha256);
	if (i->storage) {
		json_put_text(o, "storage", i->storage);
		json_put_text(o, "lv", i->what->lv);
	} else {
		json_put_text(o, "path", i->what->path);
	}
	json_object_object_add(o, "was_there", json_object_new_boolean(was_there));
	if (!was_there)
		image_journal(o, "imported");
	if (i->x->o.json) {
		json_object_object_add(o, "files", image_words_json(&words));
		print_json(o);
		return;
	}
	json_object_put(o);
	if (i->storage)
		printf("%s → %s/%s%s\n", i->path, i->storage, i->what->lv,
		       was_there ? ", which was there already" : "");
	else
		printf("%s → %s%s\n", i->path, i->what->path,
		       was_there ? ", which was there already" : "");
	printf("  sha256  %s\n", i->file.sha256);
	image_print_words(&words);
}

int image_import(struct images *x)
{
	_cleanup_err_ struct err e = {0};
	struct importing i = {.x = x, .lock = -1};
	int r = images_manifest(x);

	if (r)
		return r;
	r = check_words(&i);
	if (r == 0)
		r = choose_storage(&i);
	if (r)
		return r;
	interrupt_watch();
	r = do_import(&i, &e);
	on_changing(&i, false, NULL);
	if (r < 0)
		return image_failed(sub, r, &e);
	tell(&i, r > 0);
	return EXIT_FINE;
}
