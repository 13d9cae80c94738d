/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Golden images over the host in memory: who names them, who needs them, which may go.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mount.h>

#include <cmocka.h>

#include "base/file.h"
#include "cli/cli.h"
#include "host/cache.h"
#include "kinds/golden.h"
#include "kinds/kinds.h"
#include "kinds/lvm_facts.h"
#include "kinds/path_facts.h"
#include "kinds/template.h"
#include "tests/fake/fake.h"

#define MiB (UINT64_C(1) << 20)

/* Digests by their first digit. */
#define D(c)      c c c c c c c c c c c c c c c c
#define DIGEST(c) D(c) D(c) D(c) D(c)
#define BASE(c)   "base." D(c)

static const char text[] =
	"manor: 1\n"
	"namespace: lab.example.org\n"
	"storage:\n"
	"  vg0: {devices: [{serial: A}], pool: {size: 1GiB}}\n"
	"templates:\n"
	"  tiny:\n"
	"    storage: vg0\n"
	"    files:\n"
	"      root: {url: /r, sha256: " DIGEST(
		"a") "}\n"
		     "      kernel: {url: /k, sha256: " DIGEST(
			     "c") "}\n"
				  "  idle:\n"
				  "    files:\n"
				  "      disk: {url: /d, sha256: " DIGEST("e") "}\n";

static const char *failing; /* a call, or the digest of a file that is damaged */

bool fake_fails(const char *op)
{
	return failing && streq(op, failing);
}

static struct manifest *manifest(const char *from)
{
	return manifest_load_text("m", "/", from, strlen(from), NULL, NULL, all_kinds, diags_new());
}

static struct lvm_lv *add(struct arena *a, struct lvm_facts *l, const char *vg, const char *name,
			  const char *tag)
{
	struct lvm_lv *v = arena_alloc(a, sizeof(*v));

	*v = (struct lvm_lv){
		.name = name,
		.vg = vg,
		.type = "thin",
		.pool = "pool",
		.size = 100 * MiB,
		.data_percent = -1,
		.readonly = startswith(name, "base."),
	};
	if (tag)
		list_add(a, &v->tags, (void *)tag);
	list_add(a, &l->lvs, v);
	return v;
}

static void add_vg(struct arena *a, struct lvm_facts *l, const char *name, const char *namespace)
{
	struct lvm_vg *vg = arena_alloc(a, sizeof(*vg));
	char uuid[UUID_TEXT];

	ident_uuid(namespace, "storage", name, uuid);
	vg->name = name;
	list_add(a, &vg->tags, (void *)arena_printf(a, TAG_ID "=%s", uuid));
	list_add(a, &l->vgs, vg);
	add(a, l, name, "pool", NULL)->type = "thin-pool";
}

/* A base that a template names, with a clone; one without either; one of no template with a clone that
 * was removed; one half-made; one that is named and wanted nowhere; one of another namespace. Boot files: named,
 * needed by the clone, neither. */
static bool with_images; /* of disks, in the cache */

static void load(struct arena *a)
{
	struct lvm_facts l = {0};
	struct cache_facts c = {0};
	struct lvm_lv *v;

	add_vg(a, &l, "vg0", "lab.example.org");
	add_vg(a, &l, "vg9", "other.example.org");
	add(a, &l, "vg0", BASE("a"), "manor.base=" DIGEST("a"))->data_percent = 2500;
	v = add(a, &l, "vg0", "web.root", "manor.base=" DIGEST("a"));
	v->origin = BASE("a");
	list_add(a, &v->tags, (void *)"manor.kernel=" DIGEST("d"));
	v = add(a, &l, "vg0", BASE("b"), "manor.base=" DIGEST("b"));
	list_add(a, &v->tags, (void *)"manor.mapped=3145728");
	add(a, &l, "vg0", BASE("1"), "manor.base=" DIGEST("1"));
	add(a, &l, "vg0", "trash.1700000000.old.root", "manor.base=" DIGEST("1"));
	v = add(a, &l, "vg0", BASE("2"), "manor.base=" DIGEST("2"));
	list_add(a, &v->tags, (void *)"manor.state=filling");
	add(a, &l, "vg0", BASE("e"), "manor.base=" DIGEST("e"));
	add(a, &l, "vg9", BASE("b"), "manor.base=" DIGEST("b"));
	/* A base's tag makes none, nor does its name. */
	add(a, &l, "vg0", "base.mine", "manor.base=" DIGEST("3"));
	add(a, &l, "vg0", BASE("4"), NULL);
	for (const char *const *d =
		     (const char *const[]){DIGEST("c"), DIGEST("d"), DIGEST("f"), NULL};
	     *d; d++) {
		struct cache_file *f = arena_alloc(a, sizeof(*f));

		f->size = 5 * MiB;
		map_add(a, &c.files, *d, f);
	}
	if (with_images) {
		struct cache_image *i = arena_alloc(a, sizeof(*i));

		*i = (struct cache_image){.size = 20 * MiB, .held = 2 * MiB};
		map_add(a, &c.images, DIGEST("a"), i);
		map_add(a, &c.images, DIGEST("7"), i);
	}
	fake_lvm_load(&l);
	fake_cache_load(&c);
}

static struct facts *read_host(const struct manifest *m, const struct manifest *other,
			       struct golden **ret, size_t *ret_n)
{
	struct facts *f = facts_new();
	struct lvm_facts *l = arena_alloc(f->arena, sizeof(*l));
	struct cache_facts *c = arena_alloc(f->arena, sizeof(*c));

	assert_int_equal(lvm_read(f->arena, l, NULL), 0);
	assert_int_equal(cache_read(f->arena, c, NULL), 0);
	facts_add_known(f, &reader_lvm, l);
	facts_add_known(f, &reader_cache, c);
	golden_list(f->arena, f, m, other, ret, ret_n);
	return f;
}

static const struct golden *find(const struct golden *list, size_t n, const char *what)
{
	for (size_t i = 0; i < n; i++)
		if (golden_meant(&list[i], what))
			return &list[i];
	return NULL;
}

static void it_is_known_who_names_and_who_needs_them(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_manifest_ struct manifest *m = manifest(text);
	_cleanup_facts_ struct facts *f = NULL;
	const struct golden *g;
	struct golden *list;
	size_t n;

	assert_non_null(m);
	load(a);
	f = read_host(m, NULL, &list, &n);
	assert_int_equal(n, 9);
	g = find(list, n, "aaaaaa");
	assert_string_equal(g->named, "tiny/root");
	assert_int_equal(g->mapped, 100 * MiB / 10000 * 2500);
	assert_int_equal(g->clones.n, 1);
	assert_true(g->read_only);
	assert_string_equal(g->stays, "vg0/web.root was cloned from it");
	g = find(list, n, "vg0/" BASE("b"));
	assert_null(g->named);
	assert_null(g->stays);
	assert_int_equal(g->mapped, 3 * MiB); /* inactive: as it was finished with */
	assert_true(golden_garbage(g));
	g = find(list, n, DIGEST("1"));
	assert_int_equal(g->mapped, -1); /* of an older Manor */
	assert_int_equal(g->clones.n, 1);
	assert_non_null(g->stays);
	assert_true(find(list, n, DIGEST("2"))->filling);
	assert_non_null(find(list, n, DIGEST("2"))->stays);
	g = find(list, n, DIGEST("e"));
	assert_string_equal(g->named, "idle/disk");
	assert_null(g->stays);
	assert_false(golden_garbage(g));
	assert_false(find(list, n, "vg9/" BASE("b"))->ours);
	assert_non_null(find(list, n, "vg9/" BASE("b"))->stays);
	assert_string_equal(find(list, n, DIGEST("c"))->named, "tiny/kernel");
	g = find(list, n, DIGEST("d"));
	assert_null(g->named);
	assert_string_equal(g->stays,
			    "it came with vg0/web.root, and no template names it any more");
	assert_true(golden_garbage(find(list, n, DIGEST("f"))));
	/* Five digits might be anybody's. */
	assert_null(find(list, n, "aaaaa"));
}

/* Of one digest a base may be there, and an image in the cache: each is wanted, and goes, by itself. */
static void an_image_in_the_cache_is_needed_by_no_clone(void **state)
{
	static const char with_file[] =
		"manor: 1\n"
		"namespace: lab.example.org\n"
		"storage: {vg0: {devices: [{serial: A}], pool: {size: 1GiB}}}\n"
		"templates:\n"
		"  tiny: {files: {root: {url: /r, sha256: " DIGEST(
			"a") "}}}\n"
			     "domains:\n"
			     "  web: {template: tiny, kernel: /k, memory: 128MiB, "
			     "disks: {d: {vdev: xvda, from: root, file: /srv/web.img}}}\n";
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_manifest_ struct manifest *m = manifest(with_file);
	_cleanup_facts_ struct facts *f = NULL, *after = NULL;
	const struct golden *wanted = NULL, *other = NULL;
	struct golden *list;
	size_t n;

	assert_non_null(m);
	with_images = true;
	load(a);
	with_images = false;
	f = read_host(m, NULL, &list, &n);
	assert_int_equal(n, 11);
	for (size_t i = 0; i < n; i++) {
		if (list[i].image && streq(list[i].sha256, DIGEST("a")))
			wanted = &list[i];
		else if (list[i].image)
			other = &list[i];
	}
	if (!wanted || !other)
		fail();
	assert_string_equal(wanted->named, "tiny/root");
	assert_int_equal(wanted->mapped, 2 * MiB);
	assert_int_equal(wanted->clones.n, 0);
	assert_false(golden_garbage(wanted));
	/* The base of that digest is named by nobody here. */
	assert_null(find(list, n, "vg0/" BASE("a"))->named);
	assert_true(golden_garbage(other));
	assert_int_equal(golden_remove(other, NULL), 0);
	after = read_host(m, NULL, &list, &n);
	assert_int_equal(n, 10);
	/* A file that was cloned keeps the kernel that came with it, though no template names that. */
	{
		struct path_facts *files = arena_alloc(after->arena, sizeof(*files));
		struct path_state *s = arena_alloc(after->arena, sizeof(*s));

		*s = (struct path_state){.path = "/srv/web.img", .kernel = DIGEST("f")};
		list_add(after->arena, &files->paths, s);
		facts_add_known(after, &reader_paths, files);
		golden_list(after->arena, after, m, NULL, &list, &n);
		assert_false(golden_garbage(find(list, n, DIGEST("f"))));
		assert_string_equal(find(list, n, DIGEST("f"))->clones.items[0], "/srv/web.img");
	}
}

/* Another manifest's words add to those of the one in force, and take none away. */
static void what_is_in_force_counts_too(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_manifest_ struct manifest *m = manifest("manor: 1\nnamespace: lab.example.org\n");
	_cleanup_manifest_ struct manifest *force = manifest(text);
	_cleanup_facts_ struct facts *f = NULL, *alone = NULL;
	struct golden *list;
	size_t n;

	load(a);
	alone = read_host(m, NULL, &list, &n);
	assert_true(golden_garbage(find(list, n, DIGEST("c"))));
	f = read_host(m, force, &list, &n);
	assert_false(golden_garbage(find(list, n, DIGEST("c"))));
}

/* Clones in a storage that isn't there may need any boot file. */
static void what_isnt_seen_isnt_taken_for_absent(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_manifest_ struct manifest *m =
		manifest("manor: 1\nnamespace: lab.example.org\nstorage:\n"
			 "  vg0: {devices: [{serial: A}], pool: {size: 1GiB}}\n"
			 "  vg1: {devices: [{serial: B}], pool: {size: 1GiB}}\n");
	_cleanup_facts_ struct facts *f = NULL;
	struct golden *list;
	size_t n;

	load(a);
	f = read_host(m, NULL, &list, &n);
	assert_non_null(strstr(find(list, n, DIGEST("f"))->stays, "storage/vg1"));
	assert_false(golden_garbage(find(list, n, DIGEST("f"))));
	assert_true(golden_garbage(find(list, n, "vg0/" BASE("b"))));
}

static int call(const char *const *words)
{
	char *argv[12] = {0};
	int argc = 0;

	while (argc < 11 && words[argc]) {
		argv[argc] = (char *)words[argc];
		argc++;
	}
	return verb_image(argc, argv);
}

/* A mount namespace of its own, where the lock and the journal are nobody else's. */
static bool alone(void)
{
	return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", "/run", "tmpfs", 0, NULL) == 0 &&
	       mount("none", "/var/lib", "tmpfs", 0, NULL) == 0;
}

static const char file[] = "/run/m.yaml";

#define IMAGE(...) call((const char *const[]){"image", __VA_ARGS__, "-f", file, NULL})

static void the_verb_lists_them(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();

	if (!alone())
		skip();
	assert_int_equal(file_write(file, text, sizeof(text) - 1, 0600, NULL), 0);
	load(a);
	assert_int_equal(IMAGE("ls"), EXIT_FINE);
	assert_int_equal(IMAGE("ls", "--noheadings"), EXIT_FINE);
	assert_int_equal(IMAGE("ls", "--format", "json"), EXIT_FINE);
	assert_int_equal(IMAGE("ls", "aaaaaa"), EXIT_BAD);
	assert_int_equal(IMAGE("burn"), EXIT_BAD);
	fake_lvm_load(NULL);
	fake_cache_load(NULL);
	assert_int_equal(IMAGE("ls"), EXIT_FINE);
}

static size_t left(void)
{
	_cleanup_manifest_ struct manifest *m = manifest(text);
	_cleanup_facts_ struct facts *f = NULL;
	struct golden *list;
	size_t n;

	f = read_host(m, NULL, &list, &n);
	return n;
}

static void by_name_what_may_go_goes(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_(freep) char *journal = NULL;

	if (!alone())
		skip();
	assert_int_equal(file_write(file, text, sizeof(text) - 1, 0600, NULL), 0);
	assert_non_null(freopen("/dev/null", "r", stdin));
	load(a);
	assert_int_equal(IMAGE("rm"), EXIT_BAD);
	assert_int_equal(IMAGE("rm", "--yes", "--dry-run", "eeeeee"), EXIT_BAD);
	/* Nobody to ask; no such digest; too little of one. */
	assert_int_equal(IMAGE("rm", "eeeeee"), EXIT_BAD);
	assert_int_equal(IMAGE("rm", "--yes", "eeeeee", "777777"), EXIT_FAILED);
	assert_int_equal(IMAGE("rm", "--yes", "eeeee"), EXIT_FAILED);
	/* Cloned from, of another namespace, half-made, came with a clone: and nothing else goes with them. */
	assert_int_equal(IMAGE("rm", "--yes", "eeeeee", "aaaaaa"), EXIT_FAILED);
	assert_int_equal(IMAGE("rm", "--yes", "vg9/" BASE("b")), EXIT_FAILED);
	assert_int_equal(IMAGE("rm", "--yes", "222222"), EXIT_FAILED);
	assert_int_equal(IMAGE("rm", "--yes", "dddddd"), EXIT_FAILED);
	assert_int_equal(left(), 9);
	/* Named: it comes again. */
	assert_int_equal(IMAGE("rm", "--yes", "cccccc", "bbbbbb"), EXIT_FINE);
	assert_int_equal(left(), 7);
	assert_int_equal(file_read("/var/lib/manor/journal.jsonl", 65536, &journal, NULL, NULL), 0);
	assert_non_null(strstr(journal, DIGEST("c")));
	assert_non_null(strstr(journal, "\"destroyed\""));
	assert_null(strstr(journal, DIGEST("e")));
}

static void what_nobody_would_miss_is_freed(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_manifest_ struct manifest *m = manifest(text);
	_cleanup_facts_ struct facts *f = NULL;
	struct golden *list;
	size_t n;

	if (!alone())
		skip();
	assert_int_equal(file_write(file, text, sizeof(text) - 1, 0600, NULL), 0);
	assert_non_null(freopen("/dev/null", "r", stdin));
	load(a);
	assert_int_equal(IMAGE("gc", "bbbbbb"), EXIT_BAD);
	assert_int_equal(IMAGE("gc"), EXIT_BAD);
	assert_int_equal(IMAGE("gc", "-n"), EXIT_FINE);
	assert_int_equal(IMAGE("gc", "--dry-run", "--yes", "--format", "json"), EXIT_FINE);
	assert_int_equal(left(), 9);
	/* Nobody knows what the one in force names. */
	assert_int_equal(file_mkdirs("/var/lib/manor", 0755, NULL), 0);
	assert_int_equal(file_write("/var/lib/manor/manifest-in-force.json", "{", 1, 0600, NULL),
			 0);
	assert_int_equal(IMAGE("gc", "--yes"), EXIT_FAILED);
	assert_int_equal(left(), 9);
	assert_int_equal(file_remove("/var/lib/manor/manifest-in-force.json", NULL), 0);
	assert_int_equal(IMAGE("gc", "--yes"), EXIT_FINE);
	f = read_host(m, NULL, &list, &n);
	assert_int_equal(n, 7);
	assert_null(find(list, n, "vg0/" BASE("b")));
	assert_null(find(list, n, DIGEST("f")));
	assert_non_null(find(list, n, "vg9/" BASE("b")));
	assert_int_equal(IMAGE("gc", "--yes"), EXIT_FINE);
	assert_int_equal(left(), 7);
}

static struct golden_finding check(struct facts *f, const struct golden *list, size_t n,
				   const char *what)
{
	struct golden_finding x;

	golden_check(f->arena, f, find(list, n, what), &x);
	return x;
}

static void what_is_wrong_with_one_is_told(void **state)
{
	static const char archive[] =
		"manor: 1\nnamespace: lab.example.org\ntemplates:\n  t:\n    files:\n"
		"      kernel: {url: /k.tar, member: k, sha256: " DIGEST("c") "}\n";
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_manifest_ struct manifest *m = manifest(text), *other = manifest(archive);
	_cleanup_facts_ struct facts *f = NULL;
	struct golden_finding *rest;
	struct golden *list;
	struct lvm_lv *lv;
	size_t n, n_rest;

	load(a);
	f = read_host(m, NULL, &list, &n);
	assert_int_equal(check(f, list, n, DIGEST("a")).result, GOLDEN_FINE);
	assert_int_equal(check(f, list, n, DIGEST("c")).result, GOLDEN_FINE);
	assert_int_equal(check(f, list, n, DIGEST("2")).result, GOLDEN_UNCHECKED);
	failing = DIGEST("c");
	assert_string_equal(check(f, list, n, DIGEST("c")).why, "its sha256 is another");
	/* Nobody knows any more by what it was known. */
	failing = DIGEST("d");
	assert_int_equal(check(f, list, n, DIGEST("d")).result, GOLDEN_WRONG);
	assert_non_null(strstr(check(f, list, n, DIGEST("d")).why, "unless"));
	failing = NULL;
	lv = (struct lvm_lv *)lvm_lv(lvm_facts(f), "vg0", BASE("a"));
	lv->readonly = false;
	assert_non_null(strstr(check(f, list, n, DIGEST("a")).why, "lvchange -pr vg0/" BASE("a")));
	lv->readonly = true;
	lv->health = "failed";
	assert_int_equal(check(f, list, n, DIGEST("a")).result, GOLDEN_WRONG);
	/* All that is wanted is there; one isn't named as its tag says. */
	golden_check_rest(f->arena, f, m, list, n, &rest, &n_rest);
	assert_int_equal(n_rest, 1);
	assert_string_equal(rest[0].sha256, "base.mine");
	golden_check_rest(f->arena, f, m, list, 0, &rest, &n_rest);
	assert_int_equal(n_rest, 3);
	assert_string_equal(rest[0].named, "tiny/root");
	/* A member's name is no digest of its own. */
	assert_non_null(other);
	((struct golden *)find(list, n, DIGEST("c")))->file =
		template_file(manifest_find(other, "template", "t"), "kernel");
	assert_int_equal(check(f, list, n, DIGEST("c")).result, GOLDEN_UNCHECKED);
}

static void the_verb_verifies(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();

	if (!alone())
		skip();
	assert_int_equal(file_write(file, text, sizeof(text) - 1, 0600, NULL), 0);
	load(a);
	assert_int_equal(IMAGE("verify"), EXIT_FAILED);
	assert_int_equal(IMAGE("verify", "aaaaaa", "cccccc"), EXIT_FINE);
	assert_int_equal(IMAGE("verify", "aaaaaa", "--format", "json"), EXIT_FINE);
	assert_int_equal(IMAGE("verify", "777777"), EXIT_FAILED);
	failing = DIGEST("c");
	assert_int_equal(IMAGE("verify", "cccccc"), EXIT_FAILED);
	failing = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_known_who_names_and_who_needs_them),
		cmocka_unit_test(an_image_in_the_cache_is_needed_by_no_clone),
		cmocka_unit_test(what_is_in_force_counts_too),
		cmocka_unit_test(what_isnt_seen_isnt_taken_for_absent),
		cmocka_unit_test(the_verb_lists_them),
		cmocka_unit_test(by_name_what_may_go_goes),
		cmocka_unit_test(what_nobody_would_miss_is_freed),
		cmocka_unit_test(what_is_wrong_with_one_is_told),
		cmocka_unit_test(the_verb_verifies),
	};

	return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
