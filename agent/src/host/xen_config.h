/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * For host/xen*.c and the tests' host in memory: what is asked of a domain, in libxl's own words. Nothing here looks at
 * the host or changes it, so that the same words come out where no Xen runs; what they depend on beside the domain
 * is in struct xen_place, which xen_place_read() fills on a real host.
 */
#pragma once

#include <libxl.h>
#include <libxl_utils.h>

#include "host/xen.h"

/* The log of its console that xenconsoled keeps, and that of its serial port, which QEMU does. Two files, for each is
 * written as it comes and a line of one would end up within a line of the other. */
#define XEN_LOGS        "/var/log/xen/console"
#define XEN_CONSOLE_LOG XEN_LOGS "/guest-%s.log"
#define XEN_SERIAL_LOG  XEN_LOGS "/serial-%s.log"

/* Bytes in what its console and its serial port said. */
struct xen_logs {
	int64_t console, serial;
};

struct xen_place {
	const char *hotplug; /* what libxl is to run for disks and NICs; NULL: its own scripts */
	int64_t now;         /* seconds since the epoch */
	struct xen_logs before; /* of earlier starts */
	bool logs;              /* whether serial ports can be logged */
	/* CPUID's highest leaf, the highest extended one, and the highest below leaf 7: what this processor can't
	 * have needs no hiding, and libxl refuses to. */
	unsigned leaf_max, leaf_extended_max, leaf_7_max;
	/* Filled only for a domain that names processors or nodes. */
	int cpus;            /* that are online */
	int cpus_max, nodes; /* 0: Xen doesn't say */
	int *node_of;        /* of each of `cpus`, -1: none */
};

/* 0; -EINVAL, -ENAMETOOLONG, -ERANGE with err_at; -EIO. The configuration was initialised by the caller, who disposes of
 * it whatever comes. */
int xen_config(const struct xen_domain *d, const struct xen_place *p, libxl_domain_config *ret,
	       struct err *e);
/* Our marks, as pairs of keys below the domain's path and values, for c_info.xsdata: NULL-terminated, the caller's.
 * `before`: what in its logs isn't of this start. */
int xen_marks(const struct xen_domain *d, const char *state, int64_t started,
	      const struct xen_logs *before, char ***ret, struct err *e);
/* `hvm`: it has drives, which QEMU plays. */
void xen_disk_config(libxl_device_disk *ret, const struct xen_disk *disk, const char *hotplug,
		     bool hvm);
void xen_nic_config(libxl_device_nic *ret, const struct xen_nic *nic, const char *hotplug);
/* Of an address in full. */
void xen_pci_device(const char *address, libxl_device_pci *ret);
/* What QEMU is to play, and what is to be plugged into it. libxl disposes of both. */
void xen_usb_controller(libxl_device_usbctrl *ret);
void xen_usb_config(const struct xen_usb *usb, libxl_device_usbdev *ret);

/* xen_hardware.c: all but memory, disks, NICs, PCI and USB devices; vcpus are filled already. */
int xen_hardware_config(const struct xen_domain *d, const struct xen_place *p,
			libxl_domain_config *c, struct err *e);
/* Of at least `n` bits, none set. libxl disposes of it. */
void xen_bitmap_make(libxl_bitmap *ret, int n);
/* Sets what a canonical text, "0,2-3", names; -ERANGE: not below `most`. */
int xen_bitmap_fill(libxl_bitmap *map, const char *text, int most, const char *what,
		    struct err *e);
