/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Probes that need neither Xen nor root.
 */
#include "host/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

int probe_log_open(struct probe_log *l, const char *path, const char *pattern, off_t from,
		   struct err *e)
{
	char why[128];
	int r;

	*l = (struct probe_log){.path = path, .at = from};
	r = regcomp(&l->pattern, pattern, REG_EXTENDED | REG_NOSUB);
	if (r == 0)
		return 0;
	regerror(r, &l->pattern, why, sizeof(why));
	return err_set(e, -EINVAL, "'%s' is no regular expression: %s", pattern, why);
}

void probe_log_close(struct probe_log *l)
{
	regfree(&l->pattern);
}

static bool matches(struct probe_log *l)
{
	l->line[l->n] = '\0';
	return regexec(&l->pattern, l->line, 0, NULL, 0) == 0;
}

/* Whether a line ended here that matches. One that is too long is looked at in pieces. */
static bool take(struct probe_log *l, const char *text, size_t n)
{
	bool found = false;

	for (size_t i = 0; !found && i < n; i++) {
		if (text[i] == '\n' || l->n == PROBE_LINE - 1) {
			found = matches(l);
			l->n = 0;
		}
		/* Carriage returns are the terminal's, and a NUL would end the line for regexec(). */
		if (text[i] != '\n' && text[i] != '\r' && text[i] != '\0')
			l->line[l->n++] = text[i];
	}
	return found;
}

int probe_log_look(struct probe_log *l)
{
	_cleanup_(closep) int fd = open(l->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char text[16384];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	/* Another file by now, or emptied: all of it is news. */
	if ((l->inode && l->inode != st.st_ino) || st.st_size < l->at) {
		l->at = 0;
		l->n = 0;
	}
	l->inode = st.st_ino;
	while ((n = pread(fd, text, sizeof(text), l->at)) > 0) {
		l->at += n;
		if (take(l, text, (size_t)n))
			return 1;
	}
	if (n < 0)
		return -errno;
	/* "login: " waits at the end of a line that doesn't end. */
	return l->n > 0 && matches(l);
}

static int connected(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int why = 0, r = poll(&p, 1, ms);
	socklen_t n = sizeof(why);

	if (r == 0)
		return -ETIMEDOUT;
	if (r < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &n) < 0)
		return -errno;
	return -why;
}

int probe_tcp(const char *address, unsigned port, int ms)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	bool six = inet_pton(AF_INET6, address, &v6.sin6_addr) == 1;
	_cleanup_(closep) int fd = -1;
	int r;

	if (!six && inet_pton(AF_INET, address, &v4.sin_addr) != 1)
		return -EINVAL;
	fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = six ? connect(fd, (struct sockaddr *)&v6, sizeof(v6))
		: connect(fd, (struct sockaddr *)&v4, sizeof(v4));
	if (r == 0)
		return 0;
	return errno == EINPROGRESS ? connected(fd, ms) : -errno;
}
