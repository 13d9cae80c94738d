/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Making a domain: look for remains and rivals, see that it fits, let libxl build it paused with our
 * marks in the creating call, anew or of what was saved, mark it ready, unpause it.
 */
#include "host/xen_ctx.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/str.h"
#include "host/xen_screen.h"

#define KIB            1024u
#define FREE_WAIT_S    15 /* for the memory of domains that are being destroyed */
#define STAND_IN       "/run/manor/no-disc"
#define STAND_IN_BYTES 2048 /* a sector of a CD's */
#define MODEL_LOG_MAX  (64u << 10)
#define TARGET_WAIT_S  5 /* for udev to make a volume's link */
#define SCREEN_WAIT_S  5 /* for the QEMU of a domain that has just ended */

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

/* libxl says no more than that it could not load its firmware. */
static int uefi_check(const struct xen_domain *d, struct err *e)
{
	bool needed = d->type == XEN_HVM && d->hardware && d->hardware->ovmf;

	return boot_check(needed ? XEN_UEFI : NULL, "firmware", e);
}

/* `boots`: it isn't in memory yet. */
static int check(const struct xen_domain *d, bool boots, struct err *e)
{
	int r = boots ? boot_check(d->kernel, "kernel", e) : 0;

	if (r == 0 && boots)
		r = uefi_check(d, e);
	if (r == 0 && boots)
		r = boot_check(d->image, "kernel", e);
	if (r == 0 && boots)
		r = boot_check(d->initrd, "initrd", e);
	for (size_t i = 0; r == 0 && i < d->disks.n; i++)
		r = xen_disk_check(d->disks.items[i], e);
	for (size_t i = 0; r == 0 && i < d->nics.n; i++)
		r = xen_nic_check(d->nics.items[i], e);
	if (r == 0)
		r = xen_pci_check(NULL, d, e);
	return r < 0 ? r : xen_usb_check(NULL, d, e);
}

static int configure(struct xen_ctx *x, const struct xen_domain *d, libxl_domain_config *c,
		     struct err *e)
{
	_cleanup_xen_place_ struct xen_place p;
	int r = xen_place_read(x, d, &p, e);

	return r < 0 ? r : xen_config(d, &p, c, e);
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

/* What its QEMU has now it will have again. */
static int64_t screen_port(struct xen_ctx *x, int64_t domid)
{
	return domid ? xen_get_int(x, 0, "/local/domain/%d/console/vnc-port", (int)domid) : 0;
}

int xen_ready(const struct xen_domain *d, int64_t instead_of, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x = {0};
	libxl_domain_config c;
	int r = check(d, true, e);

	if (r == 0)
		r = xen_ctx_open(&x, e);
	if (r == 0)
		r = xen_screen_free(d->hardware, screen_port(&x, instead_of), 0, e);
	if (r == 0)
		r = xen_screen_password(d->hardware, e);
	if (r < 0)
		return r;
	libxl_domain_config_init(&c);
	r = configure(&x, d, &c, e);
	if (r == 0)
		r = fits_instead(&x, &c, instead_of, e);
	libxl_domain_config_dispose(&c);
	return r;
}

/* Whether that is what is left of an earlier try, by its mark, or for want of all that a domain is given in one go: a
 * name, and our marks. -EEXIST: a whole one, or somebody else's. */
static int is_remains(struct xen_ctx *x, const struct xen_domain *d, const libxl_dominfo *i,
		      bool same_uuid, struct err *e)
{
	_cleanup_(freep) char *mark = xen_get(x, "/local/domain/%u/manor/uuid", i->domid);
	_cleanup_(freep) char *state = NULL, *name = NULL;
	bool mine = streq(mark, d->mark_uuid);

	if (!mine && !same_uuid)
		return 0;
	name = xen_get(x, "/local/domain/%u/name", i->domid);
	state = xen_get(x, "/local/domain/%u/manor/state", i->domid);
	if (i->cpu_time == 0 && (mine ? !streq(state, "ready") : !mark && !name))
		return 1;
	return err_set(e, -EEXIST, "domain %u%s%s%s has its UUID and is there already", i->domid,
		       name ? " ('" : "", name ? name : "", name ? "')" : "");
}

/* What is left of an earlier try is destroyed; a whole domain of that mark, UUID or name is -EEXIST, for
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
		if (list[i].dying || list[i].domid == 0)
			continue;
		r = is_remains(x, d, &list[i], libxl_uuid_compare(&list[i].uuid, &uuid) == 0, e);
		if (r > 0)
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

/* What libxl is to make empty gets a stand-in for a disc: see xen_disc_change(). */
static int stand_in(libxl_domain_config *c, struct err *e)
{
	for (int i = 0; i < c->num_disks; i++) {
		libxl_device_disk *disk = &c->disks[i];
		_cleanup_(closep) int fd = -1;

		if (disk->format != LIBXL_DISK_FORMAT_EMPTY)
			continue;
		mkdir("/run/manor", 0755);
		fd = open(STAND_IN, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0400);
		if (fd < 0 || ftruncate(fd, STAND_IN_BYTES) < 0)
			return err_errno(e, -errno, "%s", STAND_IN);
		free(disk->pdev_path);
		disk->pdev_path = xstrdup(STAND_IN);
		disk->format = LIBXL_DISK_FORMAT_RAW;
	}
	return 0;
}

static int take_out(struct xen_ctx *x, const struct xen_domain *d, int64_t domid, struct err *e)
{
	for (size_t i = 0; d->type == XEN_HVM && i < d->disks.n; i++) {
		const struct xen_disk *disk = d->disks.items[i];
		int r = disk->cdrom && !disk->target ? xen_disc(x, domid, disk, e) : 0;

		if (r < 0)
			return r;
	}
	return 0;
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
		return take_out(x, d, domid, e);
	}
	code = rc != ERROR_NOMEM && stream_refused(&x->log) ? -EPROTO : -EIO;
	xen_fail(x, e, code, rc, "Xen did not restore it");
	quote_model(d, e);
	if (rc == ERROR_NOMEM)
		err_at(e, "memory");
	return code;
}

/* libxc says in which words it could not load them, and libxl nothing that could be told apart. */
static bool kernel_too_large(const struct xen_log *l)
{
	for (unsigned i = 0; i < l->n; i++)
		if (strstr(l->lines[i], "too large") && strstr(l->lines[i], "segment"))
			return true;
	return false;
}

static int start(struct xen_ctx *x, const struct xen_domain *d, libxl_domain_config *c,
		 const struct xen_watcher *w, int64_t *ret_domid, struct err *e)
{
	uint32_t domid = INVALID_DOMID;
	int rc, r;

	xen_tell(w, "building: %zu disk%s, %zu interface%s%s", d->disks.n,
		 d->disks.n == 1 ? "" : "s", d->nics.n, d->nics.n == 1 ? "" : "s",
		 d->pci.n   ? ", PCI devices"
		 : d->usb.n ? ", USB devices"
			    : "");
	rc = libxl_domain_create_new(x->xl, c, &domid, NULL, NULL);
	if (rc) {
		bool small = kernel_too_large(&x->log);

		r = xen_fail(x, e, -EIO, rc, "Xen did not make it");
		if (rc == ERROR_NOMEM || small)
			err_at(e, "memory");
		if (small)
			err_help(e,
				 "its kernel and initrd don't fit into so little memory: give it "
				 "more");
		else
			quote_model(d, e);
		return r;
	}
	r = take_out(x, d, domid, e);
	if (r == 0)
		r = xen_usb_opened(x, d, domid, e);
	if (r < 0)
		return r;
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
	if (r == 0)
		r = xen_pci_check(&x, d, e);
	if (r == 0)
		r = xen_usb_check(&x, d, e);
	if (r == 0)
		r = xen_screen_free(d->hardware, 0, SCREEN_WAIT_S, e);
	if (r == 0)
		r = xen_screen_password(d->hardware, e);
	if (r < 0)
		return r;
	libxl_domain_config_init(&c);
	r = configure(&x, d, &c, e);
	if (r == 0)
		r = stand_in(&c, e);
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
