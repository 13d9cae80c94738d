/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "base/file.h"
#include "base/str.h"
#include "base/util.h"
#include "host/services.h"
#include "host/systemctl.h"

#define RUN           "/run/manor/services"
#define SSH_KEYS      RUN "/ssh/authorized_keys"
#define SIZE_MAX_READ (4u << 20)
#define WAIT_MS       10000
#define LOOK_MS       100

const char *services_root = "";

/* What a service is told: one line of words, each behind `before`, in a file that its unit or itself reads. */
struct row {
	const char *name, *unit;
	const char *pid; /* a file with its main process, where others of its unit may outlive that; else NULL */
	const char *dir, *file, *head, *before, *tail; /* NULL: it is told nothing */
};

static const struct row rows[] = {
	/* An EnvironmentFile: dropbear takes addresses as arguments. */
	{"ssh", "manor-ssh.service", RUN "/ssh/pid", RUN "/ssh", RUN "/ssh/options", "OPTIONS=", "-p", "\n"},
	{"time", "manor-time.service", NULL, "/run/systemd/timesyncd.conf.d",
	 "/run/systemd/timesyncd.conf.d/manor.conf", "[Time]\nNTP=", "", "\nFallbackNTP=\n"},
};

/* One a link: "dhcp4-xenbr0". */
#define DHCP_UNIT "manor-dhcp4@"
#define DHCP_FILE DHCP_UNIT ".service"
#define DHCP_TOLD RUN "/dhcp4" /* a file for each link, without which its unit doesn't start */
#define UNIT_MAX  64

static char *dhcp_told(const char *name)
{
	return xasprintf("%s/%s", DHCP_TOLD, name + strlen(SERVICE_DHCP4 "-"));
}

/* ret->unit may be in `unit`. */
static bool row_of(const char *name, char unit[UNIT_MAX], struct row *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (streq(rows[i].name, name)) {
			*ret = rows[i];
			return true;
		}
	if (!startswith(name, SERVICE_DHCP4 "-"))
		return false;
	snprintf(unit, UNIT_MAX, "%s%s.service", DHCP_UNIT, name + strlen(SERVICE_DHCP4 "-"));
	*ret = (struct row){.name = name, .unit = unit};
	return true;
}

static char *at(const char *path)
{
	return xasprintf("%s%s", services_root, path);
}

static char *text_of(const char *path)
{
	_cleanup_(freep) char *full = at(path);
	char *text = NULL;

	return file_read_plain(full, SIZE_MAX_READ, &text, NULL, NULL) < 0 ? NULL : text;
}

static bool is_there(const char *unit)
{
	_cleanup_(freep) char *path = xasprintf("%s/usr/lib/systemd/system/%s", services_root,
						startswith(unit, DHCP_UNIT) ? DHCP_FILE : unit);

	return access(path, F_OK) == 0;
}

/* Its main process is in its unit's control group, or any, where that is all that is in there. */
static bool is_running(const struct row *row)
{
	_cleanup_(freep) char *path =
		xasprintf("/sys/fs/cgroup/system.slice/%s/cgroup.procs", row->unit);
	_cleanup_(freep) char *procs = text_of(path), *pid = row->pid ? text_of(row->pid) : NULL;

	if (!procs || !row->pid)
		return procs && *procs;
	for (const char *line = procs; pid && *line;
	     line += strcspn(line, "\n"), line += *line == '\n')
		if (strtol(line, NULL, 10) == strtol(pid, NULL, 10))
			return true;
	return false;
}

/* What lies between head and tail, word by word. Another text than that which was written says nothing. */
static void words_of(struct arena *a, const struct row *row, struct list *ret)
{
	_cleanup_(freep) char *text = text_of(row->file);
	char *end, *word, *rest;

	if (!text || !startswith(text, row->head))
		return;
	word = text + strlen(row->head);
	end = strstr(word, row->tail);
	if (!end)
		return;
	*end = '\0';
	for (word = strtok_r(word, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		if (!streq(word, row->before))
			list_add(a, ret, arena_strdup(a, word));
}

static void keys_of(struct arena *a, struct list *ret)
{
	_cleanup_(freep) char *text = text_of(SSH_KEYS);
	char *rest;

	for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; line;
	     line = strtok_r(NULL, "\n", &rest))
		list_add(a, ret, arena_strdup(a, line));
}

/* Those that are told to run, one a link; and what says whether this host has any. One that is between two starts runs not,
 * and is told to all the same. */
static void add_dhcp(struct arena *a, struct service_facts *ret)
{
	_cleanup_(freep) char *path = at(DHCP_TOLD);
	struct service *s = arena_alloc(a, sizeof(*s));
	DIR *dir = opendir(path);
	struct dirent *entry;

	s->there = is_there(DHCP_FILE);
	map_add(a, &ret->services, SERVICE_DHCP4, s);
	while (dir && (entry = readdir(dir))) {
		const char *name = arena_printf(a, "%s-%s", SERVICE_DHCP4, entry->d_name);
		char unit[UNIT_MAX];
		struct row row;

		/* What file_write() puts beside it meanwhile begins with a dot, too. */
		if (entry->d_name[0] == '.' || !row_of(name, unit, &row))
			continue;
		s = arena_alloc(a, sizeof(*s));
		s->there = is_there(DHCP_FILE);
		s->running = is_running(&row);
		map_add(a, &ret->services, name, s);
	}
	if (dir)
		closedir(dir);
}

int services_read(struct arena *a, struct service_facts *ret, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct service *s = arena_alloc(a, sizeof(*s));

		map_add(a, &ret->services, rows[i].name, s);
		s->there = is_there(rows[i].unit);
		s->running = s->there && is_running(&rows[i]);
		if (streq(rows[i].name, "ssh")) {
			words_of(a, &rows[i], &s->listen);
			keys_of(a, &s->keys);
		} else {
			words_of(a, &rows[i], &s->servers);
		}
	}
	add_dhcp(a, ret);
	return 0;
}

static int put(const char *dir, const char *path, const char *text, int mode, struct err *e)
{
	_cleanup_(freep) char *folder = at(dir), *file = at(path);
	int r = file_mkdirs(folder, 0755, e);

	return r < 0 ? r : file_write(file, text, strlen(text), mode, e);
}

/* Who has dropped its privileges reads it, too; there is no secret in it. */
static int write_words(const struct row *row, const struct list *words, struct err *e)
{
	_cleanup_str_ struct str text = {0};

	str_add(&text, row->head);
	for (size_t i = 0; i < words->n; i++)
		str_addf(&text, "%s%s%s%s", i ? " " : "", row->before, *row->before ? " " : "",
			 (const char *)words->items[i]);
	str_add(&text, row->tail);
	return put(row->dir, row->file, str_get(&text), 0644, e);
}

static int await(const struct row *row, bool running, struct err *e)
{
	for (unsigned ms = 0; is_running(row) != running; ms += LOOK_MS) {
		if (ms >= WAIT_MS) {
			err_help(e, "journalctl -u %s says why", row->unit);
			return err_set(e, -ETIMEDOUT, "%s %s after %d s", row->unit,
				       running ? "doesn't run" : "runs still", WAIT_MS / 1000);
		}
		usleep(LOOK_MS * 1000);
	}
	return 0;
}

int service_start(const char *name, const struct service *want, struct err *e)
{
	char unit[UNIT_MAX];
	struct row row;
	bool ssh = streq(name, "ssh");
	_cleanup_str_ struct str keys = {0};
	struct list had = {0};
	_cleanup_arena_ struct arena *a = arena_new();
	const struct list *words = ssh ? &want->listen : &want->servers;
	bool same;
	int r = 0;

	if (!row_of(name, unit, &row) || !is_there(row.unit))
		return err_set(e, -ENOENT, "this host has no service '%s'", name);
	if (row.file)
		words_of(a, &row, &had);
	same = had.n == words->n;
	for (size_t i = 0; same && i < had.n; i++)
		same = streq(had.items[i], words->items[i]);
	for (size_t i = 0; i < want->keys.n; i++)
		str_addf(&keys, "%s\n", (const char *)want->keys.items[i]);
	if (ssh)
		r = put(row.dir, SSH_KEYS, str_get(&keys), 0600, e);
	if (r >= 0 && !same)
		r = write_words(&row, words, e);
	if (r >= 0 && !row.file) {
		_cleanup_(freep) char *told = dhcp_told(name);

		r = put(DHCP_TOLD, told, "", 0644, e);
	}
	/* Who may log in is looked up at each login; the rest when it starts. */
	if (r >= 0 && (!same || !is_running(&row)))
		r = systemctl("restart", row.unit, e);
	return r < 0 ? r : await(&row, true, e);
}

int service_stop(const char *name, struct err *e)
{
	char unit[UNIT_MAX];
	struct row row;
	_cleanup_(freep) char *file = NULL, *keys = at(SSH_KEYS);
	int r;

	if (!row_of(name, unit, &row) || !is_there(row.unit))
		return err_set(e, -ENOENT, "this host has no service '%s'", name);
	r = systemctl("stop", row.unit, e);
	if (r >= 0)
		r = await(&row, false, e);
	/* Cut off before, it is seen to be told something still, and stopped once more. */
	if (r >= 0 && streq(name, "ssh"))
		r = file_remove(keys, e);
	if (r < 0)
		return r;
	if (row.file) {
		file = at(row.file);
	} else {
		_cleanup_(freep) char *told = dhcp_told(name);

		file = at(told);
	}
	return file_remove(file, e);
}
