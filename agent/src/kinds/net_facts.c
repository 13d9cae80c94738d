/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The reader "net": links with their addresses.
 */
#include "kinds/net_facts.h"

#include "kinds/kinds.h"
#include "kinds/reading.h"

TABLE(net_address_table, net_address, "address", "An address of a link.",
      ROW(net_address, cidr, FIELD_STRING, .doc = "Address and prefix."),
      ROW(net_address, origin, FIELD_ENUM, .words = net_origin_words,
	  .doc = "Who set it: static (a person or a program), dynamic (DHCP), autoconf (from a "
		 "router's announcement), link-local."));

TABLE(net_link_table, net_link, "link", "A link as the kernel has it.",
      ROW(net_link, name, FIELD_STRING, .doc = "Name."),
      ROW(net_link, ifindex, FIELD_INT, .doc = "The kernel's number of it."),
      ROW(net_link, kind, FIELD_STRING, .doc = "phys, bridge, vif, veth, vlan, tun …"),
      ROW(net_link, mac, FIELD_STRING, .doc = "MAC address in use."),
      ROW(net_link, permanent_mac, FIELD_STRING, .doc = "MAC address of the hardware."),
      ROW(net_link, path, FIELD_STRING, .doc = "Where the hardware sits: pci-0000:00:03.0."),
      ROW(net_link, alias, FIELD_STRING, .doc = "Alias; ours are manor:UUID."),
      ROW(net_link, mtu, FIELD_INT, .doc = "Largest packet, in bytes."),
      ROW(net_link, up, FIELD_BOOL, .doc = "Whether it was brought up."),
      ROW(net_link, state, FIELD_STRING, .doc = "What it does: up, down, lowerlayerdown …"),
      ROW(net_link, master, FIELD_STRING, .doc = "The bridge or bond that it is a port of."),
      ROW(net_link, lower, FIELD_STRING, .doc = "The link below it: a VLAN's, a macvlan's."),
      ROW(net_link, default_route, FIELD_BOOL, .doc = "Whether a default route goes through it."),
      ROW(net_link, stp, FIELD_BOOL, .doc = "Bridges: whether the spanning tree protocol is on."),
      ROW(net_link, addresses, FIELD_LIST, .sub = &net_address_table, .doc = "Its addresses."));

TABLE(net_table, net_facts, "net", "The network.",
      ROW(net_facts, links, FIELD_LIST, .sub = &net_link_table,
	  .doc = "All links but the loopback, in the order they came."));

READER(net, net_read, net_table, 30000,
       "links, bridges and addresses, from the kernel (rtnetlink) and sysfs");

const struct net_facts *net_facts(const struct facts *f)
{
	return facts_get(f, "net");
}

const char *net_mark(const struct net_link *l)
{
	const char *uuid = startswith(l->alias, NET_MARK) ? l->alias + strlen(NET_MARK) : NULL;

	return uuid && strlen(uuid) == UUID_TEXT - 1 ? uuid : NULL;
}
