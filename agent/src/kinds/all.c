/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kinds/kinds.h"

const struct kind *const all_kinds[] = {
	&kind_link, &kind_bridge, &kind_storage, &kind_template, &kind_volume, &kind_file, &kind_pci,
	&kind_domain, &kind_host, &kind_service, NULL,
};

const struct reader *const all_readers[] = {
	&reader_machine, &reader_appliance, &reader_net, &reader_lvm, &reader_disks, &reader_cache, &reader_paths,
	&reader_pci, &reader_usb, &reader_xen, &reader_services, &reader_intent, NULL,
};
