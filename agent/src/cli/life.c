/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What start, stop and restart share.
 */
#include "cli/life.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "cli/loop.h"
#include "cli/session.h"
#include "kinds/domain.h"
#include "kinds/kinds.h"

static void done(struct life *l)
{
	facts_free(l->facts);
	manifest_free(l->manifest);
	l->facts = NULL;
	l->manifest = NULL;
}

static bool find(struct life *l, const char *verb, const char *name)
{
	if (startswith(name, "domain/"))
		name += strlen("domain/");
	l->domain = manifest_find(l->manifest, "domain", name);
	if (!l->domain)
		fprintf(stderr, "manor %s: %s declares no domain '%s'; `manor status` lists them\n",
			verb, l->manifest->source.name, name);
	return l->domain != NULL;
}

/* Returns 0 with the first operand's place, or with *ret_code set to what the process exits with: -1, having
 * said why. */
static int begin(struct life *l, int argc, char **argv, const char *const *accepts, int *ret_first,
		 int *ret_code)
{
	int r;

	*l = (struct life){0};
	r = options_read(argc, argv, accepts, &l->o, ret_first);
	*ret_code = r < 0 ? EXIT_FINE : r;
	if (r)
		return -1;
	*ret_code = EXIT_BAD;
	if (*ret_first >= argc) {
		fprintf(stderr, "manor %s: name a domain; see `manor help %s`\n", argv[0], argv[0]);
		return -1;
	}
	l->manifest = session_manifest(&l->o);
	if (!l->manifest)
		return -1;
	/* All or none: a name that is wrong is better said before anything is done. */
	for (int i = *ret_first; i < argc; i++) {
		if (!find(l, argv[0], argv[i])) {
			done(l);
			return -1;
		}
	}
	l->facts = facts_now(l->manifest);
	if (!l->facts || !l->facts->boot_id) {
		fprintf(stderr, "manor %s: this host could not be read\n", argv[0]);
		*ret_code = EXIT_FAILED;
		done(l);
		return -1;
	}
	*ret_code = EXIT_FINE;
	return 0;
}

int life_xen(const struct life *l, const struct xen_domain **ret, struct err *e)
{
	const struct xen_facts *x = xen_facts(l->facts);

	*ret = NULL;
	if (!x)
		return err_set(e, -EIO, "Xen could not be read: %s",
			       facts_unknown(l->facts, "xen"));
	for (size_t i = 0; i < x->domains.n; i++) {
		const struct xen_domain *d = x->domains.items[i];

		if (streq(d->mark_uuid, l->domain->uuid))
			*ret = d;
	}
	return 0;
}

int life_may_run(const struct life *l, struct err *e)
{
	if (((const struct domain *)l->domain->record)->state != STATE_STOPPED)
		return 0;
	err_help(e, "say 'state: running' there, or nothing, and apply it");
	return err_set(e, -EPERM, "its manifest says 'state: stopped'");
}

static int run_one(struct life *l, const char *verb, const char *name,
		   int (*intend)(const struct life *l, struct err *e))
{
	_cleanup_err_ struct err e = {0};
	_cleanup_(freep) char *only = NULL;

	if (!find(l, verb, name))
		return EXIT_BAD;
	l->who = (struct intent_who){
		.name = l->domain->name,
		.uuid = l->domain->uuid,
		.boot_id = l->facts->boot_id,
		.now = time(NULL),
	};
	if (intend(l, &e) < 0) {
		fprintf(stderr, "manor %s: domain/%s: %s\n", verb, l->domain->name,
			e.message ? e.message : "failed");
		if (e.help)
			fprintf(stderr, "  help: %s\n", e.help);
		return EXIT_FAILED;
	}
	only = xasprintf("domain/%s", l->domain->name);
	return cli_converge(only, &l->o);
}

int life_run(int argc, char **argv, const char *const *accepts,
	     int (*intend)(const struct life *l, struct err *e))
{
	struct life l;
	int first, code;

	if (begin(&l, argc, argv, accepts, &first, &code) < 0)
		return code;
	for (int i = first; i < argc && code != EXIT_INTERRUPTED; i++) {
		int r = run_one(&l, argv[0], argv[i], intend);

		/* The first that went wrong is what is told. */
		if (code == EXIT_FINE || r == EXIT_INTERRUPTED)
			code = r;
	}
	done(&l);
	return code;
}
