/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Making a domain: look for remains and rivals, see that it fits, let libxl build it paused with our
 * marks in the creating call, anew or of what was saved, mark it ready, unpause it.
 */
#include "host/xen_ctx.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/str.h"

#define KIB           1024u
#define HOTPLUG       MANOR_LIB "/hotplug"
#define ABOUT_MAX     1900 /* xenstored's default limit for a value is 2048 */
#define FREE_WAIT_S   15   /* for the memory of domains that are being destroyed */
#define MODEL_LOG_MAX (64u << 10)
#define TARGET_WAIT_S 5 /* for udev to make a volume's link */

static char *dup_or_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

void xen_disk_config(libxl_device_disk *ret, const struct xen_disk *disk, bool hvm)
{
	libxl_device_disk_init(ret);
	ret->pdev_path = dup_or_null(disk->target);
	ret->vdev = xstrdup(disk->vdev);
	ret->backend = LIBXL_DISK_BACKEND_PHY;
	ret->format = LIBXL_DISK_FORMAT_RAW;
	ret->readwrite = !disk->read_only;
	/* A drive's disc is QEMU's own, file or not: nothing is attached for it. */
	if (hvm && disk->cdrom) {
		ret->backend = LIBXL_DISK_BACKEND_QDISK;
		ret->is_cdrom = ret->removable = 1;
		ret->readwrite = 0;
		if (!disk->target)
			ret->format = LIBXL_DISK_FORMAT_EMPTY;
		return;
	}
	libxl_defbool_set(&ret->discard_enable, !disk->read_only);
	if (access(HOTPLUG, X_OK) == 0)
		ret->script = xstrdup(HOTPLUG);
}

void xen_nic_config(libxl_device_nic *ret, const struct xen_nic *nic)
{
	unsigned b[6];

	libxl_device_nic_init(ret);
	ret->bridge = xstrdup(nic->bridge);
	ret->nictype = nic->model ? LIBXL_NIC_TYPE_VIF_IOEMU : LIBXL_NIC_TYPE_VIF;
	if (nic->model)
		ret->model = xstrdup(nic->model);
	if (sscanf(nic->mac, "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) ==
	    6)
		for (int i = 0; i < 6; i++)
			ret->mac[i] = (uint8_t)b[i];
	if (access(HOTPLUG, X_OK) == 0)
		ret->script = xstrdup(HOTPLUG);
}

int xen_disk_check(const struct xen_disk *disk, struct err *e)
{
	double until = xen_clock() + TARGET_WAIT_S;

	if (!disk->target || strstr(disk->target, "://"))
		return 0; /* the network's: whoever connects it finds out */
	while (access(disk->target, F_OK) < 0) {
		if (errno == ENOENT && xen_clock() < until) {
			usleep(100000);
			continue;
		}
		if (disk->label)
			err_at(e, "disks.%s", disk->label);
		return err_errno(e, -errno, "%s", disk->target);
	}
	return 0;
}

int xen_nic_check(const struct xen_nic *nic, struct err *e)
{
	if (if_nametoindex(nic->bridge))
		return 0;
	if (nic->label)
		err_at(e, "nics.%s.bridge", nic->label);
	return err_set(e, -ENOENT, "this host has no bridge '%s'", nic->bridge);
}

static int boot_check(const char *path, const char *field, struct err *e)
{
	if (!path)
		return 0;
	if (strpbrk(path, "\n\r")) {
		err_at(e, "%s", field);
		return err_set(e, -EINVAL, "a path of one line is needed");
	}
	if (access(path, R_OK) == 0)
		return 0;
	err_at(e, "%s", field);
	return err_errno(e, -errno, "%s", path);
}

/* `boots`: it isn't in memory yet. */
static int check(const struct xen_domain *d, bool boots, struct err *e)
{
	int r = boots ? boot_check(d->kernel, "kernel", e) : 0;

	if (r == 0 && boots)
		r = boot_check(d->image, "kernel", e);
	if (r == 0 && boots)
		r = boot_check(d->initrd, "initrd", e);
	for (size_t i = 0; r == 0 && i < d->disks.n; i++)
		r = xen_disk_check(d->disks.items[i], e);
	for (size_t i = 0; r == 0 && i < d->nics.n; i++)
		r = xen_nic_check(d->nics.items[i], e);
	return r;
}

/* "KEY=VALUE\n", unless there is no value. */
static void about(struct str *s, const char *key, const char *value)
{
	if (value && *value)
		str_addf(s, "%s=%s\n", key, value);
}

/* What is in its console's log already is an earlier start's. */
static int64_t console_bytes(const char *name)
{
	_cleanup_(freep) char *path = xasprintf(XEN_CONSOLE_LOG, name);
	struct stat st;

	return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

static int marks(const struct xen_domain *d, char ***ret, struct err *e)
{
	_cleanup_str_ struct str text = {0};
	char **list;
	size_t n = 0;

	about(&text, "name", d->name);
	about(&text, "type", xen_type_words[d->type]);
	str_addf(&text, "started=%lld\nshutdown_timeout=%lld\n", (long long)time(NULL),
		 (long long)d->shutdown_timeout);
	str_addf(&text, "console=%lld\n", (long long)console_bytes(d->name));
	about(&text, "kernel", d->kernel);
	about(&text, "initrd", d->initrd);
	about(&text, "cmdline", d->cmdline);
	if (text.n > ABOUT_MAX) {
		err_at(e, "kernel");
		return err_set(e, -ENAMETOOLONG,
			       "paths and command line together have more than %d bytes",
			       ABOUT_MAX);
	}
	if (d->settings && strlen(d->settings) > XEN_SETTINGS_MAX)
		return err_set(e, -ENAMETOOLONG, "its settings together have more than %d bytes",
			       XEN_SETTINGS_MAX);
	list = xcalloc(13, sizeof(*list));
	list[n++] = xstrdup("manor/uuid");
	list[n++] = xstrdup(d->uuid);
	list[n++] = xstrdup("manor/state");
	list[n++] = xstrdup("building");
	list[n++] = xstrdup("manor/about");
	list[n++] = str_take(&text);
	if (d->settings) {
		list[n++] = xstrdup("manor/settings");
		list[n++] = xstrdup(d->settings);
	}
	if (d->paused_for) {
		list[n++] = xstrdup("manor/paused");
		list[n++] = xstrdup(d->paused_for);
	}
	if (d->ready) {
		list[n++] = xstrdup("manor/ready");
		list[n++] = xstrdup("1");
	}
	*ret = list;
	return 0;
}

static int configure(struct xen_ctx *x, const struct xen_domain *d, libxl_domain_config *c,
		     struct err *e)
{
	libxl_domain_type type = d->type == XEN_PV    ? LIBXL_DOMAIN_TYPE_PV
				 : d->type == XEN_PVH ? LIBXL_DOMAIN_TYPE_PVH
						      : LIBXL_DOMAIN_TYPE_HVM;
	int r;

	c->c_info.type = type;
	c->c_info.name = xstrdup(d->name);
	r = marks(d, &c->c_info.xsdata, e);
	if (r < 0)
		return r;
	if (libxl_uuid_from_string(&c->c_info.uuid, d->uuid))
		return err_set(e, -EINVAL, "'%s' is no UUID", d->uuid);
	libxl_domain_build_info_init_type(&c->b_info, type);
	c->b_info.max_memkb = MAX_OF(d->maxmem, d->memory) / KIB;
	c->b_info.target_memkb = d->memory / KIB;
	c->b_info.max_vcpus = (int)MAX_OF(d->maxvcpus, d->vcpus);
	/* Claimed first, so that of two made at once the second fails at the start. */
	libxl_defbool_set(&c->b_info.claim_mode, true);
	c->b_info.kernel = dup_or_null(d->image ? d->image : d->kernel);
	c->b_info.ramdisk = dup_or_null(d->initrd);
	/* Of a kernel; libxl takes an empty one for one that is meant. */
	c->b_info.cmdline = d->kernel && d->cmdline && *d->cmdline ? xstrdup(d->cmdline) : NULL;
	if (libxl_cpu_bitmap_alloc(x->xl, &c->b_info.avail_vcpus, c->b_info.max_vcpus))
		return err_set(e, -ENOMEM, "out of memory");
	for (int i = 0; i < d->vcpus; i++)
		libxl_bitmap_set(&c->b_info.avail_vcpus, i);
	r = xen_hardware_config(x, d, c, e);
	if (r < 0)
		return r;

	c->disks = xcalloc(d->disks.n, sizeof(*c->disks));
	for (size_t i = 0; i < d->disks.n; i++)
		xen_disk_config(&c->disks[c->num_disks++], d->disks.items[i], d->type == XEN_HVM);
	c->nics = xcalloc(d->nics.n, sizeof(*c->nics));
	for (size_t i = 0; i < d->nics.n; i++)
		xen_nic_config(&c->nics[c->num_nics++], d->nics.items[i]);
	return 0;
}

static int free_now(struct xen_ctx *x, uint64_t *ret_kb, bool *ret_dying, struct err *e)
{
	libxl_dominfo *list;
	libxl_physinfo p;
	uint64_t pages;
	int rc, n;

	libxl_physinfo_init(&p);
	rc = libxl_get_physinfo(x->xl, &p);
	if (rc)
		return xen_fail(x, e, -EIO, rc, "ask Xen for its memory");
	pages = p.free_pages + p.scrub_pages;
	pages -= MIN_OF(p.outstanding_pages, pages);
	libxl_physinfo_dispose(&p);
	*ret_kb = pages * 4;
	*ret_dying = false;
	list = libxl_list_domain(x->xl, &n);
	for (int i = 0; list && i < n; i++)
		*ret_dying |= list[i].dying;
	if (list)
		libxl_dominfo_list_free(list, n);
	return 0;
}

static uint64_t mib_up(uint64_t kb)
{
	return (kb + KIB - 1) / KIB;
}

static int does_not_fit(uint64_t need_kb, uint64_t free_kb, struct err *e)
{
	err_at(e, "memory");
	err_help(e, "lower its memory, stop a domain, or lower dom0's memory (a host reboot)");
	return err_set(e, -ENOMEM, "does not fit: needs %llu MiB, Xen has %llu MiB free",
		       (unsigned long long)mib_up(need_kb), (unsigned long long)free_kb / KIB);
}

/* Whether it fits, waiting for what destroyed domains still give back. */
static int admit(struct xen_ctx *x, libxl_domain_config *c, const struct xen_watcher *w,
		 struct err *e)
{
	double until = xen_clock() + FREE_WAIT_S;
	uint64_t need, free_kb = 0;
	bool dying = false;
	int rc, r;

	rc = libxl_domain_need_memory(x->xl, c, INVALID_DOMID, &need);
	if (rc)
		return xen_fail(x, e, -EIO, rc, "reckon the memory that it needs");
	for (;;) {
		r = free_now(x, &free_kb, &dying, e);
		if (r < 0 || free_kb >= need)
			return r;
		if (!dying || xen_clock() > until)
			break;
		xen_tell(w, "waiting for memory: needs %llu MiB, Xen has %llu MiB free",
			 (unsigned long long)mib_up(need), (unsigned long long)free_kb / KIB);
		usleep(200000);
	}
	return does_not_fit(need, free_kb, e);
}

static int fits_instead(struct xen_ctx *x, libxl_domain_config *c, int64_t instead_of,
			struct err *e)
{
	uint64_t need, free_kb, back = 0;
	libxl_dominfo info;
	bool dying;
	int rc, r;

	if (instead_of) {
		r = xen_info(x, instead_of, &info, e);
		if (r < 0)
			return r;
		back = info.current_memkb;
	}
	rc = libxl_domain_need_memory(x->xl, c, INVALID_DOMID, &need);
	if (rc)
		return xen_fail(x, e, -EIO, rc, "reckon the memory that it needs");
	r = free_now(x, &free_kb, &dying, e);
	/* What is being given back is waited for, later. */
	if (r < 0 || dying || free_kb + back >= need)
		return r;
	return does_not_fit(need, free_kb + back, e);
}

int xen_ready(const struct xen_domain *d, int64_t instead_of, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x = {0};
	libxl_domain_config c;
	int r = check(d, true, e);

	if (r == 0)
		r = xen_ctx_open(&x, e);
	if (r < 0)
		return r;
	libxl_domain_config_init(&c);
	r = configure(&x, d, &c, e);
	if (r == 0)
		r = fits_instead(&x, &c, instead_of, e);
	libxl_domain_config_dispose(&c);
	return r;
}

/* What is left of an earlier try is destroyed; a whole domain of that UUID or name is -EEXIST, for
 * Xen itself would take a second one of the same UUID. */
static int clear(struct xen_ctx *x, const struct xen_domain *d, struct err *e)
{
	libxl_uuid uuid;
	libxl_dominfo *list;
	uint32_t rival;
	int n, r = 0;

	if (libxl_uuid_from_string(&uuid, d->uuid))
		return err_set(e, -EINVAL, "'%s' is no UUID", d->uuid);
	list = libxl_list_domain(x->xl, &n);
	if (!list)
		return xen_fail(x, e, -EIO, ERROR_FAIL, "list the domains");
	for (int i = 0; r == 0 && i < n; i++) {
		_cleanup_(freep) char *state = NULL;

		if (list[i].dying || libxl_uuid_compare(&list[i].uuid, &uuid) != 0)
			continue;
		state = xen_get(x, "/local/domain/%u/manor/state", list[i].domid);
		if (list[i].cpu_time > 0 || streq(state, "ready"))
			r = err_set(e, -EEXIST, "domain %u has its UUID and is there already",
				    list[i].domid);
		else
			r = xen_end(x, list[i].domid, e);
	}
	libxl_dominfo_list_free(list, n);
	if (r == 0 && libxl_name_to_domid(x->xl, d->name, &rival) == 0)
		r = err_set(e, -EEXIST, "domain %u, not made by Manor, is named '%s'", rival,
			    d->name);
	x->log.n = 0;
	return r;
}

static int finish(int64_t domid, bool runs, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	libxl_dominfo info;
	int rc, r = xen_open_domain(&x, domid, &info, e);

	if (r == 0)
		r = xen_put(&x, e, "ready", "/local/domain/%d/manor/state", (int)domid);
	if (r < 0 || !runs)
		return r;
	rc = libxl_domain_unpause(x.xl, (uint32_t)domid, NULL);
	return rc ? xen_fail(&x, e, -EIO, rc, "unpause") : 0;
}

int xen_unpause(int64_t domid, struct err *e)
{
	return finish(domid, true, e);
}

int xen_hold(int64_t domid, struct err *e)
{
	return finish(domid, false, e);
}

int xen_pause(int64_t domid, const char *why, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	libxl_dominfo info;
	int rc, r = xen_open_domain(&x, domid, &info, e);

	if (r == 0)
		r = xen_put(&x, e, why, "/local/domain/%d/manor/paused", (int)domid);
	if (r < 0 || info.paused)
		return r;
	rc = libxl_domain_pause(x.xl, (uint32_t)domid, NULL);
	return rc ? xen_fail(&x, e, -EIO, rc, "pause") : 0;
}

int xen_resume(int64_t domid, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	libxl_dominfo info;
	int rc, r = xen_open_domain(&x, domid, &info, e);

	if (r < 0)
		return r;
	rc = info.paused ? libxl_domain_unpause(x.xl, (uint32_t)domid, NULL) : 0;
	if (rc)
		return xen_fail(&x, e, -EIO, rc, "let it go on");
	return xen_put(&x, e, "", "/local/domain/%d/manor/paused", (int)domid);
}

/* libxl says no more of QEMU than that it ended. */
static void quote_model(const struct xen_domain *d, struct err *e)
{
	_cleanup_(freep) char *path = xasprintf("/var/log/xen/qemu-dm-%s.log", d->name);
	_cleanup_(freep) char *text = NULL;
	char *last;
	size_t n;

	if (!(d->type == XEN_HVM || d->hardware->vnc) ||
	    file_read(path, MODEL_LOG_MAX, &text, &n, NULL) < 0)
		return;
	while (n && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		text[--n] = '\0';
	last = strrchr(text, '\n');
	if (n)
		err_help(e, "what QEMU said last (%s): %.200s", path, last ? last + 1 : text);
}

/* Whether it says that the stream itself is no good here: what libxc and libxl say of its records, its version, and of
 * processors that lack what the guest has seen. Only this is final; memory, devices, a program that is missing
 * are tried again. */
static bool stream_refused(const struct xen_log *l)
{
	static const char *const words[] = {
		"Invalid marker", "Invalid id",   "nrecognised", "Unknown stream",    "Truncated",
		"ncompatible",    "CPUID policy", "CPU policy",  "restore a version", "endian"};

	for (unsigned i = 0; i < l->n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(words); k++)
			if (strstr(l->lines[i], words[k]))
				return true;
	return false;
}

static int resurrect(struct xen_ctx *x, const struct xen_domain *d, libxl_domain_config *c, int fd,
		     const struct xen_watcher *w, int64_t *ret_domid, struct err *e)
{
	uint32_t domid = INVALID_DOMID;
	libxl_domain_restore_params params;
	int rc, code;

	xen_tell(w, "reading back what it had in memory");
	libxl_domain_restore_params_init(&params);
	params.stream_version = 2;
	rc = libxl_domain_create_restore(x->xl, c, &domid, fd, -1, &params, NULL, NULL);
	libxl_domain_restore_params_dispose(&params);
	if (rc == 0) {
		*ret_domid = domid;
		return 0;
	}
	code = rc != ERROR_NOMEM && stream_refused(&x->log) ? -EPROTO : -EIO;
	xen_fail(x, e, code, rc, "Xen did not restore it");
	quote_model(d, e);
	if (rc == ERROR_NOMEM)
		err_at(e, "memory");
	return code;
}

static int start(struct xen_ctx *x, const struct xen_domain *d, libxl_domain_config *c,
		 const struct xen_watcher *w, int64_t *ret_domid, struct err *e)
{
	uint32_t domid = INVALID_DOMID;
	int rc, r;

	xen_tell(w, "building: %zu disk%s, %zu interface%s", d->disks.n, d->disks.n == 1 ? "" : "s",
		 d->nics.n, d->nics.n == 1 ? "" : "s");
	rc = libxl_domain_create_new(x->xl, c, &domid, NULL, NULL);
	if (rc) {
		r = xen_fail(x, e, -EIO, rc, "Xen did not make it");
		if (rc == ERROR_NOMEM)
			err_at(e, "memory");
		quote_model(d, e);
		return r;
	}
	xen_tell(w, "starting");
	r = xen_put(x, e, "ready", "/local/domain/%u/manor/state", domid);
	if (r < 0)
		return r;
	rc = d->state == XEN_PAUSED ? 0 : libxl_domain_unpause(x->xl, domid, NULL);
	if (rc)
		return xen_fail(x, e, -EIO, rc, "unpause");
	*ret_domid = domid;
	return 0;
}

/* `fd`: what it had in memory; -1: it starts anew. */
static int make(const struct xen_domain *d, int fd, const struct xen_watcher *w, int64_t *ret_domid,
		struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	libxl_domain_config c;
	int r = xen_ctx_open(&x, e);

	if (r < 0)
		return r;
	r = check(d, fd < 0, e);
	if (r == 0)
		r = clear(&x, d, e);
	if (r < 0)
		return r;
	libxl_domain_config_init(&c);
	r = configure(&x, d, &c, e);
	if (r == 0)
		r = admit(&x, &c, w, e);
	if (r == 0) {
		r = fd < 0 ? start(&x, d, &c, w, ret_domid, e)
			   : resurrect(&x, d, &c, fd, w, ret_domid, e);
		if (r < 0) {
			/* libxl removes what it failed to make, mostly; this is for the rest, and the first
			 * error is the one to tell. What had begun to run is for the next plan to see. */
			_cleanup_err_ struct err ignored = {0};

			clear(&x, d, &ignored);
		}
	}
	libxl_domain_config_dispose(&c);
	return r;
}

int xen_create(const struct xen_domain *d, const struct xen_watcher *w, int64_t *ret_domid,
	       struct err *e)
{
	return make(d, -1, w, ret_domid, e);
}

int xen_restore(const struct xen_domain *d, int fd, const struct xen_watcher *w, int64_t *ret_domid,
		struct err *e)
{
	return make(d, fd, w, ret_domid, e);
}
