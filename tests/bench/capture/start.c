// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long the module takes to begin tracking. It tells in its tracepoint vmfm_start
 * when it is done with a region: the region that is measured comes second, behind one
 * that is as small as can be, and the time between the two is its own.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture.h"

#define TRACE "/sys/kernel/tracing/instances/capture"

static void put(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(1, "cannot write to %s", file);
	close(fd);
}

static void trace_begin(void)
{
	rmdir(TRACE);
	if (mkdir(TRACE, 0700))
		err(1, "cannot make %s", TRACE);
	put(TRACE "/events/vmfastmig/vmfm_start/enable", "1");
	put(TRACE "/events/vmfastmig/vmfm_state/enable", "1");
}

/* In microseconds: "  name-1  [000] .....  12.345678: EVENT: ...WORD..." */
static double trace_us(const char *event, const char *word, int nth)
{
	FILE *trace = fopen(TRACE "/trace", "r");
	double seconds = NAN;
	char line[512];

	if (!trace)
		err(1, "%s/trace", TRACE);
	while (nth && fgets(line, sizeof(line), trace)) {
		char *colon = strstr(line, event);

		if (!colon || !strstr(colon, word))
			continue;
		nth--;
		*colon = 0;
		colon = strrchr(line, ']');
		if (!colon || sscanf(colon, "] %*s %lf:", &seconds) != 1)
			errx(1, "%s/trace: no time in %s", TRACE, line);
	}
	fclose(trace);
	if (nth)
		errx(1, "%s/trace: no %s %s", TRACE, event, word);
	return seconds * 1e6;
}

static void add_blocks(int fd, size_t bytes, size_t present)
{
	size_t count = present / BLOCK_BYTES, i;

	for (i = 0; i < count; i++)
		if (fallocate(fd, 0, spread_block(i, count, bytes), BLOCK_BYTES))
			err(1, "no memory for block %zu of %zu", i, count);
}

/* CASE BYTES PRESENT HUGE */
void start_measure(char **argv)
{
	size_t bytes = bytes_of(argv[1]), present = bytes_of(argv[2]);
	struct tracking tracking = { 0 };
	struct value values[] = { { "track_us", 0 }, { "start_us", 0 }, { NULL, 0 } };
	int fd;

	tracking_huge(atoi(argv[3]));
	tracking_add(&tracking, NULL, BLOCK_BYTES);
	fd = tracking_add(&tracking, NULL, bytes);
	add_blocks(fd, bytes, present);
	tracking_huge(1);
	trace_begin();
	tracking_start(&tracking);
	values[0].value = llround(trace_us("vmfm_start:", "", 2) - trace_us("vmfm_start:", "", 1));
	values[1].value = llround(trace_us("vmfm_state:", "connecting -> ready", 1) -
				  trace_us("vmfm_state:", "-> connecting", 1));
	rmdir(TRACE);
	sample("start", argv[0], values);
	tracking_end(&tracking);
}
