/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The kernel out of a bzImage. Offsets are boot.rst's: the set-up code's size in sectors at 0x1f1,
 * "HdrS" at 0x202, the protocol's version at 0x206, the payload's place and length at 0x248 and
 * 0x24c (since 2.08). Behind a payload that isn't gzip stand four bytes with the unpacked size.
 */
#include "host/bzimage.h"

#include <archive.h>
#include <archive_entry.h>
#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define HEADER 0x250u

static uint32_t le32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static void archive_endp(struct archive **a)
{
	archive_read_free(*a); /* takes NULL */
}

static int write_all(int fd, const char *p, size_t n, struct err *e)
{
	while (n > 0) {
		ssize_t r = write(fd, p, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_errno(e, -errno, "write the unpacked kernel");
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

static int unpack(const unsigned char *payload, size_t n, uint64_t size, int to, struct err *e)
{
	_cleanup_(archive_endp) struct archive *a = archive_read_new();
	struct archive_entry *entry;
	uint64_t done = 0;

	if (!a)
		abort();
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_filter_lzma(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_filter_lz4(a);
	archive_read_support_format_raw(a);
	if (archive_read_open_memory(a, payload, n) != ARCHIVE_OK ||
	    archive_read_next_header(a, &entry) != ARCHIVE_OK)
		return 1;
	for (;;) {
		const void *data;
		la_int64_t at;
		size_t got;
		int r = archive_read_data_block(a, &data, &got, &at);

		if (r == ARCHIVE_EOF)
			break;
		if (r < ARCHIVE_WARN)
			return err_set(e, -EILSEQ, "the kernel's payload can't be decompressed: %s",
				       archive_error_string(a));
		/* Not an ELF file: LZO, or what is to come. The packed one does as well. */
		if (done == 0 && (got < SELFMAG || memcmp(data, ELFMAG, SELFMAG) != 0))
			return 1;
		if (got > size - done)
			return err_set(e, -EILSEQ, "the kernel's payload is larger than it says");
		r = write_all(to, data, got, e);
		if (r < 0)
			return r;
		done += got;
	}
	if (done == 0)
		return 1;
	if (done != size)
		return err_set(e, -EILSEQ, "the kernel's payload is shorter than it says");
	return 0;
}

int bzimage_unpack(int from, int to, struct err *e)
{
	const unsigned char *image;
	uint64_t start, length, size;
	struct stat st;
	int r = 1;

	if (fstat(from, &st) < 0)
		return err_errno(e, -errno, "stat the kernel");
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)HEADER ||
	    (uint64_t)st.st_size > BZIMAGE_MAX)
		return 1;
	image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, from, 0);
	if (image == MAP_FAILED)
		return err_errno(e, -errno, "map the kernel");
	if (memcmp(image + 0x202, "HdrS", 4) != 0 || (le32(image + 0x206) & 0xffff) < 0x208)
		goto out;
	/* No sectors of set-up code means four, for the oldest's sake. */
	start = ((image[0x1f1] ? image[0x1f1] : 4) + UINT64_C(1)) * 512 + le32(image + 0x248);
	length = le32(image + 0x24c);
	if (length < 8 || start > (uint64_t)st.st_size || length > (uint64_t)st.st_size - start)
		goto out;
	size = le32(image + start + length - 4);
	if (size > BZIMAGE_MAX)
		goto out;
	/* gzip's own trailer is that size; behind the others it is no part of the stream. */
	if (image[start] != 0x1f || image[start + 1] != 0x8b)
		length -= 4;
	r = unpack(image + start, (size_t)length, size, to, e);
out:
	munmap((void *)(uintptr_t)image, (size_t)st.st_size);
	return r;
}
