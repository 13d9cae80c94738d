/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One configuration of xm's or xl's becomes a domain, or one that runs: shared by kinds/domain_xl*.c, domain_export.c,
 * xl_import.c and export.c alone.
 * What a field takes is asked of the domain's own tables.
 */
#pragma once

#include "conf/emit.h"
#include "host/xl_cfg.h"
#include "kinds/domain_priv.h"

/* What all domains of one manifest share. */
struct xl_shared {
	struct arena *arena;
	struct diags *diags;
	struct emit *bridges;  /* the manifest's */
	struct list bridge_of; /* of strings: their names in the configurations, in the same order as … */
	struct list bridge_is; /* … their names in the manifest */
	struct xl_mac {
		const char *mac, *domain;
		struct span span;
	} *macs;
	size_t n_macs;
	struct list pci, pci_of; /* of strings: addresses, and the domains that have them */
};

struct domain_xl {
	struct xl_shared *all;
	struct arena *arena;
	struct xl_cfg cfg;
	const char *name; /* the manifest's */
	int type;         /* enum xen_type */
	bool pci;         /* it has PCI devices */
	unsigned n_usb;   /* so many USB devices of the machine's */
	const struct usb_facts *usb; /* of one that runs: what is plugged in; NULL: not known */
	struct emit *out; /* the domain */
};

/* --- domain_xl.c: reading settings --- */

/* The setting, which counts as taken from here on; NULL: there is none. */
struct xl_setting *domain_xl_take(struct domain_xl *x, const char *name);
/* Its text; NULL where there is none, or "", or a list, which a comment tells then. */
const char *domain_xl_text(struct domain_xl *x, const char *name, const struct xl_setting **ret);
/* Whether there is a number; one that is none becomes a comment. */
bool domain_xl_number(struct domain_xl *x, const char *name, int64_t *ret,
		      const struct xl_setting **ret_setting);
/* Whether it is there and on; `def` where it isn't there. */
bool domain_xl_flag(struct domain_xl *x, const char *name, bool def);
/* "key=value" within an item of a list: behind the comma at *text, blanks taken away; NULL: no more. *ret_value
 * is NULL where there is no '='. */
const char *domain_xl_part(struct arena *a, const char **text, const char **ret_value);

/* --- what becomes of them --- */

/* A comment at the domain's end: the setting, where it stood, and why it became nothing. */
void domain_xl_drop(struct domain_xl *x, const struct xl_setting *s, const char *fmt, ...)
	_printf_(3, 4);
/* The same is told on the terminal: without it the guest isn't what it was. */
void domain_xl_lost(struct domain_xl *x, const char *what, struct span span, const char *why);
/* Whether there is a list; a text in its place is told as lost. */
bool domain_xl_is_list(struct domain_xl *x, const struct xl_setting *s, const char *what);
/* Sets a field of that mapping, by its table. False where the field doesn't take it: a comment tells. `line`:
 * where it stood; 0: in no configuration. */
bool domain_xl_put(struct domain_xl *x, struct emit *m, const struct table *t, const char *field,
		   const char *value, unsigned line);
bool domain_xl_put_number(struct domain_xl *x, struct emit *m, const struct table *t,
			  const char *field, int64_t value, unsigned line);
/* A name that Manor takes, as near to that text as can be, at most `max` bytes. */
const char *domain_xl_name(struct arena *a, const char *text, size_t max);

/* --- its parts --- */
void domain_xl_boot(struct domain_xl *x);    /* domain_xl_boot.c: type was set before */
void domain_xl_machine(struct domain_xl *x); /* domain_xl_machine.c: screen, ports, clock, processors */
void domain_xl_disks(struct domain_xl *x);   /* domain_xl_disk.c */
void domain_xl_nics(struct domain_xl *x);    /* domain_xl_nic.c */
void domain_xl_pci(struct domain_xl *x);     /* the same: PCI devices; before the memory */

/* The whole of it. */
void domain_xl(struct domain_xl *x);

/* domain_export.c. One that others made, as it runs: `x` has its name, and no configuration. */
void domain_export(struct domain_xl *x, const struct xen_domain *d);
/* domain_xl_disk.c. "/dev/sda2": which disk that is may change. */
bool domain_xl_is_moving(const char *path);
/* xl_import.c. The head of a manifest: version, and the namespace, which is that of `host` when not given. */
void xl_import_head(struct arena *a, struct emit *m, const char *namespace, const char *host);
