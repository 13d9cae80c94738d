/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Upgrade bundles, by RAUC.
 */
#include "host/bundle.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/version.h"
#include "host/program.h"

#define RUN_DIR    "/run/manor/rauc"
#define CONFIG     RUN_DIR "/system.conf"
#define STATUS     "/var/lib/manor/rauc.status"
#define INSTALL    MANOR_LIB "/rauc-install"
#define BACKEND    MANOR_LIB "/rauc-backend"
#define OUTPUT_MAX (1u << 20)
#define BLOCK      4096u /* mksquashfs fills the last one */
#define SIGNED_MAX (64u << 10)

#define SQUASH_MAGIC 0x73717368u
#define SQUASH_USED  40 /* where the superblock has the number of its bytes */
#define SQUASH_SIZE  96

extern char **environ;

int bundle_look(const char *path, struct err *e)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	unsigned char head[SQUASH_SIZE] = {0}, tail[8] = {0};
	uint64_t used, size, length;
	struct stat st;
	size_t at = 0;

	if (fd < 0)
		return err_errno(e, -errno, "open %s", path);
	if (fstat(fd, &st) < 0)
		return err_errno(e, -errno, "look at %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "%s is no plain file", path);
	size = (uint64_t)st.st_size;
	if (pread(fd, head, sizeof(head), 0) < 0)
		return err_errno(e, -errno, "read %s", path);
	while (at < sizeof(head) && strchr(" \t\r\n", head[at]) && head[at])
		at++;
	if (at < sizeof(head) && head[at] == '<') {
		err_help(e, "look at it with a browser: it may say why, or ask who you are");
		return err_set(e, -EMEDIUMTYPE, "it is a web page, not an upgrade bundle");
	}
	memcpy(&length, head, 4);
	if (le32toh((uint32_t)length) != SQUASH_MAGIC || size < SQUASH_SIZE) {
		err_help(e, "`make appliance` makes one, manor.raucb");
		return err_set(e, -EMEDIUMTYPE, "it is no upgrade bundle");
	}
	if (size > BUNDLE_MAX)
		return err_set(e, -EFBIG, "it has %llu bytes, more than any bundle",
			       (unsigned long long)size);
	memcpy(&used, head + SQUASH_USED, 8);
	used = le64toh(used);
	if (used > BUNDLE_MAX)
		return err_set(e, -EMEDIUMTYPE, "it is no upgrade bundle, or a damaged one");
	used = (used + BLOCK - 1) / BLOCK * BLOCK;
	if (size < used)
		return err_set(e, -EMSGSIZE,
			       "it was cut off: %llu bytes are there, of %llu and a signature",
			       (unsigned long long)size, (unsigned long long)used);
	if (size == used) {
		err_help(e, "it has to be signed by a key that this appliance trusts: "
			    "hv/appliance/bundle says how");
		return err_set(e, -EKEYREJECTED, "it isn't signed");
	}
	if (size < used + sizeof(tail) || pread(fd, tail, sizeof(tail), (off_t)(size - 8)) != 8)
		return err_set(e, -EMSGSIZE, "it was cut off within its signature");
	memcpy(&length, tail, 8);
	length = be64toh(length);
	if (length == 0 || length > SIGNED_MAX || used + length + 8 != size)
		return err_set(e, -EMSGSIZE,
			       "it was cut off within its signature, or is damaged at its end");
	return 0;
}

/* The slots are those of the disk that was booted, so this is made anew each time. */
static int write_config(const struct slots *s, struct err *e)
{
	bool a = streq(s->booted, "A");
	_cleanup_(freep) char *text = xasprintf(
		"[system]\n"
		"compatible=" BUNDLE_COMPATIBLE "\n"
		"bootloader=custom\n"
		"bundle-formats=plain\n"
		"mountprefix=" RUN_DIR "/mnt\n"
		"statusfile=" STATUS "\n\n"
		"[keyring]\npath=" BUNDLE_KEYRING "\n\n"
		"[handlers]\nbootloader-custom-backend=" BACKEND "\n\n"
		"[slot.system.0]\ndevice=%s\ntype=raw\nbootname=A\n\n"
		"[slot.system.1]\ndevice=%s\ntype=raw\nbootname=B\n",
		a ? s->device_booted : s->device_other, a ? s->device_other : s->device_booted);
	int r = file_mkdirs(RUN_DIR, 0700, e);

	return r < 0 ? r : file_write(CONFIG, text, strlen(text), 0600, e);
}

struct run {
	struct str out, err;  /* what it said */
	size_t told;          /* of the first, lines that were passed on */
	void (*line)(void *data, const char *line);
	void *data;
};

static void pass_on(void *data)
{
	struct run *r = data;
	char *end;

	while (r->line && r->told < r->out.n &&
	       (end = memchr(r->out.s + r->told, '\n', r->out.n - r->told))) {
		_cleanup_(freep) char *line = xasprintf(
			"%.*s", (int)(end - r->out.s - (ptrdiff_t)r->told), r->out.s + r->told);

		r->told = (size_t)(end - r->out.s) + 1;
		r->line(r->data, line);
	}
}

/* Its exit status; negative where it can't be started, or was ended by a signal. */
static int run(const char *const *argv, struct run *r, struct err *e)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int out[2], err[2], status = 0, rc;
	sigset_t none;
	pid_t pid;

	rc = program_pipes(out, err, e);
	if (rc < 0)
		return rc;
	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	posix_spawn_file_actions_adddup2(&actions, err[1], 2);
	posix_spawnattr_init(&attr);
	/* Ctrl-C is Manor's to answer: half a slot is no danger, but why begin anew. */
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attr, &none);
	rc = -posix_spawnp(&pid, argv[0], &actions, &attr, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	close(out[1]);
	close(err[1]);
	if (rc == 0)
		program_hear(out[0], err[0], OUTPUT_MAX, &r->out, &r->err, pass_on, r);
	close(out[0]);
	close(err[0]);
	if (rc < 0)
		return err_errno(e, rc, "start %s", argv[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	log_debug("%s: %s", argv[0], str_get(&r->err));
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return err_set(e, -EIO, "%s was ended: %s", argv[0], strsignal(WTERMSIG(status)));
}

static void run_done(struct run *r)
{
	str_done(&r->out);
	str_done(&r->err);
}

/* The last of its lines that is an error's: its own messages and OpenSSL's stack stand around it. */
static const char *complaint(struct arena *a, const struct run *r)
{
	const char *found = "it says nothing";

	for (const char *at = str_get(&r->err); *at;) {
		size_t n = strcspn(at, "\n");
		const char *line = arena_strndup(a, at, MIN_OF(n, (size_t)500));

		if (startswith(line, "LastError: "))
			return line + strlen("LastError: ");
		if (n && !startswith(line, "rauc-Message") && !strstr(line, ":error:") &&
		    !startswith(line, "Installing `"))
			found = line;
		at += n + (at[n] == '\n');
	}
	return found;
}

static int rejected(struct arena *a, const struct run *r, struct err *e)
{
	const char *why = complaint(a, r);

	if (strstr(why, "verification failure") || strstr(why, "digest")) {
		err_help(e, "fetch it anew");
		return err_set(e, -EKEYREJECTED,
			       "it isn't as it was signed: it is damaged, or was changed");
	}
	if (strstr(why, "not yet valid") || strstr(why, "expired")) {
		err_help(e, "look whether this host's clock is right");
		return err_set(e, -EKEYREJECTED, "who signed it isn't trusted today: %s", why);
	}
	if (strstr(why, "certificate") || strstr(why, "signature")) {
		err_help(e, "whom it trusts stands in " BUNDLE_KEYRING
			    "; take the bundle of whoever built the appliance");
		return err_set(e, -EKEYREJECTED,
			       "it is signed by nobody whom this appliance trusts (%s)", why);
	}
	return err_set(e, -EIO, "RAUC refuses it: %s", why);
}

static int take_info(struct arena *a, const struct run *r, struct bundle *ret, struct err *e)
{
	_cleanup_json_ json_object *o = json_parse(str_get(&r->out), r->out.n, e);
	json_object *images = json_list(o, "images");
	const char *compatible = json_text(o, "compatible"), *version = json_text(o, "version");

	if (!o)
		return -EPROTO;
	if (!version_sane(version) || !version_sane(compatible))
		return err_set(e, -EMEDIUMTYPE, "it doesn't say what it is for, or which version");
	if (json_length(images) != 1)
		return err_set(e, -EMEDIUMTYPE, "it has %zu images, where an upgrade has one",
			       json_length(images));
	*ret = (struct bundle){
		.compatible = arena_strdup(a, compatible),
		.version = arena_strdup(a, version),
		.build = arena_strdup(a, json_text(o, "build")),
		.size = (uint64_t)MAX_OF(json_int(json_member(json_object_array_get_idx(images, 0),
							      "system", json_type_object),
						  "size"),
					 (int64_t)0),
	};
	if (!ret->size)
		return err_set(e, -EMEDIUMTYPE, "its image isn't one of a slot");
	return 0;
}

int bundle_read(struct arena *a, const struct slots *s, const char *path, struct bundle *ret,
		struct err *e)
{
	const char *argv[] = {"rauc", "--conf=" CONFIG, "info", "--output-format=json", path, NULL};
	_cleanup_(run_done) struct run r = {0};
	int rc = write_config(s, e);

	if (rc < 0)
		return rc;
	rc = run(argv, &r, e);
	if (rc == -ENOENT)
		err_help(e, "rauc is part of the appliance: is this one?");
	if (rc < 0)
		return rc;
	return rc ? rejected(a, &r, e) : take_info(a, &r, ret, e);
}

struct installing {
	void (*progress)(void *data, unsigned percent, const char *text);
	void *data;
};

/* " 90% Copying image to system.1" */
static void on_line(void *data, const char *line)
{
	const struct installing *i = data;
	unsigned long percent;
	char *end;

	percent = strtoul(line, &end, 10);
	if (end != line && startswith(end, "% ") && percent <= 100)
		i->progress(i->data, (unsigned)percent, end + 2);
}

int bundle_install(const struct slots *s, const char *path,
		   void (*progress)(void *data, unsigned percent, const char *text), void *data,
		   struct err *e)
{
	const char *argv[] = {INSTALL, CONFIG, s->booted, path, NULL};
	struct installing i = {progress, data};
	_cleanup_(run_done) struct run r = {.line = progress ? on_line : NULL, .data = &i};
	_cleanup_arena_ struct arena *a = arena_new();
	int rc = write_config(s, e);

	if (rc < 0)
		return rc;
	rc = run(argv, &r, e);
	if (rc > 0)
		return err_set(e, -EIO, "RAUC couldn't write it: %s", complaint(a, &r));
	return rc;
}

const char *bundle_written(struct arena *a, const char *slot)
{
	static const char key[] = "\nbundle.version=";
	_cleanup_(freep) char *text = NULL;
	const char *at, *end, *found;

	if (file_read(STATUS, OUTPUT_MAX, &text, NULL, NULL) < 0)
		return NULL;
	at = strstr(text, streq(slot, "A") ? "[slot.system.0]" : "[slot.system.1]");
	end = at ? strstr(at, "\n[") : NULL;
	found = at ? strstr(at, key) : NULL;
	if (!found || (end && found > end))
		return NULL;
	found += sizeof(key) - 1;
	return arena_strndup(a, found, strcspn(found, "\n"));
}
