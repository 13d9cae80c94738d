/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a domain needs of this host beside its devices, and nobody makes for it: the files that it boots from, where the
 * manifest says a path or means dom0's own, and processors.
 */
#include "base/num.h"
#include "kinds/domain_priv.h"
#include "kinds/kinds.h"
#include "kinds/path_facts.h"

/* What the manifest calls by its path; a template's file is in the cache once it was imported. */
static const char *on_a_path(const char *said)
{
	return said && said[0] == '/' ? said : NULL;
}

/* What starts it, of dom0's. */
static const char *loader(const struct domain *d)
{
	return d->firmware == FW_OVMF ? XEN_UEFI : domain_firmware_path(d);
}

static const char *loader_hint(const struct domain *d)
{
	return d->firmware == FW_OVMF ? "; 'make uefi' of Manor's sources builds it, for Debian's "
					"package ovmf doesn't run under Xen"
				      : "; the package grub-xen-host has it";
}

void domain_boot_paths(struct arena *a, const struct domain *d, struct list *ret)
{
	if (on_a_path(d->kernel))
		list_add(a, ret, (void *)d->kernel);
	if (on_a_path(d->initrd))
		list_add(a, ret, (void *)d->initrd);
	if (loader(d))
		list_add(a, ret, (void *)loader(d));
}

static void hold(const struct domain *d, struct step *s, const char *field, enum hold type,
		 const char *why)
{
	step_hold_at(s, type, field_span(d, field), why);
}

static void hold_file(struct planning *p, const struct domain *d, struct step *s, const char *field,
		      const char *path, const char *hint)
{
	const struct path_state *at = path_facts(p->facts, path);
	const char *why = NULL;

	/* What is restored has its kernel in memory. */
	if (!path || !step_todo(s) || s->action == ACTION_RESTORE)
		return;
	if (!at)
		hold(d, s, field, HOLD_UNKNOWN,
		     arena_printf(p->arena,
				  "nobody looked at %s: these facts are of another manifest",
				  path));
	else if (at->why)
		why = at->why;
	else if (at->type == PATH_ABSENT)
		why = "it isn't there";
	else if (at->type != PATH_FILE)
		why = arena_printf(p->arena, "it is a %s", path_type_words[at->type]);
	else if (at->size == 0)
		why = "it is empty";
	if (why)
		hold(d, s, field, HOLD_CONFLICT,
		     arena_printf(p->arena, "%s %s: %s%s", field, path, why, hint));
}

void domain_hold_fileless(struct planning *p, const struct resource *want, struct step *s)
{
	const struct domain *d = want->record;

	hold_file(p, d, s, "kernel", on_a_path(d->kernel), "");
	hold_file(p, d, s, "initrd", on_a_path(d->initrd), "");
	hold_file(p, d, s, "firmware", loader(d), loader_hint(d));
}

/* The last that it names, which are in order: "0,2-3". */
static int64_t last_of(const char *cpus)
{
	size_t n = strlen(cpus);
	int64_t last;

	while (n && cpus[n - 1] >= '0' && cpus[n - 1] <= '9')
		n--;
	return num_parse_int(cpus + n, 0, INT32_MAX, &last) == 0 ? last : 0;
}

static void hold_beyond(struct planning *p, const struct domain *d, struct step *s,
			const char *field, const char *said, const char *what, int64_t there)
{
	int64_t last = said ? last_of(said) : 0;

	if (there > 0 && last >= there)
		hold(d, s, field, HOLD_CONFLICT,
		     arena_printf(p->arena, "this host has no %s %lld: %s", what, (long long)last,
				  there == 1 ? "there is but 0"
					     : arena_printf(p->arena, "they are 0 to %lld",
							    (long long)there - 1)));
}

void domain_hold_cpuless(struct planning *p, const struct resource *want, struct step *s)
{
	const struct xen_facts *x = xen_facts(p->facts);
	const struct domain *d = want->record;

	if (!step_todo(s))
		return;
	hold_beyond(p, d, s, "cpus", d->cpus, "processor", x->cpus);
	hold_beyond(p, d, s, "nodes", d->nodes, "NUMA node", x->nodes);
}
