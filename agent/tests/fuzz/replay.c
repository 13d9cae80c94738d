/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * main() for fuzz targets where no fuzzer is: feeds them their corpus, one TAP line a file, and every
 * file again cut short at some places, for files are cut in real life too.
 */
#include <dirent.h>
#include <stdio.h>

#include "base/file.h"
#include "tests/fuzz/fuzz.h"

#define CUTS 16

static int feed(const char *path)
{
	_cleanup_(freep) char *data = NULL;
	size_t n, i;

	if (file_read(path, 8u << 20, &data, &n, NULL) < 0)
		return -1;
	/* A copy of the exact size each, so that reading past the end is seen. */
	for (i = 0; i <= CUTS; i++) {
		size_t cut = i == CUTS ? n : n * i / CUTS;
		_cleanup_(freep) uint8_t *part = xcalloc(1, cut ? cut : 1);

		memcpy(part, data, cut);
		LLVMFuzzerTestOneInput(part, cut);
		if (n > 100000 && i == 0)
			i = CUTS - 1; /* large ones are about size */
	}
	return 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int main(int argc, char **argv)
{
	const char *corpus = getenv("FUZZ_CORPUS"), *name = strrchr(argv[0], '/');
	_cleanup_(freep) char *dir = NULL;
	struct dirent **list;
	int n, i, count = 0, bad = 0;

	if (argc > 1)
		return feed(argv[1]) < 0;
	name = name ? name + 1 : argv[0];
	dir = xasprintf("%s/%s", corpus ? corpus : "agent/tests/fuzz/corpus",
			startswith(name, "fuzz_") ? name + 5 : name);
	n = scandir(dir, &list, NULL, by_name);
	if (n < 0) {
		printf("not ok 1 - %s can't be read\n1..1\n", dir);
		return 1;
	}
	for (i = 0; i < n; i++) {
		_cleanup_(freep) char *path = xasprintf("%s/%s", dir, list[i]->d_name);

		if (list[i]->d_name[0] != '.') {
			bool ok = feed(path) == 0;

			printf("%s %d - %s\n", ok ? "ok" : "not ok", ++count, list[i]->d_name);
			fflush(stdout);
			bad += !ok;
		}
		free(list[i]);
	}
	free(list);
	printf("1..%d\n", count);
	return bad != 0;
}
