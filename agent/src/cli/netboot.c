/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor netboot: a folder that machines boot the appliance from, and dnsmasq's configuration for it. Only machines that are
 * named are answered: any other on that network boots as it did before. `write` makes both, `serve` has dnsmasq use them.
 *
 * How a machine comes to it: its firmware asks for an address (RFC 2131, PXE's options beside it) and is told of iPXE, by TFTP;
 * iPXE asks again, says that it is iPXE (option 175), and is told of boot.ipxe, which names the slot's files and the manifest.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/newfile.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/cli.h"
#include "conf/select.h"
#include "diag/source.h"
#include "kinds/kinds.h"

#define LOADERS    "/usr/lib/ipxe"
#define SCRIPT     "slot.ipxe"
#define LEASES_S   "1h"
#define SCRIPT_MAX (64u << 10)
#define ID_MAX     (4u << 10)

struct netboot {
	const char *dir; /* absolute */
	const struct options *o;
	const struct manifest *manifest;
	struct str machines; /* dnsmasq's dhcp-host lines */
	size_t n_machines;
	char network[INET_ADDRSTRLEN], netmask[INET_ADDRSTRLEN];
	char first[INET_ADDRSTRLEN], last[INET_ADDRSTRLEN]; /* "": another server gives addresses */
	struct err *e;
};

/* ---- who is answered ---- */

static void add_machine(struct netboot *b, const char *mac, const char *name)
{
	str_addf(&b->machines, "dhcp-host=%s,set:manor%s%s\n", mac, *name ? "," : "", name);
	b->n_machines++;
}

/* The hosts of the manifest by their cards, or what --mac says. */
static int machines(struct netboot *b)
{
	_cleanup_(freep) char *given = b->o->mac ? xstrdup(b->o->mac) : NULL;
	char *rest = NULL;

	for (char *mac = given ? strtok_r(given, ",", &rest) : NULL; mac;
	     mac = strtok_r(NULL, ",", &rest)) {
		struct decode c = {.arena = b->manifest->arena};
		_cleanup_err_ struct err why = {0};
		const char *canonical;

		if (parse_mac(&c, NULL, mac, &canonical, &why) < 0)
			return err_set(b->e, -EINVAL, "--mac: '%s' is not %s", mac, why.message);
		add_machine(b, canonical, "");
	}
	for (size_t i = 0; i < b->manifest->hosts.n; i++) {
		const struct manifest_host *host = b->manifest->hosts.items[i];

		for (size_t k = 0; k < host->match->mac.n; k++)
			add_machine(b, host->match->mac.items[k], host->name);
		if (host->match->mac.n == 0 && !given) {
			err_help(b->e, "give it match.mac, or name all machines by --mac");
			return err_set(
				b->e, -EINVAL,
				"host '%s' is matched by no MAC address, and DHCP knows a machine by that alone",
				host->name);
		}
	}
	if (b->n_machines)
		return 0;
	err_help(b->e, "give the manifest `hosts` with match.mac, or name the machines by --mac");
	return err_set(
		b->e, -EINVAL,
		"it isn't said which machines are to boot from here, and every one on that network would become "
		"this host");
}

/* ---- the network ---- */

static void set_network(struct netboot *b, struct in_addr address, unsigned prefix)
{
	struct in_addr mask = {.s_addr = prefix ? htonl(~UINT32_C(0) << (32 - prefix)) : 0};

	address.s_addr &= mask.s_addr;
	inet_ntop(AF_INET, &address, b->network, sizeof(b->network));
	inet_ntop(AF_INET, &mask, b->netmask, sizeof(b->netmask));
}

static int network_of_interface(struct netboot *b)
{
	struct ifaddrs *all = NULL;
	const struct sockaddr_in *address = NULL, *mask = NULL;
	int r = 0;

	if (!if_nametoindex(b->o->interface))
		return err_set(b->e, -ENODEV, "there is no link '%s' here", b->o->interface);
	if (getifaddrs(&all) < 0)
		return err_errno(b->e, -errno, "read the host's addresses");
	for (const struct ifaddrs *i = all; i && !address; i = i->ifa_next) {
		if (!streq(i->ifa_name, b->o->interface) || !i->ifa_addr ||
		    i->ifa_addr->sa_family != AF_INET)
			continue;
		address = (const struct sockaddr_in *)(const void *)i->ifa_addr;
		mask = (const struct sockaddr_in *)(const void *)i->ifa_netmask;
	}
	if (address)
		set_network(b, address->sin_addr,
			    (unsigned)__builtin_popcount(mask->sin_addr.s_addr));
	else
		r = err_set(b->e, -EADDRNOTAVAIL, "'%s' has no IPv4 address", b->o->interface);
	freeifaddrs(all);
	return r;
}

static bool within(const struct netboot *b, const char *text)
{
	struct in_addr address, network, mask;

	inet_pton(AF_INET, b->network, &network);
	inet_pton(AF_INET, b->netmask, &mask);
	return inet_pton(AF_INET, text, &address) == 1 &&
	       (address.s_addr & mask.s_addr) == network.s_addr;
}

static int network(struct netboot *b)
{
	const struct options *o = b->o;
	char address[INET_ADDRSTRLEN] = "";
	const char *slash = o->network ? strchr(o->network, '/') : NULL, *comma;
	struct in_addr parsed;
	int64_t prefix = -1;
	int r = 0;

	if (o->network) {
		if (slash && (size_t)(slash - o->network) < sizeof(address))
			memcpy(address, o->network, (size_t)(slash - o->network));
		if (!slash || num_parse_int(slash + 1, 1, 30, &prefix) < 0 ||
		    inet_pton(AF_INET, address, &parsed) != 1)
			return err_set(b->e, -EINVAL,
				       "--network takes one such as 10.155.200.0/24, not '%s'",
				       o->network);
		set_network(b, parsed, (unsigned)prefix);
	} else if (o->interface) {
		r = network_of_interface(b);
	} else {
		r = err_set(b->e, -EINVAL,
			    "--interface or --network is needed: where the machines are");
	}
	if (r < 0 || !o->range)
		return r;
	comma = strchr(o->range, ',');
	if (comma && (size_t)(comma - o->range) < sizeof(b->first) &&
	    strlen(comma + 1) < sizeof(b->last)) {
		memcpy(b->first, o->range, (size_t)(comma - o->range));
		memcpy(b->last, comma + 1, strlen(comma + 1));
	}
	if (within(b, b->first) && within(b, b->last))
		return 0;
	return err_set(
		b->e, -EINVAL,
		"--range takes the first and the last address to give away, both of %s/%s, not '%s'",
		b->network, b->netmask, o->range);
}

/* ---- the folder ---- */

static char *in(const struct netboot *b, const char *name)
{
	return xasprintf("%s/%s", b->dir, name);
}

/* Whole under its name, or not at all; `ret_sha256` may be NULL. */
static int copy(const char *from, const char *to, char *ret_sha256, struct err *e)
{
	_cleanup_newfile_ struct newfile *out = NULL;
	_cleanup_(closep) int fd = open(from, O_RDONLY | O_CLOEXEC);
	char digest[HASH_TEXT];
	static char buf[1 << 20];
	struct hash *hash;
	ssize_t n;
	int r;

	if (fd < 0)
		return err_errno(e, -errno, "open %s", from);
	r = newfile_open(to, 0644, true, &out, e);
	if (r < 0)
		return r;
	hash = hash_new(HASH_SHA256);
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		hash_add(hash, buf, (size_t)n);
		r = file_write_all(newfile_fd(out), buf, (size_t)n);
		if (r < 0)
			break;
	}
	hash_end(hash, digest);
	if (r < 0)
		return err_errno(e, r, "write %s", to);
	if (n < 0)
		return err_errno(e, -errno, "read %s", from);
	if (ret_sha256)
		memcpy(ret_sha256, digest, SHA256_TEXT);
	return newfile_place(out, e);
}

static int copy_in(const struct netboot *b, const char *dir, const char *name, char *ret_sha256)
{
	_cleanup_(freep) char *from = xasprintf("%s/%s", dir, name), *to = in(b, name);

	return copy(from, to, ret_sha256, b->e);
}

/* iPXE's script as it was built, before a manifest was named in it: of a folder that this made, the one kept there. */
static int copy_script(const struct netboot *b)
{
	_cleanup_(freep) char *kept = xasprintf("%s/%s", b->o->from, SCRIPT), *to = in(b, SCRIPT),
			      *built = NULL;

	built = xasprintf("%s/boot.ipxe", b->o->from);
	return copy(access(kept, F_OK) == 0 ? kept : built, to, NULL, b->e);
}

/* The slot's files. Its root is known by its digest, which the initrd has, too. */
static int slot(const struct netboot *b)
{
	static const char *const names[] = {"xen",     "xen.efi", "xen.cfg",
					    "vmlinuz", "initrd",  "slot.cfg"};
	_cleanup_(freep) char *old = in(b, "id"), *path = NULL, *id = NULL, *had = NULL;
	_cleanup_(freep) char *menu = in(b, "slot.cfg"), *efi = in(b, "xen.efi");
	char digest[SHA256_TEXT];
	size_t n;
	int r;

	if (!b->o->from) {
		if (access(old, F_OK) == 0)
			return 0;
		err_help(b->e,
			 "--from DIR: what `make appliance` makes as build/appliance/netboot");
		return err_set(b->e, -ENOENT, "%s has no version of the appliance yet", b->dir);
	}
	path = xasprintf("%s/id", b->o->from);
	r = file_read_plain(path, ID_MAX, &id, &n, b->e);
	if (r >= 0)
		r = file_mkdirs(b->dir, 0755, b->e);
	if (r < 0)
		return r;
	if (file_read_plain(old, ID_MAX, &had, NULL, NULL) >= 0 && streq(had, id) &&
	    access(menu, F_OK) == 0 && access(efi, F_OK) == 0)
		return 0;
	/* Until the new one is whole, what is there is nobody's. */
	r = file_remove(old, b->e);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(names); i++)
		r = copy_in(b, b->o->from, names[i], NULL);
	if (r >= 0)
		r = copy_in(b, b->o->from, "root", digest);
	if (r >= 0 && strncmp(id, digest, strlen(digest)) != 0)
		r = err_set(b->e, -EBADMSG,
			    "%s/root isn't the one that %s names: copied half, or of two versions",
			    b->o->from, path);
	if (r >= 0)
		r = copy_script(b);
	return r < 0 ? r : copy_in(b, b->o->from, "id", NULL);
}

/* iPXE for BIOS and for UEFI, which a machine's firmware loads first. */
static int loaders(const struct netboot *b)
{
	static const char *const names[] = {"undionly.kpxe", "snponly.efi"};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(names); i++) {
		_cleanup_(freep) char *to = in(b, names[i]),
				      *from = xasprintf("%s/%s", LOADERS, names[i]);

		if (access(to, F_OK) == 0 && access(from, F_OK) < 0)
			continue;
		r = copy(from, to, NULL, b->e);
		if (r == -ENOENT)
			err_help(b->e, "it is Debian's: apt install ipxe");
	}
	return r;
}

static int put(const struct netboot *b, const char *name, const char *text, size_t n)
{
	_cleanup_(freep) char *path = in(b, name);

	return file_write(path, text, n, 0644, b->e);
}

#define MANIFESTS "appliance-" /* and 16 hex digits */

static bool is_manifest(const char *name)
{
	size_t n = sizeof(MANIFESTS) - 1;

	return startswith(name, MANIFESTS) && strspn(name + n, "0123456789abcdef") == 16 &&
	       streq(name + n + 16, ".yaml");
}

/* Who has the script of before may still ask for what that names; older ones are nobody's, and what they say may have been
 * withdrawn. */
static int forget_older(const struct netboot *b, const char *before, const char *now)
{
	DIR *d = opendir(b->dir);
	struct dirent *de;
	int r = d ? 0 : err_errno(b->e, -errno, "open %s", b->dir);

	while (r == 0 && (de = readdir(d))) {
		_cleanup_(freep) char *path = NULL;

		if (!is_manifest(de->d_name) || streq(de->d_name, now) ||
		    (before && strstr(before, de->d_name)))
			continue;
		path = in(b, de->d_name);
		r = file_remove(path, b->e);
	}
	if (d)
		closedir(d);
	return r;
}

/* The manifest by its digest, so that a script that a machine has already still means the one that it names; and last the
 * script, which makes all of it count. */
static int script(const struct netboot *b)
{
	static const char line[] = "\nset manor ";
	const struct manifest *m = b->manifest;
	_cleanup_(freep) char *path = in(b, SCRIPT), *text = NULL, *there = in(b, "boot.ipxe"),
			      *before = NULL;
	char name[64];
	_cleanup_str_ struct str s = {0};
	const char *at, *end;
	size_t n;
	int r = file_read_plain(path, SCRIPT_MAX, &text, &n, b->e);

	if (r < 0)
		return r;
	at = strstr(text, line);
	end = at ? strchr(at + 1, '\n') : NULL;
	if (!end) {
		err_help(b->e,
			 "--from DIR: what `make appliance` makes as build/appliance/netboot");
		return err_set(
			b->e, -EINVAL,
			"%s has no line that begins with 'set manor': it is no script of the appliance's, or an old one",
			path);
	}
	(void)file_read_plain(there, SCRIPT_MAX, &before, &n, NULL);
	snprintf(name, sizeof(name), MANIFESTS "%.16s.yaml", m->sha256);
	str_addn(&s, text, (size_t)(end - text));
	str_addf(&s, " manor.manifest=${cwduri}%s manor.manifest.sha256=%s", name, m->sha256);
	str_add(&s, end);
	r = put(b, name, m->source.text, m->source.size);
	r = r < 0 ? r : put(b, "boot.ipxe", str_get(&s), s.n);
	return r < 0 ? r : forget_older(b, before, name);
}

static int configuration(const struct netboot *b)
{
	_cleanup_str_ struct str s = {0};
	const char *interface = b->o->interface;
	bool full = *b->first;

	str_add(&s, "# Written by `manor netboot`, and again when that is said once more.\n"
		    "# No names are served, and nobody is answered but those of dhcp-host.\n"
		    "port=0\nlog-dhcp\ndhcp-ignore=tag:!manor\n");
	if (interface)
		str_addf(&s, "interface=%s\nexcept-interface=lo\nbind-dynamic\n", interface);
	str_add(&s, b->machines.s);
	if (full)
		str_addf(&s, "dhcp-authoritative\ndhcp-range=%s,%s,%s,%s\n", b->first, b->last,
			 b->netmask, LEASES_S);
	else
		str_addf(&s, "# Addresses are another server's.\ndhcp-range=%s,proxy,%s\n",
			 b->network, b->netmask);
	str_addf(&s, "enable-tftp\ntftp-root=%s\n", b->dir);
	str_add(&s,
		"# What firmware loads first, by what it says that it is (RFC 4578); and iPXE, when it asks in its turn.\n"
		"dhcp-match=set:ipxe,175\n"
		"dhcp-match=set:efi,option:client-arch,7\n"
		"dhcp-match=set:efi,option:client-arch,9\n");
	if (full)
		str_add(&s, "dhcp-boot=tag:!ipxe,tag:!efi,undionly.kpxe\n"
			    "dhcp-boot=tag:!ipxe,tag:efi,snponly.efi\n"
			    "dhcp-boot=tag:ipxe,boot.ipxe\n");
	else
		str_add(&s, "pxe-service=tag:!ipxe,x86PC,\"Manor\",undionly.kpxe\n"
			    "pxe-service=tag:!ipxe,X86-64_EFI,\"Manor\",snponly.efi\n"
			    "pxe-service=tag:!ipxe,BC_EFI,\"Manor\",snponly.efi\n"
			    "pxe-service=tag:ipxe,x86PC,\"Manor\",boot.ipxe\n"
			    "pxe-service=tag:ipxe,X86-64_EFI,\"Manor\",boot.ipxe\n"
			    "pxe-service=tag:ipxe,BC_EFI,\"Manor\",boot.ipxe\n");
	return put(b, "dnsmasq.conf", str_get(&s), s.n);
}

/* A machine fetches one file: what that includes or reads of others would be missing there. */
static int alone(const struct netboot *b)
{
	const struct manifest *m = b->manifest;

	if (m->diags->looked_at.n == 0)
		return 0;
	err_help(b->e, "put it into one file; a stick labelled MANOR takes a folder");
	return err_set(
		b->e, -EINVAL,
		"%s is made of several files, and a machine that boots from the network fetches one",
		m->source.name);
}

static int write_all(struct netboot *b)
{
	int r = alone(b);

	if (r >= 0)
		r = machines(b);
	if (r >= 0)
		r = network(b);
	if (r >= 0)
		r = slot(b);
	if (r >= 0)
		r = loaders(b);
	if (r >= 0)
		r = configuration(b);
	return r < 0 ? r : script(b);
}

/* Ends as dnsmasq does. */
static int serve(const struct netboot *b)
{
	_cleanup_(freep) char *conf = xasprintf("--conf-file=%s/dnsmasq.conf", b->dir);
	const char *const argv[] = {"dnsmasq", "--keep-in-foreground", "--log-facility=-", conf,
				    NULL};

	if (!b->o->interface)
		return err_set(b->e, -EINVAL, "--interface is needed: where the machines are");
	if (geteuid() != 0)
		return err_set(b->e, -EPERM,
			       "the ports of DHCP and TFTP are root's: run it as root");
	fflush(stdout);
	execvp(argv[0], (char *const *)argv);
	if (errno == ENOENT)
		err_help(b->e, "it is Debian's: apt install dnsmasq-base");
	return err_errno(b->e, -errno, "start dnsmasq");
}

static void told(const struct netboot *b, bool serving)
{
	printf("%s: %zu machine%s, %s\n", b->dir, b->n_machines, b->n_machines == 1 ? "" : "s",
	       *b->first ? "with addresses from here"
			 : "with addresses of the DHCP server that is there");
	if (serving)
		printf("Serving them on %s until Ctrl-C; what follows is dnsmasq's.\n",
		       b->o->interface);
	else
		printf("dnsmasq --keep-in-foreground --conf-file=%s/dnsmasq.conf serves it, and so does "
		       "`manor netboot serve`.\n",
		       b->dir);
}

static char *absolute(const char *dir)
{
	_cleanup_(freep) char *here = NULL;

	if (*dir == '/')
		return xstrdup(dir);
	here = getcwd(NULL, 0);
	return xasprintf("%s/%s", here ? here : "", dir);
}

int verb_netboot(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "from",  "interface", "network",
					      "mac",  "range", "operands",  NULL};
	_cleanup_manifest_ struct manifest *m = NULL;
	_cleanup_(freep) char *dir = NULL;
	_cleanup_err_ struct err e = {0};
	struct netboot b = {.e = &e};
	struct options o;
	bool serving;
	int at, r = options_read(argc, argv, accepts, &o, &at);

	if (r)
		return r < 0 ? EXIT_FINE : r;
	serving = at < argc && streq(argv[at], "serve");
	if (argc - at != 2 || (!serving && !streq(argv[at], "write"))) {
		fprintf(stderr,
			"manor netboot: say `manor netboot write DIR` or `manor netboot serve DIR`\n");
		return EXIT_BAD;
	}
	m = manifest_open_for(&o, NULL);
	if (!m)
		return EXIT_BAD;
	dir = absolute(argv[at + 1]);
	b.dir = dir;
	b.o = &o;
	b.manifest = m;
	r = write_all(&b);
	if (r >= 0) {
		told(&b, serving);
		r = serving ? serve(&b) : 0;
	}
	str_done(&b.machines);
	if (r >= 0)
		return EXIT_FINE;
	fprintf(stderr, "manor netboot: %s\n", e.message);
	if (e.help)
		fprintf(stderr, "  help: %s\n", e.help);
	return r == -EINVAL ? EXIT_BAD : EXIT_FAILED;
}
