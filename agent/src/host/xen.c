/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Reading Xen: libxl lists the domains, xenstore says the rest. Devices are read where libxl keeps
 * its own list of them (/libxl/D/device), which no guest can write; the bridge of a vif is asked of
 * the kernel, for a person may have moved it.
 */
#include "host/paths.h"
#include "host/xen_ctx.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>

#include "base/json.h"

#define PAGE       4096u
#define KIB        1024u
#define RECORD_MAX (64u << 10) /* libxl's has some thousand bytes */

const char *const xen_type_words[] = {"pv", "pvh", "hvm", NULL};
const char *const xen_state_words[] = {"running", "paused", "shutdown", "dying", NULL};
const char *const xen_reason_words[] = {"poweroff", "reboot",     "suspend", "crash",
					"watchdog", "soft-reset", NULL};

/* Takes malloc'ed text into the arena. */
static const char *keep(struct arena *a, char *text)
{
	const char *s = arena_strdup(a, text);

	free(text);
	return s;
}

static const char *keep_full(struct arena *a, char *text)
{
	const char *s = keep(a, text);

	return s && *s ? s : NULL;
}

static int by_devid(const void *a, const void *b)
{
	/* xen_disk and xen_nic alike begin with record and devid. */
	const struct xen_nic *x = *(void *const *)a, *y = *(void *const *)b;

	return x->devid < y->devid ? -1 : x->devid > y->devid;
}

/* A device's backend is dom0's, but for who uses driver domains: those it is asked of libxl. */
static char *backend_of(struct xen_ctx *x, int domid, const char *type, const char *id,
			const char *key, char **ret_value)
{
	char *b = xasprintf("/local/domain/0/backend/%s/%d/%s", type, domid, id);

	*ret_value = xen_get(x, "%s/%s", b, key);
	if (*ret_value)
		return b;
	free(b);
	b = xen_get(x, "/libxl/%d/device/%s/%s/backend", domid, type, id);
	if (b)
		*ret_value = xen_get(x, "%s/%s", b, key);
	return b;
}

/* xen-vbd-interface(7), the other way round; NULL for numbers beyond the plain names. */
static const char *vdev_of(struct arena *a, int64_t devid)
{
	int64_t disk = devid >> 4 & 15, part = devid & 15;
	const char *prefix = devid >> 8 == 202 ? "xvd" : devid >> 8 == 8 ? "sd" : NULL;

	if (devid >> 8 == 3 || devid >> 8 == 22) {
		disk = (devid >> 8 == 22 ? 2 : 0) + (devid >> 6 & 3);
		part = devid & 63;
		prefix = "hd";
	}
	if (!prefix)
		return NULL;
	if (part == 0)
		return arena_printf(a, "%s%c", prefix, (char)('a' + disk));
	return arena_printf(a, "%s%c%lld", prefix, (char)('a' + disk), (long long)part);
}

/* dom0's end is told to the kernel by the hotplug program, which says so. A device model's has none. */
static bool plugged(struct xen_ctx *x, const char *backend)
{
	_cleanup_(freep) char *status = xen_get(x, "%s/hotplug-status", backend);
	_cleanup_(freep) char *script = status ? NULL : xen_get(x, "%s/script", backend);

	return status ? streq(status, "connected") : !script;
}

static void read_disks(struct xen_ctx *x, struct arena *a, struct xen_domain *d)
{
	int domid = (int)d->domid;
	unsigned n;
	_cleanup_(freep) char **ids = xen_dir(x, &n, "/libxl/%d/device/vbd", domid);

	for (unsigned i = 0; ids && i < n; i++) {
		char *value;
		_cleanup_(freep) char *b = backend_of(x, domid, "vbd", ids[i], "params", &value);
		const char *params = keep_full(a, value);
		_cleanup_(freep) char *mode = NULL, *type = NULL;
		struct xen_disk *disk;

		if (!b)
			continue;
		disk = arena_alloc(a, sizeof(*disk));
		disk->devid = atoll(ids[i]);
		disk->vdev = vdev_of(a, disk->devid);
		if (!disk->vdev)
			disk->vdev = keep(a, xen_get(x, "%s/dev", b));
		/* "aio:/path" of a device model, "/dev/…" of the kernel's own backend, or a URI. */
		if (params && params[0] != '/' && strchr(params, ':') && !strstr(params, "://"))
			params = strchr(params, ':') + 1;
		disk->target = params && *params ? params : NULL;
		disk->id = params && params[0] == '/' ? path_id(a, params) : NULL;
		mode = xen_get(x, "%s/mode", b);
		disk->read_only = startswith(mode, "r");
		type = xen_get(x, "%s/device-type", b);
		disk->cdrom = streq(type, "cdrom");
		disk->connected = xen_get_int(x, 0, "%s/state", b) == 4;
		disk->unplugged = !disk->connected && !plugged(x, b);
		list_add(a, &d->disks, disk);
	}
	if (d->disks.n)
		qsort(d->disks.items, d->disks.n, sizeof(*d->disks.items), by_devid);
}

bool xen_vif_bridge(const char *vif, char ret[IF_NAMESIZE])
{
	char path[96], link[PATH_MAX];
	const char *name;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/class/net/%s/master", vif);
	n = readlink(path, link, sizeof(link) - 1);
	link[MAX_OF(n, (ssize_t)0)] = '\0';
	name = strrchr(link, '/');
	snprintf(ret, IF_NAMESIZE, "%s", name ? name + 1 : "");
	return if_nametoindex(vif) != 0;
}

bool xen_vif_name(struct xen_ctx *x, const char *backend, int64_t domid, int64_t devid,
		  char ret[IF_NAMESIZE])
{
	_cleanup_(freep) char *other = NULL;

	snprintf(ret, IF_NAMESIZE, "vif%d.%d", (int)domid, (int)devid);
	if (if_nametoindex(ret))
		return true;
	other = xen_get(x, "%s/vifname", backend);
	if (!other || strlen(other) >= IF_NAMESIZE || !if_nametoindex(other))
		return false;
	snprintf(ret, IF_NAMESIZE, "%s", other);
	return true;
}

/* The bridge of a card that is emulated as well: where its two ends differ, that of the guest that has no drivers for Xen,
 * so that it is seen until both are where they should be. NULL: none. */
static const char *card_bridge(struct arena *a, const char *vif)
{
	char bridge[IF_NAMESIZE], tap[IF_NAMESIZE + 8];

	snprintf(tap, sizeof(tap), "%s-emu", vif);
	if (!xen_vif_bridge(tap, bridge))
		xen_vif_bridge(vif, bridge);
	return bridge[0] ? arena_strdup(a, bridge) : NULL;
}

static void read_nics(struct xen_ctx *x, struct arena *a, struct xen_domain *d)
{
	int domid = (int)d->domid;
	unsigned n;
	_cleanup_(freep) char **ids = xen_dir(x, &n, "/libxl/%d/device/vif", domid);

	for (unsigned i = 0; ids && i < n; i++) {
		char *mac;
		_cleanup_(freep) char *b = backend_of(x, domid, "vif", ids[i], "mac", &mac);
		struct xen_nic *nic;
		char vif[IF_NAMESIZE];

		for (char *s = mac; s && *s; s++)
			*s = (char)tolower((unsigned char)*s);
		mac = (char *)keep_full(a, mac);
		if (!b)
			continue;
		nic = arena_alloc(a, sizeof(*nic));
		nic->devid = atoll(ids[i]);
		nic->mac = mac;
		if (xen_vif_name(x, b, domid, nic->devid, vif)) {
			nic->vif = arena_strdup(a, vif);
			nic->bridge = card_bridge(a, vif);
		} else {
			/* It isn't there yet. */
			nic->bridge = keep_full(a, xen_get(x, "%s/bridge", b));
		}
		nic->connected = xen_get_int(x, 0, "%s/state", b) == 4;
		nic->unplugged = !nic->connected && !plugged(x, b);
		list_add(a, &d->nics, nic);
	}
	if (d->nics.n)
		qsort(d->nics.items, d->nics.n, sizeof(*d->nics.items), by_devid);
}

static void hide(char **password)
{
	if (!*password || !**password)
		return;
	free(*password);
	*password = xstrdup("*");
}

/* What it was told to make, as the text that it keeps; without what is nobody's business. */
static const char *record_text(struct xen_ctx *x, struct arena *a, libxl_domain_config *c)
{
	_cleanup_(freep) char *text = NULL;
	_cleanup_json_ json_object *o = NULL;

	if (c->b_info.type == LIBXL_DOMAIN_TYPE_HVM) {
		hide(&c->b_info.u.hvm.vnc.passwd);
		hide(&c->b_info.u.hvm.spice.passwd);
	}
	for (int i = 0; i < c->num_vfbs; i++)
		hide(&c->vfbs[i].vnc.passwd);
	text = libxl_domain_config_to_json(x->xl, c);
	if (!text || strlen(text) > RECORD_MAX)
		return NULL;
	o = json_parse(text, strlen(text), NULL);
	return o ? arena_strdup(a, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN))
		 : NULL;
}

/* libxl's own record, for domains that others made. */
static void read_record(struct xen_ctx *x, struct arena *a, struct xen_domain *d)
{
	libxl_domain_config c;
	int rc;

	libxl_domain_config_init(&c);
	rc = libxl_retrieve_domain_configuration(x->xl, (uint32_t)d->domid, &c, NULL);
	if (rc == 0) {
		d->boot_known = true;
		d->kernel = arena_strdup(a, c.b_info.kernel);
		d->initrd = arena_strdup(a, c.b_info.ramdisk);
		d->cmdline = arena_strdup(a, c.b_info.cmdline);
		if (c.b_info.bootloader && *c.b_info.bootloader) {
			d->boot_known = false;
			d->why = arena_printf(a, "%s took it from the guest's disk",
					      c.b_info.bootloader);
		}
		d->record = record_text(x, a, &c);
	} else {
		d->why = arena_printf(a, "libxl has no record of it (%s)",
				      libxl_error_to_string(rc));
	}
	x->log.n = 0;
	libxl_domain_config_dispose(&c);
}

static void read_about(struct arena *a, const char *about, struct xen_domain *d)
{
	_cleanup_(freep) char *copy = xstrdup(about);
	char *rest = copy, *line;

	while ((line = strsep(&rest, "\n"))) {
		char *value = strchr(line, '=');

		if (!value)
			continue;
		*value++ = '\0';
		if (streq(line, "name"))
			d->mark_name = arena_strdup(a, value);
		else if (streq(line, "kernel"))
			d->kernel = arena_strdup(a, value);
		else if (streq(line, "initrd"))
			d->initrd = arena_strdup(a, value);
		else if (streq(line, "cmdline"))
			d->cmdline = arena_strdup(a, value);
		else if (streq(line, "console"))
			d->console_from = MAX_OF(atoll(value), 0);
		else if (streq(line, "serial"))
			d->serial_from = MAX_OF(atoll(value), 0);
		else if (streq(line, "discs"))
			d->discs = streq(value, "1");
		else if (streq(line, "restored"))
			d->restored = streq(value, "1");
		else if (streq(line, "started"))
			d->started = MAX_OF(atoll(value), 0);
		else if (streq(line, "shutdown_timeout"))
			d->shutdown_timeout = MAX_OF(atoll(value), 0);
		else if (streq(line, "type"))
			for (int i = 0; xen_type_words[i]; i++)
				if (streq(value, xen_type_words[i]))
					d->type = i;
	}
	/* A machine that starts by its firmware has no kernel. */
	d->boot_known = d->kernel || d->type == XEN_HVM;
}

void xen_read_mark(struct xen_ctx *x, struct arena *a, struct xen_domain *d)
{
	_cleanup_(freep) char *about = NULL;

	d->mark_uuid = keep_full(a, xen_get(x, "/local/domain/%d/manor/uuid", (int)d->domid));
	if (!d->mark_uuid)
		return;
	d->mark_state = keep_full(a, xen_get(x, "/local/domain/%d/manor/state", (int)d->domid));
	about = xen_get(x, "/local/domain/%d/manor/about", (int)d->domid);
	if (about)
		read_about(a, about, d);
	d->name = d->mark_name;
}

/* What else Manor has noted of it. */
static void read_notes(struct xen_ctx *x, struct arena *a, struct xen_domain *d)
{
	d->paused_for = keep_full(a, xen_get(x, "/local/domain/%d/manor/paused", (int)d->domid));
	if (d->paused_for && !*d->paused_for)
		d->paused_for = NULL;
	d->ready = xen_get_int(x, 0, "/local/domain/%d/manor/ready", (int)d->domid) > 0;
	xen_read_saving(x, d->domid, &d->saving, &d->saving_since);
	d->settings = keep_full(a, xen_get(x, "/local/domain/%d/manor/settings", (int)d->domid));
}

static void read_unmarked(struct xen_ctx *x, struct arena *a, struct xen_domain *d)
{
	_cleanup_(freep) char *type = xen_get(x, "/libxl/%d/type", (int)d->domid);
	_cleanup_(freep) char *start = NULL;

	for (int k = 0; type && xen_type_words[k]; k++)
		if (streq(type, xen_type_words[k]))
			d->type = k;
	start = xen_get(x, "/vm/%s/start_time", d->uuid); /* "1795752829.75" */
	d->started = start ? MAX_OF(atoll(start), 0) : 0;
	read_record(x, a, d);
}

static void read_vcpus(struct xen_ctx *x, struct xen_domain *d)
{
	int domid = (int)d->domid;

	d->vcpus = 1; /* the first can't be taken away */
	for (int64_t i = 1; i < d->maxvcpus; i++) {
		_cleanup_(freep) char *s =
			xen_get(x, "/local/domain/%d/cpu/%lld/availability", domid, (long long)i);

		if (streq(s, "online"))
			d->vcpus++;
	}
}

/* libxl asks QEMU for it once it is there. */
static const char *read_vnc(struct xen_ctx *x, struct arena *a, int domid)
{
	_cleanup_(freep) char *port = xen_get(x, "/local/domain/%d/console/vnc-port", domid);
	_cleanup_(freep) char *on =
		port ? xen_get(x, "/local/domain/%d/console/vnc-listen", domid) : NULL;

	if (!port || !*port || !on)
		return NULL;
	return arena_printf(a, strchr(on, ':') && on[0] != '[' ? "[%s]:%s" : "%s:%s", on, port);
}

/* What has no name yet may be the one that is asked for. */
static bool asked_for(const struct xen_domain *d, const char *name, const char *uuid)
{
	if (!name && !uuid)
		return true;
	return !d->name || streq(d->name, name) || streq(d->mark_uuid, uuid) ||
	       streq(d->uuid, uuid);
}

static void read_domain(struct xen_ctx *x, struct arena *a, const libxl_dominfo *i,
			const char *name, const char *uuid_asked, struct xen_domain *d)
{
	char uuid[LIBXL_UUID_FMTLEN + 1];

	d->domid = i->domid;
	snprintf(uuid, sizeof(uuid), LIBXL_UUID_FMT, LIBXL_UUID_BYTES(i->uuid));
	d->uuid = arena_strdup(a, uuid);
	d->state = i->dying      ? XEN_DYING
		   : i->shutdown ? XEN_SHUTDOWN
		   : i->paused   ? XEN_PAUSED
				 : XEN_RUNNING;
	/* Both count as sched.h does; what it doesn't say is no orderly end. */
	d->reason = (int)i->shutdown_reason;
	if (d->reason < XEN_POWEROFF || d->reason > XEN_SOFT_RESET)
		d->reason = XEN_CRASH;
	d->ran = i->cpu_time > 0;
	d->memory_now = i->current_memkb * KIB;
	d->vcpus_now = i->vcpu_online;
	d->maxvcpus = xen_max_vcpus(i);
	d->type = i->domain_type == LIBXL_DOMAIN_TYPE_PV    ? XEN_PV
		  : i->domain_type == LIBXL_DOMAIN_TYPE_PVH ? XEN_PVH
							    : XEN_HVM;
	if (i->dying) {
		/* Its keys in xenstore may be gone or, worse, half gone. */
		d->memory = d->maxmem = d->memory_now;
		d->vcpus = d->vcpus_now;
		d->why = "it is being destroyed";
		return;
	}
	xen_read_mark(x, a, d);
	if (!d->mark_uuid)
		d->name = keep_full(a, xen_get(x, "/local/domain/%d/name", (int)d->domid));
	if (!asked_for(d, name, uuid_asked)) {
		d->why = "not asked for";
		return;
	}
	d->memory = (uint64_t)xen_target_kb(x, i) * KIB;
	d->maxmem = (uint64_t)xen_target_most(x, i) * KIB;
	read_vcpus(x, d);
	if (d->mark_uuid)
		read_notes(x, a, d);
	else
		read_unmarked(x, a, d);
	if (d->mark_uuid && !d->boot_known)
		d->why = "its marks do not say";
	d->vnc = read_vnc(x, a, (int)d->domid);
	xen_read_shares(x, a, d);
	read_disks(x, a, d);
	read_nics(x, a, d);
	xen_read_pci(x, a, d);
	xen_read_usb(x, a, d);
}

static int by_domid(const void *a, const void *b)
{
	const libxl_dominfo *x = a, *y = b;

	return x->domid < y->domid ? -1 : x->domid > y->domid;
}

/* How high they are numbered: with smt=0 every second processor is missing. */
static void read_numbers(struct xen_ctx *x, struct xen_facts *ret)
{
	int n = 0;
	libxl_cputopology *list = libxl_get_cpu_topology(x->xl, &n);

	for (int i = 0; list && i < n; i++) {
		if (list[i].core == LIBXL_CPUTOPOLOGY_INVALID_ENTRY)
			continue;
		ret->cpus = MAX_OF(ret->cpus, (int64_t)i + 1);
		if (list[i].node != LIBXL_CPUTOPOLOGY_INVALID_ENTRY)
			ret->nodes = MAX_OF(ret->nodes, (int64_t)list[i].node + 1);
	}
	if (list)
		libxl_cputopology_list_free(list, n);
}

static int read_host(struct xen_ctx *x, struct arena *a, struct xen_facts *ret, struct err *e)
{
	const libxl_version_info *v = libxl_get_version_info(x->xl);
	libxl_physinfo p;
	int rc;

	if (!v)
		return xen_fail(x, e, -EIO, ERROR_FAIL, "ask Xen for its version");
	ret->version = arena_printf(a, "%d.%d%s", v->xen_version_major, v->xen_version_minor,
				    v->xen_version_extra);
	ret->cmdline = arena_strdup(a, v->commandline ? v->commandline : "");
	libxl_physinfo_init(&p);
	rc = libxl_get_physinfo(x->xl, &p);
	if (rc)
		return xen_fail(x, e, -EIO, rc, "ask Xen for its memory");
	ret->memory_total = p.total_pages * PAGE;
	ret->memory_free = p.free_pages + p.scrub_pages;
	ret->memory_free -= MIN_OF(p.outstanding_pages, ret->memory_free);
	ret->memory_free *= PAGE;
	ret->cpus = p.nr_cpus;
	ret->nodes = p.nr_nodes;
	read_numbers(x, ret);

	const struct {
		bool has;
		const char *word;
	} caps[] = {
		{p.cap_pv, "pv"},
		{p.cap_hvm, "hvm"},
		{p.cap_hap, "hap"},
		{p.cap_shadow, "shadow"},
		{p.cap_hvm_directio, "hvm_directio"},
		{p.cap_pv && p.cap_hvm_directio, "pv_directio"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(caps); i++)
		if (caps[i].has)
			list_add(a, &ret->virt_caps, (void *)caps[i].word);
	libxl_physinfo_dispose(&p);
	return 0;
}

int xen_read(struct arena *a, const char *name, const char *uuid, struct xen_facts *ret,
	     struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	libxl_dominfo *list;
	int n, r;

	r = xen_ctx_open(&x, e);
	if (r < 0)
		return r;
	r = read_host(&x, a, ret, e);
	if (r < 0)
		return r;
	list = libxl_list_domain(x.xl, &n);
	if (!list)
		return xen_fail(&x, e, -EIO, ERROR_FAIL, "list the domains");
	qsort(list, (size_t)n, sizeof(*list), by_domid);
	xen_read_pci_marks(&x, a, ret);
	for (int i = 0; i < n; i++) {
		struct xen_domain *d;

		if (list[i].domid == 0) {
			ret->dom0_memory = list[i].current_memkb * KIB;
			ret->dom0_vcpus = list[i].vcpu_online;
			continue;
		}
		d = arena_alloc(a, sizeof(*d));
		read_domain(&x, a, &list[i], name, uuid, d);
		list_add(a, &ret->domains, d);
	}
	libxl_dominfo_list_free(list, n);
	return 0;
}
