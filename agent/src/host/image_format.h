/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a file is, by its first bytes.
 */
#pragma once

#include "host/image.h"

#define FORMAT_HEAD 1024u /* bytes that tell; fewer only where there are no more */

struct image_kind {
	enum image_format format;
	const char *what; /* "a qcow2 image" */
};

/* Never NULL: what nothing tells is a raw image. */
const struct image_kind *format_of(const char *head, size_t n);
/* "a tar archive" for IMAGE_TAR. */
const char *format_words(enum image_format f);
bool format_web_page(const char *head, size_t n);
/* Refuses images that are made of more than this one file (-EILSEQ): a backing file, a data file, extents
 * elsewhere. Whoever offers an image must not make this host read its other files. */
int format_alone(enum image_format f, const char *head, size_t n, struct err *e);
