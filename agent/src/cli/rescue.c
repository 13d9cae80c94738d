/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Root's shell at the console. How often the password was wrong is kept for all terminals at once, in /run: neither another
 * one nor a line that hangs up makes guessing faster.
 */
#include "cli/rescue.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/file.h>
#include <syslog.h>
#include <time.h>

#include "base/file.h"
#include "base/password.h"
#include "cli/cli.h"
#include "cli/foreground.h"
#include "engine/store.h"
#include "kinds/kinds.h"

#define RUN_DIR   "/run/manor"
#define ATTEMPTS  RUN_DIR "/console.attempts"
#define ANSWER_MS 60000
#define DELAY_MAX 60 /* seconds */
#define CTRL_C    3
#define CTRL_U    21

struct attempts {
	unsigned wrong; /* in a row */
	int64_t next;   /* not before so many seconds after the boot */
};

/* Where nothing can be kept, this process knows at least. */
static struct attempts attempts;

char *rescue_hash(char **ret_why)
{
	_cleanup_err_ struct err e = {0};
	struct diags *d = diags_new();
	struct who who = who_of(NULL);
	struct manifest *m = NULL;
	char *hash = NULL;
	int r = store_load_manifest(&who, all_kinds, d, &m, &e);

	if (r == 0 && m->host.console.password_hash)
		hash = xstrdup(m->host.console.password_hash);
	else if (r == 0)
		*ret_why = xstrdup("the manifest sets no password (host.console.password_hash)");
	else if (r == -ENOENT)
		*ret_why = xstrdup("no manifest is in force that could set a password");
	else
		*ret_why = xstrdup(e.message);
	if (m)
		manifest_free(m);
	else
		diags_free(d);
	return hash;
}

static int64_t now_s(void)
{
	struct timespec t = {0};

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec;
}

/* Whoever has it open, locked, is the only one who tries; -1: it can't be had. */
static int attempts_open(void)
{
	char text[64] = "";
	struct attempts a;
	int fd = -1;

	if (file_mkdirs(RUN_DIR, 0755, NULL) == 0)
		fd = open(ATTEMPTS, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -1;
	while (flock(fd, LOCK_EX) < 0 && errno == EINTR)
		;
	if (pread(fd, text, sizeof(text) - 1, 0) > 0 &&
	    sscanf(text, "%u %ld", &a.wrong, &a.next) == 2 && a.next <= now_s() + DELAY_MAX)
		attempts = a;
	return fd;
}

static void attempts_keep(int fd, bool right)
{
	char text[64];
	int n;

	attempts.wrong = right ? 0 : MIN_OF(attempts.wrong + 1, 1000u);
	attempts.next = right ? 0 : now_s() + MIN_OF(1 << MIN_OF(attempts.wrong, 10u), DELAY_MAX);
	n = snprintf(text, sizeof(text), "%u %ld\n", attempts.wrong, (long)attempts.next);
	if (fd >= 0 && (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) < 0))
		syslog(LOG_WARNING, "console: " ATTEMPTS " can't be written: %m");
}

/* Until the next try is free; what is typed meanwhile is nothing. */
static void wait_for_turn(void)
{
	int fd = attempts_open();
	int64_t left = attempts.next - now_s();

	closep(&fd);
	if (left <= 0)
		return;
	printf("After a wrong password the next try is in %lld s.\n", (long long)left);
	fflush(stdout);
	for (; left > 0; left = attempts.next - now_s())
		sleep((unsigned)left);
}

/* One line, of which nothing is seen. False: there is none, or none is wanted. */
static bool ask(char typed[PASSWORD_TYPED_MAX], const struct termios *cooked)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	struct termios silent = *cooked;
	ssize_t n = 0;

	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ISIG);
	silent.c_lflag |= ICANON;
	silent.c_cc[VEOL] = CTRL_C;
	silent.c_cc[VKILL] = CTRL_U;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	printf("Password of host.console (empty: back to the page): ");
	fflush(stdout);
	if (poll(&in, 1, ANSWER_MS) > 0)
		n = read(STDIN_FILENO, typed, PASSWORD_TYPED_MAX - 1);
	printf("\n");
	fflush(stdout);
	typed[MAX_OF(n, 0)] = '\0';
	if (n < 2 || typed[n - 1] != '\n') {
		explicit_bzero(typed, PASSWORD_TYPED_MAX);
		return false;
	}
	typed[n - 1] = '\0';
	return true;
}

/* One attempt of all that there are; -EAGAIN: another terminal's came first. */
static int attempt(const char *hash, const char *typed, const char *tty)
{
	_cleanup_(closep) int fd = attempts_open();
	bool right;

	if (attempts.next > now_s())
		return -EAGAIN;
	right = password_is(hash, typed);
	attempts_keep(fd, right);
	if (right)
		syslog(LOG_NOTICE, "console: the password was right on %s: root's shell begins",
		       tty);
	else
		syslog(LOG_WARNING, "console: wrong password on %s, %u in a row", tty,
		       attempts.wrong);
	return right;
}

static void shell(const char *tty)
{
	const struct passwd *root = getpwuid(0);
	const char *home = root && access(root->pw_dir, X_OK) == 0 ? root->pw_dir : "/";
	const char *program =
		root && access(root->pw_shell, X_OK) == 0 ? root->pw_shell : "/bin/sh";
	const char *name = strrchr(program, '/');
	const char *term = getenv("TERM"), *lang = getenv("LANG");
	_cleanup_(freep) char *argv0 = xasprintf("-%s", name ? name + 1 : program);
	_cleanup_(freep) char *env_term = xasprintf("TERM=%s", term ? term : "linux");
	_cleanup_(freep) char *env_lang = xasprintf("LANG=%s", lang ? lang : "C.UTF-8");
	_cleanup_(freep) char *env_home = xasprintf("HOME=%s", home);
	_cleanup_(freep) char *env_shell = xasprintf("SHELL=%s", program);
	char *argv[] = {argv0, NULL};
	char *env[] = {
		env_term,
		env_lang,
		env_home,
		env_shell,
		(char[]){"USER=root"},
		(char[]){"LOGNAME=root"},
		(char[]){"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		NULL};

	printf("Root's shell. `exit` leads back to the page; /etc is made anew at each boot, /var stays.\n");
	fflush(stdout);
	/* Nothing of what systemd has put into the page's environment. */
	foreground_run(program, argv, env, home);
	syslog(LOG_NOTICE, "console: root's shell on %s has ended", tty);
}

void rescue(const struct termios *cooked)
{
	char typed[PASSWORD_TYPED_MAX];
	const char *tty = ttyname(STDIN_FILENO);
	bool right = false;

	openlog("manor", LOG_PID, LOG_AUTHPRIV);
	printf("\033[H\033[2J");
	while (!right) {
		_cleanup_(freep) char *hash = NULL, *why = NULL;

		wait_for_turn();
		if (!ask(typed, cooked))
			break;
		/* The manifest may be another since the page was drawn. */
		hash = rescue_hash(&why);
		if (!hash)
			break;
		right = attempt(hash, typed, tty ? tty : "?") > 0;
		explicit_bzero(typed, sizeof(typed));
		printf("%s\n", right ? "" : "That isn't it.");
	}
	explicit_bzero(typed, sizeof(typed));
	tcsetattr(STDIN_FILENO, TCSAFLUSH, cooked);
	if (right)
		shell(tty ? tty : "?");
	closelog();
}
