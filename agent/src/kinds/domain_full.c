/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Guests and full pools. What a guest writes to a pool without room is lost, or hangs: before that it is paused,
 * with all that it has in memory, and goes on when the pool has grown or something in it was freed.
 */
#include "kinds/domain_priv.h"
#include "kinds/kinds.h"
#include "kinds/lvm_facts.h"
#include "kinds/storage.h"

#define TIMEOUT_S 60

/* The first storage that it writes to and whose pool says so; *ret_why: how full that is. */
static const char *full_pool(struct planning *p, const struct xen_domain *x, bool paused,
			     const char **ret_why)
{
	const struct lvm_facts *l = lvm_facts(p->facts);

	for (size_t i = 0; l && i < x->disks.n; i++) {
		const struct xen_disk *k = x->disks.items[i];
		const char *lv = k->target ? domain_volume_of(k->target) : NULL, *vg;
		const struct lvm_lv *volume;

		if (!lv || k->read_only || k->unplugged)
			continue;
		vg = arena_strndup(p->arena, k->target + strlen("/dev/"),
				   (size_t)(lv - 1 - k->target) - strlen("/dev/"));
		volume = lvm_lv(l, vg, lv);
		/* Of one that isn't to be seen only those who are paused wait for it. */
		*ret_why = (volume ? streq(volume->type, "thin") : paused)
				   ? storage_pauses(p->arena, p->facts, p->manifest, vg, paused)
				   : NULL;
		if (*ret_why)
			return vg;
	}
	return NULL;
}

struct step *domain_pause_for(struct planning *p, const struct resource *want, const char *what,
			      const char *why)
{
	struct step *s = plan_add(p->plan, ACTION_PAUSE, &kind_domain, want->name, want->uuid);
	struct domain *d = arena_alloc(p->arena, sizeof(*d));

	*d = *(const struct domain *)want->record;
	d->pauses_for = what;
	field_mark(&domain_table, d, "pauses_for");
	s->want_record = d;
	s->why = why;
	s->impact = IMPACT_LIVE;
	s->timeout_s = TIMEOUT_S;
	return s;
}

struct step *domain_go_on(struct planning *p, const struct resource *want, const char *why)
{
	struct step *s = plan_add(p->plan, ACTION_RESUME, &kind_domain, want->name, want->uuid);

	s->why = why;
	s->impact = IMPACT_LIVE;
	s->timeout_s = TIMEOUT_S;
	return s;
}

struct step *domain_pause_for_pool(struct planning *p, const struct resource *want,
				   const struct xen_domain *x, const char *over)
{
	bool paused = startswith(x->paused_for, FOR_POOL);
	const char *why = NULL, *vg;

	/* Unread is neither full nor empty. */
	if (!lvm_facts(p->facts))
		return over ? domain_go_on(p, want, over) : NULL;
	vg = full_pool(p, x, paused, &why);
	if (vg && paused && x->state == XEN_PAUSED) {
		plan_note(p->plan, NOTE_WARNING, arena_printf(p->arena, "domain/%s", want->name),
			  arena_printf(p->arena,
				       "paused: %s; it goes on by itself when there is room", why));
		return NULL;
	}
	if (vg && (x->state == XEN_RUNNING || over))
		return domain_pause_for(
			p, want, arena_printf(p->arena, FOR_POOL "%s", vg),
			arena_printf(p->arena, "%s: paused before it writes what is lost", why));
	if (!vg && paused)
		over = arena_printf(p->arena, "%s has room again", x->paused_for);
	return over ? domain_go_on(p, want, over) : NULL;
}
