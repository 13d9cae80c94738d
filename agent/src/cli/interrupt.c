/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Signals that say to stop.
 */
#include "cli/interrupt.h"

#include <signal.h>

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	caught = number;
}

void interrupt_watch(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND | SA_RESTART};

	caught = 0;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct sigaction was;

		/* What nohup holds off stays so. */
		if (sigaction(signals[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	}
}

bool interrupted(void)
{
	return caught != 0;
}
