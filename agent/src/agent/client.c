/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The command line's end of the agent's socket.
 */
#include "agent/client.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/str.h"

#define EVENT_BYTES (64u << 20)

struct client {
	int fd;
	int signals;     /* -1: they do what they do */
	sigset_t before; /* what was blocked without it */
	struct str in;
};

static struct client *open_plain(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = AGENT_SOCKET};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct client *c;

	if (fd < 0)
		return NULL;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return NULL;
	}
	c = xcalloc(1, sizeof(*c));
	c->fd = fd;
	c->signals = -1;
	return c;
}

struct client *client_open(void)
{
	struct client *c = open_plain();
	sigset_t set;

	if (!c)
		return NULL;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &c->before);
	c->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return c;
}

void client_send(struct client *c, json_object *o)
{
	_cleanup_(freep) char *line =
		xasprintf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	size_t n = strlen(line), sent = 0;

	while (sent < n) {
		ssize_t r = send(c->fd, line + sent, n - sent, MSG_NOSIGNAL);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return; /* receiving will say that it is gone */
		sent += (size_t)r;
	}
}

static json_object *take_line(struct client *c)
{
	char *nl = c->in.n ? memchr(c->in.s, '\n', c->in.n) : NULL;
	json_object *o;
	size_t used;

	if (!nl)
		return NULL;
	*nl = '\0';
	o = json_tokener_parse(c->in.s);
	used = (size_t)(nl - c->in.s) + 1;
	memmove(c->in.s, c->in.s + used, c->in.n - used + 1);
	c->in.n -= used;
	return o;
}

json_object *client_receive(struct client *c, bool *interrupted)
{
	for (;;) {
		struct pollfd p[2] = {
			{.fd = c->fd, .events = POLLIN},
			{.fd = c->signals, .events = POLLIN},
		};
		json_object *o = take_line(c);
		char buf[65536];
		ssize_t n;

		if (o)
			return o;
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return NULL;
		if (p[1].revents) {
			struct signalfd_siginfo si;

			while (read(c->signals, &si, sizeof(si)) > 0)
				;
			if (!*interrupted) {
				json_object *stop = json_object_new_object();

				fprintf(stderr, "\nmanor: stopping: the steps at hand come to "
						"their end first\n");
				json_object_object_add(stop, "stop", json_object_new_boolean(true));
				client_send(c, stop);
				json_object_put(stop);
			}
			*interrupted = true;
		}
		if (!p[0].revents)
			continue;
		n = read(c->fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || c->in.n + (size_t)n > EVENT_BYTES)
			return NULL;
		str_addn(&c->in, buf, (size_t)n);
	}
}

void client_close(struct client *c)
{
	closep(&c->fd);
	if (c->signals >= 0)
		sigprocmask(SIG_SETMASK, &c->before, NULL);
	closep(&c->signals);
	str_done(&c->in);
	free(c);
}

json_object *client_status(void)
{
	/* There is nothing to stop, and who only asks ends as anybody does. */
	struct client *c = open_plain();
	json_object *request, *answer;
	bool interrupted = false;

	if (!c)
		return NULL;
	request = json_object_new_object();
	json_object_object_add(request, "verb", json_object_new_string("status"));
	client_send(c, request);
	json_object_put(request);
	answer = client_receive(c, &interrupted);
	client_close(c);
	return answer;
}
