/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What is known of the appliance's versions.
 */
#include <time.h>

#include "base/num.h"
#include "cli/upgrade.h"
#include "kinds/upgrade.h"

static const char *ago(char buf[NUM_TEXT], int64_t then)
{
	return num_age(buf, (uint64_t)MAX_OF((int64_t)time(NULL) - then, (int64_t)0));
}

static void print_begun(FILE *out, const struct slots *s, const struct trial *t)
{
	char buf[NUM_TEXT];

	switch (upgrade_boot(s, t)) {
	case UPGRADE_ON_TRIAL:
		fprintf(out,
			"ON TRIAL: %s good once all is back that ran before, within %s of power-on; else ",
			t->settings ? "these settings are" : "this version is",
			num_age(buf, (uint64_t)t->within));
		if (t->settings)
			fprintf(out, "the host starts again with those before\n");
		else
			fprintf(out, "%s is started again\n", t->from ? t->from : "the old one");
		break;
	case UPGRADE_BEGUN:
		if (t->settings)
			fprintf(out, "settings: Xen starts with '%s' at the next boot\n",
				t->settings);
		else
			fprintf(out,
				t->written ? "upgrade: %s is in slot %s, for the next boot\n"
					   : "upgrade: %s is being written to slot %s\n",
				t->version, t->slot);
		break;
	default:
		break;
	}
}

void upgrade_print(FILE *out)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_err_ struct err e = {0};
	struct slots s;
	struct trial t;
	char buf[NUM_TEXT];

	if (slots_read(a, &s, &e) < 0) {
		fprintf(out, "appliance: its slots are not known: %s\n", e.message);
		return;
	}
	if (!s.version)
		return;
	trial_read(a, &t);
	if (!s.installed) {
		fprintf(out, "appliance %s, in memory: not installed on a disk\n", s.version);
		return;
	}
	fprintf(out, "appliance %s, in slot %s\n", s.version, s.booted);
	if (!s.kept)
		fprintf(out, "NO STATE PARTITION: what is written is lost with the power\n");
	print_begun(out, &s, &t);
	for (size_t i = 0; i < t.failed.n; i++) {
		const struct trial_failed *f = t.failed.items[i];

		fprintf(out, "FAILED: %s%s%s, %s ago: %s\n",
			f->settings ? "Xen with '" : "the upgrade to ",
			f->settings ? f->settings : f->version, f->settings ? "'" : "",
			ago(buf, f->when), f->why ? f->why : "it isn't known why");
	}
}

/* Where what was begun stands, a word. */
static const char *begun_word(const struct slots *s, const struct trial *t)
{
	return upgrade_boot(s, t) == UPGRADE_ON_TRIAL ? "on-trial"
	       : t->written                           ? "written"
						      : "writing";
}

json_object *upgrade_json(void)
{
	_cleanup_arena_ struct arena *a = arena_new();
	json_object *o, *begun, *failed;
	struct slots s;
	struct trial t;

	if (slots_read(a, &s, NULL) < 0 || !s.version)
		return NULL;
	trial_read(a, &t);
	o = json_object_new_object();
	json_put_text(o, "version", s.version);
	json_object_object_add(o, "installed", json_object_new_boolean(s.installed));
	if (!s.installed)
		return o;
	json_put_text(o, "build", s.build);
	json_put_text(o, "slot", s.booted);
	json_object_object_add(o, "kept", json_object_new_boolean(s.kept));
	if (t.slot) {
		begun = json_object_new_object();
		json_put_text(begun, "version", t.version);
		json_put_text(begun, "slot", t.slot);
		json_put_text(begun, "settings", t.settings);
		json_put_text(begun, "from", t.from);
		json_put_text(begun, "state", begun_word(&s, &t));
		json_object_object_add(begun, "since", json_object_new_int64(t.since));
		json_object_object_add(begun, "within", json_object_new_int64(t.within));
		json_object_object_add(o, "upgrade", begun);
	}
	failed = json_object_new_array();
	for (size_t i = 0; i < t.failed.n; i++) {
		const struct trial_failed *f = t.failed.items[i];
		json_object *one = json_object_new_object();

		json_put_text(one, "version", f->version);
		json_put_text(one, "settings", f->settings);
		json_put_text(one, "why", f->why);
		json_object_object_add(one, "when", json_object_new_int64(f->when));
		json_object_array_add(failed, one);
	}
	json_object_object_add(o, "failed", failed);
	return o;
}
