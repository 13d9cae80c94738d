/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * host/disk_file.h, host/paths.h and the cache's disk images against real files; cloning with shared blocks on a
 * file system of the test's own where one can be mounted.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <blkid/blkid.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/ident.h"
#include "host/cache.h"
#include "host/disk_file.h"
#include "host/loop.h"
#include "host/paths.h"

#define MIB    (UINT64_C(1) << 20)
#define DIGEST "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"

static char folder[64];

static char *in_folder(const char *name)
{
	static char paths[8][128];
	static unsigned n;

	snprintf(paths[n % 8], 128, "%s/%s", folder, name);
	return paths[n++ % 8];
}

static int setup(void **state)
{
	/* Extended attributes want a file system that keeps them: /tmp may be in memory. */
	snprintf(folder, sizeof(folder), "/var/tmp/manor-test-disk-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static struct stat stat_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st;
}

static void write_at(const char *path, off_t at, const char *text)
{
	int fd = open(path, O_RDWR | O_CREAT, 0644);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, text, strlen(text), at), strlen(text));
	close(fd);
}

static void an_empty_one_occupies_nothing(void **state)
{
	struct disk_file_request q = {.path = in_folder("a.img"), .size = 20480 * MIB};
	_cleanup_err_ struct err e = {0};
	struct stat st;

	assert_int_equal(disk_file_make(&q, &e), 0);
	st = stat_of(q.path);
	assert_int_equal(st.st_size, 20480 * MIB);
	assert_true(st.st_blocks * 512 < (blkcnt_t)(1 * MIB));
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void what_is_there_is_never_replaced(void **state)
{
	struct disk_file_request q = {.path = in_folder("a.img"), .size = MIB};
	_cleanup_err_ struct err e = {0}, again = {0};

	write_at(q.path, 0, "precious");
	assert_int_equal(disk_file_make(&q, &e), -EEXIST);
	assert_int_equal(stat_of(q.path).st_size, 8);
	/* A link to nothing is something as well. */
	assert_int_equal(unlink(q.path), 0);
	assert_int_equal(symlink("/nowhere/at/all", q.path), 0);
	assert_int_equal(disk_file_make(&q, &again), -EEXIST);
}

static void a_clone_is_whole_larger_and_bears_its_mark(void **state)
{
	struct disk_file_request q = {
		.path = in_folder("clone.img"),
		.size = 64 * MIB,
		.from = in_folder("base.img"),
		.base = DIGEST,
		.kernel = DIGEST,
	};
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_err_ struct err e = {0};
	struct path_facts facts = {0};
	struct path_state *s;
	struct list paths = {0};
	char text[8] = "";
	int fd;

	write_at(q.from, 0, "begin");
	write_at(q.from, 30 * MIB, "far");
	assert_int_equal(disk_file_make(&q, &e), 0);
	fd = open(q.path, O_RDONLY);
	assert_int_equal(pread(fd, text, 3, 30 * MIB), 3);
	assert_string_equal(text, "far");
	close(fd);

	list_add(a, &paths, (void *)q.path);
	assert_int_equal(paths_read(a, &paths, &facts, &e), 0);
	s = facts.paths.items[0];
	assert_int_equal(s->type, PATH_FILE);
	assert_int_equal(s->size, 64 * MIB);
	assert_true(s->held < 2 * MIB);
	assert_string_equal(s->base, DIGEST);
	assert_string_equal(s->kernel, DIGEST);
	assert_null(s->initrd);
	assert_true(s->folder && s->free > 0 && !s->read_only);
}

static void a_clone_too_small_is_refused_and_leaves_nothing(void **state)
{
	struct disk_file_request q = {
		.path = in_folder("clone.img"),
		.size = MIB,
		.from = in_folder("base.img"),
		.base = DIGEST,
	};
	_cleanup_err_ struct err e = {0};

	write_at(q.from, 2 * MIB, "x");
	assert_int_equal(disk_file_make(&q, &e), -EINVAL);
	assert_int_equal(access(q.path, F_OK), -1);
	assert_int_equal(access(in_folder(".clone.img.manor-part"), F_OK), -1);
}

static void one_is_put_aside_and_never_over_another(void **state)
{
	_cleanup_err_ struct err e = {0};

	write_at(in_folder("a.img"), 0, "old");
	assert_int_equal(disk_file_aside(in_folder("a.img"), "before-1", &e), 0);
	assert_int_equal(stat_of(in_folder("a.img.before-1")).st_size, 3);
	assert_int_equal(disk_file_aside(in_folder("a.img"), "before-2", &e), 0); /* gone already */
	write_at(in_folder("a.img"), 0, "new one");
	assert_int_equal(disk_file_aside(in_folder("a.img"), "before-1", &e), -EEXIST);
	assert_int_equal(stat_of(in_folder("a.img")).st_size, 7);
}

static void what_was_cut_off_is_made_anew(void **state)
{
	struct disk_file_request q = {.path = in_folder("a.img"), .size = MIB};
	_cleanup_err_ struct err e = {0};

	write_at(in_folder(".a.img.manor-part"), 5 * MIB, "half of another");
	assert_int_equal(disk_file_make(&q, &e), 0);
	assert_int_equal(stat_of(q.path).st_size, MIB);
	assert_true(stat_of(q.path).st_blocks * 512 < 65536);
	assert_int_equal(access(in_folder(".a.img.manor-part"), F_OK), -1);
}

static void a_folder_that_is_missing_is_said(void **state)
{
	struct disk_file_request q = {.path = in_folder("none/a.img"), .size = MIB};
	_cleanup_err_ struct err e = {0};

	assert_int_equal(disk_file_make(&q, &e), -ENOENT);
	assert_int_equal(access(in_folder("none"), F_OK), -1);
}

static void it_grows_and_its_loop_device_with_it(void **state)
{
	struct disk_file_request q = {.path = in_folder("a.img"), .size = 4 * MIB};
	_cleanup_err_ struct err e = {0};
	char device[LOOP_PATH];
	uint64_t size = 0;
	int fd, loop;

	assert_int_equal(disk_file_make(&q, &e), 0);
	fd = open(q.path, O_RDWR);
	if (loop_attach(fd, false, device) < 0)
		skip();
	assert_int_equal(disk_file_grow(q.path, 8 * MIB, &e), 0);
	loop = open(device, O_RDONLY);
	assert_int_equal(ioctl(loop, _IOR(0x12, 114, size_t), &size), 0); /* BLKGETSIZE64 */
	close(loop);
	assert_int_equal(loop_detach(device), 0);
	assert_int_equal(size, 8 * MIB);
	/* Never smaller. */
	assert_int_equal(disk_file_grow(q.path, 2 * MIB, &e), 0);
	assert_int_equal(stat_of(q.path).st_size, 8 * MIB);
	close(fd);
}

static void swap_space_is_what_the_kernels_tools_take(void **state)
{
	struct disk_file_request q = {
		.path = in_folder("swap.img"),
		.size = 16 * MIB,
		.swap = "11111111-2222-4333-8444-555555555555",
	};
	_cleanup_err_ struct err e = {0}, small = {0};
	const char *value = NULL;
	blkid_probe probe;

	assert_int_equal(disk_file_make(&q, &e), 0);
	probe = blkid_new_probe_from_filename(q.path);
	assert_non_null(probe);
	assert_int_equal(blkid_do_safeprobe(probe), 0);
	assert_int_equal(blkid_probe_lookup_value(probe, "TYPE", &value, NULL), 0);
	assert_string_equal(value, "swap");
	assert_int_equal(blkid_probe_lookup_value(probe, "UUID", &value, NULL), 0);
	assert_string_equal(value, q.swap);
	blkid_free_probe(probe);
	write_at(in_folder("small"), 0, "x");
	assert_int_equal(swap_make(in_folder("small"), q.swap, &small), -EINVAL);
}

static void a_path_tells_what_stands_there(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_err_ struct err e = {0};
	struct path_facts facts = {0};
	struct path_state **s;
	struct list paths = {0};
	char *file = in_folder("f"), *other = in_folder("hard"), *dangling = in_folder("dangling");

	write_at(file, 0, "x");
	assert_int_equal(link(file, other), 0);
	assert_int_equal(symlink("/nowhere/at/all", dangling), 0);
	list_add(a, &paths, file);
	list_add(a, &paths, other);
	list_add(a, &paths, dangling);
	list_add(a, &paths, folder);
	list_add(a, &paths, in_folder("absent"));
	list_add(a, &paths, in_folder("none/absent"));
	list_add(a, &paths, (void *)"/dev/null");
	write_at(in_folder("cow"), 0, "QFI\xfb");
	list_add(a, &paths, in_folder("cow"));
	assert_int_equal(paths_read(a, &paths, &facts, &e), 0);
	s = (struct path_state **)facts.paths.items;
	assert_int_equal(s[0]->type, PATH_FILE);
	assert_string_equal(s[0]->id, s[1]->id);
	assert_null(s[0]->base);
	assert_non_null(s[2]->why);
	assert_int_equal(s[3]->type, PATH_FOLDER);
	assert_int_equal(s[4]->type, PATH_ABSENT);
	assert_true(s[4]->folder && !s[4]->why);
	assert_int_equal(s[5]->type, PATH_ABSENT);
	assert_true(!s[5]->folder && !s[5]->why);
	assert_int_equal(s[6]->type, PATH_OTHER);
	assert_null(s[0]->format);
	assert_string_equal(s[7]->format, "qcow2");
}

static void an_image_in_the_cache_is_sparse_read_only_and_listed(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_err_ struct err e = {0}, wrong = {0};
	char command[512], url[160];
	struct image_request q = {.url = url};
	struct cache_facts facts = {0};
	const struct cache_image *i;
	_cleanup_(freep) char *packed = NULL;
	char sum[SHA256_TEXT];
	size_t n;

	cache_dir = in_folder("cache");
	write_at(in_folder("base.img"), 0, "begin");
	write_at(in_folder("base.img"), 30 * MIB, "far");
	snprintf(command, sizeof(command), "zstd -q %s/base.img", folder);
	assert_int_equal(system(command), 0);
	assert_int_equal(file_read(in_folder("base.img.zst"), MIB, &packed, &n, &e), 0);
	sha256_of(packed, n, sum);
	snprintf(url, sizeof(url), "file://%s", in_folder("base.img.zst"));
	q.sha256 = DIGEST;
	assert_int_equal(cache_fetch_image(DIGEST, &q, &wrong), -EBADMSG);
	assert_int_equal(access(cache_image_path(a, DIGEST), F_OK), -1);
	q.sha256 = sum;
	assert_int_equal(cache_fetch_image(sum, &q, &e), 0);
	assert_int_equal(cache_read(a, &facts, &e), 0);
	assert_int_equal(facts.files.n, 0);
	i = map_get(&facts.images, sum);
	assert_non_null(i);
	assert_int_equal(i->size, 30 * MIB + 3);
	assert_true(i->held < MIB);
	assert_int_equal(stat_of(cache_image_path(a, sum)).st_mode & 0777, 0444);
	assert_int_equal(cache_remove_image(sum, &e), 0);
	assert_int_equal(access(cache_image_path(a, sum), F_OK), -1);
	cache_dir = CACHE_DIR;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(an_empty_one_occupies_nothing),
		T(what_is_there_is_never_replaced),
		T(a_clone_is_whole_larger_and_bears_its_mark),
		T(a_clone_too_small_is_refused_and_leaves_nothing),
		T(one_is_put_aside_and_never_over_another),
		T(what_was_cut_off_is_made_anew),
		T(a_folder_that_is_missing_is_said),
		T(it_grows_and_its_loop_device_with_it),
		T(swap_space_is_what_the_kernels_tools_take),
		T(a_path_tells_what_stands_there),
		T(an_image_in_the_cache_is_sparse_read_only_and_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
