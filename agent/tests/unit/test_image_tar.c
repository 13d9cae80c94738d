/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Members of tar archives, as GNU tar makes them, sparse and plain, and archives that nobody should offer.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "host/image_tar.h"
#include "tests/unit/images.h"

/* What tar makes of the files in the folder `dir`/in. */
static struct blob tar(const char *words)
{
	_cleanup_(freep) char *command = xasprintf(
		"cd %s/in && tar -cf ../out.tar --owner=0 --group=0 %s 2>/dev/null", dir, words);
	_cleanup_(freep) char *out = xasprintf("%s/out.tar", dir);
	struct blob b = {0};

	unlink(out);
	assert_int_equal(system(command), 0);
	assert_int_equal(file_read(out, 64 * MIB, &b.data, &b.n, NULL), 0);
	b.cap = b.n;
	return b;
}

static void shell(const char *words)
{
	_cleanup_(freep) char *command = xasprintf("cd %s && %s", dir, words);

	assert_int_equal(system(command), 0);
}

static int begin(void **state)
{
	_cleanup_(freep) char *root = NULL;

	if (images_begin(state) < 0)
		return -1;
	root = xasprintf("%s/in/root.img", dir);
	shell("mkdir in in/sub");
	write_sparse(root);
	shell("cd in && truncate -s 3M swap.img && printf swap | dd of=swap.img bs=1 seek=2000000 "
	      "conv=notrunc 2>/dev/null && echo hello >sub/note && ln -s root.img link && "
	      "ln swap.img hard && truncate -s 0 empty && mknod null c 1 3 2>/dev/null || mkfifo null");
	return 0;
}

static void every_sort_of_archive_gives_the_same_sparse_disk(void **state)
{
	static const char *const words[] = {
		"-S --format=gnu root.img",
		"--format=gnu ./root.img",
		"--format=ustar root.img",
		"-S --format=pax --sparse-version=0.0 root.img",
		"-S --format=pax --sparse-version=0.1 root.img",
		"-S --format=pax --sparse-version=1.0 root.img",
		"-zS swap.img sub ./root.img",
		"-JS --format=gnu root.img swap.img",
		"-S --zstd sub swap.img root.img",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		_cleanup_(blob_freep) struct blob b = tar(words[i]);
		struct httpd_file f = {.no_length = i % 2};
		struct image_request q = request(&f, b.data, b.n);
		struct image_result r;
		struct stat st;

		print_message("  %s\n", words[i]);
		q.member = i % 3 ? "root.img" : "./root.img";
		q.max_size = DISK;
		assert_int_equal(image_write(&q, &r, NULL), 0);
		assert_int_equal(r.size, DISK);
		assert_int_equal(r.written, DISK_DATA);
		target_is(disk, DISK);
		assert_int_equal(stat(target_path(), &st), 0);
		assert_true((uint64_t)st.st_blocks * 512 <= DISK_DATA + 64 * KIB);
	}
}

static int note_size(void *data, uint64_t size, struct err *e)
{
	*(uint64_t *)data = size;
	return 0;
}

static void two_members_are_written_in_one_pass(void **state)
{
	_cleanup_(blob_freep) struct blob b = tar("-zS swap.img root.img");
	_cleanup_(freep) char *path = xasprintf("%s/swap", dir), *is = NULL;
	struct httpd_file f = {0};
	struct image_request q = request(&f, b.data, b.n), swap = {.member = "swap.img"};
	uint64_t root_size = 0, swap_size = 0;
	struct image_result r[2];
	size_t n;

	assert_int_equal(file_write(path, "", 0, 0600, NULL), 0);
	q.member = "root.img";
	q.ready = note_size;
	q.data = &root_size;
	q.also = &swap;
	swap.target = path;
	swap.ready = note_size;
	swap.data = &swap_size;
	assert_int_equal(image_write(&q, r, NULL), 0);
	assert_int_equal(f.requests, 1);
	target_is(disk, DISK);
	assert_int_equal(root_size, DISK);
	assert_int_equal(swap_size, 3 * MIB);
	assert_int_equal(r[1].size, 3 * MIB);
	assert_int_equal(r[1].written, 4096);
	assert_int_equal(file_read(path, 4 * MIB, &is, &n, NULL), 0);
	assert_int_equal(n, 3 * MIB);
	assert_memory_equal(is + 2000000, "swap", 4);
}

static void what_nobody_should_offer_is_one_clear_error(void **state)
{
	static const struct {
		const char *story, *words, *member;
		uint64_t max;
		int code;
		const char *says, *help;
	} cases[] = {
		{"no member named", "root.img swap.img", NULL, 0, -ENXIO, "no `member` says which",
		 "root.img, swap.img"},
		{"a member that isn't there", "root.img swap.img", "rot.img", 0, -ENXIO,
		 "no member 'rot.img'", "it has root.img, swap.img"},
		{"a member in a folder is not it", "root.img sub", "note", 0, -ENXIO,
		 "no member 'note'", "sub/note"},
		{"a symbolic link", "link root.img", "link", 0, -EILSEQ, "a symbolic link", NULL},
		{"a hard link", "swap.img hard", "hard", 0, -EILSEQ, "a hard link", NULL},
		{"a folder", "sub", "sub/", 0, -EILSEQ, "a folder", NULL},
		{"a device, or a pipe", "null root.img", "null", 0, -EILSEQ, "not a file", NULL},
		{"two members of one name", "root.img root.img --hard-dereference", "root.img", 0,
		 -EILSEQ, "two members", NULL},
		{"two members whose names say the same", "root.img ./root.img --hard-dereference",
		 "root.img", 0, -EILSEQ, "two members", NULL},
		{"a link and a file of one name", "link --transform=s,link,root.img, root.img",
		 "root.img", 0, -EILSEQ, "a symbolic link", NULL},
		{"one that leads out", "root.img -P --transform=s,sub,../sub, sub/note", "root.img",
		 0, -EILSEQ, "'../sub/note', which leads out", NULL},
		{"one that leads out in its middle",
		 "root.img -P --transform=s,sub,sub/../../x, sub/note", "root.img", 0, -EILSEQ,
		 "leads out", NULL},
		{"an absolute one", "root.img -P --transform=s,sub,/sub, sub/note", "root.img", 0,
		 -EILSEQ, "'/sub/note', which leads out", NULL},
		{"an empty one", "empty", "empty", 0, -EILSEQ, "it is empty", NULL},
		{"larger than it may be", "-S root.img", "root.img", DISK - 1, -EFBIG,
		 "larger than it may be", NULL},
		{"a hole, larger than it may be", "-S swap.img", "swap.img", 2 * MIB, -EFBIG,
		 "larger than it may be", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(blob_freep) struct blob b = tar(cases[i].words);
		struct httpd_file f = {0};
		struct image_request q = request(&f, b.data, b.n);
		_cleanup_err_ struct err e = {0};
		struct image_result r = {.size = 77};

		print_message("  %s\n", cases[i].story);
		q.member = cases[i].member;
		q.max_size = cases[i].max;
		assert_int_equal(image_write(&q, &r, &e), cases[i].code);
		print_message("    %s (%s)\n", e.message, e.help ? e.help : "");
		assert_non_null(strstr(e.message, cases[i].says));
		if (cases[i].help)
			assert_non_null(strstr(e.help, cases[i].help));
		assert_int_equal(r.size, 77);
	}
}

static void a_truncated_archive_is_never_an_image(void **state)
{
	static const char *const words[] = {"-S --format=gnu root.img", "--format=ustar root.img",
					    "-S --format=pax --sparse-version=1.0 root.img",
					    "-zS root.img", "-S --zstd root.img"};
	/* In the header, in the map of holes, in the data, before its last byte. */
	static const size_t at[] = {100, 512, 1000, 1536, 100 * KIB};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		_cleanup_(blob_freep) struct blob b = tar(words[i]);
		size_t end = i == 1 ? 512 + DISK - 1 : i < 3 ? DISK_DATA : b.n - 20;

		for (size_t j = 0; j <= ARRAY_SIZE(at); j++) {
			size_t n = j < ARRAY_SIZE(at) ? at[j] : end;
			struct httpd_file f = {0};
			struct image_request q = request(&f, b.data, n);
			_cleanup_err_ struct err e = {0};
			struct image_result r;
			int code;

			q.member = "root.img";
			code = image_write(&q, &r, &e);
			print_message("  %s, %zu: %s\n", words[i], n, e.message);
			assert_true(code == -EILSEQ || (code == -EMEDIUMTYPE && n < 512));
		}
	}
}

/* A member whose map of holes goes over several blocks: cut off within it, and behind it. */
static void cut_off_in_a_long_map_it_is_never_an_image(void **state)
{
	static const char *const words[] = {
		"-S --format=gnu many", "-S --format=pax --sparse-version=0.0 many",
		"-S --format=pax --sparse-version=0.1 many",
		"-S --format=pax --sparse-version=1.0 many"};

	shell("cd in && truncate -s 8M many && for i in $(seq 0 2 199); do "
	      "printf %4096d $i | dd of=many bs=4k seek=$i conv=notrunc 2>/dev/null; done");
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		_cleanup_(blob_freep) struct blob b = tar(words[i]);

		for (size_t n = 512; n < b.n - 10240; n += n < 12 * KIB ? 512 : 37 * KIB) {
			struct httpd_file f = {0};
			struct image_request q = request(&f, b.data, n);
			struct image_result r = {.size = 77};
			_cleanup_err_ struct err e = {0};

			q.member = "many";
			if (image_write(&q, &r, &e) == -EILSEQ && r.size == 77)
				continue;
			print_message("  %s, %zu of %zu bytes: %s\n", words[i], n, b.n,
				      e.message ? e.message : "taken for a whole image");
			fail();
		}
	}
}

/* One GNU header in the way of `tar -S`, with a map of its own: pairs of offset and length, in octal. */
static struct blob sparse_header(const char *const *map, const char *realsize, const char *size)
{
	struct blob b = {.data = xcalloc(1, 8192), .n = 8192, .cap = 8192};
	unsigned sum = 0;
	char *h = b.data;

	memcpy(h, "disk", 4);
	memcpy(h + 100, "0000644", 7);
	memcpy(h + 108, "0000000", 7);
	memcpy(h + 116, "0000000", 7);
	memcpy(h + 124, size, strlen(size));
	memcpy(h + 136, "00000000000", 11);
	memset(h + 148, ' ', 8);
	h[156] = 'S';
	memcpy(h + 257, "ustar  ", 8);
	for (size_t i = 0; map[i]; i++)
		memcpy(h + 386 + 12 * i, map[i], strlen(map[i]));
	memcpy(h + 483, realsize, strlen(realsize));
	for (size_t i = 0; i < 512; i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	memset(h + 512, 'x', 4096);
	return b;
}

static void a_map_of_holes_that_lies_is_one_clear_error(void **state)
{
	static const struct {
		const char *story, *map[5], *realsize, *size;
		int code;
	} cases[] = {
		{"one that is right", {"00000000000", "00000001000", "00000002000", "00000001000"},
		 "00000004000", "00000002000", 0},
		{"it reaches behind the end", {"00000000000", "00000001000", "00000010000", "00000001000"},
		 "00000004000", "00000002000", -EILSEQ},
		{"it ends behind the end", {"00000000000", "00000001000", "00000003400", "00000001000"},
		 "00000004000", "00000002000", -EILSEQ},
		{"it goes back", {"00000002000", "00000001000", "00000000000", "00000001000"},
		 "00000004000", "00000002000", -EILSEQ},
		{"pieces of it overlap", {"00000000000", "00000001000", "00000000400", "00000001000"},
		 "00000004000", "00000002000", -EILSEQ},
		{"it has more than the archive", {"00000000000", "00000001000", "00000002000", "00000002000"},
		 "00000004000", "00000002000", -EILSEQ},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(blob_freep) struct blob b =
			sparse_header(cases[i].map, cases[i].realsize, cases[i].size);
		struct httpd_file f = {0};
		struct image_request q = request(&f, b.data, b.n);
		_cleanup_err_ struct err e = {0};
		struct image_result r;

		q.member = "disk";
		print_message("  %s\n", cases[i].story);
		assert_int_equal(image_write(&q, &r, &e), cases[i].code);
		if (e.message)
			print_message("    %s\n", e.message);
	}
}

static void a_raw_image_is_no_archive(void **state)
{
	_cleanup_(freep) char *zeros = xcalloc(1, MIB);
	struct httpd_file f = {0};
	struct image_request q = request(&f, zeros, MIB);
	_cleanup_err_ struct err e = {0};
	struct image_result r;

	/* Zeros end a tar archive; they are also how most disks begin. */
	assert_int_equal(image_write(&q, &r, NULL), 0);
	assert_int_equal(r.written, 0);
	target();
	q.member = "root.img";
	assert_int_equal(image_write(&q, &r, &e), -EMEDIUMTYPE);
	print_message("    %s\n", e.message);
	assert_non_null(strstr(e.message, "but it is a raw image"));
}

static void names_that_may_be_asked_for(void **state)
{
	static const char *const good[] = {"a", "a/b", "./a", "..a", "a..", ".../a"};
	static const char *const bad[] = {"", "/", "/a", "..", "../a", "a/..", "a/../b", "./"};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(tar_name_ok(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(tar_name_ok(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sort_of_archive_gives_the_same_sparse_disk),
		cmocka_unit_test(two_members_are_written_in_one_pass),
		cmocka_unit_test(what_nobody_should_offer_is_one_clear_error),
		cmocka_unit_test(a_truncated_archive_is_never_an_image),
		cmocka_unit_test(cut_off_in_a_long_map_it_is_never_an_image),
		cmocka_unit_test(a_map_of_holes_that_lies_is_one_clear_error),
		cmocka_unit_test(a_raw_image_is_no_archive),
		cmocka_unit_test(names_that_may_be_asked_for),
	};

	return cmocka_run_group_tests(tests, begin, images_end);
}
