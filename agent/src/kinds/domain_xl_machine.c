/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Screen, ports, clock and processors. What a guest would see otherwise where nothing was said (the graphics card)
 * is said here, so that it finds the machine that it knows.
 */
#include <stdio.h>

#include "base/num.h"
#include "kinds/domain_xl.h"

/* --- the screen --- */

/* Of the configuration itself, or of its first `vfb`. */
struct screen {
	bool here, off, password;
	bool unused; /* the display is where the search for a free one begins */
	const char *listen, *display, *keymap;
	const char *other; /* graphics that aren't VNC: "sdl" */
	unsigned line;
};

static bool is_on(const char *value)
{
	return *value && !streq(value, "0") && strcasecmp(value, "no") != 0;
}

/* "0.0.0.0:3" is an address and a display; an IPv6 address has brackets. */
static void listens(struct domain_xl *x, struct screen *v, const char *text)
{
	size_t n = *text == '[' ? strcspn(text, "]") : strcspn(text, ":");
	const char *rest = text + n + (*text == '[' && text[n]);

	if (*text == '[')
		text++, n--;
	else if (*rest && strchr(rest + 1, ':'))
		n = strlen(text), rest = ""; /* an IPv6 address without */
	v->listen = arena_strndup(x->arena, text, n);
	if (streq(v->listen, "localhost"))
		v->listen = "127.0.0.1";
	if (*rest == ':')
		v->display = rest + 1;
}

/* False: it has become nothing. */
static bool screen_word(struct domain_xl *x, struct screen *v, const char *key, const char *value)
{
	if (streq(key, "vnc")) {
		v->here = is_on(value);
		v->off = !is_on(value);
	} else if (streq(key, "sdl") || streq(key, "spice")) {
		v->other = is_on(value) ? arena_strdup(x->arena, key) : v->other;
	} else if (streq(key, "vnclisten") && *value) {
		listens(x, v, value);
	} else if (streq(key, "vncdisplay") && *value) {
		v->display = value;
	} else if (streq(key, "vncunused")) {
		v->unused = is_on(value);
	} else if (streq(key, "vncpasswd")) {
		v->password = *value;
	} else if (streq(key, "keymap") && *value) {
		v->keymap = value;
	} else {
		return *value == '\0' || (streq(key, "opengl") && !is_on(value));
	}
	return true;
}

static void read_vfb(struct domain_xl *x, struct screen *v)
{
	const struct xl_setting *s = domain_xl_take(x, "vfb");
	const char *rest, *key, *value;

	if (s && ((s->text && *s->text) || (s->n && !s->items[0].text)))
		domain_xl_drop(x, s, "not a list of texts");
	if (!s || s->n == 0 || !s->items[0].text)
		return;
	rest = s->items[0].text;
	v->here = true;
	v->line = s->items[0].span.line;
	while ((key = domain_xl_part(x->arena, &rest, &value))) {
		bool type = streq(key, "type") && value;

		if (!*key && !value)
			continue;
		if (!screen_word(x, v, type ? value : key, type ? "1" : value ? value : ""))
			emit_note(x->out, "vnc", "%s (line %u): the manifest has no word for it",
				  key, v->line);
	}
	if (s->n > 1)
		emit_note(x->out, "vnc", "line %u has %zu screens: a guest has one here", v->line,
			  s->n);
}

static void read_screen(struct domain_xl *x, struct screen *v)
{
	static const char *const words[] = {"vnc",       "vnclisten", "vncdisplay", "vncunused",
					    "vncpasswd", "sdl",       "spice",      "keymap"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		const struct xl_setting *s = NULL;
		const char *text = domain_xl_text(x, words[i], &s);

		if (!s)
			continue;
		if (text)
			screen_word(x, v, words[i], text);
		if (!v->line || streq(words[i], "vncpasswd"))
			v->line = s->span.line;
	}
}

static void put_password(struct domain_xl *x, struct emit *m, unsigned line)
{
	const char *file = arena_printf(x->arena, "%s.vncpasswd", x->name);

	emit_text(emit_map(m, "password"), "file", file);
	emit_note(
		m, "password",
		"line %u has it, and a manifest is no place for it: write it into that file beside "
		"the manifest, at most 8 characters, readable by root alone",
		line);
}

static void screen(struct domain_xl *x)
{
	struct screen v = {0};
	struct emit *m;

	read_screen(x, &v);
	read_vfb(x, &v);
	if (v.other)
		emit_note(x->out, "vnc", "%s is on (line %u): a screen is seen by VNC alone",
			  v.other, v.line);
	/* xl's hvm guests have one unless it says otherwise. */
	if (!v.here && (x->type != XEN_HVM || v.off || v.other)) {
		if (v.listen || v.display || v.password || v.keymap)
			emit_note(x->out, "vnc",
				  "what line %u says of a screen is left out: there is none",
				  v.line);
		return;
	}
	if (!v.here)
		emit_note(x->out, "vnc", "nothing said that there is none: then xl had one");
	if (!v.listen && !v.display && !v.password && !v.keymap) {
		emit_word(x->out, "vnc", "true");
		return;
	}
	m = emit_map(x->out, "vnc");
	if (v.listen)
		domain_xl_put(x, m, &domain_vnc_table, "address", v.listen, v.line);
	if (v.display) {
		int64_t number;

		if (num_parse_int(v.display, 0, 65535, &number) == 0)
			domain_xl_put_number(x, m, &domain_vnc_table, "display", number, v.line);
		else
			emit_note(m, "display", "'%.40s' (line %u) is not a display's number",
				  v.display, v.line);
		if (v.unused)
			emit_note(m, "display", "with vncunused, one that was free was looked for");
	}
	if (v.password)
		put_password(x, m, v.line);
	if (v.keymap)
		domain_xl_put(x, m, &domain_vnc_table, "keymap", v.keymap, v.line);
	if (!emit_has(m, "address") && !emit_has(m, "display") && !v.password &&
	    !emit_has(m, "keymap"))
		emit_word(m, "enabled", "true");
}

/* --- an emulated machine's card and ports --- */

static void card(struct domain_xl *x)
{
	const struct xl_setting *s = NULL;
	const char *vga = domain_xl_text(x, "vga", &s);
	const struct xl_setting *old = xl_cfg_find(&x->cfg, "stdvga");
	bool std = domain_xl_flag(x, "stdvga", false);

	if (x->type != XEN_HVM) {
		if (vga)
			domain_xl_drop(x, s, "only hvm guests have a graphics card");
		if (std)
			domain_xl_drop(x, old, "only hvm guests have a graphics card");
		return;
	}
	if (streq(vga, "stdvga"))
		vga = "std";
	if (vga && word_find(vga_words, vga) >= 0) {
		emit_word(x->out, "vga", vga);
		return;
	}
	if (vga)
		domain_xl_drop(x, s, "Manor's guests have std, cirrus or none");
	emit_word(x->out, "vga", std ? "std" : "cirrus");
	if (!old)
		emit_note(x->out, "vga", "xm's and xl's where nothing is said");
}

static void serial(struct domain_xl *x)
{
	const struct xl_setting *s = xl_cfg_find(&x->cfg, "serial");
	const char *text = s && !s->text && s->n == 1 ? s->items[0].text : NULL;

	if (text)
		domain_xl_take(x, "serial");
	else
		text = domain_xl_text(x, "serial", &s);
	if (!text)
		return;
	if (x->type != XEN_HVM)
		domain_xl_drop(x, s, "only hvm guests have a serial port; others have a console");
	else if (word_find(serial_words, text) >= 0)
		emit_word(x->out, "serial", text);
	else
		domain_xl_drop(x, s, "the port goes to Manor's console, or is none");
}

#define ANOTHER                                                                                    \
	"'%.60s' is another device whenever it is plugged in: say in usb_devices what it is, "     \
	"vendor and product as lsusb shows them"

/* "host:046d:c52b", a device of the machine's; "host:1.3" is another one at each plugging in. */
static void usb_host(struct domain_xl *x, const struct xl_setting *s, const char *text)
{
	const char *id = text + strlen("host:"), *colon = strchr(id, ':');
	struct emit *all, *out;

	if (!colon) {
		domain_xl_drop(x, s, ANOTHER, text);
		return;
	}
	all = emit_tall(x->out, "usb_devices");
	out = emit_map(all, arena_printf(x->arena, "usb%u", x->n_usb++));
	domain_xl_put(x, out, &domain_usb_table, "vendor",
		      arena_strndup(x->arena, id, (size_t)(colon - id)), s->span.line);
	domain_xl_put(x, out, &domain_usb_table, "product", colon + 1, s->span.line);
}

static void usb_device(struct domain_xl *x, const struct xl_setting *s, const char *text)
{
	if (x->type != XEN_HVM)
		domain_xl_drop(x, s, "only hvm guests have an emulated USB port");
	else if (startswith(text, "host:"))
		usb_host(x, s, text);
	else if (text && *text)
		domain_xl_put(x, x->out, &domain_table, "usb", text, s->span.line);
}

/* xl's newer words, of which the addresses mean nothing tomorrow. */
static void usb_handed_over(struct domain_xl *x)
{
	struct xl_setting *s = domain_xl_take(x, "usbdev");

	if (!domain_xl_is_list(x, s, "every USB device"))
		return;
	if (s->n && x->type != XEN_HVM)
		domain_xl_drop(x, s, "USB devices go to hvm guests only");
	for (size_t i = 0; x->type == XEN_HVM && i < s->n; i++)
		domain_xl_drop(x, s, ANOTHER, s->items[i].text ? s->items[i].text : "");
}

static void usb(struct domain_xl *x)
{
	const struct xl_setting *port = xl_cfg_find(&x->cfg, "usb");
	const struct xl_setting *s = domain_xl_take(x, "usbdevice");
	bool on = domain_xl_flag(x, "usb", false);

	if (s && s->text)
		usb_device(x, s, s->text);
	for (size_t i = 0; s && !s->text && i < s->n; i++)
		usb_device(x, s, s->items[i].text);
	usb_handed_over(x);
	if (on && !emit_has(x->out, "usb") && !emit_has(x->out, "usb_devices"))
		domain_xl_drop(x, port, "a port without a device is none");
}

/* --- the clock --- */

/* xl's words and xm's numbers. */
static void mode(struct domain_xl *x, const char *name, const char *field,
		 const char *const *numbers, size_t n)
{
	const struct xl_setting *s = NULL;
	const char *text = domain_xl_text(x, name, &s);
	int64_t number;

	if (text && num_parse_int(text, 0, (int64_t)n - 1, &number) == 0)
		text = numbers[number];
	if (text)
		domain_xl_put(x, emit_map(x->out, "clock"), &domain_clock_table, field, text,
			      s->span.line);
}

static void clock(struct domain_xl *x)
{
	static const char *const tsc[] = {"default", "always_emulate", "native", "native_paravirt"};
	static const char *const timer[] = {"delay_for_missed_ticks", "no_delay_for_missed_ticks",
					    "no_missed_ticks_pending", "one_missed_tick_pending"};
	struct xl_setting *s;
	const struct xl_setting *at = NULL;
	int64_t offset;

	mode(x, "tsc_mode", "tsc", tsc, ARRAY_SIZE(tsc));
	s = xl_cfg_find(&x->cfg, "timer_mode");
	if (s && x->type != XEN_HVM) {
		s->taken = true;
		domain_xl_drop(x, s, "only hvm guests have an emulated timer");
	} else {
		mode(x, "timer_mode", "timer", timer, ARRAY_SIZE(timer));
	}
	s = xl_cfg_find(&x->cfg, "hpet");
	if (!domain_xl_flag(x, "hpet", true)) {
		if (x->type == XEN_HVM)
			emit_word(emit_map(x->out, "clock"), "hpet", "false");
		else
			domain_xl_drop(x, s, "only hvm guests have one");
	}
	if (domain_xl_flag(x, "localtime", false))
		emit_word(emit_map(x->out, "clock"), "base", "localtime");
	if (domain_xl_number(x, "rtc_timeoffset", &offset, &at) && offset)
		domain_xl_put_number(x, emit_map(x->out, "clock"), &domain_clock_table, "offset",
				     offset, at->span.line);
}

/* --- processors --- */

static void put_cpus(struct domain_xl *x, const char *text, const struct xl_setting *s)
{
	const char *nodes = startswith(text, "nodes:")  ? text + strlen("nodes:")
			    : startswith(text, "node:") ? text + strlen("node:")
							: NULL;

	if (streq(text, "all"))
		return;
	if (!domain_xl_put(x, x->out, &domain_table, nodes ? "nodes" : "cpus", nodes ? nodes : text,
			   s->span.line))
		domain_xl_lost(
			x, "the pinning", s->span,
			"write the processors: of a host with eight '0-7,^0' is all but the first");
}

static void cpus(struct domain_xl *x)
{
	struct xl_setting *s = xl_cfg_find(&x->cfg, "cpus");
	_cleanup_str_ struct str all = {0};
	const struct xl_setting *first = NULL;
	const char *text;
	int64_t number;

	for (size_t i = 0; s && !s->text && i < s->n; i++)
		str_addf(&all, "%s%s", i ? "," : "", s->items[i].text ? s->items[i].text : "");
	if (all.n) {
		s->taken = true;
		put_cpus(x, str_get(&all), s);
		emit_note(x->out, "cpus",
			  "line %u gives each vcpu one: here all run on all of these",
			  s->span.line);
	} else if ((text = domain_xl_text(x, "cpus", &first))) {
		put_cpus(x, text, first);
	}
	if (!domain_xl_number(x, "cpu", &number, &first) || number < 0)
		return;
	if (emit_has(x->out, "cpus")) {
		domain_xl_drop(x, first, "'cpus' says where it runs");
		return;
	}
	put_cpus(x, first->text, first);
	emit_note(x->out, "cpus", "'cpu' of line %u, which was for the first vcpu alone",
		  first->span.line);
}

static void scheduler(struct domain_xl *x, const char *name, const char *field)
{
	const struct xl_setting *s = NULL;
	int64_t value;

	if (!domain_xl_number(x, name, &value, &s))
		return;
	if (streq(field, "cap") && value == 0)
		return; /* no limit */
	domain_xl_put_number(x, emit_map(x->out, "scheduler"), &domain_scheduler_table, field,
			     value, s->span.line);
}

/* "host,avx=0,aesni=1": what is more than that names bits, and stays out. */
static void cpuid(struct domain_xl *x)
{
	const struct xl_setting *s = NULL;
	struct xl_setting *list = xl_cfg_find(&x->cfg, "cpuid");
	const char *text = list && list->text ? domain_xl_text(x, "cpuid", &s) : NULL;
	const char *rest = text, *key, *value;

	if (list && !list->text) {
		list->taken = true;
		domain_xl_drop(x, list, "bits of the processor's registers: 'cpu' names features");
	}
	if (!text)
		return;
	if (!streq(domain_xl_part(x->arena, &rest, &value), "host")) {
		domain_xl_drop(x, s, "bits of the processor's registers: 'cpu' names features");
		return;
	}
	while ((key = domain_xl_part(x->arena, &rest, &value))) {
		bool hide = streq(value, "0");

		if (hide || streq(value, "1") || streq(value, "x"))
			domain_xl_put(x, emit_map(x->out, "cpu"), &domain_cpu_table,
				      hide ? "hide" : "show", key, s->span.line);
		else
			domain_xl_drop(x, s, "'cpu' has no word for %.60s", key);
	}
}

void domain_xl_machine(struct domain_xl *x)
{
	screen(x);
	card(x);
	serial(x);
	usb(x);
	clock(x);
	cpus(x);
	scheduler(x, "cpu_weight", "weight");
	scheduler(x, "weight", "weight");
	scheduler(x, "cpu_cap", "cap");
	scheduler(x, "cap", "cap");
	cpuid(x);
}
