/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The reading "net", and which of its links a resource is about.
 */
#pragma once

#include "host/net.h"
#include "model/kind.h"

#define NET_MARK "manor:"    /* an alias of ours: this and a UUID */
#define NET_TEMP "mnr-"      /* a bridge under this prefix is being made */

/* NULL when the reading is unknown. */
const struct net_facts *net_facts(const struct facts *f);
/* The UUID of the link's mark, or NULL. */
const char *net_mark(const struct net_link *l);

struct link_match {
	struct record rec;
	const char *mac, *path, *name; /* all that are given must hold */
};

struct link {
	struct record rec;
	struct link_match match;
	int64_t mtu;
	bool up;
	/* What the host says: */
	const char *device; /* the host's name of it */
	const char *mac, *path, *state;
	struct list addresses; /* of strings */
};

struct bridge {
	struct record rec;
	struct list ports; /* names of links */
	int64_t mtu;
	struct list addresses; /* canonical CIDRs, static ones */
	bool stp, dhcp4;
	/* Derived: */
	const char *device;    /* the bridge's name on the host */
	struct list devices;   /* the ports on the host, but for guests' that come and go */
	struct list port_addresses; /* addresses of the bridge that a port carries too */
	bool up;
	/* What the host says: */
	struct list dynamic; /* addresses that nobody set by hand */
	struct list guests;  /* ports that come and go: vifs and taps */
};

/* What a link resource's match finds: the one link, or NULL with why not, for people ("nothing has
 * mac …: eth0 has …"), in arena memory. */
const struct net_link *link_resolve(struct arena *a, const struct net_facts *f,
				    const struct link_match *match, const char **ret_why);
