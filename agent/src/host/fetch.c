/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Fetching by libcurl's multi interface, pulled by the reader: curl runs only inside fetch_read(),
 * and its write callback pauses the transfer when the window is full.
 */
#include "host/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"

#define WINDOW      (1u << 20) /* bytes held for the reader at the most, and one write of curl's */
#define CURL_BUFFER (256L << 10)
#define REDIRECTS   8L
#define CONNECT_S   30L
#define SLOW_BYTES  1024L /* slower than this a second … */
#define SLOW_S      60L   /* … for so long is a broken connection */
#define FRUITLESS   5     /* attempts in a row that brought nothing */
#define ATTEMPTS    50    /* in all: a line that breaks more often won't end */
#define BACKOFF_MS  1000
#define BACKOFF_MAX 30000

/* What one response's header says. */
struct response {
	char etag[256];
	char modified[64];
	uint64_t from, total; /* Content-Range; total 0: not said */
	bool ranged;
};

struct fetch {
	CURL *easy;
	CURLM *multi;
	struct curl_slist *headers;
	char *url, *shown;
	uint64_t max;
	unsigned backoff_ms;
	int fd; /* of a file: url; curl would read it all in one go, whatever the window */

	char *window;
	size_t n;      /* bytes in the window */
	bool handed;   /* the reader has them; the next call drops them */
	bool running, paused, ended, failed;

	struct response now, first;
	bool have_first; /* a first response's body has begun */
	bool begun;      /* this response's body has begun */
	uint64_t skip;   /* bytes of this response that we have already */
	uint64_t got, total;
	uint64_t got_before; /* at the start of this attempt */
	unsigned attempts, fruitless;
	char type[128];
	char curl_error[CURL_ERROR_SIZE];
	struct sha256 *hash;

	int refused;      /* a callback's verdict, beyond any retry */
	struct err error; /* with its words */
};

/* curl wants to be initialised once a process, before any thread of its own. */
static void curl_ready(void)
{
	static bool done;

	if (!done && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
	done = true;
}

static void copy_header(char *to, size_t size, const char *s, size_t n)
{
	while (n > 0 && (*s == ' ' || *s == '\t')) {
		s++;
		n--;
	}
	while (n > 0 && (unsigned char)s[n - 1] <= ' ')
		n--;
	if (n >= size) /* too long to be repeated in a request: as if it weren't there */
		n = 0;
	memcpy(to, s, n);
	to[n] = '\0';
}

static bool is_header(const char *line, size_t n, const char *name, const char **value,
		      size_t *left)
{
	size_t l = strlen(name);

	if (n <= l || strncasecmp(line, name, l) != 0 || line[l] != ':')
		return false;
	*value = line + l + 1;
	*left = n - l - 1;
	return true;
}

static size_t on_header(char *line, size_t size, size_t n, void *data)
{
	struct fetch *f = data;
	const char *v;
	size_t l;

	n *= size;
	if (n >= 5 &&
	    memcmp(line, "HTTP/", 5) == 0) { /* a redirect's header came before, perhaps */
		memset(&f->now, 0, sizeof(f->now));
	} else if (is_header(line, n, "etag", &v, &l)) {
		copy_header(f->now.etag, sizeof(f->now.etag), v, l);
	} else if (is_header(line, n, "last-modified", &v, &l)) {
		copy_header(f->now.modified, sizeof(f->now.modified), v, l);
	} else if (is_header(line, n, "content-range", &v, &l)) {
		char text[128];
		unsigned long long from, to, total;

		copy_header(text, sizeof(text), v, l);
		if (sscanf(text, "bytes %llu-%llu/%llu", &from, &to, &total) == 3) {
			f->now.ranged = true;
			f->now.from = from;
			f->now.total = total;
		} else if (sscanf(text, "bytes %llu-%llu/*", &from, &to) == 2) {
			f->now.ranged = true;
			f->now.from = from;
		}
	}
	return n;
}

static int changed(struct fetch *f)
{
	return err_set(&f->error, -ESTALE, "%s changed while it was fetched", f->shown);
}

static int changed_file(struct fetch *f, struct err *e)
{
	int r = changed(f);

	err_move(e, &f->error);
	return r;
}

/* Looks at the response before its first byte counts. */
static int begin(struct fetch *f)
{
	const char *type = NULL;
	curl_off_t length = -1;
	long code = 0;

	f->begun = true;
	curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &code);
	curl_easy_getinfo(f->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	curl_easy_getinfo(f->easy, CURLINFO_CONTENT_TYPE, &type);
	snprintf(f->type, sizeof(f->type), "%s", type ? type : "");
	if (code != 200 && !(code == 206 && f->got > 0))
		return err_set(&f->error, -EPROTO, "fetch %s: the server answers with status %ld",
			       f->shown, code);

	if (!f->have_first) {
		f->have_first = true;
		f->first = f->now;
		f->total = length > 0 ? (uint64_t)length : 0;
		if (f->total > f->max)
			return err_set(&f->error, -EFBIG,
				       "%s is larger than it may be: %llu bytes, at most %llu",
				       f->shown, (unsigned long long)f->total,
				       (unsigned long long)f->max);
		return 0;
	}

	/* Taken up again: it must be the same file, and from where we are. */
	if (f->first.etag[0] && f->now.etag[0]) {
		if (!streq(f->first.etag, f->now.etag))
			return changed(f);
	} else if (f->first.modified[0] && f->now.modified[0] &&
		   !streq(f->first.modified, f->now.modified)) {
		return changed(f);
	}
	if (code == 206) {
		if (!f->now.ranged || f->now.from != f->got ||
		    (f->total && f->now.total && f->now.total != f->total))
			return changed(f);
		return 0;
	}
	/* The whole of it again: a server without ranges. The digest will tell if it differs. */
	if (f->total && length > 0 && (uint64_t)length != f->total)
		return changed(f);
	f->skip = f->got;
	return 0;
}

static size_t on_data(char *data, size_t size, size_t n, void *user)
{
	struct fetch *f = user;
	size_t all = n * size, use;

	if (!f->begun) {
		f->refused = begin(f);
		if (f->refused < 0)
			return 0;
	}
	if (f->handed || f->n + all > WINDOW) {
		f->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	use = all - (size_t)MIN_OF((uint64_t)all, f->skip);
	f->skip -= all - use;
	if (use == 0)
		return all;
	if (use > f->max - f->got) {
		f->refused =
			err_set(&f->error, -EFBIG, "%s is larger than it may be: over %llu bytes",
				f->shown, (unsigned long long)f->max);
		return 0;
	}
	memcpy(f->window + f->n, data + (all - use), use);
	sha256_add(f->hash, data + (all - use), use);
	f->n += use;
	f->got += use;
	return all;
}

static void set_headers(struct fetch *f)
{
	_cleanup_(freep) char *range = NULL, *line = NULL;

	curl_slist_free_all(f->headers);
	f->headers = NULL;
	curl_easy_setopt(f->easy, CURLOPT_RANGE, NULL);
	if (f->got > 0) {
		range = xasprintf("%llu-", (unsigned long long)f->got);
		curl_easy_setopt(f->easy, CURLOPT_RANGE, range);
		/* A weak validator must not stand in If-Range (RFC 9110, 13.1.5). */
		if (f->first.etag[0] == '"')
			line = xasprintf("If-Range: %s", f->first.etag);
		else if (f->first.modified[0])
			line = xasprintf("If-Range: %s", f->first.modified);
		if (line)
			f->headers = curl_slist_append(NULL, line);
	}
	curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, f->headers);
}

static void start(struct fetch *f)
{
	set_headers(f);
	memset(&f->now, 0, sizeof(f->now));
	f->begun = false;
	f->paused = false;
	f->skip = 0;
	f->curl_error[0] = '\0';
	f->got_before = f->got;
	f->attempts++;
	curl_multi_add_handle(f->multi, f->easy);
	f->running = true;
}

static bool may_retry(CURLcode code, long status)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_PARTIAL_FILE:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
	case CURLE_HTTP3:
		return true;
	case CURLE_HTTP_RETURNED_ERROR:
		return status == 408 || status == 425 || status == 429 || status == 500 ||
		       status == 502 || status == 503 || status == 504;
	default:
		return false;
	}
}

/* Twice as long each time, less up to a half by chance, so that many hosts don't come at once. */
static void back_off(struct fetch *f)
{
	uint64_t ms = f->backoff_ms, n = 0;
	curl_off_t after = 0;
	struct timespec t;

	for (unsigned i = 1; i < f->fruitless && ms < BACKOFF_MAX; i++)
		ms *= 2;
	if (getrandom(&n, sizeof(n), GRND_NONBLOCK) == (ssize_t)sizeof(n))
		ms -= n % (ms / 2 + 1);
	curl_easy_getinfo(f->easy, CURLINFO_RETRY_AFTER, &after);
	if (after > 0 && (uint64_t)after * 1000 > ms)
		ms = (uint64_t)after * 1000;
	ms = MIN_OF(ms, (uint64_t)BACKOFF_MAX);
	t = (struct timespec){.tv_sec = (time_t)(ms / 1000),
			      .tv_nsec = (long)(ms % 1000) * 1000000};
	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

static int give_up(struct fetch *f, CURLcode code, long status, struct err *e)
{
	const char *why = f->curl_error[0] ? f->curl_error : curl_easy_strerror(code);
	int r = -EIO;

	f->failed = true;
	if (f->refused < 0) {
		err_move(e, &f->error);
		return f->refused;
	}
	if (code == CURLE_HTTP_RETURNED_ERROR) {
		if (status == 404 || status == 410) {
			err_help(e, "nothing is at this url; see whether it was moved or renamed");
			return err_set(e, -ENOENT, "fetch %s: not found (status %ld)", f->shown,
				       status);
		}
		if (status == 416) { /* shorter than what we have of it */
			return changed_file(f, e);
		}
		r = status == 401 || status == 403 || status == 407 ? -EACCES : -EIO;
		err_set(e, r, "fetch %s: the server answers with status %ld", f->shown, status);
	} else if (code == CURLE_TOO_MANY_REDIRECTS) {
		r = err_set(e, -ELOOP, "fetch %s: more than %ld redirects", f->shown, REDIRECTS);
	} else if (code == CURLE_PEER_FAILED_VERIFICATION) {
		r = err_set(e, -EACCES, "fetch %s: %s", f->shown, why);
		err_help(e, "the server's certificate isn't trusted; is this host's clock right?");
	} else if (f->total && f->got < f->total && f->got > 0) {
		err_set(e, r, "fetch %s: broken off after %llu of %llu bytes: %s", f->shown,
			(unsigned long long)f->got, (unsigned long long)f->total, why);
	} else {
		err_set(e, r, "fetch %s: %s", f->shown, why);
	}
	if (f->attempts > 1)
		err_help(
			e,
			"tried %u times; see whether this host reaches the server, then apply again",
			f->attempts);
	return r;
}

/* The transfer ended: well, or to be taken up again, or for good. */
static int finished(struct fetch *f, CURLcode code, struct err *e)
{
	long status = 0;

	curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_multi_remove_handle(f->multi, f->easy);
	f->running = false;

	if (code == CURLE_OK && !f->begun) { /* a body of no bytes deserves the same look */
		f->refused = begin(f);
		if (f->refused < 0)
			code = CURLE_WRITE_ERROR;
	}
	if (code == CURLE_OK && f->total && f->got < f->total)
		code = CURLE_PARTIAL_FILE;
	if (code == CURLE_OK) {
		f->ended = true;
		return 0;
	}

	f->fruitless = f->got > f->got_before ? 1 : f->fruitless + 1;
	if (f->refused < 0 || !may_retry(code, status) || f->fruitless >= FRUITLESS ||
	    f->attempts >= ATTEMPTS)
		return give_up(f, code, status, e);
	log_debug("fetch %s: %s after %llu bytes, taken up again", f->shown,
		  curl_easy_strerror(code), (unsigned long long)f->got);
	back_off(f);
	start(f);
	return 0;
}

static int step(struct fetch *f, struct err *e)
{
	CURLMsg *m;
	int n = 0;

	if (!f->running)
		start(f);
	if (f->paused) {
		CURLcode code;

		f->paused = false;
		code = curl_easy_pause(f->easy, CURLPAUSE_CONT); /* delivers what it held */
		if (code != CURLE_OK)
			return finished(f, code, e);
	}
	if (curl_multi_perform(f->multi, &n) != CURLM_OK)
		return err_set(e, -EIO, "fetch %s: libcurl's multi interface failed", f->shown);
	while ((m = curl_multi_info_read(f->multi, &n)))
		if (m->msg == CURLMSG_DONE)
			return finished(f, m->data.result, e);
	if (f->n == 0 && !f->paused)
		curl_multi_poll(f->multi, NULL, 0, 1000, NULL);
	return 0;
}

static int step_file(struct fetch *f, struct err *e)
{
	ssize_t r = read(f->fd, f->window, WINDOW);

	if (r < 0 && errno == EINTR)
		return 0;
	if (r < 0)
		return err_errno(e, -errno, "read %s", f->shown);
	f->n = (size_t)r;
	f->got += f->n;
	sha256_add(f->hash, f->window, f->n);
	f->ended = r == 0;
	if (f->got > f->max || (f->ended && f->got != f->total)) /* it grows, or shrank */
		return changed_file(f, e);
	return 0;
}

int fetch_read(struct fetch *f, const void **ret, size_t *ret_n, struct err *e)
{
	if (f->failed)
		return err_set(e, -EIO, "fetch %s: failed before", f->shown);
	if (f->handed)
		f->n = 0;
	f->handed = false;
	while (f->n == 0 && !f->ended) {
		int r = f->fd >= 0 ? step_file(f, e) : step(f, e);

		if (r < 0) {
			f->failed = true;
			return r;
		}
	}
	f->handed = true;
	*ret = f->window;
	*ret_n = f->n;
	return 0;
}

int fetch_digest(struct fetch *f, char ret[SHA256_TEXT], struct err *e)
{
	const void *data;
	size_t n = 0;

	do {
		int r = fetch_read(f, &data, &n, e);

		if (r < 0)
			return r;
	} while (n > 0);
	sha256_end(f->hash, ret);
	f->hash = NULL;
	return 0;
}

/* A folder, a pipe or a device is no image: say so, and never wait for one. */
static int open_file(struct fetch *f, CURLU *u, struct err *e)
{
	char *path = NULL;
	struct stat st;
	int r = 0;

	if (curl_url_get(u, CURLUPART_PATH, &path, CURLU_URLDECODE) != CURLUE_OK)
		return err_set(e, -EINVAL, "'%s' is no url", f->shown);
	f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (f->fd < 0 || fstat(f->fd, &st) < 0)
		r = err_errno(e, -errno, "open %s", path);
	else if (!S_ISREG(st.st_mode))
		r = err_set(e, -EINVAL, "%s is not a regular file", path);
	else
		f->total = (uint64_t)st.st_size;
	curl_free(path);
	if (r == 0 && f->total > f->max)
		r = err_set(e, -EFBIG, "%s is larger than it may be: %llu bytes, at most %llu",
			    f->shown, (unsigned long long)f->total, (unsigned long long)f->max);
	return r;
}

static int look_at_url(struct fetch *f, struct err *e)
{
	CURLU *u = curl_url();
	char *scheme = NULL, *shown = NULL;
	int r = 0;

	if (!u)
		abort();
	if (curl_url_set(u, CURLUPART_URL, f->url, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK) {
		f->shown = xstrdup("the url");
		r = err_set(e, -EINVAL, "it is no url: http, https and file are known");
	} else {
		bool secret = false;
		char *password = NULL;

		if (curl_url_get(u, CURLUPART_PASSWORD, &password, 0) == CURLUE_OK)
			secret = true;
		curl_free(password);
		if (secret)
			curl_url_set(u, CURLUPART_PASSWORD, "...", 0);
		if (secret && curl_url_get(u, CURLUPART_URL, &shown, 0) == CURLUE_OK)
			f->shown = xstrdup(shown);
		else
			f->shown = xstrdup(secret ? "the url" : f->url);
		if (streq(scheme, "file"))
			r = open_file(f, u, e);
		else if (!streq(scheme, "http") && !streq(scheme, "https"))
			r = err_set(e, -EINVAL, "'%s' is neither http, https nor file", f->shown);
	}
	curl_free(scheme);
	curl_free(shown);
	curl_url_cleanup(u);
	return r;
}

int fetch_open(const struct fetch_request *q, struct fetch **ret, struct err *e)
{
	_cleanup_fetch_ struct fetch *f = xcalloc(1, sizeof(*f));
	int r;

	curl_ready();
	f->fd = -1;
	f->url = xstrdup(q->url);
	f->max = q->max;
	f->backoff_ms = q->backoff_ms ? q->backoff_ms : BACKOFF_MS;
	r = look_at_url(f, e);
	if (r < 0)
		return r;

	f->hash = sha256_new();
	f->window = xcalloc(1, WINDOW);
	f->multi = curl_multi_init();
	f->easy = curl_easy_init();
	if (!f->multi || !f->easy)
		abort();
	curl_easy_setopt(f->easy, CURLOPT_URL, f->url);
	curl_easy_setopt(f->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(f->easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(f->easy, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(f->easy, CURLOPT_MAXREDIRS, REDIRECTS);
	curl_easy_setopt(f->easy, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(f->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(f->easy, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	curl_easy_setopt(f->easy, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES);
	curl_easy_setopt(f->easy, CURLOPT_LOW_SPEED_TIME, SLOW_S);
	curl_easy_setopt(f->easy, CURLOPT_BUFFERSIZE, CURL_BUFFER);
	curl_easy_setopt(f->easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(f->easy, CURLOPT_USERAGENT, "manor");
	curl_easy_setopt(f->easy, CURLOPT_ERRORBUFFER, f->curl_error);
	curl_easy_setopt(f->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(f->easy, CURLOPT_HEADERDATA, f);
	curl_easy_setopt(f->easy, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(f->easy, CURLOPT_WRITEDATA, f);
	*ret = f;
	f = NULL;
	return 0;
}

uint64_t fetch_done(const struct fetch *f)
{
	return f->got;
}

uint64_t fetch_total(const struct fetch *f)
{
	return f->total;
}

const char *fetch_type(const struct fetch *f)
{
	return f->type;
}

const char *fetch_shown(const struct fetch *f)
{
	return f->shown;
}

void fetch_free(struct fetch *f)
{
	char digest[SHA256_TEXT];

	if (!f)
		return;
	if (f->running)
		curl_multi_remove_handle(f->multi, f->easy);
	if (f->easy)
		curl_easy_cleanup(f->easy);
	if (f->multi)
		curl_multi_cleanup(f->multi);
	curl_slist_free_all(f->headers);
	if (f->fd >= 0)
		close(f->fd);
	if (f->hash)
		sha256_end(f->hash, digest); /* the one way it ends */
	err_done(&f->error);
	free(f->window);
	free(f->url);
	free(f->shown);
	free(f);
}

void fetch_freep(struct fetch **f)
{
	fetch_free(*f);
}
