/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * GRUB's environment block: what menu and system tell each other of slots, and what is left of it after a power cut.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/file.h"
#include "host/grubenv.h"

static char folder[] = "/tmp/test-grubenv-XXXXXX";
static int dir = -1;

static int make(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0;
}

static int clear(void **state)
{
	unlinkat(dir, "grubenv", 0);
	close(dir);
	return rmdir(folder);
}

static void put(const void *data, size_t n)
{
	_cleanup_(closep) int fd = openat(dir, "grubenv", O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_int_equal(file_write_all(fd, data, n), 0);
}

static struct grubenv *get(struct arena *a)
{
	struct grubenv *g = NULL;

	assert_true(grubenv_read(dir, "grubenv", a, &g, NULL));
	return g;
}

/* As GRUB's own tool writes it, remark and all. */
static void write_slots(void)
{
	static const char said[] =
		"# GRUB Environment Block\n# a remark\nORDER=A B\nA_OK=1\nA_TRY=1\n";
	char block[GRUBENV_SIZE];

	memset(block, '#', sizeof(block));
	memcpy(block, said, sizeof(said) - 1);
	put(block, sizeof(block));
}

static void what_the_menu_wrote_is_read(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct grubenv *g;

	write_slots();
	g = get(a);
	assert_null(g->damaged);
	assert_string_equal(grubenv_get(g, "ORDER"), "A B");
	assert_string_equal(grubenv_get(g, "A_TRY"), "1");
	assert_null(grubenv_get(g, "B_OK"));
}

static void a_slot_is_marked_in_the_same_sectors(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_err_ struct err e = {0};
	struct stat before, after;
	struct grubenv *g;

	write_slots();
	assert_int_equal(fstatat(dir, "grubenv", &before, 0), 0);
	g = get(a);
	grubenv_set(g, "A_TRY", "0");
	grubenv_set(g, "B_OK", "0");
	assert_true(grubenv_write(dir, "grubenv", g, &e));
	assert_int_equal(fstatat(dir, "grubenv", &after, 0), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(after.st_size, GRUBENV_SIZE);
	g = get(a);
	assert_string_equal(grubenv_get(g, "ORDER"), "A B");
	assert_string_equal(grubenv_get(g, "A_TRY"), "0");
	assert_string_equal(grubenv_get(g, "B_OK"), "0");
}

static void either_sector_of_two_is_enough(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	char old[GRUBENV_SIZE], new[GRUBENV_SIZE], torn[GRUBENV_SIZE];
	struct grubenv *g;

	write_slots();
	g = get(a);
	assert_true(grubenv_format(g, old, NULL));
	grubenv_set(g, "ORDER", "B A");
	assert_true(grubenv_format(g, new, NULL));
	memcpy(torn, old, 512);
	memcpy(torn + 512, new + 512, 512);
	assert_string_equal(grubenv_get(grubenv_parse(a, torn, sizeof(torn)), "ORDER"), "A B");
	memcpy(torn, new, 512);
	memcpy(torn + 512, old + 512, 512);
	assert_string_equal(grubenv_get(grubenv_parse(a, torn, sizeof(torn)), "ORDER"), "B A");
}

static void damaged_says_nothing_and_is_mended(const void *data, size_t n, const char *why)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct grubenv *g;

	if (data)
		put(data, n);
	else
		unlinkat(dir, "grubenv", 0);
	g = get(a);
	assert_non_null(g->damaged);
	assert_non_null(strstr(g->damaged, why));
	assert_int_equal(g->n, 0);
	grubenv_set(g, "A_OK", "1");
	assert_true(grubenv_write(dir, "grubenv", g, NULL));
	g = get(a);
	assert_null(g->damaged);
	assert_string_equal(grubenv_get(g, "A_OK"), "1");
	assert_int_equal(faccessat(dir, "grubenv.new", F_OK, 0), -1);
}

static void what_a_power_cut_left_is_mended(void **state)
{
	char block[GRUBENV_SIZE * 2] = {0};

	damaged_says_nothing_and_is_mended(NULL, 0, "isn't there");
	damaged_says_nothing_and_is_mended(block, 0, "0 bytes long");
	damaged_says_nothing_and_is_mended(block, GRUBENV_SIZE, "doesn't begin");
	memset(block, '#', sizeof(block));
	memcpy(block, "# GRUB Environment Block\n", 25);
	damaged_says_nothing_and_is_mended(block, GRUBENV_SIZE * 2, "1025 bytes long");
	memset(block + 25, 0, 400);
	damaged_says_nothing_and_is_mended(block, GRUBENV_SIZE, "no NAME=VALUE");
}

static void a_folder_that_is_none_is_told(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_err_ struct err e = {0};
	struct grubenv *g = NULL;

	assert_false(grubenv_read(-1, "grubenv", a, &g, &e));
	assert_non_null(strstr(e.message, "no folder"));
}

static void refuses(const char *name, const char *value, const char *why)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_err_ struct err e = {0};
	struct grubenv *g;

	write_slots();
	g = get(a);
	grubenv_set(g, name, value);
	assert_false(grubenv_write(dir, "grubenv", g, &e));
	assert_non_null(strstr(e.message, why));
	/* And what was there stays. */
	assert_string_equal(grubenv_get(get(a), "A_TRY"), "1");
}

static void what_grub_does_not_read_is_not_written(void **state)
{
	char name[16];
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_err_ struct err e = {0};
	struct grubenv *g;

	refuses("A-OK", "1", "doesn't read");
	refuses("", "1", "doesn't read");
	refuses("1A", "1", "doesn't read");
	refuses("A_OK", "one\ntwo", "doesn't read");
	write_slots();
	g = get(a);
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "LONG%d", i);
		grubenv_set(g, name, arena_printf(a, "%0150d", i));
	}
	assert_false(grubenv_write(dir, "grubenv", g, &e));
	assert_non_null(strstr(e.message, "first sector is full"));
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "V%d", i);
		grubenv_set(g, name, "1");
	}
	assert_false(grubenv_write(dir, "grubenv", g, &e));
	assert_non_null(strstr(e.message, "more than 32"));
}

static void a_backslash_is_written_as_grub_reads_it(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct grubenv *g;

	write_slots();
	g = get(a);
	grubenv_set(g, "A_OK", "a\\b\\");
	assert_true(grubenv_write(dir, "grubenv", g, NULL));
	g = get(a);
	assert_string_equal(grubenv_get(g, "A_OK"), "a\\b\\");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_menu_wrote_is_read),
		cmocka_unit_test(a_slot_is_marked_in_the_same_sectors),
		cmocka_unit_test(either_sector_of_two_is_enough),
		cmocka_unit_test(what_a_power_cut_left_is_mended),
		cmocka_unit_test(a_folder_that_is_none_is_told),
		cmocka_unit_test(what_grub_does_not_read_is_not_written),
		cmocka_unit_test(a_backslash_is_written_as_grub_reads_it),
	};

	return cmocka_run_group_tests(tests, make, clear);
}
