/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Disks from the network: an export of an NBD server through nbd-client(8), an iSCSI disk through iscsiadm(8). Both
 * programs leave the connection to the kernel.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hotplug/hotplug.h"

#define CONNECT_S   12 /* hotplug's own limit is 30, for several of these */
#define DEVICE_S    8  /* for a disk to appear once its target is logged in to */
#define NBD_MAX     1024
#define ISCSI_THERE 15 /* iscsiadm(8): the session exists */

/* The parts of SCHEME://HOST:PORT/NAME[/LUN]; all point into `copy`. */
struct uri {
	char copy[512];
	char *host, *port, *name, *lun; /* host without brackets; lun NULL of nbd */
};

static int parse(struct device *d, const char *text, struct uri *ret)
{
	bool iscsi = startswith(text, "iscsi://");
	char *at;

	if (strlen(text) >= sizeof(ret->copy) || !(iscsi || startswith(text, "nbd://")))
		return fail(d, "%s: no such address", text);
	snprintf(ret->copy, sizeof(ret->copy), "%s", strstr(text, "://") + 3);
	ret->host = ret->copy;
	ret->name = strchr(ret->copy, '/');
	if (!ret->name)
		return fail(d, "%s: no such address", text);
	*ret->name++ = '\0';
	at = strrchr(ret->host, ':');
	if (!at)
		return fail(d, "%s: no port", text);
	*at = '\0';
	ret->port = at + 1;
	ret->lun = iscsi ? strrchr(ret->name, '/') : NULL;
	if (iscsi && !ret->lun)
		return fail(d, "%s: no LUN", text);
	if (iscsi)
		*ret->lun++ = '\0';
	if (ret->host[0] == '[' && ret->host[strlen(ret->host) - 1] == ']' && !iscsi) {
		ret->host[strlen(ret->host) - 1] = '\0';
		ret->host++;
	}
	return 0;
}

/* Its own words, behind what was tried. */
static int failed(struct device *d, const char *what, const char *uri)
{
	char said[sizeof(d->error)];

	memcpy(said, d->error, sizeof(said));
	return fail(d, "%s %s: %.150s", what, uri,
		    said[0] ? said : "it failed, and doesn't say why");
}

/* What was noted as made for this disk isn't, after all: whoever lets go of it later must not end another's. d->error
 * stays. */
static int not_ours(struct device *d, const char *key)
{
	char said[sizeof(d->error)];

	memcpy(said, d->error, sizeof(said));
	(void)store_write(d, key, "", NULL);
	memcpy(d->error, said, sizeof(said));
	return -1;
}

/* --- NBD --- */

/* One that is connected has a process, or the kernel itself, named in `pid`. */
static int free_nbd(struct device *d, char ret[NET_PATH])
{
	char path[64];
	int i;

	for (i = 0; i < NBD_MAX; i++) {
		snprintf(path, sizeof(path), "/sys/block/nbd%d", i);
		if (access(path, F_OK) < 0)
			break;
		snprintf(path, sizeof(path), "/sys/block/nbd%d/pid", i);
		if (access(path, F_OK) == 0)
			continue;
		snprintf(ret, NET_PATH, "/dev/nbd%d", i);
		return 0;
	}
	return i ? fail(d, "all %d NBD devices are in use: raise nbds_max of the module nbd", i)
		 : fail(d, "this kernel has no NBD devices (module nbd)");
}

static int nbd_attach(struct device *d, const char *uri, int writes, char ret[NET_PATH])
{
	static const char *const module[] = {"modprobe", "nbd", NULL};
	const char *argv[10];
	struct uri u;
	size_t n = 0;
	int status;

	if (parse(d, uri, &u) < 0)
		return -1;
	if (access("/sys/module/nbd", F_OK) < 0)
		(void)command_run(d, module, CONNECT_S, &status);
	if (free_nbd(d, ret) < 0)
		return -1;
	argv[n++] = "nbd-client";
	argv[n++] = u.host;
	argv[n++] = u.port;
	argv[n++] = ret;
	argv[n++] = "-N";
	argv[n++] = u.name;
	if (!writes)
		argv[n++] = "-readonly";
	argv[n] = NULL;
	if (store_write(d, "node", ret, NULL) < 0)
		return -1;
	if (command_run(d, argv, CONNECT_S, &status) == 0 && status == 0)
		return 0;
	failed(d, "connect to", uri);
	return not_ours(d, "node");
}

static int nbd_detach(struct device *d, const char *path)
{
	const char *argv[] = {"nbd-client", "-d", path, NULL};
	int status;

	return command_run(d, argv, CONNECT_S, &status) < 0 || status
		       ? failed(d, "disconnect", path)
		       : 0;
}

/* --- iSCSI --- */

static int read_line(const char *path, char *ret, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, ret, size - 1);
	close(fd);
	if (n <= 0)
		return -1;
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

/* Each disk of that target: /sys/class/iscsi_session/sessionN/{targetname, device/target…/H:C:T:LUN/block/sdX}; `lun`
 * may be a pattern. Ends with the first for which `test` is true. */
static bool any_disk(const struct uri *u, const char *lun, bool (*test)(const char *device),
		     char ret[NET_PATH])
{
	glob_t sessions = {0};
	bool found = false;

	if (glob("/sys/class/iscsi_session/session*", 0, NULL, &sessions) != 0)
		return false;
	for (size_t i = 0; i < sessions.gl_pathc && !found; i++) {
		char path[PATH_MAX], name[256];
		glob_t disks = {0};

		snprintf(path, sizeof(path), "%s/targetname", sessions.gl_pathv[i]);
		if (read_line(path, name, sizeof(name)) < 0 || strcmp(name, u->name) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/device/target*/*:*:*:%s/block/*",
			 sessions.gl_pathv[i], lun);
		if (glob(path, 0, NULL, &disks) != 0)
			disks.gl_pathc = 0;
		for (size_t k = 0; k < disks.gl_pathc && !found; k++) {
			snprintf(ret, NET_PATH, "/dev/%.40s", strrchr(disks.gl_pathv[k], '/') + 1);
			found = test(ret);
		}
		globfree(&disks);
	}
	globfree(&sessions);
	return found;
}

static bool is_there(const char *device)
{
	return access(device, F_OK) == 0;
}

static bool find_disk(const struct uri *u, char ret[NET_PATH])
{
	return any_disk(u, u->lun, is_there, ret);
}

/* Mounted in dom0, or held. */
static bool is_held(const char *device)
{
	int fd = open(device, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	bool held = fd < 0 && errno == EBUSY;

	if (fd >= 0)
		close(fd);
	return held;
}

static int iscsi(struct device *d, const struct uri *u, const char *portal, const char *op,
		 const char *value, int *ret_status)
{
	const char *argv[16] = {"iscsiadm", "-m", "node", "-T", u->name, "-p", portal};
	size_t n = 7;

	if (value || streq(op, "new") || streq(op, "delete")) {
		argv[n++] = "-o";
		argv[n++] = value ? "update" : op;
	} else {
		argv[n++] = op;
	}
	if (value) {
		argv[n++] = "-n";
		argv[n++] = op;
		argv[n++] = "-v";
		argv[n++] = value;
	}
	argv[n] = NULL;
	return command_run(d, argv, CONNECT_S, ret_status);
}

static int iscsi_attach(struct device *d, const char *uri, int writes, char ret[NET_PATH])
{
	struct timespec pause = {.tv_nsec = 100000000};
	char portal[320];
	struct uri u;
	int status;

	if (parse(d, uri, &u) < 0)
		return -1;
	snprintf(portal, sizeof(portal), "%s:%s", u.host, u.port);
	if (!find_disk(&u, ret)) {
		if (iscsi(d, &u, portal, "new", NULL, &status) < 0 || status)
			return failed(d, "note", uri);
		/* Once: its own patience is two minutes, libxl's is not. */
		if (iscsi(d, &u, portal, "node.session.initial_login_retry_max", "1", &status) < 0)
			return failed(d, "note", uri);
		/* Before it, so that whoever is cut off is known to have made it; a session that was there is
		 * somebody else's, and stays. */
		if (store_write(d, "session", "1", NULL) < 0)
			return -1;
		if (iscsi(d, &u, portal, "--login", NULL, &status) < 0)
			return failed(d, "log in to", uri);
		if (status == ISCSI_THERE)
			(void)not_ours(d, "session");
		else if (status) {
			failed(d, "log in to", uri);
			return not_ours(d, "session");
		}
	}
	for (int i = 0; i < DEVICE_S * 10; i++) {
		if (find_disk(&u, ret))
			return store_write(d, "node", ret, NULL);
		nanosleep(&pause, NULL);
	}
	return fail(d, "%s has no LUN %s", uri, u.lun);
}

static int iscsi_detach(struct device *d, const char *uri)
{
	char portal[320], device[NET_PATH];
	struct uri u;
	int status;

	if (parse(d, uri, &u) < 0)
		return -1;
	if (any_disk(&u, "*", is_held, device))
		return 0;
	snprintf(portal, sizeof(portal), "%s:%s", u.host, u.port);
	if (iscsi(d, &u, portal, "--logout", NULL, &status) < 0 || status)
		return failed(d, "log out of", uri);
	return iscsi(d, &u, portal, "delete", NULL, &status);
}

int net_attach(struct device *d, const char *uri, int writes, char ret_path[NET_PATH])
{
	return startswith(uri, "nbd://") ? nbd_attach(d, uri, writes, ret_path)
					 : iscsi_attach(d, uri, writes, ret_path);
}

int net_detach(struct device *d, const char *uri, const char *path, int stays)
{
	if (startswith(uri, "nbd://"))
		return nbd_detach(d, path);
	return stays ? 0 : iscsi_detach(d, uri);
}
