/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Domains in the manifest: the field table, merging with the template, what follows from a domain
 * (clones of disks, boot files, MACs), and what can't be.
 */
#include "kinds/domain_priv.h"
#include "kinds/kinds.h"
#include "kinds/template.h"

#include <errno.h>

#define MIB         (INT64_C(1) << 20)
#define MEMORY_MIN  (16 * MIB)
#define MEMORY_MAX  (INT64_C(1) << 44)
#define VCPUS_MAX   128
#define CMDLINE_MAX 1023 /* xen/include/public/xen.h: MAX_GUEST_CMDLINE */
#define TIMEOUT_MAX 3600

#define BOOT_INSTEAD                                                                               \
	"guests boot their kernel directly: give 'kernel', and 'initrd' if it needs one"

static const char *const end_words[] = {"destroy", "restart", NULL};

/* A file of the template, or a path. */
static int parse_boot(struct decode *c, const struct field *f, const char *text, const char **ret,
		      struct err *e)
{
	size_t n = strlen(text);

	if (n && text[n - 1] == '/')
		return err_set(e, -EINVAL, "a file: it ends with '/'");
	return parse_text(c, f, text, ret, e);
}

static int parse_cmdline(struct decode *c, const struct field *f, const char *text,
			 const char **ret, struct err *e)
{
	if (strlen(text) > CMDLINE_MAX)
		return err_set(e, -EINVAL, "a kernel command line: it has more than %d bytes",
			       CMDLINE_MAX);
	for (const char *s = text; *s; s++)
		if ((unsigned char)*s < ' ')
			return err_set(e, -EINVAL, "a kernel command line: it is one line");
	*ret = text;
	return 0;
}

static enum impact memory_impact(const struct field *f, const void *old, const void *new_,
				 const struct facts *facts)
{
	const struct domain *have = old, *want = new_;

	return want->memory <= have->maxmem ? IMPACT_LIVE : IMPACT_GUEST_RESTART;
}

static enum impact vcpus_impact(const struct field *f, const void *old, const void *new_,
				const struct facts *facts)
{
	const struct domain *have = old, *want = new_;

	return want->vcpus <= have->maxvcpus ? IMPACT_LIVE : IMPACT_GUEST_RESTART;
}

/* A disk may come while the guest runs. One that goes may be mounted, and nothing but a shutdown makes
 * sure that it isn't. */
static enum impact disks_impact(const struct field *f, const void *old, const void *new_,
				const struct facts *facts)
{
	const struct map *have = field_ptr(f, old), *want = field_ptr(f, new_);

	for (size_t i = 0; i < have->n; i++)
		if (!map_get(want, have->entries[i].name))
			return IMPACT_GUEST_RESTART;
	return IMPACT_LIVE;
}

TABLE(domain_nic_table, domain_nic, "nic", "A network interface.",
      {.name = "bridge", .type = FIELD_STRING, .offset = FIELD_AT(domain_nic, bridge),
       .ref = "bridge", .flags = FIELD_REQUIRED, .impact = IMPACT_LIVE,
       .doc = "the bridge that it is plugged into"},
      {.name = "mac", .type = FIELD_STRING, .offset = FIELD_AT(domain_nic, mac),
       .parse = parse_mac, .impact = IMPACT_LIVE,
       .doc = "MAC address; follows from namespace, domain and name when not given, and never "
	      "changes then"},
      {.name = "model", .flags = FIELD_LATER, .type = FIELD_STRING,
       .doc = "leave it out: pv and pvh guests have Xen's own network card"},
      {.name = "vif", .type = FIELD_STRING, .offset = FIELD_AT(domain_nic, vif),
       .flags = FIELD_STATUS, .doc = "the interface in dom0"},
      {.name = "devid", .type = FIELD_INT, .offset = FIELD_AT(domain_nic, devid),
       .flags = FIELD_STATUS, .doc = "its number within the domain"});

TABLE(domain_table, domain, "domain", "A guest.",
      {.name = "template", .type = FIELD_STRING, .offset = FIELD_AT(domain, template),
       .parse = parse_name, .flags = FIELD_CONFIG, .ref = "template",
       .doc = "golden files and defaults; what the domain says itself goes over them"},
      {.name = "type", .type = FIELD_ENUM, .offset = FIELD_AT(domain, type),
       .words = xen_type_words, .def = "pvh", .impact = IMPACT_GUEST_RESTART,
       .doc = "pvh (needs hardware virtualisation) or pv; hvm comes with a later version"},
      {.name = "firmware", .flags = FIELD_LATER, .type = FIELD_STRING, .doc = BOOT_INSTEAD},
      {.name = "boot", .flags = FIELD_LATER, .type = FIELD_STRING, .doc = BOOT_INSTEAD},
      {.name = "vnc", .flags = FIELD_LATER, .type = FIELD_STRING,
       .doc = "leave it out: a guest's console is text, and 'xl console' shows it"},
      {.name = "kernel", .type = FIELD_STRING, .offset = FIELD_AT(domain, kernel),
       .parse = parse_boot, .flags = FIELD_CONFIG, .doc = "a file of the template or, with a slash, a path; required"},
      {.name = "initrd", .type = FIELD_STRING, .offset = FIELD_AT(domain, initrd),
       .parse = parse_boot, .flags = FIELD_CONFIG,
       .doc = "a file of the template or, with a slash, a path; none when not given"},
      {.name = "kernel_path", .type = FIELD_STRING, .offset = FIELD_AT(domain, kernel_path),
       .flags = FIELD_DERIVED, .impact = IMPACT_GUEST_RESTART, .doc = "the kernel's path"},
      {.name = "initrd_path", .type = FIELD_STRING, .offset = FIELD_AT(domain, initrd_path),
       .flags = FIELD_DERIVED, .impact = IMPACT_GUEST_RESTART, .doc = "the initrd's path, or none"},
      {.name = "cmdline", .type = FIELD_STRING, .offset = FIELD_AT(domain, cmdline),
       .parse = parse_cmdline, .impact = IMPACT_GUEST_RESTART,
       .doc = "the kernel's command line; empty when not given"},
      {.name = "memory", .type = FIELD_SIZE, .offset = FIELD_AT(domain, memory),
       .min = MEMORY_MIN, .max = MEMORY_MAX, .flags = FIELD_REQUIRED,
       .impact = IMPACT_GUEST_RESTART, .impact_of = memory_impact,
       .doc = "memory, in whole MiB; changes while it runs as long as it is within maxmem"},
      {.name = "maxmem", .type = FIELD_SIZE, .offset = FIELD_AT(domain, maxmem),
       .min = MEMORY_MIN, .max = MEMORY_MAX, .impact = IMPACT_GUEST_RESTART,
       .doc = "how far memory can be raised while it runs; when not given, left as it is, and at a "
	      "start as much as memory"},
      {.name = "vcpus", .type = FIELD_INT, .offset = FIELD_AT(domain, vcpus), .min = 1,
       .max = VCPUS_MAX, .def = "1", .impact = IMPACT_GUEST_RESTART, .impact_of = vcpus_impact,
       .doc = "virtual processors; change while it runs as long as they are within maxvcpus"},
      {.name = "maxvcpus", .type = FIELD_INT, .offset = FIELD_AT(domain, maxvcpus), .min = 1,
       .max = VCPUS_MAX, .impact = IMPACT_GUEST_RESTART,
       .doc = "how far vcpus can be raised while it runs; when not given, left as it is, and at a "
	      "start as many as vcpus"},
      {.name = "disks", .type = FIELD_MAP, .offset = FIELD_AT(domain, disks),
       .sub = &domain_disk_table, .impact = IMPACT_GUEST_RESTART, .impact_of = disks_impact,
       .doc = "its disks by name; one that goes takes a restart, for the guest may use it"},
      {.name = "cloud_init", .type = FIELD_SUB, .offset = FIELD_AT(domain, cloud_init),
       .sub = &cloud_init_table, .flags = FIELD_CONFIG,
       .doc = "what cloud-init in the guest is told at its first boot"},
      {.name = "nics", .type = FIELD_MAP, .offset = FIELD_AT(domain, nics),
       .sub = &domain_nic_table, .impact = IMPACT_LIVE, .doc = "its interfaces by name"},
      {.name = "depends_on", .type = FIELD_LIST, .offset = FIELD_AT(domain, depends_on),
       .parse = parse_name, .ref = "domain", .flags = FIELD_CONFIG | FIELD_UNORDERED,
       .doc = "domains that are started first, and whose failure stops this one's start"},
      {.name = "on_poweroff", .type = FIELD_ENUM, .offset = FIELD_AT(domain, on_poweroff),
       .words = end_words, .def = "destroy", .flags = FIELD_CONFIG,
       .doc = "what follows when the guest powers itself off: destroy (it stays off until `manor "
	      "start`, a host boot, or a change of its manifest) or restart"},
      {.name = "on_reboot", .type = FIELD_ENUM, .offset = FIELD_AT(domain, on_reboot),
       .words = end_words, .def = "restart", .flags = FIELD_CONFIG,
       .doc = "what follows when it reboots itself"},
      {.name = "on_crash", .type = FIELD_ENUM, .offset = FIELD_AT(domain, on_crash),
       .words = end_words, .def = "restart", .flags = FIELD_CONFIG,
       .doc = "what follows when it crashes; restarts come with a growing delay, at most 5 minutes"},
      {.name = "shutdown_timeout", .type = FIELD_DURATION,
       .offset = FIELD_AT(domain, shutdown_timeout), .min = 1, .max = TIMEOUT_MAX, .def = "60s",
       .flags = FIELD_CONFIG,
       .doc = "how long the guest may take to shut down before it is destroyed"},
      {.name = "pauses_for", .type = FIELD_STRING, .offset = FIELD_AT(domain, pauses_for),
       .flags = FIELD_STATUS, .doc = "what a step pauses it for"},
      {.name = "state", .type = FIELD_STRING, .offset = FIELD_AT(domain, state),
       .flags = FIELD_STATUS, .doc = "what it does"},
      {.name = "domid", .type = FIELD_INT, .offset = FIELD_AT(domain, domid),
       .flags = FIELD_STATUS, .doc = "Xen's number of it"},
      {.name = "memory_now", .type = FIELD_SIZE, .offset = FIELD_AT(domain, memory_now),
       .flags = FIELD_STATUS, .doc = "memory that it has"},
      {.name = "vcpus_now", .type = FIELD_INT, .offset = FIELD_AT(domain, vcpus_now),
       .flags = FIELD_STATUS, .doc = "virtual processors that it uses"},
      {.name = "started", .type = FIELD_INT, .offset = FIELD_AT(domain, started),
       .flags = FIELD_STATUS, .doc = "when it was made, seconds since 1970"});

const struct table *const domain_nic_fields = &domain_nic_table;

/* The template's part below the domain's own words. */
static struct node *before(struct manifest *m, const char *name, struct node *node,
			   bool *ret_incomplete)
{
	const struct node *word = node->type == NODE_MAP ? node_get(node, "template") : NULL;
	const struct resource *t;
	const struct record *rec;
	struct node *under;

	if (!word || node_is_null(word))
		return node;
	t = word->type == NODE_SCALAR ? manifest_find(m, "template", word->text) : NULL;
	rec = t ? t->record : NULL;
	under = rec && rec->node ? node_get(rec->node, "domain") : NULL;
	if (under && under->type == NODE_MAP)
		return node_merge(m->arena, under, node);
	/* Unknown, or there but not to be understood: what the domain got from it isn't known. */
	*ret_incomplete = !rec || !rec->node || (under && !node_is_null(under)) ||
			  (!under && field_given(t->kind->table, rec, "domain"));
	return node;
}

/* A name of the template's file → the cached file; a path → itself. NULL when said what is wrong. */
static const char *boot_path(struct lowering *l, const char *field, const char *text,
			     const char **ret_sha256)
{
	const struct template_import *i;
	struct span span = field_span(l->d, field);

	if (text[0] == '/')
		return text;
	if (strchr(text, '/'))
		return arena_printf(l->m->arena, "%s/%s", span.source->dir, text);
	if (!field_given(&domain_table, l->d, "template")) {
		struct diag *g = diag_error(l->m->diags, "unknown-file", span,
					    "%s of %s: '%s' names a template's file, and it has no "
					    "template",
					    field, resource_title(l->m->arena, l->r), text);
		diag_help(l->m->diags, g, "write a path with a slash, or name a template");
		return NULL;
	}
	if (!l->template)
		return NULL;
	i = template_import(l->m, l->template, text, NULL);
	if (!i) {
		domain_unknown_file(l, span, field, text);
		return NULL;
	}
	resource_needs(l->m, l->r, l->template);
	*ret_sha256 = i->sha256;
	return i->path;
}

static void prepare_boot(struct lowering *l)
{
	struct domain *d = l->d;

	/* What was meant to boot instead is said to be for later, with what to do. */
	bool later = d->type == XEN_HVM || node_get(d->rec.node, "firmware") ||
		     node_get(d->rec.node, "boot");

	if (!field_given(&domain_table, d, "kernel") && !later) {
		struct diag *g = diag_error(l->m->diags, "missing-key", l->r->span,
					    "%s lacks 'kernel'", resource_title(l->m->arena, l->r));
		diag_help(l->m->diags, g,
			  "kernel: a file of its template or, with a slash, a path");
	} else if (d->kernel) {
		d->kernel_path = boot_path(l, "kernel", d->kernel, &l->kernel_sha256);
	}
	d->initrd_path =
		d->initrd ? boot_path(l, "initrd", d->initrd, &l->initrd_sha256) : BOOT_NONE;
	if (!d->cmdline)
		d->cmdline = "";
	if (d->kernel_path)
		field_mark(&domain_table, d, "kernel_path");
	if (d->initrd_path)
		field_mark(&domain_table, d, "initrd_path");
	field_mark(&domain_table, d, "cmdline");
}

static void whole_mib(struct lowering *l, const char *field, uint64_t bytes)
{
	if (bytes % MIB == 0)
		return;
	diag_error(l->m->diags, "bad-value", field_span(l->d, field),
		   "'%s' of %s is not in whole MiB", field, resource_title(l->m->arena, l->r));
}

static void prepare_bounds(struct lowering *l)
{
	const struct domain *d = l->d;
	struct diag *g;

	whole_mib(l, "memory", d->memory);
	whole_mib(l, "maxmem", d->maxmem);
	if (field_is_set(&domain_table, d, "maxmem") && d->maxmem < d->memory) {
		g = diag_error(l->m->diags, "out-of-range", field_span(d, "maxmem"),
			       "'maxmem' of %s is less than its 'memory'",
			       resource_title(l->m->arena, l->r));
		diag_also(l->m->diags, g, field_span(d, "memory"), "memory");
	}
	if (field_is_set(&domain_table, d, "maxvcpus") && d->maxvcpus < d->vcpus) {
		g = diag_error(l->m->diags, "out-of-range", field_span(d, "maxvcpus"),
			       "'maxvcpus' of %s is less than its 'vcpus'",
			       resource_title(l->m->arena, l->r));
		diag_also(l->m->diags, g, field_span(d, "vcpus"), "vcpus");
	}
}

static void prepare(struct manifest *m, struct resource *r)
{
	struct lowering l = {.m = m, .r = r, .d = r->record};

	if (l.d->template)
		l.template = manifest_find(m, "template", l.d->template);
	if (l.d->type == XEN_HVM) {
		struct diag *g = diag_error(m->diags, "not-supported", field_span(l.d, "type"),
					    "type hvm (%s) is not in this version",
					    resource_title(m->arena, r));

		diag_help(m->diags, g,
			  "write pvh, or pv where the processor lacks virtualisation; both boot "
			  "their kernel directly, from 'kernel' and 'initrd'");
	}
	prepare_boot(&l);
	domain_lower_disks(&l);
	prepare_bounds(&l);
	for (size_t i = 0; i < l.d->nics.n; i++) {
		struct domain_nic *n = l.d->nics.entries[i].value;
		char mac[MAC_TEXT];

		if (field_given(&domain_nic_table, n, "mac"))
			continue;
		ident_mac(m->namespace, r->name, l.d->nics.entries[i].name, mac);
		n->mac = arena_strdup(m->arena, mac);
		field_mark(&domain_nic_table, n, "mac");
	}
}

static const char *const readers[] = {"xen", "intent", NULL};

const struct kind kind_domain = {
	.name = "domain",
	.section = "domains",
	.table = &domain_table,
	.readers = readers,
	.before = before,
	.prepare = prepare,
	.check = domain_check,
	.paths = domain_paths,
	.claims = domain_claims,
	.wanted = domain_wanted,
	.met = domain_met,
	.actual = domain_actual,
	.decide = domain_decide,
	.apply = domain_apply,
};
