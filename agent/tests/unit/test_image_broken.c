/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Images that were published broken, with the digest that they have: cut off anywhere, far larger than they
 * seem, or something else within what they are packed in.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/unit/images.h"

static const struct {
	const char *name;
	int filter;
} packings[] = {
	{"gzip", ARCHIVE_FILTER_GZIP}, {"bzip2", ARCHIVE_FILTER_BZIP2}, {"xz", ARCHIVE_FILTER_XZ},
	{"zstd", ARCHIVE_FILTER_ZSTD}, {"lz4", ARCHIVE_FILTER_LZ4},
};

/* What a command in the test's folder leaves in the file `out`. */
static struct blob made(const char *words)
{
	_cleanup_(freep) char *command = xasprintf("cd %s && rm -f out && %s", dir, words);
	_cleanup_(freep) char *out = xasprintf("%s/out", dir);
	struct blob b = {0};

	assert_int_equal(system(command), 0);
	assert_int_equal(file_read(out, 64 * MIB, &b.data, &b.n, NULL), 0);
	b.cap = b.n;
	return b;
}

static int begin(void **state)
{
	_cleanup_(freep) char *path = NULL;

	if (images_begin(state) < 0)
		return -1;
	path = xasprintf("%s/root.img", dir);
	write_sparse(path);
	return 0;
}

/* Cut after `n` bytes. */
static void is_no_image(const char *name, const struct blob *b, size_t n)
{
	struct httpd_file f = {0};
	struct image_request q = request(&f, b->data, n);
	struct image_result r = {.size = 77};
	_cleanup_err_ struct err e = {0};
	int code = image_write(&q, &r, &e);

	if (code != -EILSEQ)
		print_message("  %s, %zu of %zu bytes: %s\n", name, n, b->n,
			      code < 0 ? e.message : "taken for a whole image");
	assert_int_equal(code, -EILSEQ);
	assert_int_equal(r.size, 77);
	assert_non_null(strstr(e.message, url));
}

/* At its first bytes and its last, where headers and check sums are, and here and there between. */
static void cut_off_anywhere_it_is_no_image(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(packings); i++) {
		_cleanup_(blob_freep) struct blob b = pack(disk, DISK, packings[i].filter);

		for (size_t n = 1; n <= 40; n++)
			is_no_image(packings[i].name, &b, n);
		for (size_t n = 1; n < 12; n++)
			is_no_image(packings[i].name, &b, b.n / 12 * n);
		for (size_t n = b.n - 20; n < b.n; n++)
			is_no_image(packings[i].name, &b, n);
	}
}

/* The end of the first of two members is a good place to stop, but for the digest; within the second none is. */
static void cut_off_in_the_second_member_it_is_no_image(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(packings); i++) {
		_cleanup_(blob_freep) struct blob a = pack(disk, 2 * MIB, packings[i].filter);
		_cleanup_(blob_freep) struct blob b =
			pack(disk + 2 * MIB, DISK - 2 * MIB, packings[i].filter);
		size_t first = a.n;

		blob_write(NULL, &a, b.data, b.n);
		for (size_t n = first + 8; n < a.n; n += b.n / 9)
			is_no_image(packings[i].name, &a, n);
		is_no_image(packings[i].name, &a, a.n - 1);
	}
}

/* Packed zeros cost whoever offers them nothing; what may come out is a limit in each packing, and nothing
 * is mapped or allocated meanwhile. */
static void a_bomb_goes_off_at_its_limit(void **state)
{
	_cleanup_(freep) char *zeros = xcalloc(1, 64 * MIB);

	for (size_t i = 0; i < ARRAY_SIZE(packings); i++) {
		_cleanup_(blob_freep) struct blob b = pack(zeros, 64 * MIB, packings[i].filter);
		struct httpd_file f = {0};
		struct image_request q = request(&f, b.data, b.n);
		_cleanup_err_ struct err e = {0};
		struct image_result r;
		struct stat st;

		print_message("  %s: %zu bytes become 64 MiB\n", packings[i].name, b.n);
		q.max_size = 64 * MIB - 1;
		assert_int_equal(image_write(&q, &r, &e), -EFBIG);
		assert_non_null(strstr(e.message, "larger than it may be"));
		assert_int_equal(stat(target_path(), &st), 0);
		assert_int_equal(st.st_blocks, 0);
		target();
		q.max_size = 64 * MIB;
		assert_int_equal(image_write(&q, &r, NULL), 0);
	}
}

/* Begun anew a few times, and no more. */
static void a_file_that_never_stays_the_same_is_given_up(void **state)
{
	struct httpd_file f = {.drop = MIB, .ranges = true, .etag_each = true};
	struct image_request q = request(&f, disk, DISK);
	struct image_result r = {.size = 77};
	_cleanup_err_ struct err e = {0};

	assert_int_equal(image_write(&q, &r, &e), -ESTALE);
	print_message("    %s\n", e.message);
	assert_int_equal(f.requests, 6);
	assert_int_equal(r.size, 77);
	f = (struct httpd_file){.data = disk, .n = DISK};
	q.target = target();
	assert_int_equal(image_write(&q, &r, NULL), 0);
	target_is(disk, DISK);
}

static void what_isnt_what_it_seems_is_one_clear_error(void **state)
{
	static const struct {
		const char *story, *words, *member;
		uint64_t max;
		int code;
		const char *says;
	} cases[] = {
		{"zstd that takes 2 GiB of memory to unpack",
		 "head -c 3M /dev/zero | zstd -q --long=31 -o out", NULL, 0, -EILSEQ, "of memory"},
		{"xz that takes 1 GiB", "head -c 3M root.img | xz --lzma2=dict=1GiB -c >out", NULL, 0,
		 -EILSEQ, "of memory"},
		{"the same within gzip", "head -c 3M /dev/zero | zstd -q --long=31 -c | gzip >out", NULL, 0,
		 -EILSEQ, "a packed file (zstd) within another"},
		{"a packed image, packed again", "zstd -q root.img -c | gzip >out", NULL, 0, -EILSEQ,
		 "not a disk image"},
		{"a web page, packed", "echo '<!DOCTYPE html><html></html>' | gzip >out", NULL, 0,
		 -EILSEQ, "not a disk image"},
		{"a text", "echo 'version https://git-lfs.github.com/spec/v1' >out", NULL, 0, -EILSEQ,
		 "too short"},
		{"a packed image within an archive", "zstd -qf root.img && tar -czf out root.img.zst",
		 "root.img.zst", 0, -EILSEQ, "is a packed file (zstd)"},
		{"a qcow2 image within an archive",
		 "qemu-img create -q -f qcow2 q 1M && tar -czf out q", "q", 0, -EILSEQ,
		 "'q' is a qcow2 image"},
		{"an archive's hole of 1 TiB", "truncate -s 1T hole && tar -S -czf out hole && rm hole",
		 "hole", 1 << 30, -EFBIG, "larger than it may be"},
		{"an archive's hole of 7 EiB, with nobody's limit",
		 "touch hole && python3 -c '"
		 "import tarfile\n"
		 "t = tarfile.TarInfo(\"hole\")\n"
		 "t.pax_headers = {\"GNU.sparse.major\": \"1\", \"GNU.sparse.minor\": \"0\", "
		 "\"GNU.sparse.name\": \"hole\", \"GNU.sparse.realsize\": str(7 << 60)}\n"
		 "t.size = 512\n"
		 "f = tarfile.open(\"out\", \"w\", format=tarfile.PAX_FORMAT)\n"
		 "import io\n"
		 "f.addfile(t, io.BytesIO(b\"0\\n\".ljust(512, b\"\\0\")))\n"
		 "f.close()'",
		 "hole", 0, -EFBIG, "larger than it may be"},
		{"packed zeros in an archive", "truncate -s 64M plain && tar -cJf out plain && rm plain",
		 "plain", MIB, -EFBIG, "larger than it may be"},
		{"a qcow2 image of 32 TiB, packed",
		 "qemu-img create -q -f qcow2 o.q 32T && zstd -q --rm -f o.q -o out", NULL, 0, -EFBIG,
		 "larger than it may be"},
		{"a vmdk", "qemu-img create -q -f vmdk out 100G", NULL, 1 << 30, -EFBIG,
		 "larger than it may be"},
		{"a vhd", "qemu-img create -q -f vpc out 100G", NULL, 1 << 30, -EFBIG,
		 "larger than it may be"},
	};

	image_scratch_dir = dir;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(blob_freep) struct blob b = made(cases[i].words);
		struct httpd_file f = {0};
		struct image_request q = request(&f, b.data, b.n);
		struct image_result r = {.size = 77};
		_cleanup_err_ struct err e = {0};
		int code;

		print_message("  %s\n", cases[i].story);
		q.member = cases[i].member;
		q.max_size = cases[i].max;
		code = image_write(&q, &r, &e);
		print_message("    %s (%s)\n", code < 0 ? e.message : "taken for an image",
			      e.help ? e.help : "");
		assert_int_equal(code, cases[i].code);
		assert_non_null(strstr(e.message, cases[i].says));
		assert_int_equal(r.size, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_off_anywhere_it_is_no_image),
		cmocka_unit_test(cut_off_in_the_second_member_it_is_no_image),
		cmocka_unit_test(a_bomb_goes_off_at_its_limit),
		cmocka_unit_test(a_file_that_never_stays_the_same_is_given_up),
		cmocka_unit_test(what_isnt_what_it_seems_is_one_clear_error),
	};

	return cmocka_run_group_tests(tests, begin, images_end);
}
