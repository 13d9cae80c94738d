/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor save: what a domain has in memory is kept in a file, and it ends, until `manor restore` or a host boot.
 */
#include <errno.h>

#include "cli/life.h"
#include "host/save.h"
#include "kinds/domain.h"

static int intend(const struct life *l, struct err *e)
{
	const struct xen_domain *d;
	int r = life_xen(l, &d, e);

	if (r < 0)
		return r;
	/* Saved already: it stays so. */
	if (!d && streq(domain_absent_word(l->facts, l->domain), "saved"))
		return intent_stop(&l->who, INTENT_SAVED, NULL, INTENT_TIMEOUT_LEFT, e);
	if (!d || (d->state != XEN_RUNNING && d->state != XEN_PAUSED))
		return err_set(e, -ESRCH, "it doesn't run");
	if (d->pci.n) {
		err_help(e, "shut it down instead: manor stop");
		return err_set(e, -EOPNOTSUPP, "it has a PCI device, whose state can't be saved");
	}
	if (d->usb_ports) {
		err_help(e, "shut it down instead: manor stop");
		return err_set(e, -EOPNOTSUPP,
			       "it has a port for USB devices, which libxl can't restore");
	}
	/* Said before it stands still. */
	r = save_room(d->memory_now, e);
	return r < 0 ? r : intent_stop(&l->who, INTENT_SAVED, NULL, INTENT_TIMEOUT_LEFT, e);
}

int verb_save(int argc, char **argv)
{
	static const char *const accepts[] = {"file", "format", "operands", NULL};

	return life_run(argc, argv, accepts, intend);
}
