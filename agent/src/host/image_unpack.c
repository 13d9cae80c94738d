/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Unpacking by libarchive's filters. What isn't packed passes by, with its holes.
 */
#include "host/image_unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>

#include "base/num.h"
#include "host/image_format.h"
#include "host/image_sparse.h"

#define PACKED     512u
#define TAIL       64u /* as much as filters look ahead for another member */
#define ZEROS      65536u
#define WINDOW_MAX (UINT64_C(128) << 20) /* what zstd -d takes without being told */

enum packing { NOT_PACKED, GZIP, BZIP2, XZ, ZSTD, LZ4 };

struct unpack {
	struct unpack_request q;
	struct block *b; /* the one at hand */
	size_t n_block;  /* how much there was in it */
	bool ended, stopped;
	uint64_t taken;

	struct archive *a;
	enum packing packing;
	char packed[PACKED];
	size_t n_packed;
	char tail[TAIL]; /* the last bytes so far */

	char *head;      /* read ahead to tell what it is; handed out first */
	size_t n_head;
	bool head_given;
	const void *piece; /* that ended the reading ahead, not in `head` */
	size_t n_piece;
	uint64_t hole;
};

static const char zeros[ZEROS];

static void done_with_block(struct unpack *u)
{
	if (u->b)
		queue_back(u->q.from, u->b);
	u->b = NULL;
}

/* The next block, in place of the one at hand: 1, 0 at the end, or -ECANCELED. */
static int next_block(struct unpack *u)
{
	struct block *b;

	done_with_block(u);
	if (u->ended)
		return u->stopped ? -ECANCELED : 0;
	b = queue_take(u->q.from);
	if (!b) {
		u->ended = true;
		return *u->q.failed < 0 ? -ECANCELED : 0;
	}
	u->b = b;
	u->n_block = b->n;
	u->taken += b->n + b->hole;
	if (u->q.taken && !u->q.taken(u->q.data, u->taken)) {
		done_with_block(u);
		u->ended = u->stopped = true;
		return -ECANCELED;
	}
	if (u->n_packed < PACKED) {
		size_t n = MIN_OF(b->n, PACKED - u->n_packed);

		memcpy(u->packed + u->n_packed, b->data, n);
		u->n_packed += n;
	}
	if (b->n >= sizeof(u->tail)) {
		memcpy(u->tail, b->data + b->n - sizeof(u->tail), sizeof(u->tail));
	} else {
		memmove(u->tail, u->tail + b->n, sizeof(u->tail) - b->n);
		memcpy(u->tail + sizeof(u->tail) - b->n, b->data, b->n);
	}
	return 1;
}

/* For libarchive: blocks as they are; a hole in them is rare, and read as zeros. */
static la_ssize_t on_read(struct archive *a, void *data, const void **ret)
{
	struct unpack *u = data;
	size_t n;

	while (!u->b || (u->b->n == 0 && u->b->hole == 0)) {
		int r = next_block(u);

		if (r <= 0) {
			if (r < 0)
				archive_set_error(a, ECANCELED, "fetching failed");
			return r;
		}
	}
	if (u->b->n > 0) {
		n = u->b->n;
		*ret = u->b->data;
		u->b->n = 0; /* handed out; it stays until the next call */
		return (la_ssize_t)n;
	}
	n = (size_t)MIN_OF(u->b->hole, (uint64_t)ZEROS);
	u->b->hole -= n;
	*ret = zeros;
	return (la_ssize_t)n;
}

static uint64_t little_endian(const char *p, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | (unsigned char)p[n];
	return v;
}

/* A zstd frame's header (RFC 8878, 3.1.1.1): how much comes out, 0 where it doesn't say, and how much of
 * it unpacking has to remember. */
static uint64_t zstd_size(const struct unpack *u, uint64_t *ret_window)
{
	static const size_t dictionary[] = {0, 1, 2, 4}, content[] = {0, 2, 4, 8};
	unsigned char flags, window;
	uint64_t size;
	size_t at, n;

	*ret_window = 0;
	if (u->packing != ZSTD || u->n_packed < 18)
		return 0;
	flags = (unsigned char)u->packed[4];
	window = (unsigned char)u->packed[5];
	at = 5 + !(flags & 0x20) + dictionary[flags & 3];
	n = content[flags >> 6];
	if (n == 0 && (flags & 0x20))
		n = 1;
	size = little_endian(u->packed + at, n) + (n == 2 ? 256 : 0);
	*ret_window = flags & 0x20
			      ? size
			      : ((UINT64_C(1) << (10 + (window >> 3))) / 8) * (8 + (window & 7));
	return size;
}

/* The dictionary of an xz stream's first block (xz-file-format.txt, 3.1 and 5.3.1), where LZMA2 is its
 * only filter. */
static uint64_t xz_window(const struct unpack *u)
{
	const unsigned char *p = (const unsigned char *)u->packed + 12;
	size_t at = 2;
	unsigned bits;

	if (u->packing != XZ || u->n_packed < 64 || (p[1] & 3) != 0)
		return 0;
	for (unsigned sizes = (p[1] >> 6 & 1u) + (p[1] >> 7); sizes > 0; sizes--) {
		while (at < 24 && p[at] & 0x80)
			at++;
		at++;
	}
	if (p[at] != 0x21 || p[at + 1] != 1)
		return 0;
	bits = p[at + 2] & 63;
	return bits > 40    ? 0
	       : bits == 40 ? UINT32_MAX
			    : (UINT64_C(2) | (bits & 1)) << (bits / 2 + 11);
}

static enum packing packing_of(const struct unpack *u)
{
	static const struct {
		const char *magic;
		size_t n;
		enum packing is;
	} known[] = {
		{"\x1f\x8b", 2, GZIP},
		{"BZh", 3, BZIP2},
		{"\xfd"
		 "7zXZ\0",
		 6, XZ},
		{"\x28\xb5\x2f\xfd", 4, ZSTD},
		{"\x04\x22\x4d\x18", 4, LZ4},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (u->n_packed >= known[i].n && memcmp(u->packed, known[i].magic, known[i].n) == 0)
			return known[i].is;
	return NOT_PACKED;
}

/* Fetching broke off, which its owner says better, or it is broken itself. */
static int broken(struct unpack *u, struct err *e)
{
	const char *why = archive_error_string(u->a);

	if (u->stopped || (u->ended && *u->q.failed < 0))
		return -ECANCELED;
	return err_set(e, -EILSEQ, "it can't be decompressed: %s", why ? why : "broken");
}

/* libarchive takes the end of the input for the end of an lz4 frame. Its end mark is four zeros, perhaps
 * with a checksum behind it (lz4_Frame_format.md, "EndMark"). */
static bool lz4_cut_short(const struct unpack *u)
{
	static const char mark[4] = {0};

	return u->packing == LZ4 && memcmp(u->tail + TAIL - 8, mark, 4) != 0 &&
	       memcmp(u->tail + TAIL - 4, mark, 4) != 0;
}

/* What stands behind the end must be zeros, with which some pad: anything else was meant to be read, and
 * libarchive passes it over in silence. It has looked ahead for another member: the block may be gone. */
static int look_behind(struct unpack *u, struct err *e)
{
	uint64_t used = (uint64_t)archive_filter_bytes(u->a, -1);
	size_t behind =
		u->taken > used ? (size_t)MIN_OF(u->taken - used, (uint64_t)BLOCK_BYTES) : 0;
	size_t n = MIN_OF(behind, u->b ? u->n_block : TAIL);
	bool zero = sparse_zeros(u->b ? u->b->data + u->n_block - n : u->tail + TAIL - n, n);
	int r = 1;

	while (zero && (r = next_block(u)) > 0)
		zero = sparse_zeros(u->b->data, u->b->n);
	if (r < 0)
		return r;
	return zero ? 0
		    : err_set(e, -EILSEQ,
			      "it can't be decompressed: something else stands behind its end");
}

static int read_packed(struct unpack *u, const void **ret, size_t *ret_n, struct err *e)
{
	la_int64_t at;
	int rc;

	*ret_n = 0;
	do
		rc = archive_read_data_block(u->a, ret, ret_n, &at);
	while (rc >= ARCHIVE_WARN && rc != ARCHIVE_EOF && *ret_n == 0);
	if (rc == ARCHIVE_EOF) {
		*ret_n = 0;
		if (lz4_cut_short(u))
			return err_set(e, -EILSEQ, "it can't be decompressed: truncated lz4 input");
		return look_behind(u, e);
	}
	return rc < ARCHIVE_WARN ? broken(u, e) : 0;
}

static int read_plain(struct unpack *u, const void **ret, size_t *ret_n, uint64_t *ret_hole)
{
	int r = next_block(u);

	*ret_n = 0;
	if (r <= 0)
		return r;
	*ret = u->b->data;
	*ret_n = u->b->n;
	*ret_hole = u->b->hole;
	return 0;
}

static int read_any(struct unpack *u, const void **ret, size_t *ret_n, uint64_t *ret_hole,
		    struct err *e)
{
	*ret_hole = 0;
	return u->a ? read_packed(u, ret, ret_n, e) : read_plain(u, ret, ret_n, ret_hole);
}

/* Reads ahead: `head` grows until it is long enough, or a piece that is so by itself stays outside. */
static int read_head(struct unpack *u, struct err *e)
{
	while (u->n_head < FORMAT_HEAD && u->hole == 0) {
		const void *p;
		size_t n;
		int r = read_any(u, &p, &n, &u->hole, e);

		if (r < 0)
			return r;
		if (u->n_head == 0 && n >= FORMAT_HEAD) {
			u->piece = p;
			u->n_piece = n;
			return 0;
		}
		if (n == 0 && u->hole == 0)
			return 0;
		u->head = xrealloc(u->head, u->n_head + n + 1, 1);
		memcpy(u->head + u->n_head, p, n);
		u->n_head += n;
	}
	return 0;
}

static int begin_packed(struct unpack *u, struct err *e)
{
	static int (*const support[])(struct archive *) = {
		[GZIP] = archive_read_support_filter_gzip,
		[BZIP2] = archive_read_support_filter_bzip2,
		[XZ] = archive_read_support_filter_xz,
		[ZSTD] = archive_read_support_filter_zstd,
		[LZ4] = archive_read_support_filter_lz4,
	};
	struct archive_entry *entry;
	uint64_t window = 0;
	char size[NUM_TEXT], most[NUM_TEXT];

	zstd_size(u, &window);
	window = MAX_OF(window, xz_window(u));
	if (window > WINDOW_MAX) {
		err_help(e, "compress it without --ultra and --long");
		return err_set(e, -EILSEQ,
			       "decompressing it takes %s of memory, more than it may (%s)",
			       num_size(size, window), num_size(most, WINDOW_MAX));
	}
	u->a = archive_read_new();
	if (!u->a)
		abort();
	/* This one alone: with all of them it would unpack what is packed within, whose memory nobody
	 * has looked at. */
	support[u->packing](u->a);
	archive_read_support_format_raw(u->a);
	if (archive_read_open(u->a, u, NULL, on_read, NULL) == ARCHIVE_OK &&
	    archive_read_next_header(u->a, &entry) == ARCHIVE_OK &&
	    archive_filter_count(u->a) > 1) /* else its header is too short for that filter */
		return 0;
	if (u->stopped || (u->ended && *u->q.failed < 0))
		return -ECANCELED;
	/* No bytes are of no format, not even the raw one; libarchive says no more of why. */
	return err_set(e, -EILSEQ,
		       "it can't be decompressed: it is empty, or broken at its beginning");
}

int unpack_open(const struct unpack_request *q, struct unpack **ret, struct err *e)
{
	struct unpack *u = xcalloc(1, sizeof(*u));
	int r;

	*ret = u;
	u->q = *q;
	r = next_block(u);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(e, -EILSEQ, "it is empty");
	u->packing = q->as_is ? NOT_PACKED : packing_of(u);
	if (u->packing != NOT_PACKED) {
		r = begin_packed(u, e);
		return r < 0 ? r : read_head(u, e);
	}
	u->piece = u->b->data;
	u->n_piece = u->b->n;
	u->hole = u->b->hole;
	return 0;
}

int unpack_read(struct unpack *u, const void **ret, size_t *ret_n, uint64_t *ret_hole,
		struct err *e)
{
	if (!u->head_given && (u->n_head || u->n_piece || u->hole)) {
		u->head_given = true;
		*ret = u->n_head ? u->head : u->piece;
		*ret_n = u->n_head ? u->n_head : u->n_piece;
		*ret_hole = u->hole;
		return 0;
	}
	u->head_given = true;
	return read_any(u, ret, ret_n, ret_hole, e);
}

const char *unpack_head(const struct unpack *u, size_t *ret_n)
{
	*ret_n = u->n_head ? u->n_head : u->n_piece;
	return u->n_head ? u->head : u->piece;
}

const char *unpack_packed(const struct unpack *u, size_t *ret_n)
{
	*ret_n = u->n_packed;
	return u->packed;
}

bool unpack_is_packed(const struct unpack *u)
{
	return u->packing != NOT_PACKED;
}

uint64_t unpack_size(const struct unpack *u)
{
	uint64_t window;

	return zstd_size(u, &window);
}

void unpack_rest(struct unpack *u)
{
	while (next_block(u) > 0)
		;
}

void unpack_free(struct unpack *u)
{
	if (!u)
		return;
	archive_read_free(u->a); /* takes NULL */
	done_with_block(u);
	free(u->head);
	free(u);
}

void unpack_freep(struct unpack **u)
{
	unpack_free(*u);
}
