/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One pass: libcurl → sha256 (host/fetch.h) → libarchive's filters → sparse writing. libarchive pulls.
 */
#include "host/image.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/num.h"
#include "host/fetch.h"

#define BUFFER   (1u << 20) /* a multiple of IMAGE_CHUNK */
#define SECTOR   512u
#define SYNC_RUN (32u << 20) /* so much is written back at a time, to keep dom0's memory clean */
#define HEAD     512u        /* of the file, to tell web pages */

struct sink {
	const struct image_request *q;
	int fd;
	bool block;
	char *buf;        /* BUFFER bytes */
	size_t fill;
	uint64_t offset;  /* of buf in the image; a multiple of BUFFER */
	uint64_t max, written;
	uint64_t planned; /* what the target was made for; never over max */
	uint64_t dirty, synced; /* up to where writing back was begun; and has ended */
};

struct source {
	const struct image_request *q;
	struct fetch *fetch;
	char head[HEAD];
	size_t n_head;
	char tail[8];     /* the last bytes so far, once there were so many */
	int failed;       /* fetch's verdict, which libarchive would hide */
	struct err error;
};

static bool is_zero(const char *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* What people offer in place of a raw image, told by its first bytes. */
static int check_format(const struct sink *s, struct err *e)
{
	static const struct {
		size_t at;
		const char *magic;
		size_t n;
		const char *what;
	} known[] = {
		{0, "QFI\xfb", 4, "a qcow2 image"},
		{0, "KDMV", 4, "a VMDK image"},
		{0, "# Disk DescriptorFile", 21, "a VMDK description"},
		{0, "vhdxfile", 8, "a VHDX image"},
		{0, "conectix", 8, "a VHD image"},
		{0x40, "\x7f\x10\xda\xbe", 4, "a VDI image"},
		{257, "ustar", 5, "a tar archive"},
		{0, "PK\x03\x04", 4, "a zip archive"},
		{0, "7z\xbc\xaf\x27\x1c", 6, "a 7z archive"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (s->fill < known[i].at + known[i].n ||
		    memcmp(s->buf + known[i].at, known[i].magic, known[i].n) != 0)
			continue;
		err_help(e,
			 "a disk's file is a raw image, compressed or not; qemu-img convert -O raw "
			 "makes one");
		return err_set(e, -EILSEQ, "it is %s, not a raw disk image", known[i].what);
	}
	return 0;
}

/* Begins writing back what is new, waits for what was begun before, and drops that from memory. */
static int write_back(struct sink *s, uint64_t upto, struct err *e)
{
	if (upto - s->dirty < SYNC_RUN)
		return 0;
	sync_file_range(s->fd, (off64_t)s->dirty, (off64_t)(upto - s->dirty),
			SYNC_FILE_RANGE_WRITE);
	if (s->dirty > s->synced) {
		if (sync_file_range(s->fd, (off64_t)s->synced, (off64_t)(s->dirty - s->synced),
				    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
					    SYNC_FILE_RANGE_WAIT_AFTER) < 0 &&
		    errno != ENOSYS && errno != EINVAL)
			return err_errno(e, -errno, "write %s", s->q->target);
		posix_fadvise(s->fd, (off_t)s->synced, (off_t)(s->dirty - s->synced),
			      POSIX_FADV_DONTNEED);
	}
	s->synced = s->dirty;
	s->dirty = upto;
	return 0;
}

static int write_run(struct sink *s, size_t at, size_t n, struct err *e)
{
	const char *p = s->buf + at;
	uint64_t to = s->offset + at;
	char size[NUM_TEXT];

	if (s->q->room && s->written + n > s->q->room)
		return err_set(e, -ENOSPC, "the image has more data than there is room for (%s)",
			       num_size(size, s->q->room));
	s->written += n;
	while (n > 0) {
		ssize_t r = pwrite(s->fd, p, n, (off_t)to);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_errno(e, -errno, "write %s", s->q->target);
		p += r;
		to += (uint64_t)r;
		n -= (size_t)r;
	}
	return write_back(s, to, e);
}

static int flush(struct sink *s, struct err *e)
{
	size_t run = 0, n = s->fill;
	int r;

	if (s->offset == 0 && !s->q->as_is) {
		r = check_format(s, e);
		if (r < 0)
			return r;
	}
	if (s->block && n % SECTOR) { /* the last piece; a device knows whole sectors only */
		size_t pad = SECTOR - n % SECTOR;

		memset(s->buf + n, 0, pad);
		n += pad;
	}
	for (size_t at = 0; at < n;) {
		size_t piece = MIN_OF(n - at, (size_t)IMAGE_CHUNK);

		if (is_zero(s->buf + at, piece)) {
			if (run < at) {
				r = write_run(s, run, at - run, e);
				if (r < 0)
					return r;
			}
			run = at + piece;
		}
		at += piece;
	}
	if (run < n) {
		r = write_run(s, run, n - run, e);
		if (r < 0)
			return r;
	}
	s->offset += s->fill;
	s->fill = 0;
	return 0;
}

static int put(struct sink *s, const char *data, size_t n, struct err *e)
{
	char size[NUM_TEXT];
	int r;

	if (n > s->max - s->offset - s->fill) {
		err_help(e, "`size` of the file is the limit; without it %s",
			 num_size(size, IMAGE_MAX));
		return err_set(e, -EFBIG, "the image is larger than it may be (%s)",
			       num_size(size, s->max));
	}
	if (n > s->planned - s->offset - s->fill) {
		r = s->q->ready ? s->q->ready(s->q->data, s->max, e) : 0;
		if (r < 0)
			return r;
		s->planned = s->max;
	}
	while (n > 0) {
		size_t piece = MIN_OF(n, (size_t)BUFFER - s->fill);

		memcpy(s->buf + s->fill, data, piece);
		s->fill += piece;
		data += piece;
		n -= piece;
		if (s->fill < BUFFER)
			break;
		r = flush(s, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int open_target(struct sink *s, struct err *e)
{
	struct stat st;

	s->fd = open(s->q->target, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (s->fd < 0)
		return err_errno(e, -errno, "open %s", s->q->target);
	if (fstat(s->fd, &st) < 0)
		return err_errno(e, -errno, "stat %s", s->q->target);
	s->block = S_ISBLK(st.st_mode);
	if (!s->block && !S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "%s is neither a block device nor a file", s->q->target);
	if (!s->block && st.st_size > 0) /* zeros are skipped, so old bytes would shine through */
		return err_set(e, -EEXIST, "%s is not empty", s->q->target);
	return 0;
}

/* All written: the length, and on stable storage. */
static int finish(struct sink *s, struct err *e)
{
	int r = flush(s, e);

	if (r < 0)
		return r;
	if (!s->block && ftruncate(s->fd, (off_t)s->offset) < 0)
		return err_errno(e, -errno, "set the size of %s", s->q->target);
	if (fsync(s->fd) < 0)
		return err_errno(e, -errno, "write %s", s->q->target);
	return 0;
}

static bool is_web_page(const struct source *s)
{
	static const char *const words[] = {"<!doctype html", "<html", "<head", "<?xml"};
	size_t at = 0;

	if (s->n_head >= 3 && memcmp(s->head, "\xef\xbb\xbf", 3) == 0)
		at = 3;
	while (at < s->n_head && strchr(" \t\r\n", s->head[at]))
		at++;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t n = strlen(words[i]);

		if (s->n_head - at >= n && strncasecmp(s->head + at, words[i], n) == 0)
			return true;
	}
	return false;
}

static la_ssize_t on_read(struct archive *a, void *data, const void **ret)
{
	struct source *s = data;
	size_t n = 0;

	s->failed = fetch_read(s->fetch, ret, &n, &s->error);
	if (s->failed < 0) {
		archive_set_error(a, -s->failed, "fetching failed");
		return -1;
	}
	if (s->n_head < HEAD) {
		size_t piece = MIN_OF(n, HEAD - s->n_head);

		memcpy(s->head + s->n_head, *ret, piece);
		s->n_head += piece;
	}
	if (n >= sizeof(s->tail)) {
		memcpy(s->tail, (const char *)*ret + n - sizeof(s->tail), sizeof(s->tail));
	} else {
		memmove(s->tail, s->tail + n, sizeof(s->tail) - n);
		memcpy(s->tail + sizeof(s->tail) - n, *ret, n);
	}
	if (s->q->progress)
		s->q->progress(s->q->data, fetch_done(s->fetch), fetch_total(s->fetch));
	return (la_ssize_t)n;
}

static void archive_endp(struct archive **a)
{
	archive_read_free(*a); /* takes NULL */
}

/* Whatever went wrong in reading: fetch's own error, else libarchive's words. */
static int broken(struct source *s, struct archive *a, struct err *e)
{
	if (s->failed < 0) {
		err_move(e, &s->error);
		return s->failed;
	}
	return err_set(e, -EILSEQ, "it can't be decompressed: %s",
		       archive_error_string(a) ? archive_error_string(a) : "broken");
}

/* libarchive takes the end of the input for the end of an lz4 frame. Its end mark is four zeros, perhaps
 * with a checksum behind it (lz4_Frame_format.md, "EndMark"). */
static bool lz4_cut_short(const struct source *s)
{
	static const char mark[4] = {0};

	return s->n_head >= 4 && memcmp(s->head, "\x04\x22\x4d\x18", 4) == 0 &&
	       memcmp(s->tail, mark, 4) != 0 && memcmp(s->tail + 4, mark, 4) != 0;
}

static int web_page(const struct source *s, struct err *e)
{
	err_help(e, "the url must lead to the file itself; see it in a browser, or with curl");
	return err_set(e, -EILSEQ, "%s gives a web page, not an image", fetch_shown(s->fetch));
}

static uint64_t little_endian(const char *p, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | (unsigned char)p[n];
	return v;
}

/* What a zstd frame's header says of its content (RFC 8878, 3.1.1.1); 0: nothing. */
static uint64_t zstd_size(const struct source *s)
{
	static const size_t dictionary[] = {0, 1, 2, 4}, content[] = {0, 2, 4, 8};
	unsigned char flags;
	size_t at, n;

	if (s->n_head < 18 || memcmp(s->head, "\x28\xb5\x2f\xfd", 4) != 0)
		return 0;
	flags = (unsigned char)s->head[4];
	at = 5 + !(flags & 0x20) + dictionary[flags & 3];
	n = content[flags >> 6];
	if (n == 0 && (flags & 0x20))
		n = 1;
	return little_endian(s->head + at, n) + (n == 2 ? 256 : 0);
}

/* `size`: what will come, as far as is known; 0: not. */
static int begin(struct sink *to, struct source *from, uint64_t size, struct err *e)
{
	char text[NUM_TEXT], most[NUM_TEXT];
	int r;

	if (is_web_page(from))
		return web_page(from, e);
	if (size > to->max)
		return err_set(e, -EFBIG, "the image is larger than it may be (%s, at most %s)",
			       num_size(text, size), num_size(most, to->max));
	to->planned = size ? size : to->max;
	r = to->q->ready ? to->q->ready(to->q->data, to->planned, e) : 0;
	return r < 0 ? r : open_target(to, e);
}

static int copy_raw(struct source *from, struct sink *to, struct err *e)
{
	_cleanup_(archive_endp) struct archive *a = archive_read_new();
	struct archive_entry *entry;
	int r, rc;

	if (!a)
		abort();
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_filter_lz4(a);
	archive_read_support_format_raw(a);
	if (archive_read_open(a, from, NULL, on_read, NULL) != ARCHIVE_OK ||
	    archive_read_next_header(a, &entry) != ARCHIVE_OK) {
		if (from->failed == 0 && from->n_head == 0)
			return err_set(e, -EILSEQ, "it is empty");
		return broken(from, a, e);
	}
	r = begin(to, from,
		  archive_filter_code(a, 0) == ARCHIVE_FILTER_NONE ? fetch_total(from->fetch)
								   : zstd_size(from),
		  e);
	if (r < 0)
		return r;
	for (;;) {
		const void *data;
		la_int64_t at;
		size_t n;

		rc = archive_read_data_block(a, &data, &n, &at);
		if (rc == ARCHIVE_EOF)
			break;
		if (rc < ARCHIVE_WARN)
			return broken(from, a, e);
		r = put(to, data, n, e);
		if (r < 0)
			return r;
	}
	if (lz4_cut_short(from))
		return err_set(e, -EILSEQ, "it can't be decompressed: truncated lz4 input");
	return finish(to, e);
}

static int copy_as_is(struct source *from, struct sink *to, struct err *e)
{
	bool begun = false;

	for (;;) {
		const void *data;
		size_t n;
		int r = fetch_read(from->fetch, &data, &n, e);

		if (r < 0)
			return r;
		if (n == 0)
			break;
		if (from->q->progress)
			from->q->progress(from->q->data, fetch_done(from->fetch),
					  fetch_total(from->fetch));
		if (!begun) {
			from->n_head = MIN_OF(n, (size_t)HEAD);
			memcpy(from->head, data, from->n_head);
			r = begin(to, from, fetch_total(from->fetch), e);
			begun = true;
		}
		if (r == 0)
			r = put(to, data, n, e);
		if (r < 0)
			return r;
	}
	if (!begun)
		return err_set(e, -EILSEQ, "it is empty");
	return finish(to, e);
}

static int wrong_digest(const struct source *s, const char *digest, struct err *e)
{
	if (startswith(fetch_type(s->fetch), "text/html"))
		err_help(
			e,
			"the server calls it a web page (text/html): the url must lead to the file "
			"itself");
	else
		err_help(
			e,
			"if the file was meant to change, write this digest; nothing of it is kept");
	return err_set(e, -EBADMSG, "%s is not the file asked for: its sha256 is %s",
		       fetch_shown(s->fetch), digest);
}

int image_write(const struct image_request *q, struct image_result *ret, struct err *e)
{
	struct fetch_request fq = {
		.url = q->url,
		.max = q->as_is && q->max_size ? q->max_size : IMAGE_MAX,
		.backoff_ms = q->backoff_ms,
	};
	_cleanup_fetch_ struct fetch *fetch = NULL;
	_cleanup_(closep) int fd = -1;
	_cleanup_(freep) char *buf = NULL;
	_cleanup_err_ struct err other = {0};
	struct source from = {.q = q};
	struct sink to = {.q = q, .fd = -1, .max = q->max_size ? q->max_size : IMAGE_MAX};
	char digest[SHA256_TEXT];
	int r, dr;

	r = fetch_open(&fq, &fetch, e);
	if (r < 0)
		return r;
	buf = xcalloc(1, BUFFER);
	to.buf = buf;
	from.fetch = fetch;
	r = q->as_is ? copy_as_is(&from, &to, e) : copy_raw(&from, &to, e);
	fd = to.fd;
	err_done(&from.error);
	/* Whether it is broken or simply another file is what its digest says; so read on. */
	if (r < 0 && (r != -EILSEQ || is_web_page(&from)))
		return r;
	dr = fetch_digest(fetch, digest, r < 0 ? &other : e);
	if (dr < 0)
		return r < 0 ? r : dr;
	if (!streq(digest, q->sha256)) {
		if (e)
			err_done(e);
		return wrong_digest(&from, digest, e);
	}
	if (r < 0) {
		if (e && !e->help)
			err_help(
				e,
				"the file is as its digest says, so it was published like that: cut "
				"short, or not an image");
		err_wrap(e, "%s", fetch_shown(fetch));
		return r;
	}
	*ret = (struct image_result){
		.downloaded = fetch_done(fetch), .size = to.offset, .written = to.written};
	return 0;
}
