/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Domains: the guests. A template's `domain` part merges under a domain's own words; disks that say
 * `from:` become volumes of their own; what the guest boots is resolved to paths.
 */
#pragma once

#include "host/intent.h"
#include "host/xen.h"
#include "kinds/domain_hardware.h"
#include "kinds/domain_usb.h"
#include "kinds/seed.h"
#include "kinds/storage.h"
#include "model/kind.h"

#define DISC_NONE "none" /* a cdrom, and its target: the drive is empty */

enum domain_state { STATE_RUNNING, STATE_STOPPED, STATE_PAUSED };
enum domain_at_shutdown { SHUTDOWN_ENDS, SHUTDOWN_SAVES };
/* on_poweroff, on_reboot, on_crash, on_watchdog, in xl.cfg(5)'s words */
enum domain_end { END_DESTROY, END_RESTART, END_PRESERVE, END_COREDUMP_DESTROY, END_COREDUMP_RESTART };
extern const char *const domain_end_words[];

enum { NIC_NONE, NIC_E1000 }; /* of nic_model_words */
extern const char *const nic_model_words[];

struct domain_disk {
	struct record rec;
	const char *vdev;
	/* Where it comes from: one of these; `from` may be with `file`. None: empty, `size` large, in `storage`. */
	const char *from;    /* a file of the template: the disk is a clone of it */
	const char *volume;  /* a declared volume */
	const char *file;    /* a file in dom0, sparse */
	int format;          /* 0, raw, where it is given: whatever that file begins with */
	bool changeable;     /* of what the host says: a drive whose disc can be changed while the guest runs */
	const char *cdrom;   /* an ISO in dom0, or DISC_NONE; of what the host says: it is a drive's, whatever is in it */
	struct storage_device device; /* a disk of the machine's, or a partition of one */
	const char *nbd, *iscsi; /* URIs */
	const char *storage; /* where the clone, or the empty volume, lives */
	uint64_t size;       /* of what is made; unset: as large as the template's file */
	bool thin, swap;     /* of an empty one */
	bool read_only;
	bool attached;       /* false: it is in domain.parted, not among its disks */
	const char *target;  /* derived: /dev/STORAGE/VOLUME, a path, a URI; of a device known with the facts */
	/* What the host says: */
	const char *id; /* as in host/paths.h: the thing itself, whatever it is called */
};

/* What tells that it is ready: one of console, address with tcp, xenstore. */
struct domain_ready {
	struct record rec;
	const char *console; /* a POSIX extended regular expression */
	const char *address;
	int64_t tcp;
	const char *xenstore; /* a key below its own path */
	uint64_t timeout;     /* seconds */
};

struct domain_nic {
	struct record rec;
	const char *bridge;
	int model; /* NIC_…: the card that is emulated beside Xen's own */
	const char *mac; /* filled from the names where the manifest gives none */
	/* What the host says: */
	const char *vif;
	int64_t devid;
};

struct domain_pci {
	struct record rec;
	const char *address; /* "0000:00:0a.0" */
	bool permissive, seize;
};

struct domain {
	struct record rec;
	const char *template;
	const char *uuid; /* for Xen and the guest; derived where not given. The mark is the resource's own in any case */
	int state; /* enum domain_state: what it is to do */
	int type; /* enum xen_type */
	const char *kernel, *initrd; /* as the manifest says: a file of the template, or a path */
	const char *kernel_path, *initrd_path; /* derived */
	const char *cmdline;
	int firmware;      /* enum firmware */
	struct list boot;  /* of "disk", "cdrom", "network" */
	int vga, serial;   /* VGA_…, SERIAL_… */
	struct list usb;
	bool rng;
	struct domain_vnc vnc;
	struct domain_clock clock;
	struct domain_cpu cpu;
	const char *cpus, *nodes; /* "0,2-3", "all" */
	struct domain_scheduler scheduler;
	int preset;        /* PRESET_… */
	uint64_t memory, maxmem;  /* maxmem unset: left as it is; at the start as much as memory */
	int64_t vcpus, maxvcpus;  /* likewise */
	struct map disks; /* name → struct domain_disk */
	struct map parted; /* the same, of those that it is to do without: they stay where they are */
	struct cloud_init cloud_init;
	struct map nics;  /* name → struct domain_nic */
	struct map pci;   /* name → struct domain_pci */
	struct map usb_devices; /* name → struct domain_usb */
	struct list depends_on; /* names of domains */
	struct domain_ready ready;
	int on_poweroff, on_reboot, on_crash, on_watchdog; /* enum domain_end */
	int on_host_shutdown; /* enum domain_at_shutdown */
	uint64_t shutdown_timeout; /* seconds */
	bool usb_ports; /* it gets a controller for what is plugged in, or may be later */
	const char *said; /* sha256 of what the manifest says of it: whether it changed since it ended */
	bool saves; /* in a step that ends it: it is saved, where that can be done */
	const char *pauses_for; /* in a step that pauses it: what for, as PAUSED_… or FOR_POOL */
	/* What the host says: */
	const char *state_now; /* enum xen_state's words; "reboot", "crash" … when it is shut down */
	int64_t domid;
	bool ready_now;
	int64_t displays_from; /* where vnc.display is unset: of these and the following one that is free */
	const char *vnc_now; /* "127.0.0.1:5900"; NULL: it has no screen, or none yet */
	uint64_t memory_now;
	int64_t vcpus_now;
	int64_t started;
};

extern const struct table domain_table;

/* The readings, or NULL when unknown. */
const struct xen_facts *xen_facts(const struct facts *f);
const struct intent_facts *intent_facts(const struct facts *f);

/* Whether that volume is a clone of a domain that `manor rebuild` was asked for. */
bool domain_rebuild(const struct facts *f, const struct manifest *m, const char *volume);
/* The domain of the manifest that was saved while it had that device, and goes on with it; NULL: none. */
const char *domain_saved_with(struct planning *p, const char *device);
/* Why a domain that isn't there rightly isn't ("stopped by hand 3m ago", "stopped from inside 2h
 * ago"), or NULL. For status. Arena memory. */
const char *domain_rest(struct arena *a, const struct facts *f, const struct resource *domain);
/* One word for a domain that isn't there: "saved", "stopped", "absent". */
const char *domain_absent_word(const struct facts *f, const struct resource *domain);
/* Why Manor can't take over that foreign domain for that resource as it runs, in a sentence; NULL: it can. Arena memory. */
const char *domain_unadoptable(struct arena *a, const struct facts *f, const struct manifest *m,
			       const struct resource *r, const struct actual *foreign);
/* That domain in xl's words, as a file for `xl create`. Arena memory. */
const char *domain_render(struct arena *a, const struct resource *domain);
