/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Fetching from servers as they are: busy, gone, slow, lying, breaking off, or somebody else. What is tried
 * again and when, and what is said in the end.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/fetch.h"
#include "tests/unit/httpsd.h"
#include "tests/unit/images.h"

static unsigned waits[64], n_waits;

static void note_wait(struct fetch *f, unsigned ms)
{
	if (n_waits < ARRAY_SIZE(waits))
		waits[n_waits++] = ms;
}

/* All of it, compared with the disk; the error's code, or 0. */
static int fetch_all(const struct fetch_request *q, struct err *e)
{
	_cleanup_fetch_ struct fetch *f = NULL;
	static char is[DISK];
	size_t n, at = 0;
	uint64_t hole;
	int r = fetch_open(q, &f, e);

	n_waits = 0;
	while (r == 0) {
		char buf[10000];

		r = fetch_read(f, buf, sizeof(buf), &n, &hole, e);
		if (r < 0 || (n == 0 && hole == 0))
			break;
		assert_true(n + hole <= DISK - at);
		memcpy(is + at, buf, n);
		memset(is + at + n, 0, hole);
		at += n + hole;
	}
	if (r < 0)
		return r;
	assert_int_equal(at, DISK);
	assert_memory_equal(is, disk, DISK);
	assert_int_equal(fetch_done(f), DISK);
	return 0;
}

static struct fetch_request of(struct httpd_file *f)
{
	f->data = disk;
	f->n = DISK;
	httpd_serve(f);
	return (struct fetch_request){.url = url, .max = DISK, .backoff_ms = 1000};
}

static void waits_double_and_scatter(void **state)
{
	static const struct {
		unsigned n;
		uint64_t chance, asked_s;
		unsigned is;
	} cases[] = {
		{1, 0, 0, 1000},    {2, 0, 0, 2000},     {3, 0, 0, 4000},   {6, 0, 0, 30000},
		{60, 0, 0, 30000},  {1, 500, 0, 500},    {1, 501, 0, 1000}, {3, 2000, 0, 2000},
		{1, 0, 7, 7000},    {1, 500, 7, 7000},   {3, 0, 1, 4000},   {1, 0, 3600, 30000},
		{1, 0, UINT64_MAX, 30000},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(fetch_backoff(1000, cases[i].n, cases[i].chance, cases[i].asked_s),
				 cases[i].is);
}

static void what_is_tried_again_and_when(void **state)
{
	static const struct {
		const char *story;
		struct httpd_file f;
		int code;
		unsigned requests, n_waits;
		unsigned least, most; /* of the last wait, in ms */
	} cases[] = {
		{"all is well", {0}, 0, 1, 0, 0, 0},
		{"not there: nothing is tried again", {.status = 404, .status_times = 99}, -ENOENT, 1,
		 0, 0, 0},
		{"gone", {.status = 410, .status_times = 99}, -ENOENT, 1, 0, 0, 0},
		{"not allowed", {.status = 403, .status_times = 99}, -EACCES, 1, 0, 0, 0},
		{"not understood", {.status = 400, .status_times = 99}, -EIO, 1, 0, 0, 0},
		{"a range that nobody asked for can't be had", {.status = 416, .status_times = 99},
		 -EIO, 1, 0, 0, 0},
		{"busy twice", {.status = 503, .status_times = 2}, 0, 3, 2, 1000, 2000},
		{"too many requests: as long as it asks for",
		 {.status = 429, .status_times = 1, .retry_after = 9}, 0, 2, 1, 9000, 9000},
		{"it was too slow for the server", {.status = 408, .status_times = 1}, 0, 2, 1, 500,
		 1000},
		{"never well", {.status = 500, .status_times = 99}, -EIO, 5, 4, 4000, 8000},
		{"broken off once", {.drop = MIB, .drop_times = 1, .ranges = true}, 0, 2, 1, 500, 1000},
		{"reset once", {.drop = MIB, .drop_times = 1, .ranges = true, .reset = true}, 0, 2, 1,
		 500, 1000},
		{"nothing at all, and closed", {.says = ""}, -EIO, 5, 4, 4000, 8000},
		{"no web server", {.says = "220 ftp.example.org ready\r\n"}, -EIO, 1, 0, 0, 0},
		{"reset again and again, right away", {.drop = 100, .ranges = true, .reset = true},
		 -EIO, 5, 4, 4000, 8000},
	};

	fetch_wait = note_wait;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct httpd_file f = cases[i].f;
		struct fetch_request q = of(&f);
		_cleanup_err_ struct err e = {0};

		print_message("  %s\n", cases[i].story);
		assert_int_equal(fetch_all(&q, &e), cases[i].code);
		if (e.message)
			print_message("    %s\n", e.message);
		assert_int_equal(f.requests, cases[i].requests);
		assert_int_equal(n_waits, cases[i].n_waits);
		if (n_waits)
			assert_true(waits[n_waits - 1] >= cases[i].least &&
				    waits[n_waits - 1] <= cases[i].most);
	}
}

static void what_goes_wrong_is_one_clear_error(void **state)
{
	const struct {
		const char *story;
		struct httpd_file f;
		struct fetch_request q;
		int code;
		const char *says;
	} cases[] = {
		{"a redirect to itself", {.location = "/redirect"}, {.url = "/redirect"}, -ELOOP,
		 "more than 8 redirects"},
		{"a redirect to elsewhere", {.location = "gopher://127.0.0.1/"}, {.url = "/redirect"},
		 -EIO, "gopher"},
		{"a drip, for longer than it may take", {.drip_ms = 50}, {.time_limit_s = 1},
		 -ETIMEDOUT, "not done within 1s"},
		{"a drip", {.drip_ms = 50, .ranges = true}, {.slow_s = 1}, -EIO,
		 "broken off after"},
		{"cut shorter meanwhile", {.drop = MIB, .drop_times = 1, .then_status = 416}, {0},
		 -ESTALE, "changed while it was fetched"},
		{"more than it may be", {0}, {.max = DISK - 1}, -EFBIG, "larger than it may be"},
		{"more than it may be, and it doesn't say so", {.no_length = true}, {.max = DISK - 1},
		 -EFBIG, "larger than it may be"},
	};

	fetch_wait = note_wait;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct httpd_file f = cases[i].f;
		struct fetch_request q = of(&f);
		_cleanup_(freep) char *other = NULL;
		_cleanup_err_ struct err e = {0};

		print_message("  %s\n", cases[i].story);
		if (cases[i].q.url && cases[i].q.url[0] == '/')
			q.url = other = xasprintf("%.*s%s", (int)(strrchr(url, '/') - url), url,
						  cases[i].q.url);
		else if (cases[i].q.url)
			q.url = cases[i].q.url;
		if (cases[i].q.max)
			q.max = cases[i].q.max;
		q.ca = cases[i].q.ca;
		q.slow_s = cases[i].q.slow_s;
		q.time_limit_s = cases[i].q.time_limit_s;
		assert_int_equal(fetch_all(&q, &e), cases[i].code);
		print_message("    %s (%s)\n", e.message, e.help ? e.help : "");
		assert_non_null(strstr(e.message, cases[i].says));
	}
}

/* What is taken up again must be the same file, from where we are: what that is known by. */
static void a_file_that_changes_is_never_put_together_from_two(void **state)
{
#define BROKEN .drop = MIB, .drop_times = 1, .ranges = true
#define MONDAY "Mon, 05 Jan 2026 08:00:00 GMT"
	static const struct {
		const char *story;
		struct httpd_file f;
		int code;
		const char *if_range; /* as it was asked for the rest */
	} cases[] = {
		{"the same ETag", {BROKEN, .etag = "\"1\""}, 0, "\"1\""},
		{"another ETag, so all of it comes anew",
		 {BROKEN, .etag = "\"1\"", .etag_then = "\"2\""}, -ESTALE, "\"1\""},
		{"another ETag, and a server that knows no If-Range",
		 {BROKEN, .etag = "\"1\"", .etag_then = "\"2\"", .no_if_range = true}, -ESTALE,
		 "\"1\""},
		{"another weak ETag", {BROKEN, .etag = "W/\"1\"", .etag_then = "W/\"2\""}, -ESTALE, ""},
		{"the same day", {BROKEN, .modified = MONDAY}, 0, MONDAY},
		{"another day",
		 {BROKEN, .modified = MONDAY, .modified_then = "Tue, 06 Jan 2026 08:00:00 GMT"}, -ESTALE,
		 MONDAY},
		{"another day, and a server that knows no If-Range",
		 {BROKEN, .modified = MONDAY, .modified_then = "Tue, 06 Jan 2026 08:00:00 GMT",
		  .no_if_range = true},
		 -ESTALE, MONDAY},
		{"the rest, from another place", {BROKEN, .shift = 1}, -ESTALE, ""},
		{"the rest, of something longer", {BROKEN, .more = 1}, -ESTALE, ""},
	};

	fetch_wait = note_wait;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct httpd_file f = cases[i].f;
		struct fetch_request q = of(&f);
		_cleanup_err_ struct err e = {0};

		print_message("  %s\n", cases[i].story);
		assert_int_equal(fetch_all(&q, &e), cases[i].code);
		assert_int_equal(f.requests, 2);
		assert_int_equal(f.ranged, 1);
		assert_string_equal(f.if_range, cases[i].if_range);
		if (e.message)
			assert_non_null(strstr(e.message, "changed while it was fetched"));
	}
}

static void a_server_must_be_who_it_says(void **state)
{
	_cleanup_(freep) char *pem = xasprintf("%s/ca.pem", dir);
	_cleanup_(freep) char *other_pem = xasprintf("%s/other.pem", dir);
	static struct httpsd right, wrong;
	char secure[64], mistaken[64];
	struct httpd_file f = {0};
	struct fetch_request q = of(&f);
	_cleanup_err_ struct err e = {0};

	httpsd_start(&right, "127.0.0.1", NULL, pem);
	httpsd_start(&wrong, NULL, "images.example.org", other_pem);
	snprintf(secure, sizeof(secure), "https://127.0.0.1:%d/disk.img", right.port);
	snprintf(mistaken, sizeof(mistaken), "https://127.0.0.1:%d/disk.img", wrong.port);
	q.url = secure;
	q.ca = pem;
	assert_int_equal(fetch_all(&q, NULL), 0);

	q.ca = NULL; /* nobody vouches for it */
	assert_int_equal(fetch_all(&q, &e), -EACCES);
	print_message("    %s (%s)\n", e.message, e.help);
	assert_non_null(strstr(e.help, "`ca`"));
	err_done(&e);

	q.ca = "/nonexistent/ca.pem";
	assert_int_equal(fetch_all(&q, &e), -ENOKEY);
	print_message("    %s\n", e.message);
	assert_non_null(strstr(e.message, "/nonexistent/ca.pem"));
	err_done(&e);

	q.url = mistaken;
	q.ca = other_pem;
	assert_int_equal(fetch_all(&q, &e), -EACCES);
	print_message("    %s\n", e.message);
	assert_non_null(strstr(e.message, "127.0.0.1"));
	assert_int_equal(n_waits, 0); /* trying again would help nobody */
}

static void proxies_are_those_of_the_environment(void **state)
{
	char proxy[64];
	_cleanup_err_ struct err e = {0};
	struct httpd_file f = {0};
	struct fetch_request q = of(&f);

	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", httpd_start());
	setenv("http_proxy", proxy, 1);
	q.url = "http://images.invalid/disk.img";
	assert_int_equal(fetch_all(&q, NULL), 0);
	unsetenv("http_proxy");
	assert_string_equal(f.asked_host, "images.invalid");

	/* Nobody is at this one; where none is to be asked it doesn't matter. */
	setenv("http_proxy", "http://127.0.0.1:9", 1);
	q.url = url;
	assert_int_equal(fetch_all(&q, NULL), 0);
	unsetenv("no_proxy");
	assert_int_equal(fetch_all(&q, &e), -EIO);
	print_message("    %s\n", e.message);
	setenv("no_proxy", "127.0.0.1", 1);
	unsetenv("http_proxy");

	/* TLS goes through one, which sees the name and no more. */
	f.asked_host[0] = '\0';
	f.status = 403;
	f.status_times = 99;
	setenv("https_proxy", proxy, 1);
	q.url = "https://images.invalid/disk.img";
	err_done(&e);
	assert_int_equal(fetch_all(&q, &e), -EIO);
	print_message("    %s\n", e.message);
	unsetenv("https_proxy");
	assert_string_equal(f.asked_host, "images.invalid");
}

static void one_that_waits_can_be_stopped(void **state)
{
	struct httpd_file f = {.drip_ms = 1000};
	struct fetch_request q = of(&f);
	_cleanup_fetch_ struct fetch *fetch = NULL;
	_cleanup_err_ struct err e = {0};
	uint64_t hole;
	char buf[16];
	size_t n;

	assert_int_equal(fetch_open(&q, &fetch, NULL), 0);
	fetch_stop(fetch);
	assert_int_equal(fetch_read(fetch, buf, sizeof(buf), &n, &hole, &e), -ECANCELED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_double_and_scatter),
		cmocka_unit_test(what_is_tried_again_and_when),
		cmocka_unit_test(what_goes_wrong_is_one_clear_error),
		cmocka_unit_test(a_file_that_changes_is_never_put_together_from_two),
		cmocka_unit_test(a_server_must_be_who_it_says),
		cmocka_unit_test(proxies_are_those_of_the_environment),
		cmocka_unit_test(one_that_waits_can_be_stopped),
	};

	return cmocka_run_group_tests(tests, images_begin, images_end);
}
