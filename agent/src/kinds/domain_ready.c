/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * When a domain is ready. Waiting for it is a step of its own, aside: it touches nothing, and whoever else has to
 * act meanwhile can. A mark keeps that it was seen, so that later plans know.
 */
#include <errno.h>
#include <regex.h>

#include "kinds/domain_priv.h"
#include "kinds/kinds.h"

#define KEY_MAX      255
#define READY_MAX    3600
#define TIMEOUT_MORE 60 /* for the worker, beside the waiting itself */

static int parse_pattern(struct decode *c, const struct field *f, const char *text,
			 const char **ret, struct err *e)
{
	char why[128];
	regex_t x;
	int r;

	if (!*text || strpbrk(text, "\r\n"))
		return err_set(e, -EINVAL, "a regular expression of one line");
	r = regcomp(&x, text, REG_EXTENDED | REG_NOSUB);
	if (r) {
		regerror(r, &x, why, sizeof(why));
		return err_set(e, -EINVAL, "a regular expression: %s", why);
	}
	regfree(&x);
	*ret = text;
	return 0;
}

/* xenstore's characters; nothing that would lead elsewhere. */
static int parse_key(struct decode *c, const struct field *f, const char *text, const char **ret,
		     struct err *e)
{
	size_t n = strlen(text);

	if (n == 0 || n > KEY_MAX || text[0] == '/' || text[n - 1] == '/' || strstr(text, "//") ||
	    text[strspn(text,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/_@")])
		return err_set(e, -EINVAL, "a key below the domain's own path, such as data/ready");
	*ret = text;
	return 0;
}

TABLE(domain_ready_table, domain_ready, "ready", "What tells that a domain is ready: one of these.",
      {.name = "console", .type = FIELD_STRING, .offset = FIELD_AT(domain_ready, console),
       .parse = parse_pattern,
       .doc = "a line that its console says since its start: a POSIX extended regular expression"},
      {.name = "tcp", .type = FIELD_INT, .offset = FIELD_AT(domain_ready, tcp), .min = 1,
       .max = 65535, .doc = "a port at which it accepts a connection from dom0; with address"},
      {.name = "address", .type = FIELD_STRING, .offset = FIELD_AT(domain_ready, address),
       .parse = parse_ip, .doc = "where that port is"},
      {.name = "xenstore", .type = FIELD_STRING, .offset = FIELD_AT(domain_ready, xenstore),
       .parse = parse_key,
       .doc = "a key that it writes below its own path, such as data/ready: there, not empty and not 0"},
      {.name = "timeout", .type = FIELD_DURATION, .offset = FIELD_AT(domain_ready, timeout),
       .min = 1, .max = READY_MAX, .def = "60s",
       .doc = "how long that may take; it is tried again later, and the domain runs on"});

/* --- the manifest --- */

static bool has(const struct domain *d, const char *field)
{
	return field_given(&domain_ready_table, &d->ready, field);
}

static const char *place(struct lowering *l, const char *field)
{
	return arena_printf(l->m->arena, "ready.%s", field);
}

static void check_address(struct lowering *l)
{
	const char *title = resource_title(l->m->arena, l->r);
	struct diag *g;

	if (has(l->d, "tcp") && !has(l->d, "address")) {
		g = diag_error(l->m->diags, "missing-key", field_span(l->d, place(l, "tcp")),
			       "'tcp' of 'ready' of %s needs 'address'", title);
		diag_help(l->m->diags, g, "the address that the guest has: Manor doesn't know it");
	} else if (has(l->d, "address") && !has(l->d, "tcp")) {
		diag_error(l->m->diags, "missing-key", field_span(l->d, place(l, "address")),
			   "'address' of 'ready' of %s needs 'tcp', a port", title);
	}
}

void domain_lower_ready(struct lowering *l)
{
	static const char *const probes[] = {"console", "tcp", "xenstore"};
	const char *first = NULL, *title = resource_title(l->m->arena, l->r);
	struct diag *g;

	if (!field_is_set(&domain_table, l->d, "ready"))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		if (!has(l->d, probes[i]))
			continue;
		if (first) {
			g = diag_error(l->m->diags, "bad-combination",
				       field_span(l->d, place(l, probes[i])),
				       "'ready' of %s says both '%s' and '%s'", title, first,
				       probes[i]);
			diag_also(l->m->diags, g, field_span(l->d, place(l, first)), "the other");
			return;
		}
		first = probes[i];
	}
	check_address(l);
	if (!first && !has(l->d, "address") && !field_strange(&domain_ready_table, &l->d->ready))
		diag_error(l->m->diags, "missing-key", field_span(l->d, "ready"),
			   "'ready' of %s needs one of 'console', 'tcp', 'xenstore'", title);
}

/* --- planning --- */

static const char *probe_text(struct arena *a, const struct domain_ready *r)
{
	if (r->console)
		return arena_printf(a, "its console says '%.80s'", r->console);
	if (r->xenstore)
		return arena_printf(a, "its key %s is set", r->xenstore);
	return arena_printf(a, strchr(r->address, ':') ? "[%s]:%lld answers" : "%s:%lld answers",
			    r->address, (long long)r->tcp);
}

/* The step of this plan that starts it (SIZE_MAX: none); false where one ends or pauses it. */
static bool starts_in(const struct planning *p, const struct resource *want, size_t *ret)
{
	*ret = SIZE_MAX;
	for (size_t i = 0; i < p->plan->n; i++) {
		const struct step *s = &p->plan->steps[i];

		if (s->dropped || s->kind != &kind_domain || !streq(s->name, want->name))
			continue;
		switch (s->action) {
		case ACTION_RESTART:
			if (s->impact > p->plan->allowed)
				break;
			/* fall through */
		case ACTION_CREATE:
		case ACTION_START:
		case ACTION_RESTORE:
			if (!step_todo(s))
				return false;
			*ret = i;
			break;
		case ACTION_STOP:
		case ACTION_SETTLE:
		case ACTION_PAUSE:
		case ACTION_SAVE:
		case ACTION_REMOVE:
		case ACTION_AWAIT:
			return false;
		default:
			break;
		}
	}
	return true;
}

static bool comes_back_ready(const struct planning *p, size_t start)
{
	const struct step *s = &p->plan->steps[start];
	const struct saved_domain *saved = domain_saved(p->facts, s->name);
	const struct domain *was = s->action == ACTION_RESTORE && saved && !saved->why
					   ? domain_was(p->arena, saved)
					   : NULL;

	return was && was->ready_now;
}

void domain_await(struct planning *p, const struct resource *want, const struct actual *have)
{
	const struct domain *d = want->record;
	const struct xen_domain *x = have && !have->half_made ? have->data : NULL;
	struct step *s;
	size_t start;

	if (!field_is_set(&domain_table, d, "ready") || d->state != STATE_RUNNING ||
	    !starts_in(p, want, &start))
		return;
	if (start == SIZE_MAX ? !x || x->state != XEN_RUNNING || x->ready
			      : comes_back_ready(p, start))
		return;
	s = plan_add(p->plan, ACTION_AWAIT, &kind_domain, want->name, want->uuid);
	s->why = arena_printf(p->arena, "until it is ready: %s", probe_text(p->arena, &d->ready));
	s->impact = IMPACT_NONE;
	s->aside = true;
	s->timeout_s = (unsigned)d->ready.timeout + TIMEOUT_MORE;
	if (start != SIZE_MAX)
		step_after(p->plan, s, start, true);
}

/* --- doing it --- */

int domain_wait(struct work *w, struct err *e)
{
	const struct domain *d = w->step->want_record;
	const struct xen_domain *x = w->now ? w->now->data : NULL;
	struct xen_watcher watcher = {domain_progress, w};
	struct xen_probe probe;
	int r;

	if (!x || w->now->half_made || x->state == XEN_SHUTDOWN)
		return err_set(e, -ESTALE, "it doesn't run any more");
	w->result = "ready";
	if (x->ready)
		return 0;
	probe = (struct xen_probe){
		.console = d->ready.console,
		.from = x->console_from,
		.serial = x->type == XEN_HVM,
		.serial_from = x->serial_from,
		.address = d->ready.address,
		.port = d->ready.tcp,
		.xenstore = d->ready.xenstore,
	};
	r = xen_await(x->domid, w->step->name, &probe, (unsigned)d->ready.timeout, &watcher, e);
	if (r < 0 && e && !e->path)
		err_at(e, "ready");
	return r;
}
