/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Packing: host/image_source.h reads in a thread of its own; here libarchive packs (zstd in threads of its
 * own too), and what comes out is hashed and written. A raw image goes to host/image_sparse.h, which writes
 * in a thread.
 */
#include "host/image_pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/file.h"
#include "base/newfile.h"
#include "host/image_source.h"
#include "host/image_sparse.h"

#define ZEROS       (1u << 20) /* zeros are packed in pieces of this */
#define THREADS_MAX 2          /* of zstd; each takes some 20 MiB */
#define SYNC_RUN    (32u << 20) /* what is written back at a time: little of dom0's memory is dirty */

enum { RAW, PACKED, TAR };

static const struct ending {
	const char *text;
	int what;
	const char *filter; /* a module of libarchive's */
} endings[] = {
	{".img.zst", PACKED, "zstd"}, {".img.gz", PACKED, "gzip"}, {".img", RAW, NULL},
	{".tar", TAR, NULL},	      {".tar.zst", TAR, "zstd"},   {".tar.gz", TAR, "gzip"},
};

size_t pack_map_max = 16384;

struct data_extent {
	uint64_t at, end;
};

struct packing {
	const struct pack_request *q;
	struct source *source;
	struct newfile *file;
	struct hash *hash;
	uint64_t total; /* to be read, all passes together */
	uint64_t before; /* read by passes that ended */

	struct archive *a;
	uint64_t at;      /* so much of the disk is packed */
	uint64_t data;
	uint64_t written; /* of the file */
	int failed;       /* writing's verdict, of which libarchive isn't told: see on_write() */

	struct data_extent *map; /* of an archive */
	size_t n_map, next;
	uint64_t join; /* extents that are nearer than this are one */

	struct sparse *sparse; /* of a raw image */
};

static const char zeros[ZEROS];

static const struct ending *ending_of(const char *name)
{
	const struct ending *found = NULL;
	size_t n = strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		size_t m = strlen(endings[i].text);

		if (n > m && streq(name + n - m, endings[i].text))
			found = &endings[i];
	}
	return found;
}

const char *pack_ending(const char *name)
{
	const struct ending *x = ending_of(name);

	return x ? x->text : NULL;
}

bool pack_is_tar(const char *ending)
{
	return startswith(ending, ".tar");
}

static int go_on(const struct packing *p, uint64_t done, struct err *e)
{
	if (!p->q->go_on || p->q->go_on(p->q->data, done, p->total))
		return 0;
	return err_set(e, -ECANCELED, "interrupted");
}

/* All of the disk, piece by piece, to `put`. */
static int each_piece(struct packing *p,
		      int (*put)(struct packing *p, uint64_t at, const void *data, size_t n,
				 struct err *e),
		      struct err *e)
{
	int r = source_start(p->source, e);

	while (r == 0) {
		const void *data = NULL;
		uint64_t at;
		size_t n;

		r = source_next(p->source, &at, &data, &n, e);
		if (r <= 0)
			break;
		r = n > 0 ? put(p, at, data, n, e) : 0;
		if (r == 0)
			r = go_on(p, p->before + at + n, e);
	}
	p->before += source_size(p->source);
	return r;
}

/* --- the file --- */

/* Once libarchive knows of an error it ends without freeing all of it: what comes after one is dropped. */
static la_ssize_t on_write(struct archive *a, void *data, const void *buf, size_t n)
{
	struct packing *p = data;
	int fd = newfile_fd(p->file);

	if (p->failed == 0)
		p->failed = file_write_all(fd, buf, n);
	if (p->failed < 0)
		return (la_ssize_t)n;
	hash_add(p->hash, buf, n);
	if ((p->written + n) / SYNC_RUN > p->written / SYNC_RUN)
		sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	p->written += n;
	return (la_ssize_t)n;
}

/* libarchive's verdict, and writing's. */
static int packed(struct packing *p, int rc, struct err *e)
{
	const char *why;

	if (p->failed < 0)
		return err_errno(e, p->failed, "write %s", p->q->to);
	if (rc >= ARCHIVE_WARN)
		return 0;
	why = archive_error_string(p->a);
	return err_set(e, -EIO, "pack %s: %s", p->q->to, why ? why : "it failed");
}

static int set_filter(struct packing *p, const char *filter, struct err *e)
{
	char threads[8];
	int rc;

	if (streq(filter, "gzip")) {
		rc = archive_write_add_filter_gzip(p->a);
		if (rc == ARCHIVE_OK) /* no time of day in it */
			rc = archive_write_set_filter_option(p->a, filter, "timestamp", NULL);
		return packed(p, rc, e);
	}
	rc = archive_write_add_filter_zstd(p->a);
	/* What comes out doesn't depend on how many threads there are, but on there being some. */
	snprintf(threads, sizeof(threads), "%ld",
		 MIN_OF(MAX_OF(sysconf(_SC_NPROCESSORS_ONLN), 1L), (long)THREADS_MAX));
	archive_write_set_filter_option(p->a, filter, "threads", threads);
	archive_clear_error(p->a);
	return packed(p, rc, e);
}

/* --- a tar archive's map --- */

/* There are too many: those that are near to each other become one, until half of them have. */
static void join_some(struct packing *p)
{
	while (p->n_map > pack_map_max / 2) {
		size_t n = 1;

		p->join = p->join ? p->join * 2 : (uint64_t)SPARSE_CHUNK * 2;
		for (size_t i = 1; i < p->n_map; i++) {
			if (p->map[i].at - p->map[n - 1].end < p->join)
				p->map[n - 1].end = p->map[i].end;
			else
				p->map[n++] = p->map[i];
		}
		p->n_map = n;
	}
}

static int map_piece(struct packing *p, uint64_t at, const void *data, size_t n, struct err *e)
{
	struct data_extent *last = p->n_map ? &p->map[p->n_map - 1] : NULL;

	p->data += n;
	if (last && at - last->end <= p->join) {
		last->end = at + n;
		return 0;
	}
	if (p->n_map == pack_map_max)
		join_some(p);
	p->map[p->n_map++] = (struct data_extent){at, at + n};
	return 0;
}

/* What isn't in the map would be lost. */
static bool mapped(struct packing *p, uint64_t at, size_t n)
{
	while (p->next < p->n_map && p->map[p->next].end <= at)
		p->next++;
	return p->next < p->n_map && p->map[p->next].at <= at && at + n <= p->map[p->next].end;
}

/* --- packing --- */

static int put_bytes(struct packing *p, const void *data, size_t n, struct err *e)
{
	const char *from = data;

	while (n > 0) {
		la_ssize_t w = archive_write_data(p->a, from, n);

		if (w <= 0 || p->failed < 0)
			return packed(p, ARCHIVE_FATAL, e);
		from += w;
		n -= (size_t)w;
		p->at += (uint64_t)w;
	}
	return 0;
}

static int put_zeros(struct packing *p, uint64_t upto, struct err *e)
{
	uint64_t before = p->total - source_size(p->source);
	int r = 0;

	while (r == 0 && p->at < upto) {
		r = put_bytes(p, zeros, (size_t)MIN_OF(upto - p->at, (uint64_t)ZEROS), e);
		if (r == 0)
			r = go_on(p, before + p->at, e);
	}
	return r;
}

static int put_piece(struct packing *p, uint64_t at, const void *data, size_t n, struct err *e)
{
	int r;

	if (!p->map)
		p->data += n;
	else if (!mapped(p, at, n))
		return err_set(e, -ESTALE, "%s changed while it was read", p->q->from);
	r = put_zeros(p, at, e);
	return r < 0 ? r : put_bytes(p, data, n, e);
}

static int begin_entry(struct packing *p, struct err *e)
{
	struct archive_entry *entry = archive_entry_new();
	int rc;

	if (!entry)
		abort();
	archive_entry_set_filetype(entry, AE_IFREG);
	if (p->map) {
		uint64_t size = source_size(p->source);

		archive_entry_set_pathname(entry, p->q->member);
		archive_entry_set_perm(entry, 0600);
		archive_entry_set_mtime(entry, 0, 0);
		archive_entry_set_size(entry, (la_int64_t)size);
		for (size_t i = 0; i < p->n_map; i++)
			archive_entry_sparse_add_entry(entry, (la_int64_t)p->map[i].at,
						       (la_int64_t)(p->map[i].end - p->map[i].at));
		if (p->n_map == 0) /* all of it is a hole */
			archive_entry_sparse_add_entry(entry, (la_int64_t)size, 0);
	}
	rc = archive_write_header(p->a, entry);
	archive_entry_free(entry);
	return packed(p, rc, e);
}

static int pack(struct packing *p, const struct ending *x, struct err *e)
{
	int r = 0;

	if (x->what == TAR) {
		p->map = xcalloc(pack_map_max, sizeof(*p->map));
		r = each_piece(p, map_piece, e);
	}
	if (r < 0)
		return r;
	p->a = archive_write_new();
	if (!p->a)
		abort();
	r = packed(p,
		   x->what == TAR ? archive_write_set_format_pax(p->a)
				  : archive_write_set_format_raw(p->a),
		   e);
	if (r == 0 && x->filter)
		r = set_filter(p, x->filter, e);
	if (r < 0)
		return r;
	archive_write_set_bytes_per_block(p->a, 0);
	r = packed(p, archive_write_open(p->a, p, NULL, on_write, NULL), e);
	if (r == 0)
		r = begin_entry(p, e);
	if (r == 0)
		r = each_piece(p, put_piece, e);
	if (r == 0)
		r = put_zeros(p, source_size(p->source), e);
	return r < 0 ? r : packed(p, archive_write_close(p->a), e);
}

/* --- a raw image, whose digest is of its zeros too --- */

static int hash_zeros(struct packing *p, uint64_t upto, struct err *e)
{
	int r = 0;

	while (r == 0 && p->at < upto) {
		size_t n = (size_t)MIN_OF(upto - p->at, (uint64_t)ZEROS);

		hash_add(p->hash, zeros, n);
		p->at += n;
		r = go_on(p, p->at, e);
	}
	return r;
}

static int raw_piece(struct packing *p, uint64_t at, const void *data, size_t n, struct err *e)
{
	int r = hash_zeros(p, at, e);

	if (r < 0)
		return r;
	hash_add(p->hash, data, n);
	p->at += n;
	p->data += n;
	return sparse_put(p->sparse, at, data, n, e);
}

static int copy_raw(struct packing *p, struct err *e)
{
	char path[32];
	struct sparse_request q = {.target = path};
	uint64_t written;
	int r;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", newfile_fd(p->file));
	r = sparse_open(&q, &p->sparse, e);
	if (r == 0)
		r = each_piece(p, raw_piece, e);
	if (r == 0)
		r = hash_zeros(p, source_size(p->source), e);
	if (r == 0)
		r = sparse_finish(p->sparse, source_size(p->source), &written, e);
	p->written = p->at;
	if (r < 0 && r != -ECANCELED && r != -ESTALE)
		err_wrap(e, "%s", p->q->to); /* it has no other name yet */
	return r;
}

static int run(struct packing *p, const struct ending *x, struct err *e)
{
	int r = source_open(p->q->from, &p->source, e);

	if (r < 0)
		return r;
	if (p->q->opened)
		p->q->opened(p->q->data);
	if (source_size(p->source) == 0)
		return err_set(e, -EINVAL, "%s is empty", p->q->from);
	p->total = source_size(p->source) * (x->what == TAR ? 2 : 1);
	r = newfile_open(p->q->to, 0600, p->q->replace, &p->file, e);
	if (r < 0)
		return r;
	r = x->what == RAW ? copy_raw(p, e) : pack(p, x, e);
	if (r == 0 && p->q->read)
		r = p->q->read(p->q->data, e);
	return r < 0 ? r : newfile_place(p->file, e);
}

int image_pack(const struct pack_request *q, struct pack_result *ret, struct err *e)
{
	struct packing p = {.q = q, .hash = hash_new(HASH_SHA256)};
	const struct ending *x = ending_of(q->to);
	char digest[HASH_TEXT];
	int r;

	if (x)
		r = run(&p, x, e);
	else
		r = err_set(e, -EINVAL,
			    "'%s' doesn't say what it is to be: .img.zst, .img.gz, .img, .tar.zst, "
			    ".tar.gz and .tar are what its name may end in",
			    q->to);
	p.failed = r;            /* what it still holds isn't written */
	archive_write_free(p.a); /* takes NULL */
	hash_end(p.hash, digest);
	if (r == 0) {
		ret->size = source_size(p.source);
		ret->data = p.data;
		ret->file = p.written;
		snprintf(ret->sha256, sizeof(ret->sha256), "%.64s", digest);
	}
	sparse_free(p.sparse);
	source_free(p.source);
	newfile_free(p.file);
	free(p.map);
	return r;
}
