/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Intent as files: /var/lib/manor/intent/domain/NAME.json, replaced as a whole under a lock that
 * lives only as long as the process.
 */
#include "host/intent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"

#define INTENT_DIR_DEFAULT "/var/lib/manor/intent/domain"
#define INTENT_MAX_BYTES   4096
#define INTENT_MAX_FILES   10000

const char *const intent_stop_words[] = {"no",      "by-hand",  "inside", "saved",
					 "crashed", "watchdog", NULL};

/* Unit tests keep theirs elsewhere. */
static const char *intent_dir(void)
{
	const char *dir = secure_getenv("MANOR_INTENT_DIR");

	return dir ? dir : INTENT_DIR_DEFAULT;
}

static bool name_ok(const char *name)
{
	return name[0] && name[0] != '.' && !strchr(name, '/') && strlen(name) <= 63;
}

/* None of the numbers is ever negative. */
static int64_t get_count(json_object *o, const char *key)
{
	return MAX_OF(json_int(o, key), (int64_t)0);
}

/* A file that is absent, damaged or not ours to understand is no intent at all. */
static bool load(struct arena *a, const char *path, struct intent_domain *ret)
{
	_cleanup_(freep) char *text = NULL;
	_cleanup_json_ json_object *o = NULL;
	_cleanup_err_ struct err e = {0};
	int stopped;

	if (file_read(path, INTENT_MAX_BYTES, &text, NULL, &e) < 0) {
		log_debug("%s", e.message);
		return false;
	}
	o = json_tokener_parse(text);
	if (!json_object_is_type(o, json_type_object)) {
		log_debug("%s: not JSON", path);
		return false;
	}
	ret->uuid = arena_strdup(a, json_text(o, "uuid"));
	ret->boot_id = arena_strdup(a, json_text(o, "boot_id"));
	ret->digest = arena_strdup(a, json_text(o, "digest"));
	ret->since = get_count(o, "since");
	ret->timeout = (uint64_t)get_count(o, "timeout");
	ret->at_once = json_object_get_boolean(json_object_object_get(o, "at_once"));
	ret->restart_domid = get_count(o, "restart_domid");
	ret->paused_domid = get_count(o, "paused_domid");
	ret->unpaused_domid = get_count(o, "unpaused_domid");
	ret->adopt_domid = get_count(o, "adopt_domid");
	ret->discard_saved = json_flag(o, "discard_saved");
	ret->rebuild = json_flag(o, "rebuild");
	ret->crashes = get_count(o, "crashes");
	ret->crashed = get_count(o, "crashed");
	stopped = word_find(intent_stop_words, json_text(o, "stopped"));
	if (stopped >= 0)
		ret->stopped = stopped;
	return ret->uuid && ret->boot_id;
}

int intent_read(struct arena *a, struct intent_facts *ret, struct err *e)
{
	const char *dir = intent_dir();
	DIR *d = opendir(dir);
	struct dirent *de;
	int r = 0;

	if (!d && errno == ENOENT)
		return 0;
	if (!d)
		return err_errno(e, -errno, "open %s", dir);
	while ((errno = 0, de = readdir(d))) {
		size_t n = strlen(de->d_name);
		_cleanup_(freep) char *path = NULL;
		struct intent_domain *i;
		char *name;

		if (de->d_name[0] == '.' || n <= 5 || strcmp(de->d_name + n - 5, ".json") != 0)
			continue;
		if (ret->domains.n >= INTENT_MAX_FILES) {
			r = err_set(e, -EFBIG, "more than %d files in %s", INTENT_MAX_FILES, dir);
			break;
		}
		name = arena_strndup(a, de->d_name, n - 5);
		path = xasprintf("%s/%s", dir, de->d_name);
		i = arena_alloc(a, sizeof(*i));
		if (name_ok(name) && load(a, path, i))
			map_add(a, &ret->domains, name, i);
	}
	if (r == 0 && errno)
		r = err_errno(e, -errno, "read %s", dir);
	closedir(d);
	return r;
}

static int save(const char *path, const struct intent_domain *i, struct err *e)
{
	_cleanup_json_ json_object *o = NULL;
	const char *text;

	if (i->stopped == INTENT_RUN && i->restart_domid == 0 && i->crashes == 0 && !i->rebuild &&
	    i->paused_domid == 0 && i->unpaused_domid == 0 && i->adopt_domid == 0 &&
	    !i->discard_saved)
		return file_remove(path, e);
	o = json_object_new_object();
	json_put_text(o, "uuid", i->uuid);
	json_put_text(o, "boot_id", i->boot_id);
	json_put_text(o, "stopped", intent_stop_words[i->stopped]);
	if (i->stopped != INTENT_RUN || i->paused_domid)
		json_object_object_add(o, "since", json_object_new_int64(i->since));
	json_put_text(o, "digest", i->digest);
	if (i->timeout)
		json_object_object_add(o, "timeout", json_object_new_int64((int64_t)i->timeout));
	if (i->at_once)
		json_object_object_add(o, "at_once", json_object_new_boolean(true));
	if (i->restart_domid)
		json_object_object_add(o, "restart_domid", json_object_new_int64(i->restart_domid));
	if (i->paused_domid)
		json_object_object_add(o, "paused_domid", json_object_new_int64(i->paused_domid));
	if (i->unpaused_domid)
		json_object_object_add(o, "unpaused_domid",
				       json_object_new_int64(i->unpaused_domid));
	if (i->adopt_domid)
		json_object_object_add(o, "adopt_domid", json_object_new_int64(i->adopt_domid));
	if (i->discard_saved)
		json_object_object_add(o, "discard_saved", json_object_new_boolean(true));
	if (i->rebuild)
		json_object_object_add(o, "rebuild", json_object_new_boolean(true));
	if (i->crashes) {
		json_object_object_add(o, "crashes", json_object_new_int64(i->crashes));
		json_object_object_add(o, "crashed", json_object_new_int64(i->crashed));
	}
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY);
	return file_write(path, text, strlen(text), 0600, e);
}

/* The CLI and a worker may both change one domain's: read, change and write under one lock. */
static int change(const struct intent_who *who,
		  void (*set)(struct intent_domain *i, const struct intent_who *who,
			      const void *data),
		  const void *data, struct err *e)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_(freep) char *path = NULL, *lock = NULL;
	_cleanup_(closep) int fd = -1;
	struct intent_domain i = {0};
	int r;

	if (!name_ok(who->name))
		return err_set(e, -EINVAL, "'%s' is no domain's name", who->name);
	r = file_mkdirs(intent_dir(), 0700, e);
	if (r < 0)
		return r;
	lock = xasprintf("%s/.lock", intent_dir());
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno(e, -errno, "open %s", lock);
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_errno(e, -errno, "lock %s", lock);

	path = xasprintf("%s/%s.json", intent_dir(), who->name);
	if (!load(a, path, &i) || !streq(i.uuid, who->uuid) || !streq(i.boot_id, who->boot_id))
		i = (struct intent_domain){.uuid = who->uuid, .boot_id = who->boot_id};
	set(&i, who, data);
	return save(path, &i, e);
}

static void set_timeout(struct intent_domain *i, int64_t timeout_s)
{
	i->timeout = timeout_s > 0 ? (uint64_t)timeout_s : 0;
	i->at_once = timeout_s == 0;
}

struct stop {
	enum intent_stop how;
	const char *digest;
	int64_t timeout_s;
};

static void set_stop(struct intent_domain *i, const struct intent_who *who, const void *data)
{
	const struct stop *s = data;

	/* Said again, it keeps its first time: asking twice is no news. */
	if (i->stopped != (int)s->how)
		i->since = who->now;
	i->stopped = s->how;
	i->digest = s->digest;
	set_timeout(i, s->timeout_s);
	i->restart_domid = i->paused_domid = i->unpaused_domid = 0;
	i->discard_saved = false;
	i->crashes = i->crashed = 0;
}

int intent_stop(const struct intent_who *who, enum intent_stop how, const char *digest,
		int64_t timeout_s, struct err *e)
{
	struct stop s = {how, digest, timeout_s};

	return change(who, set_stop, &s, e);
}

static void set_start(struct intent_domain *i, const struct intent_who *who, const void *data)
{
	*i = (struct intent_domain){.uuid = who->uuid, .boot_id = who->boot_id};
}

int intent_start(const struct intent_who *who, struct err *e)
{
	return change(who, set_start, NULL, e);
}

struct restart {
	int64_t domid, timeout_s;
};

static void set_restart(struct intent_domain *i, const struct intent_who *who, const void *data)
{
	const struct restart *s = data;

	set_start(i, who, NULL);
	i->restart_domid = s->domid;
	set_timeout(i, s->timeout_s);
}

int intent_restart(const struct intent_who *who, int64_t domid, int64_t timeout_s, struct err *e)
{
	struct restart s = {domid, timeout_s};

	return change(who, set_restart, &s, e);
}

static void set_pause(struct intent_domain *i, const struct intent_who *who, const void *data)
{
	int64_t domid = *(const int64_t *)data;

	if (i->paused_domid != domid)
		i->since = who->now;
	i->paused_domid = domid;
	i->unpaused_domid = 0;
	i->stopped = INTENT_RUN;
	i->digest = NULL;
}

int intent_pause(const struct intent_who *who, int64_t domid, struct err *e)
{
	return change(who, set_pause, &domid, e);
}

static void set_unpause(struct intent_domain *i, const struct intent_who *who, const void *data)
{
	i->paused_domid = 0;
	i->unpaused_domid = *(const int64_t *)data;
}

int intent_unpause(const struct intent_who *who, int64_t domid, struct err *e)
{
	return change(who, set_unpause, &domid, e);
}

static void set_adopt(struct intent_domain *i, const struct intent_who *who, const void *data)
{
	set_start(i, who, NULL);
	i->adopt_domid = *(const int64_t *)data;
}

int intent_adopt(const struct intent_who *who, int64_t domid, struct err *e)
{
	return change(who, set_adopt, &domid, e);
}

static void set_discard(struct intent_domain *i, const struct intent_who *who, const void *data)
{
	set_start(i, who, NULL);
	i->discard_saved = true;
}

int intent_discard(const struct intent_who *who, struct err *e)
{
	return change(who, set_discard, NULL, e);
}

static void set_rebuild(struct intent_domain *i, const struct intent_who *who, const void *data)
{
	set_start(i, who, NULL);
	i->rebuild = true;
}

int intent_rebuild(const struct intent_who *who, struct err *e)
{
	return change(who, set_rebuild, NULL, e);
}

static void set_crash(struct intent_domain *i, const struct intent_who *who, const void *data)
{
	i->crashes = *(const int64_t *)data;
	i->crashed = who->now;
}

int intent_crash(const struct intent_who *who, int64_t crashes, struct err *e)
{
	return change(who, set_crash, &crashes, e);
}

int intent_forget(const char *name, struct err *e)
{
	_cleanup_(freep) char *path = NULL;

	if (!name_ok(name))
		return err_set(e, -EINVAL, "'%s' is no domain's name", name);
	path = xasprintf("%s/%s.json", intent_dir(), name);
	return access(path, F_OK) < 0 && errno == ENOENT ? 0 : file_remove(path, e);
}
