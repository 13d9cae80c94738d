/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Running qemu-img.
 */
#include "host/image_convert.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "host/program.h"

#define OUTPUT_MAX (1u << 20)
#define MEMORY_MAX                                                                                 \
	(UINT64_C(2) << 30) /* address space: an image's tables are a stranger's numbers */
#define CHECK_LEAKS 3
#define INFO_S      30u /* of the processor's time */

const char *convert_program = "qemu-img";

/* QEMU's names. */
static const char *driver(enum image_format f)
{
	return f == IMAGE_QCOW2  ? "qcow2"
	       : f == IMAGE_VMDK ? "vmdk"
	       : f == IMAGE_VHD  ? "vpc"
				 : "vhdx";
}

static void child(char *const *argv, int fd, const int out[2], const int err[2], pid_t parent)
{
	struct rlimit memory = {MEMORY_MAX, MEMORY_MAX}, time = {INFO_S, INFO_S};
	sigset_t none;

	/* Nobody else ends it when we are killed, and it would go on writing. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setrlimit(RLIMIT_AS, &memory);
	if (streq(argv[1], "info"))
		setrlimit(RLIMIT_CPU, &time);
	dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
	dup2(out[1], 1);
	dup2(err[1], 2);
	if (fd != 3)
		dup2(fd, 3); /* the image; without close-on-exec */
	else
		fcntl(3, F_SETFD, 0);
	execvp(argv[0], argv);
	_exit(errno == ENOENT ? 127 : 126);
}

/* `fine`: another status than 0 that means well; 0: none. */
static int run(char *const *argv, int fd, int fine, struct str *said, struct err *e)
{
	_cleanup_str_ struct str wrong = {0};
	int out[2], err[2], status = 0, r = program_pipes(out, err, e);
	const char *why;
	pid_t pid, self = getpid();

	if (r < 0)
		return r;
	pid = fork();
	if (pid == 0)
		child(argv, fd, out, err, self);
	close(out[1]);
	close(err[1]);
	if (pid > 0)
		program_hear(out[0], err[0], OUTPUT_MAX, said, &wrong, NULL, NULL);
	close(out[0]);
	close(err[0]);
	if (pid < 0)
		return err_errno(e, -EAGAIN, "start %s", argv[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == fine))
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
		err_help(e, "apt install qemu-utils; or offer the image as a raw one, compressed");
		return err_set(e, -ENOPKG, "to convert it, qemu-img must be installed");
	}
	why = str_get(&wrong);
	if (strstr(why, "}': ") && strstr(why, "}': ") < why + strcspn(why, "\n"))
		why = strstr(why, "}': ") + 4; /* behind the words it was called with */
	else if (startswith(why, "qemu-img: "))
		why += strlen("qemu-img: ");
	if (strstr(why, "No space left"))
		return err_set(e, -ENOSPC, "convert: %.*s", (int)strcspn(why, "\n"), why);
	if (!*why)
		why = WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "it says nothing";
	return err_set(e, -EILSEQ, "qemu-img can't read it: %.*s", (int)strcspn(why, "\n"), why);
}

/* Names the format and the one file; what an image says of backing files isn't looked at. */
static char *source(enum image_format f)
{
	return xasprintf("json:{\"driver\":\"%s\",\"backing\":null,\"file\":"
			 "{\"driver\":\"file\",\"filename\":\"/dev/fd/3\",\"locking\":\"off\"}}",
			 driver(f));
}

/* What qemu-img says of other files. The header was looked at already (format_alone). */
static int alone(json_object *info, struct err *e)
{
	json_object *specific = json_member(info, "format-specific", json_type_object), *data, *x;

	data = specific ? json_member(specific, "data", json_type_object) : NULL;
	if (json_text(info, "backing-filename") || (data && json_text(data, "data-file")))
		return err_set(e, -EILSEQ, "it has a backing file, or its data elsewhere");
	x = data ? json_list(data, "extents") : NULL;
	if (x && json_length(x) > 1)
		return err_set(e, -EILSEQ, "it is made of several files");
	return 0;
}

int convert_ready(struct err *e)
{
	char *argv[] = {(char *)convert_program, (char *)"--version", NULL};
	_cleanup_str_ struct str said = {0};

	return run(argv, STDERR_FILENO, 0, &said, e);
}

/* QEMU reads zeros where an image was cut off; so whether it is whole is asked for. */
static int whole(int fd, enum image_format f, struct err *e)
{
	_cleanup_(freep) char *image = source(f);
	char *argv[] = {(char *)convert_program, (char *)"check", (char *)"-q", image, NULL};
	_cleanup_str_ struct str said = {0};
	char foot[512] = "";
	struct stat st;

	if (f != IMAGE_VHD) /* clusters that nothing refers to (3) are a waste and no more */
		return f == IMAGE_VHDX ? 0 : run(argv, fd, CHECK_LEAKS, &said, e);
	/* Of these it checks nothing. They end with what dynamic ones also begin with. */
	if (fstat(fd, &st) < 0 || st.st_size < 512 ||
	    pread(fd, foot, sizeof(foot), (off_t)st.st_size - 512) != 512)
		return err_errno(e, -EIO, "read the image");
	if (memcmp(foot, "conectix", 8) != 0 && memcmp(foot + 1, "conectix", 8) != 0)
		return err_set(e, -EILSEQ, "it is a VHD image without its end");
	return 0;
}

int convert_size(int fd, enum image_format f, uint64_t *ret, struct err *e)
{
	_cleanup_(freep) char *image = source(f);
	char *argv[] = {(char *)convert_program, (char *)"info", (char *)"--output=json", image,
			NULL};
	_cleanup_str_ struct str said = {0};
	json_object *info;
	int64_t size;
	int r = run(argv, fd, 0, &said, e);

	if (r < 0)
		return r;
	info = json_parse(str_get(&said), said.n, e);
	if (!info)
		return -EILSEQ;
	r = alone(info, e);
	size = json_int(info, "virtual-size");
	json_object_put(info);
	if (r == 0 && size <= 0)
		r = err_set(e, -EILSEQ, "it holds a disk of no bytes");
	if (r == 0)
		r = whole(fd, f, e);
	if (r == 0)
		*ret = (uint64_t)size;
	return r;
}

int convert_write(int fd, enum image_format f, const char *target, uint64_t size, struct err *e)
{
	_cleanup_(freep) char *image = source(f);
	/* -S: zeros are looked for in pieces of a thin volume's chunk, or of a file's block. */
	char *argv[] = {(char *)convert_program,
			(char *)"convert",
			(char *)"-n",
			(char *)"--target-is-zero",
			(char *)"-S",
			(char *)"64k",
			(char *)"-O",
			(char *)"raw",
			image,
			(char *)target,
			NULL};
	_cleanup_str_ struct str said = {0};
	_cleanup_(closep) int to = open(target, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	int r;

	if (to < 0 || fstat(to, &st) < 0)
		return err_errno(e, -errno, "open %s", target);
	if (S_ISREG(st.st_mode)) {
		argv[5] = (char *)"4k";
		if (ftruncate(to, (off_t)size) < 0)
			return err_errno(e, -errno, "set the size of %s", target);
	}
	r = run(argv, fd, 0, &said, e);
	if (r == 0 && fsync(to) < 0)
		r = err_errno(e, -errno, "write %s", target);
	return r;
}

int convert_scratch(const char *dir, int *ret, char path[32], struct err *e)
{
	_cleanup_(freep) char *name = xasprintf("%s/scratch.XXXXXX", dir);
	int r = file_mkdirs(dir, 0755, e);

	if (r < 0)
		return r;
	*ret = mkostemp(name, O_CLOEXEC);
	if (*ret < 0)
		return err_errno(e, -errno, "create a file in %s", dir);
	unlink(name);
	snprintf(path, 32, "/proc/self/fd/%d", *ret);
	return 0;
}
