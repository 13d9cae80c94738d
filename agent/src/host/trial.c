/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What is kept of upgrades.
 */
#include "host/trial.h"

#include <errno.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"

#define FILE_DEFAULT "/var/lib/manor/intent/upgrade.json"
#define FILE_MAX     (1u << 20)
#define NAMES_MAX    10000
#define WHY_MAX      1000

/* Unit tests keep theirs elsewhere. */
static const char *path(void)
{
	const char *file = secure_getenv("MANOR_UPGRADE_FILE");

	return file ? file : FILE_DEFAULT;
}

static const char *text(struct arena *a, json_object *o, const char *key)
{
	const char *s = json_text(o, key);

	return s ? arena_strndup(a, s, strnlen(s, WHY_MAX)) : NULL;
}

static void names(struct arena *a, json_object *list, struct list *ret)
{
	for (size_t i = 0; i < json_length(list) && i < NAMES_MAX; i++) {
		json_object *o = json_object_array_get_idx(list, i);

		if (json_object_is_type(o, json_type_string))
			list_add(a, ret, arena_strdup(a, json_object_get_string(o)));
	}
}

static void read_begun(struct arena *a, json_object *o, struct trial *ret)
{
	const char *slot = json_text(o, "slot");
	int64_t within = json_int(o, "within");

	if (!streq(slot, "A") && !streq(slot, "B"))
		return;
	ret->slot = streq(slot, "A") ? "A" : "B";
	ret->version = text(a, o, "version");
	ret->build = text(a, o, "build");
	ret->settings = text(a, o, "settings");
	ret->from = text(a, o, "from");
	ret->boot_id = text(a, o, "boot_id");
	ret->since = json_int(o, "since");
	ret->within =
		within >= TRIAL_WITHIN_MIN && within <= TRIAL_WITHIN_MAX ? within : TRIAL_WITHIN;
	ret->written = json_flag(o, "written");
	ret->gave_up = text(a, o, "gave_up");
	names(a, json_list(o, "guests"), &ret->guests);
	names(a, json_list(o, "pending"), &ret->pending);
}

void trial_read(struct arena *a, struct trial *ret)
{
	_cleanup_(freep) char *said = NULL;
	_cleanup_json_ json_object *o = NULL;
	_cleanup_err_ struct err e = {0};
	json_object *list;
	size_t n;

	*ret = (struct trial){0};
	if (file_read_plain(path(), FILE_MAX, &said, &n, &e) < 0) {
		log_debug("%s", e.message);
		return;
	}
	o = json_parse(said, n, &e);
	if (!o) {
		log_debug("%s: %s", path(), e.message);
		return;
	}
	read_begun(a, json_member(o, "trial", json_type_object), ret);
	list = json_list(o, "failed");
	for (size_t i = 0; i < json_length(list) && i < TRIAL_FAILED_MAX; i++) {
		json_object *one = json_object_array_get_idx(list, i);
		struct trial_failed *f = arena_alloc(a, sizeof(*f));

		*f = (struct trial_failed){
			.version = text(a, one, "version"),
			.build = text(a, one, "build"),
			.settings = text(a, one, "settings"),
			.why = text(a, one, "why"),
			.when = json_int(one, "when"),
		};
		if (f->version)
			list_add(a, &ret->failed, f);
	}
}

static json_object *begun_json(const struct trial *t)
{
	json_object *o = json_object_new_object();

	json_put_text(o, "slot", t->slot);
	json_put_text(o, "version", t->version);
	json_put_text(o, "build", t->build);
	json_put_text(o, "settings", t->settings);
	json_put_text(o, "from", t->from);
	json_put_text(o, "boot_id", t->boot_id);
	json_object_object_add(o, "since", json_object_new_int64(t->since));
	json_object_object_add(o, "within", json_object_new_int64(t->within));
	json_object_object_add(o, "written", json_object_new_boolean(t->written));
	json_put_text(o, "gave_up", t->gave_up);
	json_put_texts(o, "guests", &t->guests);
	json_put_texts(o, "pending", &t->pending);
	return o;
}

int trial_write(const struct trial *t, struct err *e)
{
	_cleanup_json_ json_object *o = json_object_new_object();
	json_object *list = json_object_new_array();
	_cleanup_(freep) char *folder = NULL;
	const char *said;
	int r;

	if (!t->slot && !t->failed.n) {
		json_object_put(list);
		return access(path(), F_OK) < 0 && errno == ENOENT ? 0 : file_remove(path(), e);
	}
	if (t->slot)
		json_object_object_add(o, "trial", begun_json(t));
	for (size_t i = 0; i < t->failed.n; i++) {
		const struct trial_failed *f = t->failed.items[i];
		json_object *one = json_object_new_object();

		json_put_text(one, "version", f->version);
		json_put_text(one, "build", f->build);
		json_put_text(one, "settings", f->settings);
		json_put_text(one, "why", f->why);
		json_object_object_add(one, "when", json_object_new_int64(f->when));
		json_object_array_add(list, one);
	}
	json_object_object_add(o, "failed", list);
	folder = xstrdup(path());
	*strrchr(folder, '/') = '\0';
	r = file_mkdirs(folder, 0700, e);
	if (r < 0)
		return r;
	said = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY);
	return file_write(path(), said, strlen(said), 0600, e);
}

void trial_end(struct trial *t)
{
	struct list failed = t->failed;

	*t = (struct trial){.failed = failed};
}

/* Settings are told by themselves alone, a version by its name or by its root. */
static bool is(const struct trial_failed *f, const char *version, const char *build,
	       const char *settings)
{
	if (f->settings || settings)
		return streq(f->settings, settings);
	return streq(f->version, version) || (build && streq(f->build, build));
}

static void forgive(struct arena *a, struct trial *t, const char *version, const char *build,
		    const char *settings)
{
	struct list kept = {0};

	for (size_t i = 0; i < t->failed.n; i++)
		if (!is(t->failed.items[i], version, build, settings))
			list_add(a, &kept, t->failed.items[i]);
	t->failed = kept;
}

void trial_forgive(struct arena *a, struct trial *t, const char *version, const char *build)
{
	forgive(a, t, version, build, NULL);
}

void trial_forgive_settings(struct arena *a, struct trial *t, const char *settings)
{
	forgive(a, t, NULL, NULL, settings);
}

void trial_fail(struct arena *a, struct trial *t, const char *why, int64_t now)
{
	struct trial_failed *f = arena_alloc(a, sizeof(*f));

	*f = (struct trial_failed){
		.version = t->version ? t->version : "unknown",
		.build = t->build,
		.settings = t->settings,
		.why = why,
		.when = now,
	};
	/* Said once of each, by what came last. */
	forgive(a, t, f->version, f->build, f->settings);
	if (t->failed.n >= TRIAL_FAILED_MAX) {
		memmove(t->failed.items, t->failed.items + 1,
			(t->failed.n - 1) * sizeof(*t->failed.items));
		t->failed.n--;
	}
	list_add(a, &t->failed, f);
	trial_end(t);
}

static const struct trial_failed *failed(const struct trial *t, const char *version,
					 const char *build, const char *settings)
{
	for (size_t i = t->failed.n; i > 0; i--)
		if (is(t->failed.items[i - 1], version, build, settings))
			return t->failed.items[i - 1];
	return NULL;
}

const struct trial_failed *trial_failed(const struct trial *t, const char *version,
					const char *build)
{
	return failed(t, version, build, NULL);
}

const struct trial_failed *trial_failed_settings(const struct trial *t, const char *settings)
{
	return failed(t, NULL, NULL, settings);
}
