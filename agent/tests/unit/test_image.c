/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Images, from a web server with faults into files: what arrives, what is left of holes, and what is
 * said and left behind when it goes wrong.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/unit/images.h"

static void target_is(const char *data, size_t n)
{
	_cleanup_(freep) char *is = NULL;
	size_t n_is;

	assert_int_equal(file_read(target_path(), 64 * MIB, &is, &n_is, NULL), 0);
	assert_int_equal(n_is, n);
	assert_memory_equal(is, data, n);
}

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
	static const char html[] = "\n<!DOCTYPE HTML><html><body>Please log in</body></html>";
	static const char qcow2[] = "QFI\xfb\0\0\0\3 and so on";
	const struct {
		const char *story;
		struct httpd_file f;
		const char *data;
		size_t n;
		struct image_request q; /* of it: url, sha256, max_size, room, ready */
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
		{"a qcow2 image", {0}, qcow2, sizeof(qcow2), {0}, -EILSEQ, "qcow2", false},
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
		{"changed meanwhile",
		 {.drop = MIB, .ranges = true, .etag = "\"v1\"", .etag_then = "\"v2\""},
		 disk,
		 DISK,
		 {0},
		 -ESTALE,
		 "changed while it was fetched",
		 false},
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
		cmocka_unit_test(two_members_are_one_disk),
		cmocka_unit_test(the_place_is_made_as_large_as_it_is_known_to_be),
		cmocka_unit_test(a_file_url_and_a_path_with_spaces),
		cmocka_unit_test(a_broken_connection_is_taken_up_again),
		cmocka_unit_test(what_goes_wrong_is_one_clear_error),
		cmocka_unit_test(a_target_that_is_full_already_is_refused),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(progress_is_told),
	};

	return cmocka_run_group_tests(tests, images_begin, images_end);
}
