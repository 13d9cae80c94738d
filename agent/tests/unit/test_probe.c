/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Probes of readiness: a log that grows, ends in the middle of a line, is rotated; a port that answers or not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "host/probe.h"

static char dir[] = "/tmp/manor-probe-XXXXXX";
static char *path;

static void say(const char *text)
{
	FILE *f = fopen(path, "a");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void a_log_is_read_as_it_grows(void **state)
{
	struct probe_log l;

	assert_int_equal(probe_log_open(&l, path, "^(web|lists) login: $", 0, NULL), 0);
	assert_int_equal(probe_log_look(&l), -ENOENT);
	say("booting\r\nweb log");
	assert_int_equal(probe_log_look(&l), 0);
	say("in: ");
	assert_int_equal(probe_log_look(&l), 1); /* the line doesn't end */
	probe_log_close(&l);
	assert_int_equal(unlink(path), 0);
}

static void what_was_said_before_does_not_count(void **state)
{
	struct probe_log l;

	say("ready\n");
	assert_int_equal(probe_log_open(&l, path, "ready", 6, NULL), 0);
	assert_int_equal(probe_log_look(&l), 0);
	say("not yet\nrea\ndy\n");
	assert_int_equal(probe_log_look(&l), 0);
	say("already\n");
	assert_int_equal(probe_log_look(&l), 1);
	probe_log_close(&l);
	assert_int_equal(unlink(path), 0);
}

static void a_log_that_is_rotated_is_read_from_its_beginning(void **state)
{
	_cleanup_(freep) char *old = xasprintf("%s.1", path);
	struct probe_log l;

	say("a long line of an earlier start\n");
	assert_int_equal(probe_log_open(&l, path, "ready", 32, NULL), 0);
	assert_int_equal(probe_log_look(&l), 0);
	assert_int_equal(rename(path, old), 0);
	say("ready, though there is more of it than before: xxxxxxxxxxxxxxxxxxxx\n");
	assert_int_equal(probe_log_look(&l), 1);
	probe_log_close(&l);
	/* And so is one that was emptied. */
	assert_int_equal(probe_log_open(&l, path, "now", 68, NULL), 0);
	assert_int_equal(probe_log_look(&l), 0);
	assert_int_equal(truncate(path, 0), 0);
	say("now\n");
	assert_int_equal(probe_log_look(&l), 1);
	probe_log_close(&l);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(unlink(old), 0);
}

static void what_is_no_text_does_no_harm(void **state)
{
	_cleanup_(freep) char *big = xcalloc(100001, 1);
	struct probe_log l;

	memset(big, 'x', 100000);
	assert_int_equal(file_write(path, "a\0rea\0dy\xff\n", 10, 0600, NULL), 0);
	say(big);
	assert_int_equal(probe_log_open(&l, path, "aready", 0, NULL), 0);
	assert_int_equal(probe_log_look(&l), 1);
	probe_log_close(&l);
	assert_int_equal(probe_log_open(&l, path, "nowhere", 0, NULL), 0);
	assert_int_equal(probe_log_look(&l), 0);
	probe_log_close(&l);
	assert_int_equal(unlink(path), 0);
}

static void a_bad_pattern_is_said(void **state)
{
	_cleanup_err_ struct err e = {0};
	struct probe_log l;

	assert_int_equal(probe_log_open(&l, path, "(login", 0, &e), -EINVAL);
	assert_non_null(strstr(e.message, "no regular expression"));
}

static void answers(const char *address, struct sockaddr *a, socklen_t n, const uint16_t *port)
{
	int fd = socket(a->sa_family, SOCK_STREAM, 0);
	unsigned number;

	if (fd < 0 || bind(fd, a, n) < 0) {
		close(fd);
		return; /* this machine has no such addresses */
	}
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, a, &n), 0);
	number = ntohs(*port);
	assert_int_equal(probe_tcp(address, number, 1000), 0);
	close(fd);
	assert_int_equal(probe_tcp(address, number, 1000), -ECONNREFUSED);
}

static void a_port_answers_or_not(void **state)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};

	v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	answers("127.0.0.1", (struct sockaddr *)&v4, sizeof(v4), &v4.sin_port);
	answers("::1", (struct sockaddr *)&v6, sizeof(v6), &v6.sin6_port);
	assert_int_equal(probe_tcp("nowhere", 80, 10), -EINVAL);
}

static int set_up(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	path = xasprintf("%s/log", dir);
	return 0;
}

static int tear_down(void **state)
{
	free(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_log_is_read_as_it_grows),
		cmocka_unit_test(what_was_said_before_does_not_count),
		cmocka_unit_test(a_log_that_is_rotated_is_read_from_its_beginning),
		cmocka_unit_test(what_is_no_text_does_no_harm),
		cmocka_unit_test(a_bad_pattern_is_said),
		cmocka_unit_test(a_port_answers_or_not),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
