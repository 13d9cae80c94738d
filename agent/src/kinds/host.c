/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The host itself: what dom0 gets, and how Xen is started. It is decided on Xen's command line, so a change takes a reboot;
 * the plan shows it and holds it, and `manor upgrade --settings` does it.
 */
#include <errno.h>

#include "host/slots.h"
#include "kinds/domain.h"
#include "kinds/kinds.h"
#include "kinds/upgrade.h"

/* What Xen gives may differ by some pages from what it was asked for. */
#define SLACK (UINT64_C(32) << 20)

struct host_state {
	struct record rec;
	uint64_t memory;
	int64_t vcpus;
	const char *cmdline;
};

TABLE(host_state_table, host_state, "host", "What dom0 has.",
      {.name = "memory", .type = FIELD_SIZE, .offset = FIELD_AT(host_state, memory),
       .flags = FIELD_DERIVED, .impact = IMPACT_HOST_REBOOT, .doc = "dom0's memory"},
      {.name = "vcpus", .type = FIELD_INT, .offset = FIELD_AT(host_state, vcpus),
       .flags = FIELD_DERIVED, .impact = IMPACT_HOST_REBOOT, .doc = "dom0's virtual processors"},
      {.name = "cmdline", .type = FIELD_STRING, .offset = FIELD_AT(host_state, cmdline),
       .flags = FIELD_DERIVED, .impact = IMPACT_HOST_REBOOT,
       .doc = "Xen's arguments besides those of dom0 and of the appliance"});

#define DOM0_MEMORY "dom0_mem="
#define DOM0_VCPUS  "dom0_max_vcpus="

const char *host_settings(struct arena *a, const struct manifest *m)
{
	const struct host_dom0 *dom0 = &m->host.dom0;
	const char *all = "";

	if (dom0->memory)
		all = arena_printf(a, DOM0_MEMORY "%lluK,max:%lluK",
				   (unsigned long long)(dom0->memory >> 10),
				   (unsigned long long)(dom0->memory >> 10));
	if (dom0->vcpus)
		all = arena_printf(a, "%s%s" DOM0_VCPUS "%lld", all, *all ? " " : "",
				   (long long)dom0->vcpus);
	if (m->host.xen.cmdline && *m->host.xen.cmdline)
		all = arena_printf(a, "%s%s%s", all, *all ? " " : "", m->host.xen.cmdline);
	return all;
}

static bool has_word(const char *all, const char *word, size_t n)
{
	for (const char *at = all; *at; at += strcspn(at, " "), at += strspn(at, " "))
		if (strcspn(at, " ") == n && strncmp(at, word, n) == 0)
			return true;
	return false;
}

/* What of Xen's arguments the manifest has a word in: where it is known which are the appliance's own, whatever is behind
 * them; elsewhere whether all are there that are wanted. */
static const char *others(struct arena *a, const char *all, const char *own, const char *want)
{
	const char *at = own && *own ? strstr(all, own) : NULL, *ret = "";
	bool here = true;

	if (!at) {
		for (const char *w = want; *w; w += strcspn(w, " "), w += strspn(w, " "))
			here = here && has_word(all, w, strcspn(w, " "));
		return here ? want : all;
	}
	for (at += strlen(own), at += strspn(at, " "); *at; at += strspn(at, " ")) {
		size_t n = strcspn(at, " ");

		if (!startswith(at, DOM0_MEMORY) && !startswith(at, DOM0_VCPUS))
			ret = arena_printf(a, "%s%s%.*s", ret, *ret ? " " : "", (int)n, at);
		at += n;
	}
	return ret;
}

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
	const char *cmdline = m->host.xen.cmdline;
	struct host_state *s;
	struct resource *r;

	check_install(m);
	if (!dom0->memory && !dom0->vcpus && !cmdline)
		return;
	r = manifest_imply(m, NULL, "host", m->host.name ? m->host.name : "dom0",
			   node_key(m->root, "host"));
	if (!r)
		return;
	r->prepared = true;
	s = r->record;
	s->rec.node = dom0->rec.node ? dom0->rec.node : m->host.xen.rec.node;
	s->memory = dom0->memory;
	s->vcpus = dom0->vcpus;
	s->cmdline = cmdline;
	if (s->memory)
		field_mark(&host_state_table, s, "memory");
	if (s->vcpus)
		field_mark(&host_state_table, s, "vcpus");
	if (s->cmdline)
		field_mark(&host_state_table, s, "cmdline");
}

static void host_actual(struct arena *a, const struct facts *f, const struct manifest *m,
			struct actuals *ret)
{
	const struct slots *appliance = facts_get(f, "appliance");
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
		s->cmdline = others(a, x->cmdline ? x->cmdline : "", appliance->xen,
				    want->cmdline ? want->cmdline : "");
		field_mark(&host_state_table, s, "memory");
		field_mark(&host_state_table, s, "vcpus");
		field_mark(&host_state_table, s, "cmdline");
	}
}

static void host_decide(struct planning *p, const struct resource *want, const struct actual *have,
			struct step *step)
{
	const struct slots *appliance = facts_get(p->facts, "appliance");

	if (!step)
		return;
	step_hold(
		step, HOLD_IMPACT,
		appliance && appliance->installed
			? "`manor upgrade --settings` starts this host again with it, on trial"
			: arena_printf(p->arena,
				       "takes a reboot with '%s' on Xen's command line, which this "
				       "host has from its boot loader",
				       host_settings(p->arena, p->manifest)));
}

static int host_apply(struct work *w, struct err *e)
{
	return err_set(e, -EOPNOTSUPP, "it is set on Xen's command line");
}

static const char *const readers[] = {"xen", "appliance", NULL};

const struct kind kind_host = {
	.name = "host",
	.table = &host_state_table,
	.readers = readers,
	.check = host_check,
	.actual = host_actual,
	.decide = host_decide,
	.apply = host_apply,
};
