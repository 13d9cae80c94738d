/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor-hotplug: what libxl runs when a guest's disk or NIC comes and goes. A program of its own,
 * for it runs at every device of every start: libxenstore and the kernel, and for disks from the network nbd-client and iscsiadm.
 *
 * The contract is that of Xen's own scripts (docs/misc/block-scripts.txt; libxl_linux.c sets the
 * environment): the device's backend directory in xenstore is XENBUS_PATH; a NIC's interface is in
 * `vif` (netback's) or INTERFACE (a device model's tap); the result is `hotplug-status`,
 * "connected" or "error" with the reason in `hotplug-error`. netback and blkback wait for it.
 */
#pragma once

#include "base/util.h" /* what is in the header itself: nothing of base/ is linked */

struct device {
	struct xs_handle *xs;
	const char *path;      /* XENBUS_PATH */
	const char *interface; /* NICs: what the environment calls it; may be NULL */
	bool tap;              /* NICs: a device model's, not netback's */
	char error[256];       /* why it failed */
};

/* A key below the backend directory; NULL when it isn't there. The caller frees. */
char *store_read(struct device *d, const char *key);
/* Pairs of key and value, ended by NULL: all or nothing, and nothing when the device is gone
 * meanwhile (a write would bring its directory back). Returns 0, or -1 with d->error. */
int store_write(struct device *d, ...) __attribute__((sentinel));
/* Sets d->error; returns -1. */
int fail(struct device *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Each 0, or -1 with d->error; safe to run again. */
int nic_add(struct device *d);
int nic_remove(struct device *d);
int block_add(struct device *d);
int block_remove(struct device *d);

/* Disks from the network, by their URIs (kinds/domain_uri.c makes them): connected, *ret_path is the device. Into the
 * backend go `node`, that device, and `session` where its target was logged in to for it. */
#define NET_PATH 64
int net_attach(struct device *d, const char *uri, int writes, char ret_path[NET_PATH]);
/* `stays`: the connection to its target isn't ours to end. */
int net_detach(struct device *d, const char *uri, const char *path, int stays);
/* Runs a program with at most so many seconds; *ret_status is how it exited. Fails when it can't be run or
 * doesn't end; what it said last stands in d->error either way. */
int command_run(struct device *d, const char *const *argv, unsigned seconds, int *ret_status);

/* The whole program. */
int hotplug(int argc, char **argv);
