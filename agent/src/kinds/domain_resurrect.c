/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Saving a domain and restoring it: the order of what survives a power cut. At each moment exactly one of these
 * holds: the guest is there and nothing of it can be restored; it stands still and can be; it is gone and can be;
 * it was made of that and can't be restored again.
 */
#include <errno.h>
#include <stdio.h>

#include "base/json.h"
#include "base/num.h"
#include "kinds/domain_priv.h"
#include "model/record_json.h"

/* --- saving --- */

/* Its record, and what tells its disks from others that are called the same. */
static const char *describe(struct work *w, const struct domain *d)
{
	_cleanup_json_ json_object *o = json_object_new_object();
	json_object *disks = json_object_new_object();

	json_object_object_add(o, "record", record_to_json(&domain_table, d, false));
	for (size_t i = 0; i < d->disks.n; i++) {
		const struct domain_disk *k = d->disks.entries[i].value;

		if (k->target)
			json_put_text(disks, d->disks.entries[i].name,
				      save_disk_id(w->arena, k->target));
	}
	json_object_object_add(o, "disks", disks);
	return arena_strdup(w->arena, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
}

/* A guest takes what it wrote for written; the power may go any time now. */
static int sync_disks(const struct domain *d, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < d->disks.n; i++) {
		const struct domain_disk *k = d->disks.entries[i].value;

		if (!k->target || k->read_only)
			continue;
		r = save_sync_disk(k->target, e);
		if (r < 0)
			err_at(e, "disks.%s", d->disks.entries[i].name);
	}
	return r;
}

int domain_write_out(struct work *w, bool for_host, struct err *e)
{
	const struct xen_domain *x = w->now->data;
	struct xen_watcher watcher = {domain_progress, w};
	_cleanup_saving_ struct saving *s = NULL;
	_cleanup_err_ struct err ignored = {0};
	struct saved_domain header = {
		.uuid = w->step->uuid,
		.boot_id = w->facts->boot_id,
		.domid = x->domid,
		.since = w->facts->time,
		.for_host = for_host,
		.domain = describe(w, w->now->record),
	};
	int r;

	/* Of an earlier life: it has written to its disks since. */
	r = save_discard(w->step->name, e);
	if (r == 0)
		r = save_forget(w->step->name, e);
	if (r == 0)
		r = save_begin(w->step->name, &header, x->memory_now, &s, e);
	if (r == 0)
		r = xen_save(x->domid, saving_fd(s), &watcher, e);
	if (r < 0)
		return r;
	domain_progress(w, "writing it out");
	r = sync_disks(w->now->record, e);
	if (r == 0)
		r = save_place(s, e);
	if (r == 0)
		return 0;
	/* It goes on only when it is sure that it can't be restored. */
	if (save_discard(w->step->name, &ignored) == 0)
		(void)xen_unsuspend(x->domid, true, &ignored);
	return r;
}

/* What is suspended goes on. */
static int wake(struct work *w, bool over, struct err *e)
{
	const struct xen_domain *x = w->now->data;
	int r;

	if (x->state == XEN_SHUTDOWN && (x->reason != XEN_SUSPEND || !x->saving))
		return err_set(e, -ESTALE, "it has ended by itself since the plan was made");
	if (domain_saved_of(w->facts, domain_saved(w->facts, w->step->name), x))
		return err_set(e, -ESTALE, "it is saved by now; run apply again");
	r = save_discard(w->step->name, e);
	return r < 0 ? r : xen_unsuspend(x->domid, over, e);
}

int domain_save(struct work *w, struct err *e)
{
	const struct saved_domain *s = domain_saved(w->facts, w->step->name);
	const struct xen_domain *x = w->now ? w->now->data : NULL;
	struct intent_who me = domain_who(w);
	_cleanup_err_ struct err ignored = {0};
	char size[NUM_TEXT];
	int r = 0;

	if (!x)
		return err_set(e, -ESTALE, "it is gone; run apply again");
	if (x->state == XEN_SHUTDOWN && (x->reason != XEN_SUSPEND || !x->saving))
		return err_set(e, -ESTALE, "it has ended by itself since the plan was made");
	if (!(x->state == XEN_SHUTDOWN && domain_saved_of(w->facts, s, x))) {
		if (x->state == XEN_SHUTDOWN)
			r = wake(w, false, e);
		if (r == 0)
			r = domain_write_out(w, false, e);
		if (r < 0) {
			/* Said once, tried once: it isn't stopped by an attempt of later. */
			(void)intent_start(&me, &ignored);
			return r;
		}
	}
	r = xen_destroy(x->domid, e);
	if (r == 0)
		w->result = arena_printf(w->arena, "saved, with %s of memory",
					 num_size(size, x->memory_now));
	return r;
}

int domain_unsave(struct work *w, struct err *e)
{
	const struct intent_domain *i = domain_intent(w->facts, w->step->name, w->step->uuid);
	struct intent_who me = domain_who(w);
	int r = 0;

	/* First the note: one that goes on would be saved once more. */
	if (i && i->stopped == INTENT_SAVED)
		r = intent_start(&me, e);
	return r < 0 ? r : wake(w, true, e);
}

int domain_awake(struct work *w, struct xen_domain *ret, struct err *e)
{
	const struct xen_domain *x = w->now->data;
	int r;

	*ret = *x;
	if (x->state != XEN_SHUTDOWN || x->reason != XEN_SUSPEND || !x->saving ||
	    domain_saved_of(w->facts, domain_saved(w->facts, w->step->name), x))
		return 0;
	r = wake(w, true, e);
	if (r == 0)
		ret->state = XEN_RUNNING;
	return r;
}

/* --- starting anew --- */

int domain_check_unsaved(struct work *w, struct err *e)
{
	const struct saved_domain *s = domain_saved(w->facts, w->step->name);
	const struct intent_domain *i = domain_intent(w->facts, w->step->name, w->step->uuid);

	if (!s || !s->whole || (i && i->discard_saved))
		return 0;
	err_help(e, "`manor restore %s`, or `manor start %s --discard-saved`", w->step->name,
		 w->step->name);
	return err_set(e, -EBUSY, "what it had in memory is saved and would be lost");
}

int domain_discard_saved(struct work *w, struct err *e)
{
	int r = domain_check_unsaved(w, e);

	if (r == 0)
		r = save_discard(w->step->name, e);
	/* Else, cut off, what is half-made then would pass for one that was being restored. */
	return r < 0 ? r : save_forget(w->step->name, e);
}

/* --- restoring --- */

static int same_disks(struct work *w, const struct saved_domain *s, const struct domain *want,
		      struct err *e)
{
	_cleanup_json_ json_object *o = json_parse(s->domain, strlen(s->domain), e);
	json_object *disks = o ? json_member(o, "disks", json_type_object) : NULL;

	if (!o)
		return -EBADMSG;
	for (size_t i = 0; i < want->disks.n; i++) {
		const char *name = want->disks.entries[i].name;
		const struct domain_disk *k = want->disks.entries[i].value;
		const char *then = json_text(disks, name);
		const char *now = k->target ? save_disk_id(w->arena, k->target) : NULL;

		if (!then || streq(then, now))
			continue;
		err_at(e, "disks.%s", name);
		err_help(e,
			 "`manor start %s --discard-saved` starts it anew without what it had in "
			 "memory",
			 w->step->name);
		return err_set(e, -ESTALE, "%s is not the disk that it was saved with", k->target);
	}
	return 0;
}

/* As it was, where the manifest leaves a choice. */
static int ask(struct work *w, const struct saved_domain *s, struct xen_domain *ret, struct err *e)
{
	const struct domain *was = domain_was(w->arena, s), *want = w->step->want_record;
	int r;

	if (!was)
		return err_set(e, -EBADMSG, "what was saved doesn't say what the domain was like");
	r = same_disks(w, s, want, e);
	if (r < 0)
		return r;
	domain_ask(w, ret);
	ret->memory = domain_memory_saved(was);
	ret->maxmem = MAX_OF(was->maxmem, ret->memory);
	ret->vcpus = was->vcpus;
	ret->maxvcpus = was->maxvcpus;
	ret->kernel = streq(was->kernel_path, BOOT_NONE) ? NULL : was->kernel_path;
	ret->initrd = streq(was->initrd_path, BOOT_NONE) ? NULL : was->initrd_path;
	ret->cmdline = was->cmdline;
	ret->ready = was->ready_now;
	ret->restored = true;
	return 0;
}

static int bring_back(struct work *w, const struct saved_domain *s, const struct xen_domain *asked,
		      int64_t *ret_domid, struct err *e)
{
	struct xen_watcher watcher = {domain_progress, w};
	_cleanup_err_ struct err ignored = {0};
	_cleanup_(closep) int fd = -1;
	int r = save_open(w->step->name, &fd, e);

	if (r == 0)
		r = xen_restore(asked, fd, &watcher, ret_domid, e);
	if (r == -EPROTO && !s->for_host)
		err_help(e,
			 "`manor start %s --discard-saved` starts it anew, without what it had in "
			 "memory",
			 w->step->name);
	if (r == -EPROTO && s->for_host) {
		err_help(e, "it is kept as %.*s.failed; the domain is started anew",
			 (int)(strlen(save_path(w->arena, w->step->name)) - strlen(".save")),
			 save_path(w->arena, w->step->name));
		/* Whoever says on_host_shutdown: save has said that it is to come back with the host. */
		(void)save_set_aside(w->step->name, &ignored);
	}
	if (r < 0)
		return r;
	r = save_use(w->step->name, e);
	if (r < 0 && xen_destroy(*ret_domid, &ignored) == 0)
		(void)save_unuse(w->step->name, &ignored); /* where it was half done */
	return r;
}

int domain_restore(struct work *w, struct err *e)
{
	const struct saved_domain *s = domain_saved(w->facts, w->step->name);
	const struct intent_domain *i = domain_intent(w->facts, w->step->name, w->step->uuid);
	struct intent_who me = domain_who(w);
	_cleanup_err_ struct err ignored = {0};
	struct xen_domain asked;
	int64_t domid;
	int r = 0;

	if (w->now && !w->now->half_made)
		return err_set(e, -ESTALE, "it is there by now; run apply again");
	if (!s || s->why || !streq(s->uuid, w->step->uuid) ||
	    !(s->whole || (s->used && w->now && w->now->half_made)))
		return err_set(e, -ESTALE, "nothing is saved of it any more; run apply again");
	r = ask(w, s, &asked, e);
	/* Cut off between the two: it never ran. */
	if (r == 0 && !s->whole)
		r = save_unuse(w->step->name, e);
	if (r == 0 && i)
		r = intent_start(&me, e);
	if (r == 0)
		r = bring_back(w, s, &asked, &domid, e);
	if (r == 0)
		r = asked.state == XEN_PAUSED ? xen_hold(domid, e) : xen_unpause(domid, e);
	if (r < 0)
		return r;
	/* What is left of it is of no use, and in nobody's way. */
	(void)save_forget(w->step->name, &ignored);
	w->result = arena_printf(w->arena, "%s as domain %lld",
				 asked.state == XEN_PAUSED ? "restored, and paused," : "restored",
				 (long long)domid);
	return 0;
}
