/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Digests as people give them, and lists of sums.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kinds/digest.h"

#define A64       "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define B64       "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
#define B64_UPPER "FFEEDDCCBBAA99887766554433221100FFEEDDCCBBAA99887766554433221100"

static void a_digest_is_64_hex_digits_or_a_list(void **state)
{
	static const struct {
		const char *text, *is; /* NULL: refused */
	} cases[] = {
		{A64, A64},
		{A64 "\n", A64},
		{B64_UPPER, B64},
		{A64 "  disk.img\n", A64 "  disk.img\n"},
		{"# sums\n" A64 " *disk.img\n", "# sums\n" A64 " *disk.img\n"},
		{"SHA256 (disk.img) = " A64, "SHA256 (disk.img) = " A64},
		{"", NULL},
		{"0ad1…", NULL},
		{A64 "0", NULL},
		{A64 "0  disk.img", NULL},
		{A64 "  ", A64},
		{"zz112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", NULL},
		{"SHA256 (disk.img) = 0011", NULL},
		{"SHA256 () = " A64, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_arena_ struct arena *a = arena_new();
		struct decode c = {.arena = a};
		_cleanup_err_ struct err e = {0};
		const char *is = "untouched";
		int r = parse_digest(&c, NULL, cases[i].text, &is, &e);

		print_message("  %s\n", cases[i].text);
		if (cases[i].is) {
			assert_int_equal(r, 0);
			assert_string_equal(is, cases[i].is);
		} else {
			assert_int_equal(r, -EINVAL);
			assert_string_equal(is, "untouched");
			assert_non_null(e.message);
		}
	}
}

static void a_file_is_found_in_its_list(void **state)
{
	static const char sums[] = "-----BEGIN PGP SIGNED MESSAGE-----\r\n" A64
				   "  debian-12.img.zst\r\n" B64_UPPER " *./boot/vmlinuz\n"
				   "SHA256 (pool/initrd.gz) = " A64 "\n" B64 "  with space.img";
	static const struct {
		const char *name, *is;
	} cases[] = {
		{"debian-12.img.zst", A64},
		{"vmlinuz", B64},
		{"initrd.gz", A64},
		{"with space.img", B64},
		{"12.img.zst", NULL},
		{"debian-12.img", NULL},
		{"", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_arena_ struct arena *a = arena_new();
		const char *is = digest_lookup(a, HASH_SHA256, sums, cases[i].name);

		print_message("  %s\n", cases[i].name);
		if (cases[i].is)
			assert_string_equal(is, cases[i].is);
		else
			assert_null(is);
	}
}

static void a_sha512_is_as_good(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	static const char sums[] = A64 A64 "  debian-12.img.zst\nSHA512 (vmlinuz) = " B64 B64 "\n";
	struct decode c = {.arena = a};
	const char *is = NULL;

	assert_int_equal(parse_digest_512(&c, NULL, B64_UPPER B64_UPPER "\n", &is, NULL), 0);
	assert_string_equal(is, B64 B64);
	assert_int_equal(parse_digest_512(&c, NULL, sums, &is, NULL), 0);
	assert_string_equal(is, sums);
	assert_int_equal(parse_digest_512(&c, NULL, A64, &is, NULL), -EINVAL);
	assert_int_equal(parse_digest_512(&c, NULL, A64 "  disk.img", &is, NULL), -EINVAL);
	assert_int_equal(parse_digest(&c, NULL, sums, &is, NULL), -EINVAL);
	assert_string_equal(digest_lookup(a, HASH_SHA512, sums, "debian-12.img.zst"), A64 A64);
	assert_string_equal(digest_lookup(a, HASH_SHA512, sums, "vmlinuz"), B64 B64);
	assert_null(digest_lookup(a, HASH_SHA256, sums, "vmlinuz"));
	assert_true(digest_512_ok(A64 A64));
	assert_false(digest_512_ok(A64));
	assert_false(digest_ok(A64 A64));
}

static void the_last_part_of_a_url(void **state)
{
	static const struct {
		const char *url, *is;
	} cases[] = {
		{"https://images.example.org/debian-12.img.zst", "debian-12.img.zst"},
		{"https://images.example.org/a/b.img?x=/y#z/w", "b.img"},
		{"file:///srv/with%20space.img", "with space.img"},
		{"file:///srv/100%.img", "100%.img"},
		{"file:///srv/nul%00.img", "nul%00.img"},
		{"https://images.example.org/", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_arena_ struct arena *a = arena_new();

		assert_string_equal(digest_url_name(a, cases[i].url), cases[i].is);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_digest_is_64_hex_digits_or_a_list),
		cmocka_unit_test(a_file_is_found_in_its_list),
		cmocka_unit_test(a_sha512_is_as_good),
		cmocka_unit_test(the_last_part_of_a_url),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
