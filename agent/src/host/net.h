/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Network links by rtnetlink (libnl): what there is of them, and bridges made, changed and removed.
 * See rtnetlink(7); attributes are those of <linux/if_link.h> and <linux/if_addr.h>.
 *
 * All mutating functions can be run again and return 0 or a negative errno with a message:
 * -ENODEV (no such link), -EEXIST (the name is taken), -EBUSY, -ERANGE (the driver's limits),
 * -EPERM, -EINVAL.
 */
#pragma once

#include "base/err.h"
#include "base/record.h"

#define NET_NAME_MAX  15   /* bytes of a link's name: IFNAMSIZ without the NUL */
#define NET_ALIAS_MAX 255  /* bytes of an alias: IFALIASZ */
#define NET_MAX_LINKS 4096 /* more than that, or more addresses, is an error: -E2BIG */
#define NET_MAX_ADDRESSES 16384
#define NET_MAX_STACK 8    /* links upon links: the kernel's own limit (MAX_NEST_DEV) */

/* Where an address comes from. */
enum net_origin {
	NET_STATIC,    /* somebody set it */
	NET_DYNAMIC,   /* with a lifetime: a DHCP client's */
	NET_AUTOCONF,  /* the kernel's, from a router's announcement (RFC 4862) */
	NET_LINKLOCAL, /* fe80::/64, which every link that is up has */
};
extern const char *const net_origin_words[];

struct net_address {
	struct record rec;
	const char *cidr; /* canonical, the address as set: "10.155.200.1/16" */
	int origin;       /* enum net_origin */
};

struct net_link {
	struct record rec;
	const char *name;
	int64_t ifindex;
	const char *kind;   /* the driver's word: "bridge", "veth", "vlan", "tun" …; "vif" for a
			     * guest's backend, "phys" where a device is behind it, or "other" */
	const char *mac;    /* lower case; NULL where there is none */
	const char *permanent_mac; /* the hardware's own, or NULL */
	const char *path;   /* as udev's ID_PATH: "pci-0000:00:03.0", or NULL */
	const char *alias;
	int64_t mtu;
	bool up;            /* administratively */
	const char *state;  /* RFC 2863's: "up", "down", "lowerlayerdown", "unknown" … */
	const char *master; /* the bridge or bond that it is a port of, or NULL */
	const char *lower;  /* the link below it, of a VLAN, a macvlan and the like, or NULL */
	bool default_route; /* a default route of the main table leaves through it, other than one
			     * that a router announced */
	bool stp;           /* bridges: the spanning tree protocol is on */
	struct list addresses; /* of struct net_address; the loopback's are left out */
};

struct net_facts {
	struct record rec;
	struct list links; /* of struct net_link, by ifindex; without the loopback */
};

/* What there is, in the network namespace of the caller. Reads only. */
int net_read(struct arena *a, struct net_facts *ret, struct err *e);

/* A bridge, down and without ports; `mac` NULL: it takes its ports' lowest. Without STP there is no
 * forward delay either: a guest's port forwards at once. An alias is a step of its own, for the
 * kernel drops one that comes with the creation. */
int net_bridge_add(const char *name, const char *mac, bool stp, struct err *e);
int net_bridge_stp(const char *name, bool on, struct err *e);

int net_link_alias(const char *name, const char *alias, struct err *e); /* "" clears it */
int net_link_rename(const char *name, const char *to, struct err *e);  /* the link must be down */
int net_link_mtu(const char *name, int64_t mtu, struct err *e);
int net_link_up(const char *name, bool up, struct err *e);
/* Makes it a port of that bridge, taking it from another it may be in; NULL: of none. */
int net_link_master(const char *name, const char *master, struct err *e);
/* Removes a virtual link; absent is fine. */
int net_link_remove(const char *name, struct err *e);

/* Makes the link's static addresses exactly these (canonical CIDRs). The kernel drops routes with
 * the address they hang on: those that still can be are put back. */
int net_addresses_set(const char *name, const struct list *cidrs, struct err *e);
/* A port became part of a bridge: addresses that both carry leave the port, after the port's routes
 * were moved to the bridge, the host's default route among them. */
int net_addresses_move(const char *port, const char *bridge, struct err *e);

/* The link of that name, or NULL. */
static inline const struct net_link *net_find(const struct net_facts *f, const char *name)
{
	for (size_t i = 0; f && name && i < f->links.n; i++) {
		const struct net_link *l = f->links.items[i];

		if (streq(l->name, name))
			return l;
	}
	return NULL;
}

/* Whether it is one of those links, by name, or stands upon one. */
static inline bool net_stands_on(const struct net_facts *f, const struct net_link *l,
				 const struct list *names)
{
	for (int i = 0; l && i <= NET_MAX_STACK; i++) {
		if (list_has(names, l->name))
			return true;
		l = net_find(f, l->lower);
	}
	return false;
}
