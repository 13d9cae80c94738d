/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * manor-hotplug as a program; the tests bring a main of their own.
 */
#include "hotplug/hotplug.h"

int main(int argc, char **argv)
{
	return hotplug(argc, argv);
}
