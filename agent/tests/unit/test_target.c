/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which disk the appliance may be installed to: one that is empty, or whose owner has said by its serial that it may be lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kinds/kinds.h"
#include "kinds/target.h"

static struct facts *facts;
static struct blk_facts *disks;

static struct blk_disk *disk(const char *name, const char *serial, const char *parent)
{
	struct arena *a = facts->arena;
	struct blk_disk *b = arena_alloc(a, sizeof(*b));

	b->name = name;
	b->path = arena_printf(a, "/dev/%s", name);
	b->serial = serial;
	b->parent = parent;
	b->size = UINT64_C(20) << 30;
	list_add(a, &disks->disks, b);
	return b;
}

/* sda bears a table with data on it, sdb and sdc (which has no serial) nothing. */
static int host(void **state)
{
	struct blk_disk *b;

	facts = facts_new();
	disks = arena_alloc(facts->arena, sizeof(*disks));
	facts_add_known(facts, &reader_disks, disks);
	b = disk("sda", "OLD1", NULL);
	list_add(facts->arena, &b->signatures, (void *)"gpt partition table");
	b = disk("sda1", NULL, "sda");
	list_add(facts->arena, &b->signatures, (void *)"ext4 'data'");
	disk("sdb", "NEW2", NULL);
	b = disk("sdc", NULL, NULL);
	list_add(facts->arena, &b->wwids, (void *)"naa.5002538e");
	return 0;
}

static int gone(void **state)
{
	facts_free(facts);
	return 0;
}

static bool whole(const char *path)
{
	return false;
}

static bool half(const char *path)
{
	return true;
}

static struct target of(const char *text, const char *erase, bool (*half_made)(const char *))
{
	struct storage_device d;
	struct target t;

	assert_int_equal(target_parse(facts->arena, text, &d, NULL), 0);
	target_find(facts->arena, facts, &d, erase, half_made, &t);
	return t;
}

static void an_empty_disk_is_taken_by_any_of_its_names(void **state)
{
	struct target t = of("serial=NEW2", NULL, whole);

	assert_null(t.why);
	assert_int_equal(t.on_it.n, 0);
	assert_string_equal(t.disk->path, "/dev/sdb");
	assert_null(of("sdb", NULL, whole).why);
	assert_null(of("/dev/sdb", NULL, whole).why);
	assert_null(of("wwid=naa.5002538e", NULL, whole).why);
}

static void one_that_holds_something_is_refused_with_what_it_holds(void **state)
{
	struct target t = of("sda", NULL, whole);

	assert_non_null(strstr(t.why, "isn't empty"));
	assert_non_null(strstr(t.why, "gpt partition table"));
	assert_non_null(strstr(t.why, "ext4 'data'"));
	assert_non_null(strstr(t.help, "--erase OLD1"));
}

static void its_serial_is_what_lets_it_go(void **state)
{
	struct target t = of("sda", "OLD1", whole);

	assert_null(t.why);
	assert_int_equal(t.on_it.n, 2);
	assert_non_null(strstr(of("sda", "NEW2", whole).why, "isn't 'NEW2'"));
	/* Nor does the name that the kernel gave it today. */
	assert_non_null(of("sda", "/dev/sda", whole).why);
}

static void one_without_a_serial_is_named_by_its_wwid(void **state)
{
	list_add(facts->arena, &((struct blk_disk *)disks->disks.items[3])->signatures,
		 (void *)"xfs");
	assert_non_null(strstr(of("sdc", NULL, whole).help, "--erase naa.5002538e"));
	assert_null(of("sdc", "naa.5002538e", whole).why);
}

static void what_was_cut_off_is_begun_anew_without_asking(void **state)
{
	struct target t = of("sda", NULL, half);

	assert_null(t.why);
	assert_int_equal(t.on_it.n, 0);
}

static void one_that_is_in_use_is_refused_whatever_is_said(void **state)
{
	struct blk_disk *part = disks->disks.items[1];

	list_add(facts->arena, &part->mounts, (void *)"/srv");
	assert_non_null(strstr(of("sda", "OLD1", whole).why, "/dev/sda1 is mounted on /srv"));
	assert_non_null(of("sda", "OLD1", half).why);
	part->mounts.n = 0;
	list_add(facts->arena, &part->holders, (void *)"dm-3");
	assert_non_null(strstr(of("sda", "OLD1", whole).why, "in use by dm-3"));
	part->holders.n = 0;
	part->root = true;
	assert_non_null(strstr(of("sda", "OLD1", whole).why, "root file system"));
}

static void so_is_one_that_cannot_be_written_or_read(void **state)
{
	struct blk_disk *b = disks->disks.items[2];

	b->readonly = true;
	assert_non_null(strstr(of("sdb", NULL, whole).why, "read-only"));
	b->readonly = false;
	b->unreadable = "Input/output error";
	assert_non_null(strstr(of("sdb", NULL, whole).why, "can't be read"));
}

static void a_partition_is_no_disk(void **state)
{
	assert_non_null(strstr(of("sda1", "OLD1", whole).why, "name the disk, /dev/sda"));
}

static void none_and_two_of_a_name_are_told(void **state)
{
	struct target t = of("serial=NONE", NULL, whole);

	assert_null(t.disk);
	assert_non_null(strstr(t.why, "no disk has serial 'NONE'"));
	assert_non_null(strstr(t.why, "/dev/sdb"));
	disk("sdd", "NEW2", NULL);
	t = of("serial=NEW2", NULL, whole);
	assert_null(t.disk);
	assert_non_null(strstr(t.why, "fits 2 disks"));
}

static void what_names_no_disk_is_bad(void **state)
{
	static const char *const bad[] = {"", "serial=", "label=x", "../sda", "/etc/passwd"};
	_cleanup_err_ struct err e = {0};
	struct storage_device d;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_true(target_parse(facts->arena, bad[i], &d, &e) < 0);
}

#define story(name) cmocka_unit_test_setup_teardown(name, host, gone)

int main(void)
{
	const struct CMUnitTest tests[] = {
		story(an_empty_disk_is_taken_by_any_of_its_names),
		story(one_that_holds_something_is_refused_with_what_it_holds),
		story(its_serial_is_what_lets_it_go),
		story(one_without_a_serial_is_named_by_its_wwid),
		story(what_was_cut_off_is_begun_anew_without_asking),
		story(one_that_is_in_use_is_refused_whatever_is_said),
		story(so_is_one_that_cannot_be_written_or_read),
		story(a_partition_is_no_disk),
		story(none_and_two_of_a_name_are_told),
		story(what_names_no_disk_is_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
