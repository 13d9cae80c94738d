/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One conversation with rtnetlink: open, ask, walk a dump. The kernel's own errno comes back, which
 * libnl's codes would blur. Shared by host/net*.c alone.
 */
#pragma once

#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "base/err.h"

#define _cleanup_nl_sock_ _cleanup_(netlink_sockp)
#define _cleanup_nl_msg_  _cleanup_(netlink_msgp)

void netlink_sockp(struct nl_sock **sk);
void netlink_msgp(struct nl_msg **m);

/* Waits at most ten seconds for each answer. */
int netlink_open(struct nl_sock **ret, struct err *e);

/* Called for each message of a dump; a negative errno ends it. */
typedef int netlink_each_fn(struct nlmsghdr *h, void *data, struct err *e);
/* `body` follows the header (struct ifinfomsg, ifaddrmsg, rtmsg). -EAGAIN when things changed under
 * the dump: what was seen may be inconsistent. */
int netlink_dump(struct nl_sock *sk, int type, const void *body, size_t n, netlink_each_fn *each,
		 void *data, struct err *e);
/* A message with that header; never NULL. */
struct nl_msg *netlink_new(int type, int flags, const void *body, size_t n);
/* An attribute. Messages here are a few hundred bytes of a page: running out is a bug. */
void netlink_attr(struct nl_msg *m, int type, const void *data, size_t n);
void netlink_attr_u32(struct nl_msg *m, int type, uint32_t v);
/* Sends and waits for the answer: 0 or the kernel's negative errno, without a message. */
int netlink_ask(struct nl_sock *sk, struct nl_msg *m);
