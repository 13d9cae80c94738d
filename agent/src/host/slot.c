/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The two system slots, and what the boot menu goes by.
 */
#include "host/slot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/file.h"

#define ESP_DIR  "/run/manor/esp"
#define ESP_LOCK "/run/manor/esp.lock"
#define TEXT_MAX 4096

const char *const slot_names[] = {"A", "B", NULL};

static const char *of(const struct grubenv *g, const char *name, const char *what, const char * or)
{
	char key[16];
	const char *value;

	snprintf(key, sizeof(key), "%s_%s", name, what);
	value = grubenv_get(g, key);
	return value ? value : or ;
}

bool slot_on_trial(const struct grubenv *g, const char *name)
{
	return streq(grubenv_get(g, "TRIAL"), name);
}

/* As the menu sees it. */
bool slot_good(const struct grubenv *g, const char *name)
{
	const char *tried = of(g, name, "TRY", "0");

	return !streq(of(g, name, "OK", "1"), "0") && !streq(tried, "3") &&
	       !(slot_on_trial(g, name) && streq(tried, "1"));
}

/* The order's words that name slots, those that it lacks behind them; each once. */
static void order_of(const struct grubenv *g, const char *ret[2])
{
	_cleanup_(freep) char *said =
		xstrdup(grubenv_get(g, "ORDER") ? grubenv_get(g, "ORDER") : "");
	char *save = NULL;
	int first = 0;

	for (char *w = strtok_r(said, " ", &save); w; w = strtok_r(NULL, " ", &save))
		if (word_find(slot_names, w) >= 0) {
			first = word_find(slot_names, w);
			break;
		}
	ret[0] = slot_names[first];
	ret[1] = slot_names[1 - first];
}

const char *slot_primary(const struct grubenv *g)
{
	const char *order[2];

	order_of(g, order);
	return slot_good(g, order[0]) || !slot_good(g, order[1]) ? order[0] : order[1];
}

bool slot_given_up(const struct grubenv *g, const char *name)
{
	const char *order[2];

	order_of(g, order);
	return streq(order[0], name) && !slot_good(g, name);
}

static void set(struct grubenv *g, const char *name, const char *what, const char *value)
{
	char key[16];

	snprintf(key, sizeof(key), "%s_%s", name, what);
	grubenv_set(g, key, value);
}

static void set_known(struct grubenv *g, const char *name, bool good)
{
	set(g, name, "OK", good ? "1" : "0");
	set(g, name, "TRY", "0");
}

void slot_set_good(struct grubenv *g, const char *name, bool good)
{
	set_known(g, name, good);
	if (slot_on_trial(g, name))
		grubenv_set(g, "TRIAL", "");
}

void slot_set_primary(struct grubenv *g, const char *name)
{
	grubenv_set(g, "ORDER", streq(name, slot_names[0]) ? "A B" : "B A");
	set_known(g, name, true);
	grubenv_set(g, "TRIAL", name);
}

const char *slot_settings(const struct grubenv *g)
{
	const char *said = grubenv_get(g, "XEN");

	return said ? said : "";
}

void slot_set_settings(struct grubenv *g, const char *settings)
{
	grubenv_set(g, "XEN", settings);
}

/* XEN_TRY: 0, they are to be tried; 1, the menu has tried them. */
void slot_settings_try(struct grubenv *g, const char *settings)
{
	grubenv_set(g, "XEN_TRIAL", settings);
	grubenv_set(g, "XEN_TRY", "0");
}

void slot_settings_end(struct grubenv *g, bool good)
{
	const char *tried = grubenv_get(g, "XEN_TRIAL");

	if (good && tried)
		grubenv_set(g, "XEN", tried);
	grubenv_set(g, "XEN_TRIAL", "");
	grubenv_set(g, "XEN_TRY", "");
}

/* What follows `word` among the kernel's arguments, the caller's; NULL: it isn't there. */
static char *argument(const char *word)
{
	_cleanup_(freep) char *text = NULL;
	char *save = NULL;

	if (file_read("/proc/cmdline", TEXT_MAX, &text, NULL, NULL) < 0)
		return NULL;
	for (char *w = strtok_r(text, " \n", &save); w; w = strtok_r(NULL, " \n", &save))
		if (startswith(w, word))
			return xstrdup(w + strlen(word));
	return NULL;
}

bool slot_settings_tried(void)
{
	_cleanup_(freep) char *said = argument("manor.settings=");

	return streq(said, "trial");
}

const char *slot_current(struct arena *a)
{
	_cleanup_(freep) char *said = argument("rauc.slot=");

	return said && word_find(slot_names, said) >= 0 ? arena_strdup(a, said) : NULL;
}

/* Whether sysfs calls that partition so. */
static bool has_label(const char *disk, const char *part, const char *label)
{
	_cleanup_(freep) char *path = xasprintf("%s/%s/uevent", disk, part), *text = NULL;
	_cleanup_(freep) char *line = xasprintf("PARTNAME=%s", label);
	char *save = NULL;

	if (file_read(path, TEXT_MAX, &text, NULL, NULL) < 0)
		return false;
	for (char *w = strtok_r(text, "\n", &save); w; w = strtok_r(NULL, "\n", &save))
		if (streq(w, line))
			return true;
	return false;
}

int slot_partition(const char *label, char **ret, struct err *e)
{
	_cleanup_(freep) char *link = NULL, *disk = NULL;
	struct dirent *entry;
	struct stat st;
	DIR *d;
	int r = -ENXIO;

	if (stat(SLOT_DIR, &st) < 0 || !major(st.st_dev))
		return err_set(e, -ENXIO,
			       "this system doesn't run from a disk that it is installed to");
	link = xasprintf("/sys/dev/block/%u:%u/..", major(st.st_dev), minor(st.st_dev));
	disk = realpath(link, NULL);
	d = disk ? opendir(disk) : NULL;
	while (d && (entry = readdir(d)))
		if (entry->d_name[0] != '.' && has_label(disk, entry->d_name, label)) {
			*ret = xasprintf("/dev/%s", entry->d_name);
			r = 0;
			break;
		}
	if (d)
		closedir(d);
	return r < 0 ? err_set(e, r, "the disk of %s has no partition %s", SLOT_DIR, label) : 0;
}

int slot_esp_open(struct slot_esp *ret, struct err *e)
{
	/* Tests have it in a folder of their own. */
	const char *folder = secure_getenv("MANOR_ESP_DIR");
	_cleanup_(freep) char *dev = NULL;
	struct slot_esp esp = {.dir = -1, .lock = -1};
	int r;

	*ret = esp;
	if (!folder) {
		r = slot_partition("manor-esp", &dev, e);
		if (r == 0)
			r = file_mkdirs(ESP_DIR, 0700, e);
		if (r < 0)
			return r;
		esp.lock = open(ESP_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (esp.lock < 0 || flock(esp.lock, LOCK_EX) < 0) {
			r = err_errno(e, -errno, "lock %s", ESP_LOCK);
			closep(&esp.lock);
			return r;
		}
		/* Whoever held the lock before, and was killed, left it mounted. */
		umount2(ESP_DIR, MNT_DETACH);
		if (mount(dev, ESP_DIR, "vfat", MS_NOSUID | MS_NODEV | MS_NOEXEC, "umask=0077") <
		    0) {
			r = err_errno(e, -errno, "mount %s", dev);
			closep(&esp.lock);
			return r;
		}
	}
	esp.dir = open(folder ? folder : ESP_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*ret = esp;
	if (esp.dir >= 0)
		return 0;
	r = err_errno(e, -errno, "open %s", folder ? folder : ESP_DIR);
	slot_esp_close(ret);
	return r;
}

int slot_esp_read(struct slot_esp *ret, struct arena *a, struct grubenv **ret_env, struct err *e)
{
	int r = slot_esp_open(ret, e);

	if (r < 0)
		return r;
	return grubenv_read(ret->dir, SLOT_GRUBENV, a, ret_env, e) ? 0 : -EIO;
}

void slot_esp_close(struct slot_esp *esp)
{
	closep(&esp->dir);
	if (esp->lock >= 0) {
		umount2(ESP_DIR, 0);
		close(esp->lock);
	}
	*esp = (struct slot_esp){.dir = -1, .lock = -1};
}
