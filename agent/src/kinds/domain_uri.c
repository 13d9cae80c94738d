/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Disks from the network are named by URIs, as QEMU and libnbd take them:
 * nbd://HOST[:PORT]/EXPORT (github.com/NetworkBlockDevice/nbd, doc/uri.md), iscsi://HOST[:PORT]/TARGET/LUN.
 */
#include <errno.h>

#include "base/num.h"
#include "kinds/domain_priv.h"

#define NBD_PORT   10809 /* IANA's */
#define ISCSI_PORT 3260
#define LUN_MAX    16383 /* SAM-5, 4.7: a flat LUN has 14 bits */
#define EXPORT_MAX 255
#define TARGET_MAX 223 /* RFC 7143, 4.2.7.1 */
#define HOST_MAX   253

static const char host_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
static const char name_bytes[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:+=@/";

/* "HOST", "HOST:PORT", "[::1]:PORT" up to the slash → "HOST:PORT"; NULL: it is none. *ret_rest: behind the
 * slash. */
static const char *authority(struct arena *a, const char *text, int port, const char **ret_rest)
{
	size_t n = *text == '[' ? strspn(text + 1, "0123456789abcdefABCDEF:.") + 2
				: strspn(text, host_bytes);
	const char *host = arena_strndup(a, text, n), *digits;
	int64_t number = port;

	if (n == 0 || n > HOST_MAX || *text == '-' || (*text == '[' && text[n - 1] != ']'))
		return NULL;
	text += n;
	if (*text == ':') {
		n = strspn(++text, "0123456789");
		digits = arena_strndup(a, text, n);
		if (num_parse_int(digits, 1, 65535, &number) < 0)
			return NULL;
		text += n;
	}
	if (*text != '/' && *text)
		return NULL;
	*ret_rest = *text ? text + 1 : text;
	return arena_printf(a, "%s:%lld", host, (long long)number);
}

int parse_nbd(struct decode *c, const struct field *f, const char *text, const char **ret,
	      struct err *e)
{
	const char *at =
		startswith(text, "nbd://") ? authority(c->arena, text + 6, NBD_PORT, &text) : NULL;

	if (!at || strlen(text) > EXPORT_MAX || strspn(text, name_bytes) != strlen(text))
		return err_set(e, -EINVAL,
			       "the address of an NBD export: nbd://HOST/EXPORT or "
			       "nbd://HOST:PORT/EXPORT");
	*ret = arena_printf(c->arena, "nbd://%s/%s", at, text);
	return 0;
}

static bool is_target(const char *s, size_t n)
{
	return n > 4 && n <= TARGET_MAX && strspn(s, name_bytes) >= n &&
	       (startswith(s, "iqn.") || startswith(s, "eui.") || startswith(s, "naa."));
}

int parse_iscsi(struct decode *c, const struct field *f, const char *text, const char **ret,
		struct err *e)
{
	const char *at = startswith(text, "iscsi://")
				 ? authority(c->arena, text + 8, ISCSI_PORT, &text)
				 : NULL;
	const char *slash = at ? strchr(text, '/') : NULL;
	int64_t lun;

	if (!slash || !is_target(text, (size_t)(slash - text)) ||
	    num_parse_int(slash + 1, 0, LUN_MAX, &lun) < 0)
		return err_set(e, -EINVAL,
			       "the address of an iSCSI disk: iscsi://HOST/TARGET/LUN, such as "
			       "iscsi://10.0.0.5/iqn.2024-01.org.example:web/0");
	*ret = arena_printf(c->arena, "iscsi://%s/%.*s/%lld", at, (int)(slash - text), text,
			    (long long)lun);
	return 0;
}
