/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A guest's disk: blkback is told which block device it is. A file becomes a loop device, what comes from the
 * network is connected; both are let go when the disk goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <xenstore.h>

#include "host/loop.h"
#include "hotplug/hotplug.h"

#define BACKENDS "backend/vbd" /* relative: below our own domain */
#define LOCK     "/run/manor-hotplug-block.lock"
#define NET_LOCK "/run/manor-hotplug-network.lock" /* taken first */

static char *read_key(struct device *d, const char *backend, const char *key)
{
	char path[PATH_MAX + 32];
	unsigned n;

	snprintf(path, sizeof(path), "%s/%s", backend, key);
	return xs_read(d->xs, XBT_NULL, path, &n);
}

/* What is asked for: a device as it is, a file, or a URI. */
struct disk {
	const char *params;
	int writes;
	int fd;          /* open on the device or file; -1: a URI */
	struct stat st;
	char real[PATH_MAX];
};

static int is_uri(const char *params)
{
	return strstr(params, "://") != NULL;
}

/* "iscsi://HOST/TARGET/" of a URI with a LUN: what is connected as a whole. */
static size_t target_bytes(const char *uri)
{
	return startswith(uri, "iscsi://") ? (size_t)(strrchr(uri, '/') + 1 - uri) : strlen(uri);
}

/* The disk that a partition is of; the device itself where it is none. */
static dev_t whole_of(dev_t device)
{
	char path[96], text[32] = "";
	unsigned a, b;
	int fd;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", major(device),
		 minor(device));
	if (access(path, F_OK) < 0)
		return device;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", major(device), minor(device));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (read(fd, text, sizeof(text) - 1) < 0)
			text[0] = '\0';
		close(fd);
	}
	return sscanf(text, "%u:%u", &a, &b) == 2 ? makedev(a, b) : device;
}

/* The same, or one of them is a partition of the other. */
static int is_or_holds(dev_t a, dev_t b)
{
	return a == b || whole_of(a) == b || whole_of(b) == a;
}

/* Whether that device is what a backend has: "8:12" in hex. A file is known by what its loop device is bound to. */
static int is_same(const struct disk *k, const char *number)
{
	char path[64], name[PATH_MAX], device[80];
	unsigned a, b;
	int fd, same;
	ssize_t n;

	if (sscanf(number, "%x:%x", &a, &b) != 2)
		return 0;
	if (S_ISBLK(k->st.st_mode))
		return is_or_holds(k->st.st_rdev, makedev(a, b));
	/* Its name is the last word of where the link leads. */
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", a, b);
	n = readlink(path, name, sizeof(name) - 1);
	name[MAX_OF(n, 0)] = '\0';
	if (!strrchr(name, '/'))
		return 0;
	snprintf(device, sizeof(device), "/dev/%.64s", strrchr(name, '/') + 1);
	fd = open(device, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return 0;
	same = loop_is_of(fd, &k->st);
	close(fd);
	return same;
}

/* Whether that backend serves the same thing and one of the two may write it. */
static int clashes(struct device *d, const char *backend, const void *data)
{
	const struct disk *k = data;
	_cleanup_(freep) char *theirs = read_key(d, backend, "physical-device");
	_cleanup_(freep) char *mode = NULL, *state = NULL, *online = NULL;

	if (!theirs || !is_same(k, theirs))
		return 0;
	mode = read_key(d, backend, "mode");
	state = read_key(d, backend, "state");
	online = read_key(d, backend, "online");
	/* XenbusStateClosed, and for good: a guest may close its end and come back. */
	if (streq(state, "6") && !streq(online, "1"))
		return 0;
	return k->writes || (mode && strchr(mode, 'w'));
}

static int has_node(struct device *d, const char *backend, const void *data)
{
	_cleanup_(freep) char *node = read_key(d, backend, "node");

	return streq(node, data);
}

/* Whether it comes from the same target, so that the connection is needed. */
static int has_target(struct device *d, const char *backend, const void *data)
{
	_cleanup_(freep) char *params = read_key(d, backend, "params");
	const char *uri = data;

	return params && strncmp(params, uri, target_bytes(uri)) == 0;
}

/* The domain that has a disk, other than ours, of which `test` is true; -1: none has. The caller holds the lock, so
 * that of two that come at once the second sees the first. */
static int user_of(struct device *d,
		   int (*test)(struct device *d, const char *backend, const void *data),
		   const void *data)
{
	unsigned n_domains = 0, n_devices = 0;
	_cleanup_(freep) char **domains = xs_directory(d->xs, XBT_NULL, BACKENDS, &n_domains);
	int found = -1;

	for (unsigned i = 0; domains && i < n_domains && found < 0; i++) {
		char path[PATH_MAX], own[PATH_MAX];
		char **devices;

		snprintf(path, sizeof(path), BACKENDS "/%s", domains[i]);
		devices = xs_directory(d->xs, XBT_NULL, path, &n_devices);
		for (unsigned k = 0; devices && k < n_devices && found < 0; k++) {
			snprintf(path, sizeof(path), BACKENDS "/%s/%s", domains[i], devices[k]);
			snprintf(own, sizeof(own), "vbd/%s/%s", domains[i], devices[k]);
			if (strlen(d->path) >= strlen(own) &&
			    strcmp(d->path + strlen(d->path) - strlen(own), own) == 0)
				continue;
			if (test(d, path, data))
				found = (int)strtol(domains[i], NULL, 10);
		}
		free(devices);
	}
	return found;
}

/* A loop device of the file that is no guest's. One of ours that nobody has was left by somebody who was killed: it
 * goes. Any other may be mounted: nobody writes below it. */
static int leftover(void *data, int fd, const char *path, const struct loop_info64 *info)
{
	struct device *d = ((void **)data)[0];
	const struct disk *k = ((void **)data)[1];
	int free_;

	if (user_of(d, has_node, path) >= 0)
		return 0; /* judged as a guest's */
	free_ = open(path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	if (free_ >= 0)
		close(free_);
	if (free_ >= 0 && strcmp((const char *)info->lo_file_name, LOOP_NAME) == 0) {
		loop_detach(path);
		return 0;
	}
	if (!k->writes && (info->lo_flags & LO_FLAGS_READ_ONLY))
		return 0;
	return fail(d, "%s is in use in dom0, as %s: 'losetup -d %s' once it is not", k->real, path,
		    path);
}

static int attach_file(struct device *d, const struct disk *k, char ret[LOOP_PATH])
{
	void *data[] = {d, (void *)k};
	int r = loop_each(&k->st, leftover, data);

	if (r < 0)
		return r;
	r = loop_attach(k->fd, !k->writes, ret);
	if (r < 0)
		return fail(d, "make a loop device for %s: %s", k->real,
			    r == -ENOENT ? "this kernel has none (module loop)" : strerror(-r));
	return 0;
}

/* `session`: the connection to its target was made for it. */
static int detach(struct device *d, const char *params, const char *node, bool session)
{
	int r;

	if (is_uri(params))
		return net_detach(d, params, node, !session || user_of(d, has_target, params) >= 0);
	r = loop_detach(node);
	return r < 0 ? fail(d, "free %s: %s", node, strerror(-r)) : 0;
}

/* Who writes to a device that dom0 has mounted, or that something stands on, destroys it. */
static int is_free(struct device *d, const struct disk *k, const char *path)
{
	int fd = k->writes ? open(path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;

	if (fd < 0)
		return k->writes && errno == EBUSY
			       ? fail(d, "%s is in use in dom0, mounted or held", k->real)
			       : 0;
	close(fd);
	return 0;
}

static int tell(struct device *d, dev_t device, const char *path)
{
	char number[32];

	snprintf(number, sizeof(number), "%x:%x", major(device), minor(device));
	return store_write(d, "physical-device", number, "physical-device-path", path,
			   "hotplug-status", "connected", NULL);
}

static int publish_file(struct device *d, const struct disk *k)
{
	char loop[LOOP_PATH];
	struct stat st;

	if (attach_file(d, k, loop) < 0)
		return -1;
	if (stat(loop, &st) < 0)
		fail(d, "%s: %s", loop, strerror(errno));
	else if (store_write(d, "node", loop, NULL) == 0 && tell(d, st.st_rdev, loop) == 0)
		return 0;
	loop_detach(loop);
	return -1;
}

static int publish(struct device *d, struct disk *k, const char *node)
{
	int user;

	/* What came of an address is a device like any other: by another address it may be served already. */
	if (k->fd < 0 && stat(node, &k->st) < 0)
		return fail(d, "%s: %s", node, strerror(errno));
	user = user_of(d, clashes, k);
	if (user >= 0)
		return fail(d, "%s is in use by domain %d, and one of the two may write to it",
			    k->real, user);
	if (S_ISREG(k->st.st_mode))
		return publish_file(d, k);
	return is_free(d, k, node) < 0 ? -1 : tell(d, k->st.st_rdev, node);
}

static int with_lock(struct device *d, const char *path)
{
	int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (lock >= 0 && flock(lock, LOCK_EX) == 0)
		return lock;
	fail(d, "lock %s: %s", path, strerror(errno));
	if (lock >= 0)
		close(lock);
	return -1;
}

/* What is looked at and what is told to blkback is one open thing, whatever happens to its name meanwhile. */
static int open_disk(struct device *d, struct disk *k)
{
	int read_only = 0, fd;
	char path[64];

	k->fd = open(k->real, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (k->fd < 0)
		return fail(d, "open %s: %s", k->real, strerror(errno));
	if (fstat(k->fd, &k->st) < 0 || !(S_ISBLK(k->st.st_mode) || S_ISREG(k->st.st_mode)))
		return fail(d, "%s is neither a block device nor a file", k->real);
	if (S_ISREG(k->st.st_mode) && !k->st.st_size)
		return fail(d, "%s is empty", k->real);
	/* A device is only looked at: udev would read it anew after whoever might have written. */
	if (S_ISREG(k->st.st_mode) && k->writes) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", k->fd);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return fail(d, "write to %s: %s", k->real, strerror(errno));
		close(k->fd);
		k->fd = fd;
	}
	if (S_ISREG(k->st.st_mode))
		return 0;
	if (ioctl(k->fd, BLKROGET, &read_only) < 0)
		read_only = 0; /* a driver that doesn't say */
	if (read_only && k->writes)
		return fail(d, "%s is read-only, and the guest is to write to it", k->real);
	return 0;
}

static int serve(struct device *d, struct disk *k, const char *node)
{
	int lock = with_lock(d, LOCK), r;

	if (lock < 0)
		return -1;
	r = publish(d, k, node);
	close(lock);
	return r;
}

/* What was attached for it, as far as that got. A device that was there stays, and so does what another domain has. The
 * caller holds the lock of its sort. */
static int let_go(struct device *d, const char *params)
{
	_cleanup_(freep) char *node = store_read(d, "node");
	_cleanup_(freep) char *session = store_read(d, "session");
	bool attached = node && node[0], logged_in = session && session[0];

	if (!attached && !logged_in)
		return 0;
	if (attached && user_of(d, has_node, node) >= 0)
		return 0;
	return detach(d, params, node, logged_in);
}

/* Servers may be slow: only others from the network wait meanwhile. What is connected is noted before it is, so that
 * it is let go of by whoever removes a disk whose adding was cut off. */
static int serve_uri(struct device *d, struct disk *k)
{
	int lock = with_lock(d, NET_LOCK), r;
	char node[NET_PATH], why[sizeof(d->error)];

	if (lock < 0)
		return -1;
	r = net_attach(d, k->params, k->writes, node);
	if (r == 0)
		r = serve(d, k, node);
	if (r < 0) {
		memcpy(why, d->error, sizeof(why));
		if (let_go(d, k->params) == 0)
			(void)store_write(d, "node", "", "session", "", NULL);
		memcpy(d->error, why, sizeof(why));
	}
	close(lock);
	return r;
}

int block_add(struct device *d)
{
	_cleanup_(freep) char *params = store_read(d, "params");
	_cleanup_(freep) char *mode = store_read(d, "mode");
	struct disk k = {.params = params, .writes = mode && strchr(mode, 'w'), .fd = -1};
	char path[PATH_MAX];
	int r;

	if (!params || !params[0])
		return fail(d, "no 'params' in xenstore: which device is it?");
	snprintf(path, sizeof(path), "%s%s", params[0] == '/' ? "" : "/dev/", params);
	if (is_uri(params)) {
		snprintf(k.real, sizeof(k.real), "%s", params);
		return serve_uri(d, &k);
	}
	if (!realpath(path, k.real))
		return fail(d, "%s: %s", path, strerror(errno));
	r = open_disk(d, &k);
	if (r == 0)
		r = serve(d, &k, k.real);
	if (k.fd >= 0)
		close(k.fd);
	return r;
}

/* blkback has let go of it. */
int block_remove(struct device *d)
{
	_cleanup_(freep) char *params = store_read(d, "params");
	int lock, r;

	if (!params)
		return 0;
	lock = with_lock(d, is_uri(params) ? NET_LOCK : LOCK);
	if (lock < 0)
		return -1;
	r = let_go(d, params);
	close(lock);
	return r;
}
