/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * USB devices of the machine's that a domain is handed: the manifest says which it means, by what they are or by where
 * they are plugged in, and the facts which that is today.
 */
#pragma once

#include "host/usb.h"
#include "host/xen.h"
#include "model/kind.h"

struct domain_usb {
	struct record rec;
	const char *at;              /* where it is plugged in; unset: nowhere, or not known */
	const char *vendor, *product; /* four hex digits each */
	const char *serial;
	const char *port;            /* where it is to be plugged in */
	bool required;               /* the guest doesn't start without it */
};

extern const struct table domain_usb_table;

/* "046d" of "046D", "0x046d"; "1-1.2" */
field_parse_fn parse_usb_word, parse_usb_port, parse_usb_serial;

/* "046d:c52b, serial 'A1'", "at 1-1.2": what is meant. */
const char *usb_title(struct arena *a, const struct domain_usb *u);
