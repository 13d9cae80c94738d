/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which kernel a domain starts with on this host. A template's disk and its boot files belong together:
 * a guest whose disk was cloned before the template went on keeps the files that came with it.
 */
#include <stdio.h>

#include "host/cache.h"
#include "kinds/disk_file.h"
#include "kinds/domain_priv.h"
#include "kinds/kinds.h"
#include "kinds/lvm_facts.h"
#include "kinds/net_facts.h"
#include "kinds/path_facts.h"
#include "kinds/pci.h"
#include "kinds/volume.h"

const char *domain_volume_of(const char *target)
{
	const char *lv;

	if (!startswith(target, "/dev/"))
		return NULL;
	lv = strchr(target + 5, '/');
	return lv && lv[1] && !strchr(lv + 1, '/') ? lv + 1 : NULL;
}

static const char *cached(struct arena *a, const struct facts *f, const char *sha256)
{
	const struct cache_facts *cache = facts_get(f, "cache");

	return cache && sha256 && map_get(&cache->files, sha256)
		       ? arena_printf(a, "%s/%s", CACHE_DIR, sha256)
		       : NULL;
}

static bool asked_to_rebuild(const struct facts *f, const struct resource *domain)
{
	const struct intent_domain *i = domain_intent(f, domain->name, domain->uuid);

	return i && i->rebuild;
}

bool domain_rebuild(const struct facts *f, const struct manifest *m, const char *volume)
{
	_cleanup_(freep) char *name = xasprintf("%.*s", (int)strcspn(volume, "."), volume);
	const struct resource *domain =
		volume[strlen(name)] ? manifest_find(m, "domain", name) : NULL;

	return domain && asked_to_rebuild(f, domain);
}

/* What came with the clone that this domain runs on and that is behind its template; false: none is. */
static bool clone_behind(const struct facts *f, const struct manifest *m, const struct resource *r,
			 const char **ret_kernel, const char **ret_initrd)
{
	for (size_t i = 0; i < r->n_needs; i++) {
		const struct resource *clone = r->needs[i];

		if (clone->kind == &kind_volume && lvm_facts(f) && volume_behind(f, clone)) {
			const struct volume *v = clone->record;
			const struct lvm_lv *lv = lvm_lv(lvm_facts(f), v->storage, clone->name);

			*ret_kernel = lvm_tag_value(&lv->tags, TAG_KERNEL);
			*ret_initrd = lvm_tag_value(&lv->tags, TAG_INITRD);
			return true;
		}
		if (clone->kind == &kind_file && disk_file_behind(f, clone)) {
			const struct path_state *s =
				path_facts(f, ((struct disk_file *)clone->record)->path);

			*ret_kernel = s->kernel;
			*ret_initrd = s->initrd;
			return true;
		}
	}
	return false;
}

const void *domain_wanted(struct arena *a, const struct facts *f, const struct manifest *m,
			  const struct resource *r)
{
	const struct domain *d = domain_usb_wanted(a, f, r, domain_devices(a, f, r->record));
	const char *kernel, *initrd, *path, *initrd_path = BOOT_NONE;
	struct domain *copy;

	/* Made anew, it comes with the template's of now. */
	if (asked_to_rebuild(f, r))
		return d;
	/* A path is what the operator means now; a template's file is what belongs to the disk. */
	if (!d->kernel || strchr(d->kernel, '/') || (d->initrd && strchr(d->initrd, '/')) ||
	    !clone_behind(f, m, r, &kernel, &initrd))
		return d;
	path = cached(a, f, kernel);
	if (initrd)
		initrd_path = cached(a, f, initrd);
	/* Both or neither: the modules in an initrd are those of its kernel. */
	if (!path || !initrd_path)
		return d;
	copy = arena_alloc(a, sizeof(*copy));
	*copy = *d;
	copy->kernel_path = path;
	copy->initrd_path = initrd_path;
	return copy;
}

static bool is_cached(const struct facts *f, const char *path)
{
	const struct cache_facts *cache = facts_get(f, "cache");
	const char *file = startswith(path, CACHE_DIR "/") ? path + strlen(CACHE_DIR "/") : NULL;

	return !file || (cache && map_get(&cache->files, file));
}

static bool bridge_there(const struct facts *f, const struct resource *bridge)
{
	const struct net_facts *net = net_facts(f);

	for (size_t i = 0; net && i < net->links.n; i++) {
		const struct net_link *l = net->links.items[i];

		if (streq(l->name, bridge->name))
			return streq(l->kind, "bridge") && streq(net_mark(l), bridge->uuid);
	}
	return false;
}

bool domain_met(const struct facts *f, const struct resource *r, const void *wanted,
		const struct resource *other)
{
	const struct domain *d = wanted;

	if (other->kind == &kind_bridge)
		return bridge_there(f, other);
	if (other->kind == &kind_volume)
		return volume_there(f, other);
	if (other->kind == &kind_file)
		return disk_file_there(f, other);
	if (other->kind == &kind_pci)
		return pci_there(f, other->name);
	/* Its disks are the volumes, and the volumes' needs are their own. */
	if (other->kind == &kind_storage)
		return true;
	return other->kind == &kind_template && d->kernel_path && is_cached(f, d->kernel_path) &&
	       is_cached(f, d->initrd_path);
}

/* What another type asks of the guest itself, of which nothing is to be seen from outside. */
static const char *to_be_ported(struct arena *a, const struct domain *d, int was)
{
	const char *kernel =
		"the kernel and 'cmdline' (root=) are the manifest's now, not those of its "
		"boot loader";
	const char *root = NULL;

	for (size_t i = 0; i < d->disks.n && !root; i++)
		root = ((const struct domain_disk *)d->disks.entries[i].value)->vdev;
	if (d->type == XEN_HVM && d->kernel)
		return "the same kernel starts it as a machine: with Xen's drivers in its initrd "
		       "(xen_blkfront, xen_netfront) disks and NICs keep their names; without, 'root=' "
		       "has to name the emulated disk (sda), and NICs are called otherwise";
	if (d->type == XEN_HVM)
		return arena_printf(
			a,
			"its firmware starts the boot loader of its first disk%s%s%s: a guest that "
			"dom0 gave a kernel or pvgrub may have none; install one within it before "
			"(grub-install, or the EFI one), with a kernel and a serial console",
			root ? " ('" : "", root ? root : "", root ? "')" : "");
	if (was == XEN_HVM && domain_firmware_path(d))
		return "pvgrub reads /boot/grub/grub.cfg of its disk, which has to name the disk as "
		       "Xen's drivers do (root=/dev/xvda1, or by UUID) and console=hvc0";
	if (was == XEN_HVM)
		return arena_printf(a,
				    "%s; Xen's drivers must be in its initrd, and the console is "
				    "hvc0",
				    kernel);
	return d->type == XEN_PVH
		       ? "its kernel must be one that starts as pvh (Linux since 4.11, built "
			 "with CONFIG_PVH); disks, NICs and console keep their names"
		       : "its kernel must be one that starts as pv (CONFIG_XEN_PV; 32-bit ones "
			 "lost it with Linux 5.9); disks, NICs and console keep their names";
}

void domain_note_port(struct planning *p, const struct step *s)
{
	const struct domain *have = s->have_record;

	if (changes_has(&s->changes, "type"))
		plan_note(p->plan, NOTE_WARNING, arena_printf(p->arena, "domain/%s", s->name),
			  to_be_ported(p->arena, s->want_record, have->type));
}
