/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Packing without devices: every disk holds the same.
 */
#include "host/image_pack.h"

#include <errno.h>
#include <stdio.h>

#include "base/newfile.h"
#include "fake.h"

const char *pack_ending(const char *name)
{
	static const char *const endings[] = {".img.zst", ".img", ".tar"};

	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		size_t n = strlen(name), m = strlen(endings[i]);

		if (n > m && streq(name + n - m, endings[i]))
			return endings[i];
	}
	return NULL;
}

bool pack_is_tar(const char *ending)
{
	return streq(ending, ".tar");
}

const char fake_disk[] = "a disk";

int image_pack(const struct pack_request *q, struct pack_result *ret, struct err *e)
{
	_cleanup_newfile_ struct newfile *f = NULL;
	int r = newfile_open(q->to, 0600, q->replace, &f, e);

	if (r < 0)
		return r;
	if (q->opened)
		q->opened(q->data);
	if (fake_fails(__func__))
		return err_set(e, -ENOSPC, "write %s: No space left on device", q->to);
	if (q->go_on && !q->go_on(q->data, 1, 2))
		return err_set(e, -ECANCELED, "interrupted");
	if (write(newfile_fd(f), fake_disk, strlen(fake_disk)) < 0)
		return err_errno(e, -errno, "write %s", q->to);
	r = q->read ? q->read(q->data, e) : 0;
	if (r == 0)
		r = newfile_place(f, e);
	if (r < 0)
		return r;
	*ret = (struct pack_result){.size = 64 << 20, .data = 1 << 20, .file = strlen(fake_disk)};
	sha256_of(fake_disk, strlen(fake_disk), ret->sha256);
	return 0;
}
