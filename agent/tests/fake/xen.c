/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * host/xen.h over domains in memory: states, marks, devices and memory as a step can see them. Guests
 * follow at once. A creation that is made to fail leaves, now and then, what a killed worker would.
 */
#include "host/xen.h"
#include "host/paths.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "tests/fake/fake.h"

const char *const xen_type_words[] = {"pv", "pvh", "hvm", NULL};
const char *const xen_state_words[] = {"running", "paused", "shutdown", "dying", NULL};
const char *const xen_reason_words[] = {"poweroff", "reboot",     "suspend", "crash",
					"watchdog", "soft-reset", NULL};

static struct arena *arena;
static struct xen_facts host;
static int64_t next_domid;

static struct xen_disk *copy_disk(struct arena *a, const struct xen_disk *from)
{
	struct xen_disk *to = arena_alloc(a, sizeof(*to));

	*to = *from;
	to->rec = (struct record){0};
	to->vdev = arena_strdup(a, from->vdev);
	to->target = arena_strdup(a, from->target);
	to->id = from->id       ? arena_strdup(a, from->id)
		 : from->target ? path_id(a, from->target)
				: NULL;
	to->label = NULL;
	return to;
}

static struct xen_nic *copy_nic(struct arena *a, const struct xen_nic *from)
{
	struct xen_nic *to = arena_alloc(a, sizeof(*to));

	*to = *from;
	to->rec = (struct record){0};
	to->mac = arena_strdup(a, from->mac);
	to->bridge = arena_strdup(a, from->bridge);
	to->vif = arena_strdup(a, from->vif);
	to->model = NULL;
	to->label = NULL;
	return to;
}

static struct xen_pci *copy_pci(struct arena *a, const struct xen_pci *from)
{
	struct xen_pci *to = arena_alloc(a, sizeof(*to));

	*to = (struct xen_pci){
		.address = arena_strdup(a, from->address),
		.permissive = from->permissive,
	};
	return to;
}

static struct xen_usb *copy_usb(struct arena *a, const struct xen_usb *from)
{
	struct xen_usb *to = arena_alloc(a, sizeof(*to));

	*to = (struct xen_usb){.port = arena_strdup(a, from->port)};
	return to;
}

static struct xen_pci_mark *copy_mark(struct arena *a, const struct xen_pci_mark *from)
{
	struct xen_pci_mark *to = arena_alloc(a, sizeof(*to));

	*to = (struct xen_pci_mark){
		.address = arena_strdup(a, from->address),
		.uuid = arena_strdup(a, from->uuid),
		.driver = arena_strdup(a, from->driver),
	};
	return to;
}

static struct xen_domain *copy_domain(struct arena *a, const struct xen_domain *from)
{
	struct xen_domain *to = arena_alloc(a, sizeof(*to));

	*to = *from;
	to->rec = (struct record){0};
	to->uuid = arena_strdup(a, from->uuid);
	to->name = arena_strdup(a, from->name);
	to->kernel = arena_strdup(a, from->kernel);
	to->image = NULL;
	to->initrd = arena_strdup(a, from->initrd);
	to->cmdline = arena_strdup(a, from->cmdline);
	to->cpus = arena_strdup(a, from->cpus);
	to->vnc = arena_strdup(a, from->vnc);
	to->settings = arena_strdup(a, from->settings);
	to->hardware = NULL;
	to->why = arena_strdup(a, from->why);
	to->paused_for = arena_strdup(a, from->paused_for);
	to->record = arena_strdup(a, from->record);
	to->mark_uuid = arena_strdup(a, from->mark_uuid);
	to->mark_name = arena_strdup(a, from->mark_name);
	to->mark_state = arena_strdup(a, from->mark_state);
	to->disks = to->nics = to->pci = to->usb = (struct list){0};
	for (size_t i = 0; i < from->disks.n; i++)
		list_add(a, &to->disks, copy_disk(a, from->disks.items[i]));
	for (size_t i = 0; i < from->nics.n; i++)
		list_add(a, &to->nics, copy_nic(a, from->nics.items[i]));
	for (size_t i = 0; i < from->pci.n; i++)
		list_add(a, &to->pci, copy_pci(a, from->pci.items[i]));
	for (size_t i = 0; i < from->usb.n; i++)
		list_add(a, &to->usb, copy_usb(a, from->usb.items[i]));
	return to;
}

static void copy(struct arena *a, const struct xen_facts *from, struct xen_facts *ret)
{
	*ret = *from;
	ret->rec = (struct record){0};
	ret->version = arena_strdup(a, from->version);
	ret->virt_caps = fake_strings(a, &from->virt_caps);
	ret->domains = ret->pci_marks = (struct list){0};
	for (size_t i = 0; i < from->pci_marks.n; i++)
		list_add(a, &ret->pci_marks, copy_mark(a, from->pci_marks.items[i]));
	for (size_t i = 0; i < from->domains.n; i++)
		list_add(a, &ret->domains, copy_domain(a, from->domains.items[i]));
}

struct xen_facts *fake_xen(struct arena **ret_arena)
{
	*ret_arena = arena;
	return &host;
}

void fake_xen_load(const struct xen_facts *f)
{
	static const struct xen_facts empty = {
		.version = "4.17.7", .memory_total = UINT64_C(8) << 30,
		.memory_free = UINT64_C(6) << 30, .cpus = 4, .dom0_memory = UINT64_C(1) << 30,
		.dom0_vcpus = 4,
	};

	arena_free(arena);
	arena = arena_new();
	copy(arena, f ? f : &empty, &host);
	next_domid = 1;
	for (size_t i = 0; i < host.domains.n; i++)
		next_domid =
			MAX_OF(next_domid, ((struct xen_domain *)host.domains.items[i])->domid + 1);
}

int xen_read(struct arena *a, const char *name, const char *uuid, struct xen_facts *ret,
	     struct err *e)
{
	copy(a, &host, ret);
	for (size_t i = 0; (name || uuid) && i < ret->domains.n; i++) {
		struct xen_domain *d = ret->domains.items[i];

		if (d->state == XEN_DYING || !d->name || streq(d->name, name) ||
		    streq(d->mark_uuid, uuid) || streq(d->uuid, uuid))
			continue;
		/* As the real one leaves out what nobody asked for. */
		*d = (struct xen_domain){
			.domid = d->domid,
			.name = d->name,
			.uuid = d->uuid,
			.state = d->state,
			.reason = d->reason,
			.type = d->type,
			.mark_uuid = d->mark_uuid,
			.mark_name = d->mark_name,
			.mark_state = d->mark_state,
			.why = "not asked for",
		};
	}
	return 0;
}

static struct xen_domain *find(int64_t domid)
{
	for (size_t i = 0; i < host.domains.n; i++) {
		struct xen_domain *d = host.domains.items[i];

		if (d->domid == domid)
			return d;
	}
	return NULL;
}

struct xen_domain *fake_xen_domain(int64_t domid)
{
	return find(domid);
}

/* How a call that changes a domain begins: it fails in its turn, or has the domain. */
static int begin(const char *call, int64_t domid, struct xen_domain **ret, struct err *e)
{
	int r = fake_turn(call, e);

	if (r < 0)
		return r;
	*ret = find(domid);
	return *ret ? 0 : err_set(e, -ESRCH, "no domain %lld", (long long)domid);
}

static void remove_one(const struct xen_domain *d)
{
	struct list kept = {0};

	for (size_t i = 0; i < host.domains.n; i++)
		if (host.domains.items[i] != d)
			list_add(arena, &kept, host.domains.items[i]);
	host.memory_free += d->memory_now;
	host.domains = kept;
}

int xen_core(int64_t domid, const char *path, uint64_t memory, struct err *e)
{
	FAKE_FAIL(e);
	return find(domid) ? 0 : err_set(e, -ENOENT, "no domain %lld", (long long)domid);
}

int xen_destroy(int64_t domid, struct err *e)
{
	struct xen_domain *d = find(domid);

	FAKE_FAIL(e);
	if (d)
		remove_one(d);
	return 0;
}

/* Connected, numbered, named as the host would. */
static void plug(struct xen_domain *d)
{
	for (size_t i = 0; i < d->disks.n; i++)
		((struct xen_disk *)d->disks.items[i])->connected = true;
	for (size_t i = 0; i < d->nics.n; i++) {
		struct xen_nic *n = d->nics.items[i];

		n->devid = (int64_t)i;
		n->vif = arena_printf(arena, "vif%lld.%zu", (long long)d->domid, i);
		n->connected = true;
	}
}

int xen_ready(const struct xen_domain *d, int64_t instead_of, struct err *e)
{
	uint64_t room = host.memory_free;

	for (size_t i = 0; i < host.domains.n; i++) {
		const struct xen_domain *x = host.domains.items[i];

		if (x->domid == instead_of)
			room += x->memory_now;
	}
	if (d->memory <= room)
		return 0;
	err_at(e, "memory");
	return err_set(e, -ENOMEM, "does not fit");
}

/* "127.0.0.1:5903"; NULL: it has none. Two that overlap are the plan's to keep apart. */
static int screen(const struct xen_hardware *h, const char **ret, struct err *e)
{
	int64_t port = XEN_VNC_PORT + (h->vnc_display < 0 ? h->vnc_from : h->vnc_display);
	bool taken = true;

	*ret = NULL;
	while (h->vnc && taken) {
		*ret = arena_printf(arena, "%s:%lld", h->vnc_address, (long long)port++);
		taken = false;
		for (size_t i = 0; i < host.domains.n; i++)
			taken |= streq(((struct xen_domain *)host.domains.items[i])->vnc, *ret);
		if (taken && h->vnc_display >= 0)
			return err_set(e, -EADDRINUSE, "A BUG: %s is another guest's", *ret);
	}
	return 0;
}

/* Paused, with its marks, half-made. */
static int build(const struct xen_domain *asked, const char *call, bool cut,
		 struct xen_domain **ret, struct err *e)
{
	struct xen_domain *d;
	const char *vnc = NULL;
	int r;

	for (size_t i = 0; i < host.domains.n; i++) {
		d = host.domains.items[i];
		if (!streq(d->uuid, asked->uuid) && !streq(d->mark_uuid, asked->mark_uuid))
			continue;
		if (streq(d->mark_state, "ready") || (!d->mark_uuid && d->name))
			return err_set(e, -EEXIST, "domain %lld has this UUID",
				       (long long)d->domid);
		remove_one(d);
		i--;
	}
	if (asked->memory > host.memory_free) {
		err_at(e, "memory");
		return err_set(e, -ENOMEM, "does not fit");
	}
	r = fake_xen_configure(call, asked, host.cpus, e);
	if (r == 0)
		r = fake_xen_devices(asked, e);
	if (r == 0)
		r = screen(asked->hardware, &vnc, e);
	if (r < 0)
		return r;
	d = copy_domain(arena, asked);
	d->vnc = vnc;
	d->domid = next_domid++;
	d->state = XEN_PAUSED;
	d->memory_now = d->memory;
	d->vcpus_now = d->vcpus;
	d->cpus = asked->hardware->cpus ? arena_strdup(arena, asked->hardware->cpus) : "all";
	d->weight = asked->hardware->weight;
	d->cap = asked->hardware->cap;
	d->boot_known = true;
	plug(d);
	host.memory_free -= d->memory_now;
	list_add(arena, &host.domains, d);
	if (cut) {
		d->mark_uuid = d->name = NULL;
		return err_set(e, -EIO, "killed before the marks");
	}
	d->mark_name = d->name;
	d->mark_state = "building";
	*ret = d;
	return 0;
}

int xen_create(const struct xen_domain *asked, const struct xen_watcher *w, int64_t *ret_domid,
	       struct err *e)
{
	struct xen_domain *d;
	int r;

	/* Its disks would be written by two, one after the other. */
	if (fake_saved(asked->name))
		return err_set(e, -EINVAL, "A BUG: what it had in memory is saved still");
	r = build(asked, "create", fake_fails("xen_create, before its marks"), &d, e);
	if (r < 0)
		return r;
	if (fake_fails("xen_create, while building"))
		return err_set(e, -EIO, "killed while building");
	d->mark_state = "ready";
	if (fake_fails("xen_create, before it runs"))
		return err_set(e, -EIO, "killed before it runs");
	d->state = asked->state == XEN_PAUSED ? XEN_PAUSED : XEN_RUNNING;
	d->ran = d->state == XEN_RUNNING;
	d->started = time(NULL);
	*ret_domid = d->domid;
	return 0;
}

int xen_restore(const struct xen_domain *asked, int fd, const struct xen_watcher *w,
		int64_t *ret_domid, struct err *e)
{
	struct xen_domain *d;
	int r = build(asked, "restore", fake_fails("xen_restore, before its marks"), &d, e);

	if (r < 0)
		return r;
	if (fake_fails("xen_restore, what was saved is no good")) {
		remove_one(d);
		return err_set(e, -EPROTO, "not to be restored");
	}
	if (fake_fails("xen_restore, while building"))
		return err_set(e, -EIO, "killed while building");
	d->started = time(NULL);
	*ret_domid = d->domid;
	return 0;
}

int xen_save(int64_t domid, int fd, const struct xen_watcher *w, struct err *e)
{
	struct xen_domain *d;
	int r = begin("xen_save, at the beginning", domid, &d, e);

	if (r < 0)
		return r;
	if (d->state == XEN_PAUSED && !xen_has_past(d))
		return err_set(e, -EBUSY, "it never ran");
	d->ran = true;
	d->saving++;
	d->saving_since = time(NULL);
	if (fake_fails("xen_save, killed before it is suspended"))
		return err_set(e, -EIO, "killed before it is suspended");
	d->state = XEN_SHUTDOWN;
	d->reason = XEN_SUSPEND;
	if (fake_fails("xen_save, killed while it is suspended"))
		return err_set(e, -EIO, "killed while it is suspended");
	return 0;
}

int xen_await(int64_t domid, const char *name, const struct xen_probe *p, unsigned timeout_s,
	      const struct xen_watcher *w, struct err *e)
{
	struct xen_domain *d;
	int r = begin(__func__, domid, &d, e);

	if (r == 0)
		d->ready = true;
	return r;
}

int xen_unsuspend(int64_t domid, bool over, struct err *e)
{
	struct xen_domain *d;
	int r = begin(__func__, domid, &d, e);

	if (r < 0)
		return r;
	if (fake_saved(d->mark_name))
		return err_set(e, -EINVAL, "A BUG: it goes on, and could be restored");
	if (over)
		d->saving = d->saving_since = 0;
	d->state = XEN_RUNNING;
	return 0;
}

int xen_save_over(int64_t domid, struct err *e)
{
	struct xen_domain *d;
	int r = begin(__func__, domid, &d, e);

	if (r == 0)
		d->saving = d->saving_since = 0;
	return r;
}

int xen_shutdown(int64_t domid, unsigned timeout_s, const struct xen_watcher *w, struct err *e)
{
	struct xen_domain *d;
	int r = begin(__func__, domid, &d, e);

	if (r < 0)
		return r;
	d->state = XEN_SHUTDOWN;
	d->reason = XEN_POWEROFF;
	return 0;
}

static int finish(const char *call, int64_t domid, bool runs, struct err *e)
{
	struct xen_domain *d;
	int r = begin(call, domid, &d, e);

	if (r < 0)
		return r;
	if (fake_saved(d->mark_name))
		return err_set(e, -EINVAL, "A BUG: it runs, and could be restored once more");
	d->mark_state = "ready";
	if (!runs)
		return 0;
	d->state = XEN_RUNNING;
	d->ran = true;
	return 0;
}

int xen_unpause(int64_t domid, struct err *e)
{
	return finish(__func__, domid, true, e);
}

int xen_hold(int64_t domid, struct err *e)
{
	return finish(__func__, domid, false, e);
}

int xen_adopt(const struct xen_domain *asked, int64_t domid, const struct xen_watcher *w,
	      struct err *e)
{
	struct xen_domain *d;
	int r = begin(__func__, domid, &d, e);

	if (r < 0)
		return r;
	if (!streq(d->uuid, asked->uuid) ||
	    (d->mark_uuid && !streq(d->mark_uuid, asked->mark_uuid)))
		return err_set(e, -EEXIST, "A BUG: another domain would be taken over");
	d->mark_uuid = arena_strdup(arena, asked->mark_uuid);
	d->name = d->mark_name = arena_strdup(arena, asked->name);
	d->mark_state = "ready";
	d->settings = arena_strdup(arena, asked->settings);
	d->kernel = arena_strdup(arena, asked->kernel);
	d->initrd = arena_strdup(arena, asked->initrd);
	d->cmdline = arena_strdup(arena, asked->cmdline);
	d->boot_known = true;
	d->shutdown_timeout = asked->shutdown_timeout;
	d->record = NULL;
	return 0;
}

int xen_pause(int64_t domid, const char *why, struct err *e)
{
	struct xen_domain *d;
	int r = begin(__func__, domid, &d, e);

	if (r < 0)
		return r;
	d->paused_for = arena_strdup(arena, why);
	d->state = XEN_PAUSED;
	return 0;
}

int xen_resume(int64_t domid, struct err *e)
{
	struct xen_domain *d;
	int r = begin(__func__, domid, &d, e);

	if (r < 0)
		return r;
	d->paused_for = NULL;
	d->state = XEN_RUNNING;
	d->ran = true;
	return 0;
}

int xen_set_memory(int64_t domid, uint64_t bytes, unsigned wait_s, const struct xen_watcher *w,
		   struct err *e)
{
	struct xen_domain *d;
	int r = begin(__func__, domid, &d, e);

	if (r < 0)
		return r;
	if (bytes > d->memory_now + host.memory_free) {
		err_at(e, "memory");
		return err_set(e, -ENOMEM, "does not fit");
	}
	host.memory_free = host.memory_free + d->memory_now - bytes;
	d->memory = d->memory_now = bytes;
	return 0;
}

int xen_set_vcpus(int64_t domid, int64_t vcpus, unsigned wait_s, const struct xen_watcher *w,
		  struct err *e)
{
	struct xen_domain *d;
	int r = begin(__func__, domid, &d, e);

	if (r < 0)
		return r;
	d->vcpus = d->vcpus_now = vcpus;
	return 0;
}

int xen_console(int64_t domid, enum xen_console which, struct err *e)
{
	return err_set(e, -EIO, "no terminal here");
}

int xen_set_cpus(int64_t domid, const char *cpus, struct err *e)
{
	struct xen_domain *d;
	int r = begin(__func__, domid, &d, e);

	if (r == 0)
		d->cpus = arena_strdup(arena, cpus);
	return r;
}

int xen_set_scheduler(int64_t domid, int64_t weight, int64_t cap, struct err *e)
{
	struct xen_domain *d;
	int r = begin(__func__, domid, &d, e);

	if (r < 0)
		return r;
	d->weight = weight;
	d->cap = cap;
	return 0;
}

/* Killed between telling libxl and telling the kernel. */
static int cut_short(const char *op, bool *unplugged, struct err *e)
{
	if (!fake_fails(op))
		return 0;
	*unplugged = true;
	return err_set(e, -EIO, "killed half-way");
}

int xen_disk_add(int64_t domid, const struct xen_disk *disk, struct err *e)
{
	struct xen_domain *d;
	int r = begin(__func__, domid, &d, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < d->disks.n; i++) {
		struct xen_disk *there = d->disks.items[i];

		if (!streq(there->vdev, disk->vdev))
			continue;
		there->unplugged = false;
		return 0;
	}
	fake_xen_disk(disk, false);
	list_add(arena, &d->disks, copy_disk(arena, disk));
	plug(d);
	return cut_short("xen_disk_add (half-way)",
			 &((struct xen_disk *)d->disks.items[d->disks.n - 1])->unplugged, e);
}

int xen_disk_remove(int64_t domid, const char *vdev, struct err *e)
{
	struct list kept = {0};
	struct xen_domain *d;
	int r = begin(__func__, domid, &d, e);

	if (r < 0)
		return r;
	if (d->state == XEN_PAUSED)
		return err_set(e, -EBUSY, "A BUG: a paused guest can't let go of %s", vdev);
	for (size_t i = 0; i < d->disks.n; i++)
		if (!streq(((struct xen_disk *)d->disks.items[i])->vdev, vdev))
			list_add(arena, &kept, d->disks.items[i]);
	d->disks = kept;
	return 0;
}

int xen_disc_change(int64_t domid, const struct xen_disk *disk, struct err *e)
{
	struct xen_domain *d;
	int r = begin(__func__, domid, &d, e);

	for (size_t i = 0; r == 0 && i < d->disks.n; i++) {
		struct xen_disk *there = d->disks.items[i];

		if (!streq(there->vdev, disk->vdev))
			continue;
		if (!there->cdrom)
			return err_set(e, -EINVAL, "A BUG: %s is no drive", disk->vdev);
		fake_xen_disk(disk, true);
		there->target = disk->target ? arena_strdup(arena, disk->target) : NULL;
		there->id = disk->target ? path_id(arena, disk->target) : NULL;
		return 0;
	}
	return r < 0 ? r : err_set(e, -ENOENT, "no disk %s", disk->vdev);
}

int xen_nic_add(int64_t domid, const struct xen_nic *nic, struct err *e)
{
	struct xen_domain *d;
	int r = begin(__func__, domid, &d, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < d->nics.n; i++) {
		struct xen_nic *there = d->nics.items[i];

		if (!streq(there->mac, nic->mac))
			continue;
		there->unplugged = false;
		return 0;
	}
	fake_xen_nic(nic);
	list_add(arena, &d->nics, copy_nic(arena, nic));
	plug(d);
	return cut_short("xen_nic_add (half-way)",
			 &((struct xen_nic *)d->nics.items[d->nics.n - 1])->unplugged, e);
}

int xen_nic_remove(int64_t domid, const char *mac, struct err *e)
{
	struct list kept = {0};
	struct xen_domain *d;
	int r = begin(__func__, domid, &d, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < d->nics.n; i++)
		if (!streq(((struct xen_nic *)d->nics.items[i])->mac, mac))
			list_add(arena, &kept, d->nics.items[i]);
	d->nics = kept;
	return 0;
}

int xen_nic_bridge(int64_t domid, const char *mac, const char *bridge, struct err *e)
{
	struct xen_domain *d;
	int r = begin(__func__, domid, &d, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < d->nics.n; i++) {
		struct xen_nic *n = d->nics.items[i];

		if (streq(n->mac, mac))
			n->bridge = arena_strdup(arena, bridge);
	}
	return 0;
}
