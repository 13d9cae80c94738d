/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * For host/xen*.c alone: libxl, xenstore and libxl's last words, opened together for one call.
 */
#pragma once

#include <libxl.h>
#include <libxl_utils.h>
#include <net/if.h>
#include <xenstore.h>

#include "host/xen.h"
#include "host/xen_config.h"

#define XEN_LOG_LINES 4
#define XEN_LOG_LINE  256

/* Keeps libxl's last errors for the message; lets warnings through to standard error. */
struct xen_log {
	xentoollog_logger vtable; /* first: libxl hands us this pointer back */
	char lines[XEN_LOG_LINES][XEN_LOG_LINE];
	unsigned n;
};

struct xen_ctx {
	struct xen_log log;
	libxl_ctx *xl;
	struct xs_handle *xs;
};

#define _cleanup_xen_ _cleanup_(xen_ctx_close)

int xen_ctx_open(struct xen_ctx *x, struct err *e);
void xen_ctx_close(struct xen_ctx *x);

/* Sets the message, "TEXT: libxl's last lines"; forgets those. Returns `code`. */
int xen_fail(struct xen_ctx *x, struct err *e, int code, int rc, const char *fmt, ...)
	_printf_(5, 6);

/* A key of xenstore as a string of at most 4 KiB; NULL: absent. Caller frees. */
char *xen_get(struct xen_ctx *x, const char *fmt, ...) _printf_(2, 3);
/* The same as a number; `none` when absent or none. */
int64_t xen_get_int(struct xen_ctx *x, int64_t none, const char *fmt, ...) _printf_(3, 4);
int xen_put(struct xen_ctx *x, struct err *e, const char *value, const char *fmt, ...)
	_printf_(4, 5);
/* Entries below a path; NULL: none. Caller frees the array (one block). */
char **xen_dir(struct xen_ctx *x, unsigned *ret_n, const char *fmt, ...) _printf_(3, 4);

/* libxl's list of one domain: 0, -ENOENT, or -EIO. A dying one counts as gone. */
int xen_info(struct xen_ctx *x, int64_t domid, libxl_dominfo *ret, struct err *e);
/* Both at once: for a call about one domain. */
int xen_open_domain(struct xen_ctx *x, int64_t domid, libxl_dominfo *ret, struct err *e);
/* The memory that it was told to have. libxl keeps that of an emulated graphics card apart. */
int64_t xen_target_kb(struct xen_ctx *x, const libxl_dominfo *info);
/* The most that it may ever be told to have. */
int64_t xen_target_most(struct xen_ctx *x, const libxl_dominfo *info);
/* What a machine that has less than `most` is told below what is meant, in KiB: libxl does so when it makes one
 * (libxl__get_targetmem_fudge()), and whoever tells it later has to do it himself. */
int64_t xen_target_gap(const libxl_dominfo *info, int64_t kb, int64_t most);
/* xen_change.c: the inside of xen_disc_change(). */
int xen_disc(struct xen_ctx *x, int64_t domid, const struct xen_disk *want, struct err *e);
/* Destroys and sweeps; no such domain is fine. */
int xen_end(struct xen_ctx *x, int64_t domid, struct err *e);
/* Seconds of a clock that never jumps. */
double xen_clock(void);
/* A domain that is just being made has none yet: Xen says ~0 then (domctl.h's XEN_INVALID_MAX_VCPU_ID);
 * 8192 is what Xen's interface allows at most. */
static inline int64_t xen_max_vcpus(const libxl_dominfo *info)
{
	return info->vcpu_max_id < 8192 ? (int64_t)info->vcpu_max_id + 1 : 0;
}
void xen_tell(const struct xen_watcher *w, const char *fmt, ...) _printf_(2, 3);

/* What a configuration of that domain depends on beside it. */
int xen_place_read(struct xen_ctx *x, const struct xen_domain *d, struct xen_place *ret,
		   struct err *e);
void xen_place_done(struct xen_place *p);
#define _cleanup_xen_place_ _cleanup_(xen_place_done)
/* The program that libxl is to run for disks and NICs; NULL: it isn't installed. */
const char *xen_hotplug(void);
/* Who it is: its UUID, state and what it was made as, of Manor's marks; nothing where it has none. */
void xen_read_mark(struct xen_ctx *x, struct arena *a, struct xen_domain *d);
/* Its cpus, weight and cap, as far as Xen tells. */
void xen_read_shares(struct xen_ctx *x, struct arena *a, struct xen_domain *d);
/* xen_pci.c. What a domain has of the machine's devices; and whose mark which of them bear. */
void xen_read_pci(struct xen_ctx *x, struct arena *a, struct xen_domain *d);
/* xen_save.c. How often in a row a saving has begun and not ended, and when the last one did. */
void xen_read_saving(struct xen_ctx *x, int64_t domid, int64_t *ret_tries, int64_t *ret_since);
void xen_read_pci_marks(struct xen_ctx *x, struct arena *a, struct xen_facts *ret);
/* Whether it could have them: -ENOENT, -EBUSY with err_at. `x` NULL: as far as the kernel tells. */
int xen_pci_check(struct xen_ctx *x, const struct xen_domain *d, struct err *e);
/* How much is in them, of earlier starts. */
void xen_logs_read(const char *name, struct xen_logs *ret);

/* xen.c. dom0's end of a NIC: by the name that Manor's hotplug program and Xen's own give it, else by that of whoever
 * made it (`backend`: its folder in xenstore). False: it isn't there, or not yet. */
bool xen_vif_name(struct xen_ctx *x, const char *backend, int64_t domid, int64_t devid,
		  char ret[IF_NAMESIZE]);
/* The bridge that the kernel says it is a port of, for a person may have moved it; "": none. False: there is no such
 * interface. */
bool xen_vif_bridge(const char *vif, char ret[IF_NAMESIZE]);
/* xen_usb.c. What a domain has of the machine's USB devices; whether it could have them (-ENODEV, -EBUSY with err_at;
 * `x` NULL: as far as the kernel tells); and whether its QEMU has opened them by now. */
void xen_read_usb(struct xen_ctx *x, struct arena *a, struct xen_domain *d);
int xen_usb_check(struct xen_ctx *x, const struct xen_domain *d, struct err *e);
int xen_usb_opened(struct xen_ctx *x, const struct xen_domain *d, int64_t domid, struct err *e);

/* Whether a disk's target, a NIC's bridge are there at all: -ENOENT with err_at. */
int xen_disk_check(const struct xen_disk *disk, struct err *e);
int xen_nic_check(const struct xen_nic *nic, struct err *e);
