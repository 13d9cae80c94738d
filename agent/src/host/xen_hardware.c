/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A domain's machine in libxl's words: firmware, screen, clock, processors. What is emulated is QEMU's, which libxl
 * starts; only hvm guests have it, and others that have a screen.
 */
#include "host/xen_ctx.h"

#include <cpuid.h>
#include <errno.h>
#include <stdio.h>

#include "base/num.h"
#include "base/str.h"

const char *const xen_baseline_words[] = {"host", "x86-64-v1", "x86-64-v2", "x86-64-v3", NULL};

/* A feature that processors differ in, and the leaf of CPUID that tells it: libxl refuses to change one that this
 * processor lacks. `level` is that of the x86-64 psABI which it belongs to (System V, AMD64 supplement, 3.1.1); 9:
 * none. The names are libxl's (libxl_cpuid.c). Features that only a kernel sees (smep, nx) and those that Xen makes are
 * left alone. */
static const struct {
	const char *name;
	unsigned leaf, subleaf;
	int level;
} features[] = {
	{"sse3", 1, 0, 2}, {"ssse3", 1, 0, 2}, {"sse4.1", 1, 0, 2}, {"sse4.2", 1, 0, 2},
	{"popcnt", 1, 0, 2}, {"cmpxchg16", 1, 0, 2}, {"lahfsahf", 0x80000001, 0, 2},
	{"avx", 1, 0, 3}, {"f16c", 1, 0, 3}, {"fma", 1, 0, 3}, {"movbe", 1, 0, 3}, {"osxsave", 1, 0, 3},
	{"abm", 0x80000001, 0, 3}, {"avx2", 7, 0, 3}, {"bmi1", 7, 0, 3}, {"bmi2", 7, 0, 3},
	{"aesni", 1, 0, 9}, {"pclmulqdq", 1, 0, 9}, {"rdrand", 1, 0, 9}, {"fma4", 0x80000001, 0, 9},
	{"xop", 0x80000001, 0, 9}, {"tbm", 0x80000001, 0, 9}, {"lwp", 0x80000001, 0, 9},
	{"sse4a", 0x80000001, 0, 9}, {"3dnow", 0x80000001, 0, 9}, {"3dnowext", 0x80000001, 0, 9},
	{"3dnowprefetch", 0x80000001, 0, 9}, {"mmxext", 0x80000001, 0, 9}, {"rdseed", 7, 0, 9},
	{"adx", 7, 0, 9}, {"sha", 7, 0, 9}, {"avx512f", 7, 0, 9}, {"avx512dq", 7, 0, 9},
	{"avx512cd", 7, 0, 9}, {"avx512bw", 7, 0, 9}, {"avx512vl", 7, 0, 9}, {"avx512er", 7, 0, 9},
	{"avx512pf", 7, 0, 9}, {"avx512-ifma", 7, 0, 9}, {"avx512-vbmi", 7, 0, 9},
	{"avx512-vbmi2", 7, 0, 9}, {"avx512-vnni", 7, 0, 9}, {"avx512-bitalg", 7, 0, 9},
	{"avx512-vpopcntdq", 7, 0, 9}, {"avx512-4vnniw", 7, 0, 9}, {"avx512-4fmaps", 7, 0, 9},
	{"avx512-vp2intersect", 7, 0, 9}, {"avx512-fp16", 7, 0, 9}, {"avx512-bf16", 7, 1, 9},
	{"avx-vnni", 7, 1, 9}, {"vaes", 7, 0, 9}, {"vpclmulqdq", 7, 0, 9}, {"gfni", 7, 0, 9},
	{"clwb", 7, 0, 9}, {"clflushopt", 7, 0, 9}, {"invpcid", 7, 0, 9}, {"erms", 7, 0, 9},
	{"fsrm", 7, 0, 9}, {"fsgsbase", 7, 0, 9}, {"rdpid", 7, 0, 9}, {"movdiri", 7, 0, 9},
	{"movdir64b", 7, 0, 9}, {"serialize", 7, 0, 9}, {"cldemote", 7, 0, 9}, {"umip", 7, 0, 9},
	{"pku", 7, 0, 9}, {"hle", 7, 0, 9}, {"rtm", 7, 0, 9}, {"xsaveopt", 0xd, 1, 9},
	{"xsavec", 0xd, 1, 9}, {"xgetbv1", 0xd, 1, 9}, {"xsaves", 0xd, 1, 9},
	{"clzero", 0x80000008, 0, 9}, {"wbnoinvd", 0x80000008, 0, 9},
};

static bool has_leaf(unsigned leaf, unsigned subleaf)
{
	unsigned a = 0, b, c, d;

	if (__get_cpuid_max(leaf & 0x80000000, NULL) < leaf)
		return false;
	if (leaf == 7 && subleaf) {
		__cpuid_count(7, 0, a, b, c, d);
		return subleaf <= a;
	}
	return true;
}

static int clear(libxl_cpuid_policy_list *list, const char *name)
{
	_cleanup_(freep) char *text = xasprintf("%s=0", name);

	return libxl_cpuid_parse_config(list, text);
}

bool xen_cpu_feature_ok(const char *name)
{
	libxl_cpuid_policy_list list = NULL;
	bool ok = true;

	for (const char *s = name; *s; s++)
		ok &= (*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') || strchr("-_.", *s);
	/* Numbers of libxl's list that aren't features take other values. */
	ok = ok && *name && clear(&list, name) == 0 && !streq(name, "family") &&
	     !streq(name, "model") && !streq(name, "stepping");
	libxl_cpuid_dispose(&list);
	return ok;
}

/* What this processor can't have anyway needs no hiding. */
static int hide(libxl_cpuid_policy_list *list, const char *name, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		if (streq(features[i].name, name) &&
		    !has_leaf(features[i].leaf, features[i].subleaf))
			return 0;
	if (clear(list, name))
		return err_set(e, -EINVAL, "libxl knows no processor feature '%s'", name);
	return 0;
}

static int configure_cpuid(const struct xen_hardware *h, libxl_domain_build_info *b, struct err *e)
{
	int level = h->baseline == XEN_BASELINE_HOST ? 9 : h->baseline, r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(features); i++)
		if (features[i].level > level && !list_has(&h->show, features[i].name))
			r = hide(&b->cpuid, features[i].name, e);
	for (size_t i = 0; r == 0 && i < h->hide.n; i++)
		r = hide(&b->cpuid, h->hide.items[i], e);
	if (r < 0)
		err_at(e, "cpu");
	return r;
}

/* --- processors --- */

/* Of canonical text, "0,2-3". */
static int fill_bitmap(libxl_bitmap *map, const char *text, int most, const char *what,
		       struct err *e)
{
	while (*text) {
		char *end;
		long a = strtol(text, &end, 10), b = a;

		if (*end == '-')
			b = strtol(end + 1, &end, 10);
		if (b >= most)
			return err_set(e, -ERANGE, "this host has no %s %ld: they are 0 to %d",
				       what, b, most - 1);
		for (; a <= b; a++)
			libxl_bitmap_set(map, (int)a);
		text = *end == ',' ? end + 1 : end;
	}
	return 0;
}

static int cpus_of(struct xen_ctx *x, const char *text, libxl_bitmap *ret, struct err *e)
{
	int n = libxl_get_online_cpus(x->xl), r = 0;

	libxl_bitmap_init(ret);
	if (n <= 0 || libxl_cpu_bitmap_alloc(x->xl, ret, 0))
		r = err_set(e, -EIO, "Xen doesn't say how many processors there are");
	else if (text)
		r = fill_bitmap(ret, text, n, "processor", e);
	else
		libxl_bitmap_set_any(ret);
	if (r < 0)
		err_at(e, "cpus");
	return r;
}

static int configure_cpus(struct xen_ctx *x, const struct xen_hardware *h,
			  libxl_domain_build_info *b, struct err *e)
{
	libxl_bitmap map;
	int r = 0, nodes = 0;

	if (h->nodes) {
		libxl_numainfo *info = libxl_get_numainfo(x->xl, &nodes);

		if (info)
			libxl_numainfo_list_free(info, nodes);
		if (libxl_node_bitmap_alloc(x->xl, &b->nodemap, 0))
			return err_set(e, -EIO, "Xen doesn't say what NUMA nodes there are");
		r = fill_bitmap(&b->nodemap, h->nodes, nodes, "NUMA node", e);
		if (r < 0)
			err_at(e, "nodes");
		libxl_defbool_set(&b->numa_placement, false);
	}
	if (r < 0 || (!h->cpus && !h->nodes))
		return r;
	r = cpus_of(x, h->cpus, &map, e);
	if (r == 0 && h->nodes && !h->cpus && libxl_nodemap_to_cpumap(x->xl, &b->nodemap, &map))
		r = err_set(e, -EIO, "Xen doesn't say which processors those nodes have");
	if (r == 0) {
		libxl_defbool_set(&b->numa_placement, false);
		b->num_vcpu_hard_affinity = b->max_vcpus;
		b->vcpu_hard_affinity =
			xcalloc((size_t)b->max_vcpus, sizeof(*b->vcpu_hard_affinity));
		for (int i = 0; i < b->max_vcpus; i++) {
			libxl_bitmap_init(&b->vcpu_hard_affinity[i]);
			libxl_cpu_bitmap_alloc(x->xl, &b->vcpu_hard_affinity[i], 0);
			libxl_bitmap_copy(x->xl, &b->vcpu_hard_affinity[i], &map);
		}
	}
	libxl_bitmap_dispose(&map);
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

/* --- screen, sound of keys, clock --- */

static void fill_vnc(const struct xen_hardware *h, libxl_vnc_info *v)
{
	libxl_defbool_set(&v->enable, h->vnc);
	if (!h->vnc)
		return;
	v->listen = xstrdup(h->vnc_address);
	libxl_defbool_set(&v->findunused, h->vnc_display < 0);
	v->display = (int)MAX_OF(h->vnc_display, 0);
	if (h->vnc_password)
		v->passwd = xstrdup(h->vnc_password);
}

/* A screen without a machine: Xen's own frame buffer and keyboard. */
static void add_frame_buffer(const struct xen_hardware *h, libxl_domain_config *c)
{
	c->vfbs = xcalloc(1, sizeof(*c->vfbs));
	c->vkbs = xcalloc(1, sizeof(*c->vkbs));
	c->num_vfbs = c->num_vkbs = 1;
	libxl_device_vfb_init(c->vfbs);
	libxl_device_vkb_init(c->vkbs);
	fill_vnc(h, &c->vfbs->vnc);
	if (h->keymap)
		c->vfbs->keymap = xstrdup(h->keymap);
}

static char **strings(const char *const *from)
{
	size_t n = 0;
	char **list;

	while (from[n])
		n++;
	list = xcalloc(n + 1, sizeof(*list));
	for (size_t i = 0; i < n; i++)
		list[i] = xstrdup(from[i]);
	return list;
}

/* Of libxl's enums' own names, which are the manifest's. */
static int clock_words(const struct xen_hardware *h, libxl_domain_build_info *b, struct err *e)
{
	if (libxl_tsc_mode_from_string(h->tsc, &b->tsc_mode) ||
	    (h->timer && libxl_timer_mode_from_string(h->timer, &b->timer_mode))) {
		err_at(e, "clock");
		return err_set(e, -EINVAL, "libxl knows no such clock");
	}
	return 0;
}

static void configure_hvm(const struct xen_hardware *h, libxl_domain_build_info *b)
{
	static const char *const rng[] = {"-object",
					  "rng-random,id=manor-rng,filename=/dev/urandom",
					  "-device", "virtio-rng-pci,rng=manor-rng", NULL};

	b->device_model_version = LIBXL_DEVICE_MODEL_VERSION_QEMU_XEN;
	b->u.hvm.bios = h->ovmf ? LIBXL_BIOS_TYPE_OVMF : LIBXL_BIOS_TYPE_SEABIOS;
	b->u.hvm.boot = xstrdup(h->boot);
	b->u.hvm.vga.kind = streq(h->vga, "none")     ? LIBXL_VGA_INTERFACE_TYPE_NONE
			    : streq(h->vga, "cirrus") ? LIBXL_VGA_INTERFACE_TYPE_CIRRUS
						      : LIBXL_VGA_INTERFACE_TYPE_STD;
	libxl_defbool_set(&b->u.hvm.nographic, streq(h->vga, "none") && !h->vnc);
	libxl_defbool_set(&b->u.hvm.hpet, h->hpet);
	if (h->serial)
		b->u.hvm.serial = xstrdup("pty");
	fill_vnc(h, &b->u.hvm.vnc);
	if (h->keymap)
		b->u.hvm.keymap = xstrdup(h->keymap);
	if (h->usb.n) {
		libxl_defbool_set(&b->u.hvm.usb, true);
		b->u.hvm.usbdevice_list = xcalloc(h->usb.n + 1, sizeof(char *));
		for (size_t i = 0; i < h->usb.n; i++)
			b->u.hvm.usbdevice_list[i] = xstrdup(h->usb.items[i]);
	}
	if (h->rng)
		b->extra_hvm = strings(rng);
}

int xen_hardware_config(struct xen_ctx *x, const struct xen_domain *d, libxl_domain_config *c,
			struct err *e)
{
	const struct xen_hardware *h = d->hardware;
	int r = clock_words(h, &c->b_info, e);

	if (r == 0)
		r = configure_cpuid(h, &c->b_info, e);
	if (r == 0)
		r = configure_cpus(x, h, &c->b_info, e);
	if (r < 0)
		return r;
	libxl_defbool_set(&c->b_info.localtime, h->localtime);
	c->b_info.rtc_timeoffset = (uint32_t)h->rtc_offset;
	c->b_info.sched_params.weight = (int)h->weight;
	c->b_info.sched_params.cap = (int)h->cap;
	if (d->type == XEN_HVM)
		configure_hvm(h, &c->b_info);
	else if (h->vnc)
		add_frame_buffer(h, c);
	return 0;
}
