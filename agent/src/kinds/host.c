/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The host itself: what dom0 gets. It is decided on Xen's command line, so a change takes a reboot; the
 * plan shows it and holds it.
 */
#include <errno.h>

#include "kinds/domain.h"
#include "kinds/kinds.h"

/* What Xen gives may differ by some pages from what it was asked for. */
#define SLACK (UINT64_C(32) << 20)

struct host_state {
	struct record rec;
	uint64_t memory;
	int64_t vcpus;
};

TABLE(host_state_table, host_state, "host", "What dom0 has.",
      {.name = "memory", .type = FIELD_SIZE, .offset = FIELD_AT(host_state, memory),
       .flags = FIELD_DERIVED, .impact = IMPACT_HOST_REBOOT, .doc = "dom0's memory"},
      {.name = "vcpus", .type = FIELD_INT, .offset = FIELD_AT(host_state, vcpus),
       .flags = FIELD_DERIVED, .impact = IMPACT_HOST_REBOOT, .doc = "dom0's virtual processors"});

/* A disk is named in one way, by one that stays. */
static void check_install(struct manifest *m)
{
	const struct install_disk *d = &m->install.disk;
	const struct table *t = &install_disk_table;
	unsigned given =
		field_given(t, d, "serial") + field_given(t, d, "wwid") + field_given(t, d, "path");
	struct diag *g;

	if (!d->rec.node || (!given && field_strange(t, d)))
		return;
	if (given > 1) {
		g = diag_error(m->diags, "bad-device", d->rec.node->span,
			       "the disk to install to is named in more than one way");
		diag_help(m->diags, g, "give exactly one of serial, wwid and path");
	} else if (!given) {
		g = diag_error(m->diags, "bad-device", d->rec.node->span,
			       "the disk to install to has no name");
		diag_help(m->diags, g, "give exactly one of serial, wwid and path");
	} else if (d->path && !startswith(d->path, "/dev/disk/")) {
		g = diag_error(m->diags, "bad-device", field_span(d, "path"),
			       "'%s' may be another disk at the next start", d->path);
		diag_help(m->diags, g,
			  "name it by serial, wwid or a link in /dev/disk/by-id or by-path");
	}
}

/* Only where the manifest says something of dom0 is there anything to compare. */
static void host_check(struct manifest *m)
{
	const struct host_dom0 *dom0 = &m->host.dom0;
	struct host_state *s;
	struct resource *r;

	check_install(m);
	if (!dom0->memory && !dom0->vcpus)
		return;
	r = manifest_imply(m, NULL, "host", m->host.name ? m->host.name : "dom0",
			   node_key(m->root, "host"));
	if (!r)
		return;
	r->prepared = true;
	s = r->record;
	s->rec.node = dom0->rec.node;
	s->memory = dom0->memory;
	s->vcpus = dom0->vcpus;
	if (s->memory)
		field_mark(&host_state_table, s, "memory");
	if (s->vcpus)
		field_mark(&host_state_table, s, "vcpus");
}

static void host_actual(struct arena *a, const struct facts *f, const struct manifest *m,
			struct actuals *ret)
{
	const struct xen_facts *x = xen_facts(f);

	for (size_t i = 0; i < m->n_resources; i++) {
		const struct resource *r = m->resources[i];
		const struct host_state *want = r->record;
		struct host_state *s;
		uint64_t off;

		if (r->kind != &kind_host)
			continue;
		s = actual_add(a, ret, &kind_host, r->name)->record;
		off = want->memory > x->dom0_memory ? want->memory - x->dom0_memory
						    : x->dom0_memory - want->memory;
		s->memory = off <= SLACK ? want->memory : x->dom0_memory;
		s->vcpus = x->dom0_vcpus;
		field_mark(&host_state_table, s, "memory");
		field_mark(&host_state_table, s, "vcpus");
	}
}

static void host_decide(struct planning *p, const struct resource *want, const struct actual *have,
			struct step *step)
{
	if (step)
		step_hold(step, HOLD_IMPACT,
			  "takes a reboot with another dom0_mem= or dom0_max_vcpus= on Xen's "
			  "command line");
}

static int host_apply(struct work *w, struct err *e)
{
	return err_set(e, -EOPNOTSUPP, "what dom0 gets is set on Xen's command line");
}

static const char *const readers[] = {"xen", NULL};

const struct kind kind_host = {
	.name = "host",
	.table = &host_state_table,
	.readers = readers,
	.check = host_check,
	.actual = host_actual,
	.decide = host_decide,
	.apply = host_apply,
};
