/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What ci/bench-images measures: Manor's own ways of writing images, without a host around them.
 *
 *   bench_image import URL SHA256 TARGET     fetch, verify, unpack, write sparsely
 *   bench_image copy FROM TARGET             a sparse file to another
 *
 * Prints "WRITTEN PEAK": bytes written, and the most memory it had, in KiB. SYNC=1: onto stable storage,
 * which those it is measured against don't wait for.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>

#include "host/image.h"
#include "host/image_copy.h"

int main(int argc, char **argv)
{
	bool import = argc == 5 && streq(argv[1], "import");
	_cleanup_err_ struct err e = {0};
	struct image_result result = {0};
	struct image_request q = {0};
	struct rusage usage;
	const char *sync = getenv("SYNC");
	int fd, r;

	if (!import && !(argc == 4 && streq(argv[1], "copy"))) {
		fprintf(stderr, "bench_image import URL SHA256 TARGET | copy FROM TARGET\n");
		return 2;
	}
	fd = open(argv[argc - 1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		perror(argv[argc - 1]);
		return 1;
	}
	close(fd);
	if (import) {
		q.url = argv[2];
		q.sha256 = argv[3];
		q.target = argv[4];
		q.volatile_ = !streq(sync, "1");
		r = image_write(&q, &result, &e);
	} else {
		struct copy_request copy = {
			.from = argv[2], .target = argv[3], .volatile_ = !streq(sync, "1")};

		r = image_copy(&copy, &result.written, &e);
	}
	if (r < 0) {
		fprintf(stderr, "bench_image: %s\n", e.message);
		return 1;
	}
	getrusage(RUSAGE_SELF, &usage);
	printf("%llu %ld\n", (unsigned long long)result.written, usage.ru_maxrss);
	return 0;
}
