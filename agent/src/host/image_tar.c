/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Tar archives by libarchive, which knows the maps of holes. Nothing of an archive's names, modes or
 * owners reaches the host: only the bytes of what was asked for do.
 */
#include "host/image_tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>

#include "base/str.h"

#define ZEROS  65536u
#define LISTED 8 /* members named to whoever asked for one that isn't there */

struct reading {
	struct unpack *from;
	uint64_t hole; /* of the last piece, still to be read */
	int failed;
	struct err error;
};

static la_ssize_t on_read(struct archive *a, void *data, const void **ret)
{
	static const char zeros[ZEROS];
	struct reading *r = data;
	size_t n = 0;

	if (r->hole == 0) {
		r->failed = unpack_read(r->from, ret, &n, &r->hole, &r->error);
		if (r->failed < 0) {
			archive_set_error(a, -r->failed, "reading failed");
			return -1;
		}
	}
	if (n == 0 && r->hole > 0) {
		n = (size_t)MIN_OF(r->hole, (uint64_t)ZEROS);
		r->hole -= n;
		*ret = zeros;
	}
	return (la_ssize_t)n;
}

static void archive_endp(struct archive **a)
{
	archive_read_free(*a); /* takes NULL */
}

static int broken(struct reading *r, struct archive *a, struct err *e)
{
	const char *why = archive_error_string(a);

	if (r->failed < 0) {
		err_move(e, &r->error);
		return r->failed;
	}
	return err_set(e, -EILSEQ, "it is a tar archive that can't be read: %s",
		       why ? why : "broken");
}

static const char *plain(const char *name)
{
	while (name[0] == '.' && name[1] == '/')
		for (name += 2; *name == '/'; name++)
			;
	return name;
}

bool tar_name_ok(const char *name)
{
	if (*name == '/' || !*plain(name))
		return false;
	for (const char *s = name; *s;) {
		size_t n = strcspn(s, "/");

		if (n == 2 && s[0] == '.' && s[1] == '.')
			return false;
		s += n + (s[n] == '/');
	}
	return true;
}

static const char *type_words(struct archive_entry *entry)
{
	if (archive_entry_hardlink(entry))
		return "a hard link";
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return NULL;
	case AE_IFLNK:
		return "a symbolic link";
	case AE_IFDIR:
		return "a folder";
	case AE_IFCHR:
	case AE_IFBLK:
		return "a device";
	default:
		return "no regular file";
	}
}

/* What the map of holes says that there is between them. */
static uint64_t mapped_data(struct archive_entry *entry)
{
	la_int64_t at, n;
	uint64_t sum = 0;

	archive_entry_sparse_reset(entry);
	while (archive_entry_sparse_next(entry, &at, &n) == ARCHIVE_OK)
		sum += n > 0 ? (uint64_t)n : 0;
	return sum;
}

static int copy_member(struct reading *r, struct archive *a, struct tar_wanted *w,
		       struct archive_entry *entry, struct err *e)
{
	uint64_t size = (uint64_t)MAX_OF(archive_entry_size(entry), 0);
	uint64_t data = mapped_data(entry), had = 0;
	int rc, code = w->begin(w->data, size, e);

	while (code == 0) {
		const void *p;
		la_int64_t to;
		size_t n;

		rc = archive_read_data_block(a, &p, &n, &to);
		if (rc == ARCHIVE_EOF)
			return had < data ? err_set(e, -EILSEQ,
						    "the map of holes of member '%s' names more "
						    "data than the archive has",
						    w->member)
					  : w->end(w->data, size, e);
		if (rc < ARCHIVE_WARN)
			return broken(r, a, e);
		if (n > 0 && (to < 0 || (uint64_t)to > size || n > size - (uint64_t)to))
			return err_set(e, -EILSEQ, "member '%s' reaches behind its end", w->member);
		if (n > 0)
			code = w->put(w->data, (uint64_t)to, p, n, e);
		had += n;
	}
	return code;
}

static int look_at(struct reading *r, struct archive *a, struct archive_entry *entry,
		   struct tar_wanted *w, size_t n, struct str *names, unsigned *n_names,
		   struct err *e)
{
	const char *name = archive_entry_pathname(entry), *type = type_words(entry);

	if (!name)
		return 0;
	if (*plain(name) && !tar_name_ok(name))
		return err_set(e, -EILSEQ,
			       "it has a member named '%s', which leads out of the archive", name);
	if (!type && (*n_names)++ < LISTED)
		str_addf(names, "%s%s", names->n ? ", " : "", plain(name));
	for (size_t i = 0; i < n; i++) {
		if (!streq(plain(name), plain(w[i].member)))
			continue;
		if (type)
			return err_set(e, -EILSEQ, "member '%s' of the archive is %s, not a file",
				       w[i].member, type);
		if (w[i].found)
			return err_set(e, -EILSEQ, "two members of the archive are named '%s'",
				       w[i].member);
		w[i].found = true;
		return copy_member(r, a, &w[i], entry, e);
	}
	return 0;
}

int tar_read(struct unpack *from, struct tar_wanted *w, size_t n, struct err *e)
{
	_cleanup_(archive_endp) struct archive *a = archive_read_new();
	struct reading r = {.from = from};
	_cleanup_str_ struct str names = {0};
	struct archive_entry *entry;
	unsigned n_names = 0;
	int rc, code = 0;

	if (!a)
		abort();
	archive_read_support_format_tar(a);
	if (archive_read_open(a, &r, NULL, on_read, NULL) != ARCHIVE_OK)
		return broken(&r, a, e);
	while (code == 0) {
		rc = archive_read_next_header(a, &entry);
		if (rc == ARCHIVE_EOF)
			break;
		code = rc < ARCHIVE_WARN ? broken(&r, a, e)
					 : look_at(&r, a, entry, w, n, &names, &n_names, e);
	}
	err_done(&r.error);
	for (size_t i = 0; code == 0 && i < n; i++) {
		if (w[i].found)
			continue;
		if (names.n)
			err_help(e, "it has %s%s", str_get(&names), n_names > LISTED ? ", …" : "");
		code = err_set(e, -ENXIO, "the archive has no member '%s'", w[i].member);
	}
	return code;
}
