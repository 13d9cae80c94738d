/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Shared by kinds/domain*.c alone.
 */
#pragma once

#include "kinds/domain.h"

#define BOOT_NONE "none" /* an initrd_path */

extern const struct table *const domain_disk_fields, *const domain_nic_fields;

/* With the boot files of the clone that it runs on, where that is behind its template. */
const void *domain_wanted(struct arena *a, const struct facts *f, const struct manifest *m,
			  const struct resource *r);
/* What is there and can be used is not waited for, whatever else is wrong with it: a guest that reboots
 * comes back. A template is there where its boot files are in the cache. */
bool domain_met(const struct facts *f, const struct resource *r, const void *wanted,
		const struct resource *other);
/* "web.root" of "/dev/vg0/web.root", else NULL. */
const char *domain_volume_of(const char *target);
/* Its disks: one writer, or only readers. */
void domain_claims(struct arena *a, const void *record, struct list *ret);
void domain_actual(struct arena *a, const struct facts *f, const struct manifest *m,
		   struct actuals *ret);
void domain_decide(struct planning *p, const struct resource *want, const struct actual *have,
		   struct step *step);
int domain_apply(struct work *w, struct err *e);

/* The intent that is in force for that domain: of this boot and this UUID; NULL: none. */
const struct intent_domain *domain_intent(const struct facts *f, const char *name,
					  const char *uuid);
/* Of all that the manifest says of it. */
void domain_digest(const struct domain *d, char ret[SHA256_TEXT]);
/* Crashes in a row before the one that it is down with now; 0 when the last start was long ago. */
int64_t domain_crashes(const struct facts *f, const struct intent_domain *i,
		       const struct xen_domain *x);
