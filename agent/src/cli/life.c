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

/* Returns 0, or with *ret_code set to what the process exits with: -1, having said why. */
static int begin(struct life *l, int argc, char **argv, const char *const *accepts, int *ret_code)
{
	const char *name;
	int rest, r;

	*l = (struct life){0};
	r = options_read(argc, argv, accepts, &l->o, &rest);
	*ret_code = r < 0 ? EXIT_FINE : r;
	if (r)
		return -1;
	*ret_code = EXIT_BAD;
	if (argc - rest != 1) {
		fprintf(stderr, "manor %s: name one domain; see `manor help %s`\n", argv[0],
			argv[0]);
		return -1;
	}
	name = argv[rest];
	if (startswith(name, "domain/"))
		name += strlen("domain/");
	l->manifest = session_manifest(&l->o);
	if (!l->manifest)
		return -1;
	l->domain = manifest_find(l->manifest, "domain", name);
	if (!l->domain) {
		fprintf(stderr, "manor %s: %s declares no domain '%s'; `manor status` lists them\n",
			argv[0], l->manifest->source.name, name);
		done(l);
		return -1;
	}
	l->facts = facts_now(l->manifest);
	if (!l->facts || !l->facts->boot_id) {
		fprintf(stderr, "manor %s: this host could not be read\n", argv[0]);
		*ret_code = EXIT_FAILED;
		done(l);
		return -1;
	}
	l->who = (struct intent_who){
		.name = l->domain->name,
		.uuid = l->domain->uuid,
		.boot_id = l->facts->boot_id,
		.now = time(NULL),
	};
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

int life_run(int argc, char **argv, const char *const *accepts,
	     int (*intend)(const struct life *l, struct err *e))
{
	_cleanup_err_ struct err e = {0};
	struct life l;
	int code;

	if (begin(&l, argc, argv, accepts, &code) < 0)
		return code;
	if (intend(&l, &e) < 0) {
		fprintf(stderr, "manor %s: %s\n", argv[0], e.message ? e.message : "failed");
		if (e.help)
			fprintf(stderr, "  help: %s\n", e.help);
		code = EXIT_FAILED;
	} else {
		_cleanup_(freep) char *only = xasprintf("domain/%s", l.domain->name);

		code = cli_converge(only, &l.o);
	}
	done(&l);
	return code;
}
