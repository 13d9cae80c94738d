/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Manifests that are files: reading one, and the folder that its paths start at.
 */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "model/manifest.h"

/* It has no line to point at. */
static void unreadable(struct diags *d, const char *path, int error)
{
	struct source *s = arena_alloc(d->arena, sizeof(*s));
	_cleanup_(freep) char *real = NULL, *within = xasprintf("%s/appliance.yaml", path);
	struct span nowhere = {.source = s};
	struct diag *g;

	*s = (struct source){.name = arena_strdup(d->arena, path), .text = ""};
	if (error == -EFBIG) {
		diag_error(d, "too-large", nowhere, "the manifest is larger than %u MiB",
			   NODE_MAX_BYTES >> 20);
		return;
	}
	g = diag_error(d, "unreadable", nowhere, "it can't be read: %s", strerror(-error));
	if (error == -ENOENT && *path != '/' && (real = realpath(".", NULL)))
		diag_help(d, g, "looked for %s/%s", real, path);
	else if (error == -EISDIR && access(within, F_OK) == 0)
		diag_help(d, g, "name the file: -f %s", within);
}

static struct manifest *load(const char *path, bool plain, const struct who *who,
			     const struct kind *const *kinds, struct diags *d)
{
	const char *source = streq(path, "-") ? "/dev/stdin" : path;
	_cleanup_(freep) char *text = NULL, *real = NULL, *here = NULL;
	const char *dir;
	struct stat st;
	size_t n;
	int r;

	r = (plain ? file_read_plain : file_read)(source, NODE_MAX_BYTES, &text, &n, NULL);
	if (r < 0) {
		unreadable(d, path, r);
		return NULL;
	}
	if (stat(source, &st) == 0 && S_ISREG(st.st_mode))
		real = realpath(source, NULL);
	/* A pipe has no folder: ours, then. */
	dir = real ? dirname(real) : (here = getcwd(NULL, 0));
	return manifest_load_text(path, dir ? dir : "/", text, n, NULL, who, kinds, d);
}

struct manifest *manifest_load(const char *path, const struct who *who,
			       const struct kind *const *kinds, struct diags *d)
{
	return load(path, false, who, kinds, d);
}

struct manifest *manifest_load_plain(const char *path, const struct who *who,
				     const struct kind *const *kinds, struct diags *d)
{
	return load(path, true, who, kinds, d);
}
