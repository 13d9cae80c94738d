/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Running another program, for a time.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hotplug/hotplug.h"

static void child(const char *const *argv, int out, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	signal(SIGALRM, SIG_DFL);
	dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
	dup2(out, 1);
	dup2(out, 2);
	execvp(argv[0], (char *const *)argv);
	_exit(errno == ENOENT ? 127 : 126);
}

static long ms_left(const struct timespec *until)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (until->tv_sec - now.tv_sec) * 1000 + (until->tv_nsec - now.tv_nsec) / 1000000;
}

/* Keeps the end of what it says; false when the time is up before its end. */
static bool listen_to(int fd, const struct timespec *until, char *said, size_t size)
{
	size_t n = 0;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		long left = ms_left(until);
		char buf[512];
		ssize_t r;

		said[n] = '\0';
		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return false;
		r = read(fd, buf, sizeof(buf));
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return true;
		if ((size_t)r >= size) {
			memmove(buf, buf + (size_t)r - (size - 1), size - 1);
			r = (ssize_t)size - 1;
		}
		if (n + (size_t)r >= size) {
			size_t gone = n + (size_t)r - (size - 1);

			memmove(said, said + gone, n - gone);
			n -= gone;
		}
		memcpy(said + n, buf, (size_t)r);
		n += (size_t)r;
	}
}

/* Its last line that isn't empty. */
static const char *last_line(char *said)
{
	size_t n = strlen(said);
	char *line;

	while (n && (said[n - 1] == '\n' || said[n - 1] == ' '))
		said[--n] = '\0';
	line = strrchr(said, '\n');
	return line ? line + 1 : said;
}

int command_run(struct device *d, const char *const *argv, unsigned seconds, int *ret_status)
{
	struct timespec until;
	char said[240] = "";
	pid_t pid, self = getpid();
	int out[2], status;
	bool ended;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds;
	if (pipe2(out, O_CLOEXEC) < 0)
		return fail(d, "make a pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		child(argv, out[1], self);
	close(out[1]);
	if (pid < 0) {
		close(out[0]);
		return fail(d, "start %s: %s", argv[0], strerror(errno));
	}
	ended = listen_to(out[0], &until, said, sizeof(said));
	close(out[0]);
	if (!ended)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	fail(d, "%s", last_line(said));
	if (!ended)
		return fail(d, "%s did not end within %u s", argv[0], seconds);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return fail(d, "%s isn't installed", argv[0]);
	if (!WIFEXITED(status))
		return fail(d, "%s was ended by a signal", argv[0]);
	*ret_status = WEXITSTATUS(status);
	return 0;
}
