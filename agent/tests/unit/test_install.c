/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which disks the installed system would start from: all that drives one has to be in its initrd.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/file.h"
#include "host/install.h"
#include "host/program.h"

static char folder[] = "/tmp/test-install-XXXXXX";

static int make(void **state)
{
	return !mkdtemp(folder);
}

static int clear(void **state)
{
	const char *const argv[] = {"rm", "-rf", "--", folder, NULL};

	return program_run((char *const *)argv, NULL);
}

static const char *in(const char *path)
{
	static char full[512];

	snprintf(full, sizeof(full), "%s/%s", folder, path);
	return full;
}

/* A device that a driver has, as sysfs shows one: by links. One that is part of the kernel is a module by name there, too, but has
 * no state. */
static void drives_as(const char *module, const char *device, bool loaded)
{
	char of[128], link[512];

	assert_int_equal(file_mkdirs(in(device), 0755, NULL), 0);
	snprintf(of, sizeof(of), "module/%s", module);
	assert_int_equal(file_mkdirs(in(of), 0755, NULL), 0);
	snprintf(of, sizeof(of), "module/%s/initstate", module);
	if (loaded)
		assert_int_equal(file_write(in(of), "live\n", 5, 0644, NULL), 0);
	snprintf(of, sizeof(of), "module/%s", module);
	snprintf(link, sizeof(link), "%s", in(of));
	snprintf(of, sizeof(of), "drivers/%s", module);
	assert_int_equal(file_mkdirs(in(of), 0755, NULL), 0);
	snprintf(of, sizeof(of), "drivers/%s/module", module);
	if (symlink(link, in(of)) < 0)
		assert_int_equal(errno, EEXIST);
	snprintf(of, sizeof(of), "drivers/%s", module);
	snprintf(link, sizeof(link), "%s", in(of));
	snprintf(of, sizeof(of), "%s/driver", device);
	assert_int_equal(symlink(link, in(of)), 0);
}

static void drives(const char *module, const char *device)
{
	drives_as(module, device, true);
}

/* `what` it says, NULL: nothing, for it starts from there. */
static void starts(const char *disk, const char *what)
{
	_cleanup_err_ struct err e = {0};
	char path[512];
	int r;

	snprintf(path, sizeof(path), "%s", in(disk));
	assert_int_equal(file_mkdirs(path, 0755, NULL), 0);
	r = install_driven(path, in("list"), &e);
	assert_int_equal(r, what ? -EOPNOTSUPP : 0);
	if (what) {
		assert_non_null(strstr(e.message, what));
		assert_non_null(e.help);
	}
}

static void a_disk_is_driven_by_what_is_above_it(void **state)
{
	static const char list[] = "sd-mod\nmpt3sas\nvirtio-pci\nvirtio-blk\n";

	assert_int_equal(file_write(in("list"), list, sizeof(list) - 1, 0644, NULL), 0);
	drives("virtio_pci", "devices/pci0/0000:00:04.0");
	drives("virtio_blk", "devices/pci0/0000:00:04.0/virtio1");
	starts("devices/pci0/0000:00:04.0/virtio1/block/vda", NULL);
	drives_as("pcieportdrv", "devices/pci0/0000:00:1c.0", false);
	drives("mpt3sas", "devices/pci0/0000:00:1c.0/0000:03:00.0");
	drives("sd_mod", "devices/pci0/0000:00:1c.0/0000:03:00.0/host0/target0:0:0/0:0:0:0");
	starts("devices/pci0/0000:00:1c.0/0000:03:00.0/host0/target0:0:0/0:0:0:0/block/sda", NULL);
	/* Fibre Channel: the disk's own driver is there, the controller's isn't. */
	drives("qla2xxx", "devices/pci0/0000:04:00.0");
	drives("sd_mod", "devices/pci0/0000:04:00.0/host1/rport-1:0-0/target1:0:0/1:0:0:0");
	starts("devices/pci0/0000:04:00.0/host1/rport-1:0-0/target1:0:0/1:0:0:0/block/sdb",
	       "sdb is driven by qla2xxx, which isn't among");
	/* A module whose name only begins so is another. */
	drives("mpt3sas_gen5", "devices/pci0/0000:05:00.0");
	starts("devices/pci0/0000:05:00.0/host2/block/sdc", "mpt3sas_gen5");
}

static void another_machines_disk_is_none_of_its_own(void **state)
{
	drives("sd_mod", "devices/platform/host9/session1/target9:0:0/9:0:0:1");
	starts("devices/platform/host9/session1/target9:0:0/9:0:0:1/block/sdx",
	       "sdx is reached by iSCSI");
}

static void what_the_system_makes_is_no_disk(void **state)
{
	starts("devices/virtual/block/md126", "md126 is no disk of the machine");
	starts("devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1", NULL);
}

static void without_a_list_all_is_there(void **state)
{
	drives("lpfc", "devices/pci1/0000:06:00.0");
	assert_int_equal(unlink(in("list")), 0);
	starts("devices/pci1/0000:06:00.0/host3/block/sdd", NULL);
	assert_int_equal(install_driven("/nowhere/sdz", "/nowhere/list", NULL), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_is_driven_by_what_is_above_it),
		cmocka_unit_test(another_machines_disk_is_none_of_its_own),
		cmocka_unit_test(what_the_system_makes_is_no_disk),
		cmocka_unit_test(without_a_list_all_is_there),
	};

	return cmocka_run_group_tests(tests, make, clear);
}
