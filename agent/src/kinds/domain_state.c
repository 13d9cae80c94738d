/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a domain is to do: run, be off, be paused. A mark says what Manor has paused it for; without one it was a
 * person, whose word it is to let it go on.
 */
#include "kinds/domain_priv.h"
#include "kinds/kinds.h"

bool domain_kept_off(const struct resource *want)
{
	return ((const struct domain *)want->record)->state == STATE_STOPPED;
}

static bool for_pool(const struct xen_domain *x)
{
	return startswith(x->paused_for, FOR_POOL);
}

struct step *domain_pause(struct planning *p, const struct resource *want,
			  const struct xen_domain *x)
{
	const struct domain *d = want->record;

	if (d->state != STATE_PAUSED)
		return domain_pause_for_pool(
			p, want, x,
			x->paused_for && !for_pool(x) ? "state: paused → running" : NULL);
	if (x->state != XEN_PAUSED)
		return domain_pause_for(p, want, PAUSED_BY_MANIFEST, "state: running → paused");
	/* Else nobody would know later that it was not a person's. */
	if (!x->paused_for || for_pool(x))
		return domain_pause_for(p, want, PAUSED_BY_MANIFEST,
					"paused already: now as its manifest says");
	return NULL;
}

const char *domain_pause_note(struct arena *a, const struct xen_domain *x)
{
	if (x->state != XEN_PAUSED)
		return NULL;
	if (for_pool(x))
		return arena_printf(a, "paused: %s was full", x->paused_for);
	return x->paused_for || !x->ran ? NULL : "paused by hand";
}
