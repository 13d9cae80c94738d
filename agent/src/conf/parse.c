/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Strings with a meaning: checked, and written the one way that compares equal.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>

#include "base/num.h"
#include "base/str.h"
#include "conf/field.h"

#define NAME_MAX_BYTES 63
#define URL_MAX_BYTES  2048

bool field_name_ok(const char *s)
{
	size_t n;

	if (!s)
		return false;
	n = strlen(s);
	return n > 0 && n <= NAME_MAX_BYTES && s[0] != '-' &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

int parse_name(struct decode *c, const struct field *f, const char *text, const char **ret,
	       struct err *e)
{
	if (!field_name_ok(text))
		return err_set(e, -EINVAL,
			       "a name: lower-case letters, digits and '-', at most %d, not "
			       "beginning with '-'",
			       NAME_MAX_BYTES);
	*ret = arena_strdup(c->arena, text);
	return 0;
}

/* 52-54-00-12-34-56, 5254.0012.3456 and 525400123456 are the same with other marks. */
static void mac_digits(const char *text, struct err *e)
{
	char hex[12];
	size_t n = 0;

	for (; *text; text++) {
		if (strchr("-.: ", *text))
			continue;
		if (!isxdigit((unsigned char)*text) || n == sizeof(hex))
			return;
		hex[n++] = *text;
	}
	if (n == sizeof(hex))
		err_help(e, "write %.2s:%.2s:%.2s:%.2s:%.2s:%.2s", hex, hex + 2, hex + 4, hex + 6,
			 hex + 8, hex + 10);
}

int parse_mac(struct decode *c, const struct field *f, const char *text, const char **ret,
	      struct err *e)
{
	static const char none[] = "00:00:00:00:00:00";
	char *mac;
	size_t i;

	for (i = 0; i < sizeof(none) - 1; i++) {
		unsigned char ch = (unsigned char)text[i];

		if (i % 3 == 2 ? ch != ':' : !isxdigit(ch))
			break;
	}
	if (i < sizeof(none) - 1 || text[i] != '\0') {
		int r = err_set(e, -EINVAL,
				"a MAC address: six pairs of hex digits, "
				"such as 52:54:00:12:34:56");

		mac_digits(text, e);
		return r;
	}
	mac = arena_strdup(c->arena, text);
	for (i = 0; mac[i]; i++)
		mac[i] = (char)tolower((unsigned char)mac[i]);
	/* The lowest bit of the first octet (IEEE 802, 8.2.2). */
	if (strchr("13579bdf", mac[1]))
		return err_set(e, -EINVAL,
			       "the MAC address of one card: it is a multicast address");
	if (streq(mac, none))
		return err_set(e, -EINVAL, "the MAC address of any card");
	*ret = mac;
	return 0;
}

/* The address in its canonical form, and how many bits it has. */
static int canonical_ip(const char *text, char ret[INET6_ADDRSTRLEN], unsigned *ret_bits)
{
	unsigned char raw[sizeof(struct in6_addr)];
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;

	if (inet_pton(family, text, raw) != 1)
		return -EINVAL;
	inet_ntop(family, raw, ret, INET6_ADDRSTRLEN);
	*ret_bits = family == AF_INET6 ? 128 : 32;
	return 0;
}

int parse_ip(struct decode *c, const struct field *f, const char *text, const char **ret,
	     struct err *e)
{
	char ip[INET6_ADDRSTRLEN];
	unsigned bits;

	if (canonical_ip(text, ip, &bits) < 0)
		return err_set(e, -EINVAL, "an IP address, such as 10.0.0.1 or fd00::1");
	*ret = arena_strdup(c->arena, ip);
	return 0;
}

int parse_cidr(struct decode *c, const struct field *f, const char *text, const char **ret,
	       struct err *e)
{
	const char *slash = strchr(text, '/');
	char ip[INET6_ADDRSTRLEN], address[64];
	int64_t prefix;
	unsigned bits;
	size_t n;

	n = slash ? (size_t)(slash - text) : 0;
	if (n > 0 && n < sizeof(address)) {
		memcpy(address, text, n);
		address[n] = '\0';
		if (canonical_ip(address, ip, &bits) == 0 &&
		    num_parse_int(slash + 1, 0, bits, &prefix) == 0) {
			*ret = arena_printf(c->arena, "%s/%d", ip, (int)prefix);
			return 0;
		}
	} else if (!slash && canonical_ip(text, ip, &bits) == 0) {
		return err_set(e, -EINVAL,
			       "complete: it lacks the length of its network, such as %s/%d", ip,
			       bits == 32 ? 24 : 64);
	}
	return err_set(e, -EINVAL,
		       "an address with the length of its network, such as "
		       "10.0.0.1/24 or fd00::1/64");
}

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

int parse_text(struct decode *c, const struct field *f, const char *text, const char **ret,
	       struct err *e)
{
	if (*text == '\0' || has_control(text))
		return err_set(e, -EINVAL, *text ? "one line of text" : "a text: it is empty");
	*ret = text;
	return 0;
}

const char *decode_dir(const struct decode *c)
{
	return c->source && c->source->dir ? c->source->dir : ".";
}

int parse_path(struct decode *c, const struct field *f, const char *text, const char **ret,
	       struct err *e)
{
	_cleanup_str_ struct str b = {};
	const char *p;

	if (*text == '\0' || has_control(text))
		return err_set(e, -EINVAL, "a path");
	if (*text != '/')
		str_addf(&b, "%s/", decode_dir(c));
	str_add(&b, text);
	if (b.n >= PATH_MAX)
		return err_set(e, -EINVAL, "a path: it is longer than %d bytes", PATH_MAX - 1);
	p = str_get(&b);
	if (text[strlen(text) - 1] == '/' && !streq(text, "/"))
		return err_set(e, -EINVAL, "the path of a file: it ends with '/'");
	{
		/* Without "//" and "/./", so that equal paths compare equal; ".." may lead through a
		 * link and stays. */
		char *out = arena_alloc(c->arena, b.n + 1), *o = out;

		while (*p) {
			if (p[0] == '/' && p[1] == '/') {
				p++;
			} else if (p[0] == '/' && p[1] == '.' && (p[2] == '/' || p[2] == '\0') &&
				   (o > out || p[2] != '\0')) {
				p += 2;
			} else {
				*o++ = *p++;
			}
		}
		*ret = out;
	}
	return 0;
}

const char *url_of_path(struct arena *a, const char *path)
{
	static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				   "-._~/+,=@:";
	_cleanup_str_ struct str b = {};

	str_add(&b, "file://");
	for (; *path; path++) {
		if (strchr(kept, *path))
			str_addc(&b, *path);
		else
			str_addf(&b, "%%%02X", (unsigned char)*path);
	}
	return arena_strdup(a, str_get(&b));
}

int parse_url(struct decode *c, const struct field *f, const char *text, const char **ret,
	      struct err *e)
{
	const char *path, *colon = strstr(text, "://");
	int r;

	if (strlen(text) > URL_MAX_BYTES)
		return err_set(e, -EINVAL, "an address: it is longer than %d bytes", URL_MAX_BYTES);
	if (colon) {
		const char *host = colon + 3;
		bool file = startswith(text, "file://");

		if (!file && !startswith(text, "http://") && !startswith(text, "https://"))
			return err_set(e, -EINVAL,
				       "an address to fetch from: it must begin with "
				       "http://, https:// or file://, or be a path");
		if (has_control(text) || strpbrk(text, " \"<>\\^`{|}"))
			return err_set(e, -EINVAL,
				       "an address: it holds a character that has to be "
				       "written as %%XX");
		if (file && *host != '/')
			return err_set(e, -EINVAL,
				       "the address of a file here: such as "
				       "file:///srv/image.zst");
		if (!file && (*host == '\0' || strchr("/?#:@", *host)))
			return err_set(e, -EINVAL, "an address: it names no host");
		*ret = arena_strdup(c->arena, text);
		return 0;
	}
	r = parse_path(c, f, text, &path, e);
	if (r < 0)
		return err_set(e, r, "an address (http://, https://, file://) or a path");
	*ret = url_of_path(c->arena, path);
	return 0;
}

int parse_sha256(struct decode *c, const struct field *f, const char *text, const char **ret,
		 struct err *e)
{
	char *hex;
	size_t i;

	if (strlen(text) != 64 || strspn(text, "0123456789abcdefABCDEF") != 64)
		return err_set(e, -EINVAL,
			       "a SHA-256 digest: 64 hex digits, and these are %zu "
			       "characters",
			       strlen(text));
	hex = arena_strdup(c->arena, text);
	for (i = 0; hex[i]; i++)
		hex[i] = (char)tolower((unsigned char)hex[i]);
	*ret = hex;
	return 0;
}

int parse_vdev(struct decode *c, const struct field *f, const char *text, const char **ret,
	       struct err *e)
{
	/* Xen's docs/man/xen-vbd-interface.7: how many disks and partitions a name can stand for. */
	static const struct {
		const char *prefix;
		char last;
		int partitions;
	} families[] = {{"xvd", 'p', 15}, {"hd", 'd', 63}, {"sd", 'p', 15}};
	int64_t partition;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(families); i++) {
		const char *p = text + strlen(families[i].prefix);

		if (!startswith(text, families[i].prefix) || *p < 'a' || *p > families[i].last)
			continue;
		p++;
		if (*p == '\0' || num_parse_int(p, 1, families[i].partitions, &partition) == 0) {
			*ret = arena_strdup(c->arena, text);
			return 0;
		}
	}
	return err_set(e, -EINVAL,
		       "a device of a domain: xvda to xvdp, hda to hdd, sda to sdp, or a "
		       "partition such as xvda1");
}

int parse_ifname(struct decode *c, const struct field *f, const char *text, const char **ret,
		 struct err *e)
{
	size_t n = strlen(text), i;
	bool ok = n >= 1 && n <= 15 && !streq(text, ".") && !streq(text, "..");

	/* As the kernel's dev_valid_name(); '%' would make it a pattern. */
	for (i = 0; ok && i < n; i++)
		if (strchr("/:%", text[i]) || isspace((unsigned char)text[i]) ||
		    (unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			ok = false;
	if (!ok)
		return err_set(e, -EINVAL,
			       "the name of a network interface: 1 to 15 characters, "
			       "no '/', ':', '%%' or space");
	*ret = arena_strdup(c->arena, text);
	return 0;
}
