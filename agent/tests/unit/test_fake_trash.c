/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Tombstones, over the host in memory: what is written on them, and which of them may be destroyed.
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
#include "kinds/kinds.h"
#include "kinds/lvm_facts.h"
#include "kinds/tombstone.h"
#include "tests/fake/fake.h"

#define GiB (UINT64_C(1) << 30)
#define NOW 1760000000

bool fake_fails(const char *op)
{
	return false;
}

static struct lvm_lv *add(struct arena *a, struct lvm_facts *l, const char *name, const char *tag)
{
	struct lvm_lv *v = arena_alloc(a, sizeof(*v));

	*v = (struct lvm_lv){
		.name = name,
		.vg = "vg0",
		.type = "thin",
		.pool = "pool",
		.size = GiB,
		.data_percent = -1,
	};
	if (tag)
		list_add(a, &v->tags, (void *)tag);
	list_add(a, &l->lvs, v);
	return v;
}

static struct facts *read_host(const struct manifest *m, struct tombstone **ret, size_t *ret_n)
{
	struct facts *f = facts_new();
	struct lvm_facts *l = arena_alloc(f->arena, sizeof(*l));

	assert_int_equal(lvm_read(f->arena, l, NULL), 0);
	f->time = NOW;
	facts_add_known(f, &reader_lvm, l);
	volume_tombstones(f->arena, f, m, ret, ret_n);
	return f;
}

static struct manifest *manifest(void)
{
	static const char text[] = "manor: 1\nnamespace: lab.example.org\n";

	return manifest_load_text("m", "/", text, sizeof(text) - 1, NULL, NULL, all_kinds,
				  diags_new());
}

static void a_tombstone_says_what_it_holds(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_manifest_ struct manifest *m = manifest();
	_cleanup_facts_ struct facts *f = NULL;
	struct lvm_facts l = {0};
	struct lvm_lv *v;
	struct tombstone *t;
	size_t n;

	add(a, &l, "pool", NULL)->type = "thin-pool";
	/* A quarter written; inactive, so nobody can tell; thick; a clone. */
	v = add(a, &l, "written", "manor.id=1");
	v->data_percent = 2500;
	add(a, &l, "asleep", "manor.id=2");
	v = add(a, &l, "thick", "manor.id=3");
	v->pool = NULL;
	v = add(a, &l, "web.root", "manor.id=4");
	v->data_percent = 10000;
	list_add(a, &v->tags, (void *)"manor.base=0123");
	fake_lvm_load(&l);
	for (size_t i = 1; i < l.lvs.n; i++)
		assert_int_equal(tombstone_bury(a, l.lvs.items[i], NOW, 3600, NULL), 0);
	f = read_host(m, &t, &n);
	assert_int_equal(n, 4);
	for (size_t i = 0; i < n; i++) {
		const struct lvm_lv *is = lvm_lv(lvm_facts(f), "vg0", t[i].lv);

		/* As LVM has it: what is inactive tells nothing. */
		((struct lvm_lv *)is)->data_percent = -1;
		assert_int_equal(t[i].removed, NOW);
		assert_int_equal(t[i].expires, NOW + 3600);
	}
	volume_tombstones(f->arena, f, m, &t, &n);
	for (size_t i = 0; i < n; i++) {
		int64_t want = streq(t[i].name, "written")  ? (int64_t)GiB / 4
			       : streq(t[i].name, "asleep") ? -1
							    : (int64_t)GiB;

		/* Percentages are hundredths of it: as exact as they are. */
		assert_true(t[i].held <= want && t[i].held >= want - 10000);
		assert_int_equal(t[i].cloned, streq(t[i].name, "web.root"));
	}
}

static void only_tombstones_of_ours_are_destroyed(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_manifest_ struct manifest *m = manifest();
	struct lvm_facts l = {0};
	/* volume/data of the namespace, and anybody else's. */
	static const char ours[] = "manor.id=41444278-81d0-58ee-8f39-171c26a07373";
	static const char theirs[] = "manor.id=00000000-1111-5222-8333-444444444444";
	_cleanup_facts_ struct facts *f = NULL, *later = NULL;
	struct tombstone *t, *rest;
	size_t n, n_rest;

	add(a, &l, "pool", NULL)->type = "thin-pool";
	add(a, &l, "data", ours);
	add(a, &l, "trash.1700000000.data", ours);
	add(a, &l, "trash.1700000001.data", theirs);
	add(a, &l, "trash.1700000002.data", NULL);
	fake_lvm_load(&l);
	f = read_host(m, &t, &n);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(volume_purge(f, &t[i], NULL), t[i].ours ? 0 : -EPERM);
	assert_int_equal(tombstone_purge(lvm_lv(lvm_facts(f), "vg0", "data"), NULL), -EINVAL);
	assert_int_equal(
		tombstone_purge(lvm_lv(lvm_facts(f), "vg0", "trash.1700000002.data"), NULL),
		-EINVAL);
	later = read_host(m, &rest, &n_rest);
	assert_int_equal(n_rest, 1);
	assert_false(rest[0].ours);
	assert_non_null(lvm_lv(lvm_facts(later), "vg0", "data"));
	/* Gone, or brought back by now: nothing is left to destroy. */
	for (size_t i = 0; i < n; i++)
		if (t[i].ours)
			assert_int_equal(volume_purge(later, &t[i], NULL), 0);
}

static int call(const char *const *words)
{
	char *argv[12] = {0};
	int argc = 0;

	while (argc < 11 && words[argc]) {
		argv[argc] = (char *)words[argc];
		argc++;
	}
	return verb_trash(argc, argv);
}

static size_t left(const struct manifest *m)
{
	_cleanup_facts_ struct facts *f = NULL;
	struct tombstone *t;
	size_t n;

	f = read_host(m, &t, &n);
	return n;
}

/* A mount namespace of its own, where the lock and the journal are nobody else's. */
static bool alone(void)
{
	return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", "/run", "tmpfs", 0, NULL) == 0 &&
	       mount("none", "/var/lib", "tmpfs", 0, NULL) == 0;
}

static void the_verb_destroys_what_it_is_told(void **state)
{
	static const char ours[] = "manor.id=41444278-81d0-58ee-8f39-171c26a07373";
	static const char theirs[] = "manor.id=00000000-1111-5222-8333-444444444444";
	static const char file[] = "/run/m.yaml";
	static const char text[] = "manor: 1\nnamespace: lab.example.org\n";
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_manifest_ struct manifest *m = manifest();
	_cleanup_(freep) char *journal = NULL;
	struct lvm_facts l = {0};

	if (!alone())
		skip();
	assert_int_equal(file_write(file, text, sizeof(text) - 1, 0600, NULL), 0);
	assert_non_null(freopen("/dev/null", "r", stdin));
	add(a, &l, "pool", NULL)->type = "thin-pool";
	list_add(a, &add(a, &l, "trash.1700000000.data", ours)->tags,
		 (void *)"manor.trash=1700000009");
	list_add(a, &add(a, &l, "trash.1700000001.data", ours)->tags,
		 (void *)"manor.trash=4000000000");
	list_add(a, &add(a, &l, "trash.1700000002.data", ours)->tags,
		 (void *)"manor.trash=4000000000");
	add(a, &l, "trash.1700000003.data", theirs);
	fake_lvm_load(&l);
#define TRASH(...) call((const char *const[]){"trash", __VA_ARGS__, "-f", file, NULL})
	assert_int_equal(TRASH("ls"), EXIT_FINE);
	assert_int_equal(TRASH("ls", "--format", "json"), EXIT_FINE);
	assert_int_equal(TRASH("ls", "data"), EXIT_BAD);
	assert_int_equal(TRASH("burn"), EXIT_BAD);
	/* Nobody to ask; no such name; nothing so old. */
	assert_int_equal(TRASH("empty"), EXIT_BAD);
	assert_int_equal(TRASH("empty", "--yes", "other"), EXIT_FAILED);
	assert_int_equal(TRASH("empty", "--yes", "data", "other"), EXIT_FAILED);
	assert_int_equal(TRASH("empty", "--yes", "vg0/trash.1700000003.data"), EXIT_FAILED);
	assert_int_equal(TRASH("empty", "--yes", "--older-than", "36500d"), EXIT_FINE);
	assert_int_equal(left(m), 4);
	assert_int_equal(TRASH("empty", "--yes", "--expired"), EXIT_FINE);
	assert_int_equal(left(m), 3);
	assert_int_equal(TRASH("empty", "--yes", "vg0/trash.1700000002.data"), EXIT_FINE);
	assert_int_equal(left(m), 2);
	assert_int_equal(TRASH("empty", "--yes", "--older-than", "1d"), EXIT_FINE);
	assert_int_equal(left(m), 1);
	assert_int_equal(file_read("/var/lib/manor/journal.jsonl", 65536, &journal, NULL, NULL), 0);
	assert_non_null(strstr(journal, "trash.1700000000.data"));
	assert_non_null(strstr(journal, "\"destroyed\""));
	assert_null(strstr(journal, "trash.1700000003.data"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tombstone_says_what_it_holds),
		cmocka_unit_test(only_tombstones_of_ours_are_destroyed),
		cmocka_unit_test(the_verb_destroys_what_it_is_told),
	};

	return cmocka_run_group_tests_name("trash", tests, NULL, NULL);
}
