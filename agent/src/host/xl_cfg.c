/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A configuration is gone through twice: here for names, places and what xm ran as a program, then by libxlutil,
 * whose word counts for the rest.
 */
#include "host/xl_cfg.h"

#include <ctype.h>
#include <errno.h>
#include <libxlutil.h>
#include <stdio.h>

#include "base/num.h"
#include "base/str.h"
#include "diag/text.h"

#define BOM      "\xef\xbb\xbf"
#define NEAR_MAX 40 /* bytes of a word that messages quote */
#define PROGRAM                                                                                    \
	"is of a program: xm ran such files as Python, while xl and Manor read settings only"
#define WRITE_OUT                                                                                  \
	"write NAME = VALUE, texts in quotes, with what it comes to: 'xm create --dryrun FILE' shows that, and for a "  \
	"guest that runs 'xl list --long NAME'"
#define SETTING "a setting is NAME = VALUE; texts stand in quotes, lists in [ ]"

enum token_type {
	TOKEN_END,
	TOKEN_LINE, /* the end of a line, or ';' */
	TOKEN_NAME,
	TOKEN_NUMBER,
	TOKEN_STRING,
	TOKEN_OPEN_STRING, /* its line ends before it does */
	TOKEN_SIGN,        /* one character, or "+=" */
};

struct token {
	enum token_type type;
	const char *text;
	size_t n;
	unsigned line;
	const char *start; /* of its line */
};

struct scan {
	struct diags *d;
	struct arena *a;
	struct xl_cfg *cfg;
	const char *text, *p, *end;
	unsigned line;
	const char *start; /* of the line */
	bool failed;
};

/* --- places --- */

static unsigned characters(const char *s, const char *end)
{
	unsigned n = 0;

	while (s < end) {
		uint32_t cp;

		s += text_decode(s, (size_t)(end - s), &cp);
		n++;
	}
	return n;
}

static struct span span_of(const struct scan *s, const struct token *t)
{
	unsigned column = 1 + characters(t->start, t->text);

	return (struct span){
		.source = s->cfg->source,
		.line = t->line,
		.column = column,
		.end_line = t->line,
		.end_column = column + characters(t->text, t->text + t->n),
	};
}

static void fail(struct scan *s, const struct token *t, const char *code, const char *help,
		 const char *fmt, ...) _printf_(5, 6);

static void fail(struct scan *s, const struct token *t, const char *code, const char *help,
		 const char *fmt, ...)
{
	_cleanup_(freep) char *text = NULL;
	struct diag *g;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	g = diag_error(s->d, code, span_of(s, t), "%s", text);
	if (help)
		diag_help(s->d, g, "%s", help);
	s->failed = true;
}

/* As it is shown: with passwords hidden. */
static const char *shown(const struct scan *s, const struct token *t)
{
	return s->cfg->source->text + (t->text - s->text);
}

static void program(struct scan *s, const struct token *t)
{
	fail(s, t, "program", WRITE_OUT, "'%.*s' %s", (int)MIN_OF(t->n, NEAR_MAX), shown(s, t),
	     PROGRAM);
}

/* --- names and places --- */

static size_t string_length(const char *p, const char *end, bool *ret_open)
{
	const char *s = p + 1;

	while (s < end && *s != *p && *s != '\n')
		s += *s == '\\' && s + 1 < end && s[1] != '\n' ? 2 : 1;
	*ret_open = s >= end || *s == '\n';
	return (size_t)(s - p) + !*ret_open;
}

static struct token next(struct scan *s)
{
	struct token t = {.type = TOKEN_END};
	bool open = false;

	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t'))
		s->p++;
	if (*s->p == '#')
		s->p += strcspn(s->p, "\n");
	t.text = s->p;
	t.line = s->line;
	t.start = s->start;
	if (s->p == s->end)
		return t;
	t.n = 1;
	if (isalpha((unsigned char)*s->p) || *s->p == '_') {
		t.type = TOKEN_NAME;
		while (isalnum((unsigned char)t.text[t.n]) || t.text[t.n] == '_')
			t.n++;
	} else if (isdigit((unsigned char)*s->p)) {
		t.type = TOKEN_NUMBER;
		t.n = strspn(s->p, "0123456789abcdefx");
	} else if (*s->p == '"' || *s->p == '\'') {
		t.n = string_length(s->p, s->end, &open);
		t.type = open ? TOKEN_OPEN_STRING : TOKEN_STRING;
	} else if (*s->p == '\n' || *s->p == ';') {
		t.type = TOKEN_LINE;
	} else {
		t.type = TOKEN_SIGN;
		t.n = startswith(s->p, "+=") ? 2 : 1;
	}
	s->p += t.n;
	if (*t.text == '\n') {
		s->line++;
		s->start = s->p;
	}
	return t;
}

static bool is_sign(const struct token *t, const char *sign)
{
	return t->type == TOKEN_SIGN && strlen(sign) == t->n && memcmp(t->text, sign, t->n) == 0;
}

static bool is_word(const struct token *t, const char *word)
{
	return t->type == TOKEN_NAME && strlen(word) == t->n && memcmp(t->text, word, t->n) == 0;
}

/* Escapes by number libxlutil refuses or loses: 'A\0065B' is AB to it. Others stand for control characters. */
static void check_escapes(struct scan *s, const struct token *t)
{
	for (size_t i = 1; t->type == TOKEN_STRING && i + 1 < t->n; i++) {
		if (t->text[i] != '\\')
			continue;
		i++;
		if (strchr("\"'\\", t->text[i]))
			continue;
		fail(s, t, "syntax", "write the character itself; a backslash is '\\\\'",
		     "'\\%c' within quotes stands for another character", t->text[i]);
		return;
	}
}

static void check_value(struct scan *s, const struct token *t)
{
	if (t->type == TOKEN_OPEN_STRING)
		fail(s, t, "syntax", NULL, "the quote isn't closed on its line");
	else if (t->type == TOKEN_STRING)
		check_escapes(s, t);
	else if (is_word(t, "True") || is_word(t, "False"))
		fail(s, t, "syntax", t->n == 4 ? "write 1" : "write 0", "'%.*s' is Python's",
		     (int)t->n, t->text);
	else if (is_sign(t, "-") || is_sign(t, "."))
		fail(s, t, "syntax", "put it in quotes",
		     "xl reads no number with a sign or a point");
	else if (t->type == TOKEN_NAME || is_sign(t, "(") || is_sign(t, "{"))
		program(s, t);
}

static void add_item(struct scan *s, struct xl_setting *set, const struct token *t)
{
	set->items = arena_grow(s->a, set->items, set->n, sizeof(*set->items));
	set->items[set->n++] = (struct xl_item){.span = span_of(s, t)};
}

/* A setting begins there, or nothing: a list before it was never closed. */
static bool ends_list(const struct scan *s, const struct token *t)
{
	struct scan ahead = *s;
	struct token after;

	if (t->type != TOKEN_NAME)
		return t->type == TOKEN_END;
	after = next(&ahead);
	return is_sign(&after, "=") || is_sign(&after, "+=");
}

/* Behind '['. What is wrong and isn't said here libxlutil says. */
static void scan_list(struct scan *s, struct xl_setting *set, const struct token *open)
{
	unsigned depth = 1;

	while (depth && !s->failed) {
		struct token t = next(s);

		if (ends_list(s, &t)) {
			fail(s, open, "syntax", NULL, "the list is not closed by ']'");
			return;
		}
		if (t.type == TOKEN_LINE || is_sign(&t, ","))
			continue;
		if (is_sign(&t, "[") && depth == 1)
			add_item(s, set, &t);
		depth = depth + is_sign(&t, "[") - is_sign(&t, "]");
		if (is_sign(&t, "[") || is_sign(&t, "]"))
			continue;
		if (is_sign(&t, "%") || is_sign(&t, "+")) {
			program(s, &t);
			return;
		}
		check_value(s, &t);
		if (depth == 1)
			add_item(s, set, &t);
	}
}

static struct xl_setting *earlier(struct xl_cfg *c, const char *name)
{
	for (size_t i = c->n; i > 0; i--)
		if (streq(c->list[i - 1].name, name))
			return &c->list[i - 1];
	return NULL;
}

static void scan_setting(struct scan *s, const struct token *name, bool more)
{
	struct xl_cfg *c = s->cfg;
	const char *word = arena_strndup(s->a, name->text, name->n);
	struct xl_setting *set = earlier(c, word);
	struct token t = next(s);

	if (!set || !more) {
		if (set)
			set->overruled = true;
		c->list = arena_grow(s->a, c->list, c->n, sizeof(*c->list));
		set = &c->list[c->n++];
		*set = (struct xl_setting){.name = word, .span = span_of(s, name)};
	}
	if (is_sign(&t, "["))
		scan_list(s, set, &t);
	else if (t.type == TOKEN_LINE || t.type == TOKEN_END)
		fail(s, name, "syntax", NULL, "'%s' has no value", word);
	else if (t.type == TOKEN_STRING && t.n == 2 && *s->p == *t.text)
		fail(s, &t, "program", "write one line, in one pair of quotes",
		     "three quotes are Python's");
	else
		check_value(s, &t);
	if (s->failed)
		return;
	/* "a" + b, "a" % b, "a".b(), [..] + [..] */
	if (t.type == TOKEN_STRING || is_sign(&t, "[")) {
		struct token after = next(s);

		if (after.type == TOKEN_NAME || after.type == TOKEN_STRING ||
		    (after.type == TOKEN_SIGN && strchr("%+.([", *after.text)))
			program(s, &after);
		else if (after.type == TOKEN_SIGN)
			fail(s, &after, "syntax", "each setting has a line of its own",
			     "'%c' behind the value", *after.text);
	}
}

static bool is_statement(const struct token *t)
{
	static const char *const words[] = {
		"import", "from", "def",   "class", "if",     "elif",   "else", "for",  "while",
		"try",    "with", "print", "exec",  "return", "global", "del",  "pass", "assert",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (is_word(t, words[i]))
			return true;
	return false;
}

static void scan_statement(struct scan *s, const struct token *first)
{
	struct token t = next(s);

	if (is_sign(&t, "=") || is_sign(&t, "+=")) {
		/* xl's names are small; others can only be a program's. */
		for (size_t i = 0; i < first->n; i++)
			if (isupper((unsigned char)first->text[i]) || *first->text == '_') {
				program(s, first);
				return;
			}
		scan_setting(s, first, is_sign(&t, "+="));
	} else if (is_statement(first) || is_sign(&t, "(") || is_sign(&t, ".") ||
		   is_sign(&t, "[")) {
		program(s, first);
	} else if (t.type == TOKEN_NAME) {
		fail(s, first, "syntax", SETTING, "'%.*s' is no setting",
		     (int)MIN_OF(first->n, NEAR_MAX), shown(s, first));
	}
}

/* Files of another kind, told by their first sign. */
static bool other_kind(struct scan *s, const struct token *t)
{
	struct token name, end;

	if (is_sign(t, "<")) {
		fail(s, t, "syntax",
		     "of libvirt's domains 'virsh -c xen:/// domxml-to-native xen-xl FILE' writes what xl reads",
		     "this is XML; import takes configurations of xm and xl");
		return true;
	}
	if (!is_sign(t, "["))
		return false;
	name = next(s);
	end = next(s);
	if (name.type == TOKEN_NAME && is_sign(&end, "]"))
		fail(s, t, "syntax", SETTING, "configurations of xm and xl have no sections");
	return s->failed;
}

static void scan_all(struct scan *s)
{
	while (!s->failed) {
		struct token t = next(s);

		if (t.type == TOKEN_END)
			return;
		if (s->cfg->n == 0 && other_kind(s, &t))
			return;
		if (t.type == TOKEN_NAME)
			scan_statement(s, &t);
		/* Of what remains of a line that is no setting libxlutil says what is wrong. */
		while (!s->failed && t.type != TOKEN_LINE && t.type != TOKEN_END &&
		       t.type != TOKEN_NAME)
			t = next(s);
	}
}

/* --- libxlutil --- */

/* bison's words for tokens. */
static const char *spoken(struct arena *a, const char *msg)
{
	static const char *const words[][2] = {
		{"IDENT", "a name"},
		{"STRING", "a text in quotes"},
		{"NUMBER", "a number"},
		{"NEWLINE", "the end of the line"},
		{"$end", "the end of the file"},
		{"syntax error, ", ""},
		{"unexpected ", ""},
		{", expecting ", " where there should be "},
	};
	_cleanup_str_ struct str b = {0};

	while (*msg) {
		size_t i = 0;

		while (i < ARRAY_SIZE(words) && !startswith(msg, words[i][0]))
			i++;
		if (i < ARRAY_SIZE(words)) {
			str_add(&b, words[i][1]);
			msg += strlen(words[i][0]);
		} else {
			str_addc(&b, *msg++);
		}
	}
	return arena_strdup(a, str_get(&b));
}

/* "F:3: config parsing error near `x': syntax error, unexpected IDENT, expecting '='" */
static void explain(struct scan *s, const char *report)
{
	const char *near = strstr(report, " near "), *at = NULL, *line;
	const char *msg = near ? strstr(near, ": ") : NULL;
	const char *colon = strchr(report, ':');
	struct token t = {.n = 1};
	int64_t number = 1;
	size_t n = 0, size = 0;

	if (colon) {
		_cleanup_(freep) char *digits = strndup(colon + 1, strcspn(colon + 1, ":"));

		if (!digits || num_parse_int(digits, 1, UINT32_MAX, &number) < 0)
			number = 1;
	}
	if (near && startswith(near + 6, "<newline>"))
		number++; /* it is one off there */
	if (near && near[6] == '`') {
		/* What it quotes may hold anything, quotes and colons too. */
		near += 7;
		while (near[n] && !startswith(near + n, "': "))
			n++;
		msg = near[n] ? near + n + 1 : NULL;
	}
	line = source_line(s->cfg->source, (unsigned)number, &size);
	while (!line && number > 1)
		line = source_line(s->cfg->source, (unsigned)--number, &size);
	t.line = (unsigned)number;
	t.start = t.text = line ? line - s->cfg->source->text + s->text : s->text;
	if (line && n)
		at = memmem(t.start, size, near, n);
	if (at) {
		t.text = at;
		t.n = n;
	} else {
		t.n = size;
	}
	msg = msg ? arena_strndup(s->a, msg + 2, strcspn(msg + 2, "\n")) : "no configuration";
	if (strstr(msg, "lexical error"))
		fail(s, &t, "syntax", SETTING, "xl can't read '%.*s'",
		     (int)MIN_OF(at ? n : 0, NEAR_MAX), shown(s, &t));
	else
		fail(s, &t, "syntax", SETTING, "%s", spoken(s->a, msg));
}

static bool text_ok(struct scan *s, const char *text, struct span span)
{
	for (size_t n = strlen(text); n;) {
		uint32_t cp;
		size_t k = text_decode(text, n, &cp);

		if (cp == TEXT_INVALID || !text_printable(cp)) {
			diag_error(s->d, cp == TEXT_INVALID ? "invalid-utf8" : "control-character",
				   span,
				   cp == TEXT_INVALID ? "what stands here is not UTF-8 text"
						      : "a character that can't be seen");
			s->failed = true;
			return false;
		}
		text += k;
		n -= k;
	}
	return true;
}

static void read_list(struct scan *s, XLU_Config *x, struct xl_setting *set)
{
	XLU_ConfigList *list = NULL;
	int n = 0;

	if (xlu_cfg_get_list(x, set->name, &list, &n, 1))
		return;
	while (set->n < (size_t)n) {
		set->items = arena_grow(s->a, set->items, set->n, sizeof(*set->items));
		set->items[set->n++] = (struct xl_item){.span = set->span};
	}
	set->n = (size_t)n;
	for (int i = 0; i < n; i++) {
		const char *text = xlu_cfg_get_listitem(list, i);

		set->items[i].text = arena_strdup(s->a, text);
		if (text && !text_ok(s, text, set->items[i].span))
			return;
	}
}

static void read_values(struct scan *s, XLU_Config *x)
{
	for (size_t i = 0; i < s->cfg->n && !s->failed; i++) {
		struct xl_setting *set = &s->cfg->list[i];
		const char *text;

		if (set->overruled)
			continue;
		if (xlu_cfg_get_string(x, set->name, &text, 1)) {
			read_list(s, x, set);
			continue;
		}
		set->n = 0;
		set->text = arena_strdup(s->a, text);
		text_ok(s, text, set->span);
	}
}

static void read_all(struct scan *s, const char *text, size_t n)
{
	_cleanup_(freep) char *report = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&report, &size);
	XLU_Config *x = f ? xlu_cfg_init(f, "F") : NULL;
	int r = x ? xlu_cfg_readdata(x, text, (int)n) : ENOMEM;

	if (r == 0)
		read_values(s, x);
	xlu_cfg_destroy(x);
	if (f)
		fclose(f);
	if (r)
		explain(s, report ? report : "");
}

/* --- the whole --- */

/* Behind each "passwd", in quotes or not. */
static void hide(char *text)
{
	for (char *p = text; (p = strcasestr(p, "passwd"));) {
		char end[] = ",'\"\n", *stop;

		p += strlen("passwd");
		p += strspn(p, " \t");
		if (*p != '=')
			continue;
		p += 1 + strspn(p + 1, " \t");
		if (*p == '"' || *p == '\'') {
			end[0] = *p++;
			end[1] = '\n';
			end[2] = '\0';
		}
		stop = p + strcspn(p, end);
		memset(p, '*', (size_t)(stop - p));
		p = stop;
	}
}

static int refuse(struct diags *d, const struct source *source, const char *why)
{
	struct span span = {source, 1, 1, 1, 2};

	diag_error(d, "not-a-configuration", span, "%s", why);
	return -EINVAL;
}

int xl_cfg_read(const char *name, const char *text, size_t n, struct diags *d, struct xl_cfg *ret)
{
	struct arena *a = d->arena;
	struct source *source = arena_alloc(a, sizeof(*source));
	struct xl_cfg cfg = {.source = source};
	struct scan s = {.d = d, .a = a, .cfg = &cfg, .line = 1};
	char *shown, *work;

	*source = (struct source){.name = arena_strdup(a, name), .text = ""};
	if (n > XL_CFG_MAX)
		return refuse(d, source, "too large for a domain's configuration");
	if (memchr(text, '\0', n))
		return refuse(d, source, "no text: it holds a zero byte");
	shown = arena_strndup(a, text, n);
	hide(shown);
	source->text = shown;
	source->size = n;
	/* As xl wants it: lines end with one newline, the last one too. Places stay. */
	work = arena_printf(a, "%.*s\n", (int)n, text);
	for (char *p = work; *p; p++)
		if (*p == '\r')
			*p = p[1] == '\n' ? ' ' : '\n';
	s.text = s.p = s.start = work;
	s.end = work + n + 1;
	if (startswith(work, BOM)) {
		memset(work, ' ', strlen(BOM));
		s.p = s.start = work + strlen(BOM);
	}
	scan_all(&s);
	if (!s.failed)
		read_all(&s, work, n + 1);
	if (s.failed)
		return -EINVAL;
	if (cfg.n == 0)
		return refuse(d, source, "no setting stands in it: NAME = VALUE");
	*ret = cfg;
	return 0;
}

struct xl_setting *xl_cfg_find(const struct xl_cfg *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (!c->list[i].overruled && streq(c->list[i].name, name))
			return &c->list[i];
	return NULL;
}

/* --- disks --- */

static const char *format_word(libxl_disk_format format)
{
	switch (format) {
	case LIBXL_DISK_FORMAT_QCOW:
		return "qcow";
	case LIBXL_DISK_FORMAT_QCOW2:
		return "qcow2";
	case LIBXL_DISK_FORMAT_VHD:
		return "vhd";
	case LIBXL_DISK_FORMAT_QED:
		return "qed";
	case LIBXL_DISK_FORMAT_EMPTY:
		return "empty";
	default:
		return "raw";
	}
}

int xl_disk_parse(struct arena *a, const char *text, struct xl_disk *ret, struct err *e)
{
	_cleanup_(freep) char *report = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&report, &size);
	XLU_Config *x = f ? xlu_cfg_init(f, "F") : NULL;
	libxl_device_disk disk;
	int r = ENOMEM;

	libxl_device_disk_init(&disk);
	if (x)
		r = xlu_disk_parse(x, 1, &text, &disk);
	if (r == 0)
		*ret = (struct xl_disk){
			.target = disk.pdev_path ? arena_strdup(a, disk.pdev_path) : "",
			.vdev = disk.vdev ? arena_strdup(a, disk.vdev) : "",
			.format = format_word(disk.format),
			.script = arena_strdup(a, disk.script),
			.backend = arena_strdup(a, disk.backend_domname),
			.cdrom = disk.is_cdrom,
			.read_only = !disk.readwrite,
		};
	libxl_device_disk_dispose(&disk);
	xlu_cfg_destroy(x);
	if (f)
		fclose(f);
	if (r) {
		/* "F: config parsing error in disk specification: no vdev specified in `foo'" */
		const char *why = report ? strstr(report, "specification: ") : NULL;

		const char *end;

		why = why ? why + strlen("specification: ") : "not understood";
		end = strstr(why, " in `");
		size = end ? (size_t)(end - why) : strlen(why);
		return err_set(e, -EINVAL, "%.*s", (int)MIN_OF(size, strcspn(why, ":\n")), why);
	}
	return 0;
}
