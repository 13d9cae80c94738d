/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One program of the system's, run to its end.
 */
#include "host/program.h"

#include <errno.h>
#include <fcntl.h>
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

/* What it says first, and the rest unseen. */
static void listen_to(int fd, char *said, size_t size)
{
	char rest[512];
	size_t have = 0;
	ssize_t n;

	while ((n = have < size - 1 ? read(fd, said + have, size - 1 - have)
				    : read(fd, rest, sizeof(rest))) != 0) {
		if (n < 0 && errno != EINTR)
			break;
		if (n > 0 && have < size - 1)
			have += (size_t)n;
	}
	said[have] = '\0';
}

/* What comes before it are warnings. */
static const char *last_line(char *said)
{
	size_t n = strlen(said);
	const char *at;

	while (n && said[n - 1] == '\n')
		said[--n] = '\0';
	at = strrchr(said, '\n');
	return !n ? "it failed, and says nothing" : at ? at + 1 : said;
}

int program_run(char *const *argv, struct err *e)
{
	char said[SAID_MAX] = "";
	int ends[2], status = 0;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(e, -errno, "make a pipe");
	pid = fork();
	if (pid == 0)
		child(argv, ends[1]);
	close(ends[1]);
	if (pid > 0)
		listen_to(ends[0], said, sizeof(said));
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
	return err_set(e, -EIO, "%s: %s", argv[0], last_line(said));
}
