/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Changing a domain while it runs: memory and vcpus, which the guest has to follow; disks and
 * interfaces, which are connected only when both ends say so.
 */
#include "host/xen_ctx.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define KIB            1024u
#define MEMORY_SLACK   (4 * 1024) /* KiB: what a guest's own counting may be off */
#define CONNECT_WAIT_S 20
#define POLL_US        100000
#define POLL_FIRST_US  5000 /* a guest that follows at all mostly does so at once */

static int64_t distance(int64_t a, int64_t b)
{
	return a > b ? a - b : b - a;
}

static unsigned long long mib(int64_t kb)
{
	return (unsigned long long)kb / KIB;
}

/* Waits while the guest moves from `start` to `kb`. 0: there, or on its way when the time was up. */
static int memory_follows(struct xen_ctx *x, int64_t domid, int64_t start, int64_t kb,
			  int64_t slack, unsigned wait_s, const struct xen_watcher *w,
			  struct err *e)
{
	double until = xen_clock() + wait_s;
	int64_t told = -1, now = start;
	unsigned pause_us = POLL_FIRST_US;
	libxl_dominfo info;

	for (;;) {
		int r = xen_info(x, domid, &info, e);

		if (r < 0)
			return r;
		now = (int64_t)info.current_memkb;
		if (distance(now, kb) <= slack)
			return 0;
		if (xen_clock() > until)
			break;
		if (told != now)
			xen_tell(w, "waiting for the guest: has %llu of %llu MiB", mib(now),
				 mib(kb));
		told = now;
		usleep(pause_us);
		pause_us = MIN_OF(pause_us * 2, (unsigned)POLL_US);
	}
	if (distance(now, kb) < distance(start, kb) - KIB)
		return 0;
	return err_set(e, -ETIMEDOUT, "the guest did not follow: it still has %llu MiB after %us",
		       mib(now), wait_s);
}

static int set_memory(int64_t domid, uint64_t bytes, unsigned wait_s, const struct xen_watcher *w,
		      struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	int64_t kb = (int64_t)(bytes / KIB), old, most, start, slack;
	libxl_dominfo info;
	uint64_t free_kb;
	int rc, r = xen_open_domain(&x, domid, &info, e);

	if (r < 0)
		return r;
	start = (int64_t)info.current_memkb;
	old = xen_target_kb(&x, &info);
	most = xen_target_most(&x, &info);
	if (kb > most)
		return err_set(e, -ERANGE, "%llu MiB is more than its maxmem, %llu MiB", mib(kb),
			       mib(most));
	if (kb > old && libxl_get_free_memory(x.xl, &free_kb) == 0 &&
	    (int64_t)free_kb < kb - start) {
		err_help(e, "stop a domain or lower another's memory");
		return err_set(e, -ENOMEM, "needs %llu MiB more, Xen has %llu MiB free",
			       mib(kb - start + KIB - 1), mib((int64_t)free_kb));
	}
	rc = libxl_set_memory_target(x.xl, (uint32_t)domid, kb - xen_target_gap(&info, kb, most), 0,
				     1);
	if (rc)
		return xen_fail(&x, e, -EIO, rc, "set the memory target");
	if (wait_s == 0)
		return 0;
	slack = MIN_OF(distance(start, old), 32 * KIB) + MEMORY_SLACK;
	r = memory_follows(&x, domid, start, kb, slack, wait_s, w, e);
	if (r == -ETIMEDOUT) {
		libxl_set_memory_target(x.xl, (uint32_t)domid,
					old - xen_target_gap(&info, old, most), 0, 1);
		err_help(e,
			 "its kernel may have no balloon driver, or no memory to give: restart it "
			 "with the new value");
	}
	return r;
}

/* The field is named on failure only: what changes next may fail as well. */
int xen_set_memory(int64_t domid, uint64_t bytes, unsigned wait_s, const struct xen_watcher *w,
		   struct err *e)
{
	int r = set_memory(domid, bytes, wait_s, w, e);

	if (r < 0)
		err_at(e, "memory");
	return r;
}

static int64_t vcpus_asked(struct xen_ctx *x, int64_t domid, int64_t most)
{
	int64_t n = 0;

	for (int64_t i = 0; i < most; i++) {
		_cleanup_(freep) char *s = xen_get(x, "/local/domain/%d/cpu/%lld/availability",
						   (int)domid, (long long)i);

		n += streq(s, "online");
	}
	return n;
}

static int ask_vcpus(struct xen_ctx *x, int64_t domid, int64_t n, int64_t most, struct err *e)
{
	libxl_bitmap map;
	int rc;

	libxl_bitmap_init(&map);
	rc = libxl_cpu_bitmap_alloc(x->xl, &map, (int)most);
	for (int i = 0; rc == 0 && i < n; i++)
		libxl_bitmap_set(&map, i);
	if (rc == 0)
		rc = libxl_set_vcpuonline(x->xl, (uint32_t)domid, &map, NULL);
	libxl_bitmap_dispose(&map);
	return rc ? xen_fail(x, e, -EIO, rc, "ask for %lld vcpus", (long long)n) : 0;
}

static int set_vcpus(int64_t domid, int64_t vcpus, unsigned wait_s, const struct xen_watcher *w,
		     struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	double until = xen_clock() + wait_s;
	libxl_dominfo info;
	int64_t most, old, start, now, told = -1;
	int r = xen_open_domain(&x, domid, &info, e);

	if (r < 0)
		return r;
	most = xen_max_vcpus(&info);
	if (vcpus < 1 || vcpus > most)
		return err_set(e, -ERANGE, "%lld vcpus are not within 1 and its maxvcpus, %lld",
			       (long long)vcpus, (long long)most);
	start = now = info.vcpu_online;
	old = vcpus_asked(&x, domid, most);
	r = ask_vcpus(&x, domid, vcpus, most, e);
	if (r < 0 || wait_s == 0)
		return r;
	while (now != vcpus && xen_clock() < until) {
		if (told != now)
			xen_tell(w, "waiting for the guest: uses %lld of %lld vcpus",
				 (long long)now, (long long)vcpus);
		told = now;
		usleep(POLL_US);
		r = xen_info(&x, domid, &info, e);
		if (r < 0)
			return r;
		now = info.vcpu_online;
	}
	if (now == vcpus || distance(now, vcpus) < distance(start, vcpus))
		return 0;
	ask_vcpus(&x, domid, old > 0 ? old : start, most, NULL);
	err_help(e,
		 "onlining takes the guest's help (a udev rule for cpu devices); a restart takes "
		 "none");
	return err_set(e, -ETIMEDOUT,
		       "the guest did not follow: it still uses %lld vcpus after %us",
		       (long long)now, wait_s);
}

int xen_set_vcpus(int64_t domid, int64_t vcpus, unsigned wait_s, const struct xen_watcher *w,
		  struct err *e)
{
	int r = set_vcpus(domid, vcpus, wait_s, w, e);

	if (r < 0)
		err_at(e, "vcpus");
	return r;
}

/* Both ends in state 4 (XenbusStateConnected), unless the guest can't be expected to act. */
static int wait_connected(struct xen_ctx *x, int64_t domid, const char *type, int devid,
			  struct err *e)
{
	double until = xen_clock() + CONNECT_WAIT_S;
	int64_t back, front;
	libxl_dominfo info;

	for (;;) {
		int r = xen_info(x, domid, &info, e);

		if (r < 0)
			return r;
		if (info.paused)
			return 0;
		back = xen_get_int(x, 0, "/local/domain/0/backend/%s/%d/%d/state", type, (int)domid,
				   devid);
		front = xen_get_int(x, 0, "/local/domain/%d/device/%s/%d/state", (int)domid, type,
				    devid);
		if (back == 4 && front == 4)
			return 0;
		if (xen_clock() > until)
			break;
		usleep(POLL_US);
	}
	return err_set(
		e, -ETIMEDOUT,
		"the guest did not connect it within %us (backend in state %lld, guest in %lld)",
		CONNECT_WAIT_S, (long long)back, (long long)front);
}

/* A failed add leaves nodes behind, which libxl then takes for a device. */
static void forget_device(struct xen_ctx *x, int64_t domid, const char *type, int devid)
{
	char paths[3][96];

	snprintf(paths[0], sizeof(paths[0]), "/libxl/%d/device/%s/%d", (int)domid, type, devid);
	snprintf(paths[1], sizeof(paths[1]), "/local/domain/%d/device/%s/%d", (int)domid, type,
		 devid);
	snprintf(paths[2], sizeof(paths[2]), "/local/domain/0/backend/%s/%d/%d", type, (int)domid,
		 devid);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		xs_rm(x->xs, XBT_NULL, paths[i]);
}

/* Whether dom0's end was made: what the hotplug program says. */
static bool plugged(struct xen_ctx *x, int64_t domid, const char *type, int devid)
{
	_cleanup_(freep) char *status = xen_get(
		x, "/local/domain/0/backend/%s/%d/%d/hotplug-status", type, (int)domid, devid);

	return streq(status, "connected");
}

/* xen-vbd-interface(7): what number a name has. The name was checked when it was read. */
static int devid_of(const char *vdev)
{
	int letter = vdev[startswith(vdev, "xvd") ? 3 : 2] - 'a';
	int part = (int)strtol(vdev + (startswith(vdev, "xvd") ? 4 : 3), NULL, 10);

	if (startswith(vdev, "xvd"))
		return (202 << 8) + (letter << 4) + part;
	if (startswith(vdev, "sd"))
		return (8 << 8) + (letter << 4) + part;
	return ((letter < 2 ? 3 : 22) << 8) + ((letter & 1) << 6) + part;
}

int xen_disk_add(int64_t domid, const struct xen_disk *want, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	_cleanup_(freep) char *target = NULL;
	libxl_device_disk disk;
	int rc, devid = devid_of(want->vdev), r = xen_ctx_open(&x, e);

	if (r < 0)
		return r;
	target = xen_get(&x, "/local/domain/0/backend/vbd/%d/%d/params", (int)domid, devid);
	if (target && !streq(target, want->target))
		return err_set(e, -EEXIST, "%s is %s in this domain", want->vdev, target);
	if (target && plugged(&x, domid, "vbd", devid))
		return wait_connected(&x, domid, "vbd", devid, e);
	r = xen_disk_check(want, e);
	if (r < 0)
		return r;
	xen_disk_config(&disk, want, xen_hotplug(), false); /* no drive comes while it runs */
	/* What an add that was cut short left goes first: nothing would ever finish it. */
	if (target && libxl_device_disk_destroy(x.xl, (uint32_t)domid, &disk, NULL))
		forget_device(&x, domid, "vbd", devid);
	x.log.n = 0;
	rc = libxl_device_disk_add(x.xl, (uint32_t)domid, &disk, NULL);
	if (rc)
		r = xen_fail(&x, e, -EIO, rc, "add disk %s", want->vdev);
	else
		r = wait_connected(&x, domid, "vbd", devid, e);
	if (r < 0) {
		if (libxl_device_disk_destroy(x.xl, (uint32_t)domid, &disk, NULL))
			forget_device(&x, domid, "vbd", devid);
	}
	libxl_device_disk_dispose(&disk);
	return r;
}

int xen_disk_remove(int64_t domid, const char *vdev, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	libxl_device_disk disk;
	int rc, r = xen_ctx_open(&x, e);

	if (r < 0)
		return r;
	libxl_device_disk_init(&disk);
	rc = libxl_vdev_to_device_disk(x.xl, (uint32_t)domid, vdev, &disk);
	x.log.n = 0;
	if (rc == 0) {
		rc = libxl_device_disk_safe_remove(x.xl, (uint32_t)domid, &disk, NULL);
		if (rc)
			r = xen_fail(&x, e, -EBUSY, rc,
				     "the guest keeps %s: unmount it there, and apply again", vdev);
	}
	libxl_device_disk_dispose(&disk);
	return r;
}

int xen_disc(struct xen_ctx *x, int64_t domid, const struct xen_disk *want, struct err *e)
{
	libxl_device_disk disk;
	int rc, r = 0;

	xen_disk_config(&disk, want, xen_hotplug(), true);
	rc = libxl_cdrom_insert(x->xl, (uint32_t)domid, &disk, NULL);
	if (rc)
		r = xen_fail(x, e, -EIO, rc,
			     want->target ? "change the disc in %s" : "empty drive %s", want->vdev);
	libxl_device_disk_dispose(&disk);
	return r;
}

int xen_disc_change(int64_t domid, const struct xen_disk *want, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	int r = xen_ctx_open(&x, e);

	if (r == 0)
		r = xen_disk_check(want, e);
	return r < 0 ? r : xen_disc(&x, domid, want, e);
}

static bool find_nic(struct xen_ctx *x, int64_t domid, const char *mac, libxl_device_nic *ret)
{
	int rc;

	libxl_device_nic_init(ret);
	rc = libxl_mac_to_device_nic(x->xl, (uint32_t)domid, mac, ret);
	x->log.n = 0;
	return rc == 0;
}

int xen_nic_add(int64_t domid, const struct xen_nic *want, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	libxl_device_nic nic;
	int rc, r = xen_ctx_open(&x, e);

	if (r == 0)
		r = xen_nic_check(want, e);
	if (r < 0)
		return r;
	if (find_nic(&x, domid, want->mac, &nic)) {
		if (plugged(&x, domid, "vif", nic.devid)) {
			r = wait_connected(&x, domid, "vif", nic.devid, e);
			libxl_device_nic_dispose(&nic);
			if (r == 0)
				r = xen_nic_bridge(domid, want->mac, want->bridge, e);
			return r;
		}
		if (libxl_device_nic_destroy(x.xl, (uint32_t)domid, &nic, NULL))
			forget_device(&x, domid, "vif", nic.devid);
		x.log.n = 0;
	}
	libxl_device_nic_dispose(&nic);
	xen_nic_config(&nic, want, xen_hotplug());
	rc = libxl_device_nic_add(x.xl, (uint32_t)domid, &nic, NULL);
	if (rc)
		r = xen_fail(&x, e, -EIO, rc, "add an interface on %s", want->bridge);
	else
		r = wait_connected(&x, domid, "vif", nic.devid, e);
	if (r < 0 && nic.devid >= 0) {
		if (libxl_device_nic_destroy(x.xl, (uint32_t)domid, &nic, NULL))
			forget_device(&x, domid, "vif", nic.devid);
	}
	libxl_device_nic_dispose(&nic);
	return r;
}

int xen_nic_remove(int64_t domid, const char *mac, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	libxl_device_nic nic;
	int rc, r = xen_ctx_open(&x, e);

	if (r < 0)
		return r;
	if (find_nic(&x, domid, mac, &nic)) {
		rc = libxl_device_nic_remove(x.xl, (uint32_t)domid, &nic, NULL);
		/* A guest that doesn't answer loses a cable, no data. */
		if (rc)
			rc = libxl_device_nic_destroy(x.xl, (uint32_t)domid, &nic, NULL);
		if (rc)
			r = xen_fail(&x, e, -EIO, rc, "remove the interface %s", mac);
	}
	libxl_device_nic_dispose(&nic);
	return r;
}

static int bridge_port(const char *bridge, const char *vif, unsigned long request)
{
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq q = {0};

	if (fd < 0)
		return -errno;
	snprintf(q.ifr_name, sizeof(q.ifr_name), "%s", bridge);
	q.ifr_ifindex = (int)if_nametoindex(vif);
	return ioctl(fd, request, &q) < 0 ? -errno : 0;
}

static int move_port(const char *vif, const char *bridge, struct err *e)
{
	char now[IF_NAMESIZE];
	int r;

	xen_vif_bridge(vif, now);
	if (streq(now, bridge))
		return 0;
	r = now[0] ? bridge_port(now, vif, SIOCBRDELIF) : 0;
	if (r < 0)
		return err_errno(e, r, "take %s out of %s", vif, now);
	r = bridge_port(bridge, vif, SIOCBRADDIF);
	return r < 0 ? err_errno(e, r, "make %s a port of %s", vif, bridge) : 0;
}

int xen_nic_bridge(int64_t domid, const char *mac, const char *bridge, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	struct xen_nic want = {.bridge = bridge};
	char backend[64], vif[IF_NAMESIZE], tap[IF_NAMESIZE + 8];
	libxl_device_nic nic;
	int devid, r = xen_ctx_open(&x, e);

	if (r == 0)
		r = xen_nic_check(&want, e);
	if (r < 0)
		return r;
	if (!find_nic(&x, domid, mac, &nic)) {
		libxl_device_nic_dispose(&nic);
		return err_set(e, -ENOENT, "domain %lld has no interface %s", (long long)domid,
			       mac);
	}
	devid = nic.devid;
	libxl_device_nic_dispose(&nic);
	snprintf(backend, sizeof(backend), "/local/domain/0/backend/vif/%d/%d", (int)domid, devid);
	if (!xen_vif_name(&x, backend, domid, devid, vif))
		return err_set(e, -ENOENT, "there is no interface %s", vif);
	r = move_port(vif, bridge, e);
	/* The emulated card's end, which a guest without Xen's drivers goes through: last, for it is what is read. */
	snprintf(tap, sizeof(tap), "%s-emu", vif);
	if (r == 0 && if_nametoindex(tap))
		r = move_port(tap, bridge, e);
	if (r < 0)
		return r;
	/* What libxl and scripts are told when they ask later. */
	r = xen_put(&x, e, bridge, "/local/domain/0/backend/vif/%d/%d/bridge", (int)domid, devid);
	if (r == 0)
		r = xen_put(&x, e, bridge, "/libxl/%d/device/vif/%d/bridge", (int)domid, devid);
	return r;
}
