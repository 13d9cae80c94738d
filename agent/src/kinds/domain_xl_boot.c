/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What starts the guest: firmware, boot loader, kernel and its command line, which xm put together of several
 * settings (tools/python/xen/xm/create.py, preprocess_ip and preprocess_nfs).
 */
#include "kinds/domain_xl.h"

#define NOBODY "127.0.255.255" /* xm's NFS server where none was said */

static bool is_hvmloader(const char *path)
{
	const char *slash = strrchr(path, '/');

	return startswith(slash ? slash + 1 : path, "hvmloader");
}

/* Xen's GRUB of old, as a kernel: "/usr/lib/xen/boot/pv-grub-x86_64.gz". */
static bool is_pv_grub(const char *path)
{
	return strstr(path, "pv-grub") || strstr(path, "pvgrub") ||
	       strstr(path, "grub-x86_64-xen") || strstr(path, "grub-i386-xen");
}

static void loads(struct domain_xl *x, bool small)
{
	emit_word(x->out, "firmware",
		  x->type == XEN_PVH ? "pvgrub"
		  : small            ? "pvgrub32"
				     : "pvgrub64");
}

/* A path that a template's file can't be taken for. */
static void put_path(struct domain_xl *x, const char *field, const char *path,
		     const struct xl_setting *s)
{
	bool bare = !strchr(path, '/');

	if (domain_xl_put(x, x->out, &domain_table, field,
			  bare ? arena_printf(x->arena, "./%s", path) : path, s->span.line) &&
	    *path != '/')
		emit_note(x->out, field,
			  "from where this manifest is; xm took it from where it ran");
}

/* --- the kernel's command line --- */

static void add(struct str *line, const char *before, const char *words)
{
	size_t n = words ? strlen(words) : 0, skip = words ? strspn(words, " \t") : 0;

	while (n > skip && (words[n - 1] == ' ' || words[n - 1] == '\t'))
		n--;
	if (n > skip)
		str_addf(line, "%s%s%.*s", line->n ? " " : "", before, (int)(n - skip),
			 words + skip);
}

static const char *behind(const char *text, const char *prefix)
{
	return startswith(text, prefix) ? text + strlen(prefix) : text;
}

/* "ip=IP:NFSSERVER:GATEWAY:NETMASK:HOSTNAME:DEVICE:DHCP" */
static bool add_ip(struct domain_xl *x, struct str *line)
{
	const char *ip = domain_xl_text(x, "ip", NULL), *dhcp = domain_xl_text(x, "dhcp", NULL);
	const char *server = domain_xl_text(x, "nfs_server", NULL);
	const char *gateway = domain_xl_text(x, "gateway", NULL);
	const char *netmask = domain_xl_text(x, "netmask", NULL);
	const char *host = domain_xl_text(x, "hostname", NULL);
	const char *device = domain_xl_text(x, "interface", NULL);
	const char *root = domain_xl_text(x, "nfs_root", NULL);
	bool off = !dhcp || streq(dhcp, "off");

	if (ip || !off)
		add(line, "ip=",
		    arena_printf(x->arena, "%s:%s:%s:%s:%s:%s:%s", ip ? behind(ip, "ip=") : "",
				 server ? server : NOBODY, gateway ? gateway : "",
				 netmask ? netmask : "", host ? host : "", device ? device : "eth0",
				 dhcp ? dhcp : "off"));
	else if (gateway || netmask || host || device)
		emit_note(x->out, "cmdline",
			  "gateway, netmask, hostname and interface are left out: without 'ip' xm "
			  "told the guest none of them");
	if (root && server)
		add(line, "nfsroot=", arena_printf(x->arena, "%s:%s", server, root));
	else if (root || (server && !ip && off))
		emit_note(x->out, "cmdline",
			  "nfs_server and nfs_root are left out: one is nothing without the other");
	return ip || !off || (root && server);
}

/* What a boot loader of the guest's own can't be told. */
static void drop_line(struct domain_xl *x)
{
	static const char *const words[] = {
		"root",    "extra",   "cmdline",  "ip",        "dhcp",     "nfs_server",
		"gateway", "netmask", "hostname", "interface", "nfs_root",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct xl_setting *s = domain_xl_take(x, words[i]);
		bool off = s && s->text && (!*s->text || streq(s->text, "off"));

		if (s && !off)
			domain_xl_drop(x, s,
				       "no kernel is given: say it in the guest's own boot loader");
	}
}

/* What the kernels of then called hda1 was renamed under those who take a newer one. */
static void note_root(struct domain_xl *x, const char *line)
{
	const char *root = strstr(line, "root=/dev/");
	const char *name = root ? root + strlen("root=/dev/") : "";
	int n = (int)strcspn(name, " ");

	if ((startswith(name, "hd") || startswith(name, "sd")) && n > 2 && n < 8)
		emit_note(x->out, "cmdline",
			  "Linux since 2.6.37 has no %.*s: with a kernel of today say "
			  "root=/dev/xvd%.*s",
			  n, name, n - 2, name + 2);
}

static void command_line(struct domain_xl *x)
{
	const struct xl_setting *s = NULL, *whole = NULL, *from;
	_cleanup_str_ struct str line = {0};
	const char *root, *extra, *cmdline;
	bool told;

	if (!emit_has(x->out, "kernel")) {
		drop_line(x);
		return;
	}
	cmdline = domain_xl_text(x, "cmdline", &whole);
	root = domain_xl_text(x, "root", &s);
	if (cmdline && root)
		domain_xl_drop(x, s, "'cmdline' counts");
	else
		add(&line, "root=", root ? behind(root, "root=") : NULL);
	told = add_ip(x, &line);
	from = s;
	extra = domain_xl_text(x, "extra", &s);
	if (cmdline && extra)
		domain_xl_drop(x, s, "'cmdline' counts");
	add(&line, "", cmdline ? cmdline : extra);
	if (!line.n)
		return;
	from = whole ? whole : extra ? s : from;
	if (!domain_xl_put(x, x->out, &domain_table, "cmdline", line.s, from ? from->span.line : 1))
		return;
	if (told)
		emit_note(x->out, "cmdline",
			  "put together as xm did: root, then address and host name, then what "
			  "else there was");
	if (x->type != XEN_HVM)
		note_root(x, line.s);
}

/* --- who starts it --- */

static void kernel(struct domain_xl *x, bool loaded)
{
	const struct xl_setting *s = NULL, *other = NULL;
	const char *path = domain_xl_text(x, "kernel", &s);
	const char *initrd = domain_xl_text(x, "ramdisk", &other);

	if (path && is_hvmloader(path)) {
		domain_xl_drop(x, s, "Xen's own, which every hvm guest has");
	} else if (path && loaded) {
		domain_xl_drop(x, s, "the boot loader's kernel counted");
	} else if (path && x->type != XEN_HVM && is_pv_grub(path)) {
		loads(x, strstr(path, "x86_32") || strstr(path, "i386"));
		emit_note(
			x->out, "firmware",
			"for the kernel of line %u, which was Xen's GRUB: this one is GRUB 2, and "
			"reads grub.cfg in the guest's disk instead of menu.lst",
			s->span.line);
	} else if (path) {
		put_path(x, "kernel", path, s);
	}
	if (!initrd)
		return;
	if (emit_has(x->out, "kernel"))
		put_path(x, "initrd", initrd, other);
	else
		domain_xl_drop(x, other, "no kernel is given that it goes with");
}

static bool boot_loader(struct domain_xl *x)
{
	static const char *const words[] = {"bootargs", "bootloader_args", "bootentry"};
	const struct xl_setting *s = NULL;
	const char *loader = domain_xl_text(x, "bootloader", &s), *slash;

	if (!loader)
		return false;
	if (x->type == XEN_HVM) {
		domain_xl_drop(x, s, "hvm guests have a firmware");
		return false;
	}
	slash = strrchr(loader, '/');
	loads(x, false);
	if (streq(slash ? slash + 1 : loader, "pygrub"))
		emit_note(x->out, "firmware",
			  "in pygrub's place (line %u): GRUB 2 runs within the guest, reads its "
			  "grub.cfg and boots its 64-bit kernel (pvgrub32: a 32-bit one)",
			  s->span.line);
	else
		emit_note(
			x->out, "firmware",
			"in the place of '%.60s' (line %u): it boots the kernel in the guest's own "
			"disk",
			loader, s->span.line);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct xl_setting *with = domain_xl_take(x, words[i]);

		if (with)
			domain_xl_drop(x, with,
				       "GRUB in the guest is told by the guest's grub.cfg");
	}
	return true;
}

static void firmware(struct domain_xl *x)
{
	const struct field *own = field_find(&domain_table, "firmware");
	static const char *const names[] = {"bios", "firmware", "firmware_override", "loader"};
	const struct xl_setting *file = NULL;
	const char *path = domain_xl_text(x, "bios_path_override", &file);

	for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
		const struct xl_setting *s = NULL;
		const char *text = domain_xl_text(x, names[n], &s), *is = NULL;

		if (!text)
			continue;
		/* What the manifest calls so itself, but for what is none of xl's. */
		is = word_find(own->words, text) >= 0 && !streq(text, "direct")
			     ? text
			     : other_word(own->others, text);
		if (is_hvmloader(text))
			domain_xl_drop(x, s, "Xen's own, which every hvm guest has");
		else if (!is || (x->type == XEN_HVM) == startswith(is, "pvgrub"))
			domain_xl_drop(x, s,
				       "Manor has seabios and ovmf for hvm, pvgrub for others");
		else if (startswith(is, "pvgrub"))
			loads(x, streq(is, "pvgrub32"));
		else
			emit_word(x->out, "firmware", is);
		if (is && streq(text, "rombios"))
			emit_note(x->out, "firmware", "line %u says rombios, which is of old",
				  s->span.line);
	}
	if (path && !streq(path, XEN_UEFI))
		domain_xl_drop(x, file, "Manor has its firmware in places of its own");
}

/* "dc" → [cdrom, disk] */
static void boot_order(struct domain_xl *x)
{
	const struct xl_setting *s = NULL;
	const char *letters = domain_xl_text(x, "boot", &s);
	static const char order[] = "cdn";
	static const char *const from[] = {"disk", "cdrom", "network"};
	bool had[3] = {false};

	if (letters && x->type != XEN_HVM) {
		domain_xl_drop(x, s, "%s guests have no firmware that would look for a disk",
			       xen_type_words[x->type]);
		return;
	}
	for (; letters && *letters; letters++) {
		const char *at = strchr(order, *letters);

		if (*letters == 'a')
			emit_note(x->out, "boot", "without the floppy that line %u names",
				  s->span.line);
		else if (!at)
			emit_note(x->out, "boot", "without '%c', which line %u names", *letters,
				  s->span.line);
		else if (!had[at - order])
			emit_item(x->out, "boot", from[at - order]);
		if (at)
			had[at - order] = true;
	}
}

void domain_xl_boot(struct domain_xl *x)
{
	bool loaded = boot_loader(x);

	firmware(x);
	kernel(x, loaded);
	command_line(x);
	boot_order(x);
}
