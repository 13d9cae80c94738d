/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A kind of resource: its field table and the few functions that no table can say. A new kind is one
 * file in kinds/ and one row in kinds/all.c. The engine walks these rows and knows no kind by name.
 */
#pragma once

#include "model/facts.h"
#include "model/manifest.h"
#include "model/plan.h"

/* A resource as the host has it. */
struct actual {
	const struct kind *kind;
	const char *name;   /* ours: the resource's name; foreign: what the host calls it */
	const char *uuid;   /* of the mark, or NULL: foreign */
	bool foreign;       /* bears no mark of this namespace: shown, never touched */
	bool common;        /* ours, and any other namespace's: its mark names none (a template's base) */
	bool half_made;     /* ours, but its making did not end: to be cleared away and made again */
	void *record;       /* by kind->table; what the host said */
	const char *state;  /* a word for people: "running", "up"; may be NULL */
	const char *note;   /* one line for status ("behind: …", "undeleted, kept"), or NULL */
	bool keep;          /* ours, but not to be removed though the manifest lacks it (undeleted) */
	const char *const *uses; /* "bridge/xenbr0", "volume/web.root": what must outlive it */
	size_t n_uses;
	const void *data;   /* the kind's own, e.g. its entry in the facts */
};

/* Of claims(): a thing by a name that all who claim it use, and whether it may be had together. */
struct claim {
	const char *what; /* "/dev/vg0/web-data" */
	const char *name; /* for people, where that is another; else NULL */
	bool shared;
	bool at_start; /* it is taken when the thing is made or restarted, and by no update */
	bool alone;    /* nothing is read or written of it: it is had or it isn't */
};

struct actuals {
	struct actual *list;
	size_t n;
};

struct actual *actual_add(struct arena *a, struct actuals *l, const struct kind *k,
			  const char *name);

/* What decide() works on. */
struct planning {
	struct arena *arena; /* the plan's */
	const struct manifest *manifest;
	const struct facts *facts;
	struct plan *plan;
	struct index memo; /* what a kind found out for all of its resources at once, by words of its own */
};

/* What apply() works on, in a worker process of its own. */
struct work {
	struct arena *arena;
	const struct step *step;     /* want, have, changes, uuid: all of the plan's */
	const struct facts *facts;   /* read anew just now */
	const struct actual *now;    /* the resource among them; NULL: absent */
	/* Tells where it stands: `what` in a few words ("fetching", "starting: hotplug xvda"); bytes 0/0
	 * where there are none to count. */
	void (*progress)(struct work *w, const char *what, uint64_t done, uint64_t total);
	const char *result; /* for apply to set: what was done, in a few words ("imported, sha256 as
			     * asked"); arena memory; NULL: the step's own words */
	void *data;
};

struct kind {
	const char *name;    /* "bridge": the word in kind/name */
	const char *section; /* "bridges": its key in the manifest; NULL: never written there */
	const struct table *table;
	const char *const *readers; /* names of the readings it needs, NULL-terminated */
	bool alone;  /* a step looks at nothing in its readings but what bears its name or its UUID */
	bool for_starts; /* made for those who start with it alone: nobody else waits for it, and where nobody starts with
			  * it, it isn't made (a device that dom0 has until then) */
	bool gentle; /* its worker is never killed (LVM in the middle of its metadata), only asked */

	/* Manifest → resources. All optional, called in the order of the kinds' array.
	 * They see what the manifest says as far as it is sound: a field that could not be understood is
	 * unset, but given (field_given()), and of what was said to be wrong nothing more is said.
	 * before: the node to decode instead (a domain's merged with its template's); may return `node`.
	 * *ret_incomplete: a part of it could not be read, so nobody knows what is missing.
	 * prepare: checks that span fields; fills derived fields; implies further resources. */
	struct node *(*before)(struct manifest *m, const char *name, struct node *node,
			       bool *ret_incomplete);
	void (*prepare)(struct manifest *m, struct resource *r);
	/* After every kind's prepare: checks across resources (duplicate MACs, pool arithmetic). */
	void (*check)(struct manifest *m);

	/* Facts → what is there of this kind, ours and foreign. Pure. The manifest serves to recognise and
	 * to name, never to decide; in a worker it holds the namespace, the step's own resource (as
	 * wanted, or as it was where it goes) and the resources that this one needs. Called only when
	 * all its readings are known. */
	void (*actual)(struct arena *a, const struct facts *f, const struct manifest *m,
		       struct actuals *ret);

	/* What the manifest wants of this resource on this host, where the host has a say: a guest whose
	 * disk came from an older file keeps the kernel that belongs to it. The record to compare with
	 * and to apply: the resource's own, or a changed copy. Its readings may be unknown. Pure, optional. */
	const void *(*wanted)(struct arena *a, const struct facts *f, const struct manifest *m,
			      const struct resource *r);

	/* Whether what is there already meets that need, so that the failure of the other's steps doesn't matter
	 * to this one, which still comes after them: a clone that exists needs its template no more. `wanted` as above. Pure,
	 * optional. */
	bool (*met)(const struct facts *f, const struct resource *r, const void *wanted,
		    const struct resource *other);

	/* Paths on the host that such a record names, whose state matters: they are observed for it. List of
	 * strings, absolute. Pure, optional. */
	void (*paths)(struct arena *a, const void *record, struct list *ret);

	/* What nobody else may have at the same time as this record has it: list of struct claim. Of records
	 * wanted and found alike. Pure, optional. */
	void (*claims)(struct arena *a, const void *record, struct list *ret);

	/* What only one thing on the network may have, and this one has (MAC addresses): list of strings. Pure, optional. */
	void (*abroad)(struct arena *a, const void *record, struct list *ret);

	/* The last word on one resource after the generic comparison. `want` NULL: it is to go. `have` NULL:
	 * absent. `step` is what the engine found: called once for each of its steps (an update and a
	 * restart may both be there), and once with NULL when nothing differs; change it, set its why,
	 * serial, timeout and estimate, hold it (step_hold), or add others with plan_add (which moves the
	 * steps: use `step` no more after that). Pure. */
	void (*decide)(struct planning *p, const struct resource *want, const struct actual *have,
		       struct step *step);

	/* Something foreign has its name (or is known to be it): `diff` is in what that isn't as wanted, `step` the one
	 * that would make it. Holds the step, makes it another, or drops it: what is there will do. Optional:
	 * without it every foreign one is a conflict. Pure. */
	void (*meet)(struct planning *p, const struct resource *want, const struct actual *foreign,
		     const struct changes *diff, struct step *step);

	/* The last word when all steps of the plan are there, whoever they are about: holds what doesn't fit together
	 * with the others, adds what is about nobody wanted and nobody there. Pure, optional. */
	void (*share)(struct planning *p);

	/* What a step takes of what all of its kind share (memory); negative: what it gives back, and those who take
	 * some wait for it. Pure, optional. */
	int64_t (*takes)(struct planning *p, const struct step *step);

	/* The last word on the step that ends it as its host goes down, which wants the manifest's record: set another,
	 * its serial, its timeout. Pure, optional. */
	void (*rest)(struct arena *a, const struct facts *f, const struct manifest *m,
		     const struct actual *have, struct step *step);

	/* Does the step: safe to run again. On failure says the field at fault (err_at) and what to do
	 * (err_help). Returns 0 or a negative errno. */
	int (*apply)(struct work *w, struct err *e);
};
