/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Whether QEMU will be able to listen where a guest's screen is to be: tried, for whoever listens there may be no
 * guest at all.
 */
#include "host/xen_screen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "host/xen_ctx.h"

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static socklen_t fill(const char *text, int port, union address *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &ret->in.sin_addr) == 1) {
		ret->in.sin_family = AF_INET;
		ret->in.sin_port = htons((uint16_t)port);
		return sizeof(ret->in);
	}
	if (inet_pton(AF_INET6, text, &ret->in6.sin6_addr) == 1) {
		ret->in6.sin6_family = AF_INET6;
		ret->in6.sin6_port = htons((uint16_t)port);
		return sizeof(ret->in6);
	}
	return 0;
}

/* As QEMU does it: a port that was let go of just now can be had, and :: is every address. 0 or a negative errno. */
static int try(const union address *a, socklen_t size)
{
	_cleanup_(closep) int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1, off = 0;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a->any.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, &a->any, size) < 0 || listen(fd, 1) < 0)
		return -errno;
	return 0;
}

int xen_screen_free(const struct xen_hardware *h, int64_t held, double wait_s, struct err *e)
{
	double until = xen_clock() + wait_s;
	union address a;
	socklen_t size;
	int port, r;

	if (!h || !h->vnc || h->vnc_display < 0 || XEN_VNC_PORT + h->vnc_display == held)
		return 0;
	port = XEN_VNC_PORT + (int)h->vnc_display;
	size = fill(h->vnc_address, port, &a);
	if (!size)
		return 0; /* QEMU will say what it is */
	while ((r = try(&a, size)) == -EADDRINUSE && xen_clock() < until)
		usleep(100000);
	if (r == -EADDRINUSE) {
		err_at(e, "vnc.display");
		err_help(e,
			 "who has it, 'ss -ltnp sport = :%d' tells; another display, or none "
			 "given, is another port",
			 port);
		return err_set(e, r, "port %d of %s, for its screen, is another's", port,
			       h->vnc_address);
	}
	if (r == -EADDRNOTAVAIL) {
		err_at(e, "vnc.address");
		return err_set(e, r, "this host has no address %s, for its screen", h->vnc_address);
	}
	return 0;
}
