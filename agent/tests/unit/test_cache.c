/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Boot files: kernels out of their bzImages, and the cache that holds what was fetched.
 */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cmocka.h>

#include "host/bzimage.h"
#include "host/cache.h"
#include "tests/unit/images.h"

static void put32(char *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

/* A bzImage as boot.rst says, with `elf` as its kernel; `filter` as for pack(). */
static struct blob bzimage(const char *elf, size_t n, int filter)
{
	_cleanup_(blob_freep) struct blob packed = pack(elf, n, filter);
	struct blob b = {0};
	char head[3 * 512] = {0}, size[4];

	put32(size, (uint32_t)n);
	if (filter != ARCHIVE_FILTER_GZIP)
		blob_write(NULL, &packed, size, 4);
	head[0x1f1] = 1;
	memcpy(head + 0x202, "HdrS", 4);
	put32(head + 0x206, 0x20f);
	put32(head + 0x248, 512);
	put32(head + 0x24c, (uint32_t)packed.n);
	blob_write(NULL, &b, head, sizeof(head));
	blob_write(NULL, &b, packed.data, packed.n);
	blob_write(NULL, &b, "and code behind it", 18);
	return b;
}

#define ELF_SIZE (300 * KIB)
static char elf[ELF_SIZE];

static void unpacks_to(const char *path, int code)
{
	_cleanup_(freep) char *to = xasprintf("%s/unpacked", dir), *is = NULL;
	_cleanup_(closep) int from = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_(closep) int fd = open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	_cleanup_err_ struct err e = {0};
	size_t n;

	assert_int_equal(bzimage_unpack(from, fd, &e), code);
	if (code != 0)
		return;
	assert_int_equal(file_read(to, MIB, &is, &n, NULL), 0);
	assert_int_equal(n, ELF_SIZE);
	assert_memory_equal(is, elf, n);
}

static void a_kernel_comes_out_of_its_bzimage(void **state)
{
	static const int filters[] = {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_ZSTD,
				      ARCHIVE_FILTER_BZIP2, ARCHIVE_FILTER_LZMA};
	_cleanup_(freep) char *path = xasprintf("%s/vmlinuz", dir);

	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		_cleanup_(blob_freep) struct blob b = bzimage(elf, ELF_SIZE, filters[i]);

		print_message("  %d\n", filters[i]);
		assert_int_equal(file_write(path, b.data, b.n, 0600, NULL), 0);
		unpacks_to(path, 0);
	}
}

static void what_is_no_bzimage_stays_as_it_is(void **state)
{
	_cleanup_(freep) char *path = xasprintf("%s/vmlinuz", dir);
	_cleanup_(blob_freep) struct blob b = bzimage(elf, ELF_SIZE, ARCHIVE_FILTER_XZ);
	_cleanup_(blob_freep) struct blob text = bzimage(disk, 4096, ARCHIVE_FILTER_XZ);
	const struct {
		const char *story, *data;
		size_t n, at;
		uint32_t value;
		int code;
	} cases[] = {
		{"an ELF file", elf, ELF_SIZE, 0, 0, 1},
		{"too short", b.data, 0x24f, 0, 0, 1},
		{"an old protocol", b.data, b.n, 0x206, 0x207, 1},
		{"a payload behind the end", b.data, b.n, 0x248, 0xfffffff0, 1},
		{"a payload that is too long", b.data, b.n, 0x24c, 0xfffffff0, 1},
		{"no payload", b.data, b.n, 0x24c, 0, 1},
		{"a payload of another kind", b.data, b.n, 1536, 0x12345678, 1},
		{"a payload that is no kernel", text.data, text.n, 0, 0, 1},
		{"a payload that is broken", b.data, b.n, 1536 + 8192, 0, -EILSEQ},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(freep) char *data = xcalloc(1, cases[i].n);

		print_message("  %s\n", cases[i].story);
		memcpy(data, cases[i].data, cases[i].n);
		if (cases[i].at)
			put32(data + cases[i].at, cases[i].value);
		assert_int_equal(file_write(path, data, cases[i].n, 0600, NULL), 0);
		unpacks_to(path, cases[i].code);
	}
}

static size_t files_in_cache(const char *end)
{
	DIR *d = opendir(cache_dir);
	struct dirent *entry;
	size_t n = 0;

	while (d && (entry = readdir(d))) {
		size_t l = strlen(entry->d_name), m = strlen(end);

		n += entry->d_name[0] != '.' && l >= m && streq(entry->d_name + l - m, end);
	}
	if (d)
		closedir(d);
	return n;
}

/* Each story begins with a cache of its own, not there yet. */
static int fresh_cache(void **state)
{
	static char path[64];
	static int n;

	snprintf(path, sizeof(path), "%s/var/cache%d", dir, n++);
	cache_dir = path;
	return 0;
}

static void flip(const char *path)
{
	_cleanup_(closep) int fd = open(path, O_RDWR | O_CLOEXEC);
	char c;

	assert_int_equal(pread(fd, &c, 1, 4000), 1);
	c ^= 4;
	assert_int_equal(pwrite(fd, &c, 1, 4000), 1);
}

static void a_kernel_is_fetched_once_and_lies_unpacked(void **state)
{
	_cleanup_err_ struct err e = {0};
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_(blob_freep) struct blob b = bzimage(elf, ELF_SIZE, ARCHIVE_FILTER_XZ);
	struct httpd_file f = {0};
	struct image_request q = request(&f, b.data, b.n);
	struct cache_facts facts = {0};
	const struct cache_file *file;
	const char *path = arena_printf(a, "%s/%s", cache_dir, q.sha256), *kernel;

	assert_int_equal(cache_read(a, &facts, NULL), 0);
	assert_int_equal(facts.files.n, 0);
	assert_int_equal(cache_fetch(q.sha256, &q, NULL), 0);
	assert_int_equal(cache_fetch(q.sha256, &q, NULL), 0);
	assert_int_equal(f.requests, 1);
	assert_int_equal(cache_read(a, &facts, NULL), 0);
	assert_int_equal(facts.files.n, 1);
	file = map_get(&facts.files, q.sha256);
	assert_int_equal(file->size, b.n);
	assert_true(file->unpacked);
	assert_int_equal(cache_kernel(a, path, &kernel, NULL), 0);
	assert_string_equal(kernel, arena_printf(a, "%s.vmlinux", path));
	assert_int_equal(files_in_cache(""), 2);
	assert_int_equal(cache_check(q.sha256, HASH_SHA256, q.sha256, NULL), 0);
	assert_int_equal(cache_check(q.sha256, HASH_SHA512, q.sha256, NULL), -EBADMSG);
	/* A bit that turns over, in the one and in the other. */
	flip(kernel);
	assert_int_equal(cache_check(q.sha256, HASH_SHA256, q.sha256, &e), -EBADMSG);
	assert_non_null(strstr(e.message, ".vmlinux"));
	flip(kernel);
	assert_int_equal(cache_check(q.sha256, HASH_SHA256, q.sha256, NULL), 0);
	flip(path);
	assert_int_equal(cache_check(q.sha256, HASH_SHA256, q.sha256, NULL), -EBADMSG);
	assert_int_equal(cache_remove(q.sha256, NULL), 0);
	assert_int_equal(cache_check(q.sha256, HASH_SHA256, q.sha256, NULL), -ENOENT);
	assert_int_equal(files_in_cache(""), 0);
	assert_int_equal(cache_remove(q.sha256, NULL), 0);
	assert_int_equal(cache_remove("../x", NULL), -EINVAL);
}

static void an_initrd_stays_packed(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_(blob_freep) struct blob b = pack(disk, DISK, ARCHIVE_FILTER_GZIP);
	struct httpd_file f = {.drop = 500 * KIB, .ranges = true};
	struct image_request q = request(&f, b.data, b.n);
	_cleanup_(freep) char *is = NULL;
	size_t n;

	assert_int_equal(cache_fetch(q.sha256, &q, NULL), 0);
	assert_int_equal(
		file_read(arena_printf(a, "%s/%s", cache_dir, q.sha256), 9 * MIB, &is, &n, NULL),
		0);
	assert_int_equal(n, b.n);
	assert_memory_equal(is, b.data, n);
	assert_int_equal(files_in_cache(""), 1);
}

static void nothing_wrong_stays_in_the_cache(void **state)
{
	struct httpd_file f = {0};
	struct image_request q = request(&f, disk, DISK);
	_cleanup_err_ struct err e = {0};

	q.sha256 = "00000000000000000000000000000000000000000000000000000000000000aa";
	assert_int_equal(cache_fetch(q.sha256, &q, &e), -EBADMSG);
	assert_int_equal(files_in_cache(""), 0);
	q.sha256 = "../../etc/passwd";
	assert_int_equal(cache_fetch(q.sha256, &q, &e), -EINVAL);
}

static void a_full_file_system_is_told_and_room_is_all_it_takes(void **state)
{
	_cleanup_(freep) char *small = xasprintf("%s/small", dir);
	const char *before = cache_dir;
	struct httpd_file f = {0};
	struct image_request q = request(&f, disk, DISK);
	_cleanup_err_ struct err e = {0};
	struct statvfs st;

	mkdir(small, 0700);
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("small", small, "tmpfs", 0, "size=512k") < 0)
		skip();
	cache_dir = small;
	assert_int_equal(cache_fetch(q.sha256, &q, &e), -ENOSPC);
	print_message("    %s\n", e.message);
	assert_non_null(strstr(e.message, small));
	assert_int_equal(files_in_cache(""), 0);
	assert_int_equal(statvfs(small, &st), 0);
	assert_int_equal(st.f_bfree, st.f_blocks);
	assert_int_equal(mount("small", small, "tmpfs", MS_REMOUNT, "size=16m"), 0);
	assert_int_equal(cache_fetch(q.sha256, &q, NULL), 0);
	assert_int_equal(files_in_cache(""), 1);
	cache_dir = before;
	umount(small);
}

static void what_a_killed_worker_left_is_swept_but_not_a_living_ones(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	const char *dead = arena_printf(a, "%s/0123.part", cache_dir);
	const char *alive = arena_printf(a, "%s/4567.part", cache_dir);
	struct httpd_file f = {0};
	struct image_request q = request(&f, disk, DISK);
	struct cache_facts facts = {0};
	_cleanup_(closep) int fd = -1;

	assert_int_equal(file_mkdirs(cache_dir, 0755, NULL), 0);
	assert_int_equal(file_write(dead, disk, 1000, 0600, NULL), 0);
	assert_int_equal(file_write(arena_printf(a, "%s/%s.part", cache_dir, q.sha256), disk, 1000,
				    0600, NULL),
			 0);
	assert_int_equal(file_write(alive, disk, 1000, 0600, NULL), 0);
	fd = open(alive, O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);

	assert_int_equal(cache_read(a, &facts, NULL), 0);
	assert_int_equal(facts.files.n, 0);
	assert_int_equal(cache_fetch(q.sha256, &q, NULL), 0);
	assert_int_equal(access(dead, F_OK), -1);
	assert_int_equal(access(alive, F_OK), 0);
	assert_int_equal(files_in_cache(".part"), 1);
}

static void a_kernel_from_elsewhere_is_unpacked_anew_when_it_changes(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_(blob_freep) struct blob b = bzimage(elf, ELF_SIZE, ARCHIVE_FILTER_ZSTD);
	_cleanup_(blob_freep) struct blob c = bzimage(elf, ELF_SIZE - 1, ARCHIVE_FILTER_ZSTD);
	const char *path = arena_printf(a, "%s/vmlinuz-6.1", dir);
	const char *other = arena_printf(a, "%s/vmlinuz-6.2", dir);
	const char *first, *again, *second, *third;
	_cleanup_err_ struct err e = {0};
	struct stat st;

	assert_int_equal(file_write(path, b.data, b.n, 0600, NULL), 0);
	assert_int_equal(file_write(other, b.data, b.n, 0600, NULL), 0);
	assert_int_equal(cache_kernel(a, path, &first, NULL), 0);
	assert_int_equal(stat(first, &st), 0);
	assert_int_equal(st.st_size, ELF_SIZE);
	assert_int_equal(cache_kernel(a, path, &again, NULL), 0);
	assert_string_equal(first, again);
	assert_int_equal(cache_kernel(a, other, &third, NULL), 0);
	assert_string_not_equal(first, third);

	assert_int_equal(file_write(path, c.data, c.n, 0600, NULL), 0);
	assert_int_equal(cache_kernel(a, path, &second, NULL), 0);
	assert_string_not_equal(first, second);
	assert_int_equal(stat(second, &st), 0);
	assert_int_equal(st.st_size, ELF_SIZE - 1);
	assert_int_equal(access(first, F_OK), -1);
	assert_int_equal(files_in_cache(""), 2);

	assert_int_equal(file_write(path, elf, ELF_SIZE, 0600, NULL), 0);
	assert_int_equal(cache_kernel(a, path, &first, NULL), 0);
	assert_string_equal(first, path);
	assert_int_equal(cache_kernel(a, "/nonexistent/vmlinuz", &first, &e), -ENOENT);
}

static int begin(void **state)
{
	noise(elf, ELF_SIZE);
	memcpy(elf, ELFMAG, SELFMAG);
	return images_begin(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_comes_out_of_its_bzimage),
		cmocka_unit_test(what_is_no_bzimage_stays_as_it_is),
		cmocka_unit_test_setup(a_kernel_is_fetched_once_and_lies_unpacked, fresh_cache),
		cmocka_unit_test_setup(an_initrd_stays_packed, fresh_cache),
		cmocka_unit_test_setup(nothing_wrong_stays_in_the_cache, fresh_cache),
		cmocka_unit_test(a_full_file_system_is_told_and_room_is_all_it_takes),
		cmocka_unit_test_setup(what_a_killed_worker_left_is_swept_but_not_a_living_ones,
				       fresh_cache),
		cmocka_unit_test_setup(a_kernel_from_elsewhere_is_unpacked_anew_when_it_changes,
				       fresh_cache),
	};

	return cmocka_run_group_tests(tests, begin, images_end);
}
