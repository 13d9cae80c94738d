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
#include <sys/statvfs.h>

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

/* A file system of its own on a loop device, gone with the program: the folder it is mounted at, or NULL with
 * a word about why it can't be. */
static const char *file_system(const char *make, const char *type)
{
	static char path[64];
	_cleanup_(freep) char *command = xasprintf(
		"mkdir -p %s/fs && truncate -s 320M %s/fs.img && %s %s/fs.img >%s/said 2>&1 && "
		"mount -o loop -t %s %s/fs.img %s/fs 2>>%s/said",
		dir, dir, make, dir, dir, type, dir, dir, dir);
	_cleanup_(freep) char *said = xasprintf("%s/said", dir), *why = NULL;

	snprintf(path, sizeof(path), "%s/fs", dir);
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		print_message("  %s can't be mounted: not by this user\n", type);
		return NULL;
	}
	if (system(command) == 0)
		return path;
	print_message("  %s can't be mounted: %s\n", type,
		      file_read(said, 4096, &why, NULL, NULL) == 0 ? why : "no loop devices");
	return NULL;
}

static uint64_t used(const char *path)
{
	struct statvfs st;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(syncfs(fd), 0); /* what is written late is allocated late */
	assert_int_equal(fstatvfs(fd, &st), 0);
	close(fd);
	return (st.f_blocks - st.f_bfree) * st.f_frsize;
}

static void where_the_file_system_can_blocks_are_shared(void **state)
{
	const char *path = file_system("mkfs.xfs -q -m reflink=1", "xfs");
	_cleanup_(freep) char *origin = NULL, *copy = NULL, *is = NULL;
	struct copy_request q = {0};
	uint64_t written = 77, before;
	size_t n;
	int fd;

	if (!path)
		skip();
	origin = xasprintf("%s/origin", path);
	copy = xasprintf("%s/copy", path);
	write_sparse(origin);
	before = used(path);
	assert_int_equal(file_write(copy, "", 0, 0600, NULL), 0);
	q.from = origin;
	q.target = copy;
	assert_int_equal(image_copy(&q, &written, NULL), 0);
	assert_int_equal(written, 0);
	assert_true(used(path) - before < 64 * KIB);
	assert_int_equal(file_read(copy, 64 * MIB, &is, &n, NULL), 0);
	assert_int_equal(n, DISK);
	assert_memory_equal(is, disk, DISK);

	/* Whoever writes to one doesn't change the other. */
	fd = open(copy, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "another", 7, 0), 7);
	close(fd);
	free(is);
	assert_int_equal(file_read(origin, 64 * MIB, &is, &n, NULL), 0);
	assert_memory_equal(is, disk, DISK);
	umount(path);
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
		cmocka_unit_test(where_the_file_system_can_blocks_are_shared),
		cmocka_unit_test(a_full_file_system_is_told),
	};

	return cmocka_run_group_tests(tests, begin, images_end);
}
