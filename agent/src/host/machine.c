/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Links that are hardware, each by the address that it was made with, and SMBIOS as the kernel shows it.
 */
#include "host/machine.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/file.h"

#define LINKS_MAX 8192 /* of all kinds: guests have some, too */
#define MACS_MAX  256
#define TEXT_MAX  128
#define NO_MAC    "00:00:00:00:00:00"

/* Its first line without the white space around it, printable. The caller's; NULL: -errno in *ret_error. */
static char *line_of(const char *path, int *ret_error)
{
	char *text = NULL, *from, *s;
	size_t n;

	*ret_error = file_read(path, 4096, &text, NULL, NULL);
	if (*ret_error < 0)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	for (from = text; isspace((unsigned char)*from); from++)
		;
	for (n = strlen(from); n > 0 && isspace((unsigned char)from[n - 1]); n--)
		;
	n = MIN_OF(n, (size_t)TEXT_MAX);
	memmove(text, from, n);
	text[n] = '\0';
	for (s = text; *s; s++)
		if (*s < ' ' || *s > '~')
			*s = '?';
	return text;
}

/* Six bytes, as the kernel writes them. */
static bool is_mac(const char *text)
{
	return text && strlen(text) == MAC_TEXT - 1 &&
	       strspn(text, "0123456789abcdef:") == MAC_TEXT - 1 && !streq(text, NO_MAC);
}

/* What the card was made with, whatever it goes by now: the members of a bond share one. NULL: its driver doesn't say. */
static char *permanent(const char *link)
{
	char buf[sizeof(struct ethtool_perm_addr) + 6] __attribute__((aligned(8))) = {0};
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_perm_addr *p = (void *)buf;
	struct ifreq request = {0};
	const unsigned char *m = p->data;

	if (fd < 0 || strlen(link) >= sizeof(request.ifr_name))
		return NULL;
	memcpy(request.ifr_name, link, strlen(link));
	request.ifr_data = buf;
	p->cmd = ETHTOOL_GPERMADDR;
	p->size = 6;
	if (ioctl(fd, SIOCETHTOOL, &request) < 0 || p->size != 6)
		return NULL;
	return xasprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

/* Hardware, and not a guest's end of one of its links. */
static bool is_physical(const char *folder)
{
	_cleanup_(freep) char *at = xasprintf("%s/device/subsystem", folder);
	char target[PATH_MAX];
	ssize_t n = readlink(at, target, sizeof(target) - 1);

	if (n <= 0)
		return false;
	target[n] = '\0';
	return !streq(basename(target), "xen-backend");
}

static void add_link(struct arena *a, const char *links, const char *name, struct machine *ret)
{
	_cleanup_(freep) char *folder = xasprintf("%s/%s", links, name);
	_cleanup_(freep) char *path = xasprintf("%s/address", folder), *now = NULL, *made = NULL;
	const char *mac;
	int error;

	if (!is_physical(folder))
		return;
	now = line_of(path, &error);
	made = permanent(name);
	mac = is_mac(made) ? made : now;
	if (is_mac(mac) && !list_has(&ret->macs, mac) && ret->macs.n < MACS_MAX)
		list_add(a, &ret->macs, arena_strdup(a, mac));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_links(struct arena *a, const char *sys, struct machine *ret, struct err *e)
{
	_cleanup_(freep) char *links = xasprintf("%s/class/net", sys);
	DIR *dir = opendir(links);
	struct dirent *entry;

	if (!dir)
		return err_errno(e, -errno, "open %s", links);
	for (unsigned n = 0; n < LINKS_MAX && (entry = readdir(dir)); n++)
		if (entry->d_name[0] != '.')
			add_link(a, links, entry->d_name, ret);
	closedir(dir);
	if (ret->macs.n)
		qsort(ret->macs.items, ret->macs.n, sizeof(*ret->macs.items), by_text);
	return 0;
}

/* A number of SMBIOS's; NULL, and why: a machine need not have one, and not everybody may read it. */
static char *number(struct arena *a, const char *sys, const char *name, const char **ret_why)
{
	_cleanup_(freep) char *path = xasprintf("%s/class/dmi/id/%s", sys, name);
	char *text;
	int error;

	text = line_of(path, &error);
	if (!text && error != -ENOENT)
		*ret_why = arena_printf(a, "it can't be read: %s", strerror(-error));
	return text;
}

static const char *no_number(struct arena *a, const char *text)
{
	return *text ? arena_printf(a, "'%s' is what makers leave there", text) : NULL;
}

int machine_read_at(struct arena *a, const char *sys, struct machine *ret, struct err *e)
{
	_cleanup_(freep) char *serial = NULL, *uuid = NULL;
	char canonical[UUID_TEXT];
	int r = read_links(a, sys, ret, e);

	if (r < 0)
		return r;
	serial = number(a, sys, "product_serial", &ret->serial_why);
	if (serial && machine_is_filler(serial))
		ret->serial_why = no_number(a, serial);
	else
		ret->serial = arena_strdup(a, serial);
	uuid = number(a, sys, "product_uuid", &ret->uuid_why);
	if (uuid && machine_uuid_parse(uuid, canonical) < 0)
		ret->uuid_why = no_number(a, uuid);
	else if (uuid)
		ret->uuid = arena_strdup(a, canonical);
	return 0;
}

int machine_read(struct arena *a, struct machine *ret, struct err *e)
{
	return machine_read_at(a, "/sys", ret, e);
}
