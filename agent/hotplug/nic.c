/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A guest's NIC: its interface in dom0 becomes a port of the bridge that xenstore names.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <xenstore.h>

#include "hotplug/hotplug.h"

/* netback may announce the device a moment before its interface is there. */
#define WAIT_MS      5000
#define WAIT_STEP_MS 5

/* The highest address that is no broadcast: a bridge takes the lowest of its ports' for itself, and
 * must never take a guest's. */
static const unsigned char port_mac[6] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff};

static int set_name(char to[IFNAMSIZ], const char *from, const char *suffix)
{
	int n = snprintf(to, IFNAMSIZ, "%s%s", from, suffix);

	return n > 0 && n < IFNAMSIZ && !strchr(to, '/') ? 0 : -1;
}

static bool exists(const char *name)
{
	return if_nametoindex(name) != 0;
}

static bool wait_for(const char *name)
{
	const struct timespec step = {.tv_nsec = WAIT_STEP_MS * 1000000l};

	for (int i = 0; i < WAIT_MS / WAIT_STEP_MS; i++) {
		if (exists(name))
			return true;
		nanosleep(&step, NULL);
	}
	return exists(name);
}

static int set_up(int fd, const char *name, bool up)
{
	struct ifreq req = {0};

	set_name(req.ifr_name, name, "");
	if (ioctl(fd, SIOCGIFFLAGS, &req) < 0)
		return -1;
	if (!(req.ifr_flags & IFF_UP) == !up)
		return 0;
	req.ifr_flags = (short)(up ? req.ifr_flags | IFF_UP : req.ifr_flags & ~IFF_UP);
	return ioctl(fd, SIOCSIFFLAGS, &req);
}

static int set_mac(int fd, const char *name)
{
	struct ifreq req = {0};

	set_name(req.ifr_name, name, "");
	if (ioctl(fd, SIOCGIFHWADDR, &req) < 0)
		return -1;
	if (memcmp(req.ifr_hwaddr.sa_data, port_mac, 6) == 0)
		return 0;
	req.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(req.ifr_hwaddr.sa_data, port_mac, 6);
	if (ioctl(fd, SIOCSIFHWADDR, &req) == 0)
		return 0;
	/* Some drivers want it down for that. */
	if (errno != EBUSY || set_up(fd, name, false) < 0)
		return -1;
	return ioctl(fd, SIOCSIFHWADDR, &req);
}

/* The bridge that it is a port of, or "". */
static void bridge_of(const char *name, char ret[IFNAMSIZ])
{
	char path[64], link[256];
	const char *last;
	ssize_t n;

	ret[0] = '\0';
	snprintf(path, sizeof(path), "/sys/class/net/%s/master", name);
	n = readlink(path, link, sizeof(link) - 1);
	if (n <= 0)
		return;
	link[n] = '\0';
	last = strrchr(link, '/');
	if (set_name(ret, last ? last + 1 : link, "") < 0)
		ret[0] = '\0';
}

static int port(int fd, unsigned long request, const char *bridge, const char *name)
{
	struct ifreq req = {.ifr_ifindex = (int)if_nametoindex(name)};

	set_name(req.ifr_name, bridge, "");
	return ioctl(fd, request, &req);
}

static int enslave(struct device *d, int fd, const char *bridge, const char *name)
{
	char now[IFNAMSIZ];

	bridge_of(name, now);
	if (strcmp(now, bridge) == 0)
		return 0;
	if (now[0] && port(fd, SIOCBRDELIF, now, name) < 0)
		return fail(d, "release %s from bridge %s: %s", name, now, strerror(errno));
	if (port(fd, SIOCBRADDIF, bridge, name) < 0)
		return fail(d, "make %s a port of %s: %s", name, bridge,
			    errno == EOPNOTSUPP ? "that is not a bridge" : strerror(errno));
	return 0;
}

/* What the guest's configuration says, else the bridge's, so that no packet is too large for a
 * neighbour. Best effort: a device that can't is used as it is. */
static int follow_mtu(struct device *d, int fd, const char *bridge, const char *name)
{
	_cleanup_(freep) char *said = store_read(d, "mtu");
	_cleanup_(freep) char *frontend = NULL;
	struct ifreq is = {0}, req = {0};
	char key[XENSTORE_ABS_PATH_MAX], text[16];
	long mtu;

	set_name(req.ifr_name, bridge, "");
	set_name(is.ifr_name, name, "");
	if (ioctl(fd, SIOCGIFMTU, &req) < 0 || ioctl(fd, SIOCGIFMTU, &is) < 0)
		return 0;
	mtu = said ? strtol(said, NULL, 10) : 0;
	if (mtu > 0 && mtu <= 65535)
		req.ifr_mtu = (int)mtu;
	set_name(req.ifr_name, name, "");
	if (req.ifr_mtu != is.ifr_mtu && ioctl(fd, SIOCSIFMTU, &req) < 0)
		req.ifr_mtu = is.ifr_mtu;
	if (d->tap)
		return 0;
	/* The frontend may ask how much it can send. */
	frontend = store_read(d, "frontend");
	if (!frontend || snprintf(key, sizeof(key), "%s/mtu", frontend) >= (int)sizeof(key))
		return 0;
	snprintf(text, sizeof(text), "%d", req.ifr_mtu);
	return store_write(d, key, text, NULL);
}

/* The interface's name as netback or the device model made it, and as it is to be. */
static int names(struct device *d, char made[IFNAMSIZ], char wanted[IFNAMSIZ])
{
	_cleanup_(freep) char *vifname = store_read(d, "vifname");
	unsigned domid, devid;
	const char *p = strstr(d->path, "backend/vif/");
	char text[64];

	if (!d->interface) {
		if (!p || sscanf(p, "backend/vif/%u/%u", &domid, &devid) != 2)
			return fail(d, "the environment does not say which interface it is");
		snprintf(text, sizeof(text), "vif%u.%u%s", domid, devid, d->tap ? "-emu" : "");
	}
	if (set_name(made, d->interface ? d->interface : text, "") < 0)
		return fail(d, "'%.60s' can't be an interface's name", d->interface);
	if (!vifname || !vifname[0])
		set_name(wanted, made, "");
	else if (set_name(wanted, vifname, d->tap ? "-emu" : "") < 0)
		return fail(d, "'%.60s' can't be an interface's name: too long", vifname);
	return 0;
}

static int rename_to(struct device *d, int fd, const char *made, const char *wanted)
{
	struct ifreq req = {0};

	if (strcmp(made, wanted) == 0)
		return 0;
	if (exists(wanted)) {
		/* Done by an earlier run, or somebody else's: then the one we want still is
		 * there. */
		return exists(made) ? fail(d, "an interface named %s is there already", wanted) : 0;
	}
	set_name(req.ifr_name, made, "");
	set_name(req.ifr_newname, wanted, "");
	set_up(fd, made, false);
	if (ioctl(fd, SIOCSIFNAME, &req) < 0)
		return fail(d, "rename %s to %s: %s", made, wanted, strerror(errno));
	return 0;
}

static int join(struct device *d, int fd)
{
	_cleanup_(freep) char *bridge = store_read(d, "bridge");
	char made[IFNAMSIZ], name[IFNAMSIZ], checked[IFNAMSIZ];
	int r;

	if (!bridge || !bridge[0])
		return fail(d, "the NIC names no bridge");
	if (set_name(checked, bridge, "") < 0 || !exists(checked))
		return fail(d, "there is no bridge %s", bridge);
	if (names(d, made, name) < 0)
		return -1;
	if (!exists(name) && !wait_for(made))
		return fail(d, "interface %s did not come", made);
	r = rename_to(d, fd, made, name);
	if (r < 0)
		return r;
	if (set_mac(fd, name) < 0)
		return fail(d, "set the MAC address of %s: %s", name, strerror(errno));
	r = follow_mtu(d, fd, checked, name);
	if (r >= 0)
		r = enslave(d, fd, checked, name);
	if (r < 0)
		return r;
	if (set_up(fd, name, true) < 0)
		return fail(d, "bring up %s: %s", name, strerror(errno));
	/* netback waits for this; for a tap nobody does. */
	return d->tap ? 0 : store_write(d, "hotplug-status", "connected", NULL);
}

int nic_add(struct device *d)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return fail(d, "open a socket: %s", strerror(errno));
	r = join(d, fd);
	close(fd);
	return r;
}

int nic_remove(struct device *d)
{
	char made[IFNAMSIZ], name[IFNAMSIZ], bridge[IFNAMSIZ];
	int fd, r = 0;

	if (names(d, made, name) < 0)
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(d, "open a socket: %s", strerror(errno));
	/* Gone already, or going this very moment, is what is wanted. */
	if (exists(name)) {
		set_up(fd, name, false);
		bridge_of(name, bridge);
		if (bridge[0] && port(fd, SIOCBRDELIF, bridge, name) < 0 && exists(name))
			r = fail(d, "release %s from bridge %s: %s", name, bridge, strerror(errno));
	}
	close(fd);
	return r;
}
