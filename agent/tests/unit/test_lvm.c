/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What LVM says, understood: reports as LVM 2.03.16 wrote them, and a group's metadata as vgcfgbackup
 * wrote it when a creation was pending.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "host/lvm_cmd.h"
#include "host/lvm_kernel.h"
#include "host/lvm_report.h"

static const char report[] =
	"{ \"report\": [\n"
	" { \"vg\": [\n"
	"  {\"vg_name\":\"vg0\", \"vg_uuid\":\"l8cf2X-80BG-ebYB-vPjK-iZEt-tmKe-usuzxJ\", \"vg_size\":\"8585740288\", \"vg_free\":\"4257218560\", \"vg_extent_size\":\"4194304\", \"vg_tags\":\"manor.id=36bca4e2-8cc0-521f-81b8-a8c91ea80189,site=lab\", \"vg_partial\":\"\", \"vg_exported\":\"\"}\n"
	" ], \"pv\": [\n"
	"  {\"pv_name\":\"/dev/vdb\", \"pv_uuid\":\"18f449-9ecb-235b-8d86-20f1-39b6-2690a0\", \"vg_name\":\"vg0\", \"pv_size\":\"8585740288\", \"pv_free\":\"4257218560\", \"pv_missing\":\"\"},\n"
	"  {\"pv_name\":\"[unknown]\", \"pv_uuid\":\"ZJgxEJ-IIjV-cdPw-OHWk-9278-CpPs-qmOb9z\", \"vg_name\":\"vg0\", \"pv_size\":\"0\", \"pv_free\":\"0\", \"pv_missing\":\"missing\"}\n"
	" ], \"lv\": [\n"
	"  {\"lv_name\":\"base.0123456789abcdef\", \"vg_name\":\"vg0\", \"lv_uuid\":\"aaaaaa-0000-0000-0000-0000-0000-000005\", \"lv_size\":\"67108864\", \"lv_tags\":\"manor.base=0123\", \"lv_active\":\"\", \"lv_live_table\":\"unknown\", \"lv_suspended\":\"unknown\", \"lv_device_open\":\"unknown\", \"lv_permissions\":\"read-only\", \"lv_time\":\"1795223900\", \"origin\":\"\", \"pool_lv\":\"pool\", \"data_percent\":\"\", \"metadata_percent\":\"\", \"lv_metadata_size\":\"\", \"lv_when_full\":\"\", \"lv_health_status\":\"\"},\n"
	"  {\"lv_name\":\"pool\", \"vg_name\":\"vg0\", \"lv_uuid\":\"aaaaaa-0000-0000-0000-0000-0000-000001\", \"lv_size\":\"4290772992\", \"lv_tags\":\"manor.id=36bc\", \"lv_active\":\"active\", \"lv_live_table\":\"live table present\", \"lv_suspended\":\"\", \"lv_device_open\":\"open\", \"lv_permissions\":\"writeable\", \"lv_time\":\"1795223900\", \"origin\":\"\", \"pool_lv\":\"\", \"data_percent\":\"34.07\", \"metadata_percent\":\"10.30\", \"lv_metadata_size\":\"16777216\", \"lv_when_full\":\"error\", \"lv_health_status\":\"\"},\n"
	"  {\"lv_name\":\"web.root\", \"vg_name\":\"vg0\", \"lv_uuid\":\"aaaaaa-0000-0000-0000-0000-0000-000006\", \"lv_size\":\"67108864\", \"lv_tags\":\"\", \"lv_active\":\"active\", \"lv_live_table\":\"live table present\", \"lv_suspended\":\"\", \"lv_device_open\":\"\", \"lv_permissions\":\"writeable\", \"lv_time\":\"1795223901\", \"origin\":\"base.0123456789abcdef\", \"pool_lv\":\"pool\", \"data_percent\":\"100.00\", \"metadata_percent\":\"\", \"lv_metadata_size\":\"\", \"lv_when_full\":\"\", \"lv_health_status\":\"\"},\n"
	"  {\"lv_name\":\"cut.short\", \"vg_name\":\"vg0\", \"lv_active\":\"active\", \"lv_live_table\":\"\", \"lv_suspended\":\"\"},\n"
	"  {\"lv_name\":\"cut.later\", \"vg_name\":\"vg0\", \"lv_active\":\"active\", \"lv_live_table\":\"live table present\", \"lv_suspended\":\"suspended\"},\n"
	"  {\"lv_name\":\"[pool_tdata]\", \"vg_name\":\"vg0\", \"lv_uuid\":\"aaaaaa-0000-0000-0000-0000-0000-000002\", \"lv_size\":\"4290772992\"}\n"
	" ], \"pvseg\": [ {\"pv_uuid\":\"18f449-9ecb-235b-8d86-20f1-39b6-2690a0\"} ]\n"
	" , \"seg\": [\n"
	"  {\"lv_uuid\":\"aaaaaa-0000-0000-0000-0000-0000-000001\", \"segtype\":\"thin-pool\", \"transaction_id\":\"3\", \"thin_id\":\"\"},\n"
	"  {\"lv_uuid\":\"aaaaaa-0000-0000-0000-0000-0000-000002\", \"segtype\":\"linear\", \"transaction_id\":\"\", \"thin_id\":\"\"},\n"
	"  {\"lv_uuid\":\"aaaaaa-0000-0000-0000-0000-0000-000005\", \"segtype\":\"thin\", \"transaction_id\":\"0\", \"thin_id\":\"1\"},\n"
	"  {\"lv_uuid\":\"aaaaaa-0000-0000-0000-0000-0000-000006\", \"segtype\":\"thin\", \"transaction_id\":\"2\", \"thin_id\":\"2\"}\n"
	" ] },\n"
	" { \"pv\": [\n"
	"  {\"pv_name\":\"/dev/vdc\", \"pv_uuid\":\"0f4c3a-11aa-22bb-33cc-44dd-55ee-66ff78\", \"vg_name\":\"\", \"pv_size\":\"2147483648\", \"pv_free\":\"2147483648\", \"pv_missing\":\"\"}\n"
	" ] } ] }\n";

static void a_report_becomes_records(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	const struct lvm_vg *vg;
	const struct lvm_pv *pv;
	const struct lvm_lv *lv;
	struct lvm_facts l;

	assert_int_equal(lvm_report_parse(a, report, sizeof(report) - 1, &l, NULL), 0);
	assert_int_equal(l.vgs.n, 1);
	vg = l.vgs.items[0];
	assert_string_equal(vg->name, "vg0");
	assert_int_equal(vg->size, 8585740288);
	assert_int_equal(vg->tags.n, 2);
	assert_string_equal(vg->tags.items[1], "site=lab");
	assert_false(vg->partial);

	assert_int_equal(l.pvs.n, 3);
	pv = l.pvs.items[1];
	assert_true(pv->missing);
	pv = l.pvs.items[2]; /* in no group */
	assert_null(pv->vg);
	assert_string_equal(pv->uuid, "0f4c3a-11aa-22bb-33cc-44dd-55ee-66ff78");

	assert_int_equal(l.lvs.n, 5); /* LVM's own parts are none */
	lv = l.lvs.items[0];
	assert_true(lv->readonly);
	assert_false(lv->active);
	assert_int_equal(lv->data_percent, -1);
	assert_int_equal(lv->thin_id, 1);
	assert_int_equal(lv->created, 1795223900);
	lv = l.lvs.items[1];
	assert_string_equal(lv->type, "thin-pool");
	assert_int_equal(lv->data_percent, 3407);
	assert_int_equal(lv->metadata_percent, 1030);
	assert_int_equal(lv->transaction_id, 3);
	assert_int_equal(lv->kernel_transaction_id, -1); /* a report doesn't know */
	assert_int_equal(lv->thin_id, -1);
	assert_true(lv->error_when_full);
	assert_true(lv->open);
	lv = l.lvs.items[2];
	assert_string_equal(lv->origin, "base.0123456789abcdef");
	assert_int_equal(lv->tags.n, 0);
	assert_int_equal(lv->data_percent, 10000);
	assert_null(lv->health);
	assert_true(lv->active);
}

/* Whoever activated them died in the middle. */
static void what_cannot_be_read_yet_is_not_active(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct lvm_facts l;

	assert_int_equal(lvm_report_parse(a, report, sizeof(report) - 1, &l, NULL), 0);
	for (size_t i = 3; i < 5; i++) {
		const struct lvm_lv *lv = l.lvs.items[i];

		assert_true(startswith(lv->name, "cut."));
		assert_false(lv->active);
	}
}

static void what_is_no_report_is_refused(void **state)
{
	static const char *const texts[] = {
		"", "{", "[]", "{\"report\": 5}", "{\"report\": [5]}", "{\"report\": [{\"lv\": {}}]}",
		"{\"report\": [{\"lv\": [7]}]}", "  WARNING: something\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_arena_ struct arena *a = arena_new();
		_cleanup_err_ struct err e = {0};
		struct lvm_facts l;

		assert_true(lvm_report_parse(a, texts[i], strlen(texts[i]), &l, &e) < 0);
		assert_non_null(e.message);
	}
}

static void half_a_report_is_refused_wherever_it_ends(void **state)
{
	for (size_t n = 0; n < sizeof(report) - 3; n++) {
		_cleanup_arena_ struct arena *a = arena_new();
		struct lvm_facts l;

		assert_true(lvm_report_parse(a, report, n, &l, NULL) < 0);
	}
}

static const char metadata[] =
	"contents = \"Text Format Volume Group\"\nversion = 1\n"
	"vg0 {\n\tid = \"l8cf2X-80BG-ebYB-vPjK-iZEt-tmKe-usuzxJ\"\n\tseqno = 7\n"
	"\tlogical_volumes {\n\n"
	"\t\tpool {\n\t\t\tid = \"x\"\n\t\t\tsegment1 {\n\t\t\t\ttype = \"thin-pool\"\n"
	"\t\t\t\ttransaction_id = 4\n%s\t\t\t}\n\t\t}\n"
	"\t\tweb.root {\n\t\t\tsegment1 {\n\t\t\t\ttype = \"thin\"\n\t\t\t\tdevice_id = 2\n"
	"\t\t\t}\n\t\t}\n\t}\n}\n";

static void a_pending_creation_is_found(void **state)
{
	static const struct {
		const char *messages;
		int result;
	} cases[] = {
		{"", 0},
		{"message1 {\ncreate = \"web.root\"\n}\n", 1},
		{"message1 {\ndelete = 3\n}\n", 0},
		/* More than one: LVM is left to it. */
		{"message1 {\ncreate = \"web.root\"\n}\nmessage2 {\ndelete = 3\n}\n", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_arena_ struct arena *a = arena_new();
		const char *text = arena_printf(a, metadata, cases[i].messages), *lv = NULL;

		assert_int_equal(lvm_pending_create(a, text, "vg0", "pool", &lv, NULL),
				 cases[i].result);
		if (cases[i].result == 1)
			assert_string_equal(lv, "web.root");
	}
}

static void other_metadata_is_refused(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	const char *text = arena_printf(a, metadata, ""), *lv;

	assert_int_equal(lvm_pending_create(a, text, "vg1", "pool", &lv, NULL), -EINVAL);
	assert_int_equal(lvm_pending_create(a, text, "vg0", "other", &lv, NULL), -EINVAL);
	assert_int_equal(lvm_pending_create(a, "vg0 {", "vg0", "pool", &lv, NULL), -EINVAL);
}

/* Nothing that LVM would take for an option, a second word or a quote ever reaches it. */
static void only_plain_words_reach_lvm(void **state)
{
	static const char *const bad[] = {"",     "-f",  "a b", "a\tb",  "a\"b", "a'b", "a\\b",
					  "a\nb", "a;b", "#a",  "a$(b)", "a{b}", "é"};
	static const char *const good[] = {"vg0", "/dev/disk/by-path/pci-0000:00:04.0", "web.root",
					   "manor.id=6ba7b810-9dad", "trash.1700000000.web-1.root"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_lvm_cmd_ struct lvm_cmd c = {0};
		_cleanup_err_ struct err e = {0};

		lvm_cmd_add(&c, "lvs");
		lvm_cmd_word(&c, bad[i]);
		assert_int_equal(lvm_cmd_run(&c, NULL, &e), -EINVAL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		_cleanup_lvm_cmd_ struct lvm_cmd c = {0};

		lvm_cmd_word(&c, good[i]);
		assert_null(c.bad);
	}
	{
		_cleanup_lvm_cmd_ struct lvm_cmd c = {0};

		lvm_cmd_lv(&c, "vg0", "a/b"); /* a path is no name */
		assert_non_null(c.bad);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_becomes_records),
		cmocka_unit_test(what_cannot_be_read_yet_is_not_active),
		cmocka_unit_test(what_is_no_report_is_refused),
		cmocka_unit_test(half_a_report_is_refused_wherever_it_ends),
		cmocka_unit_test(a_pending_creation_is_found),
		cmocka_unit_test(other_metadata_is_refused),
		cmocka_unit_test(only_plain_words_reach_lvm),
	};

	return cmocka_run_group_tests_name("lvm", tests, NULL, NULL);
}
