/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The command line: one file a verb, one row each in main.c, and what they share.
 */
#pragma once

#include "base/json.h"
#include "model/manifest.h"

#ifndef MANOR_VERSION
#define MANOR_VERSION "unknown" /* of a build that says none */
#endif

/* What is to be said of an installation on the console's page: by `manor install`, for `manor screen`. */
#define INSTALL_NOTE "/run/manor/installation"

enum exit_code {
	EXIT_FINE = 0,    /* done, or nothing to do */
	EXIT_FAILED = 1,  /* something failed */
	EXIT_BAD = 2,     /* a bad manifest, or bad usage */
	EXIT_CHANGES = 3, /* plan: changes are pending */
	EXIT_INTERRUPTED = 130,
};

struct verb {
	const char *name; /* its page, agent/man/manor-NAME.1.scd, says what it does */
	int (*run)(int argc, char **argv); /* argv[0] is the verb; returns an enum exit_code */
	bool hidden; /* for programs: `manor help` doesn't list it */
};

extern const struct verb verbs[]; /* ends with a NULL name */

int verb_check(int argc, char **argv);
int verb_plan(int argc, char **argv);
int verb_apply(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_facts(int argc, char **argv);
int verb_fetch(int argc, char **argv);
int verb_start(int argc, char **argv);
int verb_stop(int argc, char **argv);
int verb_restart(int argc, char **argv);
int verb_pause(int argc, char **argv);
int verb_unpause(int argc, char **argv);
int verb_save(int argc, char **argv);
int verb_restore(int argc, char **argv);
int verb_rebuild(int argc, char **argv);
int verb_console(int argc, char **argv);
int verb_vnc(int argc, char **argv);
int verb_screen(int argc, char **argv);
int verb_upgrade(int argc, char **argv);
int verb_undelete(int argc, char **argv);
int verb_trash(int argc, char **argv);
int verb_image(int argc, char **argv);
int verb_render(int argc, char **argv);
int verb_import(int argc, char **argv);
int verb_export(int argc, char **argv);
int verb_adopt(int argc, char **argv);
int verb_netboot(int argc, char **argv);
int verb_install(int argc, char **argv);
int verb_slot(int argc, char **argv);
int verb_schema(int argc, char **argv);
int verb_version(int argc, char **argv);
int verb_agent(int argc, char **argv);
int verb_help(int argc, char **argv);
int verb_worker(int argc, char **argv);

/* What most verbs take. */
struct options {
	const char *file;    /* -f FILE; NULL: looked for */
	bool json;           /* --format json */
	bool text;           /* --format text, said in so many words */
	bool colour;         /* standard output is a terminal, and NO_COLOR is not set, or empty */
	bool colour_err;     /* the same of standard error */
	/* The verbs' own, each refused by verbs that don't list it. */
	const char *facts;   /* --facts FILE */
	bool yes;            /* --yes */
	const char *allow;   /* --allow IMPACT */
	const char *only;    /* --only IMPACT or kind/name */
	int64_t jobs;        /* --jobs N; 0: as many as there are processors */
	int64_t timeout;     /* --timeout DURATION in seconds; -1: not given */
	bool noheadings;     /* --noheadings */
	int64_t older_than;  /* --older-than AGE in seconds; -1: not given */
	bool expired;        /* --expired */
	bool dry_run;        /* --dry-run */
	const char *output;  /* -o FILE */
	bool force;          /* --force */
	bool live;           /* --live */
	const char *disk;    /* --disk NAME */
	const char *storage; /* --storage NAME */
	const char *member;  /* --member NAME */
	const char *type;    /* --type FORMAT, of an image */
	const char *sha256;  /* --sha256 DIGEST: 64 hex digits, as given */
	bool boot;           /* --boot */
	const char *namespace; /* --namespace NAME, as given */
	bool discard_saved;  /* --discard-saved */
	bool once;           /* --once */
	const char *host;    /* --host NAME */
	const char *key;     /* --key KEY[,KEY…], as given */
	const char *ca;      /* --ca FILE */
	const char *from;    /* --from DIR */
	const char *interface; /* --interface NAME */
	const char *network; /* --network ADDRESS/PREFIX, as given */
	const char *range;   /* --range FIRST,LAST, as given */
	const char *mac;     /* --mac MAC[,MAC…], as given */
	bool downgrade;      /* --downgrade */
	bool retry;          /* --retry */
	bool settings;       /* --settings */
	bool no_reboot;      /* --no-reboot */
	int64_t within;      /* --within DURATION in seconds; -1: not given */
	const char *erase;   /* --erase SERIAL */
	uint64_t state_size; /* --state-size SIZE in bytes; 0: not given */
	const char *image;   /* --image FILE */
	const char *grow;    /* --grow DISK */
	bool unattended;     /* --unattended */
};

/* Reads argv by `accepts`, a list of long option names ("file", "format", "yes" …), NULL-terminated.
 * *ret_rest is the index of the first operand. Returns 0; EXIT_BAD with a message on standard error;
 * --help prints the verb's page and returns -1 (the caller exits 0). */
int options_read(int argc, char **argv, const char *const *accepts, struct options *ret,
		 int *ret_rest);

/* -f, else /etc/manor/appliance.yaml, else ./appliance.yaml. NULL with a message that lists the
 * places when there is none. */
const char *manifest_path(const struct options *o);
/* For whom a manifest is read: for that host of many (--host), or, if NULL, for the machine that this is. */
struct who who_of(const char *host);
/* Loads it and prints every diagnostic (text on standard error, or JSON on standard output). NULL:
 * bad, exit with EXIT_BAD. */
struct manifest *manifest_open(const struct options *o);
/* The same for another than who_of(): NULL: for each host that it has (manifest_load_text). */
struct manifest *manifest_open_for(const struct options *o, const struct who *who);

/* Prints JSON, indented on a terminal, with a newline; takes ownership. */
void print_json(json_object *json);
