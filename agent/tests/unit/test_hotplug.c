/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor-hotplug against the real kernel (a network namespace and a loop device of the test's own)
 * and a xenstore in memory.
 */
#include "hotplug/block.c"
#include "hotplug/hotplug.c"
#include "hotplug/network.c"
#include "hotplug/nic.c"
#include "hotplug/run.c"
#include "hotplug/store.c"

#include <linux/loop.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#undef fail
#include <cmocka.h>

#include "tests/unit/netns.h"

#define VIF "/local/domain/0/backend/vif/7/0"
#define VBD "/local/domain/0/backend/vbd/7/51712"
#define OWN "/local/domain/0/" /* where xenstore looks a relative path up */

/* ---- xenstore in memory ---- */

static struct {
	char *path, *value;
} keys[64];
static int conflicts; /* so many transactions are refused */
static unsigned writes;

static void put(const char *path, const char *value)
{
	size_t i = 0;

	while (i < 63 && keys[i].path && strcmp(keys[i].path, path) != 0)
		i++;
	if (!keys[i].path)
		keys[i].path = strdup(path);
	free(keys[i].value);
	keys[i].value = value ? strdup(value) : NULL;
}

static const char *get(const char *path)
{
	for (size_t i = 0; i < 64; i++)
		if (keys[i].path && strcmp(keys[i].path, path) == 0)
			return keys[i].value;
	return NULL;
}

static struct {
	char path[256], value[256];
} pending[16];
static size_t n_pending;

struct xs_handle *xs_open(unsigned long flags)
{
	static int one;

	return (struct xs_handle *)&one;
}

void xs_close(struct xs_handle *h)
{
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *len)
{
	char absolute[512];
	const char *v;

	snprintf(absolute, sizeof(absolute), "%s%s", path[0] == '/' ? "" : OWN, path);
	v = get(absolute);
	if (!v) {
		errno = ENOENT;
		return NULL;
	}
	*len = (unsigned)strlen(v);
	return strdup(v);
}

char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *num)
{
	char absolute[512], names[64][64], **list;
	size_t n = 0, size;
	char *to;

	snprintf(absolute, sizeof(absolute), "%s%s/", path[0] == '/' ? "" : OWN, path);
	for (size_t i = 0; i < 64; i++) {
		const char *rest;
		bool known = false;

		if (!keys[i].path || !keys[i].value ||
		    strncmp(keys[i].path, absolute, strlen(absolute)) != 0)
			continue;
		rest = keys[i].path + strlen(absolute);
		snprintf(names[n], 64, "%.*s", (int)strcspn(rest, "/"), rest);
		for (size_t k = 0; k < n; k++)
			known |= strcmp(names[k], names[n]) == 0;
		n += !known;
	}
	size = n * sizeof(*list) + n * 64;
	list = calloc(1, size + 1);
	to = (char *)(list + n);
	for (size_t k = 0; k < n; k++, to += 64)
		list[k] = memcpy(to, names[k], 64);
	*num = (unsigned)n;
	return list;
}

bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path, const void *data,
	      unsigned int len)
{
	assert_true(t != XBT_NULL);
	assert_true(n_pending < 16);
	snprintf(pending[n_pending].path, 256, "%s%s", path[0] == '/' ? "" : OWN, path);
	snprintf(pending[n_pending++].value, 256, "%.*s", (int)len, (const char *)data);
	return true;
}

xs_transaction_t xs_transaction_start(struct xs_handle *h)
{
	n_pending = 0;
	return 1;
}

bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool abort_)
{
	if (abort_)
		return true;
	if (conflicts > 0) {
		conflicts--;
		errno = EAGAIN;
		return false;
	}
	for (size_t i = 0; i < n_pending; i++)
		put(pending[i].path, pending[i].value);
	writes++;
	return true;
}

/* ---- the host ---- */

static char loop[32], loop_ro[32];

static void attach(const char *file, int flags, char ret[32])
{
	int ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC), n, fd, dev;
	struct loop_info64 info = {.lo_flags = LO_FLAGS_AUTOCLEAR};

	if (ctl < 0)
		return;
	n = ioctl(ctl, LOOP_CTL_GET_FREE);
	close(ctl);
	snprintf(ret, 32, "/dev/loop%d", n);
	fd = open(file, flags | O_CLOEXEC);
	dev = open(ret, flags | O_CLOEXEC);
	if (n < 0 || fd < 0 || dev < 0 || ioctl(dev, LOOP_SET_FD, fd) < 0 ||
	    ioctl(dev, LOOP_SET_STATUS64, &info) < 0)
		ret[0] = '\0';
	close(fd);
	/* `dev` stays open: the device goes with the program, however that ends. */
}

static int run(const char *command, const char *type)
{
	char type_if[32];
	char *argv[] = {(char *)"manor-hotplug", (char *)command, type_if, NULL};

	snprintf(type_if, sizeof(type_if), "type_if=%s", type ? type : "");
	return hotplug(type ? 3 : 2, argv);
}

static int setup(void **state)
{
	for (size_t i = 0; i < 64; i++)
		if (keys[i].path)
			put(keys[i].path, NULL);
	conflicts = 0;
	netns_sweep();
	unsetenv("vif");
	unsetenv("INTERFACE");
	setenv("XENBUS_PATH", VIF, 1);
	put(VIF "/frontend", "/local/domain/7/device/vif/0");
	put(VIF "/bridge", "xenbr0");
	put(VBD "/frontend", "/local/domain/7/device/vbd/51712");
	put(VBD "/mode", "w");
	assert_int_equal(net_bridge_add("xenbr0", NULL, false, NULL), 0);
	assert_int_equal(net_bridge_add("xenbr1", NULL, false, NULL), 0);
	return 0;
}

static void a_vif_joins_its_bridge_and_leaves(void **state)
{
	const struct net_link *l;

	add_veth("vif7.0", NULL);
	net_link_mtu("xenbr0", 1400, NULL);
	setenv("vif", "vif7.0", 1);
	assert_int_equal(run("online", "vif"), 0);
	l = look("vif7.0");
	assert_string_equal(l->master, "xenbr0");
	assert_string_equal(l->mac, "fe:ff:ff:ff:ff:ff");
	assert_int_equal(l->mtu, 1400);
	assert_true(l->up);
	assert_string_equal(get(VIF "/hotplug-status"), "connected");
	assert_string_equal(get("/local/domain/7/device/vif/0/mtu"), "1400");
	assert_null(get(VIF "/hotplug-error"));

	assert_int_equal(run("online", "vif"), 0); /* again: as after a kill in the middle */
	assert_string_equal(look("vif7.0")->master, "xenbr0");

	assert_int_equal(run("offline", "vif"), 0);
	l = look("vif7.0");
	assert_null(l->master);
	assert_false(l->up);
	net_link_remove("vif7.0", NULL);
	assert_int_equal(run("offline", "vif"), 0); /* gone already */
}

static void its_name_follows_from_the_path(void **state)
{
	add_veth("vif7.0", NULL);
	assert_int_equal(run("online", NULL), 0);
	assert_string_equal(look("vif7.0")->master, "xenbr0");
}

static void the_path_may_be_relative(void **state)
{
	add_veth("vif7.0", NULL);
	setenv("XENBUS_PATH", VIF + strlen(OWN), 1);
	assert_int_equal(run("online", NULL), 0);
	assert_string_equal(look("vif7.0")->master, "xenbr0");
	assert_string_equal(get(VIF "/hotplug-status"), "connected");
}

static void it_moves_from_a_wrong_bridge(void **state)
{
	add_veth("vif7.0", NULL);
	net_link_master("vif7.0", "xenbr1", NULL);
	assert_int_equal(run("online", "vif"), 0);
	assert_string_equal(look("vif7.0")->master, "xenbr0");
}

static void the_guests_own_mtu_comes_first(void **state)
{
	add_veth("vif7.0", NULL);
	put(VIF "/mtu", "1300");
	assert_int_equal(run("online", "vif"), 0);
	assert_int_equal(look("vif7.0")->mtu, 1300);
}

static void a_name_of_its_own_is_given_once(void **state)
{
	add_veth("vif7.0", NULL);
	put(VIF "/vifname", "web-lan");
	assert_int_equal(run("online", "vif"), 0);
	assert_null(look("vif7.0"));
	assert_string_equal(look("web-lan")->master, "xenbr0");
	assert_int_equal(run("online", "vif"), 0);
	assert_int_equal(run("offline", "vif"), 0);
	assert_null(look("web-lan")->master);

	/* Somebody else has it already: theirs stays what it was. */
	add_veth("vif7.0", NULL);
	assert_int_equal(run("online", "vif"), 1);
	assert_string_equal(get(VIF "/hotplug-status"), "error");
	assert_string_equal(get(VIF "/hotplug-error"),
			    "an interface named web-lan is there already");
	assert_null(look("web-lan")->master);
}

static void a_device_models_tap_joins_too(void **state)
{
	add_veth("vif7.0-emu", NULL);
	setenv("vif", "vif7.0", 1);
	setenv("INTERFACE", "vif7.0-emu", 1);
	assert_int_equal(run("add", "tap"), 0);
	assert_string_equal(look("vif7.0-emu")->master, "xenbr0");
	assert_null(get(VIF "/hotplug-status")); /* that is netback's */
	assert_int_equal(run("remove", "tap"), 0);
	assert_null(look("vif7.0-emu")->master);
}

static void a_missing_bridge_is_said(void **state)
{
	add_veth("vif7.0", NULL);
	put(VIF "/bridge", "xenbr7");
	assert_int_equal(run("online", "vif"), 1);
	assert_string_equal(get(VIF "/hotplug-status"), "error");
	assert_string_equal(get(VIF "/hotplug-error"), "there is no bridge xenbr7");

	put(VIF "/bridge", "vif7.0");
	assert_int_equal(run("online", "vif"), 1);
	assert_non_null(get(VIF "/hotplug-error"));
	put(VIF "/bridge", "a-name-of-more-than-15-bytes");
	assert_int_equal(run("online", "vif"), 1);
	assert_string_equal(get(VIF "/hotplug-error"),
			    "there is no bridge a-name-of-more-than-15-bytes");
}

static void xenstore_may_refuse_for_a_while(void **state)
{
	add_veth("vif7.0", NULL);
	conflicts = 20;
	assert_int_equal(run("online", "vif"), 0);
	assert_string_equal(get(VIF "/hotplug-status"), "connected");
	conflicts = 100000;
	assert_int_equal(run("online", "vif"), 1);
}

static void a_device_that_is_gone_gets_no_keys(void **state)
{
	unsigned before = writes;

	add_veth("vif7.0", NULL);
	put(VIF "/frontend", NULL);
	assert_int_equal(run("online", "vif"), 1);
	assert_int_equal(writes, before);
	setenv("XENBUS_PATH", VBD, 1);
	put(VBD "/frontend", NULL);
	put(VBD "/params", "/dev/null");
	assert_int_equal(run("add", NULL), 1);
	assert_int_equal(writes, before);
}

static void a_disk_is_told_by_its_number(void **state)
{
	char number[32];
	struct stat st;

	if (!loop[0])
		skip();
	assert_int_equal(stat(loop, &st), 0);
	snprintf(number, sizeof(number), "%x:%x", major(st.st_rdev), minor(st.st_rdev));
	setenv("XENBUS_PATH", VBD, 1);
	put(VBD "/params", loop);
	assert_int_equal(run("add", NULL), 0);
	assert_string_equal(get(VBD "/physical-device"), number);
	assert_string_equal(get(VBD "/physical-device-path"), loop);
	assert_string_equal(get(VBD "/hotplug-status"), "connected");
	assert_int_equal(run("add", NULL), 0);
	assert_int_equal(run("remove", NULL), 0);

	put(VBD "/params", loop + strlen("/dev/")); /* as xl.cfg lets one say it */
	assert_int_equal(run("add", NULL), 0);
	assert_string_equal(get(VBD "/physical-device-path"), loop);
}

#define OTHER "/local/domain/0/backend/vbd/8/51728"

static void a_disk_that_another_writes_is_refused(void **state)
{
	static const struct {
		const char *ours, *theirs, *their_state;
		bool refused;
	} cases[] = {
		{"w", "w", "4", true},  {"w", "r", "4", true},  {"r", "w", "4", true},
		{"r", "r", "4", false}, {"w", "w", "6", false},
	};
	char number[32];
	struct stat st;

	if (!loop[0])
		skip();
	stat(loop, &st);
	snprintf(number, sizeof(number), "%x:%x", major(st.st_rdev), minor(st.st_rdev));
	setenv("XENBUS_PATH", VBD, 1);
	put(VBD "/params", loop);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		put(VBD "/physical-device", NULL);
		put(VBD "/hotplug-error", NULL);
		put(VBD "/mode", cases[i].ours);
		put(OTHER "/physical-device", number);
		put(OTHER "/mode", cases[i].theirs);
		put(OTHER "/state", cases[i].their_state);
		assert_int_equal(run("add", NULL) != 0, cases[i].refused);
		if (cases[i].refused)
			assert_non_null(strstr(get(VBD "/hotplug-error"), "in use by domain 8"));
		else
			assert_string_equal(get(VBD "/physical-device"), number);
	}
	put(OTHER "/physical-device", NULL);
	put(OTHER "/mode", NULL);
	put(OTHER "/state", NULL);
	put(VBD "/mode", "w");
}

/* A file of some size, for one test. */
static int make_file(char path[64])
{
	int fd;

	snprintf(path, 64, "/tmp/manor-test-disk-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0 && ftruncate(fd, 4 << 20) == 0);
	return fd;
}

static int count_one(void *data, int fd, const char *path, const struct loop_info64 *info)
{
	++*(int *)data;
	return 0;
}

static int loops_of(int fd)
{
	struct stat st;
	int n = 0;

	fstat(fd, &st);
	loop_each(&st, count_one, &n);
	return n;
}

static void a_file_becomes_a_loop_device_until_the_disk_goes(void **state)
{
	char path[64], number[32];
	struct stat st;
	int fd;

	if (!loop[0])
		skip();
	fd = make_file(path);
	setenv("XENBUS_PATH", VBD, 1);
	put(VBD "/params", path);
	put(VBD "/mode", "w");
	put(VBD "/node", NULL);
	assert_int_equal(run("add", NULL), 0);
	assert_true(startswith(get(VBD "/node"), "/dev/loop"));
	assert_int_equal(stat(get(VBD "/node"), &st), 0);
	snprintf(number, sizeof(number), "%x:%x", major(st.st_rdev), minor(st.st_rdev));
	assert_string_equal(get(VBD "/physical-device"), number);
	assert_string_equal(get(VBD "/physical-device-path"), get(VBD "/node"));
	assert_int_equal(loops_of(fd), 1);

	/* Whoever was killed between the two left a loop device: it goes, none is added. */
	assert_int_equal(run("add", NULL), 0);
	assert_int_equal(loops_of(fd), 1);

	assert_int_equal(run("remove", NULL), 0);
	assert_int_equal(loops_of(fd), 0);
	assert_int_equal(run("remove", NULL), 0);
	put(VBD "/node", NULL);
	unlink(path);
	close(fd);
}

static void a_file_has_one_writer_whatever_it_is_called(void **state)
{
	char path[64], link_[80], number[32];
	struct stat st;
	int fd;

	if (!loop[0])
		skip();
	fd = make_file(path);
	snprintf(link_, sizeof(link_), "%s.other", path);
	assert_int_equal(link(path, link_), 0);
	setenv("XENBUS_PATH", VBD, 1);
	put(VBD "/params", path);
	put(VBD "/mode", "w");
	assert_int_equal(run("add", NULL), 0);
	assert_int_equal(stat(get(VBD "/node"), &st), 0);
	snprintf(number, sizeof(number), "%x:%x", major(st.st_rdev), minor(st.st_rdev));

	/* The first is another domain's from here on. */
	put(OTHER "/physical-device", number);
	put(OTHER "/node", get(VBD "/node"));
	put(OTHER "/mode", "w");
	put(OTHER "/state", "4");
	put(VBD "/physical-device", NULL);
	put(VBD "/params", link_);
	assert_int_equal(run("add", NULL), 1);
	assert_non_null(strstr(get(VBD "/hotplug-error"), "in use by domain 8"));
	put(VBD "/mode", "r");
	assert_int_equal(run("add", NULL), 1);

	/* Two readers may. */
	put(OTHER "/mode", "r");
	assert_int_equal(run("add", NULL), 0);
	assert_int_equal(loops_of(fd), 2);
	assert_int_equal(run("remove", NULL), 0);
	assert_int_equal(loops_of(fd), 1);

	assert_int_equal(loop_detach(get(OTHER "/node")), 0);
	put(OTHER "/physical-device", NULL);
	put(OTHER "/node", NULL);
	put(OTHER "/mode", NULL);
	put(OTHER "/state", NULL);
	put(VBD "/node", NULL);
	put(VBD "/mode", "w");
	unlink(link_);
	unlink(path);
	close(fd);
}

static void a_file_that_dom0_uses_is_refused(void **state)
{
	char path[64], theirs[LOOP_PATH];
	struct loop_info64 info = {0};
	int fd, dev;

	if (!loop[0])
		skip();
	fd = make_file(path);
	assert_int_equal(loop_attach(fd, false, theirs), 0);
	dev = open(theirs, O_RDONLY);
	assert_int_equal(ioctl(dev, LOOP_SET_STATUS64, &info), 0); /* no name of ours */
	setenv("XENBUS_PATH", VBD, 1);
	put(VBD "/params", path);
	put(VBD "/mode", "w");
	assert_int_equal(run("add", NULL), 1);
	assert_non_null(strstr(get(VBD "/hotplug-error"), "is in use in dom0, as /dev/loop"));
	/* Nor is it freed, for it isn't ours. */
	assert_int_equal(loop_detach(theirs), 0);
	assert_int_equal(loops_of(fd), 1);
	assert_int_equal(ioctl(dev, LOOP_CLR_FD), 0);
	close(dev);
	unlink(path);
	close(fd);
}

/* One partition from sector 2048 on, in a table such as PCs have (MBR). */
static void a_disk_and_its_partition_are_one(void **state)
{
	static const unsigned char entry[16] = {0, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0};
	struct loop_info64 info = {.lo_flags = LO_FLAGS_PARTSCAN};
	char path[64], whole[LOOP_PATH], part[LOOP_PATH + 8], number[32];
	struct stat st;
	int fd, dev;

	if (!loop[0])
		skip();
	fd = make_file(path);
	assert_int_equal(pwrite(fd, entry, sizeof(entry), 446), sizeof(entry));
	assert_int_equal(pwrite(fd, "\x55\xaa", 2, 510), 2);
	assert_int_equal(loop_attach(fd, false, whole), 0);
	dev = open(whole, O_RDONLY);
	snprintf((char *)info.lo_file_name, LO_NAME_SIZE, LOOP_NAME);
	assert_int_equal(ioctl(dev, LOOP_SET_STATUS64, &info), 0);
	snprintf(part, sizeof(part), "%sp1", whole);
	for (int i = 0; i < 20 && stat(part, &st) < 0; i++)
		usleep(50000);
	if (stat(part, &st) == 0) {
		snprintf(number, sizeof(number), "%x:%x", major(st.st_rdev), minor(st.st_rdev));
		put(OTHER "/physical-device", number);
		put(OTHER "/mode", "w");
		put(OTHER "/state", "4");
		setenv("XENBUS_PATH", VBD, 1);
		put(VBD "/params", whole);
		put(VBD "/mode", "w");
		put(VBD "/hotplug-error", NULL);
		assert_int_equal(run("add", NULL), 1);
		assert_non_null(strstr(get(VBD "/hotplug-error"), "in use by domain 8"));
		/* Closed by the guest it may come back; closed by the toolstack not. */
		put(OTHER "/state", "6");
		put(OTHER "/online", "1");
		assert_int_equal(run("add", NULL), 1);
		put(OTHER "/online", "0");
		assert_int_equal(run("add", NULL), 0);
		put(OTHER "/physical-device", NULL);
		put(OTHER "/mode", NULL);
		put(OTHER "/state", NULL);
		put(OTHER "/online", NULL);
	} else {
		print_message("no partition of %s appears here: skipped\n", whole);
	}
	close(dev);
	assert_int_equal(loop_detach(whole), 0);
	unlink(path);
	close(fd);
}

static void what_is_empty_or_read_only_is_refused(void **state)
{
	char path[64];
	int fd = make_file(path);

	assert_int_equal(ftruncate(fd, 0), 0);
	setenv("XENBUS_PATH", VBD, 1);
	put(VBD "/params", path);
	put(VBD "/hotplug-error", NULL);
	assert_int_equal(run("add", NULL), 1);
	assert_non_null(strstr(get(VBD "/hotplug-error"), "is empty"));
	unlink(path);
	close(fd);
}

/* A program of that name in front of all others. */
static void pretend(const char *name, const char *script)
{
	static char folder[] = "/tmp/manor-test-path-XXXXXX";
	static bool made;
	char path[128];
	FILE *f;

	if (!made) {
		assert_non_null(mkdtemp(folder));
		made = true;
		snprintf(path, sizeof(path), "%s:/usr/bin:/bin", folder);
		setenv("PATH", path, 1);
	}
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (!script) {
		unlink(path);
		return;
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "#!/bin/sh\n%s\n", script);
	fclose(f);
	chmod(path, 0755);
}

static void the_networks_errors_are_told_in_its_own_words(void **state)
{
	static const struct {
		const char *params, *script, *expect;
	} cases[] = {
		{"iscsi://10.0.0.1:3260/iqn.x:y/0", NULL,
		 "note iscsi://10.0.0.1:3260/iqn.x:y/0: iscsiadm isn't installed"},
		{"iscsi://10.0.0.1:3260/iqn.x:y/0", "echo first; echo 'iscsiadm: no way' >&2; exit 3",
		 "note iscsi://10.0.0.1:3260/iqn.x:y/0: iscsiadm: no way"},
		{"iscsi://10.0.0.1:3260/iqn.x:y/0",
		 "case \"$*\" in *--login*) echo denied; exit 24;; esac",
		 "log in to iscsi://10.0.0.1:3260/iqn.x:y/0: denied"},
		{"iscsi://10.0.0.1:3260/iqn.x:y", "exit 0", "no LUN"},
		{"gopher://10.0.0.1:70/x", "exit 0", "no such address"},
	};

	setenv("XENBUS_PATH", VBD, 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		pretend("iscsiadm", cases[i].script);
		put(VBD "/params", cases[i].params);
		put(VBD "/hotplug-error", NULL);
		put(VBD "/physical-device", NULL);
		assert_int_equal(run("add", NULL), 1);
		assert_non_null(strstr(get(VBD "/hotplug-error"), cases[i].expect));
		assert_null(get(VBD "/physical-device"));
	}
	pretend("iscsiadm", NULL);
}

/* For a disk: nobody here has that time. */
int nanosleep(const struct timespec *wanted, struct timespec *left)
{
	return 0;
}

/* What was logged in to is logged out of; what somebody else has stays. */
static void a_failed_disk_leaves_nothing_connected(void **state)
{
	static const char log[] = "/tmp/manor-test-iscsiadm.log";
	static const struct {
		const char *script, *expect;
		bool undone;
	} cases[] = {
		{"exit 0", "has no LUN 7", true},
		{"case \"$*\" in *--login*) exit 15;; esac", "has no LUN 7", false},
		{"case \"$*\" in *--login*) echo denied; exit 24;; esac", "denied", false},
	};

	setenv("XENBUS_PATH", VBD, 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char script[512], said[4096] = "";
		bool undone;
		FILE *f;

		unlink(log);
		snprintf(script, sizeof(script), "echo \"$*\" >>%s\n%s", log, cases[i].script);
		pretend("iscsiadm", script);
		put(VBD "/params", "iscsi://10.0.0.1:3260/iqn.x:y/7");
		put(VBD "/hotplug-error", NULL);
		put(VBD "/node", NULL);
		put(VBD "/session", NULL);
		assert_int_equal(run("add", NULL), 1);
		assert_non_null(strstr(get(VBD "/hotplug-error"), cases[i].expect));
		assert_int_equal(run("remove", NULL), 0); /* libxl's, after a failure */
		f = fopen(log, "r");
		assert_non_null(f);
		said[fread(said, 1, sizeof(said) - 1, f)] = '\0';
		fclose(f);
		undone = strstr(said, "--logout");
		assert_int_equal(undone, cases[i].undone);
		/* Once, for it may be another's by then. */
		assert_true(!undone || !strstr(strstr(said, "--logout") + 1, "--logout"));
		pretend("iscsiadm", NULL);
	}
	unlink(log);
}

static void what_hangs_is_given_up(void **state)
{
	static const char *const argv[] = {"hang", NULL};
	struct device d = {0};
	int status;

	pretend("hang", "echo begun; exec sleep 60");
	assert_int_equal(command_run(&d, argv, 1, &status), -1);
	assert_string_equal(d.error, "hang did not end within 1 s");
	pretend("hang",
		"i=0; while [ $i -lt 300 ]; do echo a line of many; i=$((i+1)); done; echo last");
	assert_int_equal(command_run(&d, argv, 5, &status), 0);
	assert_int_equal(status, 0);
	assert_string_equal(d.error, "last");
	pretend("hang", NULL);
}

static void what_is_no_disk_is_refused(void **state)
{
	static const struct {
		const char *params, *expect;
	} cases[] = {
		{"/dev/null", "/dev/null is neither a block device nor a file"},
		{"/nowhere/x", "/nowhere/x: No such file or directory"},
		{"", "no 'params' in xenstore: which device is it?"},
		{loop_ro, NULL},
	};

	setenv("XENBUS_PATH", VBD, 1);
	for (size_t i = 0; i < 4; i++) {
		char text[128];

		if (cases[i].params == loop_ro && !loop_ro[0])
			continue;
		put(VBD "/params", cases[i].params);
		put(VBD "/hotplug-error", NULL);
		assert_int_equal(run("add", NULL), 1);
		snprintf(text, sizeof(text), "%s is read-only, and the guest is to write to it",
			 loop_ro);
		assert_string_equal(get(VBD "/hotplug-error"),
				    cases[i].expect ? cases[i].expect : text);
		assert_string_equal(get(VBD "/hotplug-status"), "error");
		assert_null(get(VBD "/physical-device"));
	}
	if (loop_ro[0]) {
		put(VBD "/mode", "r");
		assert_int_equal(run("add", NULL), 0);
	}
}

static void a_wrong_call_is_answered(void **state)
{
	assert_int_equal(run("frobnicate", NULL), 2);
	unsetenv("XENBUS_PATH");
	assert_int_equal(run("add", NULL), 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup(f, setup)
		T(a_vif_joins_its_bridge_and_leaves),
		T(its_name_follows_from_the_path),
		T(the_path_may_be_relative),
		T(it_moves_from_a_wrong_bridge),
		T(the_guests_own_mtu_comes_first),
		T(a_name_of_its_own_is_given_once),
		T(a_device_models_tap_joins_too),
		T(a_missing_bridge_is_said),
		T(xenstore_may_refuse_for_a_while),
		T(a_device_that_is_gone_gets_no_keys),
		T(a_disk_is_told_by_its_number),
		T(a_disk_that_another_writes_is_refused),
		T(a_file_becomes_a_loop_device_until_the_disk_goes),
		T(a_file_has_one_writer_whatever_it_is_called),
		T(a_file_that_dom0_uses_is_refused),
		T(a_disk_and_its_partition_are_one),
		T(what_is_empty_or_read_only_is_refused),
		T(the_networks_errors_are_told_in_its_own_words),
		T(a_failed_disk_leaves_nothing_connected),
		T(what_hangs_is_given_up),
		T(what_is_no_disk_is_refused),
		T(a_wrong_call_is_answered),
	};
	char file[] = "/tmp/manor-test-hotplug-XXXXXX";
	int fd;

	if (!netns_enter())
		return 77;
	if (mount("sysfs", "/sys", "sysfs", 0, NULL) < 0) {
		printf("1..0 # SKIP no /sys of the namespace's own: %s\n", strerror(errno));
		return 77;
	}
	fd = mkstemp(file);
	if (fd >= 0 && ftruncate(fd, 1 << 20) == 0) {
		attach(file, O_RDWR, loop);
		attach(file, O_RDONLY, loop_ro);
		unlink(file);
		close(fd);
	}
	if (!loop_ro[0])
		fprintf(stderr, "no loop devices here: disks are skipped\n");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
