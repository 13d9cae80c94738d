/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What tests say to the host in memory: its state, and which of its calls is to fail.
 */
#pragma once

#include "base/util.h"

/* Whether this mutating call is the one to fail; the golden harness counts and answers. */
bool fake_fails(const char *op);

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

/* image.c: what a url holds; any other is an image of 16 MiB with the digest that is asked for. */
void fake_image_add(const char *url, const char *sha256, uint64_t size);
void fake_image_clear(void);

/* xen.c, intent.c */
struct xen_facts;
void fake_xen_load(const struct xen_facts *f);
struct intent_facts;
void fake_intent_load(const struct intent_facts *f);
