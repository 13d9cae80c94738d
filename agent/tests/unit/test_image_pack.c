/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Disks to files and back: every form gives the same disk, other people's tools take it, and what goes wrong
 * leaves nothing behind.
 */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/newfile.h"
#include "host/image_pack.h"
#include "host/image_sparse.h"
#include "tests/unit/images.h"

static const char *const endings[] = {".img.zst", ".img.gz", ".img", ".tar", ".tar.zst", ".tar.gz"};

static const char *path_of(const char *name)
{
	static char path[2][96];
	static unsigned which;

	which = !which;
	snprintf(path[which], sizeof(path[which]), "%s/%s", dir, name);
	return path[which];
}

static int shell(const char *words)
{
	_cleanup_(freep) char *command = xasprintf("cd %s && %s", dir, words);

	return system(command);
}

static void remove_file(const char *name)
{
	assert_int_equal(unlink(path_of(name)), 0);
}

/* How many files there are; none hides. */
static int files(void)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	int n = 0;

	assert_non_null(d);
	while ((entry = readdir(d)))
		n += !streq(entry->d_name, ".") && !streq(entry->d_name, "..");
	closedir(d);
	return n;
}

static struct pack_request to(const char *name)
{
	static char from[96], file[96];

	snprintf(from, sizeof(from), "%s/disk", dir);
	snprintf(file, sizeof(file), "%s/%s", dir, name);
	return (struct pack_request){.from = from, .to = file, .member = "disk.img"};
}

/* Imports it, as a template would. */
static int import(const char *name, const struct pack_result *packed, struct image_result *ret)
{
	_cleanup_(freep) char *from = xasprintf("file://%s/%s", dir, name);
	struct image_request q = {
		.url = from,
		.sha256 = packed->sha256,
		.target = target(),
		.member = strstr(name, ".tar") ? "disk.img" : NULL,
		.max_size = packed->size,
	};

	return image_write(&q, ret, NULL);
}

static bool zeros_from(const char *data, size_t n, size_t from)
{
	return from >= n || sparse_zeros(data + from, n - from);
}

/* Packs the file "disk", which is so many bytes, in every form, and imports each. */
static void round_trip(const char *data, size_t n, uint64_t data_bytes)
{
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		_cleanup_(freep) char *name = xasprintf("out%s", endings[i]), *again = NULL;
		_cleanup_(freep) char *file = NULL;
		struct pack_request q = to(name);
		struct pack_result p = {0}, second;
		struct image_result r;
		struct stat st;
		size_t n_file;

		print_message("  %s of %zu\n", endings[i], n);
		assert_int_equal(image_pack(&q, &p, NULL), 0);
		assert_int_equal(p.size, n);
		assert_int_equal(p.data, data_bytes);
		assert_int_equal(stat(q.to, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(st.st_size, p.file);
		assert_int_equal(file_read(q.to, 64 * MIB, &file, &n_file, NULL), 0);
		assert_string_equal(p.sha256, digest_of(file, n_file));
		assert_int_equal(import(name, &p, &r), 0);
		assert_int_equal(r.size, n);
		assert_true(r.written <= data_bytes);
		target_is(data, n);
		/* The same again is the same file. */
		again = xasprintf("again%s", endings[i]);
		q = to(again);
		assert_int_equal(image_pack(&q, &second, NULL), 0);
		assert_string_equal(second.sha256, p.sha256);
		remove_file(name);
		remove_file(again);
	}
}

static void put_disk(const char *data, size_t n)
{
	assert_int_equal(file_write(path_of("disk"), data, n, 0600, NULL), 0);
}

static void every_form_gives_the_same_disk(void **state)
{
	write_sparse(path_of("disk"));
	/* In chunks: 16 of noise, 1 of a byte, and 2 for the ragged end. */
	round_trip(disk, DISK, 1 * MIB + 64 * KIB + (DISK - (5 * MIB - 64 * KIB)));
	/* The same without holes. */
	put_disk(disk, DISK);
	round_trip(disk, DISK, 1 * MIB + 64 * KIB + (DISK - (5 * MIB - 64 * KIB)));
}

static void holes_may_be_anywhere(void **state)
{
	static const struct {
		size_t n, data, at;
		uint64_t chunks;
	} cases[] = {
		{4 * MIB, 0, 0, 0},                          /* all zeros */
		{600, 1, 0, 600},                            /* a byte */
		{4096 + 1, 1, 4096, 4097},                   /* its last byte */
		{4 * MIB, 4 * MIB, 0, 4 * MIB},              /* no hole */
		{4 * MIB, 1 * MIB, 0, 1 * MIB},              /* at the end */
		{4 * MIB, 1 * MIB, 3 * MIB, 1 * MIB},        /* at the start */
		{3 * MIB + 123, 700, 2 * MIB, 64 * KIB},     /* on both sides */
		{2 * MIB, 2, 64 * KIB - 1, 128 * KIB},       /* over a chunk's edge */
		{4 * MIB, 2, 512 * KIB - 1, 128 * KIB},      /* over a block's edge */
		{640 * KIB, 640 * KIB - 1, 1, 640 * KIB},
	};
	static char data[4 * MIB];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(data, 0, sizeof(data));
		noise(data + cases[i].at, cases[i].data);
		if (cases[i].data) {
			data[cases[i].at] |= 1;
			data[cases[i].at + cases[i].data - 1] |= 1;
		}
		assert_true(zeros_from(data, sizeof(data), cases[i].at + cases[i].data));
		put_disk(data, cases[i].n);
		round_trip(data, cases[i].n, cases[i].chunks);
	}
}

static void the_tools_that_people_have_take_it(void **state)
{
	static const struct {
		const char *ending, *words;
	} cases[] = {
		{".img.zst", "zstd -qt out.img.zst && zstd -qdc out.img.zst | cmp - disk"},
		{".img.gz", "gzip -t out.img.gz && gzip -dc out.img.gz | cmp - disk"},
		{".img", "cmp out.img disk"},
		{".tar", "tar -tvf out.tar | grep -q ' 5243580 .* disk.img$' && tar -xSf out.tar && "
			 "cmp disk.img disk"},
		{".tar.zst", "tar --zstd -xSf out.tar.zst && cmp disk.img disk"},
		{".tar.gz", "tar -xSzf out.tar.gz && cmp disk.img disk"},
	};

	write_sparse(path_of("disk"));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(freep) char *name = xasprintf("out%s", cases[i].ending);
		struct pack_request q = to(name);
		struct pack_result p;
		struct stat st;

		assert_int_equal(image_pack(&q, &p, NULL), 0);
		assert_int_equal(shell(cases[i].words), 0);
		assert_int_equal(stat(q.to, &st), 0);
		/* Neither on the disk nor in the archive are there holes' zeros. */
		assert_true((uint64_t)st.st_blocks * 512 <= DISK_DATA + 256 * KIB);
		remove_file(name);
		if (stat(path_of("disk.img"), &st) < 0)
			continue;
		assert_true((uint64_t)st.st_blocks * 512 <= DISK_DATA + 256 * KIB);
		remove_file("disk.img");
	}
}

/* The map of a disk full of holes has an end; what it joins is zeros in the archive. */
static void a_map_has_an_end(void **state)
{
	static char data[32 * MIB];
	struct pack_request q = to("out.tar");
	struct pack_result p = {0};
	struct image_result r;

	/* Data and holes by turns, ever further from each other. */
	for (size_t at = 0, step = 128 * KIB; at < sizeof(data); at += step, step += 8 * KIB)
		data[at] = 1;
	put_disk(data, sizeof(data));
	pack_map_max = 16;
	assert_int_equal(image_pack(&q, &p, NULL), 0);
	pack_map_max = 16384;
	assert_true(p.file > p.data + MIB && p.file < p.size);
	assert_int_equal(import("out.tar", &p, &r), 0);
	assert_true(r.written < p.data);
	target_is(data, sizeof(data));
	remove_file("out.tar");
}

static void what_is_wrong_is_told_first(void **state)
{
	_cleanup_err_ struct err e = {0};
	struct pack_request q = to("out.img.zst");
	struct pack_result p;
	int before;

	write_sparse(path_of("disk"));
	before = files();
	q.to = "out.iso";
	assert_int_equal(image_pack(&q, &p, &e), -EINVAL);
	assert_non_null(strstr(e.message, ".img.zst"));
	q = to("no-such-folder/out.img.zst");
	assert_int_equal(image_pack(&q, &p, &e), -ENOENT);
	q = to("out.img");
	q.from = "/dev/null";
	assert_int_equal(image_pack(&q, &p, &e), -EINVAL);
	q.from = "/no/such/disk";
	assert_int_equal(image_pack(&q, &p, &e), -ENOENT);
	q.from = path_of("empty");
	assert_int_equal(shell("true > empty"), 0);
	assert_int_equal(image_pack(&q, &p, &e), -EINVAL);
	remove_file("empty");
	/* There already: left, or replaced as a whole. */
	assert_int_equal(shell("echo mine > out.img"), 0);
	q = to("out.img");
	assert_int_equal(image_pack(&q, &p, &e), -EEXIST);
	assert_int_equal(shell("grep -q mine out.img"), 0);
	q.replace = true;
	assert_int_equal(image_pack(&q, &p, &e), 0);
	assert_int_equal(shell("cmp disk out.img"), 0);
	remove_file("out.img");
	/* No regular file: never. */
	assert_int_equal(symlink("disk", path_of("out.img")), 0);
	assert_int_equal(image_pack(&q, &p, &e), -EINVAL);
	remove_file("out.img");
	assert_int_equal(files(), before);
}

struct watching {
	uint64_t last, total, stop_at;
	const char *make; /* a file that somebody makes meanwhile */
};

static bool go_on(void *data, uint64_t done, uint64_t total)
{
	struct watching *w = data;

	assert_true(done >= w->last && done <= total);
	w->last = done;
	w->total = total;
	if (w->make)
		assert_int_equal(file_write(path_of(w->make), "mine", 4, 0600, NULL), 0);
	w->make = NULL;
	return !w->stop_at || done < w->stop_at;
}

static void stop_each(void)
{
	int before;

	put_disk(disk, DISK);
	before = files();
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		_cleanup_(freep) char *name = xasprintf("out%s", endings[i]);
		struct pack_request q = to(name);
		struct watching w = {.stop_at = 3 * MIB};
		struct pack_result p;

		q.go_on = go_on;
		q.data = &w;
		assert_int_equal(image_pack(&q, &p, NULL), -ECANCELED);
		assert_int_equal(files(), before);
		w = (struct watching){.stop_at = DISK + 3 * MIB}; /* in an archive's second pass */
		if (strstr(name, ".tar"))
			assert_int_equal(image_pack(&q, &p, NULL), -ECANCELED);
		assert_int_equal(files(), before);
		/* What came to be there meanwhile isn't replaced. */
		w = (struct watching){.make = name};
		assert_int_equal(image_pack(&q, &p, NULL), -EEXIST);
		assert_int_equal(shell("grep -qr mine out*"), 0);
		remove_file(name);
		w = (struct watching){0};
		assert_int_equal(image_pack(&q, &p, NULL), 0);
		assert_int_equal(w.last, w.total);
		remove_file(name);
	}
}

static void who_stops_it_leaves_nothing(void **state)
{
	stop_each();
	/* Where every file has a name. */
	newfile_nameless = false;
	stop_each();
	what_is_wrong_is_told_first(state);
	newfile_nameless = true;
}

static bool write_behind(void *data, uint64_t done, uint64_t total)
{
	static const char command[] =
		"printf x | dd of=disk bs=1 seek=40000000 conv=notrunc status=none";

	if (done > total / 2 && !*(bool *)data) {
		*(bool *)data = true;
		assert_int_equal(shell(command), 0);
	}
	return true;
}

/* The reader is ahead by a few MiB, not by so many. */
static void what_changes_meanwhile_is_no_image(void **state)
{
	static char data[64 * MIB];
	_cleanup_err_ struct err e = {0};
	struct pack_request q = to("out.tar");
	struct pack_result p;
	bool written = false;

	noise(data, 16 * MIB);
	put_disk(data, sizeof(data));
	q.go_on = write_behind;
	q.data = &written;
	assert_int_equal(image_pack(&q, &p, &e), -ESTALE);
	assert_non_null(strstr(e.message, "changed"));
	assert_int_equal(access(q.to, F_OK), -1);
}

/* A file system of one MiB: nothing is left in it. */
static void a_full_file_system_is_told(void **state)
{
	_cleanup_(freep) char *small = xasprintf("%s/small", dir);

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		skip();
	put_disk(disk, DISK);
	assert_int_equal(mkdir(small, 0700), 0);
	assert_int_equal(mount("none", small, "tmpfs", 0, "size=512k"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		_cleanup_(freep) char *name = xasprintf("small/out%s", endings[i]);
		_cleanup_err_ struct err e = {0};
		struct pack_request q = to(name);
		struct pack_result p;

		assert_int_equal(image_pack(&q, &p, &e), -ENOSPC);
		assert_non_null(strstr(e.message, name));
		assert_int_equal(shell("test -z \"$(ls -A small)\""), 0);
	}
	assert_int_equal(umount(small), 0);
	assert_int_equal(rmdir(small), 0);
}

/* Measured in a process of its own. */
static void memory_stays_bounded(void **state)
{
	int fd = open(path_of("disk"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), status;
	pid_t pid;

	assert_true(fd >= 0);
	for (int i = 0; i < 40; i++) {
		noise(disk, MIB);
		for (int k = 0; k < 4; k++)
			assert_int_equal(pwrite(fd, disk, MIB, (off_t)(i * 64 + k) * MIB), MIB);
	}
	close(fd);
	pid = fork();
	if (pid == 0) {
		struct pack_request q = to("out.img.zst");
		struct pack_result p;
		struct rusage before, after;

		getrusage(RUSAGE_SELF, &before);
		if (image_pack(&q, &p, NULL) < 0)
			_exit(1);
		getrusage(RUSAGE_SELF, &after);
		print_message("  %ld KiB\n", after.ru_maxrss - before.ru_maxrss);
		_exit(after.ru_maxrss - before.ru_maxrss > 128 * 1024 ? 2 : 0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_gives_the_same_disk),
		cmocka_unit_test(holes_may_be_anywhere),
		cmocka_unit_test(the_tools_that_people_have_take_it),
		cmocka_unit_test(a_map_has_an_end),
		cmocka_unit_test(what_is_wrong_is_told_first),
		cmocka_unit_test(who_stops_it_leaves_nothing),
		cmocka_unit_test(what_changes_meanwhile_is_no_image),
		cmocka_unit_test(a_full_file_system_is_told),
		cmocka_unit_test(memory_stays_bounded),
	};

	return cmocka_run_group_tests_name("image_pack", tests, images_begin, images_end);
}
