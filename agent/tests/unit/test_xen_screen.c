/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The port of a guest's screen: real ones, that somebody else listens at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "host/xen_screen.h"

#define VNC_PORT 5900

/* Listens at a display of 127.0.0.1 that was free. */
static int listen_somewhere(int64_t *ret_display)
{
	for (int64_t i = 20; i < 100; i++) {
		struct sockaddr_in a = {.sin_family = AF_INET,
					.sin_port = htons((uint16_t)(VNC_PORT + i)),
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		assert_true(fd >= 0);
		if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 1) == 0) {
			*ret_display = i;
			return fd;
		}
		close(fd);
	}
	fail();
	return -1;
}

static int ask(const char *address, int64_t display, int64_t held, double wait_s, char **ret_at)
{
	_cleanup_err_ struct err e = {0};
	struct xen_hardware h = {.vnc = true, .vnc_address = address, .vnc_display = display};
	int r = xen_screen_free(&h, held, wait_s, &e);

	if (ret_at)
		*ret_at = e.path ? xstrdup(e.path) : NULL;
	return r;
}

static void a_port_that_somebody_has_is_told(void **state)
{
	_cleanup_(freep) char *at = NULL;
	int64_t display;
	int fd = listen_somewhere(&display);

	assert_int_equal(ask("127.0.0.1", display, 0, 0, &at), -EADDRINUSE);
	assert_string_equal(at, "vnc.display");
	/* Every address is that one as well; another isn't. */
	assert_int_equal(ask("0.0.0.0", display, 0, 0, NULL), -EADDRINUSE);
	assert_int_equal(ask("127.0.0.2", display, 0, 0, NULL), 0);
	/* What the guest that goes has now goes with it; and one that asks for none finds one. */
	assert_int_equal(ask("127.0.0.1", display, VNC_PORT + display, 0, NULL), 0);
	assert_int_equal(ask("127.0.0.1", -1, 0, 0, NULL), 0);
	close(fd);
	assert_int_equal(ask("127.0.0.1", display, 0, 0, NULL), 0);
}

static void an_address_that_isnt_the_hosts_is_told(void **state)
{
	_cleanup_(freep) char *at = NULL;

	assert_int_equal(ask("192.0.2.1", 99, 0, 0, &at), -EADDRNOTAVAIL);
	assert_string_equal(at, "vnc.address");
}

static void *let_go(void *fd)
{
	usleep(300000);
	close(*(int *)fd);
	return NULL;
}

static void who_is_ending_is_waited_for(void **state)
{
	int64_t display;
	int fd = listen_somewhere(&display);
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, let_go, &fd), 0);
	assert_int_equal(ask("127.0.0.1", display, 0, 20, NULL), 0);
	pthread_join(t, NULL);
}

/* A QEMU that says that, and ends. */
static int asked_of(const char *says, char **ret_at)
{
	_cleanup_err_ struct err e = {0};
	struct xen_hardware h = {.vnc = true, .vnc_password = "secret"};
	char path[] = "/tmp/manor-screen-XXXXXX";
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	dprintf(fd, "#!/bin/sh\nread line\necho '%s'\n", says);
	fchmod(fd, 0700);
	close(fd);
	xen_screen_program = path;
	r = xen_screen_password(&h, &e);
	*ret_at = e.path ? xstrdup(e.path) : NULL;
	unlink(path);
	return r;
}

static void a_qemu_that_cant_ask_for_a_password_is_told(void **state)
{
	_cleanup_(freep) char *at = NULL, *none = NULL;
	struct xen_hardware h = {.vnc = true};

	assert_int_equal(
		asked_of(
			"qemu: -vnc unix:x,password=on: Cipher backend does not support DES algorithm",
			&at),
		-EOPNOTSUPP);
	assert_string_equal(at, "vnc.password");
	assert_int_equal(asked_of("{\"return\": {}}", &none), 0);
	assert_null(none);
	/* Nobody is started for a screen without one. */
	xen_screen_program = "/bin/false";
	assert_int_equal(xen_screen_password(&h, NULL), 0);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_that_somebody_has_is_told),
		cmocka_unit_test(an_address_that_isnt_the_hosts_is_told),
		cmocka_unit_test(who_is_ending_is_waited_for),
		cmocka_unit_test(a_qemu_that_cant_ask_for_a_password_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
