/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which numbers tell a machine, and which are but left there.
 */
#include "base/machine.h"

#include <errno.h>
#include <strings.h>

#include "base/str.h"

#define MACS_SHOWN 16

/* Seen on machines that were sold. */
static const char *const fillers[] = {
	"none",
	"null",
	"n/a",
	"na",
	"nil",
	"oem",
	"o.e.m.",
	"unknown",
	"empty",
	"invalid",
	"default",
	"default string",
	"not specified",
	"not available",
	"not applicable",
	"not defined",
	"not set",
	"no serial number",
	"serial number",
	"serialnumber",
	"system serial number",
	"system-serial-number",
	"chassis serial number",
	"base board serial number",
	"sys-1234567890",
	"0123456789",
	"123456789",
	"1234567890",
	"123456789012",
	"012345678",
	"type1productconfigid",
	"$(default_string)",
};

/* Of mainboards, not of one of them. */
static const char *const common_uuids[] = {
	"03000200-0400-0500-0006-000700080009",
	"00020003-0004-0005-0006-000700080009",
	"12345678-1234-5678-90ab-cddeefaabbcc",
	"12345678-1234-1234-1234-123456789abc",
	"ffffffff-ffff-ffff-ffff-ffffffffffff",
};

bool machine_is_filler(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(fillers); i++)
		if (strcasecmp(text, fillers[i]) == 0)
			return true;
	/* "To Be Filled By O.E.M.", in all its spellings; "00000000", "XXXXXXX", "......", "" */
	return strncasecmp(text, "to be filled", strlen("to be filled")) == 0 ||
	       strncasecmp(text, "to be set", strlen("to be set")) == 0 ||
	       strspn(text, (char[]){text[0], '\0'}) == strlen(text);
}

int machine_uuid_parse(const char *text, char ret[UUID_TEXT])
{
	static const char zero[] = "00000000000000000000000000000000";
	char digits[sizeof(zero)] = "", uuid[UUID_TEXT];
	size_t n = 0;

	for (const char *p = text; *p && n < sizeof(digits) - 1; p++)
		if (*p != '-')
			digits[n++] = *p;
	/* That is no UUID to others. */
	if (streq(digits, zero) && strlen(text) <= UUID_TEXT - 1)
		return -ENODATA;
	if (ident_uuid_parse(text, uuid) < 0)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(common_uuids); i++)
		if (streq(uuid, common_uuids[i]))
			return -ENODATA;
	memcpy(ret, uuid, sizeof(uuid));
	return 0;
}

/* What stands there is whoever flashed it to choose. */
static void add_number(struct str *s, const char *word, const char *value, const char *why)
{
	if (value)
		str_addf(s, ", %s %.80s", word, value);
	else if (why)
		str_addf(s, ", no %s (%.120s)", word, why);
	else
		str_addf(s, ", no %s", word);
}

const char *machine_text(struct arena *a, const struct machine *m)
{
	_cleanup_str_ struct str s = {0};

	for (size_t i = 0; i < m->macs.n && i < MACS_SHOWN; i++)
		str_addf(&s, "%s%s", i ? ", " : "MAC ", (const char *)m->macs.items[i]);
	if (m->macs.n > MACS_SHOWN)
		str_add(&s, ", …");
	if (m->macs.n == 0)
		str_add(&s, "no network card");
	add_number(&s, "serial", m->serial, m->serial_why);
	add_number(&s, "UUID", m->uuid, m->uuid_why);
	return arena_strdup(a, str_get(&s));
}
