/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The first call into a library: see agent/lazy/lazy.py.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

struct lazy { /* as lazy.py writes it */
	void *address;
	const char *symbol;
	const char *library;
};

void *manor_lazy_resolve(struct lazy *l);

/* Two threads may come here at once: both find the same. */
void *manor_lazy_resolve(struct lazy *l)
{
	void *library = dlopen(l->library, RTLD_LAZY | RTLD_LOCAL);
	void *address = library ? dlsym(library, l->symbol) : NULL;

	if (!address) {
		fprintf(stderr, "manor: cannot go on without %s: %s\n", l->library, dlerror());
		abort();
	}
	l->address = address;
	return address;
}
