/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rtnetlink through libnl-3.
 */
#include "host/netlink.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/util.h"

#define NETLINK_BUFFER (256u << 10)

void netlink_sockp(struct nl_sock **sk)
{
	if (*sk)
		nl_socket_free(*sk);
	*sk = NULL;
}

void netlink_msgp(struct nl_msg **m)
{
	if (*m)
		nlmsg_free(*m);
	*m = NULL;
}

int netlink_open(struct nl_sock **ret, struct err *e)
{
	_cleanup_nl_sock_ struct nl_sock *sk = nl_socket_alloc();
	const struct timeval patience = {.tv_sec = 10};
	int r;

	if (!sk)
		return err_set(e, -ENOMEM, "no memory for a netlink socket");
	r = nl_connect(sk, NETLINK_ROUTE);
	if (r < 0)
		return err_set(e, -EIO, "connect to rtnetlink: %s", nl_geterror(r));
	if (setsockopt(nl_socket_get_fd(sk), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) <
	    0)
		return err_errno(e, -errno, "set a time limit on rtnetlink");
	/* Links with many virtual functions answer in messages beyond a page. */
	r = nl_socket_set_msg_buf_size(sk, NETLINK_BUFFER);
	if (r < 0)
		return err_set(e, -EIO, "set a buffer for rtnetlink: %s", nl_geterror(r));
	nl_socket_disable_seq_check(sk);
	*ret = sk;
	sk = NULL;
	return 0;
}

struct nl_msg *netlink_new(int type, int flags, const void *body, size_t n)
{
	struct nl_msg *m = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

	if (!m || nlmsg_append(m, (void *)body, n, NLMSG_ALIGNTO) < 0)
		abort(); /* memory */
	return m;
}

void netlink_attr(struct nl_msg *m, int type, const void *data, size_t n)
{
	if (nla_put(m, type, n, data) < 0)
		abort();
}

void netlink_attr_u32(struct nl_msg *m, int type, uint32_t v)
{
	netlink_attr(m, type, &v, sizeof(v));
}

/* One answer being waited for. */
struct answer {
	netlink_each_fn *each;
	void *data;
	struct err *e;
	int r;
	bool done;
};

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *m, void *arg)
{
	struct answer *an = arg;

	an->r = m->error;
	an->done = true;
	return NL_STOP;
}

static int on_done(struct nl_msg *m, void *arg)
{
	struct answer *an = arg;

	an->done = true;
	return NL_STOP;
}

static int on_valid(struct nl_msg *m, void *arg)
{
	struct answer *an = arg;

	if (an->each && an->r == 0)
		an->r = an->each(nlmsg_hdr(m), an->data, an->e);
	return NL_OK; /* a dump is read to its end, so that the socket can be asked again */
}

static int talk(struct nl_sock *sk, struct nl_msg *m, struct answer *an)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	bool interrupted = false;
	int r;

	if (!cb)
		abort();
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, an);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_done, an);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_done, an);
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, an);
	r = nl_send_auto(sk, m);
	while (r >= 0 && !an->done) {
		r = nl_recvmsgs(sk, cb);
		if (r == -NLE_DUMP_INTR) {
			interrupted = true;
			r = 0;
		}
	}
	nl_cb_put(cb);
	if (an->r < 0)
		return an->r;
	/* The error callback's stop makes nl_recvmsgs() fine; what is left is the socket itself. */
	if (r < 0 && !an->done)
		return r == -NLE_AGAIN ? -ETIMEDOUT : r == -NLE_NOMEM ? -ENOBUFS : -EIO;
	return interrupted ? -EAGAIN : 0;
}

int netlink_dump(struct nl_sock *sk, int type, const void *body, size_t n, netlink_each_fn *each,
		 void *data, struct err *e)
{
	_cleanup_nl_msg_ struct nl_msg *m = netlink_new(type, NLM_F_DUMP, body, n);
	_cleanup_err_ struct err inner = {0};
	struct answer an = {.each = each, .data = data, .e = &inner};
	int r = talk(sk, m, &an);

	if (r < 0 && inner.message)
		err_move(e, &inner);
	else if (r < 0)
		err_errno(e, r, "read from rtnetlink");
	return r;
}

int netlink_ask(struct nl_sock *sk, struct nl_msg *m)
{
	struct answer an = {0};

	nlmsg_hdr(m)->nlmsg_flags |= NLM_F_ACK;
	return talk(sk, m, &an);
}
