/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * An ISO 9660 image, made in memory by libarchive: it is small, and a device has no room for errors.
 */
#include "host/seed.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>

static int fail(struct archive *a, struct err *e)
{
	return err_set(e, -EIO, "make the cloud-init disk: %s", archive_error_string(a));
}

static int add_file(struct archive *a, const struct seed_file *f, struct err *e)
{
	struct archive_entry *entry = archive_entry_new();
	size_t n = strlen(f->text);
	int r = 0;

	if (!entry)
		abort();
	archive_entry_set_pathname(entry, f->name);
	archive_entry_set_size(entry, (la_int64_t)n);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0444);
	/* No time: the same files make the same image. */
	archive_entry_set_mtime(entry, 0, 0);
	if (archive_write_header(a, entry) != ARCHIVE_OK ||
	    (n && archive_write_data(a, f->text, n) != (la_ssize_t)n))
		r = fail(a, e);
	archive_entry_free(entry);
	return r;
}

static int make(const struct seed_file *files, size_t n, void *buf, size_t size, size_t *ret,
		struct err *e)
{
	struct archive *a = archive_write_new();
	int r = 0;

	if (!a)
		abort();
	if (archive_write_set_format_iso9660(a) != ARCHIVE_OK ||
	    archive_write_set_options(
		    a, "iso9660:volume-id=cidata,iso9660:joliet,iso9660:rockridge") != ARCHIVE_OK ||
	    archive_write_open_memory(a, buf, size, ret) != ARCHIVE_OK)
		r = fail(a, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_file(a, &files[i], e);
	if (r == 0 && archive_write_close(a) != ARCHIVE_OK)
		r = fail(a, e);
	archive_write_free(a);
	return r;
}

int seed_write(const char *path, const struct seed_file *files, size_t n, struct err *e)
{
	_cleanup_(freep) char *buf = xcalloc(1, SEED_BYTES);
	_cleanup_(closep) int fd = -1;
	size_t total = 0, used = 0;
	int r;

	for (size_t i = 0; i < n; i++)
		total += strlen(files[i].text);
	if (total > SEED_MAX)
		return err_set(e, -EFBIG,
			       "what cloud-init is given has %zu bytes, at most %u can be", total,
			       SEED_MAX);
	r = make(files, n, buf, SEED_BYTES, &used, e);
	if (r < 0)
		return r;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, -errno, "open %s", path);
	/* All of it: what an earlier, larger one left behind may be a secret. */
	for (size_t done = 0; done < SEED_BYTES;) {
		ssize_t w = pwrite(fd, buf + done, SEED_BYTES - done, (off_t)done);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return err_errno(e, w < 0 ? -errno : -EIO, "write %s", path);
		done += (size_t)w;
	}
	if (fsync(fd) < 0)
		return err_errno(e, -errno, "write %s", path);
	return 0;
}
