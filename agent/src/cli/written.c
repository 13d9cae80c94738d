/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What `manor import` and `manor export` write: whole or not at all, and read back before anyone else reads it.
 */
#include "cli/written.h"

#include <errno.h>
#include <stdio.h>

#include "base/file.h"
#include "base/newfile.h"
#include "kinds/kinds.h"

int written_out(const struct options *o, const char *text, struct err *e)
{
	_cleanup_newfile_ struct newfile *f = NULL;
	int r;

	if (!o->output)
		return fputs(text, stdout) < 0 || fflush(stdout) != 0
			       ? err_errno(e, -errno, "write the manifest")
			       : 0;
	r = newfile_open(o->output, 0644, o->force, &f, e);
	if (r == -EEXIST)
		err_help(e, "--force replaces it");
	if (r == 0)
		r = file_write_all(newfile_fd(f), text, strlen(text));
	if (r < 0 && f)
		return err_errno(e, r, "write %s", o->output);
	return r < 0 ? r : newfile_place(f, e);
}

bool written_sound(const struct options *o, const char *text)
{
	const char *name = o->output ? o->output : "(the manifest)";
	_cleanup_(freep) char *whole = realpath(o->output ? o->output : ".", NULL);
	char *slash = whole && o->output ? strrchr(whole, '/') : NULL;
	struct diags *d = diags_new();
	struct manifest *m;

	if (slash)
		slash[slash == whole] = '\0';
	m = manifest_load_text(name, whole ? whole : "/", text, strlen(text), NULL, NULL, all_kinds,
			       d);
	diags_sort(d);
	diags_print(d, stderr, o->colour_err);
	diags_free(d);
	return m;
}
