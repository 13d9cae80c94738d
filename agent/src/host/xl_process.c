/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * xl's processes, as /proc shows them.
 */
#include "host/xl_process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>

#include "base/file.h"
#include "base/num.h"

#define CMDLINE_MAX_BYTES 65536
#define WORDS_SHOWN       80
#define END_WAIT_MS       5000

/* Of a link in /proc/PID/; NULL: there is none. Also when what it names was removed: " (deleted)". */
static const char *link_name(struct arena *a, pid_t pid, const char *what)
{
	char path[64], to[PATH_MAX];
	const char *slash;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	n = readlink(path, to, sizeof(to) - 1);
	if (n <= 0)
		return NULL;
	to[n] = '\0';
	slash = strrchr(to, '/');
	return arena_strdup(a, slash ? slash + 1 : to);
}

/* The verbs that leave somebody waiting for the domain's end. */
static bool looks_after(const char *word)
{
	static const char *const verbs[] = {"create", "restore", "migrate-receive", NULL};

	/* xl takes what is clear: "cr". */
	for (size_t i = 0; verbs[i]; i++)
		if (strlen(word) >= 2 && strncmp(verbs[i], word, strlen(word)) == 0)
			return true;
	return false;
}

/* "web" of "xl-web.log", "xl-web.log.1"; NULL: it goes elsewhere. */
static const char *domain_of(struct arena *a, const char *log)
{
	const char *dot = NULL, *name;

	if (!log || !startswith(log, "xl-"))
		return NULL;
	name = log + strlen("xl-");
	for (const char *s = name; (s = strstr(s, ".log")); s++)
		dot = s;
	return dot && dot > name ? arena_strndup(a, name, (size_t)(dot - name)) : NULL;
}

/* NULL: it is none. */
static struct xl_process *look_at(struct arena *a, pid_t pid)
{
	const char *exe = link_name(a, pid, "exe");
	_cleanup_(freep) char *path = NULL, *text = NULL;
	struct xl_process *p;
	bool after = false;
	size_t n;

	if (!exe || !startswith(exe, "xl") || (exe[2] && exe[2] != ' '))
		return NULL;
	path = xasprintf("/proc/%d/cmdline", (int)pid);
	if (file_read(path, CMDLINE_MAX_BYTES, &text, &n, NULL) < 0)
		return NULL;
	for (size_t i = strlen(text) + 1; i < n && !after; i += strlen(text + i) + 1)
		after = looks_after(text + i);
	if (!after)
		return NULL;
	for (size_t i = 0; i + 1 < n; i++)
		if ((unsigned char)text[i] < ' ')
			text[i] = ' ';
	p = arena_alloc(a, sizeof(*p));
	*p = (struct xl_process){
		.pid = pid,
		.domain = domain_of(a, link_name(a, pid, "fd/1")),
		.words = arena_printf(a, "%.*s", WORDS_SHOWN, text),
	};
	return p;
}

static int by_pid(const void *a, const void *b)
{
	const struct xl_process *x = *(void *const *)a, *y = *(void *const *)b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

int xl_processes(struct arena *a, struct list *ret, struct err *e)
{
	DIR *d = opendir("/proc");
	struct dirent *entry;
	int r;

	if (!d)
		return err_errno(e, -errno, "open /proc");
	while ((errno = 0, entry = readdir(d))) {
		struct xl_process *p;
		int64_t pid;

		if (num_parse_int(entry->d_name, 1, INT_MAX, &pid) < 0)
			continue;
		p = look_at(a, (pid_t)pid);
		if (p)
			list_add(a, ret, p);
	}
	r = errno ? err_errno(e, -errno, "read /proc") : 0;
	closedir(d);
	if (ret->n)
		qsort(ret->items, ret->n, sizeof(*ret->items), by_pid);
	return r;
}

int xl_process_end(const struct xl_process *p, struct err *e)
{
	_cleanup_arena_ struct arena *a = arena_new();
	_cleanup_(closep) int fd = pidfd_open(p->pid, 0);
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	struct xl_process *now;
	int r;

	if (fd < 0 && errno == ESRCH)
		return 0;
	if (fd < 0)
		return err_errno(e, -errno, "open process %d", (int)p->pid);
	/* From here on the number is held by the descriptor: is it still that one's? */
	now = look_at(a, p->pid);
	if (!now || !streq(now->domain, p->domain))
		return 0;
	if (pidfd_send_signal(fd, SIGTERM, NULL, 0) < 0 && errno != ESRCH)
		return err_errno(e, -errno, "end process %d (%s)", (int)p->pid, p->words);
	do
		r = poll(&wait, 1, END_WAIT_MS);
	while (r < 0 && errno == EINTR);
	if (r > 0)
		return 0;
	return err_set(e, -ETIMEDOUT, "process %d (%s), which looks after it, doesn't end",
		       (int)p->pid, p->words);
}
