/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Field tables: one row says everything about a field, and everything reads the row: decode,
 * defaults, reference checks, diff, plan text, JSON, schema, the manual's reference.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "conf/node.h"

/* How hard a change hits. The order is the severity. */
enum impact {
	IMPACT_NONE,
	IMPACT_LIVE,
	IMPACT_GUEST_RESTART,
	IMPACT_GUEST_RECREATE,
	IMPACT_HOST_REBOOT,
	IMPACT_DATA_LOSS,
};
extern const char *const impact_words[]; /* "none", "live", "guest-restart", …, NULL */

enum field_type {
	FIELD_BOOL,     /* bool */
	FIELD_INT,      /* int64_t within min..max */
	FIELD_SIZE,     /* uint64_t bytes within min..max; written with a unit */
	FIELD_DURATION, /* uint64_t seconds within min..max; written with a unit */
	FIELD_STRING,   /* const char *; checked and made canonical by `parse` where there is one */
	FIELD_ENUM,     /* int: the index in `words` */
	FIELD_LIST,     /* struct list: of strings (each through `parse`), or of `sub` records */
	FIELD_SUB,      /* a record described by `sub`, embedded in its parent */
	FIELD_MAP,      /* struct map: name → record described by `sub` */
};

enum field_flags {
	FIELD_REQUIRED = 1 << 0,
	FIELD_SECRET = 1 << 1,   /* never printed, nor its digest */
	FIELD_IDENTITY = 1 << 2, /* another value is another resource */
	FIELD_CONFIG = 1 << 3,   /* in the manifest only: never compared with the host */
	FIELD_DERIVED = 1 << 4,  /* not in the manifest: computed from it, compared with the host */
	FIELD_STATUS = 1 << 5,   /* not in the manifest: what the host says, never compared */
	FIELD_FROM_FILE = 1 << 6, /* `{file: PATH}` may stand for the value: read when decoding */
	FIELD_SHORT = 1 << 7,    /* FIELD_SUB/MAP value: a plain scalar stands for this field of it */
	FIELD_UNORDERED = 1 << 8, /* FIELD_LIST: a set; its order means nothing */
	FIELD_PARTIAL = 1 << 9,   /* FIELD_SUB, FIELD_MAP: a part of one, to be merged elsewhere: decoded for its
				   * errors; nothing in it is required and no defaults are filled */
	FIELD_LATER = 1 << 10,    /* a word of a later version: an error of its own ("not-supported": "'vnc' is
				   * not in this version") where it stands, whatever its value; its doc
				   * says what to do instead; in no schema and no manual */
	FIELD_ALONE = 1 << 11,    /* FIELD_LIST of strings: a plain one stands for a list of it alone */
};

struct facts;
struct field;
struct decode;

/* Checks one scalar and makes it canonical: *ret is arena memory. -EINVAL with a message that goes
 * behind "'TEXT' is not …" (e.g. "a MAC address: six pairs of hex digits"); -ENODATA for a size that
 * lacks its unit. */
typedef int field_parse_fn(struct decode *c, const struct field *f, const char *text,
			   const char **ret, struct err *e);

struct table;

/* How other programs call what there is here: "ramdisk" for the key "initrd", "uefi" for the word "ovmf". The end has no word. */
struct other_word {
	const char *word, *here;
};

struct field {
	const char *name;
	enum field_type type;
	size_t offset;           /* of the value in its record */
	unsigned flags;
	const char *const *words; /* FIELD_ENUM: NULL-terminated */
	const struct other_word *others; /* for these, or NULL */
	int64_t min, max;         /* both 0: no bound but the type's */
	field_parse_fn *parse;
	const struct table *sub;
	const char *def;  /* the default, as manifest text, which is enforced; NULL: left as it is */
	const char *ref;  /* the kind that this string names ("bridge"); checked, and a dependency */
	enum impact impact; /* worst case of a change; for maps: of an entry that comes or goes */
	/* Where it varies; records are those that hold the field. May be NULL. */
	enum impact (*impact_of)(const struct field *f, const void *old, const void *new_,
				 const struct facts *facts);
	const char *doc; /* a line for schema and manual: what it is, and what leaving it out means */
};

struct table {
	const char *name; /* "domain", "disk" */
	const char *doc;
	size_t size;      /* of the struct */
	const struct field *fields;
	size_t n;         /* at most 64 */
	const struct other_word *others; /* for its keys, or NULL */
};

#define FIELD_AT(type, member) offsetof(struct type, member)
#define TABLE(ident, type, word, text, ...) TABLE_OTHERS(ident, type, word, text, NULL, __VA_ARGS__)
#define TABLE_OTHERS(ident, type, word, text, others, ...)                                         \
	static const struct field ident##_fields[] = {__VA_ARGS__};                                 \
	const struct table ident = {word, text, sizeof(struct type), ident##_fields,                \
				    ARRAY_SIZE(ident##_fields), others}

/* Whether a manifest may say it. */
static inline bool field_in_manifest(const struct field *f)
{
	return !(f->flags & (FIELD_DERIVED | FIELD_STATUS));
}

static inline void *field_ptr(const struct field *f, const void *record)
{
	return (char *)record + f->offset;
}

/* What decoding needs beside nodes. */
struct decode {
	struct arena *arena;
	struct diags *diags;
	const struct source *source; /* what the value at hand stands in: set while it is read */
	/* Reads a small file that the manifest names. Arena memory. NULL: plain file reading. The agent gives one that serves the manifest in force from its own copy. */
	int (*read)(struct decode *c, const char *path, const char **ret, struct err *e);
	void *data; /* for read */
	bool incomplete; /* what else belongs here could not be read (a domain's template): nothing is said
			  * of what is missing */
};

/* Where relative paths start: the folder of the file that the value at hand stands in; "." if unknown. */
const char *decode_dir(const struct decode *c);

/* Nodes → record, by the table. Unknown keys, wrong types, bounds, missing required fields go to
 * c->diags; the record is complete but for what was wrong. `what` names it in messages
 * ("domain 'web'"). Defaults fill unset fields, and count as set. A derived or status field in
 * the manifest is an unknown key. Entries with a bad name are there too, and lists hold the items
 * that are right. Returns 0, or -EINVAL when it added an error. */
int field_decode(struct decode *c, const struct table *t, const struct node *node, const char *what,
		 void *ret_record);
/* Says of each key that the table lacks that it is unknown. One that is surely a misspelt other is
 * spelt right in the tree, so that its value is read and what names it finds it. Returns the fields
 * that such keys may have meant, as bits. */
uint64_t field_keys(struct decode *c, const struct table *t, const struct node *node,
		    const char *what);
/* As the rest of the program sees presence. */
bool field_is_set(const struct table *t, const void *record, const char *name);
void field_mark(const struct table *t, void *record, const char *name); /* sets the bit */
/* Whether the manifest says something of it, even if that could not be understood: what is wrong was
 * said then, and that it is missing would be false. */
bool field_given(const struct table *t, const void *record, const char *name);
/* Whether the manifest uses words there that are unknown, or of a later version: then one of them may
 * have been meant for what is missing. */
bool field_strange(const struct table *t, const void *record);
const struct field *field_find(const struct table *t, const char *name);
/* The field that a plain scalar stands for; NULL: a mapping is needed. */
const struct field *field_short(const struct table *t);

/* The place of a field for diagnostics: its value's span, else the record's own. */
struct span field_span(const void *record, const char *path);
/* Of the i-th item of a list in a record. */
struct span field_item_span(const void *record, const char *name, const struct list *l, size_t i);

/* What it is called here; NULL: nobody calls anything so. */
const char *other_word(const struct other_word *others, const char *word);
/* The label that says so. */
void other_label(struct decode *c, struct diag *g, const char *here);
/* "kernel:/k", "kernel /k", "kernel = /k" where a field of the table is named: what it should be, with
 * a colon and a space; else NULL. */
const char *field_colon(struct arena *a, const struct table *t, const char *text);
/* For a list where each record has a name, as in "nics: {NAME: {bridge: …}}". */
void field_suggest_names(struct decode *c, struct diag *g, const char *key, const struct table *t);
/* For a record that is no mapping: what was meant, or what may stand there. */
void field_suggest_keys(struct decode *c, struct diag *g, const struct table *t,
			const struct node *node);
/* False, having said so, for a key that is to be a name and isn't one. */
bool field_name(struct decode *c, const struct node *key);
/* The name that a text would be with other letters, where there is one, beside the caret. */
void field_suggest_name(struct decode *c, struct diag *g, const char *text);

/* A Manor name: [a-z0-9][a-z0-9-]*, at most 63 characters. */
bool field_name_ok(const char *s);

/* Ready-made `parse` functions. */
field_parse_fn parse_name; /* a Manor name */
field_parse_fn parse_mac;  /* lower case, colons; no multicast */
field_parse_fn parse_cidr; /* address/prefix, canonical by inet_ntop; IPv4 and IPv6 */
field_parse_fn parse_ip;
field_parse_fn parse_path;   /* absolute; relative ones start at the folder of the file they stand in */
field_parse_fn parse_url;    /* http, https, file; a plain path becomes file:// */
field_parse_fn parse_sha256; /* 64 hex digits, lower case */
field_parse_fn parse_vdev;   /* xvda, sda1, hda …: xvd[a-p], hd[a-d], sd[a-p] and a partition */
field_parse_fn parse_text;   /* not empty, one line */
field_parse_fn parse_ifname; /* 1–15 bytes, no '/' or white space, not "." or ".." */
/* "/srv/a b.img" → "file:///srv/a%20b.img" */
const char *url_of_path(struct arena *a, const char *path);
