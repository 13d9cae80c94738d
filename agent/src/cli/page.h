/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The manual's pages within the program: the scdoc sources in agent/man through ci/pages when building.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct page {
	const char *name;     /* the verb; "manor" for the overview; "appliance.yaml" for the manifest */
	int section;          /* of the manual; what is in 8 is for programs, and not listed */
	const char *summary;
	const char *synopsis; /* what follows "usage: " */
	const char *text;     /* without markup; "@REFERENCE@" stands for the fields' reference */
};

extern const struct page pages[]; /* ends with a NULL name */

/* NULL when there is none. */
const struct page *page_find(const char *name);
void page_print(const struct page *p, FILE *f);

/* The reference of all fields: for scdoc (markup), or for reading as it is. */
void reference_print(FILE *f, bool markup);
