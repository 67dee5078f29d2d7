// SPDX-License-Identifier: GPL-2.0-only
/* The guest's own work over time. */
#include <math.h>
#include <stdlib.h>

#include "../cmd.h"
#include "csv.h"
#include "plot_script.h"

#define BUCKET_MS	100
#define BUCKETS_MAX	1000000

struct work {
	double *done;		/* in each bucket */
	size_t count;		/* those that replies lie on both sides of */
	double first_ms;	/* where the first begins */
	double highest_per_s;
};

static int by_arrival(const void *a, const void *b)
{
	const struct sample *first = *(const struct sample *const *)a;
	const struct sample *second = *(const struct sample *const *)b;

	return (first->reply_ns > second->reply_ns) - (first->reply_ns < second->reply_ns);
}

/* Those that were answered; @sorted has room for all. */
static size_t sort_replies(const struct series *series, const struct sample **sorted)
{
	size_t i, replies = 0, count = atomic_load(&series->count);

	for (i = 0; i < count; i++)
		if (series->samples[i].reply_ns)
			sorted[replies++] = &series->samples[i];
	qsort(sorted, replies, sizeof(*sorted), by_arrival);
	return replies;
}

/* What was done between two replies is taken to have been done evenly. */
static void spread(struct work *work, double from_ms, double to_ms, double done)
{
	double length_ms = to_ms - from_ms, at_ms = fmax(from_ms, work->first_ms), until_ms;
	size_t bucket = at_ms > work->first_ms ? (at_ms - work->first_ms) / BUCKET_MS : 0;

	for (; bucket < work->count && at_ms < to_ms; bucket++) {
		until_ms = fmin(to_ms, work->first_ms + (bucket + 1.0) * BUCKET_MS);
		if (until_ms > at_ms)
			work->done[bucket] += done * (until_ms - at_ms) / length_ms;
		at_ms = fmax(at_ms, until_ms);
	}
}

static void fill(struct work *work, const struct sample **sorted, size_t replies,
		 uint64_t start_ns)
{
	uint64_t most = replies ? sorted[0]->work : 0;
	double from_ms = replies ? csv_ms(start_ns, sorted[0]->reply_ns) : 0, to_ms;
	size_t i;

	for (i = 1; i < replies; i++) {
		to_ms = csv_ms(start_ns, sorted[i]->reply_ns);
		if (to_ms <= from_ms)
			continue;
		/* A reply that was overtaken says less than is known. */
		if (sorted[i]->work > most) {
			spread(work, from_ms, to_ms, sorted[i]->work - most);
			most = sorted[i]->work;
		}
		from_ms = to_ms;
	}
	for (i = 0; i < work->count; i++)
		work->highest_per_s = fmax(work->highest_per_s, work->done[i] * 1000 / BUCKET_MS);
}

static int count_work(struct work *work, const struct series *series, uint64_t start_ns,
		      struct fault *fault)
{
	const struct sample **sorted = calloc(atomic_load(&series->count) + 1, sizeof(*sorted));
	double last_ms;
	size_t replies;

	if (!sorted)
		return fail(fault, "no memory for the guest's work");
	replies = sort_replies(series, sorted);
	if (replies > 1) {
		work->first_ms = ceil(csv_ms(start_ns, sorted[0]->reply_ns) / BUCKET_MS) * BUCKET_MS;
		last_ms = csv_ms(start_ns, sorted[replies - 1]->reply_ns);
		work->count = fmin(BUCKETS_MAX, fmax(0, (last_ms - work->first_ms) / BUCKET_MS));
	}
	work->done = calloc(work->count + 1, sizeof(*work->done));
	if (work->done)
		fill(work, sorted, replies, start_ns);
	free(sorted);
	return work->done ? 0 : fail(fault, "no memory for the guest's work");
}

static int write_data(const struct work *work, const char *dir, struct fault *fault)
{
	struct csv_file file;
	size_t i;

	if (csv_open(&file, dir, "throughput.csv", fault))
		return -1;
	fputs("from_s,work_per_s\n", file.stream);
	for (i = 0; i < work->count; i++)
		fprintf(file.stream, "%.3f,%.3f\n", (work->first_ms + (double)i * BUCKET_MS) / 1e3,
			work->done[i] * 1000 / BUCKET_MS);
	return csv_close(&file, fault);
}

static void put_script(FILE *stream, const struct work *work, const struct plot_data *data)
{
	double first_s = work->first_ms / 1e3;
	double scale = work->highest_per_s < 1e4 ? 1 : work->highest_per_s < 1e7 ? 1e3 : 1e6;
	struct plot_axis axis = { .unit_ms = 1e3, .from = first_s,
				  .to = first_s + (double)work->count * BUCKET_MS / 1e3 };

	fprintf(stream, "set title \"The guest's own work\"\nset xlabel 'time (s)'\n");
	fprintf(stream, "set ylabel 'work (%sunits per s)'\n", scale < 1e3 ? "" : scale < 1e6 ?
		"thousands of " : "millions of ");
	fprintf(stream, "set xrange [%.3f:%.3f]\nset yrange [0:%.6g]\n", axis.from, axis.to,
		work->highest_per_s > 0 ? work->highest_per_s / scale * 1.15 : 1);
	fprintf(stream, "set key outside right top vertical Left reverse samplen 1.2 spacing 1.15\n");
	plot_shade_migration(stream, data->result, &axis);
	fprintf(stream, "plot 'throughput.csv' skip 1 using ($1+%g):($2/%g):(%g) with boxes fs solid 1 lc rgb '#807dba' title 'mean over %d ms'",
		BUCKET_MS / 2e3, scale, BUCKET_MS / 1e3, BUCKET_MS);
	plot_shade_key(stream, data->result, false);
	fputc('\n', stream);
}

int plot_throughput(const struct plot_data *data, struct fault *fault)
{
	const struct series *series = data->udp ?: data->tcp;
	struct csv_file script;
	struct work work = { 0 };
	int err;

	if (!series)
		return 0;
	err = count_work(&work, series, int_of(data->result, "start_ns"), fault);
	if (!err && work.count)
		err = write_data(&work, data->dir, fault) ||
		      plot_open(&script, data->dir, "throughput", 500, fault) ? -1 : 1;
	free(work.done);
	if (err <= 0)
		return err;
	put_script(script.stream, &work, data);
	return plot_close(&script, fault) ? -1 : 1;
}
