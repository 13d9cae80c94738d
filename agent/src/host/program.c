/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One program of the system's, run to its end.
 */
#include "host/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define SAID_MAX 4096

static void child(char *const *argv, int err)
{
	sigset_t none;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	setenv("LC_ALL", "C.UTF-8", 1);
	execvp(argv[0], argv);
	_exit(127);
}

int program_pipes(int out[2], int err[2], struct err *e)
{
	int r;

	if (pipe2(out, O_CLOEXEC) < 0)
		return err_errno(e, -errno, "make a pipe");
	if (pipe2(err, O_CLOEXEC) == 0)
		return 0;
	r = -errno;
	close(out[0]);
	close(out[1]);
	return err_errno(e, r, "make a pipe");
}

void program_hear(int out, int err, size_t max, struct str *ret_out, struct str *ret_err,
		  void (*more)(void *data), void *data)
{
	struct pollfd p[] = {{.fd = out, .events = POLLIN}, {.fd = err, .events = POLLIN}};
	struct str *to[] = {ret_out, ret_err};

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return;
		for (int i = 0; i < 2; i++) {
			char buf[4096];
			ssize_t n;

			if (p[i].fd < 0 || !p[i].revents)
				continue;
			n = read(p[i].fd, buf, sizeof(buf));
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				p[i].fd = -1;
			else if (to[i] && to[i]->n < max)
				str_addn(to[i], buf, (size_t)n);
		}
		if (more)
			more(data);
	}
}

/* What comes before it are warnings. */
static const char *last_line(struct str *said)
{
	const char *at;

	while (said->n && said->s[said->n - 1] == '\n')
		said->s[--said->n] = '\0';
	at = strrchr(str_get(said), '\n');
	return !said->n ? "it failed, and says nothing" : at ? at + 1 : said->s;
}

int program_run(char *const *argv, struct err *e)
{
	_cleanup_str_ struct str said = {0};
	int ends[2], status = 0;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(e, -errno, "make a pipe");
	pid = fork();
	if (pid == 0)
		child(argv, ends[1]);
	close(ends[1]);
	if (pid > 0)
		program_hear(-1, ends[0], SAID_MAX, NULL, &said, NULL, NULL);
	close(ends[0]);
	if (pid < 0)
		return err_errno(e, -EAGAIN, "start %s", argv[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(e, -ENOPKG, "%s isn't installed", argv[0]);
	if (WIFSIGNALED(status))
		return err_set(e, -EIO, "%s: %s", argv[0], strsignal(WTERMSIG(status)));
	return err_set(e, -EIO, "%s: %s", argv[0], last_line(&said));
}
