/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Saved guests as files: whole or not there, restored once, told from what is damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "host/save.h"

static char dir[] = "/var/tmp/manor-save-XXXXXX";
static struct arena *arena;

static const struct saved_domain web = {
	.uuid = "u-web", .boot_id = "boot-1", .domid = 7, .since = 1000, .domain = "{\"a\": 1}",
};

static const struct saved_domain *read_back(const char *name)
{
	struct map m = {0};

	assert_int_equal(save_read(arena, &m, NULL), 0);
	return map_get(&m, name);
}

static void keep(const char *name, const struct saved_domain *s, const char *stream)
{
	_cleanup_saving_ struct saving *f = NULL;

	assert_int_equal(save_begin(name, s, 4096, &f, NULL), 0);
	assert_null(read_back(name)); /* not before it is whole */
	assert_int_equal(file_write_all(saving_fd(f), stream, strlen(stream)), 0);
	assert_int_equal(save_place(f, NULL), 0);
}

static void what_is_kept_is_there_whole(void **state)
{
	_cleanup_(freep) char *path = xasprintf("%s/web.save", dir);
	char stream[16] = "";
	const struct saved_domain *s;
	struct stat st;
	int fd;

	keep("web", &web, "stream");
	s = read_back("web");
	assert_true(s->whole);
	assert_false(s->used || s->failed || s->for_host);
	assert_null(s->why);
	assert_string_equal(s->uuid, "u-web");
	assert_string_equal(s->boot_id, "boot-1");
	assert_string_equal(s->domain, "{\"a\": 1}");
	assert_int_equal(s->domid, 7);
	assert_int_equal(s->since, 1000);
	assert_int_equal(s->size, 4096 + 6);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(st.st_blocks * 512 <= 16384); /* the room that was held is given back */
	assert_int_equal(save_open("web", &fd, NULL), 0);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 4096);
	assert_int_equal(read(fd, stream, sizeof(stream)), 6);
	assert_string_equal(stream, "stream");
	close(fd);
	assert_int_equal(save_discard("web", NULL), 0);
	assert_int_equal(save_discard("web", NULL), 0);
	assert_null(read_back("web"));
}

static void what_was_cut_off_is_swept_by_the_next(void **state)
{
	_cleanup_(freep) char *mine = xasprintf("%s/.web.save.00c0ffee.part", dir),
			      *others = xasprintf("%s/.web2.save.00c0ffee.part", dir);

	assert_int_equal(file_write(mine, "a", 1, 0600, NULL), 0);
	assert_int_equal(file_write(others, "a", 1, 0600, NULL), 0);
	keep("web", &web, "stream");
	assert_int_equal(access(mine, F_OK), -1);
	assert_int_equal(access(others, F_OK), 0);
	assert_int_equal(unlink(others), 0);
	assert_int_equal(save_discard("web", NULL), 0);
}

static void what_is_given_up_leaves_nothing(void **state)
{
	struct saving *f = NULL;

	keep("web", &web, "old");
	assert_int_equal(save_begin("web", &web, 4096, &f, NULL), 0);
	saving_free(f);
	assert_int_equal(read_back("web")->size, 4096 + 3);
	keep("web2", &web, "other");
	assert_true(read_back("web")->whole && read_back("web2")->whole);
	assert_int_equal(save_discard("web", NULL), 0);
	assert_int_equal(save_discard("web2", NULL), 0);
}

static void what_was_used_is_never_restored(void **state)
{
	int fd;

	keep("web", &web, "stream");
	assert_int_equal(save_use("web", NULL), 0);
	assert_false(read_back("web")->whole);
	assert_true(read_back("web")->used);
	assert_string_equal(read_back("web")->uuid, "u-web");
	assert_int_equal(save_open("web", &fd, NULL), -ENOENT);
	assert_int_equal(save_unuse("web", NULL), 0);
	assert_true(read_back("web")->whole);
	assert_int_equal(save_use("web", NULL), 0);
	assert_int_equal(save_forget("web", NULL), 0);
	assert_null(read_back("web"));
	assert_int_equal(save_forget("web", NULL), 0);
	assert_true(save_use("web", NULL) < 0);
}

static void what_failed_is_kept_aside(void **state)
{
	_cleanup_(freep) char *path = xasprintf("%s/web.failed", dir);

	keep("web", &web, "stream");
	assert_int_equal(save_set_aside("web", NULL), 0);
	assert_true(read_back("web")->failed);
	assert_false(read_back("web")->whole);
	assert_int_equal(unlink(path), 0);
}

static void what_is_damaged_says_so(void **state)
{
	static const char *const texts[] = {
		"", "x", "manor-save 1 ", "manor-save 2 0000000002\n{}", "manor-save 1 0000000002\n{}",
		"manor-save 1 0000000900\n{}", "manor-save 1 9999999999\n{}", "manor-save 1 0000000002\n[]",
		"manor-save 1 -000000001\n{}", "manor-save 1 0000000013\n{\"uuid\": \"u\"}",
	};
	_cleanup_(freep) char *path = xasprintf("%s/web.save", dir);
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(file_write(path, texts[i], strlen(texts[i]), 0600, NULL), 0);
		assert_true(read_back("web")->whole);
		assert_non_null(read_back("web")->why);
		assert_true(save_open("web", &fd, NULL) < 0);
	}
	assert_int_equal(save_discard("web", NULL), 0);
	/* Neither a link nor what isn't a file is followed or waited for. */
	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_non_null(read_back("web")->why);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_non_null(read_back("web")->why);
	assert_int_equal(unlink(path), 0);
}

static void names_stay_within_the_folder(void **state)
{
	static const char *const names[] = {"", ".", "..", "../web", "a/b", ".hidden"};
	struct saving *f = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_true(save_begin(names[i], &web, 4096, &f, NULL) < 0);
		assert_true(save_discard(names[i], NULL) < 0);
		assert_true(save_forget(names[i], NULL) < 0);
	}
}

static void too_much_is_refused_before_anything_is_done(void **state)
{
	_cleanup_err_ struct err e = {0};
	struct saving *f = NULL;

	assert_int_equal(save_room(UINT64_C(1) << 60, &e), -ENOSPC);
	assert_non_null(strstr(e.message, "are free"));
	assert_non_null(e.help);
	assert_int_equal(save_begin("web", &web, UINT64_C(1) << 60, &f, NULL), -ENOSPC);
	assert_int_equal(save_room(4096, NULL), 0);
	assert_null(read_back("web"));
}

static void what_is_in_memory_keeps_no_memory(void **state)
{
	_cleanup_err_ struct err e = {0};

	setenv("MANOR_SAVE_DIR", "/dev/shm", 1);
	assert_int_equal(save_room(4096, &e), -ENOTSUP);
	assert_non_null(strstr(e.message, "lost with the power"));
	assert_non_null(e.help);
	setenv("MANOR_SAVE_DIR", dir, 1);
}

static void a_disk_is_told_from_another_of_its_name(void **state)
{
	_cleanup_(freep) char *path = xasprintf("%s/disk", dir),
			      *other = xasprintf("%s/other", dir);
	const char *first;

	assert_int_equal(file_write(path, "a", 1, 0600, NULL), 0);
	first = save_disk_id(arena, path);
	assert_non_null(first);
	assert_int_equal(save_sync_disk(path, NULL), 0);
	assert_int_equal(file_write(other, "a", 1, 0600, NULL), 0);
	assert_string_equal(save_disk_id(arena, path), first);
	assert_int_equal(rename(other, path), 0);
	assert_string_not_equal(save_disk_id(arena, path), first);
	assert_int_equal(unlink(path), 0);
	assert_null(save_disk_id(arena, path));
	assert_null(save_disk_id(arena, "/dev/null"));
	assert_null(save_disk_id(arena, dir));
	assert_null(save_disk_id(arena, "nbd://a/b"));
	assert_int_equal(save_sync_disk("nbd://a/b", NULL), 0);
	assert_int_equal(save_sync_disk(path, NULL), -ENOENT);
}

static int set_up(void **state)
{
	arena = arena_new();
	return !mkdtemp(dir) || setenv("MANOR_SAVE_DIR", dir, 1);
}

static int tear_down(void **state)
{
	arena_free(arena);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_kept_is_there_whole),
		cmocka_unit_test(what_was_cut_off_is_swept_by_the_next),
		cmocka_unit_test(what_is_given_up_leaves_nothing),
		cmocka_unit_test(what_was_used_is_never_restored),
		cmocka_unit_test(what_failed_is_kept_aside),
		cmocka_unit_test(what_is_damaged_says_so),
		cmocka_unit_test(names_stay_within_the_folder),
		cmocka_unit_test(too_much_is_refused_before_anything_is_done),
		cmocka_unit_test(what_is_in_memory_keeps_no_memory),
		cmocka_unit_test(a_disk_is_told_from_another_of_its_name),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
