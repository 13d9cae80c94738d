/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor agent: stay, and keep the host as the manifest says.
 */
#include "agent/agent.h"

#include "base/log.h"
#include "cli/cli.h"
#include "kinds/kinds.h"

int verb_agent(int argc, char **argv)
{
	static const char *const accepts[] = {NULL};
	struct options o;
	int r = options_read(argc, argv, accepts, &o, NULL);

	if (r)
		return r < 0 ? EXIT_FINE : r;
	/* systemd names the journal's stream; elsewhere a person reads. */
	log_init(getenv("MANOR_DEBUG") ? LOG_DEBUG_ : LOG_INFO_, getenv("JOURNAL_STREAM") != NULL);
	return agent_main(all_kinds, all_readers);
}
