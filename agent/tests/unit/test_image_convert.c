/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Images that qemu-img converts: what arrives, what of them is refused, and what is said without it.
 */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cmocka.h>

#include "host/image_convert.h"
#include "host/image_sparse.h"
#include "tests/unit/images.h"

static void shell(const char *words)
{
	_cleanup_(freep) char *command = xasprintf("cd %s && %s", dir, words);

	assert_int_equal(system(command), 0);
}

static struct blob made(const char *words)
{
	_cleanup_(freep) char *out = xasprintf("%s/out", dir);
	struct blob b = {0};

	shell(words);
	assert_int_equal(file_read(out, 64 * MIB, &b.data, &b.n, NULL), 0);
	b.cap = b.n;
	return b;
}

static int begin(void **state)
{
	_cleanup_(freep) char *path = NULL;

	if (images_begin(state) < 0)
		return -1;
	image_scratch_dir = dir;
	path = xasprintf("%s/root.img", dir);
	write_sparse(path);
	return 0;
}

static unsigned files_in_dir(void)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void every_format_gives_the_same_sparse_disk(void **state)
{
	static const struct {
		const char *story, *words;
		enum image_format format;
	} cases[] = {
		{"qcow2", "qemu-img convert -O qcow2 root.img out", IMAGE_AUTO},
		{"qcow2, compressed", "qemu-img convert -c -O qcow2 root.img out", IMAGE_QCOW2},
		{"qcow2 in zstd", "qemu-img convert -O qcow2 root.img o.q && zstd -q -f o.q -o out",
		 IMAGE_AUTO},
		{"vmdk", "qemu-img convert -O vmdk root.img out", IMAGE_VMDK},
		{"vmdk, as a stream",
		 "qemu-img convert -O vmdk -o subformat=streamOptimized root.img out", IMAGE_AUTO},
		{"vhd", "qemu-img convert -O vpc -o force_size=on root.img out", IMAGE_AUTO},
		{"vhd of fixed size, which says so at its end only",
		 "qemu-img convert -O vpc -o subformat=fixed,force_size=on root.img out", IMAGE_VHD},
		{"vhdx", "qemu-img convert -O vhdx root.img out", IMAGE_AUTO},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(blob_freep) struct blob b = made(cases[i].words);
		_cleanup_(freep) char *is = NULL;
		unsigned before = files_in_dir();
		struct httpd_file f = {0};
		struct image_request q = request(&f, b.data, b.n);
		_cleanup_err_ struct err e = {0};
		struct image_result r;
		struct stat st;
		size_t n;
		int code;

		print_message("  %s\n", cases[i].story);
		q.format = cases[i].format;
		code = image_write(&q, &r, &e);
		if (code < 0)
			print_message("    %s\n", e.message);
		assert_int_equal(code, 0);
		assert_int_equal(file_read(target_path(), 64 * MIB, &is, &n, NULL), 0);
		assert_true(n >= DISK && n < DISK + MIB);
		assert_int_equal(n, r.size);
		assert_memory_equal(is, disk, DISK);
		assert_true(sparse_zeros(is + DISK, n - DISK));
		assert_int_equal(stat(target_path(), &st), 0);
		assert_true((uint64_t)st.st_blocks * 512 <= DISK_DATA + 192 * KIB);
		assert_true(files_in_dir() <= before + 1); /* the target; no scratch file */
	}
}

static int never(void *data, uint64_t size, struct err *e)
{
	*(bool *)data = true;
	return 0;
}

static void what_must_not_be_read_is_one_clear_error(void **state)
{
	static const struct {
		const char *story, *words;
		enum image_format format;
		uint64_t max;
		int code;
		const char *says;
	} cases[] = {
		{"a backing file", "qemu-img create -q -f qcow2 -F raw -b root.img out", IMAGE_AUTO, 0,
		 -EILSEQ, "with a backing file"},
		{"an external data file",
		 "qemu-img create -q -f qcow2 -o data_file=root.data out 5M", IMAGE_AUTO, 0, -EILSEQ,
		 "with an external data file"},
		{"a vmdk of several files",
		 "qemu-img create -q -f vmdk -o subformat=twoGbMaxExtentSparse out 5M", IMAGE_AUTO, 0,
		 -EILSEQ, "a VMDK description"},
		{"a vmdk whose own description names files",
		 "{ printf 'KDMV\\001'; head -c 507 /dev/zero; } >out", IMAGE_AUTO, 0, -EILSEQ,
		 "made of several files"},
		{"larger than it may be", "qemu-img create -q -f qcow2 out 1T", IMAGE_AUTO, 1 << 30,
		 -EFBIG, "larger than it may be"},
		{"another format than the manifest says", "qemu-img create -q -f qcow2 out 1M",
		 IMAGE_VMDK, 0, -EMEDIUMTYPE, "`format` says vmdk, but it is a qcow2 image"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(blob_freep) struct blob b = made(cases[i].words);
		struct httpd_file f = {0};
		struct image_request q = request(&f, b.data, b.n);
		_cleanup_err_ struct err e = {0};
		struct image_result r;
		bool ready = false;

		print_message("  %s\n", cases[i].story);
		q.format = cases[i].format;
		q.max_size = cases[i].max;
		q.ready = never;
		q.data = &ready;
		assert_int_equal(image_write(&q, &r, &e), cases[i].code);
		print_message("    %s\n", e.message);
		assert_non_null(strstr(e.message, cases[i].says));
		assert_false(ready);
	}
}

static void a_truncated_image_is_never_an_image(void **state)
{
	static const char *const words[] = {
		"qemu-img convert -O qcow2 root.img out", "qemu-img convert -c -O qcow2 root.img out",
		"qemu-img convert -O vmdk root.img out",
		"qemu-img convert -O vmdk -o subformat=streamOptimized root.img out",
		"qemu-img convert -O vpc -o force_size=on root.img out",
		"qemu-img convert -O vhdx root.img out",
		"qemu-img convert -O vpc -o subformat=fixed,force_size=on root.img out"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		_cleanup_(blob_freep) struct blob b = made(words[i]);
		/* In the header, in tables, in the data, before the end, but of a VHDX image: QEMU takes
		 * its last block for whole when that has begun. What a fixed VHD image is stands at its end,
		 * of 512 bytes or, as old ones have it, 511. */
		const size_t at[] = {20, 600, 70 * KIB, 300 * KIB, b.n / 2,
				     i != 5 ? b.n - 64 * KIB : b.n / 2 - MIB,
				     i == 6 ? b.n - 2 : b.n / 3};

		for (size_t j = 0; j < ARRAY_SIZE(at); j++) {
			struct httpd_file f = {0};
			struct image_request q = request(&f, b.data, at[j]);
			_cleanup_err_ struct err e = {0};
			struct image_result r;
			bool ready = false;

			q.ready = never;
			q.data = &ready;
			q.format = i < 2 ? IMAGE_QCOW2 : i < 4 ? IMAGE_VMDK : i == 5 ? IMAGE_VHDX : IMAGE_VHD;
			assert_int_equal(image_write(&q, &r, &e), -EILSEQ);
			print_message("  %s, %zu of %zu: %s\n", words[i], at[j], b.n, e.message);
		}
	}
}

static void another_file_is_never_converted(void **state)
{
	_cleanup_(blob_freep) struct blob b = made("qemu-img convert -O qcow2 root.img out");
	struct httpd_file f = {0};
	struct image_request q = request(&f, b.data, b.n);
	_cleanup_err_ struct err e = {0};
	struct image_result r;
	bool ready = false;

	q.sha256 = digest_of("x", 1);
	q.ready = never;
	q.data = &ready;
	assert_int_equal(image_write(&q, &r, &e), -EBADMSG);
	assert_false(ready);
}

static void a_place_for_the_temporary_file_is_needed(void **state)
{
	_cleanup_(blob_freep) struct blob b = made("qemu-img convert -O qcow2 root.img out");
	_cleanup_(freep) char *file = xasprintf("%s/out", dir);
	struct httpd_file f = {0};
	struct image_request q = request(&f, b.data, b.n);
	_cleanup_err_ struct err e = {0};
	struct image_result r;

	image_scratch_dir = file; /* no folder */
	assert_true(image_write(&q, &r, &e) < 0);
	image_scratch_dir = dir;
	print_message("    %s\n", e.message);
	assert_non_null(strstr(e.message, file));
}

/* A file system of so much room, in a mount namespace of the test's own. */
static const char *small_file_system(const char *size)
{
	static char path[64];
	_cleanup_(freep) char *options = xasprintf("size=%s", size);

	snprintf(path, sizeof(path), "%s/small", dir);
	mkdir(path, 0700);
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("small", path, "tmpfs", 0, options) < 0)
		return NULL;
	return path;
}

static void where_the_temporary_file_finds_no_room_the_next_try_does(void **state)
{
	_cleanup_(blob_freep) struct blob b = made("qemu-img convert -O qcow2 root.img out");
	const char *small = small_file_system("512k");
	struct httpd_file f = {0};
	struct image_request q = request(&f, b.data, b.n);
	_cleanup_err_ struct err e = {0};
	struct image_result r;
	bool ready = false;
	struct statvfs st;

	if (!small)
		skip();
	image_scratch_dir = small;
	q.ready = never;
	q.data = &ready;
	assert_int_equal(image_write(&q, &r, &e), -ENOSPC);
	print_message("    %s\n", e.message);
	assert_non_null(strstr(e.message, small));
	assert_false(ready);
	/* It had no name, so nothing of it is left. */
	assert_int_equal(statvfs(small, &st), 0);
	assert_int_equal(st.f_bfree, st.f_blocks);
	assert_int_equal(mount("small", small, "tmpfs", MS_REMOUNT, "size=16m"), 0);
	assert_int_equal(image_write(&q, &r, NULL), 0);
	assert_int_equal(r.size, DISK / 512 * 512 + 512);
	image_scratch_dir = dir;
	umount(small);
}

static void where_what_is_converted_finds_no_room_that_is_said(void **state)
{
	_cleanup_(blob_freep) struct blob b = made("qemu-img convert -O qcow2 root.img out");
	const char *small = small_file_system("512k");
	_cleanup_(freep) char *file = xasprintf("%s/target", small ? small : "");
	struct httpd_file f = {0};
	struct image_request q = request(&f, b.data, b.n);
	_cleanup_err_ struct err e = {0};
	struct image_result r = {.size = 77};

	if (!small)
		skip();
	assert_int_equal(file_write(file, "", 0, 0600, NULL), 0);
	q.target = file;
	assert_int_equal(image_write(&q, &r, &e), -ENOSPC);
	print_message("    %s\n", e.message);
	assert_int_equal(r.size, 77);
	umount(small);
}

static void without_qemu_img_its_package_is_named(void **state)
{
	_cleanup_(blob_freep) struct blob b = made("qemu-img convert -O qcow2 root.img out");
	struct httpd_file f = {0};
	struct image_request q = request(&f, b.data, b.n);
	_cleanup_err_ struct err e = {0};
	struct image_result r;

	convert_program = "qemu-img-that-is-not-there";
	assert_int_equal(image_write(&q, &r, &e), -ENOPKG);
	convert_program = "qemu-img";
	print_message("    %s (%s)\n", e.message, e.help);
	assert_non_null(strstr(e.help, "qemu-utils"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_gives_the_same_sparse_disk),
		cmocka_unit_test(what_must_not_be_read_is_one_clear_error),
		cmocka_unit_test(a_truncated_image_is_never_an_image),
		cmocka_unit_test(another_file_is_never_converted),
		cmocka_unit_test(a_place_for_the_temporary_file_is_needed),
		cmocka_unit_test(where_the_temporary_file_finds_no_room_the_next_try_does),
		cmocka_unit_test(where_what_is_converted_finds_no_room_that_is_said),
		cmocka_unit_test(without_qemu_img_its_package_is_named),
	};

	return cmocka_run_group_tests(tests, begin, images_end);
}
