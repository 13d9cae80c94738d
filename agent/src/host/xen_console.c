/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A terminal at a guest's console: libxl's own program for it takes this process's place.
 */
#include "host/xen_ctx.h"

#include <errno.h>

int xen_console(int64_t domid, enum xen_console which, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	libxl_dominfo info;
	int rc, r = xen_open_domain(&x, domid, &info, e);

	if (r < 0)
		return r;
	if (which == XEN_CONSOLE_FIRST)
		rc = libxl_primary_console_exec(x.xl, (uint32_t)domid, -1);
	else
		rc = libxl_console_exec(x.xl, (uint32_t)domid, 0,
					which == XEN_CONSOLE_PV ? LIBXL_CONSOLE_TYPE_PV
								: LIBXL_CONSOLE_TYPE_SERIAL,
					-1);
	return xen_fail(&x, e, -EIO, rc, "attach to its console");
}
