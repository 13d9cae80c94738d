/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/foreground.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child: a job of its own, in the foreground, to which signals are what they are to anybody. */
static void take_terminal(void)
{
	sigset_t none;

	setpgid(0, 0);
	/* Whoever started this one gave it no terminal to govern: then it is the child's. */
	if (tcgetpgrp(STDIN_FILENO) < 0) {
		setsid();
		ioctl(STDIN_FILENO, TIOCSCTTY, 0);
	}
	signal(SIGTTOU, SIG_IGN);
	tcsetpgrp(STDIN_FILENO, getpgrp());
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int foreground_run(const char *program, char *const *argv, char *const *env, const char *dir)
{
	void (*before)(int) = signal(SIGTTOU, SIG_IGN);
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		take_terminal();
		dup2(STDOUT_FILENO, STDERR_FILENO);
		if (dir && chdir(dir) < 0)
			fprintf(stderr, "%s: %s\n", dir, strerror(errno));
		execvpe(program, argv, env ? env : environ);
		fprintf(stderr, "%s: %s\n", program, strerror(errno));
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	tcsetpgrp(STDIN_FILENO, getpgrp());
	signal(SIGTTOU, before);
	return status;
}
