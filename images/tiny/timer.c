/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * timer [PASSES]: how steady this guest's clock ticks, as telephony needs it. A timer of the kernel ticks a thousand times a
 * second (CLOCK_MONOTONIC), and this program waits for each tick. One that comes while it still waits to be run for the one
 * before is lost, as it is to whoever mixes voices: two packets then go out as one. A pass is 1024 ticks that were not lost;
 * its accuracy is how near the time that it took comes to 1024 ms, in percent. So two that were
 * lost make 99.805. One line for each pass, with the number of those, and by how much the latest tick came after its time:
 *
 *   MANOR-TIMER pass=1 accuracy=99.805 lost=2 latest_us=2087
 *
 * The last line sums up all:
 *
 *   MANOR-TIMER passes=32 best=99.998 worst=99.802 average=99.930 lost=21 latest_us=2087
 *
 * The time, as the ticks, is what Xen tells the guest. So this tells how punctually the guest is run, which is what its neighbours and its
 * share of the processors change, and not whether its second is as long as a second elsewhere.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS    1000000
#define TICKS      1024
#define PASS_NS    (INT64_C(1024) * TICK_NS)
#define PASSES     32
#define PASSES_MAX 10000
#define SECOND_NS  INT64_C(1000000000)

struct sums {
	double best, worst, all;
	uint64_t lost;
	int64_t latest_us;
};

struct timer {
	int fd;
	int64_t start;  /* nanoseconds: when the first tick is due */
	int64_t now;    /* when the last one was seen */
	uint64_t ticks; /* that were due until then */
};

static int64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND_NS + t.tv_nsec;
}

/* A line at once, for others write to the same console. */
static int say(const char *line)
{
	size_t n = strlen(line);

	return write(STDOUT_FILENO, line, n) == (ssize_t)n ? 0 : -EIO;
}

/* Waits for a tick: how many others were lost since the one before, and how late it, or the first of those, is seen. */
static int wait_tick(struct timer *t, uint64_t *ret_lost, int64_t *ret_late)
{
	uint64_t due;
	ssize_t n;

	do
		n = read(t->fd, &due, sizeof(due));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(due))
		return -EIO;
	t->now = clock_ns();
	*ret_late = t->now - t->start - (int64_t)t->ticks * TICK_NS;
	*ret_lost = due - 1;
	t->ticks += due;
	return 0;
}

/* From the tick that ended the pass before, so much too late, to the one that ends this. */
static int run_pass(struct timer *t, unsigned number, int64_t late, struct sums *s)
{
	int64_t begun = t->now, latest = late, took;
	uint64_t one, lost = 0;
	double accuracy;
	char line[128];

	for (unsigned i = 0; i < TICKS; i++) {
		if (wait_tick(t, &one, &late) < 0)
			return -EIO;
		lost += one;
		if (late > latest)
			latest = late;
	}
	took = t->now - begun;
	accuracy = 100.0 - 100.0 * (double)llabs(took - PASS_NS) / PASS_NS;
	if (accuracy < 0)
		accuracy = 0;
	if (number == 1 || accuracy > s->best)
		s->best = accuracy;
	if (number == 1 || accuracy < s->worst)
		s->worst = accuracy;
	s->all += accuracy;
	s->lost += lost;
	if (latest / 1000 > s->latest_us)
		s->latest_us = latest / 1000;
	snprintf(line, sizeof(line), "MANOR-TIMER pass=%u accuracy=%.3f lost=%llu latest_us=%lld\n",
		 number, accuracy, (unsigned long long)lost, (long long)(latest / 1000));
	return say(line);
}

static int measure(int fd, unsigned passes)
{
	struct timer t = {.fd = fd, .start = clock_ns() + TICK_NS};
	struct itimerspec every = {.it_interval = {0, TICK_NS}};
	struct sums s = {0};
	uint64_t lost;
	int64_t late;
	char line[160];

	every.it_value.tv_sec = t.start / SECOND_NS;
	every.it_value.tv_nsec = t.start % SECOND_NS;
	if (timerfd_settime(fd, TFD_TIMER_ABSTIME, &every, NULL) < 0)
		return -errno;
	/* A pass begins with a tick, as it ends with one. */
	if (wait_tick(&t, &lost, &late) < 0)
		return -EIO;
	for (unsigned i = 1; i <= passes; i++) {
		/* The last one's lateness counts for both passes that it bounds. */
		late = t.now - t.start - (int64_t)(t.ticks - 1) * TICK_NS;
		if (run_pass(&t, i, late, &s) < 0)
			return -EIO;
	}
	snprintf(
		line, sizeof(line),
		"MANOR-TIMER passes=%u best=%.3f worst=%.3f average=%.3f lost=%llu latest_us=%lld\n",
		passes, s.best, s.worst, s.all / passes, (unsigned long long)s.lost,
		(long long)s.latest_us);
	return say(line);
}

int main(int argc, char **argv)
{
	char *end = NULL;
	long passes = argc > 1 ? strtol(argv[1], &end, 10) : PASSES;
	int fd, r;

	if (argc > 2 || (end && (*end || end == argv[1])) || passes < 1 || passes > PASSES_MAX) {
		fprintf(stderr, "usage: timer [PASSES], 1 to %d of about a second each\n",
			PASSES_MAX);
		return 2;
	}
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	r = fd < 0 ? -errno : measure(fd, (unsigned)passes);
	if (r < 0)
		fprintf(stderr, "timer: %s\n", strerror(-r));
	return r < 0 ? 1 : 0;
}
