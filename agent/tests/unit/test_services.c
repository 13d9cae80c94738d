/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The host's own services, in a folder of the test's, with a systemctl of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "host/services.h"

static char root[] = "/tmp/manor-services.XXXXXX";

static char *at(const char *path)
{
	return xasprintf("%s%s", root, path);
}

static void put(const char *path, const char *text, int mode)
{
	_cleanup_(freep) char *file = at(path), *dir = xstrdup(file);

	*strrchr(dir, '/') = '\0';
	assert_int_equal(file_mkdirs(dir, 0755, NULL), 0);
	assert_int_equal(file_write(file, text, strlen(text), mode, NULL), 0);
}

static char *get(const char *path)
{
	_cleanup_(freep) char *file = at(path);
	char *text = NULL;

	return file_read(file, 1 << 20, &text, NULL, NULL) < 0 ? NULL : text;
}

/* One that starts and stops as systemd would, or, with a file that says so, fails as it does. */
#define SYSTEMCTL                                                                                  \
	"#!/bin/sh\n"                                                                              \
	"cd %s || exit 1\n"                                                                        \
	"echo \"$2 $3\" >>calls\n"                                                                 \
	"[ ! -e broken ] || { echo \"Job for $3 failed.\" >&2; exit 1; }\n"                        \
	"at=sys/fs/cgroup/system.slice/$3; mkdir -p $at\n"                                         \
	"case $2 in\n"                                                                             \
	"restart) echo 77 >$at/cgroup.procs; echo 77 >run/manor/services/ssh/pid;;\n"              \
	"stop) rm -f $at/cgroup.procs;;\n"                                                         \
	"esac\n"

static int begin(void **state)
{
	_cleanup_(freep) char *script = NULL, *path = NULL;

	assert_non_null(mkdtemp(root));
	services_root = root;
	script = xasprintf(SYSTEMCTL, root);
	put("/bin/systemctl", script, 0755);
	path = xasprintf("%s/bin:%s", root, getenv("PATH"));
	setenv("PATH", path, 1);
	return 0;
}

static int end(void **state)
{
	_cleanup_(freep) char *command = xasprintf("rm -rf %s", root);

	return system(command);
}

static const struct service *seen(struct arena *a, const char *name)
{
	struct service_facts f = {0};

	assert_int_equal(services_read(a, &f, NULL), 0);
	assert_true(f.services.n >= 3);
	return map_get(&f.services, name);
}

static struct list strings(struct arena *a, const char *const *words)
{
	struct list l = {0};

	for (size_t i = 0; words[i]; i++)
		list_add(a, &l, (char *)words[i]);
	return l;
}

static void test_another_host_has_none(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_(freep) char *calls = NULL;
	struct service want = {0};
	struct err e = {0};

	assert_false(seen(a, "ssh")->there);
	assert_int_equal(service_start("ssh", &want, &e), -ENOENT);
	assert_int_equal(service_stop("time", NULL), -ENOENT);
	calls = get("/calls");
	assert_null(calls);
	err_done(&e);
}

static void test_who_may_log_in_is_read_back(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct service want = {
		.keys = strings(a, (const char *const[]){"ssh-ed25519 AAAA one", "ssh-rsa BBBB two words", NULL}),
		.listen = strings(a, (const char *const[]){"10.0.0.1:22", "[fd00::1]:22", NULL}),
	};
	_cleanup_(freep) char *options = NULL, *calls = NULL, *again = NULL;
	const struct service *s;
	struct stat st;
	_cleanup_(freep) char *keys = at("/run/manor/services/ssh/authorized_keys");

	put("/usr/lib/systemd/system/manor-ssh.service", "", 0644);
	s = seen(a, "ssh");
	assert_true(s->there && !s->running && s->keys.n == 0 && s->listen.n == 0);
	assert_int_equal(service_start("ssh", &want, NULL), 0);
	options = get("/run/manor/services/ssh/options");
	assert_string_equal(options, "OPTIONS=-p 10.0.0.1:22 -p [fd00::1]:22\n");
	assert_int_equal(stat(keys, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	s = seen(a, "ssh");
	assert_true(s->running);
	assert_int_equal(s->keys.n, 2);
	assert_string_equal(s->keys.items[1], "ssh-rsa BBBB two words");
	assert_int_equal(s->listen.n, 2);
	assert_string_equal(s->listen.items[1], "[fd00::1]:22");
	/* One key more takes no restart: nobody notices. */
	calls = get("/calls");
	list_add(a, &want.keys, (char *)"ssh-ed25519 CCCC three");
	assert_int_equal(service_start("ssh", &want, NULL), 0);
	again = get("/calls");
	assert_string_equal(again, calls);
	assert_int_equal(seen(a, "ssh")->keys.n, 3);
}

static void test_a_session_that_stays_is_not_the_service(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();

	put("/sys/fs/cgroup/system.slice/manor-ssh.service/cgroup.procs", "101\n102\n", 0644);
	assert_false(seen(a, "ssh")->running);
	put("/sys/fs/cgroup/system.slice/manor-ssh.service/cgroup.procs", "101\n77\n", 0644);
	assert_true(seen(a, "ssh")->running);
}

static void test_it_stops_and_nothing_is_left(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_(freep) char *keys = NULL;
	const struct service *s;

	assert_int_equal(service_stop("ssh", NULL), 0);
	s = seen(a, "ssh");
	assert_true(s->there && !s->running && s->keys.n == 0 && s->listen.n == 0);
	keys = get("/run/manor/services/ssh/authorized_keys");
	assert_null(keys);
	assert_int_equal(service_stop("ssh", NULL), 0);
}

static void test_servers_of_the_time(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct service want = {
		.servers = strings(a, (const char *const[]){"ntp.example.org", "10.0.0.9", NULL}),
	};
	_cleanup_(freep) char *text = NULL;

	put("/usr/lib/systemd/system/manor-time.service", "", 0644);
	assert_int_equal(service_start("time", &want, NULL), 0);
	text = get("/run/systemd/timesyncd.conf.d/manor.conf");
	assert_string_equal(text, "[Time]\nNTP=ntp.example.org 10.0.0.9\nFallbackNTP=\n");
	assert_int_equal(seen(a, "time")->servers.n, 2);
	assert_true(seen(a, "time")->running);
}

static void test_a_client_of_dhcp_for_each_link(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct service want = {0};

	assert_int_equal(service_start("dhcp4-xenbr0", &want, NULL), -ENOENT);
	put("/usr/lib/systemd/system/manor-dhcp4@.service", "", 0644);
	assert_true(seen(a, "dhcp4")->there);
	assert_null(seen(a, "dhcp4-xenbr0"));
	assert_int_equal(service_start("dhcp4-xenbr0", &want, NULL), 0);
	assert_true(seen(a, "dhcp4-xenbr0")->running);
	assert_null(seen(a, "dhcp4-xenbr1"));
	/* Between two starts of its unit it is there still, for whoever wants it gone. */
	put("/sys/fs/cgroup/system.slice/manor-dhcp4@xenbr0.service/cgroup.procs", "", 0644);
	assert_non_null(seen(a, "dhcp4-xenbr0"));
	assert_false(seen(a, "dhcp4-xenbr0")->running);
	assert_int_equal(service_stop("dhcp4-xenbr0", NULL), 0);
	assert_null(seen(a, "dhcp4-xenbr0"));
}

static void test_systemctl_says_why(void **state)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct service want = {.servers = strings(a, (const char *const[]){"10.0.0.8", NULL})};
	struct err e = {0};

	put("/broken", "", 0644);
	assert_int_equal(service_start("time", &want, &e), -EIO);
	assert_non_null(strstr(e.message, "Job for manor-time.service failed."));
	err_done(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_another_host_has_none),
		cmocka_unit_test(test_who_may_log_in_is_read_back),
		cmocka_unit_test(test_a_session_that_stays_is_not_the_service),
		cmocka_unit_test(test_it_stops_and_nothing_is_left),
		cmocka_unit_test(test_servers_of_the_time),
		cmocka_unit_test(test_a_client_of_dhcp_for_each_link),
		cmocka_unit_test(test_systemctl_says_why),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
