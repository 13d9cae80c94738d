/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Doing what was planned for a domain. It is always made from the manifest, never from what Xen
 * remembers of it, and what it boots is looked at before anything is stopped.
 */
#include "kinds/domain_priv.h"

#include <errno.h>
#include <stdio.h>

#include "base/num.h"
#include "host/cache.h"

#define CORE_DIR         "/var/lib/xen/dump"
#define FOLLOW_S         30 /* for a guest to follow a change of memory or vcpus */
#define SHUTDOWN_DEFAULT 60

void domain_progress(void *work, const char *what)
{
	struct work *w = work;

	if (w->progress)
		w->progress(w, what, 0, 0);
}

struct intent_who domain_who(const struct work *w)
{
	return (struct intent_who){
		.name = w->step->name,
		.uuid = w->step->uuid,
		.boot_id = w->facts->boot_id ? w->facts->boot_id : "",
		.now = w->facts->time,
	};
}

static struct xen_disk *asked_disk(struct work *w, const char *name, const struct domain_disk *k)
{
	struct xen_disk *x = arena_alloc(w->arena, sizeof(*x));

	*x = (struct xen_disk){
		.vdev = k->vdev,
		.target = streq(k->target, DISC_NONE) ? NULL : k->target,
		.read_only = k->read_only,
		.cdrom = k->cdrom != NULL,
		.label = name,
	};
	return x;
}

static struct xen_nic *asked_nic(struct work *w, const char *name, const struct domain_nic *n)
{
	struct xen_nic *x = arena_alloc(w->arena, sizeof(*x));

	*x = (struct xen_nic){
		.mac = n->mac,
		.bridge = n->bridge,
		.model = n->model == NIC_NONE ? NULL : nic_model_words[n->model],
		.label = name,
	};
	return x;
}

void domain_ask(struct work *w, struct xen_domain *ret)
{
	const struct domain *d = w->step->want_record;

	*ret = (struct xen_domain){
		.uuid = d->uuid,
		.mark_uuid = w->step->uuid,
		.name = w->step->name,
		.type = d->type,
		.memory = d->memory,
		.maxmem = MAX_OF(d->maxmem, d->memory),
		.vcpus = d->vcpus,
		.maxvcpus = MAX_OF(d->maxvcpus, d->vcpus),
		.kernel = streq(d->kernel_path, BOOT_NONE) ? NULL : d->kernel_path,
		.hardware = domain_ask_hardware(w->arena, d),
		.settings = domain_settings(w->arena, d),
		.initrd = streq(d->initrd_path, BOOT_NONE) ? NULL : d->initrd_path,
		.cmdline = d->cmdline,
		.shutdown_timeout = (int64_t)d->shutdown_timeout,
		.discs = d->type == XEN_HVM,
		.usb_ports = d->usb_ports,
	};
	if (d->state == STATE_PAUSED) {
		ret->state = XEN_PAUSED;
		ret->paused_for = PAUSED_BY_MANIFEST;
	}
	for (size_t i = 0; i < d->disks.n; i++)
		list_add(w->arena, &ret->disks,
			 asked_disk(w, d->disks.entries[i].name, d->disks.entries[i].value));
	for (size_t i = 0; i < d->nics.n; i++)
		list_add(w->arena, &ret->nics,
			 asked_nic(w, d->nics.entries[i].name, d->nics.entries[i].value));
	domain_ask_pci(w->arena, d, &ret->pci);
}

/* The same, with its boot files there. */
static int ask(struct work *w, struct xen_domain *ret, struct err *e)
{
	const struct domain *d = w->step->want_record;
	int r;

	if (!d->kernel_path)
		return err_set(e, -EINVAL, "it has no kernel");
	domain_ask(w, ret);
	r = domain_ask_usb(w, &ret->usb, e);
	if (r < 0)
		return r;
	/* QEMU, which starts it for a machine, wants it packed. */
	if (!ret->kernel || d->type == XEN_HVM)
		return 0;
	r = cache_kernel(w->arena, d->kernel_path, &ret->image, e);
	if (r < 0)
		err_at(e, "kernel");
	return r;
}

static int create(struct work *w, const struct xen_domain *asked, struct err *e)
{
	const struct intent_domain *i = domain_intent(w->facts, w->step->name, w->step->uuid);
	struct intent_who me = domain_who(w);
	struct xen_watcher watcher = {domain_progress, w};
	int64_t domid;
	int r;

	/* What is to be given up is, once nothing else is in the way. */
	r = domain_saved(w->facts, w->step->name) ? xen_ready(asked, 0, e) : 0;
	/* A stop or restart that this fulfils or overrules; the count of crashes stays. */
	if (r == 0)
		r = domain_discard_saved(w, e);
	if (r == 0 && i &&
	    (i->stopped != INTENT_RUN || i->restart_domid || i->rebuild || i->discard_saved))
		r = intent_start(&me, e);
	if (r < 0)
		return r;
	r = xen_create(asked, &watcher, &domid, e);
	if (r < 0)
		return r;
	w->result = arena_printf(w->arena, "%s as domain %lld",
				 asked->state == XEN_PAUSED ? "made, and paused," : "started",
				 (long long)domid);
	return 0;
}

/* Gracefully within so many seconds, else by force; *ret_how says which. */
static int end(struct work *w, const struct xen_domain *x, int64_t timeout_s, const char **ret_how,
	       struct err *e)
{
	struct xen_watcher watcher = {domain_progress, w};
	_cleanup_err_ struct err why = {0};
	int r;

	if (x->state == XEN_SHUTDOWN) {
		*ret_how = "cleared away";
		return xen_destroy(x->domid, e);
	}
	/* To be asked it would have to boot first. */
	if (x->state == XEN_PAUSED && !xen_has_past(x)) {
		*ret_how = "destroyed: it never ran";
		return xen_destroy(x->domid, e);
	}
	if (timeout_s == 0) {
		*ret_how = "destroyed";
		return xen_destroy(x->domid, e);
	}
	r = xen_shutdown(x->domid, (unsigned)timeout_s, &watcher, &why);
	if (r == 0)
		*ret_how = "shut down";
	else if (r == -ETIMEDOUT)
		*ret_how = arena_printf(w->arena, "%s: destroyed", why.message);
	else {
		err_move(e, &why);
		return r;
	}
	domain_progress(w, *ret_how);
	return xen_destroy(x->domid, e);
}

/* What is left of a guest's memory goes into a file first, where the manifest wants that: of each guest the last one's. That it
 * can't be written is told, and is no reason to leave the guest lying. "core in …, ", or "". */
static const char *dump(struct work *w)
{
	const struct domain *d = w->step->want_record;
	const struct xen_domain *x = w->now->data;
	const char *path = arena_printf(w->arena, CORE_DIR "/%s.core", w->step->name);
	_cleanup_err_ struct err e = {0};

	if (w->now->half_made || x->state != XEN_SHUTDOWN || d->state == STATE_STOPPED ||
	    !domain_end_dumps(domain_end_of(d, x->reason)))
		return "";
	domain_progress(w, arena_printf(w->arena, "writing its memory to %s", path));
	if (xen_core(x->domid, path, x->memory, &e) == 0)
		return arena_printf(w->arena, "its memory is in %s, ", path);
	return arena_printf(w->arena, "its memory could not be kept (%s), ", e.message);
}

/* In seconds; 0: at once. */
static int64_t stop_timeout(const struct work *w)
{
	const struct intent_domain *i = domain_intent(w->facts, w->step->name, w->step->uuid);
	const struct domain *d = w->step->want_record;
	const struct xen_domain *x = w->now ? w->now->data : NULL;

	if (i && (i->timeout || i->at_once) && w->step->action != ACTION_REMOVE)
		return i->at_once ? 0 : (int64_t)i->timeout;
	if (d)
		return (int64_t)d->shutdown_timeout;
	return x && x->shutdown_timeout ? x->shutdown_timeout : SHUTDOWN_DEFAULT;
}

static int restart(struct work *w, struct err *e)
{
	const struct domain *d = w->step->want_record, *seen = w->step->have_record;
	const struct xen_domain *x = w->now->data;
	struct intent_who me = domain_who(w);
	struct xen_domain asked;
	const char *how, *core;
	int r;

	if (seen && seen->domid != x->domid)
		return err_set(e, -ESTALE,
			       "it was started anew since the plan was made; run apply "
			       "again");
	r = domain_check_unsaved(w, e);
	if (r == 0)
		r = ask(w, &asked, e);
	if (r < 0)
		return r;
	r = xen_ready(&asked, x->domid, e);
	if (r < 0)
		return r;
	if (x->state == XEN_SHUTDOWN && (x->reason == XEN_CRASH || x->reason == XEN_WATCHDOG) &&
	    domain_end_restarts(domain_end_of(d, x->reason))) {
		const struct intent_domain *i =
			domain_intent(w->facts, w->step->name, w->step->uuid);

		r = intent_crash(&me, domain_crashes(w->facts, i, x) + 1, e);
		if (r < 0)
			return r;
	}
	core = dump(w);
	/* If this is cut off after the guest went down, its husk must not pass for one that powered itself
	 * off: the note says that a restart is under way. */
	if (x->state != XEN_SHUTDOWN) {
		r = intent_restart(&me, x->domid, stop_timeout(w), e);
		if (r < 0)
			return r;
	}
	r = end(w, x, stop_timeout(w), &how, e);
	if (r == 0 && x->state != XEN_SHUTDOWN)
		r = intent_start(&me, e);
	if (r == 0)
		r = create(w, &asked, e);
	if (r == 0)
		w->result = arena_printf(w->arena, "%s%s, %s", core, how, w->result);
	return r;
}

static int settle(struct work *w, struct err *e)
{
	const struct intent_domain *i = domain_intent(w->facts, w->step->name, w->step->uuid);
	const struct xen_domain *x = w->now ? w->now->data : NULL;
	struct intent_who me = domain_who(w);
	const char *core = "";
	int r = 0;

	if (!x)
		return 0;
	/* What runs by now was started anew: it isn't what the plan saw. */
	if (!w->now->half_made && x->state != XEN_SHUTDOWN)
		return err_set(e, -ESTALE,
			       "it runs again since the plan was made; run apply again");
	/* First the note, then the end: a husk tells the next plan the same once more. */
	if (!w->now->half_made && (!i || i->stopped == INTENT_RUN || i->stopped == INTENT_SAVED) &&
	    ((const struct domain *)w->step->want_record)->state != STATE_STOPPED) {
		r = intent_stop(&me,
				x->reason == XEN_CRASH      ? INTENT_CRASHED
				: x->reason == XEN_WATCHDOG ? INTENT_WATCHDOG
							    : INTENT_INSIDE,
				((const struct domain *)w->step->want_record)->said,
				INTENT_TIMEOUT_LEFT, e);
	}
	if (r == 0)
		core = dump(w);
	if (r == 0)
		r = xen_destroy(x->domid, e);
	if (r == 0)
		w->result = arena_printf(w->arena, "%scleared away; it stays off", core);
	return r;
}

/* 0: saved, and to be destroyed; 1: it runs on, and is to be shut down, which is no failure: the host goes down. */
static int save_first(struct work *w)
{
	const struct domain *d = w->step->want_record;
	const struct xen_domain *x = w->now->data;
	_cleanup_err_ struct err why = {0};

	if (!d || !d->saves || x->state == XEN_SHUTDOWN)
		return 1;
	if (domain_write_out(w, true, &why) == 0)
		return 0;
	domain_progress(w, arena_printf(w->arena, "could not be saved, so it is shut down: %s",
					why.message));
	return 1;
}

static int stop(struct work *w, struct err *e)
{
	struct xen_domain x;
	const char *how;
	int r;

	if (!w->now)
		return 0;
	if (save_first(w) == 0) {
		w->result = "saved";
		return xen_destroy(((const struct xen_domain *)w->now->data)->domid, e);
	}
	r = domain_awake(w, &x, e);
	if (r == 0)
		r = end(w, &x, stop_timeout(w), &how, e);
	if (r == 0)
		w->result = how;
	return r;
}

static int remove_(struct work *w, struct err *e)
{
	int r = stop(w, e);

	return r < 0 ? r : intent_forget(w->step->name, e);
}

/* "lan" of "nics.lan.bridge" and of "nics.lan"; NULL: another path. Arena memory. */
static const char *entry_of(struct arena *a, const char *path, const char *map)
{
	size_t n = strlen(map);

	if (strncmp(path, map, n) != 0 || path[n] != '.')
		return NULL;
	path += n + 1;
	return arena_strndup(a, path, strcspn(path, "."));
}

static int change_nic(struct work *w, const struct xen_domain *x, const char *name, struct err *e)
{
	const struct domain *want = w->step->want_record, *now = w->now->record;
	const struct domain_nic *n = map_get(&want->nics, name), *have = map_get(&now->nics, name);
	int r = 0;

	if (n && have && streq(n->mac, have->mac)) {
		domain_progress(w, arena_printf(w->arena, "moving %s to %s", name, n->bridge));
		r = xen_nic_bridge(x->domid, n->mac, n->bridge, e);
	} else {
		if (have && (!n || !streq(n->mac, have->mac))) {
			domain_progress(w, arena_printf(w->arena, "unplugging %s", name));
			r = xen_nic_remove(x->domid, have->mac, e);
		}
		if (r == 0 && n && (!have || !streq(n->mac, have->mac))) {
			domain_progress(w, arena_printf(w->arena, "plugging in %s", name));
			r = xen_nic_add(x->domid, asked_nic(w, name, n), e);
		}
	}
	if (r < 0 && e && !e->path)
		err_at(e, "nics.%s", name);
	return r;
}

static int change_disk(struct work *w, const struct xen_domain *x, const char *name, struct err *e)
{
	const struct domain *want = w->step->want_record, *now = w->now->record;
	const struct domain_disk *k = map_get(&want->disks, name),
				 *have = map_get(&now->disks, name);
	int r;

	if (!k && have) {
		domain_progress(w, arena_printf(w->arena, "taking disk %s away", name));
		r = xen_disk_remove(x->domid, have->vdev, e);
		if (r < 0 && e && !e->path)
			err_at(e, "disks.%s", name);
		return r;
	}
	/* Disks that change are a restart's, but for a drive's disc. */
	if (!k || (have && !(have->cdrom && k->cdrom)))
		return 0;
	domain_progress(w, arena_printf(w->arena,
					!have                         ? "adding disk %s"
					: streq(k->target, DISC_NONE) ? "emptying drive %s"
								      : "changing the disc in %s",
					name));
	r = have ? xen_disc_change(x->domid, asked_disk(w, name, k), e)
		 : xen_disk_add(x->domid, asked_disk(w, name, k), e);
	if (r < 0 && e && !e->path)
		err_at(e, "disks.%s", name);
	return r;
}

/* What the manifest leaves as it is. */
static int64_t share(const struct domain *d, const char *field, int64_t now)
{
	if (!field_is_set(&domain_scheduler_table, &d->scheduler, field))
		return now;
	return streq(field, "cap") ? d->scheduler.cap : d->scheduler.weight;
}

static int update(struct work *w, struct err *e)
{
	const struct domain *want = w->step->want_record;
	const struct changes *c = &w->step->changes;
	const struct xen_domain *x = w->now->data;
	struct xen_watcher watcher = {domain_progress, w};
	/* A paused guest can't follow: it is told, and does when it goes on. */
	unsigned wait_s = x->state == XEN_RUNNING ? FOLLOW_S : 0;
	const char *name;
	int r = 0;

	if (x->state == XEN_SHUTDOWN)
		return err_set(e, -ESTALE,
			       "it has shut down since the plan was made; run apply again");
	/* What goes comes first in the changes of a map: a MAC is free before it is used again. */
	for (size_t i = 0; r == 0 && i < c->n; i++) {
		const char *path = c->list[i].path;

		if (streq(path, "memory"))
			r = xen_set_memory(x->domid, want->memory, wait_s, &watcher, e);
		else if (streq(path, "vcpus"))
			r = xen_set_vcpus(x->domid, want->vcpus, wait_s, &watcher, e);
		else if (streq(path, "cpus"))
			r = xen_set_cpus(x->domid, want->cpus, e);
		else if (startswith(path, "scheduler."))
			r = xen_set_scheduler(x->domid, share(want, "weight", x->weight),
					      share(want, "cap", x->cap), e);
		else if ((name = entry_of(w->arena, path, "nics")))
			r = change_nic(w, x, name, e);
		else if ((name = entry_of(w->arena, path, "disks")))
			r = change_disk(w, x, name, e);
		else if ((name = entry_of(w->arena, path, "usb_devices")))
			r = domain_change_usb(w, x, name, e);
		else
			r = err_set(e, -EINVAL, "%s can't be changed while it runs", path);
	}
	/* A step without changes is about nothing else. */
	if (r == 0 && x->saving && (c->n == 0 || domain_saving_over(w->facts, x)))
		r = xen_save_over(x->domid, e);
	return r;
}

static int pause_(struct work *w, struct err *e)
{
	const struct domain *d = w->step->want_record;
	const struct xen_domain *x = w->now ? w->now->data : NULL;

	if (!x || x->state == XEN_SHUTDOWN)
		return 0; /* it writes no more */
	return xen_pause(x->domid, d->pauses_for ? d->pauses_for : "pool", e);
}

static int go_on(struct work *w, struct err *e)
{
	const struct intent_domain *i = domain_intent(w->facts, w->step->name, w->step->uuid);
	const struct xen_domain *x = w->now ? w->now->data : NULL;
	struct intent_who me = domain_who(w);
	int r;

	if (!x)
		return 0;
	if (i && i->paused_domid == x->domid)
		return err_set(e, -ESTALE, "it was paused by hand since the plan was made");
	r = x->state == XEN_SHUTDOWN ? domain_unsave(w, e) : xen_resume(x->domid, e);
	/* Else the next pause of a person's would be undone as well. */
	if (r == 0 && i && i->unpaused_domid)
		r = intent_unpause(&me, 0, e);
	return r;
}

int domain_apply(struct work *w, struct err *e)
{
	const struct intent_domain *i = domain_intent(w->facts, w->step->name, w->step->uuid);
	enum action action = w->step->action;
	struct xen_domain asked;
	int r;

	/* No plan starts what a person stopped: the stop came after this one. */
	if (i && (i->stopped == INTENT_BY_HAND || i->stopped == INTENT_SAVED) &&
	    (action == ACTION_RESTART || action == ACTION_START || action == ACTION_RESTORE ||
	     (action == ACTION_CREATE && i->stopped == INTENT_BY_HAND)))
		return err_set(e, -ESTALE, "it was %s by hand since the plan was made",
			       i->stopped == INTENT_SAVED ? "saved" : "stopped");
	switch (w->step->action) {
	case ACTION_CREATE:
		r = ask(w, &asked, e);
		return r < 0 ? r : create(w, &asked, e);
	case ACTION_RESTART:
		return w->now ? restart(w, e) : err_set(e, -ESTALE, "it is gone; run apply again");
	case ACTION_UPDATE:
		return w->now ? update(w, e) : err_set(e, -ESTALE, "it is gone; run apply again");
	case ACTION_START:
		return w->now ? xen_unpause(((const struct xen_domain *)w->now->data)->domid, e)
			      : err_set(e, -ESTALE, "it is gone; run apply again");
	case ACTION_STOP:
		return stop(w, e);
	case ACTION_SETTLE:
		return settle(w, e);
	case ACTION_REMOVE:
		return remove_(w, e);
	case ACTION_PAUSE:
		return pause_(w, e);
	case ACTION_RESUME:
		return go_on(w, e);
	case ACTION_AWAIT:
		return domain_wait(w, e);
	case ACTION_ADOPT:
		return domain_adopt(w, e);
	case ACTION_SAVE:
		return domain_save(w, e);
	case ACTION_RESTORE:
		return domain_restore(w, e);
	case ACTION_FORGET:
		return w->now ? err_set(e, -ESTALE, "it is there by now; run apply again")
			      : intent_forget(w->step->name, e);
	case ACTION_REBUILD: /* its volumes are, not it */
		break;
	}
	return err_set(e, -EINVAL, "no such action for a domain");
}
