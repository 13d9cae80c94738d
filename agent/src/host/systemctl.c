/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/systemctl.h"

#include "host/program.h"

int systemctl(const char *verb, const char *unit, struct err *e)
{
	const char *argv[] = {"systemctl", "--quiet", verb, unit, NULL};
	int r = program_run((char *const *)argv, e);

	if (r < 0) {
		err_wrap(e, "%s %s", verb, unit);
		err_help(e, "journalctl -u %s says why", unit);
	}
	return r;
}

int systemctl_end(const char *target, struct err *e)
{
	/* `systemctl reboot` would ask for logind on the bus first, and the appliance has neither. */
	const char *argv[] = {"systemctl", "--no-block", "--job-mode=replace-irreversibly",
			      "start",     target,       NULL};

	return program_run((char *const *)argv, e);
}
