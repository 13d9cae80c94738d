/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Which processors there are, which of them a domain runs on and what share of them it has: what is Xen's own, to be
 * read and changed at any time. And what else of this host a domain's configuration depends on.
 */
#include "host/xen_ctx.h"

#include <cpuid.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/num.h"
#include "base/str.h"

#define HOTPLUG MANOR_LIB "/hotplug"

const char *xen_hotplug(void)
{
	return access(HOTPLUG, X_OK) == 0 ? HOTPLUG : NULL;
}

static int64_t bytes_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

void xen_logs_read(const char *name, struct xen_logs *ret)
{
	_cleanup_(freep) char *console = xasprintf(XEN_CONSOLE_LOG, name);
	_cleanup_(freep) char *serial = xasprintf(XEN_SERIAL_LOG, name);

	ret->console = bytes_of(console);
	ret->serial = bytes_of(serial);
}

/* Where QEMU can't write its log it doesn't start. */
static bool logs(void)
{
	mkdir("/var/log/xen", 0755);
	mkdir(XEN_LOGS, 0755);
	return access(XEN_LOGS, W_OK | X_OK) == 0;
}

static unsigned leaf_7_max(unsigned leaf_max)
{
	unsigned a = 0, b, c, d;

	if (leaf_max >= 7)
		__cpuid_count(7, 0, a, b, c, d);
	return a;
}

/* Which node each of *ret_n processors belongs to, -1: to none; caller frees. */
static int *nodes_of_cpus(struct xen_ctx *x, int *ret_n)
{
	libxl_cputopology *list = libxl_get_cpu_topology(x->xl, ret_n);
	int *node_of;

	if (!list)
		return NULL;
	node_of = xcalloc((size_t)MAX_OF(*ret_n, 1), sizeof(*node_of));
	for (int i = 0; i < *ret_n; i++)
		node_of[i] =
			list[i].node == LIBXL_CPUTOPOLOGY_INVALID_ENTRY ? -1 : (int)list[i].node;
	libxl_cputopology_list_free(list, *ret_n);
	return node_of;
}

static int read_nodes(struct xen_ctx *x, struct xen_place *p, struct err *e)
{
	libxl_numainfo *list = libxl_get_numainfo(x->xl, &p->nodes);
	int n = 0;

	if (list)
		libxl_numainfo_list_free(list, p->nodes);
	p->node_of = list ? nodes_of_cpus(x, &n) : NULL;
	/* All that there may be, online or not. */
	p->cpus = MAX_OF(n, p->cpus);
	if (p->node_of)
		return 0;
	err_at(e, "nodes");
	return err_set(e, -EIO, "Xen doesn't say what NUMA nodes there are");
}

int xen_place_read(struct xen_ctx *x, const struct xen_domain *d, struct xen_place *ret,
		   struct err *e)
{
	const struct xen_hardware *h = d->hardware;

	*ret = (struct xen_place){
		.hotplug = xen_hotplug(),
		.now = time(NULL),
		.logs = logs(),
		.leaf_max = __get_cpuid_max(0, NULL),
		.leaf_extended_max = __get_cpuid_max(0x80000000, NULL),
	};
	xen_logs_read(d->name, &ret->before);
	ret->leaf_7_max = leaf_7_max(ret->leaf_max);
	if (!h->cpus && !h->nodes)
		return 0;
	ret->cpus = libxl_get_online_cpus(x->xl);
	ret->cpus_max = libxl_get_max_cpus(x->xl);
	if (ret->cpus <= 0 || ret->cpus_max < ret->cpus) {
		err_at(e, "cpus");
		return err_set(e, -EIO, "Xen doesn't say how many processors there are");
	}
	return h->nodes ? read_nodes(x, ret, e) : 0;
}

void xen_place_done(struct xen_place *p)
{
	free(p->node_of);
	p->node_of = NULL;
}

static int cpus_of(struct xen_ctx *x, const char *text, libxl_bitmap *ret, struct err *e)
{
	int n = libxl_get_online_cpus(x->xl), r = 0;

	libxl_bitmap_init(ret);
	if (n <= 0 || libxl_cpu_bitmap_alloc(x->xl, ret, 0))
		r = err_set(e, -EIO, "Xen doesn't say how many processors there are");
	else if (text)
		r = xen_bitmap_fill(ret, text, n, "processor", e);
	else
		libxl_bitmap_set_any(ret);
	if (r < 0)
		err_at(e, "cpus");
	return r;
}

int xen_set_cpus(int64_t domid, const char *cpus, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	libxl_dominfo info;
	libxl_bitmap map;
	int r = xen_open_domain(&x, domid, &info, e);

	if (r < 0)
		return r;
	r = cpus_of(&x, streq(cpus, "all") ? NULL : cpus, &map, e);
	if (r == 0) {
		int rc = libxl_set_vcpuaffinity_all(x.xl, (uint32_t)domid,
						    (unsigned)xen_max_vcpus(&info), &map, NULL);

		if (rc) {
			err_at(e, "cpus");
			r = xen_fail(&x, e, -EIO, rc, "pin its vcpus");
		}
	}
	libxl_bitmap_dispose(&map);
	return r;
}

int xen_set_scheduler(int64_t domid, int64_t weight, int64_t cap, struct err *e)
{
	_cleanup_xen_ struct xen_ctx x;
	libxl_domain_sched_params p;
	int rc, r = xen_ctx_open(&x, e);

	if (r < 0)
		return r;
	libxl_domain_sched_params_init(&p);
	p.weight = (int)weight;
	p.cap = (int)cap;
	rc = libxl_domain_sched_params_set(x.xl, (uint32_t)domid, &p);
	libxl_domain_sched_params_dispose(&p);
	if (rc == 0)
		return 0;
	err_at(e, "scheduler");
	return xen_fail(&x, e, -EIO, rc, "set its share of the processors");
}

void xen_read_shares(struct xen_ctx *x, struct arena *a, struct xen_domain *d)
{
	libxl_domain_sched_params p;
	int n = 0, cpus = 0;
	libxl_vcpuinfo *v = libxl_list_vcpu(x->xl, (uint32_t)d->domid, &n, &cpus);

	/* That they are pinned to different ones is nobody's of ours: a word for it is no list of them. */
	for (int i = 0; v && i < n; i++) {
		_cleanup_(freep) bool *set = xcalloc((size_t)MAX_OF(cpus, 1), sizeof(*set));
		const char *text = "all";
		bool all = true;

		for (int k = 0; k < cpus; k++) {
			set[k] = libxl_bitmap_test(&v[i].cpumap, k);
			all &= set[k];
		}
		if (!all)
			text = num_ranges(a, set, (size_t)cpus);
		if (d->cpus && !streq(d->cpus, text)) {
			d->cpus = "differently";
			break;
		}
		d->cpus = text;
	}
	if (v)
		libxl_vcpuinfo_list_free(v, n);
	libxl_domain_sched_params_init(&p);
	if (libxl_domain_sched_params_get(x->xl, (uint32_t)d->domid, &p) == 0 && p.weight > 0) {
		d->weight = p.weight;
		d->cap = MAX_OF(p.cap, 0);
	}
	libxl_domain_sched_params_dispose(&p);
	x->log.n = 0; /* a scheduler that knows neither weight nor cap is no error */
}
