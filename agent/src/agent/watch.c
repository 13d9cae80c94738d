/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Watching the manifest's file and the files that it names: wherever links lead, and through folders
 * that are replaced as a whole. An event only makes us look at what they say.
 */
#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "agent/agent.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "engine/store.h"

#define SETTLE_US   (100 * 1000)
#define LINKS_MAX   40 /* as the kernel follows */
#define FOLDERS_MAX 256
#define EVENTS      (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE)

/* One folder, and the names in it that matter. */
struct folder {
	struct agent *agent;
	char *path;
	json_object *names;
	sd_event_source *source;
};

struct watch {
	struct folder *folders[FOLDERS_MAX];
	size_t n;
	sd_event_source *timer;
};

static int on_event(sd_event_source *s, const struct inotify_event *event, void *data);

static void watch_name(struct agent *a, const char *path, const char *name)
{
	struct watch *w = a->watch;
	struct folder *f = NULL;

	for (size_t i = 0; i < w->n; i++)
		if (streq(w->folders[i]->path, path))
			f = w->folders[i];
	if (!f && w->n < FOLDERS_MAX) {
		f = xcalloc(1, sizeof(*f));
		f->agent = a;
		f->path = xstrdup(path);
		f->names = json_object_new_object();
		/* One that isn't there shows in the folder that it would be in. */
		if (sd_event_add_inotify(a->loop, &f->source, path, EVENTS | IN_ONLYDIR, on_event,
					 f) < 0)
			f->source = NULL;
		w->folders[w->n++] = f;
	}
	if (f)
		json_object_object_add(f->names, name, NULL);
}

/* Each name on the way to the file, links and what they lead to. */
static void watch_path(struct agent *a, const char *path)
{
	_cleanup_(freep) char *rest = xstrdup(path), *at = xstrdup("/");
	unsigned links = 0;

	for (;;) {
		_cleanup_(freep) char *name = NULL, *here = NULL;
		char target[PATH_MAX];
		ssize_t n;
		char *r = rest;
		char *next;

		while (*r == '/')
			r++;
		if (!*r)
			return;
		name = xasprintf("%.*s", (int)strcspn(r, "/"), r);
		next = xstrdup(r + strlen(name));
		free(rest);
		rest = next;
		if (streq(name, "."))
			continue;
		if (streq(name, "..")) {
			char *slash = strrchr(at, '/');

			slash[slash == at ? 1 : 0] = '\0';
			continue;
		}
		watch_name(a, at, name);
		here = xasprintf("%s/%s", streq(at, "/") ? "" : at, name);
		n = readlink(here, target, sizeof(target) - 1);
		if (n <= 0) {
			free(at);
			at = here;
			here = NULL;
			continue;
		}
		if (++links > LINKS_MAX)
			return;
		target[n] = '\0';
		next = xasprintf("%s/%s", target, rest);
		free(rest);
		rest = next;
		if (target[0] == '/') {
			free(at);
			at = xstrdup("/");
		}
	}
}

static void forget(struct watch *w)
{
	for (size_t i = 0; i < w->n; i++) {
		struct folder *f = w->folders[i];

		sd_event_source_disable_unref(f->source);
		json_object_put(f->names);
		free(f->path);
		free(f);
	}
	w->n = 0;
}

static void watch_all(struct agent *a)
{
	forget(a->watch);
	watch_path(a, STORE_WATCHED);
	for (size_t i = 0; i < json_length(a->named); i++)
		watch_path(a, json_object_get_string(json_object_array_get_idx(a->named, i)));
}

bool watch_news(struct agent *a)
{
	_cleanup_(freep) char *digest = store_watched_digest(a->named);

	/* Gone or unchanged: what is in force stays. */
	if (!digest[0] || streq(digest, a->seen))
		return false;
	free(a->seen);
	a->seen = xstrdup(digest);
	return true;
}

static int on_settled(sd_event_source *s, uint64_t usec, void *data)
{
	struct agent *a = data;

	watch_all(a);
	if (watch_news(a))
		agent_wake(a, "the manifest changed", true, true);
	return 0;
}

static int on_event(sd_event_source *s, const struct inotify_event *event, void *data)
{
	struct folder *f = data;
	struct watch *w = f->agent->watch;
	_cleanup_(freep) char *path = NULL;
	struct stat st;

	if (event->len && !json_object_object_get_ex(f->names, event->name, NULL))
		return 0;
	/* A file that is just being written comes again when it is closed. */
	path = event->len ? xasprintf("%s/%s", f->path, event->name) : NULL;
	if ((event->mask & IN_CREATE) && path && lstat(path, &st) == 0 && S_ISREG(st.st_mode))
		return 0;
	if (w->timer) {
		sd_event_source_set_time_relative(w->timer, SETTLE_US);
		sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
	} else if (sd_event_add_time_relative(f->agent->loop, &w->timer, CLOCK_MONOTONIC, SETTLE_US,
					      0, on_settled, f->agent) < 0) {
		abort();
	}
	return 0;
}

void watch_named(struct agent *a, json_object *named)
{
	if (json_object_equal(named, a->named))
		return;
	json_object_put(a->named);
	a->named = json_object_get(named);
	free(a->seen);
	a->seen = store_watched_digest(a->named);
	watch_all(a);
}

bool watch_start(struct agent *a)
{
	_cleanup_(freep) char *in_force = store_seen_file();
	_cleanup_err_ struct err e = {0};

	a->watch = xcalloc(1, sizeof(*a->watch));
	a->named = store_named();
	if (file_mkdirs(STORE_WATCHED_DIR, 0755, &e) < 0)
		log_warn("%s", e.message);
	watch_all(a);
	a->seen = store_watched_digest(a->named);
	return a->seen[0] && !streq(a->seen, in_force);
}
