/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A domain's machine in libxl's words: firmware, screen, clock, processors. What is emulated is QEMU's, which libxl
 * starts; only hvm guests have it, and others that have a screen.
 */
#include "host/xen_config.h"

#include <errno.h>
#include <stdio.h>

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

static bool has_leaf(const struct xen_place *p, unsigned leaf, unsigned subleaf)
{
	if (leaf & 0x80000000)
		return leaf <= p->leaf_extended_max;
	return leaf <= p->leaf_max && (leaf != 7 || subleaf <= p->leaf_7_max);
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
static int hide(const struct xen_place *p, libxl_cpuid_policy_list *list, const char *name,
		struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		if (streq(features[i].name, name) &&
		    !has_leaf(p, features[i].leaf, features[i].subleaf))
			return 0;
	if (clear(list, name))
		return err_set(e, -EINVAL, "libxl knows no processor feature '%s'", name);
	return 0;
}

static int configure_cpuid(const struct xen_hardware *h, const struct xen_place *p,
			   libxl_domain_build_info *b, struct err *e)
{
	int level = h->baseline == XEN_BASELINE_HOST ? 9 : h->baseline, r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(features); i++)
		if (features[i].level > level && !list_has(&h->show, features[i].name))
			r = hide(p, &b->cpuid, features[i].name, e);
	for (size_t i = 0; r == 0 && i < h->hide.n; i++)
		r = hide(p, &b->cpuid, h->hide.items[i], e);
	if (r < 0)
		err_at(e, "cpu");
	return r;
}

/* --- processors --- */

void xen_bitmap_make(libxl_bitmap *ret, int n)
{
	libxl_bitmap_init(ret);
	ret->size = ((uint32_t)MAX_OF(n, 1) + 7) / 8;
	ret->map = xcalloc(ret->size, 1);
}

int xen_bitmap_fill(libxl_bitmap *map, const char *text, int most, const char *what, struct err *e)
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

/* Those that are named, else those of the nodes. */
static int cpus_of(const struct xen_hardware *h, const struct xen_place *p,
		   const libxl_bitmap *nodes, libxl_bitmap *ret, struct err *e)
{
	int r;

	xen_bitmap_make(ret, p->cpus_max);
	if (h->cpus) {
		r = xen_bitmap_fill(ret, h->cpus, p->cpus, "processor", e);
		if (r < 0)
			err_at(e, "cpus");
		return r;
	}
	for (int i = 0; i < p->cpus; i++)
		if (p->node_of[i] >= 0 && libxl_bitmap_test(nodes, p->node_of[i]))
			libxl_bitmap_set(ret, i);
	return 0;
}

static int configure_cpus(const struct xen_hardware *h, const struct xen_place *p,
			  libxl_domain_build_info *b, struct err *e)
{
	libxl_bitmap map;
	int r = 0;

	if (!h->cpus && !h->nodes)
		return 0;
	libxl_defbool_set(&b->numa_placement, false);
	if (h->nodes) {
		xen_bitmap_make(&b->nodemap, p->nodes);
		r = xen_bitmap_fill(&b->nodemap, h->nodes, p->nodes, "NUMA node", e);
		if (r < 0)
			err_at(e, "nodes");
	}
	if (r < 0)
		return r;
	r = cpus_of(h, p, &b->nodemap, &map, e);
	if (r == 0) {
		b->vcpu_hard_affinity =
			xcalloc((size_t)b->max_vcpus, sizeof(*b->vcpu_hard_affinity));
		b->num_vcpu_hard_affinity = b->max_vcpus;
		for (int i = 0; i < b->max_vcpus; i++) {
			xen_bitmap_make(&b->vcpu_hard_affinity[i], p->cpus_max);
			memcpy(b->vcpu_hard_affinity[i].map, map.map, map.size);
		}
	}
	libxl_bitmap_dispose(&map);
	return r;
}

/* --- screen, sound of keys, clock --- */

static void fill_vnc(const struct xen_hardware *h, libxl_vnc_info *v)
{
	libxl_defbool_set(&v->enable, h->vnc);
	if (!h->vnc)
		return;
	v->listen = xstrdup(h->vnc_address);
	libxl_defbool_set(&v->findunused, h->vnc_display < 0);
	v->display = (int)(h->vnc_display < 0 ? h->vnc_from : h->vnc_display);
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

/* A further word of QEMU's command line. */
static void model_word(libxl_domain_build_info *b, char *word)
{
	size_t n = 0;

	while (b->extra_hvm && b->extra_hvm[n])
		n++;
	b->extra_hvm = xrealloc(b->extra_hvm, n + 2, sizeof(*b->extra_hvm));
	b->extra_hvm[n] = word;
	b->extra_hvm[n + 1] = NULL;
}

/* By itself QEMU's port is a pty that nobody keeps anything of. libxl finds the pty by the name that it would have
 * given it, for whoever wants a terminal there. */
static void serial_port(const struct xen_domain *d, const struct xen_place *p,
			libxl_domain_build_info *b)
{
	b->u.hvm.serial = xstrdup(p->logs ? "chardev:serial0" : "pty");
	if (!p->logs)
		return;
	model_word(b, xstrdup("-chardev"));
	model_word(b, xasprintf("pty,id=serial0,logfile=" XEN_SERIAL_LOG ",logappend=on", d->name));
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

static void configure_hvm(const struct xen_domain *d, const struct xen_place *p,
			  libxl_domain_build_info *b)
{
	static const char *const rng[] = {"-object",
					  "rng-random,id=manor-rng,filename=/dev/urandom",
					  "-device", "virtio-rng-pci,rng=manor-rng"};
	const struct xen_hardware *h = d->hardware;

	b->device_model_version = LIBXL_DEVICE_MODEL_VERSION_QEMU_XEN;
	b->u.hvm.bios = h->ovmf ? LIBXL_BIOS_TYPE_OVMF : LIBXL_BIOS_TYPE_SEABIOS;
	/* Where libxl looks by itself Debian has one that is KVM's. */
	if (h->ovmf)
		b->u.hvm.system_firmware = xstrdup(XEN_UEFI);
	b->u.hvm.boot = xstrdup(h->boot);
	b->u.hvm.vga.kind = streq(h->vga, "none")     ? LIBXL_VGA_INTERFACE_TYPE_NONE
			    : streq(h->vga, "cirrus") ? LIBXL_VGA_INTERFACE_TYPE_CIRRUS
						      : LIBXL_VGA_INTERFACE_TYPE_STD;
	libxl_defbool_set(&b->u.hvm.nographic, streq(h->vga, "none") && !h->vnc);
	libxl_defbool_set(&b->u.hvm.hpet, h->hpet);
	if (h->serial)
		serial_port(d, p, b);
	fill_vnc(h, &b->u.hvm.vnc);
	if (h->keymap)
		b->u.hvm.keymap = xstrdup(h->keymap);
	if (h->usb.n) {
		libxl_defbool_set(&b->u.hvm.usb, true);
		b->u.hvm.usbdevice_list = xcalloc(h->usb.n + 1, sizeof(char *));
		for (size_t i = 0; i < h->usb.n; i++)
			b->u.hvm.usbdevice_list[i] = xstrdup(h->usb.items[i]);
	}
	for (size_t i = 0; h->rng && i < ARRAY_SIZE(rng); i++)
		model_word(b, xstrdup(rng[i]));
}

int xen_hardware_config(const struct xen_domain *d, const struct xen_place *p,
			libxl_domain_config *c, struct err *e)
{
	const struct xen_hardware *h = d->hardware;
	int r = clock_words(h, &c->b_info, e);

	if (r == 0)
		r = configure_cpuid(h, p, &c->b_info, e);
	if (r == 0)
		r = configure_cpus(h, p, &c->b_info, e);
	if (r < 0)
		return r;
	libxl_defbool_set(&c->b_info.localtime, h->localtime);
	c->b_info.rtc_timeoffset = (uint32_t)h->rtc_offset;
	c->b_info.sched_params.weight = (int)h->weight;
	c->b_info.sched_params.cap = (int)h->cap;
	if (d->type == XEN_HVM)
		configure_hvm(d, p, &c->b_info);
	else if (h->vnc)
		add_frame_buffer(h, c);
	return 0;
}
