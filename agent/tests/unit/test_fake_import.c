/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Imports over the host in memory: what is said when they fail in the middle, what is left, and that the next
 * one goes on.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/file.h"
#include "engine/perform.h"
#include "engine/planner.h"
#include "kinds/kinds.h"
#include "kinds/lvm_facts.h"
#include "model/record_json.h"
#include "tests/fake/fake.h"

/* One template of three files on a host that has a storage for it. */
#define CASE "agent/tests/golden/template-new/"

static enum { WELL, BREAKS_OFF, POOL_FILLS } world;
static unsigned writes; /* questions of image_write()'s: the second comes when there is a target */

/* The pool as somebody else fills it meanwhile. */
static void pool_holds(int64_t percent)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct lvm_facts l = {0};
	struct lvm_lv *pool;

	assert_int_equal(lvm_read(a, &l, NULL), 0);
	pool = (struct lvm_lv *)lvm_lv(&l, "vg0", "pool");
	pool->data_percent = percent * 100;
	fake_lvm_load(&l);
}

bool fake_fails(const char *op)
{
	if (!streq(op, "image_write") || world == WELL || ++writes != 2)
		return false;
	if (world == POOL_FILLS)
		pool_holds(100);
	return true;
}

static struct facts *facts_of_case(void)
{
	_cleanup_(freep) char *text = NULL;
	struct facts *f = NULL;
	json_object *json;
	size_t n;

	assert_int_equal(file_read(CASE "facts.json", 1u << 20, &text, &n, NULL), 0);
	json = json_parse(text, n, NULL);
	assert_non_null(json);
	assert_int_equal(facts_from_json(json, all_readers, &f, NULL), 0);
	json_object_put(json);
	return f;
}

/* The template's step, on the host as it is; nothing to do is -ENOENT. */
static int import(struct err *e)
{
	_cleanup_manifest_ struct manifest *m =
		manifest_load(CASE "manifest.yaml", NULL, all_kinds, diags_new());
	_cleanup_facts_ struct facts *f = perform_read(all_readers, NULL, NULL, NULL);
	_cleanup_plan_ struct plan *p = NULL;
	_cleanup_(freep) char *text = NULL;
	json_object *request;
	int r = -ENOENT;

	assert_non_null(m);
	p = plan_make(m, f, &(struct plan_options){.allowed = IMPACT_LIVE});
	for (size_t i = 0; i < p->n; i++) {
		if (!startswith(p->steps[i].id, "template/"))
			continue;
		request = perform_request(p, i, m);
		r = perform_step(request, all_kinds, all_readers, NULL, NULL, &text, e);
		json_object_put(request);
	}
	return r;
}

static const struct lvm_lv *base(struct arena *a)
{
	struct lvm_facts *l = arena_alloc(a, sizeof(*l));

	assert_int_equal(lvm_read(a, l, NULL), 0);
	for (size_t i = 0; i < l->lvs.n; i++) {
		const struct lvm_lv *lv = l->lvs.items[i];

		if (startswith(lv->name, "base."))
			return lv;
	}
	return NULL;
}

static int begin(void **state)
{
	struct facts *f = facts_of_case();

	fake_lvm_load(facts_get(f, "lvm"));
	fake_blk_load(facts_get(f, "disks"));
	fake_cache_load(facts_get(f, "cache"));
	fake_net_load(facts_get(f, "net"));
	fake_xen_load(facts_get(f, "xen"));
	fake_intent_load(facts_get(f, "intent"));
	world = WELL;
	writes = 0;
	facts_free(f);
	return 0;
}

static void a_pool_that_becomes_full_is_what_is_wrong(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_err_ struct err e = {0};

	world = POOL_FILLS;
	assert_int_equal(import(&e), -ENOSPC);
	print_message("  %s (%s)\n", e.message, e.help);
	assert_non_null(strstr(e.message, "file 'root': pool vg0/pool became full"));
	assert_non_null(strstr(e.help, "manor image gc"));
	assert_null(base(a));
	/* There is room. */
	world = WELL;
	pool_holds(50);
	assert_int_equal(import(NULL), 0);
	assert_non_null(base(a));
}

static void what_breaks_off_is_no_full_pool(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_err_ struct err e = {0};

	world = BREAKS_OFF;
	assert_int_equal(import(&e), -EIO);
	assert_non_null(strstr(e.message, "broken off"));
	assert_null(base(a));
	world = WELL;
	assert_int_equal(import(NULL), 0);
	assert_int_equal(import(NULL), -ENOENT);
}

static void a_finished_base_says_how_much_it_holds(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	const struct lvm_lv *lv;

	assert_int_equal(import(NULL), 0);
	lv = base(a);
	assert_non_null(lv);
	assert_true(lv->readonly && !lv->active && !lvm_filling(lv));
	assert_true(lvm_mapped(lv) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_pool_that_becomes_full_is_what_is_wrong, begin),
		cmocka_unit_test_setup(what_breaks_off_is_no_full_pool, begin),
		cmocka_unit_test_setup(a_finished_base_says_how_much_it_holds, begin),
	};

	return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
