/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The reader "xen": what Xen says of itself and of every domain but dom0.
 */
#include "kinds/domain.h"
#include "kinds/kinds.h"
#include "kinds/reading.h"

TABLE(xen_disk_table, xen_disk, "disk", "A disk of a domain.",
      ROW(xen_disk, devid, FIELD_INT, .doc = "Virtual device number."),
      ROW(xen_disk, vdev, FIELD_STRING, .doc = "What the guest calls it."),
      ROW(xen_disk, target, FIELD_STRING, .doc = "Device or file in dom0, or URI."),
      ROW(xen_disk, id, FIELD_STRING, .doc = "The thing itself, whatever it is called."),
      ROW(xen_disk, read_only, FIELD_BOOL, .doc = "Whether the guest may only read it."),
      ROW(xen_disk, cdrom, FIELD_BOOL, .doc = "Whether it is a drive's disc."),
      ROW(xen_disk, connected, FIELD_BOOL, .doc = "Whether both ends are connected."),
      ROW(xen_disk, unplugged, FIELD_BOOL, .doc = "Whether its adding was cut short."));

TABLE(xen_nic_table, xen_nic, "nic", "A network interface of a domain.",
      ROW(xen_nic, devid, FIELD_INT, .doc = "Its number."),
      ROW(xen_nic, mac, FIELD_STRING, .doc = "MAC address."),
      ROW(xen_nic, bridge, FIELD_STRING, .doc = "Bridge that its vif is a port of."),
      ROW(xen_nic, vif, FIELD_STRING, .doc = "Interface in dom0."),
      ROW(xen_nic, connected, FIELD_BOOL, .doc = "Whether both ends are connected."),
      ROW(xen_nic, unplugged, FIELD_BOOL, .doc = "Whether its adding was cut short."));

TABLE(xen_pci_table, xen_pci, "pci", "A PCI device that a domain has.",
      ROW(xen_pci, address, FIELD_STRING, .doc = "Where it is in the machine."),
      ROW(xen_pci, permissive, FIELD_BOOL,
	  .doc = "Whether the guest may write all of its configuration."));

TABLE(xen_usb_table, xen_usb, "usb", "A USB device that a domain has.",
      ROW(xen_usb, port, FIELD_STRING, .doc = "Where it is plugged in."));

TABLE(xen_pci_mark_table, xen_pci_mark, "mark", "A PCI device that Manor made assignable.",
      ROW(xen_pci_mark, address, FIELD_STRING, .doc = "Where it is."),
      ROW(xen_pci_mark, uuid, FIELD_STRING, .doc = "UUID of the resource."),
      ROW(xen_pci_mark, driver, FIELD_STRING, .doc = "Driver of dom0's that had it before."));

TABLE(xen_domain_table, xen_domain, "domain", "A domain as Xen has it.",
      ROW(xen_domain, domid, FIELD_INT, .doc = "Xen's number of it, another one at each start."),
      ROW(xen_domain, uuid, FIELD_STRING, .doc = "UUID."),
      ROW(xen_domain, name, FIELD_STRING, .doc = "Name; unset while it has none."),
      ROW(xen_domain, type, FIELD_ENUM, .words = xen_type_words, .doc = "Kind of guest."),
      ROW(xen_domain, state, FIELD_ENUM, .words = xen_state_words, .doc = "What it does."),
      ROW(xen_domain, reason, FIELD_ENUM, .words = xen_reason_words,
	  .doc = "Why it is shut down; set only when it is."),
      ROW(xen_domain, ran, FIELD_BOOL, .doc = "Whether it was ever unpaused."),
      ROW(xen_domain, discs, FIELD_BOOL,
	  .doc = "Mark: its drives were made so that discs can be changed."),
      ROW(xen_domain, restored, FIELD_BOOL, .doc = "Mark: it was made of what was saved."),
      ROW(xen_domain, memory, FIELD_SIZE, .doc = "Memory that it was told to have."),
      ROW(xen_domain, memory_now, FIELD_SIZE, .doc = "Memory that it has."),
      ROW(xen_domain, maxmem, FIELD_SIZE, .doc = "Memory that it may have while it runs."),
      ROW(xen_domain, vcpus, FIELD_INT, .doc = "Virtual CPUs that it was told to use."),
      ROW(xen_domain, vcpus_now, FIELD_INT, .doc = "Virtual CPUs that it uses."),
      ROW(xen_domain, maxvcpus, FIELD_INT, .doc = "Virtual CPUs that it may use while it runs."),
      ROW(xen_domain, cpus, FIELD_STRING, .doc = "Processors that its vcpus may run on."),
      ROW(xen_domain, weight, FIELD_INT, .doc = "Its weight for the scheduler; unset: not known."),
      ROW(xen_domain, cap, FIELD_INT, .doc = "Percent of a processor that it may use; 0: no limit."),
      ROW(xen_domain, vnc, FIELD_STRING, .doc = "Where its screen is."),
      ROW(xen_domain, settings, FIELD_STRING, .doc = "Mark: what its machine was made as."),
      ROW(xen_domain, kernel, FIELD_STRING, .doc = "Kernel that it was started with."),
      ROW(xen_domain, initrd, FIELD_STRING, .doc = "Initial RAM disk."),
      ROW(xen_domain, cmdline, FIELD_STRING, .doc = "Kernel command line."),
      ROW(xen_domain, boot_known, FIELD_BOOL,
	  .doc = "Whether kernel, initrd and cmdline could be read."),
      ROW(xen_domain, why, FIELD_STRING, .doc = "Why not."),
      ROW(xen_domain, started, FIELD_INT, .doc = "When it was made, seconds since 1970."),
      ROW(xen_domain, shutdown_timeout, FIELD_INT, .doc = "Seconds that it may take to shut down."),
      ROW(xen_domain, disks, FIELD_LIST, .sub = &xen_disk_table, .doc = "Its disks."),
      ROW(xen_domain, nics, FIELD_LIST, .sub = &xen_nic_table, .doc = "Its interfaces."),
      ROW(xen_domain, pci, FIELD_LIST, .sub = &xen_pci_table, .doc = "Its PCI devices."),
      ROW(xen_domain, usb_ports, FIELD_BOOL,
	  .doc = "Whether it has a controller for USB devices of the machine's."),
      ROW(xen_domain, usb, FIELD_LIST, .sub = &xen_usb_table,
	  .doc = "USB devices of the machine's that it has."),
      ROW(xen_domain, paused_for, FIELD_STRING, .doc = "Mark: what Manor has paused it for."),
      ROW(xen_domain, ready, FIELD_BOOL, .doc = "Mark: what its manifest calls ready was seen."),
      ROW(xen_domain, console_from, FIELD_INT,
	  .doc = "Bytes that its console's log had before it was made."),
      ROW(xen_domain, serial_from, FIELD_INT,
	  .doc = "Bytes that its serial port's log had before it was made."),
      ROW(xen_domain, saving, FIELD_INT,
	  .doc = "Mark: how often in a row its saving began and did not end."),
      ROW(xen_domain, saving_since, FIELD_INT,
	  .doc = "Mark: when the last of these began, seconds since 1970; 0: not known."),
      ROW(xen_domain, record, FIELD_STRING, .doc = "Of one without marks: libxl's record of it, as JSON."),
      ROW(xen_domain, mark_uuid, FIELD_STRING, .doc = "Mark: UUID of the resource."),
      ROW(xen_domain, mark_name, FIELD_STRING, .doc = "Mark: name of the resource."),
      ROW(xen_domain, mark_state, FIELD_STRING, .doc = "Mark: building or ready."));

TABLE(xen_table, xen_facts, "xen", "Xen and its domains.",
      ROW(xen_facts, version, FIELD_STRING, .doc = "Version of the hypervisor."),
      ROW(xen_facts, cmdline, FIELD_STRING, .doc = "Arguments that it was started with."),
      ROW(xen_facts, memory_total, FIELD_SIZE, .doc = "Memory of the machine."),
      ROW(xen_facts, memory_free, FIELD_SIZE, .doc = "Memory that a new domain could have."),
      ROW(xen_facts, cpus, FIELD_INT, .doc = "One more than the highest number of a processor."),
      ROW(xen_facts, nodes, FIELD_INT, .doc = "One more than the highest number of a NUMA node."),
      ROW(xen_facts, virt_caps, FIELD_LIST, .doc = "What kinds of guests it can run."),
      ROW(xen_facts, dom0_memory, FIELD_SIZE, .doc = "Memory of dom0."),
      ROW(xen_facts, dom0_vcpus, FIELD_INT, .doc = "Virtual CPUs that dom0 uses."),
      ROW(xen_facts, pci_marks, FIELD_LIST, .sub = &xen_pci_mark_table,
	  .doc = "PCI devices that Manor made assignable."),
      ROW(xen_facts, domains, FIELD_LIST, .sub = &xen_domain_table, .doc = "All but dom0."));

/* As they stand in the reading, 0 and "no reason" tell nothing: they stay unset. */
static void unset(const struct table *t, struct record *rec, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (streq(t->fields[i].name, name))
			rec->set &= ~(UINT64_C(1) << i);
}

static int read_one(struct arena *a, const char *name, const char *uuid, void *ret_record,
		    struct err *e)
{
	struct xen_facts *x = ret_record;
	int r = xen_read(a, name, uuid, x, e);

	if (r < 0)
		return r;
	mark_filled(&xen_table, x);
	for (size_t i = 0; i < x->domains.n; i++) {
		struct xen_domain *d = x->domains.items[i];

		if (d->state != XEN_SHUTDOWN)
			unset(&xen_domain_table, &d->rec, "reason");
		if (d->started == 0)
			unset(&xen_domain_table, &d->rec, "started");
		if (d->weight == 0) {
			unset(&xen_domain_table, &d->rec, "weight");
			unset(&xen_domain_table, &d->rec, "cap");
		}
		if (d->shutdown_timeout == 0)
			unset(&xen_domain_table, &d->rec, "shutdown_timeout");
	}
	return 0;
}

static int xen_facts_read(struct arena *a, void *ret_record, struct err *e)
{
	return read_one(a, NULL, NULL, ret_record, e);
}

const struct reader reader_xen = {
	.name = "xen",
	.doc = "Xen's version and memory, and every domain but dom0.",
	.table = &xen_table,
	.deadline_ms = 30000,
	.read = xen_facts_read,
	.read_one = read_one,
};

const struct xen_facts *xen_facts(const struct facts *f)
{
	return facts_get(f, "xen");
}
