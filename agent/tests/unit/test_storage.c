/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Storage and volumes: what a manifest may say, how large a pool becomes, which disk is meant, whose
 * a removed volume was.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "kinds/kinds.h"
#include "kinds/lvm_facts.h"
#include "kinds/storage_device.h"
#include "kinds/storage_pool.h"
#include "kinds/tombstone.h"
#include "kinds/volume.h"

#define GiB (UINT64_C(1) << 30)
#define MiB (UINT64_C(1) << 20)

static void bad_manifests_are_told_where(void **state)
{
	static const struct {
		const char *text, *code;
		unsigned line, column;
	} cases[] = {
		{"storage:\n  vg0: {devices: []}", "no-devices", 4, 18},
		{"storage:\n  vg0: {pool: 90%VG}", "missing-key", 4, 3},
		{"storage:\n  vg0: {devices: [{}]}", "bad-device", 4, 19},
		{"storage:\n  vg0: {devices: [{serial: A, wwid: B}]}", "bad-device", 4, 19},
		{"storage:\n  vg0: {devices: [{path: /etc/passwd}]}", "bad-device", 4, 26},
		{"storage:\n  vg0: {devices: [{serial: A}, {serial: A}]}", "device-twice", 4, 41},
		{"storage:\n  vg0: {devices: [{wwid: A}]}\n  vg1: {devices: [{wwid: A}]}",
		 "device-twice", 5, 26},
		{"storage:\n  vg0: {devices: [{pci: '0000:00:1f.2', serial: A}]}", "bad-device", 4, 19},
		{"storage:\n  vg0: {devices: [{min_size: 1GiB}]}", "bad-device", 4, 19},
		{"storage:\n  vg0: {devices: [{pci: 00.1}]}", "bad-value", 4, 25},
		{"storage:\n  vg0: {devices: [{pci: 'pci-0000:00:1f.2x'}]}", "bad-value", 4, 25},
		{"storage:\n  vg0: {devices: [{serial: A, min_size: 2GiB, max_size: 1GiB}]}",
		 "bad-device", 4, 57},
		/* Two ways to write one controller, and sizes that meet. */
		{"storage:\n  vg0: {devices: [{pci: '0000:00:1f.2', max_size: 2GiB}, "
		 "{pci: pci-0000:00:1F.2, min_size: 2GiB}]}",
		 "device-twice", 4, 64},
		{"storage:\n  vg0: {devices: [{serial: A}], tombstones: 14}", "missing-unit", 4, 45},
		{"storage:\n  vg0: {devices: [{serial: A}], tombstones: 4000d}", "out-of-range", 4, 45},
		{"storage:\n  vg0: {devices: [{serial: A}], tombstones: {keep: 0s, purge: true}}",
		 "bad-value", 4, 63},
		{"storage:\n  vg0: {devices: [{serial: A}], pool: {when_full: wait}}", "unknown-word", 4, 51},
		{"storage:\n  mapper: {devices: [{serial: A}]}", "bad-name", 4, 3},
		{"storage:\n  vg0: {devices: [{serial: A}], pool: 120%VG}", "bad-value", 4, 39},
		{"storage:\n  vg0: {devices: [{serial: A}], pool: 90}", "missing-unit", 4, 39},
		{"storage:\n  vg0: {devices: [{serial: A}], pool: {overcommit: maybe}}", "bad-value", 4,
		 52},
		{"storage:\n  vg0: {devices: [{serial: A}], pool: {metadata: 1KiB}}", "bad-value", 4, 50},
		{"storage:\n  vg0: {devices: [{serial: A}], pool: {size: 10GiB, overcommit: false}}\n"
		 "volumes:\n  a: {storage: vg0, size: 6GiB}\n  b: {storage: vg0, size: 5GiB}",
		 "pool-too-small", 4, 46},
		{"storage:\n  vg0: {devices: [{serial: A}]}\nvolumes:\n  pool: {storage: vg0, size: 1GiB}",
		 "bad-name", 6, 3},
		{"storage:\n  vg0: {devices: [{serial: A}]}\nvolumes:\n"
		 "  snapshot1: {storage: vg0, size: 1GiB}",
		 "bad-name", 6, 3},
		{"storage:\n  vg0: {devices: [{serial: A}]}\nvolumes:\n  a: {storage: vg0, size: 0B}",
		 "out-of-range", 6, 27},
		{"storage:\n  vg0: {devices: [{serial: A}]}\nvolumes:\n  a: {storage: vg, size: 1GiB}",
		 "unknown-reference", 6, 16},
		/* 63 dashes more than it looks: device-mapper doubles them. */
		{"storage:\n  a---------------------------------------------b: {devices: [{serial: A}]}\n"
		 "volumes:\n  a-------------b: {storage: a---------------------------------------------b, "
		 "size: 1GiB}",
		 "bad-name", 6, 3},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_diags_ struct diags *d = diags_new();
		_cleanup_(freep) char *text =
			xasprintf("manor: 1\nnamespace: lab.example.org\n%s\n", cases[i].text);
		bool found = false;

		assert_null(
			manifest_load_text("m", "/", text, strlen(text), NULL, NULL, all_kinds, d));
		for (size_t k = 0; k < d->n; k++)
			found |= streq(d->list[k].code, cases[i].code) &&
				 d->list[k].span.line == cases[i].line &&
				 d->list[k].span.column == cases[i].column;
		if (!found)
			diags_print(d, stderr, false);
		assert_true(found);
	}
}

static void sizes_are_whole_extents(void **state)
{
	static const char text[] = "manor: 1\nnamespace: lab.example.org\n"
				   "storage:\n  vg0: {devices: [{serial: A}]}\n"
				   "volumes:\n  a: {storage: vg0, size: 10000001B}\n";
	struct diags *d = diags_new();
	_cleanup_manifest_ struct manifest *m =
		manifest_load_text("m", "/", text, sizeof(text) - 1, NULL, NULL, all_kinds, d);
	const struct volume *v;

	assert_non_null(m);
	v = manifest_find(m, "volume", "a")->record;
	assert_int_equal(v->size, 12 * MiB);
	assert_true(v->thin);
	assert_string_equal(v->path, "/dev/vg0/a");
}

static void a_pool_leaves_room_for_its_metadata_and_the_spare(void **state)
{
	static const struct {
		struct storage_pool pool;
		uint64_t vg_size, vg_free;
		struct pool_sizes have;
		int result;
		struct pool_sizes want;
	} cases[] = {
		/* New: a share, then all there is, then bytes. */
		{{.size = "50%VG"}, 8 * GiB, 8 * GiB, {0}, 0, {4 * GiB, 16 * MiB}},
		{{.size = NULL}, 10 * GiB, 10 * GiB, {0}, 0, {9 * GiB, 36 * MiB}},
		{{.size = "100%VG"}, 8 * GiB, 8 * GiB, {0}, 0, {8 * GiB - 64 * MiB, 32 * MiB}},
		{{.size = "4GiB"}, 8 * GiB, 8 * GiB, {0}, 0, {4 * GiB, 16 * MiB}},
		{{.size = "4GiB", .metadata = "1GiB"}, 8 * GiB, 8 * GiB, {0}, 0, {4 * GiB, 1 * GiB}},
		{{.size = "8GiB"}, 8 * GiB, 8 * GiB, {0}, -ENOSPC, {0}},
		/* As it was made, so it stays. */
		{{.size = "100%VG"}, 8 * GiB, 0, {8 * GiB - 64 * MiB, 32 * MiB}, 0,
		 {8 * GiB - 64 * MiB, 32 * MiB}},
		{{.size = "50%VG"}, 8 * GiB, 4 * GiB - 32 * MiB, {4 * GiB, 16 * MiB}, 0,
		 {4 * GiB, 16 * MiB}},
		/* A disk came in: data and metadata follow. */
		{{.size = "50%VG"}, 16 * GiB, 12 * GiB - 32 * MiB, {4 * GiB, 16 * MiB}, 0,
		 {8 * GiB, 32 * MiB}},
		/* Less is asked for: what is there stays. */
		{{.size = "2GiB"}, 8 * GiB, 4 * GiB, {4 * GiB, 16 * MiB}, 0, {4 * GiB, 16 * MiB}},
		/* Thick volumes took the rest. */
		{{.size = "90%VG"}, 8 * GiB, 0, {4 * GiB, 16 * MiB}, 0, {4 * GiB, 16 * MiB}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pool_sizes got = {0};
		uint64_t needed = 0;

		assert_int_equal(pool_target(&cases[i].pool, cases[i].vg_size, cases[i].vg_free,
					     &cases[i].have, &got, &needed),
				 cases[i].result);
		assert_int_equal(got.data, cases[i].want.data);
		assert_int_equal(got.metadata, cases[i].want.metadata);
		assert_int_equal(needed > 0, cases[i].result < 0);
	}
}

static void what_a_pool_may_promise(void **state)
{
	assert_int_equal(pool_promise(&(struct storage_pool){0}, GiB), UINT64_MAX);
	assert_int_equal(pool_promise(&(struct storage_pool){.overcommit = "true"}, GiB),
			 UINT64_MAX);
	assert_int_equal(pool_promise(&(struct storage_pool){.overcommit = "false"}, GiB), GiB);
	assert_int_equal(pool_promise(&(struct storage_pool){.overcommit = "1.5"}, 1000), 1500);
	assert_int_equal(pool_promise(&(struct storage_pool){.overcommit = "0.25"}, 1000), 250);
	assert_int_equal(pool_promise(&(struct storage_pool){.overcommit = "3"}, 1000), 3000);
}

static void a_pv_is_known_by_its_uuid(void **state)
{
	struct storage_device d = {.serial = "S1"}, other = {.serial = "S2"}, path = {.path = "S1"},
			      large = {.serial = "S1", .min_size = GiB};
	char a[PV_UUID_TEXT], b[PV_UUID_TEXT];

	device_pv_uuid("lab.example.org", "vg0", &d, a);
	assert_int_equal(strlen(a), PV_UUID_TEXT - 1);
	for (size_t i = 0; i < sizeof(a) - 1; i++)
		assert_int_equal(a[i] == '-',
				 i == 6 || i == 11 || i == 16 || i == 21 || i == 26 || i == 31);
	device_pv_uuid("lab.example.org", "vg0", &d, b);
	assert_string_equal(a, b);
	device_pv_uuid("lab.example.org", "vg1", &d, b);
	assert_string_not_equal(a, b);
	device_pv_uuid("lab.example.org", "vg0", &other, b);
	assert_string_not_equal(a, b);
	device_pv_uuid("lab.example.org", "vg0", &path, b);
	assert_string_not_equal(a, b);
	device_pv_uuid("lab.example.org", "vg0", &large, b);
	assert_string_not_equal(a, b);
	device_pv_uuid("example.org", "vg0", &d, b);
	assert_string_not_equal(a, b);
}

static struct blk_disk *add_disk(struct arena *a, struct blk_facts *k, const char *name,
				 const char *serial)
{
	struct blk_disk *d = arena_alloc(a, sizeof(*d));

	d->name = name;
	d->path = arena_printf(a, "/dev/%s", name);
	d->serial = serial;
	d->size = 10 * GiB;
	list_add(a, &k->disks, d);
	return d;
}

static void a_disk_that_bears_or_holds_anything_is_refused(void **state)
{
	struct storage_device want = {.serial = "S1",
				      .pv = "0f4c3a-11aa-22bb-33cc-44dd-55ee-66ff77"};
	char ext4[] = "ext4", member[] = "LVM2_member", mnt[] = "/srv", part[] = "sdb1",
	     dm[] = "dm-0";

	for (int i = 0; i < 14; i++) {
		_cleanup_facts_ struct facts *f = facts_new();
		struct arena *a = f->arena;
		struct blk_facts *k = arena_alloc(a, sizeof(*k));
		struct lvm_facts *l = arena_alloc(a, sizeof(*l));
		struct lvm_pv *pv = arena_alloc(a, sizeof(*pv));
		struct blk_disk *b = add_disk(a, k, "sdb", "S1");
		enum device_state wanted = DEVICE_REFUSED;
		const char *says = NULL;
		struct device d;

		add_disk(a, k, "sda", "S0");
		switch (i) {
		case 0:
			wanted = DEVICE_EMPTY;
			break;
		case 1:
			list_add(a, &b->signatures, ext4);
			says = "ext4";
			break;
		case 2:
			list_add(a, &b->mounts, mnt);
			says = "/srv";
			break;
		case 3:
			list_add(a, &b->partitions, part);
			says = "sdb1";
			break;
		case 4:
			list_add(a, &b->holders, dm);
			says = "dm-0";
			break;
		case 5:
			b->root = true;
			says = "root file system";
			break;
		case 6:
			b->unreadable = "Input/output error";
			says = "Input/output error";
			break;
		case 7: /* ours, cut off after pvcreate */
			b->pv_uuid = want.pv;
			list_add(a, &b->signatures, member);
			wanted = DEVICE_OURS;
			break;
		case 8: /* somebody else's PV */
			b->pv_uuid = "ZJgxEJ-IIjV-cdPw-OHWk-9278-CpPs-qmOb9z";
			list_add(a, &b->signatures, member);
			says = "LVM2_member";
			break;
		case 9: /* ours, in another group by now */
			b->pv_uuid = want.pv;
			list_add(a, &b->signatures, member);
			*pv = (struct lvm_pv){.name = "/dev/sdb", .uuid = want.pv, .vg = "vg9"};
			list_add(a, &l->pvs, pv);
			says = "vg9";
			break;
		case 10: /* in our group, under whatever UUID */
			b->pv_uuid = "ZJgxEJ-IIjV-cdPw-OHWk-9278-CpPs-qmOb9z";
			list_add(a, &b->signatures, member);
			list_add(a, &b->holders, dm);
			*pv = (struct lvm_pv){.name = "/dev/sdb", .uuid = b->pv_uuid, .vg = "vg0"};
			list_add(a, &l->pvs, pv);
			wanted = DEVICE_MEMBER;
			break;
		case 11: /* our label, and a file system beside it */
			b->pv_uuid = want.pv;
			list_add(a, &b->signatures, member);
			list_add(a, &b->signatures, ext4);
			says = "ext4";
			break;
		case 12: /* ours, cut off, and not writable now */
			b->pv_uuid = want.pv;
			list_add(a, &b->signatures, member);
			b->readonly = true;
			says = "read-only";
			break;
		case 13: /* in our group, and not writable now */
			b->pv_uuid = want.pv;
			list_add(a, &b->signatures, member);
			*pv = (struct lvm_pv){.name = "/dev/sdb", .uuid = want.pv, .vg = "vg0"};
			list_add(a, &l->pvs, pv);
			b->readonly = true;
			says = "read-only";
			break;
		}
		facts_add_known(f, &reader_disks, k);
		facts_add_known(f, &reader_lvm, l);
		device_find(a, f, "vg0", &want, &d);
		assert_int_equal(d.state, wanted);
		if (says)
			assert_non_null(strstr(d.why, says));
	}
}

static void a_tombstone_is_whose_it_was(void **state)
{
	static const struct {
		const char *name, *what;
		bool meant;
	} cases[] = {
		{"web.root", "web", true},          {"web.root", "web.root", true},
		{"web.root", "domain/web", true},   {"web.root", "volume/web.root", true},
		{"web.root", "volume/web", false},  {"web.root", "we", false},
		{"web-2.root", "web", false},       {"web", "web", true},
		{"web", "volume/web", true},        {"web", "domain/web", false},
		{"web.root", "", false},            {"web.root", "domain/", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tombstone t = {.name = cases[i].name};

		assert_int_equal(volume_meant(&t, cases[i].what), cases[i].meant);
	}
}

static void tombstones_are_told_by_name_and_mark(void **state)
{
	char id[] = "manor.id=36bca4e2-8cc0-521f-81b8-a8c91ea80189";
	static const struct {
		const char *name;
		bool marked, is;
	} cases[] = {
		{"trash.1700000000.web", true, true},       {"trash.1700000000.web", false, false},
		{"trash.1700000000.web.root", true, true}, {"trash.web", true, false},
		{"trash.1700000000.", true, false},        {"trash.root", true, false},
		{"web", true, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_arena_ struct arena *a = arena_new();
		struct lvm_lv lv = {.name = cases[i].name};

		if (cases[i].marked)
			list_add(a, &lv.tags, id);
		assert_int_equal(tombstone_is(&lv), cases[i].is);
	}
}

/* Another namespace's, of the same name and newer, stays where it is. */
static void tombstones_of_others_are_left_alone(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_facts_ struct facts *f = facts_new();
	_cleanup_err_ struct err e = {0};
	struct manifest mine = {.namespace = "a.example.org"};
	struct lvm_facts *l = arena_alloc(a, sizeof(*l));
	struct lvm_lv ours = {.vg = "vg0", .name = "trash.1700000000.web.root"};
	struct lvm_lv theirs = {.vg = "vg0", .name = "trash.1700000001.web.root"};
	char uuid[UUID_TEXT];
	struct tombstone *list;
	size_t n;

	ident_uuid("a.example.org", "volume", "web.root", uuid);
	list_add(a, &ours.tags, arena_printf(a, "manor.id=%s", uuid));
	ident_uuid("b.example.org", "volume", "web.root", uuid);
	list_add(a, &theirs.tags, arena_printf(a, "manor.id=%s", uuid));
	list_add(a, &l->lvs, &ours);
	list_add(a, &l->lvs, &theirs);
	facts_add_known(f, &reader_lvm, l);
	volume_tombstones(a, f, &mine, &list, &n);
	assert_int_equal(n, 2);
	assert_string_equal(list[0].lv, theirs.name);
	assert_false(list[0].ours);
	assert_true(list[1].ours);
	assert_int_equal(volume_undelete(a, f, &list[0], &e), -EPERM);
	assert_non_null(strstr(e.message, "another namespace"));
	volume_tombstones(a, f, NULL, &list, &n);
	assert_false(list[0].ours || list[1].ours);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_manifests_are_told_where),
		cmocka_unit_test(sizes_are_whole_extents),
		cmocka_unit_test(a_pool_leaves_room_for_its_metadata_and_the_spare),
		cmocka_unit_test(what_a_pool_may_promise),
		cmocka_unit_test(a_pv_is_known_by_its_uuid),
		cmocka_unit_test(a_disk_that_bears_or_holds_anything_is_refused),
		cmocka_unit_test(a_tombstone_is_whose_it_was),
		cmocka_unit_test(tombstones_are_told_by_name_and_mark),
		cmocka_unit_test(tombstones_of_others_are_left_alone),
	};

	return cmocka_run_group_tests_name("storage", tests, NULL, NULL);
}
