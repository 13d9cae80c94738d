/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The appliance's two system slots.
 */
#include "host/slots.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/file.h"
#include "host/slot.h"

#define PREFIX   "manor-" /* of the names of partitions: manor-a, manor-b */
#define TEXT_MAX 4096

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* Tests have disks of their own, which no kernel knows. */
static const char *devices(void)
{
	const char *folder = secure_getenv("MANOR_SYS_BLOCK");

	return folder ? folder : "/sys/dev/block";
}

/* The first line of a small file, arena memory; NULL where there is none. */
static const char *line_of(struct arena *a, const char *path)
{
	_cleanup_(freep) char *text = NULL;

	if (file_read_plain(path, TEXT_MAX, &text, NULL, NULL) < 0 || !text[0])
		return NULL;
	return arena_strndup(a, text, strcspn(text, "\n"));
}

/* What a uevent file says of KEY; NULL: nothing. */
static const char *said(struct arena *a, const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n')
		if (strncmp(at, key, n) == 0 && at[n] == '=')
			return arena_strndup(a, at + n + 1, strcspn(at + n + 1, "\n"));
	return NULL;
}

/* A slot's partition: its name as the boot menu has it, "A" or "B"; NULL: it is none. */
static const char *slot_of(struct arena *a, const char *folder, const char **ret_device)
{
	_cleanup_(freep) char *path = xasprintf("%s/uevent", folder), *text = NULL;
	const char *label, *device;

	if (file_read(path, TEXT_MAX, &text, NULL, NULL) < 0)
		return NULL;
	label = said(a, text, "PARTNAME");
	device = said(a, text, "DEVNAME");
	if (!label || !device || (!streq(label, PREFIX "a") && !streq(label, PREFIX "b")))
		return NULL;
	*ret_device = arena_printf(a, "/dev/%s", device);
	return streq(label, PREFIX "a") ? "A" : "B";
}

/* The other one of the same disk. */
static int find_other(struct arena *a, const char *disk, struct slots *s, struct err *e)
{
	_cleanup_(closedirp) DIR *d = opendir(disk);
	struct dirent *de;

	if (!d)
		return err_errno(e, -errno, "open %s", disk);
	while ((de = readdir(d))) {
		_cleanup_(freep) char *folder = xasprintf("%s/%s", disk, de->d_name);
		const char *device, *name;

		if (de->d_name[0] == '.')
			continue;
		name = slot_of(a, folder, &device);
		if (!name || streq(name, s->booted))
			continue;
		if (s->other)
			return err_set(e, -EEXIST,
				       "its disk has two partitions for slot %s: %s and %s", name,
				       s->device_other, device);
		s->other = name;
		s->device_other = device;
	}
	if (!s->other)
		return err_set(e, -ENOENT, "the disk of %s has no other slot beside it",
			       s->device_booted);
	return 0;
}

/* Between the quotes of slot.cfg's line of Xen's arguments. */
static const char *own_arguments(struct arena *a)
{
	static const char line[] = "set slot_xen=\"";
	_cleanup_(freep) char *text = NULL;
	const char *at;

	if (file_read_plain(SLOTS_BOOTED "/slot.cfg", TEXT_MAX, &text, NULL, NULL) < 0)
		return NULL;
	at = strstr(text, line);
	return at ? arena_strndup(a, at + strlen(line), strcspn(at + strlen(line), "\"\n")) : NULL;
}

int slots_read(struct arena *a, struct slots *ret, struct err *e)
{
	_cleanup_(freep) char *folder = NULL, *disk = NULL;
	struct stat slot, run, var;
	int r;

	*ret = (struct slots){
		.version = line_of(a, SLOTS_VERSION),
		.boot_id = line_of(a, "/proc/sys/kernel/random/boot_id"),
	};
	if (stat(SLOTS_BOOTED, &slot) < 0 || stat("/run", &run) < 0 || slot.st_dev == run.st_dev)
		return 0;
	folder = xasprintf("%s/%u:%u", devices(), major(slot.st_dev), minor(slot.st_dev));
	disk = xasprintf("%s/..", folder);
	ret->booted = slot_of(a, folder, &ret->device_booted);
	if (!ret->booted)
		return err_set(e, -ENOENT,
			       "what is mounted at %s is no partition named manor-a or manor-b",
			       SLOTS_BOOTED);
	r = find_other(a, disk, ret, e);
	if (r < 0)
		return r;
	ret->installed = true;
	ret->build = line_of(a, SLOTS_BOOTED "/id");
	ret->xen = own_arguments(a);
	/* As whoever wrote the slot called it; the root says the same. */
	if (line_of(a, SLOTS_BOOTED "/version"))
		ret->version = line_of(a, SLOTS_BOOTED "/version");
	ret->kept = stat("/var", &var) == 0 && major(var.st_dev) != 0;
	ret->settings_tried = slot_settings_tried();
	return 0;
}

int slots_ask_menu(struct arena *a, struct slots *s, struct err *e)
{
	_cleanup_esp_ struct slot_esp esp = {.dir = -1, .lock = -1};
	struct grubenv *env;
	int r = slot_esp_read(&esp, a, &env, e);

	if (r < 0)
		return r;
	s->on_trial = slot_on_trial(env, s->booted);
	s->passed_by = slot_given_up(env, s->other);
	return 0;
}
