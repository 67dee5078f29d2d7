// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a first write to a page costs a process: after a round, which revokes write
 * access, and for comparison after /proc/self/clear_refs does the same for a memfd.
 * Then the same writes again, which cost nothing but their measuring.
 */
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "clock.h"

#define BYTES		(8 * BLOCK_BYTES)
#define PAGES		(BYTES / PAGE_BYTES)
#define THREADS_MAX	8

struct writer {
	pthread_t thread;
	size_t first, step, count;
};

static char *area;
static uint64_t first_ns[PAGES], again_ns[PAGES];
static pthread_barrier_t start;

static void write_all(const struct writer *w, uint64_t *ns)
{
	size_t i;

	for (i = 0; i < w->count; i++) {
		size_t page = w->first + i * w->step;
		uint64_t from_ns = clock_ns();

		*(volatile uint64_t *)(area + page * PAGE_BYTES) = i;
		ns[page] = clock_ns() - from_ns;
	}
}

static void *writer(void *arg)
{
	pthread_barrier_wait(&start);
	write_all(arg, first_ns);
	pthread_barrier_wait(&start);
	write_all(arg, again_ns);
	return NULL;
}

/* Each thread a part of its own, or all of them in the same blocks. */
static void write_by(unsigned int threads, bool apart)
{
	struct writer writers[THREADS_MAX];
	unsigned int i;

	pthread_barrier_init(&start, NULL, threads);
	for (i = 0; i < threads; i++) {
		writers[i].count = PAGES / threads;
		writers[i].step = apart ? 1 : threads;
		writers[i].first = apart ? i * writers[i].count : i;
		if (pthread_create(&writers[i].thread, NULL, writer, &writers[i]))
			errx(1, "cannot start thread %u of %u", i, threads);
	}
	for (i = 0; i < threads; i++)
		pthread_join(writers[i].thread, NULL);
	pthread_barrier_destroy(&start);
}

static uint64_t mean(const uint64_t *ns)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < PAGES; i++)
		sum += ns[i];
	return sum / PAGES;
}

static void tell(const char *kind, char **argv)
{
	struct value values[] = {
		{ "first_mean_ns", mean(first_ns) },
		{ "first_median_ns", percentile(first_ns, PAGES, 50) },
		{ "first_p99_ns", percentile(first_ns, PAGES, 99) },
		{ "again_median_ns", percentile(again_ns, PAGES, 50) },
		{ NULL, 0 },
	};
	char name[64];

	snprintf(name, sizeof(name), "%s, %s thread%s", kind, argv[1],
		 !strcmp(argv[1], "1") ? "" : !strcmp(argv[2], "apart") ? "s, apart" : "s, same blocks");
	sample("fault", name, values);
}

static void clear_refs(void)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "4", 1) != 1)
		err(1, "/proc/self/clear_refs");
	close(fd);
}

/* KIND THREADS apart|together ROUNDS; KIND is vmfastmig or soft-dirty. */
void faults_measure(char **argv)
{
	unsigned int threads = atoi(argv[1]), rounds = atoi(argv[3]), n;
	bool ours = !strcmp(argv[0], "vmfastmig"), apart = !strcmp(argv[2], "apart");
	struct tracking tracking = { 0 };
	struct door_stats stats;

	if (!threads || threads > THREADS_MAX)
		errx(1, "threads: 1 to %d", THREADS_MAX);
	area = map_memory(ours ? tracking_add(&tracking, NULL, BYTES) : open_memory("memfd", BYTES),
			  BYTES);
	write_by(1, true);
	if (ours)
		tracking_start(&tracking);
	for (n = 0; n < rounds; n++) {
		if (ours)
			tracking_round(&tracking, &stats);
		else
			clear_refs();
		write_by(threads, apart);
		tell(!ours ? "memfd, soft-dirty" : n ? "vmfastmig, 4 KiB entries" :
		     "vmfastmig, first round", argv);
	}
	if (ours)
		tracking_end(&tracking);
}
