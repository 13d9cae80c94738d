/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A host that goes down and comes back, over the host in memory: who is saved, who is shut down, who goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/observe.h"
#include "engine/perform.h"
#include "engine/planner.h"
#include "engine/rest.h"
#include "engine/run.h"
#include "host/paths.h"
#include "host/save.h"
#include "kinds/domain_priv.h"
#include "kinds/kinds.h"
#include "tests/fake/fake.h"

#define KERNEL "/k"
#define COMMON "memory: 64MiB, kernel: " KERNEL ", type: pv"

static const char text[] = "manor: 1\n"
			   "namespace: lab.example.org\n"
			   "domains:\n"
			   "  db: {" COMMON ", on_host_shutdown: save}\n"
			   "  web: {" COMMON ", on_host_shutdown: save, depends_on: [db]}\n"
			   "  plain: {" COMMON "}\n";

static const char paused[] = "manor: 1\n"
			     "namespace: lab.example.org\n"
			     "domains:\n"
			     "  db: {" COMMON ", on_host_shutdown: save, state: paused}\n";

static const char *failing;

bool fake_fails(const char *op)
{
	return streq(op, failing);
}

struct world {
	struct manifest *m;
	struct facts *f;
	struct plan *p;
};

static const char *boot = "boot-1";

static void look(struct world *w, const char *manifest)
{
	struct diags *d = diags_new();
	struct list paths = {0};

	plan_free(w->p);
	facts_free(w->f);
	manifest_free(w->m);
	w->p = NULL;
	w->m = manifest_load_text("m", "/", manifest, strlen(manifest), NULL, NULL, all_kinds, d);
	assert_non_null(w->m);
	observe_paths(w->m->arena, w->m, &paths);
	w->f = perform_read(all_readers, NULL, &paths, NULL);
	w->f->boot_id = boot;
}

static void forget(struct world *w)
{
	plan_free(w->p);
	facts_free(w->f);
	manifest_free(w->m);
}

/* How many steps failed. */
static size_t run(struct world *w)
{
	size_t failed = 0, i;
	struct run run;

	run_init(&run, w->p, 1);
	while ((i = run_pick(&run)) != SIZE_MAX) {
		_cleanup_err_ struct err e = {0};
		json_object *request = perform_request(w->p, i, w->m);
		int r = perform_step(request, all_kinds, all_readers, NULL, NULL, NULL, &e);

		failed += r < 0;
		json_object_put(request);
		run_finish(&run, i, r);
	}
	run_done(&run);
	return failed;
}

static void apply(struct world *w, const char *manifest, size_t wants_failed)
{
	look(w, manifest);
	w->p = plan_make(w->m, w->f, &(struct plan_options){.allowed = IMPACT_LIVE});
	assert_int_equal(run(w), wants_failed);
}

static void go_down(struct world *w, const char *manifest)
{
	look(w, manifest);
	w->p = plan_rest(w->m, w->f, &kind_domain, false);
	assert_int_equal(run(w), 0);
	look(w, manifest);
	assert_int_equal(xen_facts(w->f)->domains.n, 0);
	boot = "boot-2";
}

static const struct step *step_of(const struct world *w, const char *name)
{
	for (size_t i = 0; i < w->p->n; i++)
		if (streq(w->p->steps[i].name, name))
			return &w->p->steps[i];
	return NULL;
}

static void plan(struct world *w, const char *manifest)
{
	look(w, manifest);
	w->p = plan_make(w->m, w->f, &(struct plan_options){.allowed = IMPACT_LIVE});
}

static void start(struct world *w)
{
	struct path_state kernel = {.path = KERNEL, .type = PATH_FILE, .size = 1u << 20};
	struct path_facts files = {0};
	_cleanup_arena_ struct arena *a = arena_new();

	failing = NULL;
	boot = "boot-1";
	list_add(a, &files.paths, &kernel);
	fake_paths_load(&files);
	fake_xen_load(NULL);
	fake_intent_load(NULL);
	apply(w, text, 0);
	plan(w, text);
	assert_int_equal(w->p->n, 0);
}

static void who_says_so_is_saved_and_goes_on(void **state)
{
	struct world w = {0};

	start(&w);
	go_down(&w, text);
	assert_true(fake_saved("db") && fake_saved("web") && !fake_saved("plain"));
	plan(&w, text);
	assert_int_equal(step_of(&w, "db")->action, ACTION_RESTORE);
	assert_int_equal(step_of(&w, "web")->action, ACTION_RESTORE);
	assert_int_equal(step_of(&w, "web")->n_after, 1);
	assert_true(step_of(&w, "web")->after[0].required);
	assert_int_equal(step_of(&w, "plain")->action, ACTION_CREATE);
	assert_int_equal(run(&w), 0);
	assert_false(fake_saved("db") || fake_saved("web"));
	plan(&w, text);
	assert_int_equal(w.p->n, 0);
	forget(&w);
}

static void who_cannot_be_saved_is_shut_down(void **state)
{
	static const char *const calls[] = {"save_begin", "xen_save, at the beginning",
					    "save_sync_disk", "save_place"};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		struct world w = {0};

		start(&w);
		failing = calls[i];
		go_down(&w, text);
		failing = NULL;
		/* These have no disks. */
		assert_int_equal(fake_saved("db"), streq(calls[i], "save_sync_disk"));
		apply(&w, text, 0);
		plan(&w, text);
		assert_int_equal(w.p->n, 0);
		forget(&w);
	}
}

static void what_waits_for_a_restart_comes_with_the_boot(void **state)
{
	_cleanup_(freep) char *more = xasprintf("%s  other: {%s}\n", text, COMMON);
	struct world w = {0};

	memcpy(strstr(more, "64MiB"), "96MiB", 5);
	start(&w);
	go_down(&w, more);
	assert_false(fake_saved("db"));
	assert_true(fake_saved("web"));
	forget(&w);
}

static void what_xen_refuses_is_kept_aside_and_started_anew(void **state)
{
	struct world w = {0};

	start(&w);
	go_down(&w, text);
	failing = "xen_restore, what was saved is no good";
	apply(&w, text, 1); /* web needs db, and isn't tried */
	failing = NULL;
	plan(&w, text);
	assert_int_equal(step_of(&w, "db")->action, ACTION_CREATE);
	assert_int_equal(step_of(&w, "web")->action, ACTION_RESTORE);
	assert_int_equal(run(&w), 0);
	plan(&w, text);
	assert_int_equal(w.p->n, 0);
	assert_int_equal(w.p->n_notes, 1);
	assert_string_equal(w.p->notes[0].subject, "domain/db");
	forget(&w);
}

/* Let go on for neither, it has used no processor since it was restored: what it has in memory is worth no less. */
static void who_is_paused_is_saved_at_each_way_down(void **state)
{
	struct world w = {0};

	start(&w);
	apply(&w, paused, 0);
	go_down(&w, paused);
	for (int i = 0; i < 2; i++) {
		assert_true(fake_saved("db"));
		apply(&w, paused, 0);
		assert_false(fake_saved("db"));
		look(&w, paused);
		assert_false(((struct xen_domain *)xen_facts(w.f)->domains.items[0])->ran);
		go_down(&w, paused);
		boot = i ? "boot-4" : "boot-3";
	}
	assert_true(fake_saved("db"));
	forget(&w);
}

static void who_never_ran_at_all_is_not_saved(void **state)
{
	struct world w = {0};

	start(&w);
	fake_xen_load(NULL);
	apply(&w, paused, 0);
	failing = "xen_shutdown"; /* nor is it booted to be told to shut down */
	go_down(&w, paused);
	failing = NULL;
	assert_false(fake_saved("db"));
	forget(&w);
}

/* Three of them at once would stand still for as long as the slowest of them takes. */
static void one_at_a_time_is_saved(void **state)
{
	struct world w = {0};

	start(&w);
	look(&w, text);
	w.p = plan_rest(w.m, w.f, &kind_domain, false);
	assert_string_equal(step_of(&w, "db")->serial, step_of(&w, "web")->serial);
	assert_null(step_of(&w, "plain")->serial);
	/* Its own time, and that of shutting it down where it can't be saved. */
	assert_true(step_of(&w, "db")->timeout_s > 300 + 60);
	forget(&w);
}

static void whose_saving_took_too_long_goes_on_and_is_shut_down(void **state)
{
	struct world w = {0};
	struct xen_domain *x = NULL;

	start(&w);
	look(&w, text);
	for (size_t i = 0; i < xen_facts(w.f)->domains.n; i++) {
		x = xen_facts(w.f)->domains.items[i];
		if (streq(x->mark_name, "db"))
			break;
	}
	assert_non_null(x);
	x->state = XEN_SHUTDOWN;
	x->reason = XEN_SUSPEND;
	x->saving = 1;
	fake_xen_load(xen_facts(w.f));
	w.p = plan_rest(w.m, w.f, &kind_domain, true);
	failing = "xen_unsuspend";
	assert_int_equal(run(&w), 1);
	failing = "xen_shutdown";
	look(&w, text);
	w.p = plan_rest(w.m, w.f, &kind_domain, true);
	assert_int_equal(run(&w), 1);
	failing = NULL;
	go_down(&w, text);
	assert_false(fake_saved("web") || fake_saved("plain"));
	forget(&w);
}

static void what_a_person_stopped_is_not_saved(void **state)
{
	struct world w = {0};
	struct intent_who who = {"db", "", "boot-1", 1000};
	char uuid[UUID_TEXT];

	start(&w);
	ident_uuid("lab.example.org", "domain", "db", uuid);
	who.uuid = uuid;
	assert_int_equal(intent_stop(&who, INTENT_BY_HAND, NULL, INTENT_TIMEOUT_LEFT, NULL), 0);
	go_down(&w, text);
	assert_false(fake_saved("db"));
	forget(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_says_so_is_saved_and_goes_on),
		cmocka_unit_test(who_cannot_be_saved_is_shut_down),
		cmocka_unit_test(what_waits_for_a_restart_comes_with_the_boot),
		cmocka_unit_test(what_xen_refuses_is_kept_aside_and_started_anew),
		cmocka_unit_test(who_is_paused_is_saved_at_each_way_down),
		cmocka_unit_test(who_never_ran_at_all_is_not_saved),
		cmocka_unit_test(one_at_a_time_is_saved),
		cmocka_unit_test(whose_saving_took_too_long_goes_on_and_is_shut_down),
		cmocka_unit_test(what_a_person_stopped_is_not_saved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
