/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a domain's machine is like beside memory, disks and NICs: firmware, screen, clock, processors. What can't
 * be changed while it runs goes into a mark of the domain when it is made (`settings`, JSON by the domain's
 * table), so that it can be compared later.
 */
#pragma once

#include "host/xen.h"
#include "model/kind.h"

enum firmware { FW_DIRECT, FW_PVGRUB, FW_PVGRUB32, FW_PVGRUB64, FW_SEABIOS, FW_OVMF };

struct domain_vnc {
	struct record rec;
	bool enabled;
	const char *address;
	int64_t display;       /* port 5900 and so many; unset: one that is free */
#define DISPLAY_MAX 99 /* ports 5900 to 5999 */
	const char *password;  /* secret */
	const char *password_mark; /* derived: tells whether it is another; unset: none */
	const char *keymap;
};

struct domain_clock {
	struct record rec;
	int tsc, timer; /* indices of their words */
	bool hpet;
	int base;
	int64_t offset; /* seconds */
};

struct domain_cpu {
	struct record rec;
	int baseline;
	struct list hide, show; /* of names */
};

struct domain_scheduler {
	struct record rec;
	int64_t weight, cap;
};

extern const struct table domain_vnc_table, domain_clock_table, domain_cpu_table, domain_scheduler_table;
extern const struct other_word boot_others[], usb_others[];
extern const char *const firmware_words[], *const vga_words[], *const serial_words[], *const preset_words[];

enum { VGA_NONE };
enum { SERIAL_NONE, SERIAL_PTY };
enum { PRESET_NONE, PRESET_TIMING };

field_parse_fn parse_cpus;     /* "0,2-3", canonical, or "all" */
field_parse_fn parse_nodes;    /* "0-1" */
field_parse_fn parse_boot_from; /* disk, cdrom, network */
field_parse_fn parse_usb;      /* tablet, mouse, keyboard */
