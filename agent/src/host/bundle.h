/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Upgrade bundles (manor.raucb), by RAUC: what one is and who signed it, and writing it to the slot that doesn't run.
 * RAUC's format "plain": a squashfs, behind it a CMS signature of all of that, behind it the signature's length (8 bytes,
 * big-endian). RAUC of Debian installs through its service, by D-Bus; there is no bus in the appliance, so it gets one of
 * its own for as long as it takes.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "host/slots.h"

#define BUNDLE_COMPATIBLE "manor-amd64"
#define BUNDLE_KEYRING    "/usr/share/manor/keyring.pem"
#define BUNDLE_MAX        (1ull << 30) /* bytes; a slot has less */
#define BUNDLE_DIR        "/var/lib/manor/upgrade" /* where one from afar is kept meanwhile */

struct bundle {
	const char *compatible, *version;
	const char *build;  /* the digest of its root */
	uint64_t size;      /* of the image, which the slot has to have room for */
};

/* Whether it can be a whole bundle at all, by its two ends: -EMEDIUMTYPE (no bundle; a web page), -EMSGSIZE (cut off),
 * -EKEYREJECTED (not signed), -EFBIG. */
int bundle_look(const char *path, struct err *e);
/* What RAUC says of it, which checks all of it against its signature, and that against BUNDLE_KEYRING. -EKEYREJECTED: it
 * isn't as it was signed, or by nobody who is trusted. Arena memory. */
int bundle_read(struct arena *a, const struct slots *s, const char *path, struct bundle *ret,
		struct err *e);
/* Writes it to the other slot and makes that the next boot's. `progress` gets RAUC's percentage and words. When it fails,
 * what was the next boot's before still is. */
int bundle_install(const struct slots *s, const char *path,
		   void (*progress)(void *data, unsigned percent, const char *text), void *data,
		   struct err *e);
/* The version that was last written to a slot ("A", "B"), by RAUC's books; NULL: none, or it isn't known. Arena memory. */
const char *bundle_written(struct arena *a, const char *slot);
