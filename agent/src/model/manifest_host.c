/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a manifest says of the host itself, field by field: `host` and `install`.
 */
#include "model/manifest_host.h"

#include <errno.h>

#include "base/base64.h"
#include "base/password.h"

TABLE(dom0_table, host_dom0, "dom0", "What dom0 itself gets; a change takes a reboot of the host.",
      {.name = "memory", .type = FIELD_SIZE, .offset = FIELD_AT(host_dom0, memory),
       .min = 64ll << 20, .max = 1ll << 44, .impact = IMPACT_HOST_REBOOT,
       .doc = "dom0's memory; left as it is when not given"},
      {.name = "vcpus", .type = FIELD_INT, .offset = FIELD_AT(host_dom0, vcpus), .min = 1,
       .max = 4096, .impact = IMPACT_HOST_REBOOT,
       .doc = "dom0's virtual processors; left as they are when not given"});

#define CMDLINE_MAX 100 /* bytes: the boot menu keeps two of them, and dom0's share with each */

/* GRUB reads them once more: what it would take for its own stays out. */
static int parse_cmdline(struct decode *c, const struct field *f, const char *text,
			 const char **ret, struct err *e)
{
	static const char *const ours[] = {"dom0_mem=", "dom0_max_vcpus=", NULL};
	const char *all = "";

	for (const char *at = text + strspn(text, " "); *at; at += strspn(at, " ")) {
		size_t n = strcspn(at, " ");

		if (strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			       "_-=.,:/+@%") < n)
			return err_set(
				e, -EINVAL,
				"arguments with a space between them, of letters, digits and "
				"_-=.,:/+@%%");
		for (size_t i = 0; ours[i]; i++)
			if (startswith(at, ours[i]))
				return err_set(e, -EINVAL,
					       "arguments without %s: that is host.dom0.%s",
					       ours[i], i ? "vcpus" : "memory");
		all = arena_printf(c->arena, "%s%s%.*s", all, *all ? " " : "", (int)n, at);
		at += n;
	}
	if (strlen(all) > CMDLINE_MAX)
		return err_set(e, -EINVAL, "at most %d bytes: the boot menu keeps no more",
			       CMDLINE_MAX);
	*ret = all;
	return 0;
}

TABLE(hypervisor_table, host_xen, "xen", "The hypervisor; a change takes a reboot of the host.",
      {.name = "cmdline", .type = FIELD_STRING, .offset = FIELD_AT(host_xen, cmdline),
       .parse = parse_cmdline, .flags = FIELD_REQUIRED, .impact = IMPACT_HOST_REBOOT,
       .doc = "arguments for Xen, besides those that the appliance gives it: \"loglvl=all sched=credit\"; \"\": none"});

/* "TYPE BASE64 [COMMENT]", where the first bytes behind BASE64 say the type once more (RFC 4253, 6.6). */
static int parse_ssh_key(struct decode *c, const struct field *f, const char *text,
			 const char **ret, struct err *e)
{
	static const char *const types[] = {
		"ssh-ed25519",		   "ssh-rsa",		 "ecdsa-sha2-nistp256",
		"ecdsa-sha2-nistp384",	   "ecdsa-sha2-nistp521", "sk-ssh-ed25519@openssh.com",
		"sk-ecdsa-sha2-nistp256@openssh.com", NULL};
	_cleanup_(freep) char *type = NULL;
	size_t n = strcspn(text, " \t"), gap = strspn(text + n, " \t"), blob;
	unsigned char head[12];

	if (startswith(text, "-----BEGIN"))
		return err_set(e, -EINVAL, "a public key: what begins so is the private one, which stays "
					   "where it was made; its public half is in the file beside it, .pub");
	type = xasprintf("%.*s", (int)n, text);
	if (word_find(types, type) < 0)
		return err_set(e, -EINVAL, "a public key as in ~/.ssh/id_ed25519.pub: it begins with "
					   "ssh-ed25519, ssh-rsa or ecdsa-sha2-nistp256");
	if (strpbrk(text, "\n\r"))
		return err_set(e, -EINVAL, "a public key: it has more than one line");
	text += n + gap;
	blob = strspn(text, BASE64_DIGITS);
	/* The first 16 digits are 12 bytes: a length, which is the type's, and its first letters. */
	if (blob < 32 || !base64_decode(text, 16, head, sizeof(head)) || head[0] || head[1] || head[2] || head[3] != n)
		return err_set(e, -EINVAL,
			       "a public key: what stands behind %s isn't one of that type, or "
			       "only a part of it",
			       type);
	blob += strspn(text + blob, "=");
	if (text[blob] && !strchr(" \t", text[blob]))
		return err_set(e, -EINVAL,
			       "a public key: there are other letters than a key's in it");
	*ret = arena_printf(c->arena, "%s %s", type, text);
	return 0;
}

/* A name or an address, of which a configuration's words are made. */
static int parse_server(struct decode *c, const struct field *f, const char *text, const char **ret,
			struct err *e)
{
	size_t n = strlen(text);

	if (n == 0 || n > 253 || text[0] == '-' || text[0] == '.' ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:") != n)
		return err_set(e, -EINVAL, "a server's name or address, as ntp.example.org");
	*ret = text;
	return 0;
}

TABLE(ssh_table, host_ssh, "ssh",
      "Logins over the network, of root, by key alone; Manor's appliance has it, other hosts have their own.",
      {.name = "keys", .type = FIELD_LIST, .offset = FIELD_AT(host_ssh, keys),
       .flags = FIELD_REQUIRED | FIELD_CONFIG | FIELD_ALONE, .parse = parse_ssh_key,
       .doc = "public keys of those who may log in, each as a line of ~/.ssh/id_ed25519.pub"},
      {.name = "listen", .type = FIELD_LIST, .offset = FIELD_AT(host_ssh, listen),
       .flags = FIELD_CONFIG | FIELD_ALONE, .parse = parse_ip,
       .doc = "the host's addresses that it listens on; all when not given, those that guests reach among them"},
      {.name = "port", .type = FIELD_INT, .offset = FIELD_AT(host_ssh, port), .min = 1, .max = 65535,
       .def = "22", .flags = FIELD_CONFIG, .doc = "its TCP port"});

TABLE(time_table, host_time, "time", "Where the host has its time from; Manor's appliance has it, other hosts have their own.",
      {.name = "servers", .type = FIELD_LIST, .offset = FIELD_AT(host_time, servers),
       .flags = FIELD_REQUIRED | FIELD_CONFIG | FIELD_ALONE, .parse = parse_server,
       .doc = "NTP servers, asked in turn"});

/* A file of one line, or that line. */
static int parse_password_hash(struct decode *c, const struct field *f, const char *text,
			       const char **ret, struct err *e)
{
	char *line = arena_strdup(c->arena, text);
	size_t n = strlen(line);

	while (n && strchr(" \t\r\n", line[n - 1]))
		line[--n] = '\0';
	*ret = line;
	return password_hash_check(line, e);
}

TABLE(console_table, host_console, "console",
      "What whoever stands before the host may do at its screen or serial port; Manor's appliance has it.",
      {.name = "password_hash", .type = FIELD_STRING, .offset = FIELD_AT(host_console, password_hash),
       .flags = FIELD_REQUIRED | FIELD_CONFIG | FIELD_SECRET | FIELD_FROM_FILE,
       .parse = parse_password_hash,
       .doc = "hash of the password that opens root's shell there, as /etc/shadow has it ($y$…, $6$…; mkpasswd makes "
	      "one), better as {file: PATH}; never printed"});

TABLE(upgrade_table, host_upgrade, "upgrade", "How `manor upgrade` goes about it on this host.",
      {.name = "within", .type = FIELD_DURATION, .offset = FIELD_AT(host_upgrade, within),
       .min = UPGRADE_WITHIN_MIN, .max = UPGRADE_WITHIN_MAX, .flags = FIELD_CONFIG,
       .doc = "the new version is good once all is back within that time of power-on, else the host starts again with "
	      "the old one; 10m when not given, and --within says otherwise"});

TABLE(host_table, host, "host", "The host itself.",
      {.name = "name", .type = FIELD_STRING, .offset = FIELD_AT(host, name), .parse = parse_name,
       .flags = FIELD_CONFIG, .doc = "the host's name in messages; its host name when not given"},
      {.name = "dom0", .type = FIELD_SUB, .offset = FIELD_AT(host, dom0), .sub = &dom0_table,
       .doc = "what dom0 gets"},
      {.name = "xen", .type = FIELD_SUB, .offset = FIELD_AT(host, xen), .sub = &hypervisor_table,
       .doc = "how the hypervisor is started; left as it is when not given"},
      {.name = "ssh", .type = FIELD_SUB, .offset = FIELD_AT(host, ssh), .sub = &ssh_table,
       .doc = "logins over the network; when not given there are none, and no port is open"},
      {.name = "time", .type = FIELD_SUB, .offset = FIELD_AT(host, time), .sub = &time_table,
       .doc = "where the host has its time from; when not given, from its own clock alone"},
      {.name = "console", .type = FIELD_SUB, .offset = FIELD_AT(host, console),
       .sub = &console_table, .flags = FIELD_CONFIG,
       .doc = "who may do more at its screen than look; when not given, nobody"},
      {.name = "upgrade", .type = FIELD_SUB, .offset = FIELD_AT(host, upgrade),
       .sub = &upgrade_table, .flags = FIELD_CONFIG, .doc = "how it is upgraded"});

TABLE(install_disk_table, install_disk, "disk", "The disk to install to, by one of these.",
      {.name = "serial", .type = FIELD_STRING, .offset = FIELD_AT(install_disk, serial),
       .parse = parse_text, .max = 255, .doc = "its serial number, as 'manor facts' shows it"},
      {.name = "wwid", .type = FIELD_STRING, .offset = FIELD_AT(install_disk, wwid),
       .parse = parse_text, .max = 255, .doc = "its world-wide id, as 'manor facts' shows it"},
      {.name = "path", .type = FIELD_STRING, .offset = FIELD_AT(install_disk, path),
       .parse = parse_path, .doc = "a link that stays, such as /dev/disk/by-path/…"});

static const char *const then_words[] = {"stay", "reboot", "poweroff", NULL};

TABLE(install_table, install_wanted, "install",
      "What the appliance does that was started from CD-ROM, USB stick or network: it installs itself, once.",
      {.name = "disk", .type = FIELD_SUB, .offset = FIELD_AT(install_wanted, disk),
       .sub = &install_disk_table, .flags = FIELD_REQUIRED | FIELD_CONFIG, .doc = "where to"},
      {.name = "erase", .type = FIELD_STRING, .offset = FIELD_AT(install_wanted, erase),
       .parse = parse_text, .max = 255, .flags = FIELD_CONFIG,
       .doc = "ALL that is on the disk of that serial may be lost, unless it is an installation already; "
	      "without it only an empty disk is taken"},
      {.name = "state", .type = FIELD_SIZE, .offset = FIELD_AT(install_wanted, state),
       .min = INSTALL_STATE_MIN, .max = INT64_C(1) << 44, .flags = FIELD_CONFIG,
       .doc = "size of the state partition; 4GiB when not given, less on a small disk"},
      {.name = "then", .type = FIELD_ENUM, .offset = FIELD_AT(install_wanted, then),
       .words = then_words, .def = "stay", .flags = FIELD_CONFIG,
       .doc = "stay: runs on in memory; reboot; poweroff"});
