/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * All kinds and all readers: the arrays that main hands to the engine.
 */
#pragma once

#include "model/kind.h"

extern const struct kind kind_link, kind_bridge, kind_storage, kind_template, kind_volume,
	kind_file, kind_pci, kind_domain, kind_host, kind_service;
extern const struct reader reader_machine, reader_appliance, reader_net, reader_lvm, reader_disks, reader_cache,
	reader_paths, reader_pci, reader_usb, reader_xen, reader_services, reader_intent;

extern const struct kind *const all_kinds[];     /* NULL-terminated; dependencies first */
extern const struct reader *const all_readers[]; /* NULL-terminated */
