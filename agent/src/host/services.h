/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The host's own services, where it is Manor's appliance: ssh (dropbear), the clock's servers (systemd-timesyncd), and a
 * DHCP client for each link that is to have one (dhcpcd).
 * What each is to do stands in files below /run/manor/services, which are gone with a boot; whether it does so is its unit's
 * control group. A host of Debian's own has others, which are none of Manor's business: `there` is false.
 */
#pragma once

#include "base/err.h"
#include "base/record.h"

#define SERVICE_LISTEN_MAX 16
#define SERVICE_KEYS_MAX 256
#define SERVICE_SERVERS_MAX 16

struct service {
	struct record rec;
	bool there;          /* this host has it */
	bool running;
	struct list keys;    /* of strings; ssh: who may log in as root, "ssh-ed25519 AAAA… comment" */
	struct list listen;  /* of strings; ssh: "22", "10.1.2.3:22", "[fd00::1]:22" */
	struct list servers; /* of strings; time: names or addresses */
};

/* "dhcp4-xenbr0" */
#define SERVICE_DHCP4 "dhcp4"

struct service_facts {
	struct record rec;
	struct map services; /* name → struct service: "ssh", "time", "dhcp4" (whether it is there at all), always; and one a
			      * link whose client runs */
};

int services_read(struct arena *a, struct service_facts *ret, struct err *e);

/* Both wait until the service is as told, some seconds at most. -ENOENT: this host hasn't got it. Connections that ssh has
 * stay in either case. */
int service_start(const char *name, const struct service *want, struct err *e);
int service_stop(const char *name, struct err *e);

/* Where all of it is looked for: another folder than "", for tests. */
extern const char *services_root;
