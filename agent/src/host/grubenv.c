/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * GRUB's environment block. grub-editenv empties the file before it writes; here it is written over.
 */
#include "host/grubenv.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"

static const char head[] = GRUBENV_FIRST;
#define HEAD (sizeof(head) - 1)

static bool name_ok(const char *name, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '_')
			return false;
	return n > 0 && n <= GRUBENV_NAME && !isdigit((unsigned char)name[0]);
}

static bool value_ok(const char *value)
{
	size_t n = strlen(value);

	for (size_t i = 0; i < n; i++)
		if (!isprint((unsigned char)value[i]))
			return false;
	return n <= GRUBENV_VALUE;
}

static struct grubenv *damaged(struct grubenv *g, const char *why)
{
	g->n = 0;
	g->overfull = false;
	g->damaged = why;
	return g;
}

/* A backslash keeps the byte behind it from being read as an end of line. Returns the byte behind the line, 0: there is
 * no whole one. */
static size_t line_end(const char *data, size_t at, size_t n, char *ret, size_t size)
{
	size_t have = 0;

	for (; at < n; at++) {
		if (data[at] == '\n') {
			ret[have] = '\0';
			return at + 1;
		}
		if (data[at] == '\\' && ++at == n)
			return 0;
		if (have == size - 1)
			return 0;
		ret[have++] = data[at];
	}
	return 0;
}

struct grubenv *grubenv_parse(struct arena *a, const char *data, size_t n)
{
	struct grubenv *g = arena_alloc(a, sizeof(*g));
	char line[GRUBENV_NAME + GRUBENV_VALUE + 2];

	g->arena = a;
	if (n != GRUBENV_SIZE)
		return damaged(g, arena_printf(a, "it is %zu bytes long, not %d", n, GRUBENV_SIZE));
	if (memcmp(data, head, HEAD) != 0)
		return damaged(g, "it doesn't begin as one of GRUB's does");
	for (size_t at = HEAD; at < n;) {
		char *equals;

		if (data[at] == '#') {
			/* The rest, or a remark. */
			const char *end = memchr(data + at, '\n', n - at);

			at = end ? (size_t)(end - data) + 1 : n;
			continue;
		}
		at = line_end(data, at, n, line, sizeof(line));
		equals = at ? strchr(line, '=') : NULL;
		if (!equals || !name_ok(line, (size_t)(equals - line)) || !value_ok(equals + 1))
			return damaged(g, "it has a line that is no NAME=VALUE");
		if (g->n == GRUBENV_VARS)
			return damaged(g, "it has more variables than a boot loader's");
		*equals = '\0';
		g->vars[g->n++] =
			(struct grubenv_var){arena_strdup(a, line), arena_strdup(a, equals + 1)};
	}
	return g;
}

bool grubenv_read(int dir, const char *name, struct arena *a, struct grubenv **ret, struct err *e)
{
	char data[GRUBENV_SIZE + 1];
	_cleanup_(closep) int fd = -1;
	struct stat st;
	ssize_t n;

	if (fstat(dir, &st) < 0 || !S_ISDIR(st.st_mode)) {
		err_set(e, -ENOTDIR, "%s: there is no folder that it could be in", name);
		return false;
	}
	*ret = arena_alloc(a, sizeof(**ret));
	(*ret)->arena = a;
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		damaged(*ret, errno == ENOENT
				      ? "it isn't there"
				      : arena_printf(a, "it can't be opened: %s", strerror(errno)));
		return true;
	}
	n = read(fd, data, sizeof(data));
	if (n < 0)
		damaged(*ret, arena_printf(a, "it can't be read: %s", strerror(errno)));
	else
		*ret = grubenv_parse(a, data, (size_t)n);
	return true;
}

const char *grubenv_get(const struct grubenv *g, const char *name)
{
	for (size_t i = 0; i < g->n; i++)
		if (streq(g->vars[i].name, name))
			return g->vars[i].value;
	return NULL;
}

void grubenv_set(struct grubenv *g, const char *name, const char *value)
{
	struct grubenv_var *v = g->vars;

	while (v < g->vars + g->n && !streq(v->name, name))
		v++;
	if (v == g->vars + GRUBENV_VARS) {
		g->overfull = true;
		return;
	}
	if (v == g->vars + g->n)
		g->n++;
	v->name = arena_strdup(g->arena, name);
	v->value = arena_strdup(g->arena, value);
}

/* What it takes up; 0: it has no room there, or is none. */
static size_t put(char *to, size_t room, const struct grubenv_var *v)
{
	size_t n = strlen(v->name) + 1;

	if (!name_ok(v->name, n - 1) || !value_ok(v->value) || n + 1 > room)
		return 0;
	memcpy(to, v->name, n - 1);
	to[n - 1] = '=';
	for (const char *c = v->value; *c; c++) {
		if (n + 3 > room)
			return 0;
		if (*c == '\\')
			to[n++] = '\\';
		to[n++] = *c;
	}
	to[n++] = '\n';
	return n;
}

bool grubenv_format(const struct grubenv *g, char block[GRUBENV_SIZE], struct err *e)
{
	size_t at = HEAD;

	if (g->overfull) {
		err_set(e, -E2BIG, "GRUB's environment has more than %d variables", GRUBENV_VARS);
		return false;
	}
	memset(block, '#', GRUBENV_SIZE);
	memcpy(block, head, HEAD);
	for (size_t i = 0; i < g->n; i++) {
		size_t n = put(block + at, GRUBENV_USED - at, &g->vars[i]);

		if (!n) {
			err_set(e, -EINVAL, "'%.40s' can't stand in GRUB's environment: %s",
				g->vars[i].name,
				name_ok(g->vars[i].name, strlen(g->vars[i].name)) &&
						value_ok(g->vars[i].value)
					? "its first sector is full"
					: "its name or value has what GRUB doesn't read");
			return false;
		}
		at += n;
	}
	return true;
}

/* The block over what is there. 1: there is no file of the length. */
static int write_over(int dir, const char *name, const char *block)
{
	_cleanup_(closep) int fd = openat(
		dir, name, O_WRONLY | O_DSYNC | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 1 : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size != GRUBENV_SIZE)
		return 1;
	return file_write_all(fd, block, GRUBENV_SIZE);
}

static int write_new(int dir, const char *name, const char *block)
{
	_cleanup_(freep) char *beside = xasprintf("%s.new", name);
	_cleanup_(closep) int fd =
		openat(dir, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	int r;

	if (fd < 0)
		return -errno;
	r = file_write_all(fd, block, GRUBENV_SIZE);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat(dir, beside, dir, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(dir, beside, 0);
	return r < 0 || fsync(dir) == 0 ? r : -errno;
}

bool grubenv_write(int dir, const char *name, const struct grubenv *g, struct err *e)
{
	char block[GRUBENV_SIZE];
	int r;

	if (!grubenv_format(g, block, e))
		return false;
	r = write_over(dir, name, block);
	if (r == 1)
		r = write_new(dir, name, block);
	if (r < 0)
		err_errno(e, r, "write %s", name);
	return r == 0;
}
