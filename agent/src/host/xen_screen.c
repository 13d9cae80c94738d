/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Whether QEMU will be able to listen where a guest's screen is to be: tried, for whoever listens there may be no
 * guest at all.
 */
#include "host/xen_screen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
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

/* Where Debian's libxl has its QEMU. */
const char *xen_screen_program = "/usr/libexec/xen-qemu-system-i386";
#define TRY_MS 20000

/* One that plays no machine, and ends when it is told to: that is, once it has opened its screen. */
static void play(int in, int out)
{
	/* Xen's build has no other accelerator that needs no domain. */
	static const char *const argv[] = {"qemu",
					   "-accel",
					   "qtest",
					   "-M",
					   "none",
					   "-nodefaults",
					   "-display",
					   "none",
					   "-monitor",
					   "none",
					   "-S",
					   "-vnc",
					   "unix:/run/manor/vnc-try,password=on",
					   "-qmp",
					   "stdio",
					   NULL};
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execv(xen_screen_program, (char *const *)argv);
	_exit(127);
}

/* All that it says, until it ends. False: it was ended. */
static bool hear(int fd, char *said, size_t size)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	double until = xen_clock() + TRY_MS / 1000.0;
	size_t have = 0;

	for (;;) {
		char rest[512];
		ssize_t n;

		if (xen_clock() > until || poll(&p, 1, TRY_MS) <= 0)
			return false;
		n = have < size - 1 ? read(fd, said + have, size - 1 - have)
				    : read(fd, rest, sizeof(rest));
		if (n <= 0)
			return true;
		if (have < size - 1)
			have += (size_t)n;
		said[have] = '\0';
	}
}

int xen_screen_password(const struct xen_hardware *h, struct err *e)
{
	static const char words[] = "{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"quit\"}\n";
	char said[4096] = "";
	int in[2], out[2];
	pid_t pid;

	if (!h || !h->vnc || !h->vnc_password || access(xen_screen_program, X_OK) < 0)
		return 0;
	if (pipe2(in, O_CLOEXEC) < 0)
		return err_errno(e, -errno, "make a pipe");
	if (pipe2(out, O_CLOEXEC) < 0) {
		close(in[0]);
		close(in[1]);
		return err_errno(e, -errno, "make a pipe");
	}
	/* Before it starts: one that has ended already takes nothing, and a pipe takes so much at once. */
	(void)!write(in[1], words, sizeof(words) - 1);
	pid = fork();
	if (pid == 0)
		play(in[0], out[1]);
	close(in[0]);
	close(out[1]);
	if (pid > 0 && !hear(out[0], said, sizeof(said)))
		kill(pid, SIGKILL);
	close(in[1]);
	close(out[0]);
	if (pid > 0)
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	/* What else it may say it says again when it is meant. */
	if (!strstr(said, "DES"))
		return 0;
	err_at(e, "vnc.password");
	err_help(e,
		 "leave the password out and let it listen on 127.0.0.1, which 'ssh -L' reaches");
	return err_set(
		e, -EOPNOTSUPP,
		"this host's QEMU can't ask for a password: it was built without DES, which VNC takes for it");
}
