/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Taking over a domain that runs. Marks are all that makes it ours, and libxl asks for nothing more. But whoever
 * made it may still look after it: xl leaves a process behind that destroys the domain, or starts it anew, when it
 * ends. That one goes first. Cut off between the two, the domain is still somebody else's and runs; nobody but
 * whoever asks once more brings it back should it end meanwhile.
 */
#include "host/xen_ctx.h"

#include <errno.h>

#include "host/xl_process.h"

#define TRIES 20 /* of a transaction: others write to xenstore at the same time */

static int known_name(struct xen_ctx *x, const char *name)
{
	uint32_t domid;
	int rc = libxl_name_to_domid(x->xl, name, &domid);

	x->log.n = 0;
	return rc == 0;
}

/* Whether each process of xl is known to be this one's, or another's. */
static int check_monitors(struct xen_ctx *x, const struct list *all, const char *name,
			  struct err *e)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct xl_process *p = all->items[i];

		/* One that looks after a name that is nobody's may look after this one, which was renamed. */
		if (p->domain && (streq(p->domain, name) || known_name(x, p->domain)))
			continue;
		err_help(
			e,
			"wait until it is done, or end it: its guest runs on without it; then adopt again");
		return err_set(e, -EBUSY,
			       "process %d (%s) may be looking after it: it would start it a "
			       "second time when it ends",
			       (int)p->pid, p->words);
	}
	return 0;
}

/* All or none: what was ended is not brought back where another is found. */
static int end_monitors(struct xen_ctx *x, const char *name, const struct xen_watcher *w,
			struct err *e)
{
	_cleanup_arena_ struct arena *a = arena_new();
	struct list all = {0};
	int r = xl_processes(a, &all, e);

	if (r == 0)
		r = check_monitors(x, &all, name, e);
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		const struct xl_process *p = all.items[i];

		if (!streq(p->domain, name))
			continue;
		xen_tell(w, "ending xl (process %d), which looks after it", (int)p->pid);
		r = xl_process_end(p, e);
	}
	return r;
}

/* All of them at once, with the permissions of what they stand below: the guest may read them. */
static int write_marks(struct xen_ctx *x, int64_t domid, char *const *pairs, struct err *e)
{
	for (int try = 0; try < TRIES; try++) {
		xs_transaction_t t = xs_transaction_start(x->xs);
		bool good = t != XBT_NULL;

		for (size_t i = 0; good && pairs && pairs[i]; i += 2) {
			_cleanup_(freep) char *path =
				xasprintf("/local/domain/%d/%s", (int)domid, pairs[i]);

			good = xs_write(x->xs, t, path, pairs[i + 1],
					(unsigned)strlen(pairs[i + 1]));
		}
		if (!good) {
			int r = -errno;

			if (t != XBT_NULL)
				xs_transaction_end(x->xs, t, true);
			return err_errno(e, r, "write the marks to xenstore");
		}
		if (xs_transaction_end(x->xs, t, false))
			return 0;
		if (errno != EAGAIN)
			return err_errno(e, -errno, "write the marks to xenstore");
	}
	return err_set(e, -EAGAIN, "xenstore is too busy to write the marks");
}

/* Is it the one that is meant? */
static int check(struct xen_ctx *x, const struct xen_domain *d, const libxl_dominfo *info,
		 struct err *e)
{
	_cleanup_(freep) char *mark = xen_get(x, "/local/domain/%u/manor/uuid", info->domid);
	libxl_uuid uuid;

	if (libxl_uuid_from_string(&uuid, d->uuid) || libxl_uuid_compare(&uuid, &info->uuid))
		return err_set(e, -ESTALE, "domain %u is another by now", info->domid);
	if (mark && !streq(mark, d->mark_uuid))
		return err_set(e, -EEXIST, "domain %u bears the mark of another: %s", info->domid,
			       mark);
	if (info->shutdown)
		return err_set(e, -ESTALE, "it has ended since the plan was made");
	return 0;
}

int xen_adopt(const struct xen_domain *d, int64_t domid, const struct xen_watcher *w, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	_cleanup_(freep) char *name = NULL;
	char **pairs = NULL;
	struct xen_logs before;
	libxl_dominfo info;
	int r = xen_open_domain(&x, domid, &info, e);

	if (r == 0)
		r = check(&x, d, &info, e);
	/* All that its console said may be its own; a serial port that others made isn't logged. */
	xen_logs_read(d->name, &before);
	before.console = 0;
	if (r == 0)
		r = xen_marks(d, "ready", d->started, &before, &pairs, e);
	if (r < 0)
		return r;
	name = xen_get(&x, "/local/domain/%d/name", (int)domid);
	r = end_monitors(&x, name ? name : "", w, e);
	/* xl may have been at it already: then it isn't there any more. */
	if (r == 0)
		r = xen_info(&x, domid, &info, e);
	if (r == 0)
		r = write_marks(&x, domid, pairs, e);
	for (size_t i = 0; pairs && pairs[i]; i++)
		free(pairs[i]);
	free(pairs);
	return r;
}
