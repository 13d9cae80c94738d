/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * PCI devices for guests: taken from dom0's driver and given back (libxl's "assignable"), and what a domain has of
 * them. Who had a device before stands in a mark of ours before anything is done, for libxl notes it only afterwards.
 */
#include "host/xen_ctx.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

#include "host/pci.h"

#define DEVICES_MAX 256 /* of one domain, and marks: what is read of xenstore at most */
#define ADDRESS     12  /* bytes of "0000:00:0a.0" */
#define MARKS       "/local/domain/0/manor/pci"
#define SYS_DRIVERS "/sys/bus/pci/drivers"
#define SYS_BACKEND SYS_DRIVERS "/" PCI_BACKEND

extern char **environ;

/* xenstore's names have neither colon nor dot. */
static void key_of(const char *address, char ret[ADDRESS + 1])
{
	snprintf(ret, ADDRESS + 1, "%s", address);
	for (char *s = ret; *s; s++)
		if (*s == ':' || *s == '.')
			*s = '-';
}

static bool address_of(const char *key, char ret[ADDRESS + 1])
{
	if (strlen(key) != ADDRESS)
		return false;
	snprintf(ret, ADDRESS + 1, "%.4s:%.2s:%.2s.%s", key, key + 5, key + 8, key + 11);
	return pci_is_address(ret);
}

/* --- reading --- */

void xen_read_pci(struct xen_ctx *x, struct arena *a, struct xen_domain *d)
{
	int domid = (int)d->domid;
	int64_t n = xen_get_int(x, 0, "/local/domain/0/backend/pci/%d/0/num_devs", domid);

	for (int i = 0; i < MIN_OF(n, (int64_t)DEVICES_MAX); i++) {
		_cleanup_(freep) char *address =
			xen_get(x, "/local/domain/0/backend/pci/%d/0/dev-%d", domid, i);
		_cleanup_(freep) char *options =
			xen_get(x, "/local/domain/0/backend/pci/%d/0/opts-%d", domid, i);
		struct xen_pci *p;

		if (!address || !pci_is_address(address))
			continue;
		p = arena_alloc(a, sizeof(*p));
		p->address = arena_strdup(a, address);
		p->permissive = options && strstr(options, "permissive=1");
		list_add(a, &d->pci, p);
	}
}

/* "UUID DRIVER", or "UUID" where it had none. */
void xen_read_pci_marks(struct xen_ctx *x, struct arena *a, struct xen_facts *ret)
{
	unsigned n;
	_cleanup_(freep) char **keys = xen_dir(x, &n, MARKS);

	for (unsigned i = 0; keys && i < MIN_OF(n, (unsigned)DEVICES_MAX); i++) {
		_cleanup_(freep) char *text = xen_get(x, MARKS "/%s", keys[i]);
		char address[ADDRESS + 1], *driver;
		struct xen_pci_mark *m;

		if (!text || !address_of(keys[i], address))
			continue;
		driver = strchr(text, ' ');
		if (driver)
			*driver++ = '\0';
		m = arena_alloc(a, sizeof(*m));
		m->address = arena_strdup(a, address);
		m->uuid = arena_strdup(a, text);
		m->driver =
			driver && *driver && !strchr(driver, '/') ? arena_strdup(a, driver) : NULL;
		list_add(a, &ret->pci_marks, m);
	}
}

static bool has_driver(const char *address, const char *driver)
{
	_cleanup_arena_ struct arena *a = arena_new();
	const char *now = pci_driver(a, address);

	return now ? driver && strcmp(now, driver) == 0 : !driver;
}

/* --- to be given, and back --- */

/* The address into a file of a driver's: "bind", "unbind". */
static int tell(const char *driver, const char *file, const char *address, struct err *e)
{
	_cleanup_(freep) char *path = xasprintf(SYS_DRIVERS "/%s/%s", driver, file);
	_cleanup_(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(e, -errno, "open %s", path);
	if (write(fd, address, ADDRESS) < 0)
		return err_errno(e, -errno, "write %s to %s", address, path);
	return 0;
}

/* Asked for before libxl is there, which waits for children of its own. */
static int load_backend(struct err *e)
{
	static const char *const argv[] = {"modprobe", "xen-pciback", NULL};
	int status = 0, r;
	pid_t pid;

	if (access(SYS_BACKEND, F_OK) == 0)
		return 0;
	r = posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)argv, environ);
	if (r == 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	if (access(SYS_BACKEND, F_OK) == 0)
		return 0;
	err_help(e, "it is in Debian's kernels as a module; this dom0's needs "
		    "CONFIG_XEN_PCIDEV_BACKEND");
	if (r)
		return err_errno(e, -r, "modprobe xen-pciback");
	return err_set(e, -ENODEV,
		       "dom0's kernel has no driver to give PCI devices to guests with "
		       "(modprobe xen-pciback ended with %d)",
		       WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static int mark(struct xen_ctx *x, const char *address, const char *uuid, const char *driver,
		struct err *e)
{
	_cleanup_(freep) char *text =
		xasprintf("%s%s%s", uuid, driver ? " " : "", driver ? driver : "");
	char key[ADDRESS + 1];

	key_of(address, key);
	return xen_put(x, e, text, MARKS "/%s", key);
}

static int unmark(struct xen_ctx *x, const char *address, struct err *e)
{
	char key[ADDRESS + 1], path[sizeof(MARKS) + 1 + ADDRESS + 1];

	key_of(address, key);
	snprintf(path, sizeof(path), MARKS "/%s", key);
	if (!xs_rm(x->xs, XBT_NULL, path) && errno != ENOENT)
		return err_errno(e, -errno, "remove %s from xenstore", path);
	return 0;
}

/* libxl gives up where Xen hadn't been told of the device yet: then the kernel is told by us. */
static int give_back(struct xen_ctx *x, const char *address, const char *driver, struct err *e)
{
	libxl_device_pci pci;
	int r = 0;

	xen_pci_device(address, &pci);
	if (has_driver(address, PCI_BACKEND)) {
		libxl_device_pci_assignable_remove(x->xl, &pci, 1);
		x->log.n = 0;
	}
	libxl_device_pci_dispose(&pci);
	if (has_driver(address, PCI_BACKEND)) {
		r = tell(PCI_BACKEND, "unbind", address, e);
		if (r < 0)
			return r;
		tell(PCI_BACKEND, "remove_slot", address, NULL);
	}
	if (driver && !has_driver(address, driver)) {
		r = tell(driver, "bind", address, e);
		if (r < 0)
			err_wrap(e, "dom0's driver %s doesn't take it back", driver);
	}
	return r;
}

int xen_pci_add(const char *address, const char *uuid, const char *driver, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x = {0};
	libxl_device_pci pci;
	int rc, r = load_backend(e);

	if (r == 0)
		r = xen_ctx_open(&x, e);
	if (r == 0)
		r = mark(&x, address, uuid, driver, e);
	if (r < 0)
		return r;
	xen_pci_device(address, &pci);
	rc = libxl_device_pci_assignable_add(x.xl, &pci, 1);
	libxl_device_pci_dispose(&pci);
	if (rc == 0 && has_driver(address, PCI_BACKEND))
		return 0;
	r = xen_fail(&x, e, -EIO, rc ? rc : ERROR_FAIL, "it could not be made assignable");
	/* The first error is the one to tell. Where dom0 can't have it back either the mark stays, and
	 * the next apply goes on with it. */
	if (give_back(&x, address, driver, NULL) == 0)
		unmark(&x, address, NULL);
	return r;
}

/* The domain that libxl gave it to; 0: none. What a domain that is gone left there is swept, or nobody could have the
 * device any more. */
static int64_t holder(struct xen_ctx *x, const char *address)
{
	char key[ADDRESS + 1], path[64];
	libxl_dominfo info;
	int64_t domid;

	key_of(address, key);
	domid = xen_get_int(x, 0, "/libxl/pci/%s/domid", key);
	if (domid <= 0 || xen_info(x, domid, &info, NULL) != -ENOENT)
		return MAX_OF(domid, (int64_t)0);
	snprintf(path, sizeof(path), "/libxl/pci/%s/domid", key);
	xs_rm(x->xs, XBT_NULL, path);
	return 0;
}

int xen_pci_remove(const char *address, const char *driver, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x = {0};
	int64_t domid;
	int r = xen_ctx_open(&x, e);

	if (r < 0)
		return r;
	domid = holder(&x, address);
	if (domid)
		return err_set(e, -EBUSY, "domain %lld has it still", (long long)domid);
	r = give_back(&x, address, driver, e);
	return r < 0 ? r : unmark(&x, address, e);
}

/* --- for a domain that is made --- */

/* What a guest had leave to write stays so in the kernel until the device is bound anew, and would be the next one's. */
static int forget_leave(const char *address, struct err *e)
{
	_cleanup_(freep) char *line = NULL;
	FILE *f = fopen(SYS_BACKEND "/permissive", "re");
	bool has = false;
	size_t size = 0;
	int r;

	while (f && getline(&line, &size, f) > 0)
		has |= startswith(line, address);
	if (f)
		fclose(f);
	if (!has)
		return 0;
	r = tell(PCI_BACKEND, "unbind", address, e);
	return r < 0 ? r : tell(PCI_BACKEND, "bind", address, e);
}

int xen_pci_check(struct xen_ctx *x, const struct xen_domain *d, struct err *e)
{
	for (size_t i = 0; i < d->pci.n; i++) {
		const struct xen_pci *p = d->pci.items[i];
		int64_t domid = x ? holder(x, p->address) : 0;
		int r = 0;

		if (!has_driver(p->address, PCI_BACKEND))
			r = err_set(e, -ENOENT, "PCI device %s isn't assignable any more",
				    p->address);
		else if (domid)
			r = err_set(e, -EBUSY, "domain %lld has PCI device %s", (long long)domid,
				    p->address);
		else if (x && !p->permissive)
			r = forget_leave(p->address, e);
		if (r < 0) {
			err_at(e, "pci.%s", p->label);
			return r;
		}
	}
	return 0;
}
