/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A web server on loopback for tests, with the faults that real ones have: one thread, one connection
 * at a time, one file. In a header, for each test is one program of one source.
 */
#pragma once

#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What is served at every path but /redirect…; set it before a request, read the rest after. */
struct httpd_file {
	const char *data;
	size_t n;
	const char *type;      /* Content-Type, or NULL */
	const char *etag;      /* with its quotes, or NULL */
	const char *etag_then; /* what it becomes after the first request, or NULL */
	const char *then;      /* what `data` becomes then, as long; or NULL */
	int status;            /* instead of 200, for … */
	unsigned status_times; /* … so many requests */
	int then_status;       /* instead of 200 for every request but the first; 0: none */
	size_t drop;           /* close the connection after so many bytes of a body; 0: never */
	unsigned drop_times;   /* at most so often; 0: each time */
	bool ranges;           /* honour Range */
	bool no_if_range;      /* but take no notice of If-Range */
	bool etag_each;        /* another ETag for each request */
	const char *modified;      /* Last-Modified, or NULL */
	const char *modified_then; /* what it becomes after the first request, or NULL */
	size_t shift;          /* a range is said to begin so much behind where it does */
	size_t more;           /* and the whole to be so much longer than it is */
	const char *says;      /* instead of any answer */
	bool no_length;        /* leave Content-Length out */
	const char *location;  /* of a redirect, for paths that begin with /redirect */
	unsigned drip_ms;      /* a byte of the body each so often; 0: at once */
	bool reset;            /* where a connection is dropped, reset it */
	unsigned retry_after;  /* with a status that isn't 200, seconds; 0: not said */

	unsigned requests;     /* how many came */
	unsigned ranged;       /* of these, with Range */
	char if_range[128];    /* the last one's If-Range */
	char asked_host[128];  /* where it is asked as a proxy */
};

static pthread_mutex_t httpd_lock = PTHREAD_MUTEX_INITIALIZER;
static struct httpd_file *httpd_served;
static int httpd_listener = -1;

static void httpd_put(int fd, const char *data, size_t n)
{
	while (n > 0) {
		ssize_t r = send(fd, data, n, MSG_NOSIGNAL);

		if (r <= 0)
			return;
		data += r;
		n -= (size_t)r;
	}
}

static void httpd_answer(int fd, struct httpd_file *f, const char *request)
{
	const char *range = strstr(request, "\r\nRange: bytes=");
	const char *if_range = strstr(request, "\r\nIf-Range: ");
	const char *etag = f->requests > 0 && f->etag_then ? f->etag_then : f->etag;
	const char *modified = f->requests > 0 && f->modified_then ? f->modified_then : f->modified;
	char own_etag[16];
	size_t from = range ? strtoul(range + 15, NULL, 10) : 0, n;
	unsigned drip_ms;
	int status = 200;
	char head[1024];
	bool reset;
	int l;

	const char *body = f->requests > 0 && f->then ? f->then : f->data;

	if (f->requests++ > 0 && f->then_status) {
		f->status = f->then_status;
		f->status_times = 1;
	}
	f->ranged += range != NULL;
	if (f->etag_each) {
		snprintf(own_etag, sizeof(own_etag), "\"%u\"", f->requests);
		etag = own_etag;
	}
	sscanf(request, "CONNECT %127[^: ]", f->asked_host);
	if (f->says) {
		httpd_put(fd, f->says, strlen(f->says));
		return;
	}
	f->if_range[0] = '\0';
	if (if_range)
		sscanf(if_range + 12, "%127[^\r]", f->if_range);
	if (f->location && strncmp(request, "GET /redirect", 13) == 0) {
		l = snprintf(head, sizeof(head),
			     "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n"
			     "Connection: close\r\n\r\n",
			     f->location);
		httpd_put(fd, head, (size_t)l);
		return;
	}
	if (f->status_times > 0) {
		f->status_times--;
		l = snprintf(head, sizeof(head),
			     "HTTP/1.1 %d No\r\nContent-Length: 5\r\nConnection: close\r\n",
			     f->status);
		if (f->retry_after)
			l += snprintf(head + l, sizeof(head) - (size_t)l, "Retry-After: %u\r\n",
				      f->retry_after);
		l += snprintf(head + l, sizeof(head) - (size_t)l, "\r\nsorry");
		httpd_put(fd, head, (size_t)l);
		return;
	}
	if (!f->ranges || (if_range && !f->no_if_range &&
			   strcmp(f->if_range, etag ? etag : modified ? modified : "") != 0))
		from = 0;
	else if (range)
		status = from < f->n ? 206 : 416;
	n = from < f->n ? f->n - from : 0;
	l = snprintf(head, sizeof(head), "HTTP/1.1 %d Fine\r\nConnection: close\r\n", status);
	if (!f->no_length)
		l += snprintf(head + l, sizeof(head) - (size_t)l, "Content-Length: %zu\r\n", n);
	if (status == 206)
		l += snprintf(head + l, sizeof(head) - (size_t)l,
			      "Content-Range: bytes %zu-%zu/%zu\r\n", from + f->shift, f->n + f->more - 1,
			      f->n + f->more);
	if (etag)
		l += snprintf(head + l, sizeof(head) - (size_t)l, "ETag: %s\r\n", etag);
	if (modified)
		l += snprintf(head + l, sizeof(head) - (size_t)l, "Last-Modified: %s\r\n", modified);
	if (f->type)
		l += snprintf(head + l, sizeof(head) - (size_t)l, "Content-Type: %s\r\n", f->type);
	l += snprintf(head + l, sizeof(head) - (size_t)l, "\r\n");
	httpd_put(fd, head, (size_t)l);
	f->asked_host[0] = '\0';
	sscanf(request, "GET http://%127[^/ ]", f->asked_host);
	if (f->drop && f->drop < n) {
		n = f->drop;
		if (f->drop_times > 0 && --f->drop_times == 0)
			f->drop = 0;
	}
	/* Whoever asked may be gone, and `f` with him: of it nothing is needed any more. */
	drip_ms = f->drip_ms;
	reset = f->reset && from + n < f->n;
	for (size_t i = 0; drip_ms && i < n; i++) {
		usleep(drip_ms * 1000);
		if (send(fd, body + from + i, 1, MSG_NOSIGNAL) < 0)
			return;
	}
	if (!drip_ms)
		httpd_put(fd, body + from, n);
	if (reset)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
}

static void *httpd_loop(void *unused)
{
	for (;;) {
		int fd = accept(httpd_listener, NULL, NULL);
		char request[4096] = "";
		size_t n = 0;

		if (fd < 0)
			continue;
		while (n < sizeof(request) - 1 && !strstr(request, "\r\n\r\n")) {
			ssize_t r = read(fd, request + n, sizeof(request) - 1 - n);

			if (r <= 0)
				break;
			n += (size_t)r;
			request[n] = '\0';
		}
		pthread_mutex_lock(&httpd_lock);
		if (httpd_served && strstr(request, "\r\n\r\n"))
			httpd_answer(fd, httpd_served, request);
		pthread_mutex_unlock(&httpd_lock);
		close(fd);
	}
	return NULL;
}

/* Starts it, once; the port. */
static int httpd_start(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t n = sizeof(a);
	pthread_t thread;

	if (httpd_listener < 0) {
		httpd_listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (bind(httpd_listener, (struct sockaddr *)&a, n) < 0 || listen(httpd_listener, 16) < 0 ||
		    pthread_create(&thread, NULL, httpd_loop, NULL) != 0)
			abort();
	}
	getsockname(httpd_listener, (struct sockaddr *)&a, &n);
	return ntohs(a.sin_port);
}

/* Serves that from now on; the caller keeps it. */
static void httpd_serve(struct httpd_file *f)
{
	pthread_mutex_lock(&httpd_lock);
	httpd_served = f;
	pthread_mutex_unlock(&httpd_lock);
}
