/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor screen: what the host's own console shows. Nobody is logged in there, so it changes nothing; root's shell is for who knows the
 * password (cli/rescue.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "agent/client.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/foreground.h"
#include "cli/rescue.h"
#include "cli/upgrade.h"
#include "engine/observe.h"
#include "engine/store.h"
#include "kinds/kinds.h"

/* What the appliance's initrd told of where it looked for a manifest, and which version it started. */
#define TRIED    "/run/manifest.tried"
#define VERSION  "/usr/share/manor/version"
#define TEXT_MAX 65536

/* The agent is asked how it fares; only when that is news is the host read anew, which costs a second of processor. */
#define ASK_MS  2000
#define BUSY_MS 300 /* … while it is at work */
#define READ_S  60
/* The first run after a start has the processors for itself so long, and the page says no more than that it is under way. */
#define FIRST_S 10

/* A small file's text; "" where there is none. The caller's. */
static char *text_of(const char *path)
{
	char *text = NULL;

	return file_read(path, TEXT_MAX, &text, NULL, NULL) == 0 ? text : xstrdup("");
}

/* What `manor status` says now. The caller's. */
static char *status_text(void)
{
	char *text = xcalloc(1, TEXT_MAX);
	size_t have = 0;
	ssize_t n;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return text;
	pid = fork();
	if (pid == 0) {
		char *argv[] = {(char[]){"manor"}, (char[]){"status"}, NULL};

		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		execv("/proc/self/exe", argv);
		_exit(EXIT_FAILED);
	}
	close(ends[1]);
	while (pid > 0 && have < TEXT_MAX - 1 &&
	       (n = read(ends[0], text + have, TEXT_MAX - 1 - have)) > 0)
		have += (size_t)n;
	close(ends[0]);
	if (pid > 0)
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	return text;
}

/* What the agent is at. */
struct fare {
	char *text; /* how it fares, without what changes by itself, the caller's; NULL: no agent answers */
	bool running, first;
	char result[32]; /* of its last run; "": there was none */
};

static void ask(struct fare *f)
{
	json_object *answer = client_status(), *o = NULL;

	*f = (struct fare){0};
	if (!answer)
		return;
	if (json_object_object_get_ex(answer, "running", &o))
		f->running = json_object_get_boolean(o);
	/* It lets what it was told of settle, and begins then. */
	f->first = !json_object_object_get_ex(answer, "time", NULL) &&
		   (f->running || access(STORE_MANIFEST, F_OK) == 0 ||
		    access(STORE_WATCHED, F_OK) == 0);
	if (json_object_object_get_ex(answer, "result", &o))
		snprintf(f->result, sizeof(f->result), "%s", json_object_get_string(o));
	json_object_object_del(answer, "under_way");
	f->text = xstrdup(json_object_to_json_string(answer));
	json_object_put(answer);
}

static void print_addresses(FILE *out)
{
	struct ifaddrs *all = NULL;
	bool any = false;

	if (getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		int family = i->ifa_addr ? i->ifa_addr->sa_family : AF_UNSPEC;
		char host[NI_MAXHOST];

		if ((family != AF_INET && family != AF_INET6) || (i->ifa_flags & IFF_LOOPBACK) ||
		    getnameinfo(i->ifa_addr,
				family == AF_INET ? sizeof(struct sockaddr_in)
						  : sizeof(struct sockaddr_in6),
				host, sizeof(host), NULL, 0, NI_NUMERICHOST))
			continue;
		/* One that says %eth0 is good for nothing beyond the wire. */
		if (strchr(host, '%'))
			continue;
		fprintf(out, "%s%s on %s", any ? ", " : "addresses: ", host, i->ifa_name);
		any = true;
	}
	freeifaddrs(all);
	fprintf(out, "%s\n", any ? "" : "addresses: none");
}

/* What a manifest for many hosts knows it by. */
static void print_machine(FILE *out)
{
	_cleanup_facts_ struct facts *here = observe_machine(all_readers);
	struct who who = facts_who(here);

	fprintf(out, "machine: %s\n",
		who.machine ? machine_text(here->arena, who.machine) : who.unknown);
}

static void print_tried(FILE *out)
{
	_cleanup_(freep) char *tried = text_of(TRIED);

	if (tried[0])
		fprintf(out, "Looked for, in this order:\n%s", tried);
}

/* For whoever stands before a machine that does nothing. */
static void print_maintenance(FILE *out)
{
	fprintf(out, "\nNO MANIFEST: this host looks after nothing until it has one.\n");
	print_tried(out);
	fprintf(out,
		"Give it one: a file system labelled MANOR with appliance.yaml in it (a USB stick, say), and start again;\n"
		"or manor.manifest=URL on the kernel's command line.\n");
}

/* `brief`: that instead of what would have to be read of the host; NULL: the whole page. */
static void print_page(FILE *out, const char *brief)
{
	_cleanup_(freep) char *version = text_of(VERSION), *status = NULL;
	_cleanup_(freep) char *installation = text_of(INSTALL_NOTE);
	struct utsname u;
	bool in_force;

	version[strcspn(version, "\n")] = '\0';
	uname(&u);
	fprintf(out, "Manor %s%s%s on %s, Linux %s\n", MANOR_VERSION,
		version[0] ? ", appliance " : "", version, u.nodename, u.release);
	print_addresses(out);
	if (installation[0])
		fprintf(out, "installation: %s", installation);
	if (brief) {
		fprintf(out, "\n%s\n", brief);
		return;
	}
	print_machine(out);
	in_force = access(STORE_MANIFEST, F_OK) == 0;
	/* One may have been applied from elsewhere. */
	if (!in_force && access(STORE_WATCHED, F_OK) < 0) {
		upgrade_print(out);
		print_maintenance(out);
		return;
	}
	status = status_text();
	fprintf(out, "\n%s", status);
	/* The one that was found isn't in force, or not yet. */
	if (!in_force)
		print_tried(out);
}

/* What is shown just now. */
struct screen {
	struct termios cooked, raw;
	char *text;
	size_t top;   /* the first line of it that is seen */
	size_t next;  /* … and the one that a space leads to */
	time_t drawn; /* 0: it is to be read again */
};

/* How many rows a line takes. */
static unsigned rows_of(const char *line, size_t n, unsigned columns)
{
	unsigned width = 0;

	for (size_t i = 0; i < n; i++)
		width += ((unsigned char)line[i] & 0xc0) != 0x80;
	return width <= columns ? 1 : (width + columns - 1) / columns;
}

/* The keys; what is above and below is told where not all is seen. */
static char *footer(const struct screen *s, size_t shown, size_t lines)
{
	_cleanup_(freep) char *why = NULL, *hash = rescue_hash(&why), *part = NULL;
	struct tm tm;
	char clock[32];

	if (hash)
		explicit_bzero(hash, strlen(hash));
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&s->drawn, &tm));
	if (shown < lines)
		part = xasprintf("   lines %zu to %zu of %zu, space: on", s->top + 1,
				 s->top + shown, lines);
	return xasprintf("%s%s   r: read again   l: the log   %s%s", clock, part ? part : "",
			 hash ? "s: root's shell" : "no shell: ", hash ? "" : why);
}

/* As much as the terminal has room for: of a page that is longer its head would be gone. */
static void show(struct screen *s)
{
	struct winsize size = {0};
	unsigned columns, room, used = 0;
	_cleanup_(freep) char *keys = NULL;
	size_t lines = 0, n = 0, shown = 0;
	const char *from = s->text, *end;

	if (!s->text)
		return;
	/* A serial line doesn't tell its size: then it is the least that there is. */
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_row || !size.ws_col)
		size = (struct winsize){.ws_row = 24, .ws_col = 80};
	columns = size.ws_col;
	/* The keys and a row of nothing above them. */
	room = size.ws_row > 6 ? size.ws_row - 4u : 2;
	for (const char *c = s->text; *c; c++)
		lines += *c == '\n';
	if (s->top >= lines)
		s->top = 0;
	for (; n < s->top; n++)
		from = strchr(from, '\n') + 1;
	for (end = from; n + shown < lines; shown++) {
		const char *next = strchr(end, '\n') + 1;
		unsigned rows = rows_of(end, (size_t)(next - end) - 1, columns);

		if (used + rows > room && shown)
			break;
		used += rows;
		end = next;
	}
	keys = footer(s, shown, lines);
	printf("\033[H\033[2J%.*s\n%s\n", (int)(end - from), from, keys);
	fflush(stdout);
	s->next = s->top + shown < lines ? s->top + shown : 0;
}

/* Whole before it is shown: what it says takes a second to find out. */
static void draw(struct screen *s, const char *brief)
{
	size_t size;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	print_page(out, brief);
	fclose(out);
	free(s->text);
	s->text = text;
	s->drawn = time(NULL);
	show(s);
}

/* A pager that starts no shell and opens no other file. */
static void show_log(void)
{
	char *argv[] = {(char[]){"journalctl"}, (char[]){"-b"}, (char[]){"-n"},
			(char[]){"1000"},       (char[]){"-e"}, NULL};

	setenv("SYSTEMD_LESS", "FRSXMK", 1);
	setenv("SYSTEMD_PAGERSECURE", "1", 1);
	setenv("LESSSECURE", "1", 1);
	foreground_run(argv[0], argv, NULL, NULL);
}

static void on_key(struct screen *s, char key)
{
	char *why = NULL, *hash;

	switch (key) {
	case ' ':
		s->top = s->next;
		show(s);
		return;
	case 'l':
		tcsetattr(STDIN_FILENO, TCSANOW, &s->cooked);
		show_log();
		break;
	case 's':
		hash = rescue_hash(&why);
		free(why);
		if (!hash)
			break;
		explicit_bzero(hash, strlen(hash));
		free(hash);
		rescue(&s->cooked);
		break;
	case 'r':
		break;
	default:
		return;
	}
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &s->raw);
	s->drawn = 0;
}

/* Of a clock that nobody sets: the first run may do so with the other. */
static time_t seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static int watch(void)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	_cleanup_(freep) char *last = NULL;
	const time_t began = seconds();
	struct screen s = {0};
	struct fare f = {0};
	bool brief = false;

	if (tcgetattr(STDIN_FILENO, &s.cooked) < 0) {
		fprintf(stderr, "manor screen: no terminal here: say --once\n");
		return EXIT_BAD;
	}
	s.raw = s.cooked;
	s.raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
	tcsetattr(STDIN_FILENO, TCSANOW, &s.raw);
	for (;;) {
		char key = 0;

		ask(&f);
		if (f.first && seconds() - began < FIRST_S) {
			if (!brief || !s.drawn)
				draw(&s, "The agent looks at this host for the first time since it "
					 "was started.");
			brief = true;
		} else if (brief || !s.drawn || !streq(f.text, last) ||
			   time(NULL) - s.drawn >= READ_S) {
			/* What is known already isn't kept back until the whole page stands. */
			if (brief && f.result[0]) {
				_cleanup_(freep) char *ended =
					xasprintf("The agent's first run: %s.", f.result);
				draw(&s, ended);
			}
			brief = false;
			draw(&s, NULL);
		}
		free(last);
		last = f.text;
		if (poll(&in, 1, f.running || f.first ? BUSY_MS : ASK_MS) <= 0)
			continue;
		/* The terminal hung up: who started this starts it again. */
		if (read(STDIN_FILENO, &key, 1) <= 0)
			break;
		on_key(&s, key);
	}
	free(s.text);
	tcsetattr(STDIN_FILENO, TCSANOW, &s.cooked);
	return EXIT_FINE;
}

int verb_screen(int argc, char **argv)
{
	static const char *const accepts[] = {"once", NULL};
	struct options o;
	int at, r = options_read(argc, argv, accepts, &o, &at);

	if (r)
		return r < 0 ? EXIT_FINE : r;
	if (!o.once)
		return watch();
	print_page(stdout, NULL);
	return EXIT_FINE;
}
