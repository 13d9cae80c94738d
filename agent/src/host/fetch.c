/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Fetching by libcurl's multi interface, pulled by the reader: curl runs only inside fetch_read(),
 * and its write callback pauses the transfer when the window is full.
 */
#include "host/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "base/num.h"

#define WINDOW      (1u << 20) /* bytes held for the reader at the most, and one write of curl's */
#define CURL_BUFFER (256L << 10)
#define REDIRECTS   8L
#define CONNECT_S   30L
#define SLOW_BYTES  1024L  /* slower than this a second … */
#define SLOW_S      60u    /* … for so long is a broken connection */
#define POLL_MS     200    /* how late being stopped is noticed */
#define ZEROS       65536u /* hashed at once, of a hole */
#define FRUITLESS   5      /* attempts in a row that brought next to nothing: less than … */
#define FRUIT       (64u << 10)
#define ATTEMPTS    50 /* in all: a line that breaks more often won't end */
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
	char **urls; /* the url, and its mirrors */
	size_t n_urls, source;
	char *shown; /* the one at hand */
	char *ca;
	bool may_tftp, tftp; /* the one at hand is */
	uint64_t max;
	unsigned backoff_ms, time_limit_s;
	uint64_t deadline; /* of the monotonic clock, in ms; 0: none */
	int fd;            /* of a file: url; curl would read it all in one go, whatever the window */
	uint64_t data_end; /* of such a file: up to where it has no hole */

	char *window;
	size_t at, n; /* what the reader hasn't had of it */
	bool running, paused, ended, failed;
	atomic_bool stop;

	struct response now, first;
	bool have_first; /* a first response's body has begun */
	bool known;      /* `first` is of the source at hand */
	bool begun;      /* this response's body has begun */
	uint64_t skip;   /* bytes of this response that we have already */
	uint64_t got, total;
	uint64_t got_before; /* at the start of this attempt */
	unsigned attempts, fruitless;
	char type[128];
	char curl_error[CURL_ERROR_SIZE];
	struct hash *hash;

	int refused;      /* a callback's verdict, beyond any retry */
	struct err error; /* with its words */
	int failed_first; /* what was wrong with the first source, when others are tried */
	struct err first_error;
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

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
	if (code != (f->tftp ? 0 : 200) && !(code == 206 && f->got > 0))
		return err_set(&f->error, -EPROTO, "fetch %s: the server answers with status %ld",
			       f->shown, code);

	if (!f->have_first) {
		f->have_first = f->known = true;
		f->first = f->now;
		f->total = length > 0 ? (uint64_t)length : 0;
		if (f->total > f->max)
			return err_set(&f->error, -EFBIG,
				       "%s is larger than it may be: %llu bytes, at most %llu",
				       f->shown, (unsigned long long)f->total,
				       (unsigned long long)f->max);
		return 0;
	}

	/* Taken up again: it must be the same file, and from where we are. Two servers have validators of
	 * their own; the digest will tell. */
	if (!f->known) {
		f->known = true;
		f->first = f->now;
	} else if (f->first.etag[0] && f->now.etag[0]) {
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
	if (f->n + all > WINDOW) {
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
	hash_add(f->hash, data + (all - use), use);
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
	case CURLE_TFTP_UNKNOWNID:
		return true;
	case CURLE_HTTP_RETURNED_ERROR:
		return status == 408 || status == 425 || status == 429 || status == 500 ||
		       status == 502 || status == 503 || status == 504;
	default:
		return false;
	}
}

unsigned fetch_backoff(unsigned first_ms, unsigned n, uint64_t chance, uint64_t asked_s)
{
	uint64_t ms = first_ms;

	for (unsigned i = 1; i < n && ms < BACKOFF_MAX; i++)
		ms *= 2;
	ms = MIN_OF(ms, (uint64_t)BACKOFF_MAX);
	ms -= chance % (ms / 2 + 1);
	ms = MAX_OF(ms, MIN_OF(asked_s, (uint64_t)BACKOFF_MAX) * 1000);
	return (unsigned)MIN_OF(ms, (uint64_t)BACKOFF_MAX);
}

static bool late(const struct fetch *f)
{
	return f->deadline && now_ms() >= f->deadline;
}

static void wait_really(struct fetch *f, unsigned ms)
{
	uint64_t until = now_ms() + ms, t;

	while ((t = now_ms()) < until && !f->stop && !late(f))
		usleep((useconds_t)MIN_OF(until - t, (uint64_t)POLL_MS) * 1000);
}

void (*fetch_wait)(struct fetch *f, unsigned ms) = wait_really;

static void back_off(struct fetch *f)
{
	curl_off_t after = 0;
	uint64_t chance = 0;

	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) != (ssize_t)sizeof(chance))
		chance = 0;
	curl_easy_getinfo(f->easy, CURLINFO_RETRY_AFTER, &after);
	fetch_wait(f, fetch_backoff(f->backoff_ms, f->fruitless, chance,
				    after > 0 ? (uint64_t)after : 0));
}

/* What is wrong with the source at hand. */
static int explain(struct fetch *f, CURLcode code, long status, struct err *e)
{
	const char *why = f->curl_error[0] ? f->curl_error : curl_easy_strerror(code);
	int r = -EIO;

	if (f->refused < 0) {
		err_move(e, &f->error);
		return f->refused;
	}
	if (code == CURLE_TFTP_NOTFOUND || status == 404 || status == 410) {
		err_help(e, "nothing is at this url; see whether it was moved or renamed");
		return status ? err_set(e, -ENOENT, "fetch %s: not found (status %ld)", f->shown,
					status)
			      : err_set(e, -ENOENT, "fetch %s: not found", f->shown);
	}
	if (code == CURLE_HTTP_RETURNED_ERROR) {
		if (status == 416 && f->got > 0) { /* shorter than what we have of it */
			return changed_file(f, e);
		}
		r = status == 401 || status == 403 || status == 407 ? -EACCES : -EIO;
		err_set(e, r, "fetch %s: the server answers with status %ld", f->shown, status);
	} else if (code == CURLE_TOO_MANY_REDIRECTS) {
		r = err_set(e, -ELOOP, "fetch %s: more than %ld redirects", f->shown, REDIRECTS);
	} else if (code == CURLE_PEER_FAILED_VERIFICATION) {
		r = err_set(e, -EACCES, "fetch %s: %s", f->shown, why);
		err_help(e,
			 "the server's certificate isn't trusted: is this host's clock right? `ca` "
			 "of the file names others to trust");
	} else if (code == CURLE_SSL_CACERT_BADFILE) {
		r = err_set(e, -ENOKEY, "fetch %s: no certificates can be read from %s", f->shown,
			    f->ca ? f->ca : "the system's file of them");
	} else if (f->total && f->got < f->total && f->got > 0) {
		err_set(e, r, "fetch %s: broken off after %llu of %llu bytes: %s", f->shown,
			(unsigned long long)f->got, (unsigned long long)f->total, why);
	} else {
		err_set(e, r, "fetch %s: %s", f->shown, why);
	}
	if (code == CURLE_COULDNT_RESOLVE_HOST)
		err_help(e, "is the name right, and does this host know a name server "
			    "(/etc/resolv.conf)?");
	else if (f->attempts > 1)
		err_help(
			e,
			"tried %u times; see whether this host reaches the server, then apply again",
			f->attempts);
	return r;
}

static int too_late(struct fetch *f, struct err *e)
{
	char age[NUM_TEXT];

	err_help(e, "`time_limit` of the file is the limit");
	return err_set(e, -ETIMEDOUT, "fetch %s: not done within %s (%llu bytes so far)", f->shown,
		       num_age(age, f->time_limit_s), (unsigned long long)f->got);
}

static int turn_to(struct fetch *f, size_t source, struct err *e);

/* The source at hand won't do: 0 when another is tried now, else the error for good. The first one's is
 * what is told; what became of its mirrors stands beside it. */
static int give_up(struct fetch *f, int r, struct err *e)
{
	_cleanup_err_ struct err own = {0};

	if (r == -ESTALE || r == -ETIMEDOUT || r == -EFBIG)
		return r;
	while (f->source + 1 < f->n_urls) {
		log_debug("%s; its mirror %zu is next", e && e->message ? e->message : "it failed",
			  f->source + 1);
		if (f->failed_first == 0) {
			f->failed_first = r;
			err_move(&f->first_error, e ? e : &own);
		}
		r = turn_to(f, f->source + 1, e);
		if (r == 0)
			return 0;
	}
	if (f->failed_first < 0) {
		if (e && e->message)
			err_help(&f->first_error, "no mirror helped; of the last: %s", e->message);
		err_move(e, &f->first_error);
		return f->failed_first;
	}
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

	f->fruitless = f->got - f->got_before >= FRUIT ? 1 : f->fruitless + 1;
	if (f->refused < 0 || !may_retry(code, status) || f->fruitless >= FRUITLESS ||
	    f->attempts >= ATTEMPTS)
		return give_up(f, explain(f, code, status, e), e);
	log_debug("fetch %s: %s after %llu bytes, taken up again", f->shown,
		  curl_easy_strerror(code), (unsigned long long)f->got);
	back_off(f);
	return 0;
}

static int step(struct fetch *f, struct err *e)
{
	CURLMsg *m;
	int n = 0;

	if (late(f))
		return too_late(f, e);
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
		curl_multi_poll(f->multi, NULL, 0, POLL_MS, NULL);
	return 0;
}

static void hash_zeros(struct hash *h, uint64_t n)
{
	static const char zeros[ZEROS];

	for (; n > 0; n -= MIN_OF(n, (uint64_t)ZEROS))
		hash_add(h, zeros, (size_t)MIN_OF(n, (uint64_t)ZEROS));
}

/* The next of a file, straight into the reader's buffer. Its holes aren't read. */
static int read_file(struct fetch *f, char *buf, size_t size, size_t *ret_n, uint64_t *ret_hole,
		     struct err *e)
{
	ssize_t r;

	if (f->got == f->data_end && f->got < f->total) {
		off_t data = lseek(f->fd, (off_t)f->got, SEEK_DATA), hole;
		uint64_t to = data < 0 && errno == ENXIO ? f->total : (uint64_t)data;

		if (data < 0 && errno != ENXIO) { /* a file system that knows none */
			to = f->got;
			f->data_end = f->total;
		} else {
			to = MIN_OF(to, f->total);
			hole = to < f->total ? lseek(f->fd, (off_t)to, SEEK_HOLE) : -1;
			f->data_end = hole > 0 ? MIN_OF((uint64_t)hole, f->total) : f->total;
		}
		hash_zeros(f->hash, to - f->got);
		*ret_hole = to - f->got;
		f->got = to;
		if (*ret_hole)
			return 0;
	}
	size = (size_t)MIN_OF((uint64_t)size, MAX_OF(f->data_end - f->got, UINT64_C(1)));
	do
		r = pread(f->fd, buf, size, (off_t)f->got);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_errno(e, -errno, "read %s", f->shown);
	f->got += (uint64_t)r;
	hash_add(f->hash, buf, (size_t)r);
	f->ended = r == 0;
	*ret_n = (size_t)r;
	if (f->got > f->total || (f->ended && f->got != f->total)) /* it grows, or shrank */
		return changed_file(f, e);
	return 0;
}

int fetch_read(struct fetch *f, char *buf, size_t size, size_t *ret_n, uint64_t *ret_hole,
	       struct err *e)
{
	size_t n = 0;
	int r = 0;

	*ret_hole = 0;
	*ret_n = 0;
	if (f->failed)
		return err_set(e, -EIO, "fetch %s: failed before", f->shown);
	while (r == 0 && f->n == 0 && !f->ended) {
		if (f->stop)
			r = err_set(e, -ECANCELED, "fetch %s: stopped", f->shown);
		else if (f->fd < 0)
			r = step(f, e);
		else if ((r = read_file(f, buf, size, ret_n, ret_hole, e)) < 0)
			r = give_up(f, r, e);
		else
			return 0;
	}
	if (r < 0) {
		f->failed = true;
		return r;
	}
	n = MIN_OF(size, f->n - f->at);
	memcpy(buf, f->window + f->at, n);
	f->at += n;
	if (f->at == f->n)
		f->at = f->n = 0;
	*ret_n = n;
	return 0;
}

void fetch_digest(struct fetch *f, char ret[HASH_TEXT])
{
	hash_end(f->hash, ret);
	f->hash = NULL;
}

void fetch_stop(struct fetch *f)
{
	f->stop = true;
}

/* A folder, a pipe or a device is no image: say so, and never wait for one. */
static int open_file(struct fetch *f, CURLU *u, struct err *e)
{
	_cleanup_(closep) int fd = -1;
	char *path = NULL;
	uint64_t total = 0;
	struct stat st;
	int r = 0;

	if (curl_url_get(u, CURLUPART_PATH, &path, CURLU_URLDECODE) != CURLUE_OK)
		return err_set(e, -EINVAL, "'%s' is no url", f->shown);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		r = err_errno(e, -errno, "open %s", path);
	else if (!S_ISREG(st.st_mode))
		r = err_set(e, -EINVAL, "%s is not a regular file", path);
	else
		total = (uint64_t)st.st_size;
	curl_free(path);
	if (r < 0)
		return r;
	if (total > f->max)
		return err_set(e, -EFBIG, "%s is larger than it may be: %llu bytes, at most %llu",
			       f->shown, (unsigned long long)total, (unsigned long long)f->max);
	if (f->have_first && (total < f->got || (f->total && total != f->total)))
		return changed_file(f, e);
	f->total = total;
	f->have_first = true;
	f->data_end = f->got;
	f->fd = fd;
	fd = -1;
	return 0;
}

static int look_at_url(struct fetch *f, const char *url, struct err *e)
{
	CURLU *u = curl_url();
	char *scheme = NULL, *shown = NULL;
	int r = 0;

	if (!u)
		abort();
	free(f->shown);
	if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK) {
		f->shown = xstrdup("the url");
		r = err_set(e, -EINVAL, "it is no url: http, https%s and file are known",
			    f->may_tftp ? ", tftp" : "");
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
			f->shown = xstrdup(secret ? "the url" : url);
		f->tftp = f->may_tftp && streq(scheme, "tftp");
		if (streq(scheme, "file"))
			r = open_file(f, u, e);
		else if (f->tftp)
			r = 0;
		else if (!streq(scheme, "http") && !streq(scheme, "https"))
			r = err_set(e, -EINVAL, "'%s' is neither http, https nor file", f->shown);
	}
	curl_free(scheme);
	curl_free(shown);
	curl_url_cleanup(u);
	return r;
}

/* Goes on with that one, from where we are. */
static int turn_to(struct fetch *f, size_t source, struct err *e)
{
	int r;

	if (f->running)
		curl_multi_remove_handle(f->multi, f->easy);
	f->running = false;
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	f->source = source;
	f->known = false;
	memset(&f->first, 0, sizeof(f->first));
	f->attempts = f->fruitless = 0;
	f->refused = 0;
	r = look_at_url(f, f->urls[source], e);
	if (r == 0)
		curl_easy_setopt(f->easy, CURLOPT_URL, f->urls[source]);
	return r;
}

int fetch_open(const struct fetch_request *q, struct fetch **ret, struct err *e)
{
	_cleanup_fetch_ struct fetch *f = xcalloc(1, sizeof(*f));
	int r;

	curl_ready();
	f->fd = -1;
	f->n_urls = 1 + q->n_mirrors;
	f->urls = xcalloc(f->n_urls, sizeof(*f->urls));
	f->urls[0] = xstrdup(q->url);
	for (size_t i = 0; i < q->n_mirrors; i++)
		f->urls[i + 1] = xstrdup(q->mirrors[i]);
	f->max = q->max;
	f->backoff_ms = q->backoff_ms ? q->backoff_ms : BACKOFF_MS;
	f->time_limit_s = q->time_limit_s;
	f->deadline = q->time_limit_s ? now_ms() + q->time_limit_s * UINT64_C(1000) : 0;
	f->hash = hash_new(q->hash);
	f->window = xcalloc(1, WINDOW);
	f->multi = curl_multi_init();
	f->easy = curl_easy_init();
	if (!f->multi || !f->easy)
		abort();
	f->may_tftp = q->tftp;
	curl_easy_setopt(f->easy, CURLOPT_PROTOCOLS_STR,
			 q->tftp ? "http,https,tftp" : "http,https");
	curl_easy_setopt(f->easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(f->easy, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(f->easy, CURLOPT_MAXREDIRS, REDIRECTS);
	curl_easy_setopt(f->easy, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(f->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(f->easy, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	curl_easy_setopt(f->easy, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES);
	curl_easy_setopt(f->easy, CURLOPT_LOW_SPEED_TIME, (long)(q->slow_s ? q->slow_s : SLOW_S));
	if (q->ca) {
		f->ca = xstrdup(q->ca);
		curl_easy_setopt(f->easy, CURLOPT_CAINFO, f->ca);
	}
	curl_easy_setopt(f->easy, CURLOPT_BUFFERSIZE, CURL_BUFFER);
	curl_easy_setopt(f->easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(f->easy, CURLOPT_USERAGENT, "manor");
	curl_easy_setopt(f->easy, CURLOPT_ERRORBUFFER, f->curl_error);
	curl_easy_setopt(f->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(f->easy, CURLOPT_HEADERDATA, f);
	curl_easy_setopt(f->easy, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(f->easy, CURLOPT_WRITEDATA, f);
	r = turn_to(f, MIN_OF(q->first, f->n_urls - 1), e);
	if (r < 0)
		r = give_up(f, r, e);
	if (r < 0)
		return r;
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

size_t fetch_source(const struct fetch *f)
{
	return f->source;
}

void fetch_free(struct fetch *f)
{
	char digest[HASH_TEXT];

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
		hash_end(f->hash, digest); /* the one way it ends */
	err_done(&f->error);
	err_done(&f->first_error);
	free(f->window);
	for (size_t i = 0; i < f->n_urls; i++)
		free(f->urls[i]);
	free(f->urls);
	free(f->ca);
	free(f->shown);
	free(f);
}

void fetch_freep(struct fetch **f)
{
	fetch_free(*f);
}
