/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * libxl's own record of a domain that somebody else made, read as the manifest would say it: what libxl was told, and
 * what it does where it was told nothing (libxl_create.c, libxl__domain_build_info_setdefault). Words are those of
 * libxl's JSON.
 */
#include "base/json.h"
#include "kinds/domain_priv.h"

#define LIST_MAX 64

json_object *domain_record(const struct xen_domain *x)
{
	return x->record ? json_parse(x->record, strlen(x->record), NULL) : NULL;
}

/* "True", "False", "<default>" */
static bool flag(json_object *o, const char *key, bool none)
{
	const char *word = json_text(o, key);

	return streq(word, "True") || (none && !streq(word, "False"));
}

static json_object *part(json_object *o, const char *key)
{
	return o ? json_member(o, key, json_type_object) : NULL;
}

json_object *domain_record_build(json_object *record)
{
	return part(record, "b_info");
}

json_object *domain_record_hvm(json_object *record)
{
	return part(domain_record_build(record), "type.hvm");
}

json_object *domain_record_screen(json_object *record, int type)
{
	json_object *list = record ? json_member(record, "vfbs", json_type_array) : NULL;
	json_object *first = json_length(list) ? json_object_array_get_idx(list, 0) : NULL;

	return type == XEN_HVM ? domain_record_hvm(record) : first;
}

static void set(struct domain *d, const char *field)
{
	field_mark(&domain_table, d, field);
}

/* What a kernel's path tells; a machine's is said. */
static void firmware(json_object *record, const struct xen_domain *x, struct domain *d)
{
	d->firmware = FW_SEABIOS;
	if (d->type == XEN_HVM) {
		if (streq(json_text(domain_record_hvm(record), "bios"), "ovmf"))
			d->firmware = FW_OVMF;
		set(d, "firmware");
		return;
	}
	if (!x->boot_known)
		return;
	for (d->firmware = FW_PVGRUB; d->firmware <= FW_PVGRUB64; d->firmware++)
		if (streq(domain_firmware_path(d), x->kernel))
			break;
	if (d->firmware > FW_PVGRUB64)
		d->firmware = FW_DIRECT;
	set(d, "firmware");
}

static void boots_from(struct arena *a, json_object *hvm, struct domain *d)
{
	static const struct {
		char letter;
		const char *word;
	} from[] = {{'c', "disk"}, {'d', "cdrom"}, {'n', "network"}};
	const char *order = json_text(hvm, "boot");

	for (const char *s = order ? order : "cda"; *s; s++)
		for (size_t i = 0; i < ARRAY_SIZE(from); i++)
			if (*s == from[i].letter && !list_has(&d->boot, from[i].word))
				list_add(a, &d->boot, (void *)from[i].word);
	set(d, "boot");
}

static void usb(struct arena *a, json_object *hvm, struct domain *d)
{
	json_object *list = json_member(hvm, "usbdevice_list", json_type_array);
	const char *one = json_text(hvm, "usbdevice");

	if (one)
		list_add(a, &d->usb, arena_strdup(a, one));
	for (size_t i = 0; i < json_length(list) && i < LIST_MAX; i++) {
		json_object *item = json_object_array_get_idx(list, i);

		if (json_object_is_type(item, json_type_string))
			list_add(a, &d->usb, arena_strdup(a, json_object_get_string(item)));
	}
	set(d, "usb");
}

/* What only a whole machine has. */
static void machine(struct arena *a, json_object *hvm, struct domain *d)
{
	int vga = word_find(vga_words, json_text(part(hvm, "vga"), "kind"));

	boots_from(a, hvm, d);
	usb(a, hvm, d);
	d->vga = vga >= 0 ? vga : word_find(vga_words, "cirrus");
	d->serial = streq(json_text(hvm, "serial"), "pty") ? SERIAL_PTY : SERIAL_NONE;
	d->rng = false;
	set(d, "vga");
	set(d, "serial");
	set(d, "rng");
}

/* Of hvm guests there is one unless it was said that there is none. */
static void screen(struct arena *a, json_object *of, struct domain *d)
{
	json_object *vnc = part(of, "vnc");
	struct domain_vnc *v = &d->vnc;
	const char *on = json_text(vnc, "listen"), *colon = on ? strrchr(on, ':') : NULL;
	int64_t display = json_int(vnc, "display");

	v->enabled = of && flag(vnc, "enable", d->type != XEN_HVM || d->vga != VGA_NONE);
	field_mark(&domain_vnc_table, v, "enabled");
	set(d, "vnc");
	/* "0.0.0.0:3" */
	if (colon && strchr(on, ':') == colon) {
		display = atoll(colon + 1);
		on = arena_strndup(a, on, (size_t)(colon - on));
	}
	v->address = on && *on ? arena_strdup(a, on) : "127.0.0.1";
	v->keymap = arena_strdup(a, json_text(of, "keymap"));
	field_mark(&domain_vnc_table, v, "address");
	if (v->keymap)
		field_mark(&domain_vnc_table, v, "keymap");
	/* Else it is where the search for a free one began. */
	if (v->enabled && json_object_object_get(vnc, "findunused") &&
	    !flag(vnc, "findunused", true)) {
		v->display = display;
		field_mark(&domain_vnc_table, v, "display");
	}
}

static void clock_of(json_object *build, json_object *hvm, struct domain *d)
{
	const struct field *tsc = field_find(&domain_clock_table, "tsc");
	const struct field *timer = field_find(&domain_clock_table, "timer");
	const char *mode = json_text(build, "timer_mode");
	int word = word_find(tsc->words, json_text(build, "tsc_mode"));
	static const char *const all[] = {"tsc", "timer", "hpet", "base", "offset"};

	d->clock.tsc = MAX_OF(word, 0);
	word = word_find(timer->words, mode ? mode : json_text(hvm, "timer_mode"));
	d->clock.timer = d->type == XEN_HVM ? MAX_OF(word, 0) : 0;
	d->clock.hpet = d->type != XEN_HVM || flag(hvm, "hpet", true);
	d->clock.base = flag(build, "localtime", false);
	d->clock.offset = json_int(build, "rtc_timeoffset");
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		field_mark(&domain_clock_table, &d->clock, all[i]);
	set(d, "clock");
}

/* The cards that are emulated, by MAC: a domain's NICs otherwise are the host's to say. */
static void cards(struct arena *a, json_object *record, struct domain *d)
{
	json_object *list = json_member(record, "nics", json_type_array);

	for (size_t i = 0; i < json_length(list) && i < LIST_MAX; i++) {
		json_object *o = json_object_array_get_idx(list, i);
		const char *mac = json_text(o, "mac"), *model = json_text(o, "model");
		struct domain_nic *n = arena_alloc(a, sizeof(*n));
		int word = word_find(nic_model_words, model ? model : "rtl8139");

		if (!mac || word < 0)
			continue;
		n->mac = arena_strdup(a, mac);
		n->model = streq(json_text(o, "nictype"), "vif") ? NIC_NONE : word;
		map_add(a, &d->nics, arena_printf(a, "nic%zu", i), n);
	}
}

void domain_record_machine(struct arena *a, json_object *record, const struct xen_domain *x,
			   struct domain *d)
{
	json_object *build = domain_record_build(record), *hvm = domain_record_hvm(record);

	d->type = x->type;
	firmware(record, x, d);
	if (d->type == XEN_HVM) {
		machine(a, hvm, d);
		cards(a, record, d);
	}
	screen(a, domain_record_screen(record, x->type), d);
	clock_of(build, hvm, d);
	if (!json_object_object_get(build, "nodemap")) {
		d->nodes = "all";
		set(d, "nodes");
	}
}
