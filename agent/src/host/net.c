/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Links and bridges changed through rtnetlink.
 */
#include "host/net.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>

#include "host/netlink.h"

#define FORWARD_DELAY_STP 1500 /* 15 s in hundredths: IEEE 802.1D's own default */

static int find(const char *name, unsigned *ret_index, struct err *e)
{
	unsigned index = if_nametoindex(name);

	if (!index)
		return errno == ENODEV ? err_set(e, -ENODEV, "there is no link %s", name)
				       : err_errno(e, -errno, "find link %s", name);
	*ret_index = index;
	return 0;
}

static int name_ok(const char *name, struct err *e)
{
	size_t n = strlen(name);

	if (n < 1 || n > NET_NAME_MAX || strpbrk(name, "/: \t\n") || streq(name, ".") ||
	    streq(name, ".."))
		return err_set(e, -EINVAL, "'%s' can't be a link's name: 1 to %d bytes", name,
			       NET_NAME_MAX);
	return 0;
}

static struct nl_msg *link_message(int type, int flags, unsigned index)
{
	const struct ifinfomsg info = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index};

	return netlink_new(type, flags, &info, sizeof(info));
}

/* Sends a change of one link, with the kernel's errno made a sentence: "set … of eth0: …". */
static int change(struct nl_msg *m, struct err *e, const char *what, const char *name)
{
	_cleanup_nl_sock_ struct nl_sock *sk = NULL;
	int r = netlink_open(&sk, e);

	if (r < 0)
		return r;
	r = netlink_ask(sk, m);
	if (r < 0)
		err_errno(e, r, "%s %s", what, name);
	if (r == -EPERM)
		err_help(e, "changing the network needs root (CAP_NET_ADMIN)");
	return r;
}

/* -1 leaves either as it is. */
static void stp_attributes(struct nl_msg *m, int state, int delay)
{
	struct nlattr *info = nla_nest_start(m, IFLA_LINKINFO), *data;

	if (!info || nla_put_string(m, IFLA_INFO_KIND, "bridge") < 0)
		abort();
	data = nla_nest_start(m, IFLA_INFO_DATA);
	if (!data)
		abort();
	if (delay >= 0)
		netlink_attr_u32(m, IFLA_BR_FORWARD_DELAY, (uint32_t)delay);
	if (state >= 0)
		netlink_attr_u32(m, IFLA_BR_STP_STATE, (uint32_t)state);
	nla_nest_end(m, data);
	nla_nest_end(m, info);
}

/* Without STP a port forwards at once. The kernel refuses that while STP is on, and looks at the
 * delay first, so that switching off takes two messages. */
int net_bridge_stp(const char *name, bool on, struct err *e)
{
	const char *what = on ? "switch STP on at bridge" : "switch STP off at bridge";
	_cleanup_nl_msg_ struct nl_msg *m = NULL, *delay = NULL;
	unsigned index = 0;
	int r = find(name, &index, e);

	if (r < 0)
		return r;
	m = link_message(RTM_NEWLINK, 0, index);
	stp_attributes(m, on, on ? FORWARD_DELAY_STP : -1);
	r = change(m, e, what, name);
	if (r < 0 || on)
		return r;
	delay = link_message(RTM_NEWLINK, 0, index);
	stp_attributes(delay, -1, 0);
	return change(delay, e, what, name);
}

int net_bridge_add(const char *name, const char *mac, bool stp, struct err *e)
{
	_cleanup_nl_msg_ struct nl_msg *m = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
	int r = name_ok(name, e);

	if (r < 0)
		return r;
	netlink_attr(m, IFLA_IFNAME, name, strlen(name) + 1);
	if (mac) {
		unsigned char b[6];

		if (sscanf(mac, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &b[0], &b[1], &b[2], &b[3],
			   &b[4], &b[5]) != 6)
			return err_set(e, -EINVAL, "'%s' is not a MAC address", mac);
		netlink_attr(m, IFLA_ADDRESS, b, sizeof(b));
	}
	stp_attributes(m, stp, stp ? FORWARD_DELAY_STP : 0);
	r = change(m, e, "make bridge", name);
	if (r == -EOPNOTSUPP)
		err_help(e, "the kernel has no bridges: is its module 'bridge' there?");
	return r;
}

int net_link_alias(const char *name, const char *alias, struct err *e)
{
	_cleanup_nl_msg_ struct nl_msg *m = NULL;
	unsigned index = 0;
	int r = find(name, &index, e);

	if (r < 0)
		return r;
	if (strlen(alias) > NET_ALIAS_MAX)
		return err_set(e, -EINVAL, "an alias holds %d bytes", NET_ALIAS_MAX);
	m = link_message(RTM_SETLINK, 0, index);
	netlink_attr(m, IFLA_IFALIAS, alias, strlen(alias)); /* no NUL: length 0 clears */
	return change(m, e, "set the alias of", name);
}

int net_link_rename(const char *name, const char *to, struct err *e)
{
	_cleanup_nl_msg_ struct nl_msg *m = NULL;
	unsigned index = 0;
	int r = name_ok(to, e);

	if (r < 0)
		return r;
	r = find(name, &index, e);
	if (r < 0)
		return r;
	m = link_message(RTM_SETLINK, 0, index);
	netlink_attr(m, IFLA_IFNAME, to, strlen(to) + 1);
	r = change(m, e, "rename", name);
	if (r < 0)
		err_wrap(e, "to %s", to);
	return r;
}

int net_link_mtu(const char *name, int64_t mtu, struct err *e)
{
	_cleanup_nl_msg_ struct nl_msg *m = NULL;
	unsigned index = 0;
	int r = find(name, &index, e);

	if (r < 0)
		return r;
	if (mtu < 0 || mtu > UINT32_MAX)
		return err_set(e, -ERANGE, "an MTU of %lld", (long long)mtu);
	m = link_message(RTM_SETLINK, 0, index);
	netlink_attr_u32(m, IFLA_MTU, (uint32_t)mtu);
	r = change(m, e, "set the MTU of", name);
	if (r == -EINVAL || r == -ERANGE)
		err_help(e, "the driver of %s may not go as far as %lld", name, (long long)mtu);
	return r;
}

int net_link_up(const char *name, bool up, struct err *e)
{
	_cleanup_nl_msg_ struct nl_msg *m = NULL;
	struct ifinfomsg info = {.ifi_flags = up ? IFF_UP : 0, .ifi_change = IFF_UP};
	unsigned index = 0;
	int r = find(name, &index, e);

	if (r < 0)
		return r;
	info.ifi_index = (int)index;
	m = netlink_new(RTM_SETLINK, 0, &info, sizeof(info));
	return change(m, e, up ? "bring up" : "take down", name);
}

int net_link_master(const char *name, const char *master, struct err *e)
{
	_cleanup_nl_msg_ struct nl_msg *m = NULL;
	unsigned index = 0, above = 0;
	int r = find(name, &index, e);

	if (r >= 0 && master)
		r = find(master, &above, e);
	if (r < 0)
		return r;
	m = link_message(RTM_SETLINK, 0, index);
	netlink_attr_u32(m, IFLA_MASTER, above);
	r = change(m, e, master ? "make a port of" : "release", name);
	if (r < 0 && master)
		err_wrap(e, "bridge %s", master);
	if (r == -ELOOP || r == -EINVAL || r == -EOPNOTSUPP)
		err_help(e,
			 "the loopback, bridges and some Wi-Fi devices can't be ports of a bridge");
	return r;
}

int net_link_remove(const char *name, struct err *e)
{
	_cleanup_nl_msg_ struct nl_msg *m = NULL;
	unsigned index = if_nametoindex(name);
	_cleanup_err_ struct err inner = {0};
	int r;

	if (!index)
		return 0;
	m = link_message(RTM_DELLINK, 0, index);
	r = change(m, &inner, "remove", name);
	if (r == -ENODEV)
		return 0;
	if (r < 0)
		err_move(e, &inner);
	return r;
}
