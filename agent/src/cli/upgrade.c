/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor upgrade: another version of the appliance into the slot that doesn't run, and a boot of that, on trial.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <time.h>

#include "base/file.h"
#include "base/newfile.h"
#include "base/num.h"
#include "cli/destroy.h"
#include "cli/interrupt.h"
#include "cli/loop.h"
#include "cli/session.h"
#include "cli/upgrade.h"
#include "engine/planner.h"
#include "host/fetch.h"
#include "host/slot.h"
#include "host/systemctl.h"
#include "kinds/domain.h"
#include "kinds/kinds.h"
#include "kinds/upgrade.h"

#define FETCHED  BUNDLE_DIR "/manor.raucb"
#define LOCK_DIR "/run/manor"
#define LOCK     LOCK_DIR "/upgrade.lock"
#define SPARE    (UINT64_C(64) << 20) /* /var is to have so much left */
#define HOURS    3600u

struct upgrade {
	struct options o;
	struct arena *arena;
	struct slots slots;
	struct trial trial;
	struct bundle bundle;
	struct manifest *manifest; /* in force; NULL: none is */
	struct facts *facts;
	const char *path;          /* of the bundle, here */
	bool fetched;
	int lock;
	unsigned percent;          /* shown last */
};

static void show_percent(struct upgrade *u, const char *what, unsigned percent)
{
	if (u->o.json || !isatty(STDERR_FILENO) || percent == u->percent)
		return;
	u->percent = percent;
	fprintf(stderr, "\r%s: %u %%%s", what, percent, percent >= 100 ? "\n" : " ");
}

/* One at a time: RAUC has one service, and there is one slot to write to. */
static int lock(struct upgrade *u, struct err *e)
{
	int r = file_mkdirs(LOCK_DIR, 0755, e);

	if (r < 0)
		return r;
	u->lock = open(LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (u->lock < 0)
		return err_errno(e, -errno, "open %s", LOCK);
	if (flock(u->lock, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, -EBUSY, "another `manor upgrade` is at it");
	return 0;
}

static int may_upgrade(struct upgrade *u, struct err *e)
{
	int r = slots_read(u->arena, &u->slots, e);

	if (r < 0)
		return r;
	if (!u->slots.installed) {
		err_help(e, u->slots.version
				    ? "start it from the new manor.iso or netboot/; or install it "
				      "to a disk, which is what can be upgraded"
				    : "`apt`, or `make install`, bring Manor's programs up to date "
				      "there");
		return err_set(e, -EOPNOTSUPP, "this host %s: there is no slot to upgrade",
			       u->slots.version ? "runs in memory" : "isn't Manor's appliance");
	}
	if (!u->slots.kept)
		return err_set(e, -EROFS,
			       "there is no state partition, so nothing could tell how it ended");
	trial_read(u->arena, &u->trial);
	if (upgrade_boot(&u->slots, &u->trial) == UPGRADE_ON_TRIAL) {
		err_help(e, "wait until it is good, or the old one is back: `manor upgrade` tells");
		return err_set(e, -EBUSY, "the version that runs is on trial itself");
	}
	return 0;
}

/* Until now nobody knew how much was to come. */
static int room_for(uint64_t more, struct err *e)
{
	char need[NUM_TEXT], have[NUM_TEXT];
	struct statvfs v;
	uint64_t there;

	if (statvfs(BUNDLE_DIR, &v) < 0)
		return err_errno(e, -errno, "look at %s", BUNDLE_DIR);
	there = (uint64_t)v.f_bavail * v.f_frsize;
	if (there >= more + SPARE)
		return 0;
	err_help(e, "`manor image gc` and `manor trash empty` make some");
	return err_set(e, -ENOSPC, "no room: it takes %s, and /var has %s",
		       num_size(need, more + SPARE), num_size(have, there));
}

static int fetch_all(struct upgrade *u, struct fetch *f, int fd, struct err *e)
{
	static char buf[256 << 10];
	bool known = false;

	for (;;) {
		uint64_t hole;
		size_t n;
		int r;

		if (interrupted())
			return err_set(e, -EINTR, "interrupted: nothing was changed");
		r = fetch_read(f, buf, sizeof(buf), &n, &hole, e);
		if (r < 0)
			return r;
		if (hole) {
			if (lseek(fd, (off_t)hole, SEEK_CUR) < 0 ||
			    ftruncate(fd, lseek(fd, 0, SEEK_CUR)) < 0)
				return err_errno(e, -errno, "write %s", FETCHED);
		}
		if (!n && !hole)
			return 0;
		if (!known) {
			if (startswith(fetch_type(f), "text/html")) {
				err_help(e, "look at it with a browser: it may say why, or ask who "
					    "you are");
				return err_set(e, -EMEDIUMTYPE,
					       "the server answers with a web page, not an upgrade "
					       "bundle");
			}
			r = room_for(fetch_total(f), e);
			if (r < 0)
				return r;
			known = true;
		}
		r = file_write_all(fd, buf, n);
		if (r < 0)
			return err_errno(e, r, "write %s", FETCHED);
		if (fetch_total(f))
			show_percent(u, "fetching",
				     (unsigned)(fetch_done(f) * 100 / fetch_total(f)));
	}
}

static int fetch(struct upgrade *u, const char *url, struct err *e)
{
	struct fetch_request q = {.url = url, .max = BUNDLE_MAX, .time_limit_s = 12 * HOURS};
	_cleanup_newfile_ struct newfile *file = NULL;
	_cleanup_fetch_ struct fetch *f = NULL;
	int r = file_mkdirs(BUNDLE_DIR, 0700, e);

	if (r < 0)
		return r;
	/* One that was left by a power cut takes the room that this one needs. */
	r = access(FETCHED, F_OK) == 0 ? file_remove(FETCHED, e) : 0;
	if (r == 0)
		r = fetch_open(&q, &f, e);
	if (r == 0)
		r = newfile_open(FETCHED, 0600, true, &file, e);
	if (r == 0)
		r = fetch_all(u, f, newfile_fd(file), e);
	if (r == 0)
		r = newfile_place(file, e);
	if (r == 0) {
		u->path = FETCHED;
		u->fetched = true;
	}
	return r;
}

static int get(struct upgrade *u, const char *name, struct err *e)
{
	int r = 0;

	u->path = name;
	if (strstr(name, "://"))
		r = fetch(u, name, e);
	return r < 0 ? r : bundle_look(u->path, e);
}

/* Before anything is written: whether the image has a place. */
static int fits(const struct upgrade *u, struct err *e)
{
	_cleanup_(closep) int fd = open(u->slots.device_other, O_RDONLY | O_CLOEXEC);
	char need[NUM_TEXT], have[NUM_TEXT];
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	if (size < 0)
		return err_errno(e, -errno, "look at %s", u->slots.device_other);
	if ((uint64_t)size >= u->bundle.size)
		return 0;
	return err_set(e, -ENOSPC, "its image has %s, and slot %s (%s) %s",
		       num_size(need, u->bundle.size), u->slots.other, u->slots.device_other,
		       num_size(have, (uint64_t)size));
}

/* What there is now, to be compared with what there is then. */
static int note(struct upgrade *u, struct err *e)
{
	_cleanup_plan_ struct plan *p = NULL;

	u->manifest = session_in_force();
	if (!u->manifest)
		return 0;
	u->facts = facts_now(u->manifest);
	if (!u->facts)
		return err_set(e, -EIO, "this host could not be read");
	p = plan_make(u->manifest, u->facts, &(struct plan_options){.allowed = IMPACT_LIVE});
	upgrade_note(u->arena, u->facts, p, &u->trial);
	return 0;
}

static const char *its_end(const struct upgrade *u, const char *guest)
{
	const struct resource *r = u->manifest ? manifest_find(u->manifest, "domain", guest) : NULL;
	const struct domain *d = r ? r->record : NULL;

	return d && d->on_host_shutdown == SHUTDOWN_SAVES ? "saved, and goes on where it was"
							  : "shut down, and starts anew";
}

static void say_boot(const struct upgrade *u)
{
	if (u->o.no_reboot)
		fprintf(stderr, "The host isn't started again now: this is its next boot's.\n");
	else
		fprintf(stderr, "THE HOST STARTS AGAIN%s\n",
			u->trial.guests.n ? ", its guests end:" : ".");
	for (size_t i = 0; !u->o.no_reboot && i < u->trial.guests.n; i++)
		fprintf(stderr, "  domain/%s  %s\n", (char *)u->trial.guests.items[i],
			its_end(u, u->trial.guests.items[i]));
}

static void say_trial(const struct upgrade *u, const char *what, const char *before)
{
	char buf[NUM_TEXT];

	fprintf(stderr,
		"%s good once all is back that there is now, within %s of power-on; else the\n"
		"host starts again with %s.\n",
		what, num_age(buf, (uint64_t)u->trial.within), before);
}

static void say_what(const void *data)
{
	const struct upgrade *u = data;

	fprintf(stderr, "%s, which runs in slot %s, stays there; %s goes to slot %s.\n",
		u->slots.version, u->slots.booted, u->bundle.version, u->slots.other);
	say_boot(u);
	say_trial(u, "The new version is", "the old one");
}

static void on_progress(void *data, unsigned percent, const char *text)
{
	show_percent(data, "writing", percent);
}

/* Of any trial, from now on. */
static void begin(struct upgrade *u)
{
	u->trial.boot_id = u->slots.boot_id;
	u->trial.since = time(NULL);
	u->trial.written = false;
	u->trial.gave_up = NULL;
}

/* What is begun is noted before the first byte, so that a boot in between knows what it sees. */
static int carry_out(struct upgrade *u, struct err *e)
{
	struct trial before = u->trial;
	int r;

	trial_forgive(u->arena, &u->trial, u->bundle.version, u->bundle.build);
	u->trial.slot = u->slots.other;
	u->trial.version = u->bundle.version;
	u->trial.build = u->bundle.build;
	u->trial.settings = NULL;
	u->trial.from = u->slots.version;
	begin(u);
	r = trial_write(&u->trial, e);
	if (r < 0)
		return r;
	r = bundle_install(&u->slots, u->path, on_progress, u, e);
	if (r < 0) {
		/* RAUC has told the menu first: whatever was in that slot, it isn't taken. */
		trial_end(&before);
		if (trial_write(&before, NULL) < 0)
			err_wrap(e, "what was begun stays noted");
		return r;
	}
	u->trial.written = true;
	return trial_write(&u->trial, e);
}

static void say_done(const struct upgrade *u)
{
	json_object *o;

	if (!u->o.json) {
		printf("%s is in slot %s%s.\n", u->bundle.version, u->slots.other,
		       u->o.no_reboot ? ", and the next boot's" : "; the host starts again");
		return;
	}
	o = json_object_new_object();
	json_put_text(o, "version", u->bundle.version);
	json_put_text(o, "from", u->slots.version);
	json_put_text(o, "slot", u->slots.other);
	json_object_object_add(o, "reboots", json_object_new_boolean(!u->o.no_reboot));
	print_json(o);
}

/* As it was asked for, else as the manifest in force says. */
static int64_t within(const struct upgrade *u)
{
	uint64_t said = u->manifest ? u->manifest->host.upgrade.within : 0;

	_Static_assert(UPGRADE_WITHIN_MIN == TRIAL_WITHIN_MIN &&
			       UPGRADE_WITHIN_MAX == TRIAL_WITHIN_MAX,
		       "a manifest may say what is kept");
	if (u->o.within > 0)
		return u->o.within;
	return said ? (int64_t)said : TRIAL_WITHIN;
}

static int upgrade(struct upgrade *u, const char *name, int *ret_code, struct err *e)
{
	struct upgrade_ask ask = {.downgrade = u->o.downgrade, .retry = u->o.retry};
	int r = may_upgrade(u, e);

	if (r == 0)
		r = lock(u, e);
	if (r == 0)
		r = get(u, name, e);
	if (r == 0)
		r = bundle_read(u->arena, &u->slots, u->path, &u->bundle, e);
	if (r == 0)
		r = upgrade_refuse(&u->slots, &u->trial, &u->bundle, &ask, e);
	if (r == 0)
		r = fits(u, e);
	if (r == 0)
		r = note(u, e);
	if (r < 0)
		return r;
	u->trial.within = within(u);
	*ret_code = destroy_confirm(&u->o, "upgrade", "start this host again with another version",
				    "Upgrade", say_what, u);
	if (*ret_code != EXIT_FINE)
		return 0;
	r = carry_out(u, e);
	if (r < 0)
		return r;
	/* Who said stop meanwhile has it written, for the next boot, and keeps the guests as they run. */
	u->o.no_reboot |= interrupted();
	say_done(u);
	return u->o.no_reboot ? 0 : systemctl_end("reboot.target", e);
}

/* --- other settings for the version that runs --- */

static void say_settings(const void *data)
{
	const struct upgrade *u = data;

	if (*u->trial.settings)
		fprintf(stderr, "Xen starts with '%s' behind this version's own arguments.\n",
			u->trial.settings);
	else
		fprintf(stderr, "Xen starts with this version's own arguments alone.\n");
	say_boot(u);
	say_trial(u, "These settings are", "those before");
}

/* Xen's arguments that the menu has now. Arena memory. */
static int settings_now(struct upgrade *u, const char **ret, struct err *e)
{
	_cleanup_esp_ struct slot_esp esp = {.dir = -1, .lock = -1};
	struct grubenv *g;
	int r = slot_esp_read(&esp, u->arena, &g, e);

	if (r < 0)
		return r;
	*ret = arena_strdup(u->arena, slot_settings(g));
	return 0;
}

static int may_set(struct upgrade *u, const char *want, const char *now, struct err *e)
{
	const struct trial_failed *failed = trial_failed_settings(&u->trial, want);

	if (strlen(want) > SLOT_SETTINGS_MAX)
		return err_set(e, -E2BIG,
			       "'%s' is longer than the %d bytes that the boot menu keeps", want,
			       SLOT_SETTINGS_MAX);
	if (failed && !u->o.retry && !streq(want, now)) {
		err_help(e, "--retry tries them once more");
		return err_set(e, -EPERM, "'%s' was tried before and failed: %s", want,
			       failed->why ? failed->why : "it isn't known why");
	}
	if (u->trial.slot)
		return err_set(e, -EBUSY,
			       "an upgrade was begun: `manor upgrade` tells where it stands");
	return 0;
}

/* Noted before the menu has it, as an upgrade is. */
static int try_settings(struct upgrade *u, struct err *e)
{
	int r;

	trial_forgive_settings(u->arena, &u->trial, u->trial.settings);
	u->trial.slot = u->slots.booted;
	u->trial.version = u->trial.from = u->slots.version;
	u->trial.build = u->slots.build;
	begin(u);
	r = trial_write(&u->trial, e);
	if (r == 0)
		r = upgrade_menu_settings(u->trial.settings, false, e);
	if (r < 0) {
		trial_end(&u->trial);
		(void)trial_write(&u->trial, NULL);
		return r;
	}
	u->trial.written = true;
	return trial_write(&u->trial, e);
}

static void say_set(const struct upgrade *u, const char *settings, bool reboots)
{
	json_object *o;

	if (!u->o.json) {
		printf("Xen's arguments are the next boot's%s.\n",
		       reboots ? "; the host starts again" : "");
		return;
	}
	o = json_object_new_object();
	json_put_text(o, "version", u->slots.version);
	json_put_text(o, "settings", settings);
	json_object_object_add(o, "reboots", json_object_new_boolean(reboots));
	print_json(o);
}

static int settings(struct upgrade *u, int *ret_code, struct err *e)
{
	const char *now = "", *want;
	int r = may_upgrade(u, e);

	if (r == 0)
		r = lock(u, e);
	if (r == 0)
		r = settings_now(u, &now, e);
	if (r == 0)
		r = note(u, e);
	if (r == 0 && !u->manifest)
		r = err_set(e, -ENOENT, "no manifest is in force, which could say what dom0 gets");
	if (r < 0)
		return r;
	want = host_settings(u->arena, u->manifest);
	r = may_set(u, want, now, e);
	if (r < 0)
		return r;
	if (streq(want, now)) {
		if (u->o.json)
			say_set(u, want, false);
		else
			printf("The boot menu has '%s' already: there is nothing to do.\n", want);
		return 0;
	}
	u->trial.settings = want;
	u->trial.within = within(u);
	*ret_code = destroy_confirm(&u->o, "upgrade", "start this host again with other settings",
				    "Start again", say_settings, u);
	if (*ret_code != EXIT_FINE)
		return 0;
	r = try_settings(u, e);
	if (r < 0)
		return r;
	u->o.no_reboot |= interrupted();
	say_set(u, want, !u->o.no_reboot);
	return u->o.no_reboot ? 0 : systemctl_end("reboot.target", e);
}

static int show(const struct options *o)
{
	json_object *json;

	if (!o->json) {
		upgrade_print(stdout);
		return EXIT_FINE;
	}
	json = upgrade_json();
	print_json(json ? json : json_object_new_object());
	return EXIT_FINE;
}

int verb_upgrade(int argc, char **argv)
{
	static const char *const accepts[] = {"format",   "yes",       "downgrade",
					      "retry",    "no-reboot", "within",
					      "settings", "operands",  NULL};
	struct upgrade u = {.lock = -1};
	_cleanup_err_ struct err e = {0};
	int at, code, r = options_read(argc, argv, accepts, &u.o, &at);

	if (r)
		return r < 0 ? EXIT_FINE : r;
	if (u.o.settings && (at < argc || u.o.downgrade)) {
		fprintf(stderr,
			"manor upgrade: --settings are the manifest's, for the version that runs: no bundle goes "
			"with them, and no --downgrade\n");
		return EXIT_BAD;
	}
	if (at == argc && !u.o.settings)
		return show(&u.o);
	if (at + 1 < argc) {
		fprintf(stderr,
			"manor upgrade: takes one bundle, a file or a URL; see `manor help upgrade`\n");
		return EXIT_BAD;
	}
	interrupt_watch();
	u.arena = arena_new();
	code = EXIT_FINE;
	r = u.o.settings ? settings(&u, &code, &e) : upgrade(&u, argv[at], &code, &e);
	if (r < 0) {
		fprintf(stderr, "%smanor upgrade: %s: %s\n",
			u.percent && u.percent < 100 ? "\n" : "",
			u.o.settings ? "--settings" : argv[at], e.message ? e.message : "failed");
		if (e.help)
			fprintf(stderr, "  help: %s\n", e.help);
		code = r == -EINTR ? EXIT_INTERRUPTED : EXIT_FAILED;
	}
	if (u.fetched)
		(void)file_remove(FETCHED, NULL);
	facts_free(u.facts);
	manifest_free(u.manifest);
	closep(&u.lock);
	arena_free(u.arena);
	return code;
}
