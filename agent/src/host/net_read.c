/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What there is of links, addresses and default routes, and the little that only sysfs says.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>

#include "base/file.h"
#include "base/num.h"
#include "host/net.h"
#include "host/netlink.h"
#include "host/pci.h"

#define TRIES 5 /* where the kernel says that things changed under a dump */

const char *const net_origin_words[] = {"static", "dynamic", "autoconf", "link-local", NULL};

struct reading {
	struct arena *arena;
	struct net_facts *facts;
	int64_t *masters, *lowers; /* ifindex by position in facts->links */
	size_t n_addresses;
};

/* Text from the kernel that people or drivers chose: what isn't printable ASCII becomes '?', so
 * that it can go into JSON and onto a terminal. */
static const char *clean(struct arena *a, const struct nlattr *attr)
{
	const char *s = nla_data(attr);
	char *r = arena_strndup(a, s, strnlen(s, nla_len(attr)));

	for (char *p = r; *p; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			*p = '?';
	return *r ? r : NULL;
}

static const char *mac_text(struct arena *a, const struct nlattr *attr)
{
	const unsigned char *m;

	if (!attr || nla_len(attr) != 6)
		return NULL;
	m = nla_data(attr);
	return arena_printf(a, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

/* RFC 2863, section 3.1.14, in the kernel's numbering. */
static const char *state_word(unsigned state)
{
	static const char *const words[] = {"unknown", "notpresent", "down", "lowerlayerdown",
					    "testing", "dormant",    "up"};

	return state < ARRAY_SIZE(words) ? words[state] : "unknown";
}

/* An interface of a USB device: "1-1.2:1.0", bus, ports, configuration, interface. */
static bool is_usb(const char *s)
{
	return s[0] >= '0' && s[0] <= '9' && strspn(s, "0123456789-.:") == strlen(s) &&
	       strchr(s, '-') && strchr(s, ':');
}

/* As udev's path_id builds ID_PATH, for what is behind NICs: a PCI function, or USB behind one.
 * Computed here, for there is no udev early at boot. */
static const char *device_path(struct arena *a, const char *real)
{
	_cleanup_(freep) char *copy = xstrdup(real);
	const char *pci = NULL, *usb = NULL;
	char *save = NULL;

	for (char *w = strtok_r(copy, "/", &save); w; w = strtok_r(NULL, "/", &save)) {
		if (pci_is_address(w)) {
			pci = w;
			usb = NULL;
		} else if (is_usb(w)) {
			usb = w;
		}
	}
	if (!pci)
		return NULL;
	if (usb)
		return arena_printf(a, "pci-%s-usb-0:%s", pci, strchr(usb, '-') + 1);
	return arena_printf(a, "pci-%s", pci);
}

/* Fills path, and the kind where the driver has no word for it. sysfs may be mounted for another
 * network namespace: the index tells. */
static void read_sysfs(struct arena *a, struct net_link *l)
{
	_cleanup_(freep) char *real = NULL;
	_cleanup_(freep) char *text = NULL;
	char path[128], link[256];
	int64_t index;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/class/net/%s/ifindex", l->name);
	if (file_read(path, 64, &text, NULL, NULL) < 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	if (num_parse_int(text, 1, INT32_MAX, &index) < 0 || index != l->ifindex)
		return;
	snprintf(path, sizeof(path), "/sys/class/net/%s/device", l->name);
	real = realpath(path, NULL);
	if (!real)
		return;
	l->path = device_path(a, real);
	if (l->kind)
		return;
	snprintf(path, sizeof(path), "/sys/class/net/%s/device/subsystem", l->name);
	n = readlink(path, link, sizeof(link) - 1);
	link[MAX_OF(n, 0)] = '\0';
	l->kind = strstr(link, "/xen-backend") ? "vif" : "phys";
}

static int64_t index_in(const struct nlattr *attr)
{
	return attr && nla_len(attr) >= 4 ? nla_get_u32(attr) : 0;
}

static int each_link(struct nlmsghdr *h, void *data, struct err *e)
{
	struct reading *r = data;
	struct ifinfomsg *info = nlmsg_data(h);
	struct nlattr *tb[IFLA_MAX + 1], *li[IFLA_INFO_MAX + 1], *br[IFLA_BR_MAX + 1];
	size_t n = r->facts->links.n;
	struct net_link *l;

	if (h->nlmsg_type != RTM_NEWLINK)
		return 0;
	if (nlmsg_parse(h, sizeof(*info), tb, IFLA_MAX, NULL) < 0 || !tb[IFLA_IFNAME])
		return err_set(e, -EBADMSG, "rtnetlink sent a link that can't be read");
	if (info->ifi_flags & IFF_LOOPBACK)
		return 0;
	if (n >= NET_MAX_LINKS)
		return err_set(e, -E2BIG, "more than %d links", NET_MAX_LINKS);
	l = arena_alloc(r->arena, sizeof(*l));
	l->name = clean(r->arena, tb[IFLA_IFNAME]);
	if (!l->name)
		return err_set(e, -EBADMSG, "rtnetlink sent a link without a name");
	l->ifindex = info->ifi_index;
	l->up = info->ifi_flags & IFF_UP;
	l->mac = mac_text(r->arena, tb[IFLA_ADDRESS]);
	l->permanent_mac = mac_text(r->arena, tb[IFLA_PERM_ADDRESS]);
	l->mtu = tb[IFLA_MTU] && nla_len(tb[IFLA_MTU]) >= 4 ? nla_get_u32(tb[IFLA_MTU]) : 0;
	l->state = state_word(tb[IFLA_OPERSTATE] && nla_len(tb[IFLA_OPERSTATE])
				      ? nla_get_u8(tb[IFLA_OPERSTATE])
				      : 0);
	if (tb[IFLA_IFALIAS])
		l->alias = clean(r->arena, tb[IFLA_IFALIAS]);
	if (tb[IFLA_LINKINFO] &&
	    nla_parse_nested(li, IFLA_INFO_MAX, tb[IFLA_LINKINFO], NULL) >= 0) {
		if (li[IFLA_INFO_KIND])
			l->kind = clean(r->arena, li[IFLA_INFO_KIND]);
		if (streq(l->kind, "bridge") && li[IFLA_INFO_DATA] &&
		    nla_parse_nested(br, IFLA_BR_MAX, li[IFLA_INFO_DATA], NULL) >= 0 &&
		    br[IFLA_BR_STP_STATE] && nla_len(br[IFLA_BR_STP_STATE]) >= 4)
			l->stp = nla_get_u32(br[IFLA_BR_STP_STATE]) != 0;
	}
	read_sysfs(r->arena, l);
	if (!l->kind)
		l->kind = l->permanent_mac ? "phys" : "other";
	r->masters = arena_grow(r->arena, r->masters, n, sizeof(*r->masters));
	r->masters[n] = index_in(tb[IFLA_MASTER]);
	/* Of two that are a pair each names the other; and an index of another namespace is none of this one's. */
	r->lowers = arena_grow(r->arena, r->lowers, n, sizeof(*r->lowers));
	r->lowers[n] = streq(l->kind, "veth") || streq(l->kind, "netkit") || tb[IFLA_LINK_NETNSID]
			       ? 0
			       : index_in(tb[IFLA_LINK]);
	list_add(r->arena, &r->facts->links, l);
	return 0;
}

static struct net_link *by_index(const struct net_facts *f, int64_t index)
{
	for (size_t i = 0; i < f->links.n; i++) {
		struct net_link *l = f->links.items[i];

		if (l->ifindex == index)
			return l;
	}
	return NULL;
}

static int origin_of(int family, const void *ip, unsigned prefix, uint32_t flags, unsigned proto)
{
	if (family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *)ip))
		return NET_LINKLOCAL;
	if (family == AF_INET6 && (proto == IFAPROT_KERNEL_RA || (flags & IFA_F_TEMPORARY) ||
				   (!(flags & IFA_F_PERMANENT) && prefix < 128)))
		return NET_AUTOCONF;
	return flags & IFA_F_PERMANENT ? NET_STATIC : NET_DYNAMIC;
}

static int each_address(struct nlmsghdr *h, void *data, struct err *e)
{
	struct reading *r = data;
	struct ifaddrmsg *msg = nlmsg_data(h);
	struct nlattr *tb[IFA_MAX + 1], *ip;
	char text[INET6_ADDRSTRLEN];
	struct net_address *addr;
	struct net_link *l;

	if (h->nlmsg_type != RTM_NEWADDR)
		return 0;
	if (nlmsg_parse(h, sizeof(*msg), tb, IFA_MAX, NULL) < 0)
		return err_set(e, -EBADMSG, "rtnetlink sent an address that can't be read");
	if (msg->ifa_family != AF_INET && msg->ifa_family != AF_INET6)
		return 0;
	l = by_index(r->facts, msg->ifa_index);
	/* On a point-to-point link, ADDRESS is the other end. */
	ip = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
	if (!l || !ip || nla_len(ip) < (msg->ifa_family == AF_INET ? 4 : 16))
		return 0; /* the loopback's, or a link that came after the links were read */
	if (++r->n_addresses > NET_MAX_ADDRESSES)
		return err_set(e, -E2BIG, "more than %d addresses", NET_MAX_ADDRESSES);
	if (!inet_ntop(msg->ifa_family, nla_data(ip), text, sizeof(text)))
		return err_errno(e, -errno, "an address of link %s", l->name);
	addr = arena_alloc(r->arena, sizeof(*addr));
	addr->cidr = arena_printf(r->arena, "%s/%u", text, msg->ifa_prefixlen);
	addr->origin =
		origin_of(msg->ifa_family, nla_data(ip), msg->ifa_prefixlen,
			  tb[IFA_FLAGS] && nla_len(tb[IFA_FLAGS]) >= 4 ? nla_get_u32(tb[IFA_FLAGS])
								       : msg->ifa_flags,
			  tb[IFA_PROTO] && nla_len(tb[IFA_PROTO]) ? nla_get_u8(tb[IFA_PROTO]) : 0);
	list_add(r->arena, &l->addresses, addr);
	return 0;
}

static void mark_default(struct reading *r, int64_t index)
{
	struct net_link *l = by_index(r->facts, index);

	if (l)
		l->default_route = true;
}

static int each_route(struct nlmsghdr *h, void *data, struct err *e)
{
	struct rtmsg *msg = nlmsg_data(h);
	struct nlattr *tb[RTA_MAX + 1];

	if (h->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(h, sizeof(*msg), tb, RTA_MAX, NULL) < 0)
		return 0;
	/* A router's announcement is heard again on whatever link it comes in by. */
	if (msg->rtm_dst_len || msg->rtm_table != RT_TABLE_MAIN || msg->rtm_type != RTN_UNICAST ||
	    msg->rtm_protocol == RTPROT_RA || (msg->rtm_flags & RTM_F_CLONED))
		return 0;
	if (tb[RTA_OIF] && nla_len(tb[RTA_OIF]) >= 4)
		mark_default(data, nla_get_u32(tb[RTA_OIF]));
	if (tb[RTA_MULTIPATH]) {
		struct rtnexthop *hop = nla_data(tb[RTA_MULTIPATH]);
		int left = nla_len(tb[RTA_MULTIPATH]);

		for (; RTNH_OK(hop, left); hop = RTNH_NEXT(hop)) {
			mark_default(data, hop->rtnh_ifindex);
			left -= NLMSG_ALIGN(hop->rtnh_len);
		}
	}
	return 0;
}

static int by_ifindex(const void *a, const void *b)
{
	const struct net_link *x = *(void *const *)a, *y = *(void *const *)b;

	return (x->ifindex > y->ifindex) - (x->ifindex < y->ifindex);
}

static int read_once(struct nl_sock *sk, struct reading *r, struct err *e)
{
	const struct ifaddrmsg any = {.ifa_family = AF_UNSPEC};
	const struct rtmsg routes = {.rtm_family = AF_UNSPEC, .rtm_table = RT_TABLE_MAIN};
	struct {
		struct ifinfomsg info;
		struct nlattr attr;
		uint32_t mask;
	} links = {.attr = {.nla_len = NLA_HDRLEN + 4, .nla_type = IFLA_EXT_MASK},
		   .mask = RTEXT_FILTER_SKIP_STATS};
	int q = netlink_dump(sk, RTM_GETLINK, &links, sizeof(links), each_link, r, e);

	if (q < 0)
		return q;
	for (size_t i = 0; i < r->facts->links.n; i++) {
		struct net_link *l = r->facts->links.items[i];
		struct net_link *master = r->masters[i] ? by_index(r->facts, r->masters[i]) : NULL;
		struct net_link *lower = r->lowers[i] ? by_index(r->facts, r->lowers[i]) : NULL;

		l->master = master ? master->name : NULL;
		l->lower = lower && lower != l ? lower->name : NULL;
	}
	q = netlink_dump(sk, RTM_GETADDR, &any, sizeof(any), each_address, r, e);
	if (q < 0)
		return q;
	return netlink_dump(sk, RTM_GETROUTE, &routes, sizeof(routes), each_route, r, e);
}

int net_read(struct arena *a, struct net_facts *ret, struct err *e)
{
	_cleanup_nl_sock_ struct nl_sock *sk = NULL;
	int r = netlink_open(&sk, e);

	if (r < 0)
		return r;
	for (int i = 0; i < TRIES; i++) {
		struct net_facts facts = {0};
		struct reading reading = {.arena = a, .facts = &facts};

		r = read_once(sk, &reading, e);
		if (r == -EAGAIN)
			continue;
		if (r < 0)
			return r;
		if (facts.links.n)
			qsort(facts.links.items, facts.links.n, sizeof(void *), by_ifindex);
		*ret = facts;
		if (e)
			err_done(e);
		return 0;
	}
	return err_set(e, -EAGAIN, "the network changed under each of %d readings", TRIES);
}
