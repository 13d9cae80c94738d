/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor install: the appliance, from the system that runs in memory to a disk. The same writes manor.img (--image) and
 * completes the disk that one was written to (--grow).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/num.h"
#include "cli/destroy.h"
#include "cli/session.h"
#include "engine/store.h"
#include "host/install.h"
#include "host/program.h"
#include "host/slot.h"
#include "host/systemctl.h"
#include "kinds/kinds.h"
#include "kinds/target.h"
#include "kinds/upgrade.h"

/* What the appliance's initrd leaves: the files of the slot, in memory. */
#define SOURCE    "/run/source"
#define BOOT      MANOR_LIB "/boot"
#define WORK      "/run/manor/install"
#define WAIT_S    60      /* for a disk that the manifest names: controllers take their time */
#define SLOT_ROOT "/root" /* of a slot's files the one that is always there */

static int failed(struct err *e)
{
	fprintf(stderr, "manor install: %s\n", e->message);
	if (e->help)
		fprintf(stderr, "  help: %s\n", e->help);
	return EXIT_FAILED;
}

static void on_progress(void *data, const char *what)
{
	printf("writing: %s\n", what);
	fflush(stdout);
}

/* --- manor.img, and its first boot --- */

static int make_image(const struct options *o)
{
	_cleanup_err_ struct err e = {0};
	_cleanup_(freep) char *slot = o->from ? xasprintf("%s/slot.img", o->from) : NULL;
	struct install i = {
		.path = o->image,
		.file = true,
		.boot = o->from,
		.slot = slot,
	};

	if (!o->from) {
		fprintf(stderr,
			"manor install: --image takes --from, the folder with slot.img and the "
			"boot loaders; see `manor help install`\n");
		return EXIT_BAD;
	}
	layout_image(&i.layout);
	gpt_ids_fixed(&i.ids);
	return install_run(&i, &e) < 0 ? failed(&e) : EXIT_FINE;
}

static int grow(const struct options *o)
{
	_cleanup_err_ struct err e = {0};

	return install_grow(o->grow, o->state_size, &e) < 0 ? failed(&e) : EXIT_FINE;
}

/* --- a disk --- */

struct installing {
	const struct options *o;
	const struct manifest *manifest;     /* that says so; NULL: a person does */
	const struct install_wanted *wanted; /* of the manifest's; NULL: a person asks */
	char mark[UUID_TEXT];                /* of what that installs: the disk's id */
	struct facts *facts;
	struct storage_device device;
	struct target target;
	struct install to;
	struct arena *arena;
};

static void print_disk(const struct installing *i)
{
	const struct blk_disk *b = i->target.disk;
	char size[NUM_TEXT], start[NUM_TEXT];

	printf("%s: %s%s%s, %s%s\n", b->path, num_size(size, b->size), b->model ? ", " : "",
	       b->model ? b->model : "", b->serial ? "serial " : "no serial",
	       b->serial ? b->serial : "");
	for (size_t k = 0; k < i->target.on_it.n; k++)
		printf("%s%s\n", k ? "  " : "ALL OF THIS WILL BE LOST:\n  ",
		       (const char *)i->target.on_it.items[k]);
	printf("It becomes:\n");
	for (size_t k = 0; k < i->to.layout.n; k++) {
		const struct layout_part *p = &i->to.layout.parts[k];

		printf("  %zu  %-13s  at %-8s  %-8s  %s\n", k + 1, p->label,
		       num_size(start, p->start), num_size(size, p->size), p->what);
	}
	if (access(STORE_WATCHED, F_OK) == 0 || access(STORE_MANIFEST, F_OK) == 0)
		printf("The manifest that this system goes by goes along.\n");
	else
		printf("There is no manifest here: the installed system will look for one.\n");
	if (i->to.settings && *i->to.settings)
		printf("Xen starts with '%s', as that says.\n", i->to.settings);
}

static void show_nothing(const void *data)
{
}

/* Which disk, whether it may be taken, and what becomes of it; all of that before anything is written. */
static int look(struct installing *i)
{
	static const struct reader *const disks[] = {&reader_disks, &reader_lvm, NULL};
	_cleanup_err_ struct err e = {0};
	_cleanup_(freep) char *device = NULL;
	const struct options *o = i->o;
	uint64_t size;
	int r = destroy_read(&i->facts, disks, "install");

	if (r != EXIT_FINE)
		return r;
	target_find(i->facts->arena, i->facts, &i->device, i->wanted ? i->wanted->erase : o->erase,
		    install_half_made, &i->target);
	if (i->target.why) {
		err_set(&e, -EBUSY, "%s", i->target.why);
		if (i->target.help)
			err_help(&e, "%s", i->target.help);
		return failed(&e);
	}
	i->to.path = i->target.disk->path;
	device = xasprintf("/sys/class/block/%s", i->target.disk->name);
	r = install_driven(device, INSTALL_DRIVERS, &e);
	if (r == 0)
		r = install_look(i->to.path, &size, &e);
	if (r == 0)
		r = layout_make(size, i->wanted ? i->wanted->state : o->state_size, &i->to.layout,
				&e);
	return r < 0 ? failed(&e) : EXIT_FINE;
}

static int run(struct err *e, const char *a, const char *b, const char *c, const char *d)
{
	const char *argv[] = {a, b, c, d, NULL};

	return program_run((char *const *)argv, e);
}

/* What the installed system's /var begins with: the manifest with all that stands beside it, and what was applied last. */
static int gather_state(struct err *e)
{
	static const char to[] = WORK "/var/lib/manor";
	int r = run(e, "rm", "-rf", "--", WORK);

	if (r == 0)
		r = file_mkdirs(WORK "/var/lib", 0755, e);
	if (r == 0)
		r = file_mkdirs(to, 0700, e);
	if (r == 0 && access(STORE_DIR "/etc", F_OK) == 0)
		r = run(e, "cp", "-a", STORE_DIR "/etc", to);
	if (r == 0 && access(STORE_MANIFEST, F_OK) == 0)
		r = run(e, "cp", "-a", STORE_MANIFEST, to);
	return r;
}

static int install(struct installing *i)
{
	_cleanup_err_ struct err e = {0};
	_cleanup_(closep) int lock = destroy_lock("install");
	int r;

	if (lock < 0)
		return EXIT_FAILED;
	/* Meanwhile somebody may have taken it. */
	r = look(i);
	if (r != EXIT_FINE)
		return r;
	gpt_ids_random(&i->to.ids);
	if (i->wanted)
		memcpy(i->to.ids.disk, i->mark, sizeof(i->mark));
	r = gather_state(&e);
	if (r == 0)
		r = install_run(&i->to, &e);
	run(NULL, "rm", "-rf", "--", WORK);
	if (r < 0) {
		err_help(&e, "nothing starts from that disk as it is now; run it again");
		return failed(&e);
	}
	printf("Installed on %s. Remove the medium, and start again.\n", i->to.path);
	return EXIT_FINE;
}

/* A file that didn't come over the network would be missed by the disk's menu, when nobody can fetch it any more. */
static int is_whole(const char *slot, struct err *e)
{
	static const char *const names[] = {"xen", "vmlinuz", "initrd", "root", "id", "slot.cfg"};

	_cleanup_(freep) char *image = xasprintf("%s/slot.img", slot);

	if (access(image, F_OK) == 0)
		return 0;
	for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
		_cleanup_(freep) char *path = xasprintf("%s/%s", slot, names[n]);
		struct stat st;

		if (stat(path, &st) == 0 && st.st_size > 0)
			continue;
		err_help(
			e,
			"start the machine once more; from the network, all of netboot/ must be served");
		return err_set(e, -ENOENT, "%s is missing: the disk would not start", path);
	}
	return 0;
}

/* What the manifest that goes along says of dom0 and Xen: it holds from the first boot on, when there is nothing to lose yet. */
static const char *settings_of(struct installing *i)
{
	_cleanup_manifest_ struct manifest *m = NULL;

	if (!i->manifest && access(STORE_MANIFEST, F_OK) == 0)
		m = session_in_force();
	if (!i->manifest && !m)
		return NULL;
	return host_settings(i->arena, i->manifest ? i->manifest : m);
}

static int install_disk(struct installing *i)
{
	const struct options *o = i->o;
	_cleanup_err_ struct err e = {0};
	_cleanup_(freep) char *question = NULL;
	int r;

	i->to.boot = o->from ? o->from : BOOT;
	i->to.slot = o->from ? o->from : access(SLOT_DIR SLOT_ROOT, F_OK) == 0 ? SLOT_DIR : SOURCE;
	i->to.state = WORK "/var";
	i->to.progress = on_progress;
	i->to.settings = settings_of(i);
	if (access(i->to.slot, F_OK) < 0 || access(i->to.boot, F_OK) < 0) {
		err_set(&e, -ENOENT, "this system isn't the appliance: it has no files to install");
		err_help(&e, "start the machine from manor.iso, or by network from netboot/");
		return failed(&e);
	}
	if (is_whole(i->to.slot, &e) < 0)
		return failed(&e);
	r = look(i);
	if (r != EXIT_FINE)
		return r;
	print_disk(i);
	fflush(stdout);
	if (o->dry_run)
		return EXIT_FINE;
	if (i->wanted)
		return install(i);
	question = xasprintf("Install to %s%s", i->to.path,
			     i->target.on_it.n ? ", and lose what is on it" : "");
	r = destroy_confirm(o, "install", "write to a whole disk", question, show_nothing, NULL);
	return r ? r : install(i);
}

/* --- as the manifest says --- */

/* For the page on the console. */
static void note(const char *text)
{
	file_mkdirs("/run/manor", 0755, NULL);
	file_write(INSTALL_NOTE, text, strlen(text), 0644, NULL);
}

/* Whether a table's header is there, where there is no table: damaged, and not by an installation that was cut off. */
static bool table_left(const struct blk_disk *b)
{
	_cleanup_(closep) int fd = open(b->path, O_RDONLY | O_CLOEXEC);
	const off_t at[] = {512, (off_t)b->size - 512};
	char head[8];

	for (size_t n = 0; fd >= 0 && n < ARRAY_SIZE(at); n++)
		if (pread(fd, head, sizeof(head), at[n]) == (ssize_t)sizeof(head) &&
		    memcmp(head, "EFI PART", sizeof(head)) == 0)
			return !install_half_made(b->path);
	return fd < 0;
}

/* Whether a disk bears what this manifest installs, or *ret_other: the one that is meant bears another installation, whose
 * guests' data nobody is asked about. */
static const char *installed(const struct installing *i, const struct blk_disk *meant,
			     bool *ret_other)
{
	const struct blk_facts *k = facts_get(i->facts, "disks");

	for (size_t n = 0; k && n < k->disks.n; n++) {
		const struct blk_disk *b = k->disks.items[n];
		char id[UUID_TEXT];
		size_t parts;

		int r;

		if (b->parent)
			continue;
		r = gpt_read(b->path, &parts, id, NULL);
		if (r == 1 && streq(id, i->mark))
			return b->path;
		/* What can't be read isn't known to be nobody's, nor is a table whose first sector is gone: that may be why
		 * the machine didn't start from it. */
		*ret_other |= b == meant && (r != 0 || table_left(b));
	}
	return NULL;
}

/* The disks as they are once the one that is meant is there, or hasn't come for long enough. */
static int await_disk(struct installing *i)
{
	static const struct reader *const disks[] = {&reader_disks, NULL};
	const char *why, *help;

	for (int n = 0;; n++) {
		int r = destroy_read(&i->facts, disks, "install");

		if (r != EXIT_FINE)
			return r;
		i->target.disk = device_pick(i->facts->arena, i->facts, &i->device, &why, &help);
		if (i->target.disk || n >= WAIT_S)
			return EXIT_FINE;
		sleep(1);
	}
}

static int end(int then)
{
	_cleanup_err_ struct err e = {0};
	const char *target = then == INSTALL_REBOOT ? "reboot.target" : "poweroff.target";

	if (then == INSTALL_STAY)
		return EXIT_FINE;
	return systemctl_end(target, &e) < 0 ? failed(&e) : EXIT_FINE;
}

static int install_wanted(struct installing *i)
{
	_cleanup_(freep) char *text = NULL;
	bool other = false;
	const char *at;
	int r = await_disk(i);

	if (r != EXIT_FINE)
		return r;
	at = installed(i, i->target.disk, &other);
	if (at) {
		text = xasprintf("installed on %s; this system runs in memory\n", at);
		printf("%s", text);
		note(text);
		return EXIT_FINE;
	}
	if (other) {
		fprintf(stderr,
			"manor install: %s bears an installation of another host or namespace, or a damaged one\n"
			"  help: by hand, `manor install --disk … --erase …` takes it\n",
			i->target.disk->path);
		r = EXIT_FAILED;
	} else {
		note("installing: don't switch it off\n");
		r = install_disk(i);
	}
	if (r != EXIT_FINE) {
		note("INSTALLING FAILED: the log says why\n");
		return r;
	}
	text = xasprintf("installed on %s; remove the medium and start again\n", i->to.path);
	note(text);
	return end(i->wanted->then);
}

static int unattended(struct installing *i)
{
	_cleanup_manifest_ struct manifest *m = NULL;

	if (access(SOURCE SLOT_ROOT, F_OK) < 0) {
		printf("This system doesn't run in memory: nothing is installed.\n");
		return EXIT_FINE;
	}
	m = manifest_open(i->o);
	if (!m)
		return EXIT_BAD;
	if (!m->install.rec.node)
		return EXIT_FINE;
	i->manifest = m;
	i->wanted = &m->install;
	i->device = target_of(&m->install.disk);
	ident_uuid(m->namespace, "install", m->host.name ? m->host.name : "host", i->mark);
	return install_wanted(i);
}

int verb_install(int argc, char **argv)
{
	static const char *const accepts[] = {
		"disk",  "erase", "state-size", "yes",  "dry-run",
		"image", "from",  "grow",       "file", "unattended",
		NULL,
	};
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_err_ struct err e = {0};
	struct options o;
	struct installing i = {.o = &o, .arena = a};
	int at, r = options_read(argc, argv, accepts, &o, &at);

	if (r)
		return r < 0 ? EXIT_FINE : r;
	if (!!o.disk + !!o.image + !!o.grow + o.unattended != 1) {
		fprintf(stderr,
			"manor install: say where to, with one --disk; see `manor help install`\n");
		return EXIT_BAD;
	}
	if (o.image)
		return make_image(&o);
	if (o.grow)
		return grow(&o);
	if (!o.unattended && target_parse(a, o.disk, &i.device, &e) < 0) {
		fprintf(stderr, "manor install: %s; `manor facts` lists them\n", e.message);
		return EXIT_BAD;
	}
	r = o.unattended ? unattended(&i) : install_disk(&i);
	facts_free(i.facts);
	return r;
}
