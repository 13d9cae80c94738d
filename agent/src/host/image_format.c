/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Formats by their magic numbers (qcow2: docs/interop/qcow2.txt of QEMU; VMDK: "Virtual Disk Format 5.0",
 * VMware; VHD: "Virtual Hard Disk Image Format Specification"; tar: POSIX pax, "ustar Interchange Format").
 */
#include "host/image_format.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

const char *const image_format_words[] = {"auto", "raw", "tar",  "qcow2",
					  "vmdk", "vhd", "vhdx", NULL};

static const struct image_kind raw = {IMAGE_RAW, "a raw image"}, tar = {IMAGE_TAR, "a tar archive"},
			       page = {IMAGE_OTHER, "a web page"};

static const struct {
	size_t at;
	const char *magic;
	size_t n;
	struct image_kind kind;
} known[] = {
	{0, "QFI\xfb", 4, {IMAGE_QCOW2, "a qcow2 image"}},
	{0, "KDMV", 4, {IMAGE_VMDK, "a VMDK image"}},
	{0, "vhdxfile", 8, {IMAGE_VHDX, "a VHDX image"}},
	{0, "conectix", 8, {IMAGE_VHD, "a VHD image"}},
	{0, "# Disk DescriptorFile", 21, {IMAGE_OTHER, "a VMDK description, without its disk"}},
	{0x40, "\x7f\x10\xda\xbe", 4, {IMAGE_OTHER, "a VDI image"}},
	{0, "PK\x03\x04", 4, {IMAGE_OTHER, "a zip archive"}},
	{0, "7z\xbc\xaf\x27\x1c", 6, {IMAGE_OTHER, "a 7z archive"}},
	/* What is seen here was unpacked already. */
	{0, "\x1f\x8b\x08", 3, {IMAGE_OTHER, "a packed file (gzip) within another"}},
	{0, "BZh", 3, {IMAGE_OTHER, "a packed file (bzip2) within another"}},
	{0, "\xfd\x37zXZ\0", 6, {IMAGE_OTHER, "a packed file (xz) within another"}},
	{0, "\x28\xb5\x2f\xfd", 4, {IMAGE_OTHER, "a packed file (zstd) within another"}},
	{0, "\x04\x22\x4d\x18", 4, {IMAGE_OTHER, "a packed file (lz4) within another"}},
	{257, "ustar", 5, {IMAGE_TAR, "a tar archive"}},
};

/* A tar header's own sum: of all its bytes, itself taken for spaces. */
static bool is_tar(const char *h, size_t n)
{
	unsigned sum = 0, says = 0;

	if (n < 512 || h[0] == 0)
		return false;
	for (size_t i = 0; i < 512; i++)
		sum += i >= 148 && i < 156 ? ' ' : (unsigned char)h[i];
	for (size_t i = 148; i < 156 && (h[i] == ' ' || isdigit((unsigned char)h[i])); i++)
		says = h[i] == ' ' ? says : says * 8 + (unsigned)(h[i] - '0');
	return says == sum;
}

const struct image_kind *format_of(const char *head, size_t n)
{
	if (is_tar(head, n))
		return &tar;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (n >= known[i].at + known[i].n &&
		    memcmp(head + known[i].at, known[i].magic, known[i].n) == 0)
			return &known[i].kind;
	return format_web_page(head, n) ? &page : &raw;
}

const char *format_words(enum image_format f)
{
	if (f == IMAGE_RAW)
		return raw.what;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].kind.format == f)
			return known[i].kind.what;
	return "an image";
}

bool format_web_page(const char *head, size_t n)
{
	static const char *const words[] = {"<!doctype html", "<html", "<head", "<?xml"};
	size_t at = 0;

	if (n >= 3 && memcmp(head, "\xef\xbb\xbf", 3) == 0)
		at = 3;
	while (at < n && strchr(" \t\r\n", head[at]) && head[at])
		at++;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t l = strlen(words[i]);

		if (n - at >= l && strncasecmp(head + at, words[i], l) == 0)
			return true;
	}
	return false;
}

static uint64_t number(const char *p, size_t n, bool big)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | (unsigned char)p[big ? i : n - 1 - i];
	return v;
}

int format_alone(enum image_format f, const char *head, size_t n, struct err *e)
{
	err_help(e, "qemu-img convert makes one file of it, on a host that you trust it on");
	switch (f) {
	case IMAGE_QCOW2:
		if (n < 72)
			return err_set(e, -EILSEQ, "it is a qcow2 image, cut short in its header");
		if (number(head + 8, 8, true) != 0)
			return err_set(e, -EILSEQ, "it is a qcow2 image with a backing file");
		if (number(head + 4, 4, true) >= 3 && n >= 80 && number(head + 72, 8, true) & 4)
			return err_set(e, -EILSEQ,
				       "it is a qcow2 image with an external data file");
		break;
	case IMAGE_VMDK: /* without a capacity the description in it names its parts */
		if (n < 20 || number(head + 12, 8, false) == 0)
			return err_set(e, -EILSEQ, "it is a VMDK image made of several files");
		break;
	case IMAGE_VHD: /* the disk's type: 4 is a differencing one */
		if (n >= 64 && memcmp(head, "conectix", 8) == 0 && number(head + 60, 4, true) == 4)
			return err_set(e, -EILSEQ, "it is a VHD image with a parent");
		break;
	default:
		break;
	}
	if (e) {
		free(e->help);
		e->help = NULL;
	}
	return 0;
}
