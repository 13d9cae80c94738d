/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What is done around a boot: whether it is the one of a new version, and what is told to the boot menu.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/upgrade.h"
#include "host/program.h"
#include "host/slot.h"
#include "host/systemctl.h"
#include "kinds/upgrade.h"

/* As RAUC does it, too: see manor-slot(1). */
static int menu(const char *verb, const char *slot, const char *state, struct err *e)
{
	const char *argv[] = {"/proc/self/exe", "slot", verb, slot, state, NULL};

	return program_run((char *const *)argv, e);
}

int upgrade_menu_settings(const char *settings, bool good, struct err *e)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_esp_ struct slot_esp esp = {.dir = -1, .lock = -1};
	struct grubenv *g;
	int r = slot_esp_read(&esp, a, &g, e);

	if (r < 0)
		return r;
	if (settings)
		slot_settings_try(g, settings);
	else
		slot_settings_end(g, good);
	return grubenv_write(esp.dir, SLOT_GRUBENV, g, e) ? 0 : -EIO;
}

/* The menu is to take the slot that runs, and the other one only when it is asked to. */
static int take_back(const struct slots *s, struct err *e)
{
	/* First the other is out, whatever is cut off then. */
	int r = menu("set-state", s->other, "bad", e);

	if (r == 0)
		r = menu("set-primary", s->booted, NULL, e);
	return r < 0 ? r : menu("set-state", s->booted, "good", e);
}

/* The menu's own note of a trial may be missing, or have been taken back: without this the host would start it for ever. */
static void give_up_slot(const struct slots *s)
{
	_cleanup_err_ struct err lost = {0};

	if (menu("set-state", s->booted, "bad", &lost) < 0)
		log_error("%s", lost.message);
}

/* The version that the menu was to start has lost its power thrice while it started, or doesn't come up any more: another one
 * runs, which nobody asked for. Noted first: cut off between the two, all of this is done once more. */
static int was_passed_by(struct arena *a, const struct slots *s, struct trial *t, struct err *e)
{
	int r;

	log_error("slot %s was to be started, and didn't come up: %s runs, from slot %s", s->other,
		  s->version, s->booted);
	t->version = bundle_written(a, s->other);
	trial_fail(a, t, "it was to be started, and didn't come up as often as it was tried",
		   time(NULL));
	r = trial_write(t, e);
	return r < 0 ? r : take_back(s, e);
}

static int settle(struct arena *a, const struct slots *s, struct trial *t, struct err *e)
{
	const char *why;
	int r;

	switch (upgrade_boot(s, t)) {
	case UPGRADE_NO_SLOT:
	case UPGRADE_BEGUN:
		return 0;
	case UPGRADE_UNKEPT:
		log_error(
			"%s, in slot %s, is on trial, and finds no state partition: the host starts "
			"again, with the other one",
			s->version, s->booted);
		if (s->on_trial)
			give_up_slot(s);
		return systemctl_end("reboot.target", e);
	case UPGRADE_ORDINARY:
		/* What was noted of settings that are tried is lost: what runs counts as good. */
		r = s->settings_tried ? upgrade_menu_settings(NULL, true, e) : 0;
		if (r == 0 && s->passed_by)
			return was_passed_by(a, s, t, e);
		return r < 0 ? r : menu("set-state", s->booted, "good", e);
	case UPGRADE_ON_TRIAL:
		log_info("%s%s, in slot %s, is on trial", t->version,
			 t->settings ? " with other settings" : "", s->booted);
		if (t->written)
			return 0;
		/* Cut off between the menu's word and ours: it is the next boot's, as is seen. */
		t->written = true;
		return trial_write(t, e);
	case UPGRADE_CUT_OFF:
		if (t->settings) {
			log_warn("other settings were not tried: cut off before");
			r = upgrade_menu_settings(NULL, false, e);
			trial_end(t);
			return r < 0 ? r : trial_write(t, e);
		}
		log_warn("the upgrade to %s was cut off while it was written: nothing was changed",
			 t->version);
		r = take_back(s, e);
		trial_end(t);
		return r < 0 ? r : trial_write(t, e);
	case UPGRADE_FELL_BACK:
		break;
	}
	why = t->gave_up    ? t->gave_up
	      : t->settings ? "the host didn't come up with them, or not in time"
			    : "it didn't come up, or not in time";
	if (t->settings) {
		log_error("settings '%s' failed, and those before are in force again: %s",
			  t->settings, why);
		r = upgrade_menu_settings(NULL, false, e);
		trial_fail(a, t, why, time(NULL));
		return r < 0 ? r : trial_write(t, e);
	}
	log_error("the upgrade to %s failed, and %s runs again: %s", t->version, s->version, why);
	/* First the menu: cut off between the two, all of this is done once more. */
	r = take_back(s, e);
	trial_fail(a, t, why, time(NULL));
	return r < 0 ? r : trial_write(t, e);
}

int upgrade_booted(void)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_err_ struct err e = {0};
	struct slots s;
	struct trial t;
	int r;

	log_init(getenv("MANOR_DEBUG") ? LOG_DEBUG_ : LOG_INFO_, getenv("JOURNAL_STREAM") != NULL);
	r = slots_read(a, &s, &e);
	trial_read(a, &t);
	if (r == 0 && s.installed)
		r = slots_ask_menu(a, &s, &e);
	if (r == 0)
		r = settle(a, &s, &t, &e);
	if (r < 0)
		log_error("%s", e.message ? e.message : "failed");
	return r < 0 ? EXIT_FAILED : EXIT_FINE;
}

static int read_trial(struct arena *a, struct slots *s, struct trial *t, struct err *e)
{
	int r = slots_read(a, s, e);

	if (r < 0)
		return r;
	trial_read(a, t);
	return upgrade_boot(s, t) == UPGRADE_ON_TRIAL
		       ? 0
		       : err_set(e, -ENOENT, "this version isn't on trial");
}

int upgrade_is_good(struct err *e)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct slots s;
	struct trial t;
	int r = read_trial(a, &s, &t, e);

	if (r == 0 && t.settings)
		r = upgrade_menu_settings(NULL, true, e);
	if (r == 0)
		r = menu("set-state", s.booted, "good", e);
	if (r < 0)
		return r;
	if (t.settings)
		trial_forgive_settings(a, &t, t.settings);
	else
		trial_forgive(a, &t, t.version, t.build);
	trial_end(&t);
	r = trial_write(&t, e);
	if (r == 0)
		return 0;
	/* The menu has its word: it is good, and a /var that is full must not call it back. What failed before is forgotten. */
	t.failed = (struct list){0};
	return trial_write(&t, e);
}

int upgrade_gives_up(const char *why, struct err *e)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_err_ struct err lost = {0};
	struct slots s;
	struct trial t;
	int r = read_trial(a, &s, &t, e);

	if (r < 0)
		return r;
	t.gave_up = why ? why : "it isn't known why";
	/* A full /var is no reason to stay. */
	if (trial_write(&t, &lost) < 0)
		log_error("%s", lost.message);
	/* Settings are tried once, which the menu has noted already. */
	if (!t.settings)
		give_up_slot(&s);
	return systemctl_end("reboot.target", e);
}
