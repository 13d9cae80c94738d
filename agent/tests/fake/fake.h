/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What tests say to the host in memory: its state, and which of its calls is to fail.
 */
#pragma once

#include <errno.h>

#include "base/err.h"
#include "base/record.h"

/* Whether this mutating call is the one to fail; the golden harness counts and answers. */
bool fake_fails(const char *op);
/* How whatever changes the host in memory begins: it fails in its turn. */
static inline int fake_turn(const char *call, struct err *e)
{
	return fake_fails(call) ? err_set(e, -EIO, "%s: made to fail", call) : 0;
}
#define FAKE_FAIL(e)                                                                               \
	do {                                                                                       \
		if (fake_turn(__func__, e) < 0)                                                    \
			return -EIO;                                                               \
	} while (0)

/* A list of strings, with its strings in that arena. */
static inline struct list fake_strings(struct arena *a, const struct list *from)
{
	struct list l = {0};

	for (size_t i = 0; i < from->n; i++)
		list_add(a, &l, arena_strdup(a, from->items[i]));
	return l;
}

/* The state, from facts; NULL: an empty host. Nothing of the argument is kept. */
struct net_facts;
void fake_net_load(const struct net_facts *f);
/* lvm.c */
struct lvm_facts;
void fake_lvm_load(const struct lvm_facts *f);
/* blk.c; and LVM's label on a disk (NULL: none to write): returns the disk's size, 0: no such disk. */
struct blk_facts;
void fake_blk_load(const struct blk_facts *f);
uint64_t fake_blk_label(const char *path, const char *pv_uuid);
/* cache.c */
struct cache_facts;
void fake_cache_load(const struct cache_facts *f); /* copied */

/* paths.c: files at paths, and those that are disks */
struct path_facts;
void fake_paths_load(const struct path_facts *f);

/* image.c: what a url holds; any other is an image of 16 MiB with the digest that is asked for. */
void fake_image_add(const char *url, const char *sha256, uint64_t size);
void fake_image_clear(void);

/* image_pack.c: what every file has that a disk is packed to */
extern const char fake_disk[];

/* save.c: name → struct saved_domain; and whether that one could be restored */
void fake_save_load(const struct map *saved);
bool fake_saved(const char *name);

/* xen_config.c: what libxl would be asked for, in its own JSON, call by call; empty: nothing. Caller frees, and it begins
 * anew. */
char *fake_xen_asked(void);
struct xen_domain;
struct xen_disk;
struct xen_nic;
int fake_xen_configure(const char *call, const struct xen_domain *d, int64_t cpus, struct err *e);
void fake_xen_disk(const struct xen_disk *disk, bool drive);
void fake_xen_nic(const struct xen_nic *nic);
struct xen_usb;
void fake_xen_usb(const struct xen_usb *usb);

/* pci.c; and another driver has a device (NULL: none): false where there is no such; whether guests can be given it */
struct pci_facts;
void fake_pci_load(const struct pci_facts *f);
bool fake_pci_bind(const char *address, const char *driver);
bool fake_pci_assignable(const char *address);

/* machine.c */
struct machine;
void fake_machine_load(const struct machine *m);

/* usb.c; and whether that is plugged in there */
struct usb_facts;
void fake_usb_load(const struct usb_facts *f);
/* services.c */
struct service_facts;
void fake_services_load(const struct service_facts *f);
bool fake_usb_is(const char *port, int64_t bus, int64_t address);

/* xen_devices.c: whether it could have the machine's devices that it asks for */
int fake_xen_devices(const struct xen_domain *asked, struct err *e);

/* xen.c, intent.c; and for xen_devices.c: the host in memory, and a domain of it (NULL: there is none) */
struct xen_facts;
struct xen_facts *fake_xen(struct arena **ret_arena);
struct xen_domain *fake_xen_domain(int64_t domid);
void fake_xen_load(const struct xen_facts *f);
struct intent_facts;
void fake_intent_load(const struct intent_facts *f);
