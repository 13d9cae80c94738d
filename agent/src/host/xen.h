/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Xen: domains, through libxl (the library below xl) and libxenstore. What is read and what is asked
 * for share one shape, struct xen_domain.
 *
 * Every domain of ours bears marks, keys below /local/domain/D/manor/ that the guest may read and not
 * write, there from the first moment because they go into the creating call: `uuid`; `about`, lines
 * of KEY=VALUE (name, type, started in seconds since the epoch, shutdown_timeout in seconds, kernel,
 * initrd, cmdline, console, serial, restored, discs: one key, for each costs a reader a round trip); `settings`; and `state`, which is "building"
 * until the moment before the domain is first unpaused, and "ready" from then on. `paused` is there while
 * Manor has paused it, and says what for; `saving` while xen_save() is at it; `ready` is 1 once xen_await() found it so.
 *
 * Mutating functions return 0 or a negative errno with a message that ends in libxl's own last lines:
 * -ENOMEM (Xen has too little memory free; err_at "memory"), -ENOENT (no such domain, device, kernel
 * file: err_at), -EEXIST (a domain of that name or UUID), -ETIMEDOUT (the guest did not follow),
 * -EPROTO (libxl could not make a guest of what was saved), -EIO (what else libxl said). Sizes are bytes, times seconds. libxl owns SIGCHLD in the process
 * that calls these: workers are exec'ed, and have nothing else to wait for.
 */
#pragma once

#include "base/err.h"
#include "base/record.h"

enum xen_type { XEN_PV, XEN_PVH, XEN_HVM };
extern const char *const xen_type_words[]; /* "pv", "pvh", "hvm", NULL */

enum xen_state {
	XEN_RUNNING, /* or waiting for something to do */
	XEN_PAUSED,  /* by the toolstack or a person */
	XEN_SHUTDOWN, /* ended by itself: see reason; its memory and devices are still there */
	XEN_DYING,   /* destroyed; Xen still gives back its memory */
};
extern const char *const xen_state_words[]; /* "running", "paused", "shutdown", "dying", NULL */

enum xen_reason { /* why it is shut down: sched.h's SHUTDOWN_* */
	XEN_POWEROFF,
	XEN_REBOOT,
	XEN_SUSPEND,
	XEN_CRASH,
	XEN_WATCHDOG,
	XEN_SOFT_RESET,
};
extern const char *const xen_reason_words[]; /* "poweroff", "reboot", "suspend", "crash", … */

#define XEN_VNC_PORT 5900 /* display 0's */
/* What starts an hvm guest by UEFI. */
#define XEN_UEFI MANOR_LIB "/ovmf-xen.fd"

/* What is asked for of a domain's machine beside memory, disks and NICs; never read. */
struct xen_hardware {
	/* Of hvm: */
	bool ovmf;           /* UEFI; else a BIOS */
	const char *boot;    /* of "c" (disk), "d" (cdrom), "n" (network), in order */
	const char *vga;     /* "none", "std", "cirrus" */
	bool serial, rng, hpet;
	struct list usb;     /* of strings: "tablet" … */
	const char *timer;   /* as xl.cfg's timer_mode; NULL: libxl's default */
	/* Of all: */
	bool vnc;
	const char *vnc_address;
	int64_t vnc_display; /* its port is XEN_VNC_PORT and so many; -1: one that is free */
	int64_t vnc_from;    /* then the first that is tried */
	const char *vnc_password, *keymap; /* or NULL */
	const char *tsc;     /* as xl.cfg's tsc_mode */
	bool localtime;
	int64_t rtc_offset;  /* seconds */
	int baseline;        /* enum xen_baseline */
	struct list hide, show; /* of names of processor features */
	const char *cpus, *nodes; /* "0,2-3"; NULL: all */
	int64_t weight, cap;
};

enum xen_baseline { XEN_BASELINE_HOST, XEN_BASELINE_V1, XEN_BASELINE_V2, XEN_BASELINE_V3 };
extern const char *const xen_baseline_words[];
/* Whether libxl can hide a processor feature of that name. */
bool xen_cpu_feature_ok(const char *name);

struct xen_disk {
	struct record rec;
	int64_t devid;      /* virtual device number: 51712 is xvda */
	const char *vdev;
	const char *target; /* device or file in dom0, or URI of a disk from the network; NULL: an empty drive */
	const char *id;     /* of it, as in host/paths.h; NULL: there is none, or it is a network's */
	bool read_only;
	bool cdrom;         /* a drive with a disc, where the guest has drives (hvm) */
	bool connected;     /* the backend is in state 4, which takes both ends */
	bool unplugged;     /* its adding was cut short before dom0's end was there: no guest can use it */
	const char *label;  /* asked for: what errors call it ("root"); never read */
};

struct xen_nic {
	struct record rec;
	int64_t devid;      /* 0, 1, …: the N of vifD.N */
	const char *mac;    /* lower case, colons */
	const char *bridge; /* that the kernel says the vif is a port of; else what libxl was told */
	const char *vif;    /* "vif3.0"; NULL when the interface isn't there */
	bool connected;
	bool unplugged;       /* as a disk's */
	const char *model;  /* asked for, of hvm: "e1000" …; NULL: Xen's own alone */
	const char *label;  /* asked for: what errors call it ("lan"); never read */
};

/* A PCI device of the machine's that a domain has. */
struct xen_pci {
	struct record rec;
	const char *address; /* "0000:00:0a.0" */
	bool permissive;     /* it may write to all of its configuration space */
	const char *label;   /* asked for: what errors call it ("card"); never read */
};

/* A USB device of the machine's that a domain has: it was told to, and its QEMU has it open. What isn't plugged in any
 * more, or was plugged in anew, it hasn't. */
#define XEN_USB_PORTS 8 /* of the controller that Manor gives a domain */
struct xen_usb {
	struct record rec;
	const char *port;     /* where it is plugged in: "1-1.2" */
	int64_t bus, address; /* asked for: the kernel's, of now; never read */
	const char *label;    /* asked for: what errors call it ("stick"); never read */
};

/* The mark of a PCI device that xen_pci_add() made assignable, in dom0's own part of xenstore: it lasts as long as
 * that does. */
struct xen_pci_mark {
	struct record rec;
	const char *address;
	const char *uuid;   /* of the resource */
	const char *driver; /* of dom0's, that had it before and gets it back; NULL: none had */
};

struct xen_domain {
	struct record rec;
	int64_t domid;
	const char *uuid;
	const char *name;     /* NULL: has none yet, or is dying */
	int type;             /* enum xen_type */
	int state;            /* enum xen_state; asked for: XEN_PAUSED, it is made and not let go */
	int reason;           /* enum xen_reason; meaningful in XEN_SHUTDOWN */
	bool ran;             /* has used the processor: it was unpaused once */
	bool discs;           /* of the mark: no drive of it was made empty, see xen_disc_change() */
	bool restored;        /* of the mark: made of what was saved, see xen_has_past() */
	uint64_t memory;      /* target: what it was told to have */
	uint64_t memory_now;  /* what it has */
	uint64_t maxmem;
	int64_t vcpus;        /* that it was told to use */
	int64_t vcpus_now;    /* that it uses */
	int64_t maxvcpus;
	const char *kernel;   /* of our marks, else of libxl's record of the domain */
	const char *image;    /* asked for: what libxl is to load for `kernel` (unpacked, say); NULL: itself */
	const char *initrd;   /* NULL: none (boot_known) */
	const char *cmdline;
	bool boot_known;      /* kernel, initrd and cmdline could be read */
	const char *why;      /* when not: why */
	int64_t started;      /* seconds since the epoch, of the mark; 0: not known */
	int64_t shutdown_timeout; /* of the mark; 0: not known */
	struct list disks;    /* of struct xen_disk, by devid */
	struct list nics;     /* of struct xen_nic, by devid */
	struct list pci;      /* of struct xen_pci, as they were given to it */
	bool usb_ports;       /* it has a controller for USB devices of the machine's: nobody can save what that does */
	struct list usb;      /* of struct xen_usb */
	const char *cpus;     /* that its vcpus may run on: "0,2-3", "all", "differently"; NULL: not known */
	int64_t weight, cap;  /* of the scheduler; weight 0: not known */
	const struct xen_hardware *hardware; /* asked for */
	const char *vnc;      /* "127.0.0.1:5900", where its screen is; NULL: nowhere */
	const char *settings; /* mark, opaque here: what its machine was made as, to be compared; NULL: not known */
	bool ready;  /* of the mark: what its manifest calls ready has been seen */
	int64_t console_from; /* of the mark: bytes that its console's log had before it was made */
	int64_t serial_from;  /* of the mark: the same of its serial port's, which hvm has */
	int64_t saving; /* of the mark: how often in a row xen_save() has begun and not ended; it may be suspended
			 * (XEN_SUSPEND), or do what it was asked to later than anybody waited for */
	int64_t saving_since; /* of the mark: when the last of these began, seconds since the epoch; 0: not known */
	const char *paused_for; /* of the mark: what Manor paused it for ("pool vg0", "manifest"); NULL: nothing */
	const char *record; /* of one without marks: libxl's own of it, as JSON; "*" stands for a password. NULL: none */
	/* The marks; NULL: it bears none. */
	const char *mark_uuid, *mark_name, *mark_state;
};

/* Whether it has something in memory: it ran, in this life or before it was saved. */
static inline bool xen_has_past(const struct xen_domain *d)
{
	return d->ran || d->restored;
}

struct xen_facts {
	struct record rec;
	const char *version;      /* "4.17.7" */
	const char *cmdline;      /* that it was started with */
	uint64_t memory_total;
	uint64_t memory_free;     /* that a new domain could have: claimed memory is not free */
	int64_t cpus, nodes;      /* one more than the highest number of a processor, and of a NUMA node */
	struct list virt_caps;    /* of strings: "pv", "hvm", "hap", … as xl info says */
	uint64_t dom0_memory;     /* that it has */
	int64_t dom0_vcpus;
	struct list pci_marks;    /* of struct xen_pci_mark */
	struct list domains;      /* all but dom0, by domid */
};

/* What there is. Reads only, takes no lock for domains of ours. With a name or a UUID only what bears one of them, as a
 * mark or otherwise, is read whole; of any other domain its domid, name, uuid, state and marks, for each key of xenstore is
 * a question to another process, and there are some forty to a domain. */
int xen_read(struct arena *a, const char *name, const char *uuid, struct xen_facts *ret,
	     struct err *e);

/* Tells where a long call stands; may be NULL. */
typedef void xen_progress_fn(void *data, const char *what);
struct xen_watcher {
	xen_progress_fn *progress;
	void *data;
};

#define XEN_SETTINGS_MAX 1900 /* bytes of `settings`: xenstored takes 2048 of a value by default */

/* Makes and starts the domain that `d` describes: name, uuid, type, kernel, initrd, cmdline, memory,
 * maxmem, vcpus, maxvcpus, disks (vdev, target, read_only), nics (mac, bridge), pci, usb, mark_uuid. Half-made remains of
 * the same mark or UUID are destroyed first; a whole one of either is -EEXIST. On failure nothing is left
 * of it. *ret_domid is the new domain's. With `state` XEN_PAUSED it doesn't run yet, and `paused_for` says why. */
int xen_create(const struct xen_domain *d, const struct xen_watcher *w, int64_t *ret_domid,
	       struct err *e);
/* Asks the guest to shut down and waits; one that does not within `timeout_s` is left running and
 * gives -ETIMEDOUT. A paused one is unpaused, so that it can; one without Xen's drivers has its (ACPI) power button
 * pressed. The husk stays, in XEN_SHUTDOWN. */
int xen_shutdown(int64_t domid, unsigned timeout_s, const struct xen_watcher *w, struct err *e);
/* Whether xen_create() would find what it takes, were the domain `instead_of` (0: none) gone: files,
 * devices, bridges, memory, the screen's port. Asked before that one is stopped. */
int xen_ready(const struct xen_domain *d, int64_t instead_of, struct err *e);
/* Ends it at once and sweeps what is left of its devices. No such domain is fine. */
int xen_destroy(int64_t domid, struct err *e);
/* Writes what it has in memory, `memory` bytes of it, to a file of that path, as `xl dump-core` does (an ELF core,
 * xen/docs/misc/dump-core-format.txt): beside it first, then in its place. -ENOSPC: there is no room. */
int xen_core(int64_t domid, const char *path, uint64_t memory, struct err *e);
/* Marks it ready and unpauses it: for a domain whose making ended just before that. */
int xen_unpause(int64_t domid, struct err *e);

/* Gives the marks of `d` (mark_uuid, name, type, kernel, initrd, cmdline, settings, shutdown_timeout, started) to the
 * domain of d->uuid that somebody else made and that runs on, all of them or none. xl's process that looks after it
 * is ended first, for two would restart it: -EBUSY where it can't be told which that is. */
int xen_adopt(const struct xen_domain *d, int64_t domid, const struct xen_watcher *w, struct err *e);

/* Pauses it, and notes what for (one line, a key beside the marks; first, so that one who was cut off is
 * understood); paused already is fine. Lets it go on, and takes the note away. */
int xen_pause(int64_t domid, const char *why, struct err *e);
int xen_resume(int64_t domid, struct err *e);

/* What tells that a guest is ready: one of these. */
struct xen_probe {
	const char *console; /* a POSIX extended regular expression: a line of its console's log, */
	int64_t from;        /* … behind so many bytes */
	bool serial;         /* … or of its serial port's, */
	int64_t serial_from; /* … behind so many */
	const char *address; /* with `port`: a connection that is accepted */
	int64_t port;
	const char *xenstore; /* a key below /local/domain/D that is there and isn't empty or 0 */
};
/* Waits until it is, and marks it so. -ETIMEDOUT with what was seen last; -ESTALE: it ended meanwhile. */
int xen_await(int64_t domid, const char *name, const struct xen_probe *p, unsigned timeout_s,
	      const struct xen_watcher *w, struct err *e);

/* Writes what it has in memory to `fd`, by libxl's stream, and leaves it suspended: to be destroyed. A paused one
 * is let go on for it. On failure it goes on as it was; -ETIMEDOUT: it did not answer, and may do so yet: `saving`
 * stays, so that one that suspends late is known for what it is. */
int xen_save(int64_t domid, int fd, const struct xen_watcher *w, struct err *e);
/* One that is suspended goes on after all, or had never stopped: only while nothing that was saved of it can be
 * restored. With `over` that is no try of saving it any more, see `saving`. */
int xen_unsuspend(int64_t domid, bool over, struct err *e);
/* One that runs, or is paused, will not suspend any more for what xen_save() asked of it once: whoever suspends it
 * later is somebody else. */
int xen_save_over(int64_t domid, struct err *e);
/* Makes the domain as xen_create() does, of the stream at `fd`, and leaves it paused and half-made: it has not run.
 * xen_unpause() or xen_hold() ends it. `d` is as it was then: memory, vcpus, disks, NICs; its kernel isn't loaded. */
int xen_restore(const struct xen_domain *d, int fd, const struct xen_watcher *w, int64_t *ret_domid,
		struct err *e);
/* Marks it ready, and leaves it paused. */
int xen_hold(int64_t domid, struct err *e);

/* While it runs. Memory and vcpus are told to the guest, who has to follow: one that does not move
 * at all in `wait_s` is told the old value again, -ETIMEDOUT; wait_s 0: it is only told. */
int xen_set_memory(int64_t domid, uint64_t bytes, unsigned wait_s, const struct xen_watcher *w,
		   struct err *e);
int xen_set_vcpus(int64_t domid, int64_t vcpus, unsigned wait_s, const struct xen_watcher *w,
		  struct err *e);
/* Which processors its vcpus may run on ("0,2-3", "all"), and its share of them. */
int xen_set_cpus(int64_t domid, const char *cpus, struct err *e);
int xen_set_scheduler(int64_t domid, int64_t weight, int64_t cap, struct err *e);
/* Adds wait until both ends are connected; a failed one leaves nothing behind. Adding what is there
 * as asked, and removing what isn't there, is fine. */
int xen_disk_add(int64_t domid, const struct xen_disk *disk, struct err *e);
/* Asks the guest to let go of it and waits until it has; dom0's end is gone then, too. -EBUSY: it keeps it, as older kernels
 * do with what is mounted, and as one that is paused can't help; nothing is taken by force. Whether it is mounted nobody
 * outside sees: Linux lets go of it all the same since 5.14. What isn't there is fine. */
int xen_disk_remove(int64_t domid, const char *vdev, struct err *e);
/* Another disc in the drive of that vdev, or none. The guest may have locked it: then it is taken out all the same. Only
 * where `discs`: for what QEMU was started with an empty drive it crashes at the first disc (7.2: the backend that it keeps of
 * the drive has nothing behind it). So an empty one is made with a stand-in, which is taken out before the guest runs. */
int xen_disc_change(int64_t domid, const struct xen_disk *disk, struct err *e);
int xen_nic_add(int64_t domid, const struct xen_nic *nic, struct err *e);
int xen_nic_remove(int64_t domid, const char *mac, struct err *e);
/* Moves the vif to another bridge; the guest keeps its link and notices nothing. */
int xen_nic_bridge(int64_t domid, const char *mac, const char *bridge, struct err *e);

/* Takes a PCI device from whatever driver of dom0's has it (`driver`, NULL: none), marks it with that UUID, and has it
 * ready to be given to a guest; loads Xen's driver for that. Safe to run again, with the driver that its mark tells.
 * On failure dom0 has it as before. */
int xen_pci_add(const char *address, const char *uuid, const char *driver, struct err *e);
/* Gives it back to that driver, and takes the mark away. No domain may have it. */
int xen_pci_remove(const char *address, const char *driver, struct err *e);

/* Hands a USB device to the (hvm) domain, and takes it away, which its guest sees as plugging: dom0's drivers let go of
 * it, and have it back. What is there as asked, and what isn't there, is fine. What libxl still has in its books of devices
 * that were unplugged is swept first, for it gives nobody any while it finds one of them. */
int xen_usb_add(int64_t domid, const struct xen_usb *usb, struct err *e);
int xen_usb_remove(int64_t domid, const char *port, struct err *e);

/* Puts a terminal at its console in this process's place: returns only where it can't. The first is what its
 * kernel's messages are on: of hvm the serial port. */
enum xen_console { XEN_CONSOLE_FIRST, XEN_CONSOLE_PV, XEN_CONSOLE_SERIAL };
int xen_console(int64_t domid, enum xen_console which, struct err *e);
