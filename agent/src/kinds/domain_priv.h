/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Shared by kinds/domain*.c alone.
 */
#pragma once

#include "host/save.h"
#include "base/json.h"
#include "kinds/domain.h"

#define BOOT_NONE "none" /* an initrd_path, a kernel_path */

extern const struct table domain_disk_table, domain_device_table, domain_ready_table,
	domain_pci_table;
extern const struct table *const domain_disk_fields, *const domain_nic_fields;

/* What prepare() works on. */
struct lowering {
	struct manifest *m;
	struct resource *r;
	struct domain *d;
	struct resource *template; /* NULL: none, or one that is unknown, which was said */
	const char *kernel_sha256, *initrd_sha256; /* of the template's files; NULL: others */
};

/* Not where it would be of a template that can't be read: nothing is said then of what goes with it. */
bool domain_type_known(const struct lowering *l);
/* domain_uri.c: canonical, with the port. */
field_parse_fn parse_nbd, parse_iscsi;

/* The file that the template lacks, said at `span`. */
void domain_unknown_file(struct lowering *l, struct span span, const char *what, const char *file);
/* domain_hardware.c. What goes with which type, and what follows. */
void domain_lower_hardware(struct lowering *l);
/* What its firmware is loaded from in the kernel's place; NULL: nothing. */
const char *domain_firmware_path(const struct domain *d);
/* The mark that tells what it was made as. Arena memory. */
const char *domain_settings(struct arena *a, const struct domain *d);
/* Whether they can be noted. */
void domain_check_settings(struct lowering *l);
/* That mark of a domain, or, of one without marks, what libxl's record says over what is wanted (which may be NULL); to
 * be read once and given back (json_object_put). NULL: not known. */
json_object *domain_settings_of(struct arena *a, const struct xen_domain *x,
				const struct domain *want);
/* What it tells, and what Xen does; from `want` what isn't known. */
void domain_read_hardware(struct arena *a, const struct xen_domain *x, json_object *made_as,
			  const struct domain *want, struct domain *d);
/* The card that the NIC with that MAC was made with (NIC_…); -1: not known. */
int domain_nic_model(json_object *made_as, const char *mac);
struct xen_hardware *domain_ask_hardware(struct arena *a, const struct domain *d);
/* domain_record.c. libxl's record, the caller's (json_object_put); NULL: none. Parts of it: NULL where there are none. */
json_object *domain_record(const struct xen_domain *x);
json_object *domain_record_build(json_object *record);
json_object *domain_record_hvm(json_object *record);
/* Of a whole machine that one, else its first frame buffer: what has `vnc` and `keymap`. */
json_object *domain_record_screen(json_object *record, int type);
/* Firmware, boot order, screen, ports, clock, nodes, and the cards of hvm guests by MAC, as far as it tells. */
void domain_record_machine(struct arena *a, json_object *record, const struct xen_domain *x,
			   struct domain *d);
/* domain_adopt.c. The resource whose given UUID that domain without marks has: they are one. NULL: none. */
const struct resource *domain_counterpart(const struct manifest *m, const struct xen_domain *x);
void domain_meet(struct planning *p, const struct resource *want, const struct actual *foreign,
		 const struct changes *diff, struct step *step);
int domain_adopt(struct work *w, struct err *e);
/* domain_pci.c. Each device is implied; what can't have one is said. */
void domain_lower_pci(struct lowering *l);
/* What else the manifest has behind that device. */
void domain_check_pci(struct manifest *m, const struct resource *domain, const struct domain_pci *p);
void domain_ask_pci(struct arena *a, const struct domain *d, struct list *ret);
void domain_fill_pci(struct arena *a, const struct xen_domain *x, const struct domain *want,
		     struct domain *d);
/* Holds a step of a guest that could have none on this host. */
void domain_hold_pci(struct planning *p, const struct resource *want, struct step *s);
/* domain_usb.c. What can't have one, and what doesn't say which, is said. */
void domain_lower_usb(struct lowering *l);
/* What two that mean one device have in common, as far as the manifest tells, and the field that says it; NULL: not
 * known. */
const char *domain_usb_what(struct arena *a, const struct domain_usb *u, const char **ret_field);
/* With the places where they are plugged in, and without those that aren't; the record itself where it has none. */
const struct domain *domain_usb_wanted(struct arena *a, const struct facts *f,
				       const struct resource *r, const struct domain *d);
/* `said`: as the manifest has it; `want`: the same on this host. Either may be NULL. */
void domain_fill_usb(struct arena *a, const struct facts *f, const struct xen_domain *x,
		     const struct domain *said, const struct domain *want, struct domain *d);
/* Holds a step that would hand over what can't be told apart, what dom0 needs, or start without what is required. */
void domain_hold_usb(struct planning *p, const struct resource *want, struct step *s);
/* Those that aren't plugged in: for status, and for the plan. */
const char *domain_usb_note(struct arena *a, const struct facts *f, const struct resource *r);
void domain_note_usb(struct planning *p, const struct resource *want);
/* What is to be handed over, looked at once more. */
int domain_ask_usb(struct work *w, struct list *ret, struct err *e);
int domain_change_usb(struct work *w, const struct xen_domain *x, const char *name, struct err *e);
/* domain_screen.c. No two screens at one port: in the manifest; by claims; and where a running one's is. */
void domain_check_screens(struct manifest *m);
void domain_claim_screen(struct arena *a, const struct domain *d, struct list *ret);
void domain_fill_screen(const struct xen_domain *x, struct domain *d);
/* domain_needs.c. The paths that it boots from; holds a step that would start it without them, or that pins it to
 * processors that this host hasn't. */
void domain_boot_paths(struct arena *a, const struct domain *d, struct list *ret);
void domain_hold_fileless(struct planning *p, const struct resource *want, struct step *s);
void domain_hold_cpuless(struct planning *p, const struct resource *want, struct step *s);
/* domain_ready.c. One probe, and whole. */
void domain_lower_ready(struct lowering *l);
/* Adds the step that waits until it is ready, where it is to run and isn't known to be. */
void domain_await(struct planning *p, const struct resource *want, const struct actual *have);
int domain_wait(struct work *w, struct err *e);
/* Disks, and the one that cloud-init reads: volumes are implied, targets filled. */
void domain_lower_disks(struct lowering *l);
/* What disks have in common that are one, as far as the manifest tells; NULL: not known. */
const char *domain_disk_what(struct arena *a, const struct domain_disk *k);
/* "TARGET/LUN": the same disk by whatever portal. */
const char *iscsi_disk(const char *uri);
/* The field that says where it comes from; "vdev" where none does. */
const char *domain_disk_key(const struct domain_disk *k);
/* Across domains: no MAC twice, no disk that two may write, no PCI device for two. */
void domain_check(struct manifest *m);

/* With the boot files of the clone that it runs on, where that is behind its template. */
const void *domain_wanted(struct arena *a, const struct facts *f, const struct manifest *m,
			  const struct resource *r);
/* What is there and can be used is not waited for, whatever else is wrong with it: a guest that reboots
 * comes back. A template is there where its boot files are in the cache. */
bool domain_met(const struct facts *f, const struct resource *r, const void *wanted,
		const struct resource *other);
/* "web.root" of "/dev/vg0/web.root", else NULL. */
const char *domain_volume_of(const char *target);
/* domain_source.c. /dev/mapper/vg0-web--data is /dev/vg0/web-data; others as they are. */
const char *domain_disk_canonical(struct arena *a, const char *target);
/* Of an hvm guest: whether QEMU plays it, or did until the guest's own drivers took over. */
bool domain_disk_emulated(const struct domain_disk *k);
/* Its disks: one writer, or only readers; its PCI devices. */
void domain_abroad(struct arena *a, const void *record, struct list *ret);
void domain_claims(struct arena *a, const void *record, struct list *ret);
/* Files and ISOs that it names and nobody makes. */
void domain_paths(struct arena *a, const void *record, struct list *ret);
/* A copy with the devices that its disks are on this host. */
const struct domain *domain_devices(struct arena *a, const struct facts *f, const struct domain *d);
/* Holds a step that would use a disk which isn't there, or which dom0 uses. */
void domain_hold_diskless(struct planning *p, const struct resource *want, struct step *s);
/* What Manor has paused it for (struct xen_domain's paused_for): the pool that follows; what its manifest, what
 * `manor pause` says. */
#define FOR_POOL           "pool "
#define PAUSED_BY_MANIFEST "manifest"
#define PAUSED_BY_HAND     "hand"

/* domain_full.c. A guest that writes to a pool that is about to be full is paused until there is room: the step
 * for that, or NULL; what is there for people to read of one that is. `over`: what it was paused for instead is
 * over, in words; NULL: that was nothing. */
struct step *domain_pause_for_pool(struct planning *p, const struct resource *want,
				   const struct xen_domain *x, const char *over);
struct step *domain_pause_for(struct planning *p, const struct resource *want, const char *what,
			      const char *why);
struct step *domain_go_on(struct planning *p, const struct resource *want, const char *why);
/* domain_state.c. Whether its manifest keeps it off. */
bool domain_kept_off(const struct resource *want);
/* The step that pauses one that runs, or lets one that is paused go on; NULL: it is as it should be. */
struct step *domain_pause(struct planning *p, const struct resource *want, const struct xen_domain *x);
/* What left the manifest when it was off takes along what a person asked for: come back, it does what that says. */
void domain_forget(struct planning *p);
/* What is to be said of one that is paused, in a few words, or NULL. */
const char *domain_pause_note(struct arena *a, const struct facts *f, const struct xen_domain *x);
/* The step that removes it says which files stay. */
void domain_say_files(struct planning *p, const struct actual *have, struct step *step);
void domain_actual(struct arena *a, const struct facts *f, const struct manifest *m,
		   struct actuals *ret);
void domain_share(struct planning *p);
void domain_decide(struct planning *p, const struct resource *want, const struct actual *have,
		   struct step *step);
int domain_apply(struct work *w, struct err *e);

/* domain_save.c. What is kept of it, in any state; NULL: nothing. */
const struct saved_domain *domain_saved(const struct facts *f, const char *name);
/* What it was like; NULL: that can't be understood. */
const struct domain *domain_was(struct arena *a, const struct saved_domain *s);
/* The same, read once a plan. */
const struct domain *domain_was_once(struct planning *p, const char *name,
				     const struct saved_domain *s);
/* Whether that is of this very one, which hasn't run on since. */
bool domain_saved_of(const struct facts *f, const struct saved_domain *s,
		     const struct xen_domain *x);
struct step *domain_plan_save(struct planning *p, const struct resource *want,
			      const struct xen_domain *x, struct step *step, const char *why);
/* It stands suspended: true where that was Manor's saving, which was cut off. */
bool domain_decide_suspended(struct planning *p, const struct resource *want,
			     const struct xen_domain *x, struct step *step);
/* A saving that it didn't answer to is long over, and it runs: its mark goes, lest somebody else's be taken for it. */
bool domain_saving_over(const struct facts *f, const struct xen_domain *x);
void domain_end_saving(struct planning *p, const struct resource *want, const struct xen_domain *x);
/* It isn't there, or is half-made, and is to run: true where it is to be restored. */
bool domain_decide_saved(struct planning *p, const struct resource *want, bool half_made,
			 struct step *step);
/* With `saves`, where its manifest says so and nothing speaks against it. */
void domain_at_shutdown(struct arena *a, const struct facts *f, const struct manifest *m,
			const struct actual *have, struct step *step);
/* What lies in the folder of saved ones, and is of no use to it (`runs`: it is there, and whole). */
void domain_note_left(struct planning *p, const struct resource *want, bool runs);
/* Nobody takes a disk that another goes on with when it is restored. */
void domain_hold_saved_disks(struct planning *p, const struct resource *want, struct step *step);
/* domain_boot.c. A restart as another type: what has to be so within the guest. */
void domain_note_port(struct planning *p, const struct step *s);
/* domain_resurrect.c. */
int domain_save(struct work *w, struct err *e);
/* What it has in memory is whole on disk, and it stands suspended; on failure it goes on. */
int domain_write_out(struct work *w, bool for_host, struct err *e);
int domain_unsave(struct work *w, struct err *e);
/* One that is to end in order and that a save which was cut off left suspended goes on first. *ret is what it is by
 * then. */
int domain_awake(struct work *w, struct xen_domain *ret, struct err *e);
int domain_restore(struct work *w, struct err *e);
/* -EBUSY where it would start from disks that a saved one goes on with. */
int domain_check_unsaved(struct work *w, struct err *e);
/* The same; and what was given up goes. */
int domain_discard_saved(struct work *w, struct err *e);
/* domain_apply.c. */
void domain_progress(void *work, const char *what);
struct intent_who domain_who(const struct work *w);
/* The manifest's domain in Xen's shape, but for what its kernel is loaded from. */
void domain_ask(struct work *w, struct xen_domain *ret);

/* The intent that is in force for that domain: of this boot and this UUID; NULL: none. */
const struct intent_domain *domain_intent(const struct facts *f, const char *name,
					  const char *uuid);
/* domain_plan.c. The engine's step becomes another, or there is one where it found none. */
struct step *domain_step(struct planning *p, struct step *step, enum action action,
			 const struct resource *want, enum impact impact, const char *why);
void domain_set_timeout(struct step *s, const struct domain *d);
/* What can't be is better said before anything is stopped or made. */
void domain_hold_impossible(struct planning *p, const struct resource *want, struct step *s);
/* domain_memory.c. That it takes to be restored; `was`: what it was like. */
uint64_t domain_memory_saved(const struct domain *was);
/* A restart that more memory takes says which maximum it is over, and what would have spared it. */
void domain_say_maxmem(struct planning *p, struct step *s);
/* In bytes, more than it gives back; negative: less. */
int64_t domain_takes(struct planning *p, const struct step *s);
/* Holds the steps that Xen has too little memory for. */
void domain_hold_unfitting(struct planning *p);
/* domain_ended.c. What follows when it ends by itself. */
enum domain_end domain_end_of(const struct domain *d, int reason);
bool domain_end_restarts(enum domain_end end);
bool domain_end_dumps(enum domain_end end); /* its memory is written to a file first */
/* It did, and its husk is still there. */
void domain_decide_ended(struct planning *p, const struct resource *want,
			 const struct xen_domain *x, struct step *step);
/* Crashes in a row before the one that it is down with now; 0 when the last start was long ago. */
int64_t domain_crashes(const struct facts *f, const struct intent_domain *i,
		       const struct xen_domain *x);
