/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A configuration as a domain: reading settings, setting fields by the domain's tables, memory, ends, and what is
 * left over at last, so that nothing is lost without a word.
 */
#include "kinds/domain_xl.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "base/num.h"

#define MIB       (INT64_C(1) << 20)
#define SHOWN_MAX 60 /* bytes of a value that a comment repeats */

/* --- reading settings --- */

struct xl_setting *domain_xl_take(struct domain_xl *x, const char *name)
{
	struct xl_setting *s = xl_cfg_find(&x->cfg, name);

	if (s)
		s->taken = true;
	return s;
}

const char *domain_xl_text(struct domain_xl *x, const char *name, const struct xl_setting **ret)
{
	const struct xl_setting *s = domain_xl_take(x, name);

	if (!s)
		return NULL;
	if (ret)
		*ret = s;
	if (!s->text) {
		if (s->n)
			domain_xl_drop(x, s, "a list, where one value belongs");
		return NULL;
	}
	return *s->text ? s->text : NULL;
}

bool domain_xl_number(struct domain_xl *x, const char *name, int64_t *ret,
		      const struct xl_setting **ret_setting)
{
	const struct xl_setting *s = NULL;
	const char *text = domain_xl_text(x, name, &s);
	char *end;
	long long value;

	if (!text)
		return false;
	/* As xl: 0x10 is a number too. */
	errno = 0;
	value = strtoll(text, &end, 0);
	if (errno || *end || end == text) {
		domain_xl_drop(x, s, "not a number");
		return false;
	}
	*ret = value;
	if (ret_setting)
		*ret_setting = s;
	return true;
}

bool domain_xl_flag(struct domain_xl *x, const char *name, bool def)
{
	static const char *const on[] = {"yes", "on", "true"}, *const off[] = {"no", "off",
									       "false"};
	const struct xl_setting *s = xl_cfg_find(&x->cfg, name);
	int64_t value;

	for (size_t i = 0; s && s->text && i < ARRAY_SIZE(on); i++) {
		if (strcasecmp(s->text, on[i]) && strcasecmp(s->text, off[i]))
			continue;
		domain_xl_take(x, name);
		return strcasecmp(s->text, on[i]) == 0;
	}
	return domain_xl_number(x, name, &value, NULL) ? value != 0 : def;
}

static char *trimmed(struct arena *a, const char *s, size_t n)
{
	while (n && isspace((unsigned char)*s))
		s++, n--;
	while (n && isspace((unsigned char)s[n - 1]))
		n--;
	return arena_strndup(a, s, n);
}

const char *domain_xl_part(struct arena *a, const char **text, const char **ret_value)
{
	const char *s = *text;
	size_t n, key;

	if (!*s)
		return NULL;
	n = strcspn(s, ",");
	*text = s + n + (s[n] == ',');
	key = strcspn(s, "=,");
	*ret_value = s[key] == '=' ? trimmed(a, s + key + 1, n - key - 1) : NULL;
	return trimmed(a, s, key);
}

/* --- what becomes of them --- */

/* A password, or a screen with one. */
static bool is_secret(const struct xl_setting *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->items[i].text && strcasestr(s->items[i].text, "passwd"))
			return true;
	return strstr(s->name, "passwd") || (s->text && strcasestr(s->text, "passwd"));
}

/* Of a list what it holds is said where each item is looked at. */
static const char *shown(struct domain_xl *x, const struct xl_setting *s)
{
	size_t n = s->text ? strlen(s->text) : 0;

	if (s->overruled)
		return NULL;
	if (is_secret(s))
		return "…";
	if (!s->text) {
		_cleanup_str_ struct str b = {0};

		for (size_t i = 0; i < s->n && b.n < SHOWN_MAX; i++)
			str_addf(&b, "%s'%.60s'", i ? ", " : "",
				 s->items[i].text ? s->items[i].text : "[…]");
		return arena_printf(x->arena, "[%s%s]", str_get(&b), b.n < SHOWN_MAX ? "" : ", …");
	}
	if (s->text[strspn(s->text, "0123456789")] == '\0' && n)
		return s->text;
	return arena_printf(x->arena, "'%.*s%s'", (int)MIN_OF(n, SHOWN_MAX), s->text,
			    n > SHOWN_MAX ? "…" : "");
}

void domain_xl_drop(struct domain_xl *x, const struct xl_setting *s, const char *fmt, ...)
{
	_cleanup_(freep) char *why = NULL;
	const char *value = shown(x, s);
	va_list ap;

	va_start(ap, fmt);
	why = xvasprintf(fmt, ap);
	va_end(ap);
	emit_note(x->out, NULL, "%s%s%s (line %u): %s", s->name, value ? " = " : "",
		  value ? value : "", s->span.line, why);
}

void domain_xl_lost(struct domain_xl *x, const char *what, struct span span, const char *why)
{
	diag_warn(x->all->diags, "left-out", span, "%s of '%s' is left out: %s", what, x->name,
		  why);
}

bool domain_xl_is_list(struct domain_xl *x, const struct xl_setting *s, const char *what)
{
	static const char why[] = "one text, where a list belongs: ['…', '…']";

	if (!s || !s->text)
		return s != NULL;
	if (*s->text) {
		domain_xl_drop(x, s, "%s", why);
		domain_xl_lost(x, what, s->span, why);
	}
	return false;
}

/* Whether the field takes that text. */
static int fits(struct domain_xl *x, const struct field *f, const char *value, struct err *e)
{
	struct decode c = {.arena = x->arena, .diags = x->all->diags};
	const char *canonical;

	if (f->type == FIELD_ENUM && word_find(f->words, value) < 0)
		return err_set(e, -EINVAL, "a word of that field");
	return f->parse ? f->parse(&c, f, value, &canonical, e) : 0;
}

static void refused(struct domain_xl *x, const struct table *t, const char *field,
		    const char *value, unsigned line, const char *why)
{
	const char *at = line ? arena_printf(x->arena, " (line %u)", line) : "";

	emit_note(x->out, NULL, "%s%s%s: '%.100s'%s is left out: it is not %s",
		  t == &domain_table ? "" : t->name, t == &domain_table ? "" : "'s ", field, value,
		  at, why);
}

bool domain_xl_put(struct domain_xl *x, struct emit *m, const struct table *t, const char *field,
		   const char *value, unsigned line)
{
	const struct field *f = field_find(t, field);
	_cleanup_err_ struct err e = {0};

	if (fits(x, f, value, &e) < 0) {
		refused(x, t, field, value, line, e.message);
		return false;
	}
	if (f->type == FIELD_LIST)
		emit_item(m, field, value);
	else if (f->type == FIELD_STRING)
		emit_text(m, field, value);
	else
		emit_word(m, field, value);
	return true;
}

bool domain_xl_put_number(struct domain_xl *x, struct emit *m, const struct table *t,
			  const char *field, int64_t value, unsigned line)
{
	const struct field *f = field_find(t, field);
	char text[NUM_TEXT];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	if (value < f->min || value > f->max) {
		refused(x, t, field, text, line,
			arena_printf(x->arena, "within %lld to %lld", (long long)f->min,
				     (long long)f->max));
		return false;
	}
	emit_word(m, field, text);
	return true;
}

const char *domain_xl_name(struct arena *a, const char *text, size_t max)
{
	char *name = arena_alloc(a, strlen(text) + 2), *to = name;

	for (; *text && (size_t)(to - name) < max; text++) {
		char c = (char)tolower((unsigned char)*text);
		bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		if (good || (to > name && to[-1] != '-'))
			*to++ = good ? c : '-';
	}
	while (to > name && to[-1] == '-')
		to--;
	*to = '\0';
	return *name ? name : "unnamed";
}

/* --- memory and processors' number --- */

static void put_size(struct domain_xl *x, const char *field, int64_t mib,
		     const struct xl_setting *s)
{
	const struct field *f = field_find(&domain_table, field);
	int64_t least = f->min / MIB, most = f->max / MIB;
	int64_t value = mib < least ? least : mib > most ? most : mib;

	emit_word(x->out, field, arena_printf(x->arena, "%lldMiB", (long long)value));
	if (value != mib)
		emit_note(x->out, field, "line %u says %lld", s->span.line, (long long)mib);
}

static void memory(struct domain_xl *x)
{
	const struct xl_setting *s = NULL;
	int64_t value, most;

	if (!domain_xl_number(x, "memory", &value, &s)) {
		const struct xl_setting *said = xl_cfg_find(&x->cfg, "memory");
		bool some = said && (!said->text || *said->text);

		value = 128;
		emit_note(x->out, "memory",
			  some ? "what is said there is no number of MiB: choose it"
			       : "not said there: xm gave so much, xl 32 MiB");
		if (some)
			domain_xl_lost(x, "the memory", said->span, "it is no number of MiB");
	}
	put_size(x, "memory", value, s);
	if (!domain_xl_number(x, "maxmem", &most, &s))
		return;
	if (most < value)
		domain_xl_drop(x, s, "less than its memory");
	else if (most > value && x->pci && x->type == XEN_HVM)
		domain_xl_drop(x, s, "a machine with a PCI device has all of its memory at once");
	else
		put_size(x, "maxmem", most, s);
}

static void vcpus(struct domain_xl *x)
{
	const struct xl_setting *s = NULL, *mask = NULL;
	int64_t n = 1, most, bits, now = 0;

	if (domain_xl_number(x, "vcpus", &n, &s) &&
	    !domain_xl_put_number(x, x->out, &domain_table, "vcpus", n, s->span.line))
		domain_xl_lost(x, "the number of vcpus", s->span, "it has to be within 1 to 128");
	if (domain_xl_number(x, "maxvcpus", &most, &s)) {
		if (most < n)
			domain_xl_drop(x, s, "fewer than its vcpus");
		else
			domain_xl_put_number(x, x->out, &domain_table, "maxvcpus", most,
					     s->span.line);
	}
	if (!domain_xl_number(x, "vcpu_avail", &bits, &mask))
		return;
	for (int64_t i = 0; i < n && i < 63; i++)
		now += bits >> i & 1;
	if (now < 1 || now >= n || emit_has(x->out, "maxvcpus") || !emit_has(x->out, "vcpus")) {
		domain_xl_drop(x, mask, "'vcpus' says how many there are at the start");
		return;
	}
	domain_xl_put_number(x, x->out, &domain_table, "vcpus", now, mask->span.line);
	domain_xl_put_number(x, x->out, &domain_table, "maxvcpus", n, mask->span.line);
	emit_note(x->out, "vcpus", "those that 'vcpu_avail' names (line %u)", mask->span.line);
}

/* --- ends --- */

static void end(struct domain_xl *x, const char *name, const char *field)
{
	static const struct {
		const char *word, *is, *note;
	} words[] = {
		{"destroy", "destroy", NULL},
		{"restart", "restart", NULL},
		{"preserve", "preserve", NULL},
		{"coredump-destroy", "coredump-destroy", NULL},
		{"coredump-restart", "coredump-restart", NULL},
		{"rename-restart", "restart", "which kept the ended guest too; here it goes"},
		{"soft-reset", "restart", "which kept its memory; here it starts anew"},
	};
	const struct xl_setting *s = NULL;
	const char *text = domain_xl_text(x, name, &s);
	bool other = !streq(name, field);

	if (!text)
		return;
	if (emit_has(x->out, field)) {
		domain_xl_drop(x, s, "'%s' says it already", field);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!streq(words[i].word, text))
			continue;
		emit_word(x->out, field, words[i].is);
		if (other || words[i].note)
			emit_note(x->out, field, "line %u says %s%s%s%s%s", s->span.line,
				  other ? name : "", other ? ": " : "", text,
				  words[i].note ? ", " : "", words[i].note ? words[i].note : "");
		return;
	}
	domain_xl_drop(x, s, "none of destroy and restart");
	domain_xl_lost(x, arena_printf(x->arena, "'%s'", name), s->span,
		       "xl knows destroy, restart, rename-restart, preserve, coredump-destroy, "
		       "coredump-restart and soft-reset");
}

/* xm's word of old for all of them. */
static void restart(struct domain_xl *x)
{
	const struct xl_setting *s = NULL;
	const char *text = domain_xl_text(x, "restart", &s);
	bool always = streq(text, "always"), never = streq(text, "never");

	if (!text)
		return;
	if (!always && !never && !streq(text, "onreboot")) {
		domain_xl_drop(x, s, "none of onreboot, always and never");
		return;
	}
	if (!emit_has(x->out, "on_poweroff"))
		emit_word(x->out, "on_poweroff", always ? "restart" : "destroy");
	if (!emit_has(x->out, "on_reboot"))
		emit_word(x->out, "on_reboot", never ? "destroy" : "restart");
	if (!emit_has(x->out, "on_crash"))
		emit_word(x->out, "on_crash", always ? "restart" : "destroy");
	emit_note(x->out, "on_poweroff", "as 'restart = %s' (line %u) had the three", text,
		  s->span.line);
}

static void ends(struct domain_xl *x)
{
	end(x, "on_poweroff", "on_poweroff");
	end(x, "on_shutdown", "on_poweroff");
	end(x, "on_reboot", "on_reboot");
	end(x, "on_crash", "on_crash");
	end(x, "on_watchdog", "on_watchdog");
	restart(x);
}

/* --- what is left over --- */

/* What is there anyway. */
static const struct {
	const char *name;
	int64_t value;
} anyway[] = {
	{"acpi", 1},     {"apic", 1},          {"pae", 1},      {"nx", 1},        {"hap", 1},
	{"isa", 0},      {"viridian", 0},      {"nestedhvm", 0}, {"vpt_align", 1}, {"xen_platform_pci", 1},
	{"vncviewer", 0}, {"vncconsole", 0}, {"nographic", 0},
	{"monitor", 0},  {"gfx_passthru", 0},  {"altp2m", 0},   {"oos", 1},       {"pci_msitranslate", 1},
	{"e820_host", 0}, {"pci_power_mgmt", 0}, {"spice", 0},  {"shadow_memory", 0}, {"acpi_s3", 1},
	{"acpi_s4", 1},
};

static const struct {
	const char *name, *why;
} without[] = {
	{"on_xend_start", "Manor's guests start with the host"},
	{"on_xend_stop", "Manor's guests are shut down with the host; on_host_shutdown may have them saved"},
	{"on_soft_reset", "a guest that resets itself starts anew"},
	{"device_model", "Xen's own QEMU is the one"},
	{"device_model_version", "Xen's own QEMU is the one"},
	{"device_model_override", "Xen's own QEMU is the one"},
	{"device_model_stubdomain_override", "the device model runs in dom0"},
	{"device_model_args", "the device model gets no words beside Manor's"},
	{"device_model_args_pv", "the device model gets no words beside Manor's"},
	{"device_model_args_hvm", "the device model gets no words beside Manor's"},
	{"cpuid_check", "'cpu' says what a guest sees of the processor"},
	{"cpus_soft", "'cpus' says where it may run, and there is no weaker word"},
	{"nestedhvm", "no guest can have guests of its own"},
	{"usbctrl", "who has usb_devices gets one controller, for devices of every speed"},
	{"vscsi", "no SCSI devices are handed over: name the disk with 'device'"},
	{"vtpm", "guests have no TPM"},
	{"soundhw", "guests have no sound"},
	{"seclabel", "there are no security labels"},
	{"access_control", "there are no security labels"},
	{"fda", "guests have no floppy drive: an ISO can hold the same files"},
	{"fdb", "guests have no floppy drive: an ISO can hold the same files"},
	{"ioports", "nothing of the host's but disks, NICs and PCI devices is handed over"},
	{"iomem", "nothing of the host's but disks, NICs and PCI devices is handed over"},
	{"irq", "nothing of the host's but disks, NICs and PCI devices is handed over"},
	{"irqs", "nothing of the host's but disks, NICs and PCI devices is handed over"},
	{"driver_domain", "dom0 alone serves devices"},
	{"blkif", "dom0 alone serves devices"},
	{"netif", "dom0 alone serves devices"},
};

static const char *why_without(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(without); i++)
		if (streq(without[i].name, name))
			return without[i].why;
	for (size_t i = 0; i < ARRAY_SIZE(anyway); i++)
		if (streq(anyway[i].name, name))
			return "a guest has what Xen gives by default";
	return "the manifest has no word for it";
}

static void rest(struct domain_xl *x)
{
	for (size_t i = 0; i < ARRAY_SIZE(anyway); i++) {
		struct xl_setting *s = xl_cfg_find(&x->cfg, anyway[i].name);
		int64_t value;

		if (s && s->text && num_parse_int(s->text, 0, 9, &value) == 0 &&
		    value == anyway[i].value)
			s->taken = true;
	}
	for (size_t i = 0; i < x->cfg.n; i++) {
		struct xl_setting *s = &x->cfg.list[i];
		const struct xl_setting *later =
			s->overruled ? xl_cfg_find(&x->cfg, s->name) : NULL;

		if (later)
			domain_xl_drop(x, s, "line %u says it again, and counted",
				       later->span.line);
		else if (!s->taken && s->text && !*s->text)
			continue; /* it said nothing */
		else if (!s->taken)
			domain_xl_drop(x, s, "%s", why_without(s->name));
	}
}

static void type(struct domain_xl *x)
{
	const struct xl_setting *said = NULL;
	const char *builder = domain_xl_text(x, "builder", &said);
	const char *word = domain_xl_text(x, "type", &said);

	if (!word)
		word = streq(builder, "linux") || streq(builder, "generic") ? "pv" : builder;
	x->type = word_find(xen_type_words, word);
	if (x->type < 0 && word && said)
		domain_xl_drop(x, said, "a type that Manor doesn't know: pv is taken");
	if (x->type < 0)
		x->type = XEN_PV;
	emit_word(x->out, "type", xen_type_words[x->type]);
}

/* What in the guest goes by it (a licence) sees the same. */
static void identity(struct domain_xl *x)
{
	const struct xl_setting *s = NULL;
	const char *uuid = domain_xl_text(x, "uuid", &s);

	if (uuid)
		domain_xl_put(x, x->out, &domain_table, "uuid", uuid, s->span.line);
}

void domain_xl(struct domain_xl *x)
{
	identity(x);
	type(x);
	domain_xl_boot(x);
	domain_xl_machine(x);
	domain_xl_pci(x);
	memory(x);
	vcpus(x);
	domain_xl_disks(x);
	domain_xl_nics(x);
	ends(x);
	emit_order(x->out, &domain_table);
	rest(x);
}
