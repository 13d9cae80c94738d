/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What tests of fetching fetch: a disk with holes, packed in any way, served by the web server of
 * httpd.h. In a header, for each test is one program of one source.
 */
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdint.h>

#include "base/file.h"
#include "base/ident.h"
#include "host/image.h"
#include "tests/unit/httpd.h"

#define KIB 1024u
#define MIB (1024u * KIB)

static char dir[] = "/tmp/manor-image-XXXXXX";
static char url[64];

/* A disk of 5 MiB and a bit: noise, a hole of 3 MiB, a little noise in a chunk of zeros, a ragged end. */
#define DISK      (5 * MIB + 700)
#define DISK_DATA (1 * MIB + 4 * KIB + 64 * KIB + 700)
static char disk[DISK];

static inline void noise(char *p, size_t n)
{
	static uint32_t x = 2463534242;

	for (size_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		p[i] = (char)x;
	}
}

struct blob {
	char *data;
	size_t n, cap;
};

static inline void blob_freep(struct blob *b)
{
	httpd_serve(NULL); /* it may be on its way still, to one who has gone */
	free(b->data);
}

static inline la_ssize_t blob_write(struct archive *a, void *data, const void *p, size_t n)
{
	struct blob *b = data;

	if (b->n + n > b->cap) {
		b->cap = (b->n + n) * 2;
		b->data = xrealloc(b->data, b->cap, 1);
	}
	memcpy(b->data + b->n, p, n);
	b->n += n;
	return (la_ssize_t)n;
}

/* `filter`: an ARCHIVE_FILTER_… */
static inline struct blob pack(const char *data, size_t n, int filter)
{
	struct archive *a = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	struct blob b = {0};

	assert_int_equal(archive_write_add_filter(a, filter), ARCHIVE_OK);
	archive_write_set_format_raw(a);
	archive_write_set_bytes_per_block(a, 0);
	archive_write_open(a, &b, NULL, blob_write, NULL);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_write_header(a, entry);
	assert_int_equal(archive_write_data(a, data, n), n);
	archive_entry_free(entry);
	archive_write_free(a);
	return b;
}

static inline const char *digest_of(const char *data, size_t n)
{
	static char text[SHA256_TEXT];

	sha256_of(data, n, text);
	return text;
}

static inline const char *target_path(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/target", dir);
	return path;
}

/* A fresh, empty target. */
static inline const char *target(void)
{
	int fd = open(target_path(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
	return target_path();
}

static inline void target_is(const char *data, size_t n)
{
	_cleanup_(freep) char *is = NULL;
	size_t n_is;

	assert_int_equal(file_read(target_path(), 64 * MIB, &is, &n_is, NULL), 0);
	assert_int_equal(n_is, n);
	assert_memory_equal(is, data, n);
}

/* The disk as a file whose holes are holes. */
static inline void write_sparse(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, disk, MIB, 0), MIB);
	assert_int_equal(pwrite(fd, disk + 4 * MIB, 4 * KIB, 4 * MIB), 4 * KIB);
	assert_int_equal(pwrite(fd, disk + DISK - 700 - 64 * KIB, 64 * KIB + 700,
				DISK - 700 - 64 * KIB),
			 64 * KIB + 700);
	close(fd);
}

static inline struct image_request request(struct httpd_file *f, const char *data, size_t n)
{
	f->data = data;
	f->n = n;
	httpd_serve(f);
	return (struct image_request){
		.url = url,
		.sha256 = digest_of(data, n),
		.target = target(),
		.backoff_ms = 1,
	};
}

/* A folder and a server; the group's set-up. */
static inline int images_begin(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	noise(disk, MIB);
	disk[4 * MIB + 100] = 1;
	noise(disk + DISK - 700 - 64 * KIB, 64 * KIB + 700);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/disk.img", httpd_start());
	setenv("no_proxy", "127.0.0.1", 1);
	return 0;
}

static inline int images_end(void **state)
{
	_cleanup_(freep) char *command = xasprintf("rm -r %s", dir);

	return system(command) == 0 ? 0 : -1;
}
