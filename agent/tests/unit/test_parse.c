/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Strings with a meaning: what is taken, how it is written afterwards, what is not.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/num.h"
#include "conf/field.h"

struct row {
	const char *text, *want; /* NULL: refused */
};

static void each(field_parse_fn *parse, const struct row *rows, size_t n)
{
	static const struct field field = {.name = "x"};
	_cleanup_arena_ struct arena *a = arena_new();
	static const struct source file = {.dir = "/etc/manor"};
	struct decode c = {.arena = a, .source = &file};
	size_t i;

	for (i = 0; i < n; i++) {
		_cleanup_err_ struct err e = {};
		static const char untouched[] = "";
		const char *got = untouched;
		int r = parse(&c, &field, rows[i].text, &got, &e);

		if ((r == 0) != (rows[i].want != NULL) || (r == 0 && !streq(got, rows[i].want)))
			fail_msg("'%s' gave %s", rows[i].text, r < 0 ? e.message : got);
		if (r < 0) {
			assert_non_null(e.message);
			assert_ptr_equal(got, untouched);
		}
	}
}

static void names(void **state)
{
	static const struct row rows[] = {
		{"web", "web"},
		{"0", "0"},
		{"a-b-c", "a-b-c"},
		{"a23456789012345678901234567890123456789012345678901234567890123",
		 "a23456789012345678901234567890123456789012345678901234567890123"},
		{"a234567890123456789012345678901234567890123456789012345678901234", NULL},
		{"", NULL},
		{"-a", NULL},
		{"Web", NULL},
		{"a.b", NULL},
		{"a_b", NULL},
		{"ä", NULL},
		{"a b", NULL},
		{"a\n", NULL},
		{"../x", NULL},
	};

	each(parse_name, rows, ARRAY_SIZE(rows));
}

static void mac_addresses(void **state)
{
	static const struct row rows[] = {
		{"00:16:3e:3f:a9:06", "00:16:3e:3f:a9:06"},
		{"00:16:3E:3F:A9:0A", "00:16:3e:3f:a9:0a"},
		{"52:54:00:12:34:56", "52:54:00:12:34:56"},
		{"01:00:5e:00:00:01", NULL}, /* multicast */
		{"ff:ff:ff:ff:ff:ff", NULL},
		{"00:00:00:00:00:00", NULL},
		{"00:16:3e:3f:a9", NULL},
		{"00:16:3e:3f:a9:0", NULL},
		{"00:16:3e:3f:a9:06:07", NULL},
		{"00-16-3e-3f-a9-06", NULL},
		{"00163e3fa906", NULL},
		{"00:16:3g:3f:a9:06", NULL},
		{" 00:16:3e:3f:a9:06", NULL},
		{"", NULL},
	};

	each(parse_mac, rows, ARRAY_SIZE(rows));
}

static void addresses_with_their_network(void **state)
{
	static const struct row rows[] = {
		{"10.155.200.1/16", "10.155.200.1/16"},
		{"10.0.0.1/0", "10.0.0.1/0"},
		{"10.0.0.1/32", "10.0.0.1/32"},
		{"FD00::0:1/64", "fd00::1/64"},
		{"::ffff:10.0.0.1/128", "::ffff:10.0.0.1/128"},
		{"10.0.0.1", NULL},
		{"10.0.0.1/33", NULL},
		{"fd00::1/129", NULL},
		{"10.0.0.1/", NULL},
		{"10.0.0.1/08", NULL},
		{"10.0.0.1/-1", NULL},
		{"10.0.0.1/24/24", NULL},
		{"10.0.0/24", NULL},
		{"010.0.0.1/24", NULL},
		{"10.0.0.256/24", NULL},
		{"fe80::1%eth0/64", NULL},
		{"/24", NULL},
		{"", NULL},
	};
	static const struct row plain[] = {
		{"10.0.0.1", "10.0.0.1"}, {"FD00::1", "fd00::1"}, {"10.0.0.1/8", NULL}, {"x", NULL},
	};

	each(parse_cidr, rows, ARRAY_SIZE(rows));
	each(parse_ip, plain, ARRAY_SIZE(plain));
}

static void paths_start_at_the_manifest(void **state)
{
	static const struct row rows[] = {
		{"/boot/vmlinuz", "/boot/vmlinuz"},
		{"images/a.img", "/etc/manor/images/a.img"},
		{"./a.img", "/etc/manor/a.img"},
		{"../a.img", "/etc/manor/../a.img"},
		{"//a///b/./c", "/a/b/c"},
		{"/.hidden", "/.hidden"},
		{"/a/.", "/a"},
		{"/a/", NULL},
		{"", NULL},
		{"/a\nb", NULL},
	};

	each(parse_path, rows, ARRAY_SIZE(rows));
}

static void places_to_fetch_from(void **state)
{
	static const struct row rows[] = {
		{"https://images.example.org/a.img.zst", "https://images.example.org/a.img.zst"},
		{"http://10.0.0.1:8000/a?b=c", "http://10.0.0.1:8000/a?b=c"},
		{"file:///srv/a.img", "file:///srv/a.img"},
		{"images/a.img", "file:///etc/manor/images/a.img"},
		{"/srv/my image#1 50%.img", "file:///srv/my%20image%231%2050%25.img"},
		{"/srv/ä", "file:///srv/%C3%A4"},
		{"file://host/a", NULL},
		{"file:///a b", NULL},
		{"ftp://x/y", NULL},
		{"HTTP://x/y", NULL},
		{"http://", NULL},
		{"http:///x", NULL},
		{"http://:80/x", NULL},
		{"https://x/a b", NULL},
		{"https://x/\x01", NULL},
		{"", NULL},
	};

	each(parse_url, rows, ARRAY_SIZE(rows));
}

static void digests(void **state)
{
	static const struct row rows[] = {
		{"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
		{"0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF",
		 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
		{"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde", NULL},
		{"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0", NULL},
		{"g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", NULL},
		{"", NULL},
	};

	each(parse_sha256, rows, ARRAY_SIZE(rows));
}

static void devices_of_a_domain(void **state)
{
	static const struct row rows[] = {
		{"xvda", "xvda"}, {"xvdp", "xvdp"},   {"xvdq", NULL},   {"xvda1", "xvda1"},
		{"xvda15", "xvda15"}, {"xvda16", NULL}, {"xvda0", NULL}, {"xvda01", NULL},
		{"hda", "hda"},   {"hdd", "hdd"},     {"hde", NULL},    {"hda63", "hda63"},
		{"sda", "sda"},   {"sdp1", "sdp1"},   {"sdq", NULL},    {"xvd", NULL},
		{"/dev/xvda", NULL}, {"vda", NULL},   {"", NULL},       {"xvda ", NULL},
	};

	each(parse_vdev, rows, ARRAY_SIZE(rows));
}

static void names_of_interfaces(void **state)
{
	static const struct row rows[] = {
		{"eth0", "eth0"}, {"enp3s0f1np1", "enp3s0f1np1"}, {"123456789012345", "123456789012345"},
		{"1234567890123456", NULL}, {"", NULL}, {".", NULL}, {"..", NULL}, {"a/b", NULL},
		{"a b", NULL}, {"a:b", NULL}, {"eth%d", NULL}, {"a\t", NULL},
	};

	each(parse_ifname, rows, ARRAY_SIZE(rows));
}

static void sizes(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t want;
	} rows[] = {
		{"512MiB", 0, UINT64_C(512) << 20},
		{"1.5GiB", 0, UINT64_C(1536) << 20},
		{"20 GiB", 0, UINT64_C(20) << 30},
		{"100B", 0, 100},
		{"1TB", 0, UINT64_C(1000000000000)},
		{"512", -ENODATA, 0},
		{"0", -ENODATA, 0},
		{"1.5B", -EINVAL, 0},
		{"512M", -EINVAL, 0},
		{"512mib", -EINVAL, 0},
		{"-1GiB", -EINVAL, 0},
		{"+1GiB", -EINVAL, 0},
		{"1e3MiB", -EINVAL, 0},
		{"MiB", -EINVAL, 0},
		{"", -EINVAL, 0},
		{"1GiB ", -EINVAL, 0},
		{"1..5GiB", -EINVAL, 0},
		{"99999999999999999999GiB", -ERANGE, 0},
		{"9000PiB", -ERANGE, 0},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t got = 0;

		if (num_parse_size(rows[i].text, &got) != rows[i].r || got != rows[i].want)
			fail_msg("'%s' gave %llu", rows[i].text, (unsigned long long)got);
	}
}

static void whole_numbers(void **state)
{
	static const struct {
		const char *text;
		int r;
	} rows[] = {
		{"0", 0},         {"-5", 0},
		{"10", 0},        {"11", -ERANGE},
		{"-6", -ERANGE},  {"010", -EINVAL},
		{"0x1", -EINVAL}, {"1.0", -EINVAL},
		{"", -EINVAL},    {"-", -EINVAL},
		{"+1", -EINVAL},  {" 1", -EINVAL},
		{"1 ", -EINVAL},  {"99999999999999999999", -ERANGE},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t got;

		if (num_parse_int(rows[i].text, -5, 10, &got) != rows[i].r)
			fail_msg("'%s'", rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(mac_addresses),
		cmocka_unit_test(addresses_with_their_network),
		cmocka_unit_test(paths_start_at_the_manifest),
		cmocka_unit_test(places_to_fetch_from),
		cmocka_unit_test(digests),
		cmocka_unit_test(devices_of_a_domain),
		cmocka_unit_test(names_of_interfaces),
		cmocka_unit_test(sizes),
		cmocka_unit_test(whole_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
