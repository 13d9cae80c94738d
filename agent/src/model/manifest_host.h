/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a manifest says of the host itself: `host`, and what a system in memory does unasked, `install`.
 */
#pragma once

#include "conf/field.h"

struct host_dom0 {
	struct record rec;
	uint64_t memory;
	int64_t vcpus;
};

/* Beside what dom0 says; a host has it from its boot menu. */
struct host_xen {
	struct record rec;
	const char *cmdline; /* words, a space between each two */
};

struct host_ssh {
	struct record rec;
	struct list keys, listen; /* of strings: "ssh-ed25519 AAAA… comment"; addresses, none: all */
	int64_t port;
};

struct host_time {
	struct record rec;
	struct list servers; /* of strings: names or addresses */
};

/* At its screen or serial port. */
struct host_console {
	struct record rec;
	const char *password_hash; /* as base/password.h takes it; NULL: nobody may do more than look */
};

struct host_upgrade {
	struct record rec;
	uint64_t within; /* seconds; 0: not said */
};
#define UPGRADE_WITHIN_MIN 60
#define UPGRADE_WITHIN_MAX 86400

struct host {
	struct record rec;
	const char *name;
	struct host_dom0 dom0;
	struct host_xen xen;
	struct host_ssh ssh;
	struct host_time time;
	struct host_console console;
	struct host_upgrade upgrade;
};

struct install_disk {
	struct record rec;
	const char *serial, *wwid, *path; /* exactly one of these */
};

enum install_then { INSTALL_STAY, INSTALL_REBOOT, INSTALL_POWEROFF };

/* What a system that runs in memory does unasked, once. */
struct install_wanted {
	struct record rec;
	struct install_disk disk;
	const char *erase; /* serial of the disk that may lose what is on it; or NULL */
	uint64_t state;    /* bytes; 0: not said */
	int then;          /* enum install_then */
};
#define INSTALL_STATE_MIN (INT64_C(256) << 20)

extern const struct table host_table, ssh_table, time_table, install_table, install_disk_table;
