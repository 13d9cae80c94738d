/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Images, from a web server with faults into files: what arrives, what is left of holes, and what is
 * said and left behind when it goes wrong.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/unit/images.h"

static void every_compression_gives_the_same_sparse_disk(void **state)
{
	static const int filters[] = {
		ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_BZIP2,
		ARCHIVE_FILTER_XZ,   ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_LZ4,
	};

	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		_cleanup_(blob_freep) struct blob b = pack(disk, DISK, filters[i]);
		struct httpd_file f = {.no_length = i % 2};
		struct image_request q = request(&f, b.data, b.n);
		struct image_result r;
		struct stat st;

		assert_int_equal(image_write(&q, &r, NULL), 0);
		assert_int_equal(r.downloaded, b.n);
		assert_int_equal(r.size, DISK);
		assert_int_equal(r.written, DISK_DATA);
		target_is(disk, DISK);
		assert_int_equal(stat(target_path(), &st), 0);
		assert_true((uint64_t)st.st_blocks * 512 <= DISK_DATA + 64 * KIB);
	}
}

static void zeros_behind_it_are_padding(void **state)
{
	static const int filters[] = {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_BZIP2};
	static const char zeros[4096];

	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		_cleanup_(blob_freep) struct blob b = pack(disk, DISK, filters[i]);
		struct httpd_file f = {0};
		struct image_request q;
		struct image_result r;

		blob_write(NULL, &b, zeros, sizeof(zeros));
		q = request(&f, b.data, b.n);
		assert_int_equal(image_write(&q, &r, NULL), 0);
		target_is(disk, DISK);
	}
}

static void two_members_are_one_disk(void **state)
{
	static const int filters[] = {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_ZSTD};

	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		_cleanup_(blob_freep) struct blob a = pack(disk, 2 * MIB, filters[i]);
		_cleanup_(blob_freep) struct blob b =
			pack(disk + 2 * MIB, DISK - 2 * MIB, filters[i]);
		struct httpd_file f = {0};
		struct image_request q;
		struct image_result r;

		blob_write(NULL, &a, b.data, b.n);
		q = request(&f, a.data, a.n);
		assert_int_equal(image_write(&q, &r, NULL), 0);
		target_is(disk, DISK);
	}
}

static bool until_half(void *data)
{
	return (*(int *)data)-- > 0;
}

/* Wherever it stands, and with more to come than fits into the queue. */
static void who_asked_for_it_may_stop_it(void **state)
{
	_cleanup_(freep) char *data = xcalloc(1, 32 * MIB);
	_cleanup_(blob_freep) struct blob zst = {0};

	noise(data, 32 * MIB);
	zst = pack(data, 32 * MIB, ARCHIVE_FILTER_ZSTD);
	for (int i = 0; i < 6; i++) {
		int blocks = i / 2 * 10;
		struct httpd_file f = {0};
		struct image_request q =
			i % 2 ? request(&f, zst.data, zst.n) : request(&f, data, 32 * MIB);
		_cleanup_err_ struct err e = {0};
		struct image_result r;

		q.go_on = until_half;
		q.data = &blocks;
		assert_int_equal(image_write(&q, &r, &e), -ECANCELED);
		assert_string_equal(e.message, "interrupted");
		httpd_serve(NULL);
	}
}

struct asked {
	uint64_t size[2];
	int n;
};

static int note_size(void *data, uint64_t size, struct err *e)
{
	struct asked *a = data;

	assert_true(a->n < 2);
	a->size[a->n++] = size;
	return 0;
}

static struct blob pack_zstd(const char *data, size_t n, bool says_size)
{
	_cleanup_(freep) char *in = xasprintf("%s/in", dir), *out = xasprintf("%s/out.zst", dir);
	_cleanup_(freep) char *command = says_size ? xasprintf("zstd -q -f %s -o %s", in, out)
						   : xasprintf("zstd -q -f -o %s <%s", out, in);
	struct blob b = {0};

	assert_int_equal(file_write(in, data, n, 0600, NULL), 0);
	assert_int_equal(system(command), 0);
	assert_int_equal(file_read(out, 64 * MIB, &b.data, &b.n, NULL), 0);
	b.cap = b.n;
	return b;
}

static struct blob pack_zeros(size_t n, int filter)
{
	_cleanup_(freep) char *data = xcalloc(1, n);

	return pack(data, n, filter);
}

/* The disk, so many zeros, and something else. */
static struct blob pack_behind(int filter, size_t n)
{
	_cleanup_(freep) char *zeros = xcalloc(1, n + 1);
	struct blob b = pack(disk, DISK, filter);

	blob_write(NULL, &b, zeros, n);
	blob_write(NULL, &b, "something", 9);
	return b;
}

static void the_place_is_made_as_large_as_it_is_known_to_be(void **state)
{
	_cleanup_(blob_freep) struct blob xz = pack(disk, DISK, ARCHIVE_FILTER_XZ);
	_cleanup_(blob_freep) struct blob known = pack_zstd(disk, DISK, true);
	_cleanup_(blob_freep) struct blob small = pack_zstd(disk + 4 * MIB, 200, true);
	_cleanup_(blob_freep) struct blob medium = pack_zstd(disk + 4 * MIB, 2000, true);
	_cleanup_(blob_freep) struct blob piped = pack_zstd(disk, DISK, false);
	_cleanup_(blob_freep) struct blob two = pack_zstd(disk, MIB, true);
	_cleanup_(blob_freep) struct blob second = pack_zstd(disk + MIB, DISK - MIB, true);
	const struct {
		const char *story;
		const struct blob *b;
		struct httpd_file f;
		uint64_t first, then;
	} cases[] = {
		{"raw", &(struct blob){disk, DISK, 0}, {0}, DISK, 0},
		{"raw, of unknown length",
		 &(struct blob){disk, DISK, 0},
		 {.no_length = true},
		 IMAGE_MAX,
		 0},
		{"xz", &xz, {0}, IMAGE_MAX, 0},
		{"zstd that says it", &known, {0}, DISK, 0},
		{"zstd that says it in one byte", &small, {0}, 200, 0},
		{"zstd that says it in two bytes", &medium, {0}, 2000, 0},
		{"zstd that doesn't", &piped, {0}, IMAGE_MAX, 0},
		{"zstd in two frames", &two, {0}, MIB, IMAGE_MAX},
	};

	blob_write(NULL, &two, second.data, second.n);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct httpd_file f = cases[i].f;
		struct image_request q = request(&f, cases[i].b->data, cases[i].b->n);
		struct asked asked = {0};
		struct image_result r;

		print_message("  %s\n", cases[i].story);
		q.ready = note_size;
		q.data = &asked;
		assert_int_equal(image_write(&q, &r, NULL), 0);
		assert_int_equal(asked.size[0], cases[i].first);
		assert_int_equal(asked.size[1], cases[i].then);
	}
}

static void a_file_url_and_a_path_with_spaces(void **state)
{
	_cleanup_(freep) char *path = xasprintf("%s/with space.img", dir);
	_cleanup_(freep) char *file = xasprintf("file://%s/with%%20space.img", dir);
	struct httpd_file f = {0};
	struct image_request q = request(&f, disk, DISK);
	struct image_result r;

	assert_int_equal(file_write(path, disk, DISK, 0600, NULL), 0);
	q.url = file;
	assert_int_equal(image_write(&q, &r, NULL), 0);
	target_is(disk, DISK);
}

static void a_broken_connection_is_taken_up_again(void **state)
{
	static const struct {
		const char *story;
		struct httpd_file f;
		bool ranged;
	} cases[] = {
		{"again and again, with ranges",
		 {.drop = 1000 * KIB, .ranges = true, .etag = "\"v1\""},
		 true},
		{"no validator", {.drop = 1000 * KIB, .drop_times = 3, .ranges = true}, true},
		{"a weak validator isn't sent",
		 {.drop = 1000 * KIB, .ranges = true, .etag = "W/\"v1\""},
		 true},
		{"a server without ranges", {.drop = 300 * KIB, .drop_times = 2}, true},
		{"a server that is busy first", {.status = 503, .status_times = 2}, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct httpd_file f = cases[i].f;
		struct image_request q = request(&f, disk, DISK);
		struct image_result r;

		print_message("  %s\n", cases[i].story);
		assert_int_equal(image_write(&q, &r, NULL), 0);
		assert_true(f.requests > 1);
		assert_int_equal(f.ranged > 0, cases[i].ranged);
		if (f.etag && f.etag[0] == '"')
			assert_string_equal(f.if_range, f.etag);
		else
			assert_string_equal(f.if_range, "");
		target_is(disk, DISK);
	}
}

static int once_more(void *data, struct err *e)
{
	(*(int *)data)++;
	return truncate(target_path(), 0);
}

static void what_changes_meanwhile_is_begun_anew(void **state)
{
	static char other[DISK];
	struct httpd_file f = {.drop = MIB,
			       .drop_times = 1,
			       .ranges = true,
			       .etag = "\"v1\"",
			       .etag_then = "\"v2\"",
			       .then = disk};
	struct image_request q;
	struct image_result r;
	int again = 0;

	memset(other, 'x', sizeof(other));
	q = request(&f, other, DISK);
	q.sha256 = digest_of(disk, DISK);
	q.again = once_more;
	q.data = &again;
	assert_int_equal(image_write(&q, &r, NULL), 0);
	assert_int_equal(again, 1);
	assert_int_equal(r.written, DISK_DATA);
	target_is(disk, DISK);
}

static void mirrors_are_tried_in_order(void **state)
{
	static const char *const mirrors[] = {"file:///nonexistent/x", NULL,
					      "file:///nonexistent/y"};
	_cleanup_(freep) char *path = xasprintf("%s/mirror.img", dir);
	_cleanup_(freep) char *mirror = xasprintf("file://%s", path);
	static char other[DISK];
	const char *list[3] = {mirrors[0], mirror, mirrors[2]};
	struct {
		const char *story;
		struct httpd_file f;
		const char *data;
		size_t n_mirrors;
		int code;
		const char *says, *help;
	} cases[] = {
		{"the url is gone", {.status = 404, .status_times = 99}, disk, 2, 0, NULL, NULL},
		{"the url breaks off for good: the mirror goes on where it was",
		 {.drop = 2 * MIB, .drop_times = 1, .status = 404, .then_status = 404},
		 disk,
		 2,
		 0,
		 NULL,
		 NULL},
		{"the url gives another file", {0}, other, 2, 0, NULL, NULL},
		{"nothing helps",
		 {.status = 404, .status_times = 99},
		 disk,
		 1,
		 -ENOENT,
		 "disk.img: not found",
		 "no mirror helped; of the last: open /nonexistent/x"},
		{"another file, and no mirror is there",
		 {0},
		 other,
		 1,
		 -EBADMSG,
		 "is not the file asked for",
		 "no mirror helped"},
	};

	memset(other, 'x', sizeof(other));
	assert_int_equal(file_write(path, disk, DISK, 0600, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct image_request q = request(&cases[i].f, cases[i].data, DISK);
		_cleanup_err_ struct err e = {0};
		struct image_result r;

		print_message("  %s\n", cases[i].story);
		q.sha256 = digest_of(disk, DISK);
		q.mirrors = list;
		q.n_mirrors = cases[i].n_mirrors;
		assert_int_equal(image_write(&q, &r, &e), cases[i].code);
		if (cases[i].code == 0) {
			assert_int_equal(r.written, DISK_DATA);
			assert_int_equal(r.downloaded, DISK);
			target_is(disk, DISK);
			continue;
		}
		print_message("    %s (%s)\n", e.message, e.help);
		assert_non_null(strstr(e.message, cases[i].says));
		assert_non_null(strstr(e.help, cases[i].help));
	}
}

static void sha512_is_as_good(void **state)
{
	struct httpd_file f = {0};
	struct image_request q = request(&f, disk, DISK);
	struct hash *h = hash_new(HASH_SHA512);
	_cleanup_err_ struct err e = {0};
	struct image_result r;
	char digest[HASH_TEXT];

	hash_add(h, disk, DISK);
	hash_end(h, digest);
	q.sha256 = NULL;
	q.sha512 = digest;
	assert_int_equal(image_write(&q, &r, NULL), 0);
	digest[0] = digest[0] == 'a' ? 'b' : 'a';
	target();
	assert_int_equal(image_write(&q, &r, &e), -EBADMSG);
	assert_non_null(strstr(e.message, "its sha512 is"));
}

static void a_sparse_file_keeps_its_holes(void **state)
{
	_cleanup_(freep) char *path = xasprintf("%s/sparse.img", dir);
	_cleanup_(freep) char *file = xasprintf("file://%s", path);
	struct httpd_file f = {0};
	struct image_request q = request(&f, disk, DISK);
	struct image_result r;

	write_sparse(path);
	q.url = file;
	assert_int_equal(image_write(&q, &r, NULL), 0);
	assert_int_equal(r.downloaded, DISK);
	assert_int_equal(r.written, DISK_DATA);
	target_is(disk, DISK);
}

/* Of a thin volume only chunks with data are to be mapped; a loop device's file shows what was written. */
static void of_a_device_only_chunks_with_data_are_written(void **state)
{
	_cleanup_(freep) char *backing = xasprintf("%s/backing", dir);
	_cleanup_(freep) char *name = xasprintf("%s/loop", dir);
	_cleanup_(freep) char *attach =
		xasprintf("truncate -s 6M %s && losetup --show -f %s >%s 2>/dev/null", backing,
			  backing, name);
	_cleanup_(freep) char *detach = NULL, *device = NULL, *is = NULL;
	struct httpd_file f = {0};
	struct image_request q = request(&f, disk, DISK);
	struct image_result r;
	struct stat st;
	size_t n;

	if (geteuid() != 0 || system(attach) != 0)
		skip();
	assert_int_equal(file_read(name, 64, &device, &n, NULL), 0);
	device[strcspn(device, "\n")] = '\0';
	detach = xasprintf("losetup -d %s", device);
	q.target = device;
	assert_int_equal(image_write(&q, &r, NULL), 0);
	assert_int_equal(system(detach), 0);
	/* A MiB, two whole chunks, and the ragged end in whole sectors. */
	assert_int_equal(r.written, MIB + 2 * 64 * KIB + 1024);
	assert_int_equal(file_read(backing, 64 * MIB, &is, &n, NULL), 0);
	assert_memory_equal(is, disk, DISK);
	assert_int_equal(stat(backing, &st), 0);
	assert_true((uint64_t)st.st_blocks * 512 <= MIB + 3 * 64 * KIB);
}

static void a_file_system_that_is_full_is_told(void **state)
{
	_cleanup_(freep) char *path = xasprintf("%s/small", dir);
	_cleanup_(freep) char *file = xasprintf("%s/target", path);
	struct httpd_file f = {0};
	struct image_request q = request(&f, disk, DISK);
	_cleanup_err_ struct err e = {0};
	struct image_result r;
	int fd;

	mkdir(path, 0700);
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("small", path, "tmpfs", 0, "size=512k") < 0)
		skip();
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	q.target = file;
	assert_int_equal(image_write(&q, &r, &e), -ENOSPC);
	print_message("    %s\n", e.message);
	umount(path);
}

static int count_ready(void *data, uint64_t size, struct err *e)
{
	(*(int *)data)++;
	return 0;
}

static int no_room(void *data, uint64_t size, struct err *e)
{
	return err_set(e, -ENOSPC, "the pool is full");
}

static void what_goes_wrong_is_one_clear_error(void **state)
{
	_cleanup_(blob_freep) struct blob gz = pack(disk, DISK, ARCHIVE_FILTER_GZIP);
	_cleanup_(blob_freep) struct blob xz = pack(disk, DISK, ARCHIVE_FILTER_XZ);
	_cleanup_(blob_freep) struct blob zst = pack(disk, DISK, ARCHIVE_FILTER_ZSTD);
	_cleanup_(blob_freep) struct blob bz2 = pack(disk, DISK, ARCHIVE_FILTER_BZIP2);
	_cleanup_(blob_freep) struct blob lz4 = pack(disk, DISK, ARCHIVE_FILTER_LZ4);
	_cleanup_(blob_freep) struct blob zeros = pack_zeros(64 * MIB, ARCHIVE_FILTER_ZSTD);
	_cleanup_(blob_freep) struct blob none = pack("", 0, ARCHIVE_FILTER_GZIP);
	_cleanup_(blob_freep) struct blob behind = pack_behind(ARCHIVE_FILTER_ZSTD, 0);
	_cleanup_(blob_freep) struct blob far_behind = pack_behind(ARCHIVE_FILTER_GZIP, MIB);
	static const char html[] = "\n<!DOCTYPE HTML><html><body>Please log in</body></html>";
	static const char qcow2[] = "QFI\xfb\0\0\0\3 and so on", zip[] = "PK\x03\x04 and so on";
	const struct {
		const char *story;
		struct httpd_file f;
		const char *data;
		size_t n;
		struct image_request q; /* of it: url, sha256, format, max_size, room, ready */
		int code;
		const char *says;
		bool untouched; /* the target wasn't even opened */
	} cases[] = {
		{"another file",
		 {0},
		 disk,
		 DISK,
		 {.sha256 = "00000000000000000000000000000000000000000000000000000000000000aa"},
		 -EBADMSG,
		 "is not the file asked for: its sha256 is ",
		 false},
		{"another file, which can't be decompressed either",
		 {0},
		 gz.data,
		 gz.n / 2,
		 {.sha256 = "00000000000000000000000000000000000000000000000000000000000000aa"},
		 -EBADMSG,
		 "is not the file asked for",
		 false},
		{"gzip, published truncated",
		 {0},
		 gz.data,
		 gz.n / 2,
		 {0},
		 -EILSEQ,
		 "decompressed",
		 false},
		{"xz, published truncated",
		 {0},
		 xz.data,
		 xz.n / 2,
		 {0},
		 -EILSEQ,
		 "decompressed",
		 false},
		{"zstd, published truncated",
		 {0},
		 zst.data,
		 zst.n / 2,
		 {0},
		 -EILSEQ,
		 "decompressed",
		 false},
		{"bzip2, published truncated",
		 {0},
		 bz2.data,
		 bz2.n - 1000,
		 {0},
		 -EILSEQ,
		 "decompressed",
		 false},
		{"lz4, published truncated",
		 {0},
		 lz4.data,
		 lz4.n - 1000,
		 {0},
		 -EILSEQ,
		 "decompressed",
		 false},
		{"lz4 without its end",
		 {0},
		 lz4.data,
		 lz4.n - 8,
		 {0},
		 -EILSEQ,
		 "decompressed",
		 false},
		{"a web page",
		 {.type = "text/html"},
		 html,
		 sizeof(html) - 1,
		 {0},
		 -EILSEQ,
		 "web page",
		 true},
		{"a qcow2 image", {0}, qcow2, sizeof(qcow2), {0}, -EILSEQ, "qcow2", true},
		{"a zip archive", {0}, zip, sizeof(zip), {0}, -EILSEQ, "a zip archive", true},
		{"a tar archive that isn't one",
		 {0},
		 disk,
		 DISK,
		 {.format = IMAGE_TAR},
		 -EMEDIUMTYPE,
		 "`format` says tar, but it is a raw image",
		 true},
		{"a raw image that isn't one",
		 {0},
		 qcow2,
		 sizeof(qcow2),
		 {.format = IMAGE_RAW},
		 -EMEDIUMTYPE,
		 "`format` says raw, but it is a qcow2 image",
		 true},
		{"zeros, as long as allowed and one more",
		 {0},
		 zeros.data,
		 zeros.n,
		 {.max_size = 64 * MIB - 1},
		 -EFBIG,
		 "larger than it may be",
		 false},
		{"nothing, packed", {0}, none.data, none.n, {0}, -EILSEQ, "is empty", true},
		{"zstd with something behind it",
		 {0},
		 behind.data,
		 behind.n,
		 {0},
		 -EILSEQ,
		 "can't be decompressed",
		 false},
		{"gzip with something far behind it",
		 {0},
		 far_behind.data,
		 far_behind.n,
		 {0},
		 -EILSEQ,
		 "something else stands behind its end",
		 false},
		{"nothing", {0}, "", 0, {0}, -EILSEQ, "is empty", true},
		{"not there",
		 {.status = 404, .status_times = 99},
		 disk,
		 DISK,
		 {0},
		 -ENOENT,
		 "not found",
		 true},
		{"not allowed",
		 {.status = 403, .status_times = 99},
		 disk,
		 DISK,
		 {0},
		 -EACCES,
		 "403",
		 true},
		{"never well",
		 {.status = 503, .status_times = 99},
		 disk,
		 DISK,
		 {0},
		 -EIO,
		 "503",
		 true},
		{"always cut at the start",
		 {.drop = 1},
		 disk,
		 DISK,
		 {0},
		 -EIO,
		 "broken off after 1 of",
		 true},
		{"a bomb",
		 {0},
		 gz.data,
		 gz.n,
		 {.max_size = DISK - 1},
		 -EFBIG,
		 "larger than it may be",
		 false},
		{"as large as allowed, but too much data",
		 {0},
		 gz.data,
		 gz.n,
		 {.max_size = DISK, .room = DISK_DATA - 1},
		 -ENOSPC,
		 "room",
		 false},
		{"the place can't be made",
		 {0},
		 disk,
		 DISK,
		 {.ready = no_room},
		 -ENOSPC,
		 "pool is full",
		 true},
		{"a redirect to a file",
		 {.location = "file:///etc/passwd"},
		 disk,
		 DISK,
		 {.url = "/redirect"},
		 -EIO,
		 "file",
		 true},
		{"no such scheme",
		 {0},
		 disk,
		 DISK,
		 {.url = "gopher://127.0.0.1/x"},
		 -EINVAL,
		 "neither",
		 true},
		{"no such file",
		 {0},
		 disk,
		 DISK,
		 {.url = "file:///nonexistent/x"},
		 -ENOENT,
		 "/nonexistent/x",
		 true},
		{"a folder",
		 {0},
		 disk,
		 DISK,
		 {.url = "file:///etc"},
		 -EINVAL,
		 "not a regular file",
		 true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct httpd_file f = cases[i].f;
		struct image_request q = request(&f, cases[i].data, cases[i].n);
		_cleanup_(freep) char *redirect = NULL;
		_cleanup_err_ struct err e = {0};
		struct image_result r = {.size = 77};
		int ready = 0;
		struct stat st;

		print_message("  %s\n", cases[i].story);
		q.max_size = cases[i].q.max_size;
		q.format = cases[i].q.format;
		q.room = cases[i].q.room;
		q.ready = cases[i].q.ready ? cases[i].q.ready : count_ready;
		q.data = &ready;
		if (cases[i].q.sha256)
			q.sha256 = cases[i].q.sha256;
		if (cases[i].q.url && cases[i].q.url[0] == '/')
			q.url = redirect = xasprintf("%.*s%s", (int)(strrchr(url, '/') - url), url,
						     cases[i].q.url);
		else if (cases[i].q.url)
			q.url = cases[i].q.url;
		assert_int_equal(image_write(&q, &r, &e), cases[i].code);
		print_message("    %s\n", e.message);
		assert_non_null(strstr(e.message, cases[i].says));
		assert_int_equal(r.size, 77);
		assert_int_equal(ready, !cases[i].untouched);
		assert_int_equal(stat(target_path(), &st), 0);
		if (cases[i].untouched)
			assert_int_equal(st.st_size, 0);
	}
}

static void a_target_that_is_full_already_is_refused(void **state)
{
	struct httpd_file f = {0};
	struct image_request q = request(&f, disk, DISK);
	_cleanup_err_ struct err e = {0};
	struct image_result r;

	assert_int_equal(image_write(&q, &r, NULL), 0);
	assert_int_equal(image_write(&q, &r, &e), -EEXIST);
}

static void nobody_listens(void **state)
{
	struct httpd_file f = {0};
	struct image_request q = request(&f, disk, DISK);
	_cleanup_err_ struct err e = {0};
	struct image_result r;

	q.url = "http://operator:secret@127.0.0.1:9/disk.img";
	assert_int_equal(image_write(&q, &r, &e), -EIO);
	print_message("    %s\n", e.message);
	assert_null(strstr(e.message, "secret"));
}

static void seen(void *data, uint64_t done, uint64_t total)
{
	uint64_t *last = data;

	assert_true(done >= last[0] && done <= DISK);
	last[0] = done;
	last[1] = total;
}

static void progress_is_told(void **state)
{
	struct httpd_file f = {0};
	struct image_request q = request(&f, disk, DISK);
	uint64_t last[2] = {0};
	struct image_result r;

	q.progress = seen;
	q.data = last;
	assert_int_equal(image_write(&q, &r, NULL), 0);
	assert_int_equal(last[0], DISK);
	assert_int_equal(last[1], DISK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_compression_gives_the_same_sparse_disk),
		cmocka_unit_test(who_asked_for_it_may_stop_it),
		cmocka_unit_test(zeros_behind_it_are_padding),
		cmocka_unit_test(two_members_are_one_disk),
		cmocka_unit_test(the_place_is_made_as_large_as_it_is_known_to_be),
		cmocka_unit_test(a_file_url_and_a_path_with_spaces),
		cmocka_unit_test(a_broken_connection_is_taken_up_again),
		cmocka_unit_test(what_changes_meanwhile_is_begun_anew),
		cmocka_unit_test(mirrors_are_tried_in_order),
		cmocka_unit_test(sha512_is_as_good),
		cmocka_unit_test(a_sparse_file_keeps_its_holes),
		cmocka_unit_test(of_a_device_only_chunks_with_data_are_written),
		cmocka_unit_test(a_file_system_that_is_full_is_told),
		cmocka_unit_test(what_goes_wrong_is_one_clear_error),
		cmocka_unit_test(a_target_that_is_full_already_is_refused),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(progress_is_told),
	};

	return cmocka_run_group_tests(tests, images_begin, images_end);
}
