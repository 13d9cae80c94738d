/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Running one LVM command inside this process, through liblvm2cmd.
 */
#include "host/lvm_cmd.h"

#include <ctype.h>
#include <errno.h>
#include <lvm2cmd.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"

#define REPORT_MAX (32u << 20)
#define ERRORS_MAX 4 /* messages kept of one command; the first ones name the cause */

/* What holds on every host, whatever its lvm.conf says: the list of devices is not restricted to a
 * file that somebody keeps, questions are answered with no, no monitor is started, new pools fail
 * writes when full (lvcreate's own option for that is refused for pools in LVM 2.03.16), and times
 * are seconds since the epoch. Locking, udev and filters stay the host's own. */
#define CONFIG                                                                                     \
	"--config 'devices{use_devicesfile=0} activation{monitoring=0 error_when_full=1} "                              \
	"report{time_format=\"%s\"} log{silent=1}'"

/* liblvm2cmd's log function takes no pointer of ours: what the command at hand says comes here. */
static struct {
	void *handle;
	struct str *report;
	struct str errors, warnings;
	unsigned n_errors;
	bool too_much;
} lvm;

void lvm_cmd_done(struct lvm_cmd *c)
{
	str_done(&c->line);
	free(c->bad);
	c->bad = NULL;
}

void lvm_cmd_add(struct lvm_cmd *c, const char *words)
{
	if (c->line.n)
		str_addc(&c->line, ' ');
	str_add(&c->line, words);
}

void lvm_cmd_addf(struct lvm_cmd *c, const char *fmt, ...)
{
	_cleanup_(freep) char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	lvm_cmd_add(c, text);
}

/* What names, paths and tags are made of, minus what LVM's splitter or parser gives a meaning. */
static bool word_ok(const char *s)
{
	if (!s || (!isalnum((unsigned char)*s) && *s != '/'))
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("/._+-=:!&#,", *s))
			return false;
	return true;
}

void lvm_cmd_word(struct lvm_cmd *c, const char *word)
{
	if (!word_ok(word) && !c->bad)
		c->bad = xstrdup(word ? word : "");
	lvm_cmd_add(c, word ? word : "");
}

void lvm_cmd_lv(struct lvm_cmd *c, const char *vg, const char *lv)
{
	_cleanup_(freep) char *word = xasprintf("%s/%s", vg, lv);

	if (strchr(vg, '/') || strchr(lv, '/')) {
		if (!c->bad)
			c->bad = xstrdup(word);
	}
	lvm_cmd_word(c, word);
}

void lvm_cmd_tags(struct lvm_cmd *c, const char *option, const char *const *tags, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		lvm_cmd_add(c, option);
		lvm_cmd_word(c, tags[i]);
	}
}

static void on_message(int level, const char *file, int line, int dm_errno, const char *message)
{
	level &= 7; /* the rest are flags: to stderr, once, … */
	if (level == LVM2_LOG_PRINT && file && strstr(file, "libdm-report.c")) {
		if (!lvm.report)
			return;
		if (lvm.report->n > REPORT_MAX) {
			lvm.too_much = true;
			return;
		}
		str_add(lvm.report, message);
		str_addc(lvm.report, '\n');
	} else if (level <= LVM2_LOG_ERROR) {
		while (isspace((unsigned char)*message))
			message++;
		if (!*message || lvm.n_errors >= ERRORS_MAX)
			return;
		lvm.n_errors++;
		str_addf(&lvm.errors, "%s%s", lvm.errors.n ? "; " : "", message);
	} else if (level == LVM2_LOG_PRINT && startswith(message, "WARNING: ")) {
		log_debug("lvm: %s", message);
		if (lvm.warnings.n < 1024)
			str_addf(&lvm.warnings, "%s%s", lvm.warnings.n ? "; " : "", message + 9);
	}
}

/* LVM has one code for everything that fails; its words are what tells. */
static int code_of(const char *said)
{
	static const struct {
		const char *part;
		int code;
	} words[] = {
		{"nsufficient free", -ENOSPC},
		{"nsufficient suitable", -ENOSPC},
		{"reached threshold", -ENOSPC},
		{"No space left", -ENOSPC},
		{" in use", -EBUSY},
		{"is used by", -EBUSY},
		{"contains a filesystem", -EBUSY},
		{"exclusively", -EBUSY},
		{"already exists", -EEXIST},
		{"Failed to find", -ENOENT},
		{"not found", -ENOENT},
		{"ermission denied", -EACCES},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(said, words[i].part))
			return words[i].code;
	return -EIO;
}

int lvm_cmd_run(struct lvm_cmd *c, struct str *ret_report, struct err *e)
{
	sigset_t held, before;
	_cleanup_str_ struct str report = {0};
	_cleanup_(freep) char *line = NULL, *verb = NULL;
	const char *said;
	int rc;

	if (c->bad)
		return err_set(e, -EINVAL, "'%s' is not a word that LVM takes", c->bad);
	if (geteuid() != 0)
		return err_set(e, -EPERM, "LVM needs root");
	line = xasprintf("%s %s", str_get(&c->line), CONFIG);
	verb = xasprintf("%.*s", (int)strcspn(line, " "), line);

	lvm.report = ret_report ? &report : NULL;
	lvm.n_errors = 0;
	lvm.too_much = false;
	str_done(&lvm.errors);
	str_done(&lvm.warnings);

	/* A command that a signal ends half-way can leave a pool one transaction behind: signals wait. */
	sigemptyset(&held);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGHUP);
	sigaddset(&held, SIGQUIT);
	sigaddset(&held, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &held, &before);
	if (!lvm.handle) {
		lvm2_log_fn(on_message);
		lvm.handle = lvm2_init();
	}
	rc = lvm.handle ? lvm2_run(lvm.handle, line) : LVM2_INIT_FAILED;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	lvm.report = NULL;
	log_debug("lvm: %s: %d", line, rc);

	if (rc != LVM2_COMMAND_SUCCEEDED) {
		said = lvm.errors.n ? lvm.errors.s : lvm.warnings.n ? lvm.warnings.s : NULL;
		if (said)
			return err_set(e, code_of(said), "%s: %s", verb, said);
		return err_set(e, -EIO, "%s: failed (code %d) and LVM says nothing more", verb, rc);
	}
	if (lvm.too_much)
		return err_set(e, -EFBIG, "LVM reports more than %u MiB", REPORT_MAX >> 20);
	if (ret_report) {
		str_done(ret_report);
		*ret_report = report;
		memset(&report, 0, sizeof(report));
	}
	return 0;
}
