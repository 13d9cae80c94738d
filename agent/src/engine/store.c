/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The manifest in force, the journal, the lock.
 */
#include "engine/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "model/kind.h"
#include "model/manifest_json.h"

#define JOURNAL_FILE  STORE_DIR "/journal.jsonl"
#define JOURNAL_OLD   STORE_DIR "/journal.jsonl.1"
#define JOURNAL_BYTES (1 << 20)
#define LOCK_DIR      "/run/manor"
#define LOCK_FILE     LOCK_DIR "/executor.lock"
#define FORCE_BYTES   (32u << 20)

static void add_named(struct str *all, const char *path, const char *text)
{
	char digest[SHA256_TEXT] = "-";

	if (text)
		sha256_of(text, strlen(text), digest);
	str_addf(all, "\n%s %s", digest, path);
}

char *store_watched_digest(json_object *named)
{
	_cleanup_(freep) char *text = NULL;
	_cleanup_str_ struct str all = {0};
	char digest[SHA256_TEXT] = "";
	size_t n;

	if (file_read_plain(STORE_WATCHED, NODE_MAX_BYTES, &text, &n, NULL) < 0)
		return xstrdup("");
	sha256_of(text, n, digest);
	if (json_length(named) == 0)
		return xstrdup(digest);
	str_add(&all, digest);
	for (size_t i = 0; i < json_length(named); i++) {
		const char *path = json_object_get_string(json_object_array_get_idx(named, i));
		_cleanup_(freep) char *one = NULL;

		(void)file_read_plain(path, NODE_MAX_BYTES, &one, NULL, NULL);
		add_named(&all, path, one);
	}
	sha256_of(str_get(&all), all.n, digest);
	return xstrdup(digest);
}

/* As above, of what was read. */
static char *digest_of(const struct manifest *m)
{
	_cleanup_str_ struct str all = {0};
	char digest[SHA256_TEXT];

	if (m->files.n == 0)
		return xstrdup(m->sha256);
	str_add(&all, m->sha256);
	for (size_t i = 0; i < m->files.n; i++) {
		const struct manifest_file *f = m->files.items[i];

		add_named(&all, f->path, f->text);
	}
	sha256_of(str_get(&all), all.n, digest);
	return xstrdup(digest);
}

/* What is kept of the manifest in force; NULL where there is none. */
static json_object *in_force(void)
{
	_cleanup_(freep) char *text = NULL;
	size_t n;

	return file_read(STORE_MANIFEST, FORCE_BYTES, &text, &n, NULL) == 0
		       ? json_parse(text, n, NULL)
		       : NULL;
}

json_object *store_named(void)
{
	json_object *list = json_object_new_array(), *files;
	_cleanup_json_ json_object *o = in_force();

	files = json_member(o, "files", json_type_object);
	if (files && streq(json_text(o, "name"), STORE_WATCHED)) {
		json_object_object_foreach(files, path, value)
		{
			(void)value;
			json_object_array_add(list, json_object_new_string(path));
		}
	}
	return list;
}

/* One word of that; "" where there is none. */
static char *word_of(const char *key)
{
	_cleanup_json_ json_object *o = in_force();
	const char *word = json_text(o, key);

	return xstrdup(word ? word : "");
}

char *store_seen_file(void)
{
	return word_of("watched");
}

char *store_digest(void)
{
	return word_of("digest");
}

int64_t store_since(void)
{
	_cleanup_json_ json_object *o = in_force();

	return json_int(o, "since");
}

/* What is applied again is in force since it first was. */
static int64_t since(const struct manifest *m)
{
	_cleanup_json_ json_object *o = in_force();

	return json_int(o, "since") && streq(json_text(o, "digest"), m->digest)
		       ? json_int(o, "since")
		       : (int64_t)time(NULL);
}

int store_save_manifest(const struct manifest *m, struct err *e)
{
	_cleanup_json_ json_object *o = manifest_to_json(m);
	_cleanup_(freep) char *watched = NULL;
	const char *text;
	int r;

	json_object_object_add(o, "manor-manifest", json_object_new_int(1));
	/* The file that was applied may be the watched one, read a moment ago: its own digest then. */
	watched = streq(m->source.name, STORE_WATCHED) ? digest_of(m) : store_watched_digest(NULL);
	json_put_text(o, "watched", watched);
	json_object_object_add(o, "since", json_object_new_int64(since(m)));
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY);
	r = file_mkdirs(STORE_DIR, 0700, e);
	return r < 0 ? r : file_write(STORE_MANIFEST, text, strlen(text), 0600, e);
}

int store_load_manifest(const struct who *who, const struct kind *const *kinds, struct diags *d,
			struct manifest **ret, struct err *e)
{
	_cleanup_(freep) char *text = NULL;
	_cleanup_json_ json_object *o = NULL;
	size_t n;
	int r;

	r = file_read(STORE_MANIFEST, FORCE_BYTES, &text, &n, e);
	if (r < 0)
		return r;
	o = json_parse(text, n, e);
	if (!o)
		return -EINVAL;
	if (manifest_from_json(o, who, kinds, d, ret, NULL) < 0)
		return err_set(e, -EINVAL, "%s is not a manifest in force", STORE_MANIFEST);
	if (*ret)
		return 0;
	/* It was sound for this program, on this machine. */
	return err_set(e, -EINVAL, "the manifest in force doesn't hold here any more: %s",
		       d->n ? d->list[0].message : "it can't be read by this version");
}

void store_journal(json_object *entry)
{
	const char *line = json_object_to_json_string_ext(entry, JSON_C_TO_STRING_PLAIN);
	_cleanup_(freep) char *text = xasprintf("%s\n", line);
	_cleanup_(closep) int fd = -1;
	struct stat st;

	if (file_mkdirs(STORE_DIR, 0700, NULL) < 0)
		return;
	if (stat(JOURNAL_FILE, &st) == 0 && st.st_size > JOURNAL_BYTES)
		(void)rename(JOURNAL_FILE, JOURNAL_OLD);
	fd = open(JOURNAL_FILE, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		log_warn("journal: %s", strerror(errno));
}

static int lock(const char *path, const char *taken, struct err *e)
{
	int fd, r;

	r = file_mkdirs(LOCK_DIR, 0755, e);
	if (r < 0)
		return r;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(e, -errno, "open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		r = -errno;
		close(fd);
		if (r == -EWOULDBLOCK)
			return err_set(e, -EAGAIN, "%s", taken);
		return err_errno(e, r, "lock %s", path);
	}
	return fd;
}

int store_lock(struct err *e)
{
	return lock(
		LOCK_FILE,
		"another apply, the agent looking at its host, or a step of one that was killed, is still under way",
		e);
}

int store_lock_aside(const char *kind, const char *name, struct err *e)
{
	_cleanup_(freep) char *path = xasprintf("%s/%s.%s.lock", LOCK_DIR, kind, name);

	return lock(path, "another run is still about it, and goes on by itself", e);
}
