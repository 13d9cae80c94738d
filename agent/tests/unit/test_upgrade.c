/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Upgrades: which version is newer, what is kept of them, what a boot means, and when a new version is good.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/version.h"
#include "kinds/domain.h"
#include "kinds/kinds.h"
#include "kinds/upgrade.h"

static char file[] = "/tmp/manor-upgrade-XXXXXX/intent/upgrade.json";

static void a_later_commit_is_newer(void **state)
{
	static const struct {
		const char *a, *b;
		int order;
	} cases[] = {
		{"0.1.20261127155956-g472bdafbe", "0.1.20261127155957-g000000000", -1},
		{"0.2.20261127155956-gffff", "0.1.20271127155956-gffff", 1},
		{"0.10.1", "0.9.9", 1}, /* as numbers, not as letters */
		{"1", "1.0.0-dirty", 0},
		{"0.1.5-gaaa", "0.1.5-gbbb-dirty", 0},
		{"1.0.1", "1", 1},
		{"0.1.007", "0.1.7", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int order = 99;

		assert_true(version_compare(cases[i].a, cases[i].b, &order));
		assert_int_equal(order, cases[i].order);
		assert_true(version_compare(cases[i].b, cases[i].a, &order));
		assert_int_equal(order, -cases[i].order);
	}
}

static void what_has_no_numbers_is_neither_older_nor_newer(void **state)
{
	static const char *const odd[] = {
		"472bdaf-dirty",          "unknown", "", "-1", "1..2", "1.", ".1", "1.x", "v1",
		"99999999999999999999.1", NULL};
	int order;

	for (size_t i = 0; odd[i]; i++) {
		assert_false(version_compare(odd[i], "1.0", &order));
		assert_false(version_compare("1.0", odd[i], &order));
	}
	assert_false(version_compare(NULL, "1.0", &order));
	assert_true(version_sane("0.1.2-gabc+x~y_z"));
	assert_false(version_sane("--conf=/x"));
	assert_false(version_sane("1 2"));
	assert_false(version_sane("1\n"));
	assert_false(version_sane(NULL));
}

static void nothing_is_kept_unless_something_was_begun(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct trial t;

	trial_read(a, &t);
	assert_null(t.slot);
	assert_int_equal(t.failed.n, 0);
	assert_int_equal(trial_write(&t, NULL), 0);
	assert_int_equal(access(file, F_OK), -1);
}

static struct trial begun(struct arena *a)
{
	struct trial t = {
		.slot = "B", .version = "2.0", .build = "b2", .from = "1.0", .boot_id = "boot-1",
		.since = 1000, .within = 300, .written = true,
	};

	list_add(a, &t.guests, (char *)"web");
	list_add(a, &t.pending, (char *)"domain/db:restart");
	return t;
}

static void what_was_begun_comes_back_as_it_was(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct trial t = begun(a), back;

	assert_int_equal(trial_write(&t, NULL), 0);
	trial_read(a, &back);
	assert_string_equal(back.slot, "B");
	assert_string_equal(back.version, "2.0");
	assert_string_equal(back.build, "b2");
	assert_string_equal(back.from, "1.0");
	assert_string_equal(back.boot_id, "boot-1");
	assert_int_equal(back.since, 1000);
	assert_int_equal(back.within, 300);
	assert_true(back.written);
	assert_null(back.gave_up);
	assert_int_equal(back.guests.n, 1);
	assert_string_equal(back.guests.items[0], "web");
	assert_string_equal(back.pending.items[0], "domain/db:restart");
	trial_end(&back);
	assert_int_equal(trial_write(&back, NULL), 0);
	assert_int_equal(access(file, F_OK), -1);
}

static void what_is_damaged_counts_as_lost(void **state)
{
	static const char *const texts[] = {
		"", "{", "[]", "null", "{\"trial\": 7, \"failed\": {}}",
		"{\"trial\": {\"slot\": \"C\"}}",
		"{\"trial\": {\"slot\": \"A\", \"within\": -5, \"guests\": [1, null, {}]}, \"failed\": [7, {}]}",
	};
	_cleanup_arena_ struct arena *a = arena_new();
	struct trial t;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(file_write(file, texts[i], strlen(texts[i]), 0600, NULL), 0);
		trial_read(a, &t);
		assert_int_equal(t.failed.n, 0);
		assert_int_equal(t.guests.n, 0);
		assert_true(!t.slot || t.within == TRIAL_WITHIN);
	}
	unlink(file);
}

static void a_failure_is_remembered_and_forgiven(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct trial t = begun(a), back;

	trial_fail(a, &t, "it paniced", 7);
	assert_null(t.slot);
	assert_int_equal(trial_write(&t, NULL), 0);
	trial_read(a, &back);
	assert_string_equal(trial_failed(&back, "2.0", NULL)->why, "it paniced");
	assert_int_equal(trial_failed(&back, "2.0", NULL)->when, 7);
	/* The same root under another name. */
	assert_non_null(trial_failed(&back, "3.0", "b2"));
	assert_null(trial_failed(&back, "3.0", "b3"));
	assert_null(trial_failed(&back, "3.0", NULL));
	trial_forgive(a, &back, "2.0", NULL);
	assert_null(trial_failed(&back, "2.0", "b2"));
	unlink(file);
}

static void of_failures_the_latest_are_remembered(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct trial t = {0};

	for (int i = 0; i < TRIAL_FAILED_MAX + 3; i++) {
		t.slot = "B";
		t.version = arena_printf(a, "2.%d", i);
		trial_fail(a, &t, "why", i);
	}
	t.slot = "B";
	t.version = "2.17";
	trial_fail(a, &t, "again", 99);
	assert_int_equal(t.failed.n, TRIAL_FAILED_MAX);
	assert_null(trial_failed(&t, "2.2", NULL));
	assert_non_null(trial_failed(&t, "2.3", NULL));
	assert_string_equal(trial_failed(&t, "2.17", NULL)->why, "again");
}

static void a_boot_says_how_the_upgrade_went(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct slots s = {
		.installed = true, .booted = "A", .other = "B", .boot_id = "boot-2", .kept = true};
	struct trial t = {0};

	assert_int_equal(upgrade_boot(&s, &t), UPGRADE_ORDINARY);
	/* What was noted is lost, of a version that is known or with the whole partition. */
	s.kept = false;
	assert_int_equal(upgrade_boot(&s, &t), UPGRADE_ORDINARY);
	s.on_trial = true;
	assert_int_equal(upgrade_boot(&s, &t), UPGRADE_UNKEPT);
	s.kept = true;
	assert_int_equal(upgrade_boot(&s, &t), UPGRADE_ORDINARY);
	s.on_trial = false;
	t = begun(a);
	assert_int_equal(upgrade_boot(&s, &t), UPGRADE_FELL_BACK);
	t.written = false;
	assert_int_equal(upgrade_boot(&s, &t), UPGRADE_CUT_OFF);
	/* Asked in the boot in which it was begun. */
	s.boot_id = "boot-1";
	assert_int_equal(upgrade_boot(&s, &t), UPGRADE_BEGUN);
	t.written = true;
	assert_int_equal(upgrade_boot(&s, &t), UPGRADE_BEGUN);
	s.booted = "B";
	s.other = "A";
	s.boot_id = "boot-3";
	assert_int_equal(upgrade_boot(&s, &t), UPGRADE_ON_TRIAL);
	t.written = false;
	assert_int_equal(upgrade_boot(&s, &t), UPGRADE_ON_TRIAL);
	s.installed = false;
	assert_int_equal(upgrade_boot(&s, &t), UPGRADE_NO_SLOT);
}

static void settings_are_tried_by_the_slot_that_ran(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct slots s = {
		.installed = true, .booted = "A", .other = "B", .boot_id = "boot-1", .kept = true};
	struct trial t = begun(a);

	t.slot = "A";
	t.settings = "dom0_mem=1G";
	assert_int_equal(upgrade_boot(&s, &t), UPGRADE_BEGUN);
	s.boot_id = "boot-2";
	assert_int_equal(upgrade_boot(&s, &t), UPGRADE_FELL_BACK);
	s.settings_tried = true;
	assert_int_equal(upgrade_boot(&s, &t), UPGRADE_ON_TRIAL);
	/* With them another slot was started: it couldn't be loaded. */
	s.booted = "B";
	assert_int_equal(upgrade_boot(&s, &t), UPGRADE_FELL_BACK);
	s = (struct slots){.installed = true, .booted = "A", .settings_tried = true};
	t = (struct trial){0};
	assert_int_equal(upgrade_boot(&s, &t), UPGRADE_UNKEPT);
}

static void settings_that_failed_say_nothing_of_the_version(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct trial t = begun(a), back;

	t.settings = "";
	trial_fail(a, &t, "no room", 5);
	assert_int_equal(trial_write(&t, NULL), 0);
	trial_read(a, &back);
	assert_null(trial_failed(&back, "2.0", "b2"));
	assert_string_equal(trial_failed_settings(&back, "")->why, "no room");
	assert_null(trial_failed_settings(&back, "loglvl=all"));
	trial_forgive(a, &back, "2.0", "b2");
	assert_non_null(trial_failed_settings(&back, ""));
	trial_forgive_settings(a, &back, "");
	assert_null(trial_failed_settings(&back, ""));
}

static int refused(const char *version, const char *build, bool downgrade, bool retry)
{
	struct slots s = {.installed = true, .version = "1.5-g1", .build = "b1"};
	struct trial_failed bad = {.version = "1.7-g7", .build = "b7", .why = "why"};
	void *items[] = {&bad};
	struct trial t = {.failed = {.items = items, .n = 1}};
	struct bundle b = {.compatible = BUNDLE_COMPATIBLE, .version = version, .build = build};
	struct upgrade_ask ask = {downgrade, retry};
	_cleanup_err_ struct err e = {0};
	int r = upgrade_refuse(&s, &t, &b, &ask, &e);

	assert_true((r == 0) == (e.message == NULL));
	return r;
}

static void newer_ones_are_taken_unasked(void **state)
{
	assert_int_equal(refused("1.6", "b6", false, false), 0);
	assert_int_equal(refused("1.4", "b4", false, false), -ESTALE);
	assert_int_equal(refused("1.4", "b4", true, false), 0);
	/* The same commit, built anew after a change that isn't committed. */
	assert_int_equal(refused("1.5-g1-dirty", "b9", false, false), 0);
	assert_int_equal(refused("1.5-g1", "b1", false, false), -EEXIST);
	assert_int_equal(refused("1.5-g1", "b9", false, false), -EEXIST);
	assert_int_equal(refused("1.9", "b1", true, true), -EEXIST);
	assert_int_equal(refused("1.5-g1", NULL, true, true), -EEXIST);
	assert_int_equal(refused("odd", "b6", false, false), -ESTALE);
	assert_int_equal(refused("odd", "b6", true, false), 0);
	assert_int_equal(refused("1.7-g7", "b8", false, false), -EPERM);
	assert_int_equal(refused("1.8", "b7", false, false), -EPERM);
	assert_int_equal(refused("1.8", "b7", false, true), 0);
}

/* A host with the guests web and db in its manifest. */
struct there {
	struct arena *arena;
	struct manifest m;
	struct resource web, db;
	struct domain want[2];
	struct xen_domain domains[2];
	struct xen_facts xen;
	struct intent_facts intent;
	struct facts *facts;
	struct plan *plan;
	struct trial trial;
};

static const struct kind *const kinds[] = {&kind_domain, NULL};

static void setup(struct there *h)
{
	static const char *const names[] = {"web", "db"};
	struct resource *all[] = {&h->web, &h->db};

	*h = (struct there){.arena = arena_new(), .facts = facts_new()};
	h->m = (struct manifest){.arena = h->arena, .kinds = kinds};
	h->facts->boot_id = "boot-2";
	for (size_t i = 0; i < 2; i++) {
		*all[i] = (struct resource){
			.kind = &kind_domain, .name = (char *)names[i], .record = &h->want[i]};
		snprintf(all[i]->uuid, sizeof(all[i]->uuid), "u-%s", names[i]);
		h->want[i].state = STATE_RUNNING;
		manifest_add(&h->m, all[i]);
		h->domains[i] = (struct xen_domain){
			.mark_uuid = all[i]->uuid, .mark_name = names[i], .mark_state = "ready"};
		list_add(h->arena, &h->xen.domains, &h->domains[i]);
		list_add(h->arena, &h->trial.guests, (char *)names[i]);
	}
	facts_add_known(h->facts, &reader_xen, &h->xen);
	facts_add_known(h->facts, &reader_intent, &h->intent);
	h->plan = plan_new();
}

static void teardown(struct there *h)
{
	plan_free(h->plan);
	facts_free(h->facts);
	arena_free(h->arena);
}

static const char *misses(struct there *h)
{
	return upgrade_misses(h->arena, &h->m, h->facts, h->plan, &h->trial);
}

static void all_back_is_good(void **state)
{
	struct there h;

	setup(&h);
	assert_null(misses(&h));
	/* One that is paused is there. */
	h.domains[0].state = XEN_PAUSED;
	assert_null(misses(&h));
	teardown(&h);
}

static void a_guest_that_is_not_back_is_missed(void **state)
{
	struct there h;

	setup(&h);
	h.domains[0].state = XEN_SHUTDOWN;
	assert_string_equal(misses(&h), "domain/web ran before and doesn't run now");
	h.domains[0].state = XEN_RUNNING;
	h.domains[0].mark_state = "building";
	assert_non_null(misses(&h));
	h.domains[0].mark_state = "ready";
	h.domains[0].mark_uuid = "u-other";
	assert_non_null(misses(&h));
	teardown(&h);
}

static void who_is_kept_off_on_purpose_is_not_missed(void **state)
{
	struct intent_domain i = {.uuid = "u-web", .boot_id = "boot-2", .stopped = INTENT_BY_HAND};
	struct there h;

	setup(&h);
	h.domains[0].state = XEN_SHUTDOWN;
	map_add(h.arena, &h.intent.domains, "web", &i);
	assert_null(misses(&h));
	/* In this boot, by a person: a guest that powers itself off is another thing. */
	i.boot_id = "boot-1";
	assert_non_null(misses(&h));
	i.boot_id = "boot-2";
	i.stopped = INTENT_CRASHED;
	assert_non_null(misses(&h));
	h.want[0].state = STATE_STOPPED;
	assert_null(misses(&h));
	/* One that left the manifest, likewise. */
	h.want[0].state = STATE_RUNNING;
	h.trial.guests.items[0] = (char *)"gone";
	assert_null(misses(&h));
	teardown(&h);
}

static void what_is_still_to_be_done_is_waited_for(void **state)
{
	struct step *s;
	struct there h;

	setup(&h);
	s = plan_add(h.plan, ACTION_AWAIT, &kind_domain, "web", "u-web");
	s->why = "waits for tcp 80";
	assert_string_equal(misses(&h), "domain/web: await: waits for tcp 80");
	step_hold(s, HOLD_UNKNOWN, "can't be read");
	assert_string_equal(misses(&h), "domain/web: await: can't be read");
	/* It was so before: another version is no remedy. */
	list_add(h.arena, &h.trial.pending, s->id);
	assert_null(misses(&h));
	teardown(&h);
}

static void what_nobody_allowed_is_no_fault_of_the_version(void **state)
{
	struct there h;

	setup(&h);
	step_hold(plan_add(h.plan, ACTION_RESTART, &kind_domain, "web", "u-web"), HOLD_IMPACT,
		  NULL);
	step_hold(plan_add(h.plan, ACTION_UPDATE, &kind_domain, "db", "u-db"), HOLD_NEEDS, NULL);
	assert_null(misses(&h));
	teardown(&h);
}

static void what_could_not_be_read_is_not_good(void **state)
{
	struct there h;

	setup(&h);
	assert_non_null(upgrade_misses(h.arena, &h.m, NULL, h.plan, &h.trial));
	assert_non_null(upgrade_misses(h.arena, &h.m, h.facts, NULL, &h.trial));
	assert_non_null(upgrade_misses(h.arena, NULL, h.facts, h.plan, &h.trial));
	facts_free(h.facts);
	h.facts = facts_new();
	facts_add_unknown(h.facts, &reader_xen, "it hangs");
	assert_string_equal(misses(&h), "Xen could not be read: it hangs");
	teardown(&h);
}

static void before_an_upgrade_is_noted_what_there_is(void **state)
{
	struct trial t = {0};
	struct there h;

	setup(&h);
	h.domains[1].state = XEN_SHUTDOWN;
	plan_add(h.plan, ACTION_START, &kind_domain, "db", "u-db");
	upgrade_note(h.arena, h.facts, h.plan, &t);
	assert_int_equal(t.guests.n, 1);
	assert_string_equal(t.guests.items[0], "web");
	assert_int_equal(t.pending.n, 1);
	assert_string_equal(t.pending.items[0], "domain/db:start");
	teardown(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_later_commit_is_newer),
		cmocka_unit_test(what_has_no_numbers_is_neither_older_nor_newer),
		cmocka_unit_test(nothing_is_kept_unless_something_was_begun),
		cmocka_unit_test(what_was_begun_comes_back_as_it_was),
		cmocka_unit_test(what_is_damaged_counts_as_lost),
		cmocka_unit_test(a_failure_is_remembered_and_forgiven),
		cmocka_unit_test(of_failures_the_latest_are_remembered),
		cmocka_unit_test(a_boot_says_how_the_upgrade_went),
		cmocka_unit_test(settings_are_tried_by_the_slot_that_ran),
		cmocka_unit_test(settings_that_failed_say_nothing_of_the_version),
		cmocka_unit_test(newer_ones_are_taken_unasked),
		cmocka_unit_test(all_back_is_good),
		cmocka_unit_test(a_guest_that_is_not_back_is_missed),
		cmocka_unit_test(who_is_kept_off_on_purpose_is_not_missed),
		cmocka_unit_test(what_is_still_to_be_done_is_waited_for),
		cmocka_unit_test(what_nobody_allowed_is_no_fault_of_the_version),
		cmocka_unit_test(what_could_not_be_read_is_not_good),
		cmocka_unit_test(before_an_upgrade_is_noted_what_there_is),
	};
	char *folder = strdup(file);
	int r;

	*strstr(folder, "/intent") = '\0';
	if (!mkdtemp(folder))
		return 1;
	memcpy(file, folder, strlen(folder));
	setenv("MANOR_UPGRADE_FILE", file, 1);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	free(folder);
	return r;
}
