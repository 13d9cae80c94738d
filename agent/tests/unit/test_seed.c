/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The cloud-init disk, read back by libarchive and looked at by libblkid.
 */
#include <archive.h>
#include <archive_entry.h>
#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "host/seed.h"

static char path[] = "/tmp/test-seed-XXXXXX";

static void write_seed(const struct seed_file *files, size_t n)
{
	_cleanup_err_ struct err e = {0};

	assert_int_equal(seed_write(path, files, n, &e), 0);
}

static void text_of(const char *name, char *ret, size_t size)
{
	struct archive *a = archive_read_new();
	struct archive_entry *entry;

	archive_read_support_format_iso9660(a);
	assert_int_equal(archive_read_open_filename(a, path, 10240), ARCHIVE_OK);
	while (archive_read_next_header(a, &entry) == ARCHIVE_OK) {
		la_ssize_t n;

		if (strcmp(archive_entry_pathname(entry), name) != 0)
			continue;
		n = archive_read_data(a, ret, size - 1);
		assert_true(n >= 0);
		ret[n] = '\0';
		archive_read_free(a);
		return;
	}
	fail_msg("no file %s", name);
}

static void guests_find_it_by_its_label(void **state)
{
	static const struct seed_file files[] = {{"meta-data", "{}"}};
	blkid_probe pr;
	const char *label = NULL;

	write_seed(files, 1);
	pr = blkid_new_probe_from_filename(path);
	assert_non_null(pr);
	blkid_probe_enable_superblocks(pr, 1);
	assert_int_equal(blkid_do_safeprobe(pr), 0);
	assert_int_equal(blkid_probe_lookup_value(pr, "LABEL", &label, NULL), 0);
	assert_string_equal(label, "cidata");
	blkid_free_probe(pr);
}

static void files_come_back_as_they_were(void **state)
{
	static const struct seed_file files[] = {{"meta-data", "{\"instance-id\": \"i\"}"},
						 {"user-data", "#cloud-config\n{}\n"},
						 {"network-config", ""}};
	char text[100];

	write_seed(files, 3);
	for (size_t i = 0; i < 3; i++) {
		text_of(files[i].name, text, sizeof(text));
		assert_string_equal(text, files[i].text);
	}
}

static bool holds(const char *word)
{
	static char buf[SEED_BYTES];
	int fd = open(path, O_RDONLY);

	assert_int_equal(read(fd, buf, sizeof(buf)), sizeof(buf));
	close(fd);
	return memmem(buf, sizeof(buf), word, strlen(word)) != NULL;
}

static void nothing_of_an_earlier_one_stays(void **state)
{
	struct seed_file large = {"user-data", NULL};
	static const struct seed_file small = {"user-data", "x"};
	char *text = xcalloc(1, 300001);

	memset(text, 'a', 300000);
	memcpy(text + 299000, "SECRET", 6);
	large.text = text;
	write_seed(&large, 1);
	assert_true(holds("SECRET"));
	write_seed(&small, 1);
	assert_false(holds("SECRET"));
	free(text);
}

static void too_much_is_refused(void **state)
{
	_cleanup_err_ struct err e = {0};
	struct seed_file f = {"user-data", NULL};
	char *text = xcalloc(1, SEED_MAX + 2);

	memset(text, 'a', SEED_MAX + 1);
	f.text = text;
	assert_int_equal(seed_write(path, &f, 1, &e), -EFBIG);
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(guests_find_it_by_its_label),
		cmocka_unit_test(files_come_back_as_they_were),
		cmocka_unit_test(nothing_of_an_earlier_one_stays),
		cmocka_unit_test(too_much_is_refused),
	};
	int fd = mkstemp(path), r;

	if (fd < 0 || ftruncate(fd, SEED_BYTES) < 0)
		return 1;
	close(fd);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return r;
}
