/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One pass in three threads: fetching and hashing (host/fetch.h) → unpacking and looking for zeros, here
 * → writing (host/image_sparse.h). What qemu-img must convert is unpacked into a nameless file first, and
 * is converted only when its digest is right.
 */
#include "host/image.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/num.h"
#include "host/fetch.h"
#include "host/image_convert.h"
#include "host/image_format.h"
#include "host/image_sparse.h"
#include "host/image_tar.h"

#define BLOCKS        8
#define ANEW          2 /* times to begin anew with a file that changes under us */
#define MEMBERS_MAX   16
#define SECTOR        512u
#define SCRATCH_SLACK (UINT64_C(1) << 30)

const char *image_scratch_dir = "/var/lib/manor";

/* One target. */
struct out {
	const struct image_request *q;
	struct sparse *w;
	bool begun;
	uint64_t max, end; /* of the bytes so far */
	uint64_t planned;  /* what the target was made for; never over max */
	struct image_result *result;
};

struct round {
	const struct image_request *q;
	struct out *outs;
	size_t n;

	struct fetch *fetch;
	struct queue *queue;
	pthread_t thread;
	int failed;       /* fetch's verdict */
	struct err error; /* with its words */
	bool web_page;
	bool stopped; /* by who asked for it */

	enum image_format convert; /* IMAGE_AUTO: nothing to convert */
	int scratch;
	uint64_t scratch_written;
};

static void *fetch_all(void *data)
{
	struct round *c = data;
	struct block *b;
	bool more = true;

	while (more && c->failed == 0 && (b = queue_blank(c->queue))) {
		while (more && c->failed == 0 && b->n < BLOCK_BYTES && b->hole == 0) {
			size_t n = 0;

			c->failed = fetch_read(c->fetch, b->data + b->n, BLOCK_BYTES - b->n, &n,
					       &b->hole, &c->error);
			b->n += n;
			more = n > 0 || b->hole > 0;
		}
		if (c->failed == 0 && (b->n > 0 || b->hole > 0))
			queue_put(c->queue, b);
		else
			queue_back(c->queue, b);
	}
	queue_end(c->queue);
	return NULL;
}

static int too_large(const struct out *o, struct err *e)
{
	char size[NUM_TEXT];

	err_help(e, "`size` of the file is the limit; without it %s", num_size(size, IMAGE_MAX));
	return err_set(e, -EFBIG, "the image is larger than it may be (%s)",
		       num_size(size, o->max));
}

/* `size`: what will come, as far as is known; 0: not. */
static int out_begin(void *data, uint64_t size, struct err *e)
{
	struct out *o = data;
	struct sparse_request sq = {
		.target = o->q->target, .room = o->q->room, .volatile_ = o->q->volatile_};
	char text[NUM_TEXT], most[NUM_TEXT];
	int r;

	if (size > o->max)
		return err_set(e, -EFBIG, "the image is larger than it may be (%s, at most %s)",
			       num_size(text, size), num_size(most, o->max));
	o->planned = size ? size : o->max;
	r = o->q->ready ? o->q->ready(o->q->data, o->planned, e) : 0;
	o->begun = true;
	return r < 0 ? r : sparse_open(&sq, &o->w, e);
}

static int out_reach(struct out *o, uint64_t end, struct err *e)
{
	int r = 0;

	if (end > o->max)
		return too_large(o, e);
	if (end > o->planned) {
		r = o->q->ready ? o->q->ready(o->q->data, o->max, e) : 0;
		o->planned = o->max;
	}
	o->end = MAX_OF(o->end, end);
	return r;
}

static int out_put(void *data, uint64_t to, const void *p, size_t n, struct err *e)
{
	struct out *o = data;
	const struct image_kind *is = to == 0 ? format_of(p, n) : NULL;
	int r;

	/* What came out of an archive was seen by nobody else. */
	if (is && is->format != IMAGE_RAW && o->q->member && !o->q->as_is)
		return err_set(e, -EILSEQ, "member '%s' is %s, not a raw image", o->q->member,
			       is->what);
	r = to > o->max || n > o->max - to ? too_large(o, e) : out_reach(o, to + n, e);

	return r < 0 ? r : sparse_put(o->w, to, p, n, e);
}

static int out_end(void *data, uint64_t size, struct err *e)
{
	struct out *o = data;
	int r = out_reach(o, size, e);

	if (r < 0)
		return r;
	if (size == 0)
		return err_set(e, -EILSEQ, "it is empty");
	o->result->size = size;
	return sparse_finish(o->w, size, &o->result->written, e);
}

static int copy_raw(struct unpack *u, struct out *o, uint64_t size, struct err *e)
{
	uint64_t to = 0, hole;
	const void *p;
	size_t n;
	int r = out_begin(o, size, e);

	while (r == 0) {
		r = unpack_read(u, &p, &n, &hole, e);
		if (r < 0)
			break;
		if (n == 0 && hole == 0)
			return out_end(o, to, e);
		if (n > 0)
			r = out_put(o, to, p, n, e);
		to += n + hole;
		if (r == 0 && hole > 0)
			r = out_reach(o, to, e);
	}
	return r;
}

static int copy_members(struct round *c, struct unpack *u, struct err *e)
{
	struct tar_wanted wanted[MEMBERS_MAX];

	for (size_t i = 0; i < c->n; i++)
		wanted[i] = (struct tar_wanted){
			.member = c->outs[i].q->member,
			.begin = out_begin,
			.put = out_put,
			.end = out_end,
			.data = &c->outs[i],
		};
	return tar_read(u, wanted, c->n, e);
}

static bool of_content(int r)
{
	return r == -EILSEQ || r == -EMEDIUMTYPE || r == -ENXIO;
}

/* Into the scratch file, to be converted from there. */
static int copy_scratch(struct round *c, struct unpack *u, enum image_format f, struct err *e)
{
	const struct out *o = &c->outs[0];
	struct image_request q = {.volatile_ = true};
	struct image_result result = {0};
	struct out scratch = {
		.q = &q,
		.max = MIN_OF(o->max * 2 + SCRATCH_SLACK, IMAGE_MAX),
		.result = &result,
	};
	const char *head;
	char path[32];
	size_t n;
	int r;

	head = unpack_head(u, &n);
	r = format_alone(f, head, n, e);
	if (r == 0)
		r = convert_ready(e);
	if (r == 0)
		r = convert_scratch(image_scratch_dir, &c->scratch, path, e);
	if (r < 0)
		return r;
	q.target = path;
	r = copy_raw(u, &scratch, unpack_size(u), e);
	sparse_free(scratch.w);
	if (r < 0 && r != -ECANCELED && !of_content(r))
		err_wrap(e, "unpack it to a temporary file in %s", image_scratch_dir);
	c->convert = f;
	c->scratch_written = result.written;
	return r;
}

static int convert(struct round *c, struct err *e)
{
	struct out *o = &c->outs[0];
	uint64_t size = 0;
	int r = convert_size(c->scratch, c->convert, &size, e);

	if (r < 0)
		return r;
	if (size > o->max)
		return too_large(o, e);
	r = o->q->ready ? o->q->ready(o->q->data, size, e) : 0;
	o->begun = true;
	if (r == 0)
		r = convert_write(c->scratch, c->convert, o->q->target, size, e);
	o->result->size = size;
	o->result->written = c->scratch_written;
	return r;
}

/* What it is to be taken for: what the manifest says, unless the content says otherwise. */
static int choose(const struct round *c, const struct image_kind *is, enum image_format *ret,
		  struct err *e)
{
	const struct image_request *q = c->q;
	enum image_format says = q->member ? IMAGE_TAR : q->format;

	if (is->format == IMAGE_OTHER) {
		err_help(e,
			 "a disk's file is a raw image, compressed or not; qemu-img convert -O raw "
			 "makes one");
		return err_set(e, -EILSEQ, "it is %s, not a disk image", is->what);
	}
	*ret = says ? says : is->format;
	/* A fixed VHD has its mark at its end only. */
	if (!says || says == is->format || (says == IMAGE_VHD && is->format == IMAGE_RAW))
		return 0;
	if (q->member)
		return err_set(e, -EMEDIUMTYPE, "`member` takes it for a tar archive, but it is %s",
			       is->what);
	return err_set(e, -EMEDIUMTYPE, "`format` says %s, but it is %s", image_format_words[says],
		       is->what);
}

/* A tar archive, and nobody said which file of it: an error that names them. */
static int which_member(struct unpack *u, struct err *e)
{
	struct tar_wanted none = {.member = "the one for this disk"};
	int r = tar_read(u, &none, 1, e);

	if (r == -ENXIO)
		err_set(e, r, "it is a tar archive, and no `member` says which file of it");
	return r;
}

static bool on_taken(void *data, uint64_t n)
{
	struct round *c = data;

	if (c->q->progress)
		c->q->progress(c->q->data, n, fetch_total(c->fetch));
	c->stopped = c->stopped || (c->q->go_on && !c->q->go_on(c->q->data));
	return !c->stopped;
}

static int write_content(struct round *c, struct unpack *u, struct err *e)
{
	enum image_format f = IMAGE_RAW;
	uint64_t size;
	const char *head;
	size_t n;
	int r;

	head = unpack_packed(u, &n);
	c->web_page = format_web_page(head, n);
	if (c->web_page)
		return -EILSEQ;
	size = unpack_is_packed(u) ? unpack_size(u) : fetch_total(c->fetch);
	if (c->q->as_is && !c->q->member)
		return copy_raw(u, &c->outs[0], size, e);
	head = unpack_head(u, &n);
	r = choose(c, format_of(head, n), &f, e);
	if (r < 0)
		return r;
	if (f == IMAGE_RAW && !unpack_is_packed(u) && n > 0 && n < SECTOR) {
		err_help(e, "it is what a download that was cut off leaves, or a text");
		return err_set(e, -EILSEQ, "it is too short for a disk (%zu bytes)", n);
	}
	if (f == IMAGE_TAR)
		return c->q->member ? copy_members(c, u, e) : which_member(u, e);
	return f == IMAGE_RAW ? copy_raw(u, &c->outs[0], size, e) : copy_scratch(c, u, f, e);
}

static int wrong_digest(const struct round *c, const char *digest, struct err *e)
{
	if (startswith(fetch_type(c->fetch), "text/html"))
		err_help(
			e,
			"the server calls it a web page (text/html): the url must lead to the file "
			"itself");
	else
		err_help(
			e,
			"if the file was meant to change, write this digest; nothing of it is kept");
	return err_set(e, -EBADMSG, "%s is not the file asked for: its %s is %s",
		       fetch_shown(c->fetch), c->q->sha512 ? "sha512" : "sha256", digest);
}

/* All was fetched: `r` says what became of it, the digest whether that matters. */
static int verify(struct round *c, int r, struct err *e)
{
	char digest[HASH_TEXT];

	fetch_digest(c->fetch, digest);
	if (!streq(digest, c->q->sha512 ? c->q->sha512 : c->q->sha256)) {
		if (e)
			err_done(e);
		return wrong_digest(c, digest, e);
	}
	if (r == 0 && c->convert)
		r = convert(c, e);
	if (of_content(r)) {
		if (e && !e->help)
			err_help(
				e,
				"the file is as its digest says, so it was published like that: cut "
				"short, or not an image");
		err_wrap(e, "%s", fetch_shown(c->fetch));
	}
	return r;
}

static int run(struct round *c, struct err *e)
{
	_cleanup_unpack_ struct unpack *u = NULL;
	struct unpack_request uq = {
		.from = c->queue,
		.failed = &c->failed,
		.as_is = c->q->as_is && !c->q->member,
		.taken = on_taken,
		.data = c,
	};
	bool whole;
	int r;

	r = thread_start(&c->thread, fetch_all, c);
	if (r < 0)
		return err_errno(e, r, "start a thread");
	r = unpack_open(&uq, &u, e);
	if (r == 0)
		r = write_content(c, u, e);
	/* Whether it is broken or simply another file is what its digest says; so read on. */
	whole = (r == 0 || of_content(r)) && !c->web_page;
	if (whole)
		unpack_rest(u);
	if (!whole || c->stopped) {
		fetch_stop(c->fetch);
		queue_leave(c->queue);
	}
	pthread_join(c->thread, NULL);
	if (c->stopped)
		return err_set(e, -ECANCELED, "interrupted");
	if (c->web_page) {
		err_help(e,
			 "the url must lead to the file itself; see it in a browser, or with curl");
		return err_set(e, -EILSEQ, "%s gives a web page, not an image",
			       fetch_shown(c->fetch));
	}
	if (c->failed < 0 && (whole || r == -ECANCELED)) {
		err_move(e, &c->error);
		return c->failed;
	}
	return whole ? verify(c, r, e) : r;
}

/* From source `first` on; *ret_source is the one it came to. */
static int one_round(const struct image_request *q, struct out *outs, size_t n, size_t first,
		     size_t *ret_source, struct err *e)
{
	struct fetch_request fq = {
		.url = q->url,
		.mirrors = q->mirrors,
		.n_mirrors = q->n_mirrors,
		.first = first,
		.hash = q->sha512 ? HASH_SHA512 : HASH_SHA256,
		.ca = q->ca,
		.time_limit_s = q->time_limit_s,
		.slow_s = q->slow_s,
		.max = q->as_is && !q->member && q->max_size ? q->max_size : IMAGE_MAX,
		.backoff_ms = q->backoff_ms,
	};
	_cleanup_fetch_ struct fetch *fetch = NULL;
	_cleanup_(closep) int scratch = -1;
	struct round c = {.q = q, .outs = outs, .n = n, .scratch = -1};
	int r;

	r = fetch_open(&fq, &fetch, e);
	if (r < 0)
		return r;
	c.fetch = fetch;
	c.queue = queue_new(BLOCKS);
	r = run(&c, e);
	scratch = c.scratch;
	err_done(&c.error);
	for (size_t i = 0; i < n; i++) {
		sparse_free(outs[i].w);
		outs[i].w = NULL;
		outs[i].result->downloaded = fetch_done(fetch);
	}
	queue_free(c.queue);
	*ret_source = fetch_source(fetch);
	return r;
}

/* As it was before anything was written. */
static int reset(struct out *o, struct err *e)
{
	struct stat st;
	int r = 0;

	if (!o->begun)
		return 0;
	if (o->q->again)
		r = o->q->again(o->q->data, e);
	else if (stat(o->q->target, &st) < 0 || !S_ISREG(st.st_mode) ||
		 truncate(o->q->target, 0) < 0)
		r = err_set(e, -ESTALE, "%s can't be made empty, to begin anew", o->q->target);
	o->begun = false;
	o->end = o->planned = 0;
	return r;
}

int image_write(const struct image_request *q, struct image_result *ret, struct err *e)
{
	struct image_result results[MEMBERS_MAX] = {0};
	_cleanup_err_ struct err first_error = {0};
	struct out outs[MEMBERS_MAX];
	size_t n = 0, source = 0, anew = 0;
	bool wrong = false;
	int r;

	for (const struct image_request *m = q; m; m = m->also) {
		if (n == MEMBERS_MAX || (n > 0 && !m->member) ||
		    (m->member && !tar_name_ok(m->member)))
			return err_set(e, -EINVAL, "that can't be asked for at once");
		outs[n] = (struct out){.q = m,
				       .max = m->max_size ? m->max_size : IMAGE_MAX,
				       .result = &results[n]};
		n++;
	}
	for (;;) {
		_cleanup_err_ struct err own = {0};
		size_t first = source;

		r = one_round(q, outs, n, first, &source, &own);
		if (r == 0)
			break;
		if (wrong) { /* that is what is wrong first of all */
			if (own.message)
				err_help(&first_error, "no mirror helped; of the last: %s",
					 own.message);
			err_done(&own);
		}
		if (r == -EBADMSG && source < q->n_mirrors) {
			if (!wrong)
				err_move(&first_error, &own);
			wrong = true;
			source++;
		} else if (r == -ESTALE && anew++ < ANEW) {
			log_debug("%s; begun anew", own.message ? own.message : "it changed");
		} else {
			err_move(e, wrong ? &first_error : &own);
			return wrong ? -EBADMSG : r;
		}
		for (size_t i = 0; i < n; i++) {
			r = reset(&outs[i], e);
			if (r < 0)
				return r;
		}
	}
	memcpy(ret, results, n * sizeof(*ret));
	return 0;
}
