/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What wakes the agent when a USB device is plugged in or out: the kernel's own words of it. They are believed no
 * further than that something is to be looked at.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "agent/agent.h"
#include "base/log.h"

#define EVENT_MAX 8192
#define KERNEL    1 /* its multicast group; 2 is udev's */

static bool says(const char *text, size_t n, const char *word)
{
	for (const char *s = text; s < text + n; s += strlen(s) + 1)
		if (streq(s, word))
			return true;
	return false;
}

static int on_uevent(sd_event_source *s, int fd, uint32_t events, void *data)
{
	char text[EVENT_MAX + 1];
	struct sockaddr_nl from;

	for (;;) {
		socklen_t size = sizeof(from);
		ssize_t n = recvfrom(fd, text, EVENT_MAX, MSG_DONTWAIT, (struct sockaddr *)&from,
				     &size);

		if (n < 0 && errno == EINTR)
			continue;
		/* More came than there was room for: any of them may have been one. */
		if (n < 0 && errno == ENOBUFS)
			agent_wake(data, "devices came or went", false, false);
		if (n < 0)
			return 0;
		text[n] = '\0';
		if (from.nl_pid != 0 || !says(text, (size_t)n, "DEVTYPE=usb_device"))
			continue;
		if (says(text, (size_t)n, "ACTION=add"))
			agent_wake(data, "a USB device came", false, false);
		else if (says(text, (size_t)n, "ACTION=remove"))
			agent_wake(data, "a USB device went", false, false);
	}
}

void agent_watch_usb(struct agent *a)
{
	struct sockaddr_nl at = {.nl_family = AF_NETLINK, .nl_groups = KERNEL};
	int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	sd_event_source *source = NULL;

	/* Without it the calm timer sees them. */
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    sd_event_add_io(a->loop, &source, fd, EPOLLIN, on_uevent, a) < 0) {
		log_warn("USB devices that come and go are noticed late: %s", strerror(errno));
		closep(&fd);
		return;
	}
	sd_event_source_set_io_fd_own(source, true);
	sd_event_source_set_floating(source, true);
	sd_event_source_unref(source);
}
