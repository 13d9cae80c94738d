/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A sparse file to another: the same bytes, the same holes, and what is refused.
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

#include "host/image_copy.h"
#include "tests/unit/images.h"

static char from[64];

static int begin(void **state)
{
	if (images_begin(state) < 0)
		return -1;
	snprintf(from, sizeof(from), "%s/from", dir);
	write_sparse(from);
	return 0;
}

static void the_same_bytes_and_the_same_holes(void **state)
{
	struct copy_request q = {.from = from, .target = target()};
	uint64_t written = 77;
	struct stat st;

	assert_int_equal(image_copy(&q, &written, NULL), 0);
	target_is(disk, DISK);
	assert_true(written <= DISK_DATA + 4 * KIB);
	assert_int_equal(stat(target_path(), &st), 0);
	assert_true((uint64_t)st.st_blocks * 512 <= DISK_DATA + 64 * KIB);
}

static void a_hole_at_the_end_and_nothing_at_all(void **state)
{
	_cleanup_(freep) char *path = xasprintf("%s/hole", dir);
	struct copy_request q = {.from = path};
	static const off_t sizes[] = {0, 1, 3 * MIB + 1};
	uint64_t written;
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_int_equal(file_write(path, "", 0, 0600, NULL), 0);
		assert_int_equal(truncate(path, sizes[i]), 0);
		q.target = target();
		assert_int_equal(image_copy(&q, &written, NULL), 0);
		assert_int_equal(written, 0);
		assert_int_equal(stat(target_path(), &st), 0);
		assert_int_equal(st.st_size, sizes[i]);
	}
}

static void what_cannot_be_is_one_clear_error(void **state)
{
	const struct {
		const char *story, *from, *target;
		int code;
	} cases[] = {
		{"no such file", "/nonexistent/x", target_path(), -ENOENT},
		{"a folder", "/etc", target_path(), -EINVAL},
		{"a device", "/dev/zero", target_path(), -EINVAL},
		{"no target", from, "/nonexistent/x", -ENOENT},
		{"a target that is no place for it", from, "/dev/null", -EINVAL},
		{"a target that isn't empty", from, from, -EEXIST},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct copy_request q = {.from = cases[i].from, .target = cases[i].target};
		_cleanup_err_ struct err e = {0};
		uint64_t written = 77;

		target();
		assert_int_equal(image_copy(&q, &written, &e), cases[i].code);
		print_message("  %s: %s\n", cases[i].story, e.message);
		assert_int_equal(written, 77);
	}
}

/* To another file system, where the kernel can't just pass it on, until that is full. */
static void a_full_file_system_is_told(void **state)
{
	_cleanup_(freep) char *path = xasprintf("%s/small", dir);
	_cleanup_(freep) char *file = xasprintf("%s/target", path);
	struct copy_request q = {.from = from, .target = file};
	_cleanup_err_ struct err e = {0};
	uint64_t written;

	mkdir(path, 0700);
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("small", path, "tmpfs", 0, "size=512k") < 0)
		skip();
	assert_int_equal(file_write(file, "", 0, 0600, NULL), 0);
	assert_int_equal(image_copy(&q, &written, &e), -ENOSPC);
	print_message("  %s\n", e.message);
	umount(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_bytes_and_the_same_holes),
		cmocka_unit_test(a_hole_at_the_end_and_nothing_at_all),
		cmocka_unit_test(what_cannot_be_is_one_clear_error),
		cmocka_unit_test(a_full_file_system_is_told),
	};

	return cmocka_run_group_tests(tests, begin, images_end);
}
