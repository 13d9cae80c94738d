/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which machine it is: a sysfs that is made for each story, and what makers leave in SMBIOS.
 */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/file.h"
#include "host/machine.h"

static char sys[64];

static int make_sys(void **state)
{
	snprintf(sys, sizeof(sys), "/tmp/manor-machine.XXXXXX");
	return mkdtemp(sys) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int remove_sys(void **state)
{
	return nftw(sys, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *name, const char *text)
{
	_cleanup_(freep) char *path = xasprintf("%s/class/%s", sys, name), *above = xstrdup(path);

	*strrchr(above, '/') = '\0';
	assert_int_equal(file_mkdirs(above, 0755, NULL), 0);
	assert_int_equal(file_write(path, text, strlen(text), 0644, NULL), 0);
}

/* A link with what it hangs on; NULL: on nothing. */
static void put_link(const char *name, const char *mac, const char *bus)
{
	_cleanup_(freep) char *address = xasprintf("net/%s/address", name);
	_cleanup_(freep) char *device = xasprintf("%s/class/net/%s/device", sys, name);
	_cleanup_(freep) char *subsystem = xasprintf("%s/subsystem", device);
	_cleanup_(freep) char *target = xasprintf("../../../../bus/%s", bus ? bus : "");

	put(address, mac);
	if (!bus)
		return;
	assert_int_equal(mkdir(device, 0755), 0);
	assert_int_equal(symlink(target, subsystem), 0);
}

static void physical_links_count_and_no_others(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct machine m = {0};

	put_link("mnrt1", "52:54:00:12:34:57\n", "pci");
	put_link("mnrt0", "52:54:00:12:34:56\n", "usb");
	put_link("mnrt2", "52:54:00:12:34:56\n", "virtio");
	put_link("mnrbr0", "52:54:00:12:34:58\n", NULL);
	put_link("mnrvif1.0", "fe:ff:ff:ff:ff:ff\n", "xen-backend");
	put_link("mnrnone", "00:00:00:00:00:00\n", "pci");
	put_link("mnrib", "00:00:00:48:fe:80:00:00:00:00:00:00:00:02:c9:03:00:00:00:01\n", "pci");
	assert_int_equal(machine_read_at(a, sys, &m, NULL), 0);
	assert_int_equal(m.macs.n, 2);
	assert_string_equal(m.macs.items[0], "52:54:00:12:34:56");
	assert_string_equal(m.macs.items[1], "52:54:00:12:34:57");
	assert_null(m.serial);
	assert_null(m.serial_why);
	assert_string_equal(machine_text(a, &m),
			    "MAC 52:54:00:12:34:56, 52:54:00:12:34:57, no serial, no UUID");
}

static void numbers_are_read_without_what_is_around_them(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct machine m = {0};

	put_link("mnrt0", "52:54:00:12:34:56\n", "pci");
	put("dmi/id/product_serial", "  CZJ3040ABC \n");
	put("dmi/id/product_uuid", "4C4C4544-0042-3510-8051-B7C04F4D3732\n");
	assert_int_equal(machine_read_at(a, sys, &m, NULL), 0);
	assert_string_equal(m.serial, "CZJ3040ABC");
	assert_string_equal(m.uuid, "4c4c4544-0042-3510-8051-b7c04f4d3732");
}

static void what_makers_leave_there_is_no_number(void **state)
{
	static const char *const serials[] = {
		"To Be Filled By O.E.M.", "To be filled by O.E.M.", "None", "Default string",
		"System Serial Number",   "00000000",              "",     "   ",
		"Not Specified",          "XXXXXXXX",              "N/A",  "0123456789"};
	static const char *const uuids[] = {
		"00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
		"03000200-0400-0500-0006-000700080009", "Not Settable"};

	put_link("mnrt0", "52:54:00:12:34:56\n", "pci");
	for (size_t i = 0; i < ARRAY_SIZE(serials); i++) {
		_cleanup_arena_ struct arena *a = arena_new();
		struct machine m = {0};

		put("dmi/id/product_serial", serials[i]);
		put("dmi/id/product_uuid", uuids[i % ARRAY_SIZE(uuids)]);
		assert_int_equal(machine_read_at(a, sys, &m, NULL), 0);
		assert_null(m.serial);
		assert_null(m.uuid);
		assert_non_null(m.uuid_why);
		if (serials[i][0] > ' ')
			assert_non_null(strstr(machine_text(a, &m), serials[i]));
	}
	assert_false(machine_is_filler("CZJ3040ABC"));
	assert_false(machine_is_filler("VMware-56 4d 1b"));
}

static void what_cannot_be_read_says_why(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_err_ struct err e = {0};
	struct machine m = {0};

	/* There are no links, and a folder is no file. */
	assert_true(machine_read_at(a, sys, &m, &e) < 0);
	assert_non_null(e.message);
	put_link("mnrt0", "52:54:00:12:34:56\n", "pci");
	put("dmi/id/product_serial/x", "");
	assert_int_equal(machine_read_at(a, sys, &m, NULL), 0);
	assert_null(m.serial);
	assert_non_null(strstr(m.serial_why, "can't be read"));
}

static void hostile_numbers_are_cut_and_printable(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct machine m = {0};
	char serial[3000];

	memset(serial, '\x1b', sizeof(serial) - 1);
	serial[0] = 'S';
	serial[sizeof(serial) - 1] = '\0';
	put_link("mnrt0", "52:54:00:12:34:56\n", "pci");
	put("dmi/id/product_serial", serial);
	assert_int_equal(machine_read_at(a, sys, &m, NULL), 0);
	assert_true(strlen(m.serial) <= 128);
	assert_string_equal(strrchr(m.serial, '?'), "?");
	assert_null(strchr(m.serial, '\x1b'));
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, make_sys, remove_sys)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(physical_links_count_and_no_others),
		STORY(numbers_are_read_without_what_is_around_them),
		STORY(what_makers_leave_there_is_no_number),
		STORY(what_cannot_be_read_says_why),
		STORY(hostile_numbers_are_cut_and_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
