/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The agent's socket: requests and events as lines of JSON, for root alone.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/client.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"

#define REQUEST_BYTES  (64u << 20) /* a manifest, and the files that it names */
#define BACKLOG_BYTES  (64u << 20)
#define CLIENTS_MAX    64
#define PROBES         10
#define PROBE_EVERY_US 200000

struct peer {
	struct agent *agent;
	int fd;
	struct str in, out;
	size_t sent;
	sd_event_source *source;
	struct converge *converge;
	json_object *steps; /* of its run: what failed or is held */
	char *only;
	bool gone;    /* the other end left; freed when its run has ended */
	bool finish;  /* close when `out` is written */
	bool asked;   /* its run waits for a confirmation */
	bool plan_only;
};

static size_t n_peers;

static void release(struct peer *p)
{
	sd_event_source_disable_unref(p->source);
	closep(&p->fd);
	str_done(&p->in);
	str_done(&p->out);
	json_object_put(p->steps);
	free(p->only);
	free(p);
	n_peers--;
}

/* The other end has gone: its run goes on, but for one that waits for its word. */
static void leave(struct peer *p)
{
	p->gone = true;
	p->source = sd_event_source_disable_unref(p->source);
	if (p->converge && p->asked) {
		p->asked = false;
		converge_confirm(p->converge, false); /* ends it, and on_ended releases p */
		return;
	}
	if (!p->converge)
		release(p);
}

/* Writes what it can; false when the peer is gone (and perhaps freed). */
static bool flush(struct peer *p)
{
	while (p->sent < p->out.n) {
		ssize_t n = send(p->fd, p->out.s + p->sent, p->out.n - p->sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			sd_event_source_set_io_events(p->source, EPOLLIN | EPOLLOUT);
			return true;
		}
		if (n < 0) {
			leave(p);
			return false;
		}
		p->sent += (size_t)n;
	}
	p->out.n = p->sent = 0;
	sd_event_source_set_io_events(p->source, EPOLLIN);
	if (p->finish && !p->converge) {
		leave(p);
		return false;
	}
	return true;
}

static void put(struct peer *p, json_object *o)
{
	if (p->gone || p->out.n > BACKLOG_BYTES)
		return;
	str_add(&p->out, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	str_addc(&p->out, '\n');
	/* Written from the loop: a peer must not vanish beneath whoever tells it something. */
	sd_event_source_set_io_events(p->source, EPOLLIN | EPOLLOUT);
}

static void on_event(void *data, json_object *event)
{
	struct peer *p = data;

	if (streq(json_text(event, "event"), "confirm")) {
		if (p->gone) {
			converge_confirm(p->converge, false);
			return;
		}
		p->asked = true;
	}
	agent_steps_take(p->steps, event);
	if (!p->plan_only)
		agent_steps_log(event, "asked for by a person");
	put(p, event);
}

static void on_ended(void *data, enum converge_result result, const struct converge *c)
{
	struct peer *p = data;
	bool applied = result == CONVERGED || result == CONVERGE_NOTHING ||
		       result == CONVERGE_PENDING || result == CONVERGE_FAILED;

	p->converge = NULL;
	p->finish = true;
	if (applied && !p->plan_only)
		agent_took_note(p->agent, result, c, "apply", p->only, p->steps);
	agent_maybe_stop(p->agent);
	if (p->gone)
		release(p);
}

static void begin(struct peer *p, json_object *o, bool plan_only)
{
	int allow = word_find(impact_words, json_text(o, "allow"));
	int64_t jobs = json_int(o, "jobs");
	struct converge_options c = {
		.kinds = p->agent->kinds,
		.readers = p->agent->readers,
		.manifest = json_member(o, "manifest", json_type_object),
		.plan = {.allowed = IMPACT_LIVE, .only = json_text(o, "only")},
		.jobs = jobs > 0 ? (size_t)jobs : p->agent->jobs,
		.plan_only = plan_only,
		.confirm = json_flag(o, "confirm"),
		.event = on_event,
		.ended = on_ended,
		.data = p,
	};

	if (allow >= 0)
		c.plan.allowed = (enum impact)allow;
	p->plan_only = plan_only;
	p->steps = json_object_new_array();
	p->only = c.plan.only ? xstrdup(c.plan.only) : NULL;
	p->converge = converge_start(p->agent->loop, &c);
	if (p->agent->stopping)
		converge_stop(p->converge);
}

static void take_request(struct peer *p, const char *line)
{
	json_object *o = json_tokener_parse(line), *v, *answer;
	const char *verb = json_text(o, "verb");

	if (p->converge) {
		if (json_object_object_get_ex(o, "stop", &v))
			converge_stop(p->converge);
		if (p->asked && json_object_object_get_ex(o, "confirm", &v)) {
			p->asked = false;
			converge_confirm(p->converge, json_object_get_boolean(v));
		}
	} else if (streq(verb, "plan") || streq(verb, "apply")) {
		begin(p, o, streq(verb, "plan"));
	} else if (streq(verb, "status")) {
		answer = agent_status(p->agent);
		put(p, answer);
		json_object_put(answer);
		p->finish = true;
	} else {
		answer = json_object_new_object();
		json_put_text(answer, "error", "not a request");
		put(p, answer);
		json_object_put(answer);
		p->finish = true;
	}
	json_object_put(o);
}

static int on_peer(sd_event_source *s, int fd, uint32_t events, void *data)
{
	struct peer *p = data;
	size_t seen = p->in.n;
	char buf[65536], *nl;
	ssize_t n;

	if ((events & EPOLLOUT) && !flush(p))
		return 0;
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return 0;
	n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0 || p->in.n + (size_t)n > REQUEST_BYTES) {
		leave(p);
		return 0;
	}
	str_addn(&p->in, buf, (size_t)n);
	while (p->in.n > seen && (nl = memchr(p->in.s + seen, '\n', p->in.n - seen))) {
		_cleanup_(freep) char *line = NULL;
		size_t used = (size_t)(nl - p->in.s) + 1;

		*nl = '\0';
		line = xstrdup(p->in.s);
		memmove(p->in.s, p->in.s + used, p->in.n - used + 1);
		p->in.n -= used;
		seen = 0;
		take_request(p, line);
	}
	return 0;
}

static int on_connect(sd_event_source *s, int fd, uint32_t events, void *data)
{
	struct agent *a = data;
	_cleanup_(closep) int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred who;
	socklen_t size = sizeof(who);
	struct peer *p;

	if (c < 0)
		return 0;
	if (n_peers >= CLIENTS_MAX || getsockopt(c, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0 ||
	    who.uid != 0)
		return 0;
	p = xcalloc(1, sizeof(*p));
	n_peers++;
	p->agent = a;
	p->fd = c;
	if (sd_event_add_io(a->loop, &p->source, c, EPOLLIN, on_peer, p) < 0) {
		release(p);
		c = -1;
		return 0;
	}
	c = -1;
	return 0;
}

static bool answers(const struct sockaddr_un *address)
{
	_cleanup_(closep) int probe =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	/* One whose queue is full (EAGAIN) is there too. */
	return probe >= 0 &&
	       (connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
		errno == EAGAIN);
}

/* Of an agent that has just ended the socket lives on in a child that had not become a worker yet. */
static bool another_runs(const struct sockaddr_un *address)
{
	for (int i = 0; i < PROBES; i++) {
		if (!answers(address))
			return false;
		usleep(PROBE_EVERY_US);
	}
	return true;
}

int serve_start(struct agent *a, struct err *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = AGENT_SOCKET};
	int r = file_mkdirs("/run/manor", 0755, e);

	if (r < 0)
		return r;
	if (another_runs(&address))
		return err_set(e, -EBUSY, "another agent runs already; `manor status` asks it");
	a->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (a->listener < 0)
		return err_errno(e, -errno, "socket");
	unlink(AGENT_SOCKET);
	umask(0177);
	r = bind(a->listener, (struct sockaddr *)&address, sizeof(address));
	r = r < 0 ? -errno : 0;
	umask(022);
	if (r < 0)
		return err_errno(e, r, "bind %s", AGENT_SOCKET);
	if (listen(a->listener, 16) < 0)
		return err_errno(e, -errno, "listen");
	r = sd_event_add_io(a->loop, NULL, a->listener, EPOLLIN, on_connect, a);
	return r < 0 ? err_errno(e, r, "watch the socket") : 0;
}
