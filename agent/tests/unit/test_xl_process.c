/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Finding the processes that xl leaves behind, among others that look like them, and ending one: real ones, of a
 * shell that is called xl.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "host/xl_process.h"

static char dir[] = "/tmp/manor-xl-XXXXXX";
static int hold[2]; /* who reads of it lives until it is closed */

/* A shell under that name that waits; its output goes to that file. */
static pid_t start(const char *program, const char *verb, const char *log, const char *script)
{
	_cleanup_(freep) char *exe = xasprintf("%s/%s", dir, program);
	_cleanup_(freep) char *out = xasprintf("%s/%s", dir, log);
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		int fd = open(out, O_WRONLY | O_CREAT | O_APPEND, 0600);

		dup2(hold[0], 0);
		dup2(fd, 1);
		dup2(ready[1], 3);
		close(ready[0]);
		close(ready[1]);
		close(hold[1]);
		execl(exe, program, "-c", script, verb, "/etc/xen/web.cfg", (char *)NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0);
	close(ready[0]);
	return pid;
}

#define WAITS "exec 3>&-; read x" /* closing it says that it is there */

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static const struct xl_process *of(struct arena *a, pid_t pid)
{
	struct list all = {0};

	assert_int_equal(xl_processes(a, &all, NULL), 0);
	for (size_t i = 0; i < all.n; i++)
		if (((struct xl_process *)all.items[i])->pid == pid)
			return all.items[i];
	return NULL;
}

static void its_log_tells_whose_it_is(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	pid_t plain = start("xl", "create", "xl-web.log", WAITS);
	pid_t rotated = start("xl", "restore", "xl-my.log.guest.log.1", WAITS);
	pid_t brief = start("xl", "cr", "xl-web-2.log", WAITS);

	assert_non_null(of(a, plain));
	assert_string_equal(of(a, plain)->domain, "web");
	assert_non_null(strstr(of(a, plain)->words, "create /etc/xen/web.cfg"));
	assert_string_equal(of(a, rotated)->domain, "my.log.guest");
	assert_string_equal(of(a, brief)->domain, "web-2");
	stop(plain);
	stop(rotated);
	stop(brief);
}

static void one_in_the_foreground_is_nobodys(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	pid_t pid = start("xl", "create", "terminal", WAITS);

	assert_non_null(of(a, pid));
	assert_null(of(a, pid)->domain);
	stop(pid);
}

static void others_are_none(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	pid_t list = start("xl", "list", "xl-web.log", WAITS);
	pid_t other = start("xlife", "create", "xl-web.log", WAITS);

	assert_null(of(a, list));
	assert_null(of(a, other));
	stop(list);
	stop(other);
}

static void it_is_ended_and_no_other(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	pid_t pid = start("xl", "create", "xl-web.log", WAITS);
	struct xl_process p = *of(a, pid), other = p;
	int status;

	/* The number is another's by now. */
	other.domain = "lists";
	assert_int_equal(xl_process_end(&other, NULL), 0);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);

	assert_int_equal(xl_process_end(&p, NULL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	/* It has gone. */
	assert_int_equal(xl_process_end(&p, NULL), 0);
}

static void one_that_does_not_end_is_said(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_err_ struct err e = {0};
	pid_t pid = start("xl", "create", "xl-web.log", "trap '' TERM; " WAITS);

	assert_int_equal(xl_process_end(of(a, pid), &e), -ETIMEDOUT);
	assert_non_null(strstr(e.message, "doesn't end"));
	stop(pid);
}

static int set_up(void **state)
{
	static const char *const names[] = {"xl", "xlife"};

	if (!mkdtemp(dir) || pipe(hold) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(freep) char *copy = xasprintf("cp /bin/sh %s/%s", dir, names[i]);

		if (system(copy) != 0)
			return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	_cleanup_(freep) char *command = xasprintf("rm -rf %s", dir);

	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_log_tells_whose_it_is),
		cmocka_unit_test(one_in_the_foreground_is_nobodys),
		cmocka_unit_test(others_are_none),
		cmocka_unit_test(it_is_ended_and_no_other),
		cmocka_unit_test(one_that_does_not_end_is_said),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
