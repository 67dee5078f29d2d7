// SPDX-License-Identifier: GPL-2.0-only
/* How often there was how much time between two replies. */
#include <math.h>
#include <stdlib.h>

#include "csv.h"
#include "plot_script.h"

#define PER_DECADE	20
#define DECADES		10
#define BINS		(PER_DECADE * DECADES)
#define LOWEST_MS	1e-3

struct histogram {
	unsigned long long counts[BINS];
	int first, last;	/* bins that are not empty; first > last: none */
	double longest_ms;
};

static int by_ns(const void *a, const void *b)
{
	const uint64_t *first = a, *second = b;

	return (*first > *second) - (*first < *second);
}

static double bin_ms(int bin)
{
	return LOWEST_MS * pow(10, (double)bin / PER_DECADE);
}

static void add(struct histogram *histogram, double ms)
{
	double bin = floor(log10(fmax(ms, LOWEST_MS) / LOWEST_MS) * PER_DECADE);
	int i = fmin(bin, BINS - 1);

	histogram->counts[i]++;
	histogram->first = i < histogram->first ? i : histogram->first;
	histogram->last = i > histogram->last ? i : histogram->last;
	histogram->longest_ms = fmax(histogram->longest_ms, ms);
}

static int count_gaps(struct histogram *histogram, const struct series *series,
		      struct fault *fault)
{
	size_t i, arrivals = 0, count = series ? atomic_load(&series->count) : 0;
	uint64_t *arrived_ns = calloc(count + 1, sizeof(*arrived_ns));

	*histogram = (struct histogram){ .first = BINS, .last = -1 };
	if (!arrived_ns)
		return fail(fault, "no memory for the times of the replies");
	for (i = 0; i < count; i++)
		if (series->samples[i].reply_ns)
			arrived_ns[arrivals++] = series->samples[i].reply_ns;
	qsort(arrived_ns, arrivals, sizeof(*arrived_ns), by_ns);
	for (i = 1; i < arrivals; i++)
		add(histogram, csv_ms(arrived_ns[i - 1], arrived_ns[i]));
	free(arrived_ns);
	return 0;
}

static int write_data(const struct histogram histograms[2], int first, int last, const char *dir,
		      struct fault *fault)
{
	struct csv_file file;
	int i;

	if (csv_open(&file, dir, "arrivals.csv", fault))
		return -1;
	fputs("from_ms,to_ms,udp_count,tcp_count\n", file.stream);
	for (i = first; i <= last; i++)
		fprintf(file.stream, "%.6g,%.6g,%llu,%llu\n", bin_ms(i), bin_ms(i + 1),
			histograms[0].counts[i], histograms[1].counts[i]);
	return csv_close(&file, fault);
}

/* Bars have no height on a logarithmic axis: they begin below one. */
static void put_script(FILE *stream, const struct histogram histograms[2], int first, int last)
{
	static const char *const names[] = { "UDP", "TCP" };
	static const char *const styles[] = { "fs solid 1 border rgb 'white' fc rgb '#6baed6'",
					      "fs empty border rgb '#a63603' lw 1.5 fc rgb '#a63603'" };
	const char *comma = "";
	int i;

	fprintf(stream, "set title 'Time between replies'\n");
	fprintf(stream, "set xlabel 'time from one reply to the next (ms)'\n");
	fprintf(stream, "set ylabel 'how often (%d bins per decade)'\n", PER_DECADE);
	fprintf(stream, "set logscale xy 10\nset format xy '%%g'\n");
	fprintf(stream, "set xrange [%.6g:%.6g]\nset yrange [0.7:*]\n", bin_ms(first - 2),
		bin_ms(last + 3));
	fprintf(stream, "set key outside right top vertical Left reverse samplen 1.2 spacing 1.15\n");
	fprintf(stream, "plot ");
	for (i = 0; i < 2; i++) {
		if (histograms[i].last < 0)
			continue;
		fprintf(stream, "%s'arrivals.csv' skip 1 using (sqrt($1*$2)):($%d > 0 ? $%d : NaN):1:2:(0.7):%d with boxxyerror %s title '%s, longest %.1f ms'",
			comma, i + 3, i + 3, i + 3, styles[i], names[i], histograms[i].longest_ms);
		comma = ", \\\n";
	}
	fputc('\n', stream);
}

int plot_gaps(const struct plot_data *data, struct fault *fault)
{
	struct histogram histograms[2];
	struct csv_file script;
	int first, last;

	if (count_gaps(&histograms[0], data->udp, fault) ||
	    count_gaps(&histograms[1], data->tcp, fault))
		return -1;
	first = fmin(histograms[0].first, histograms[1].first);
	last = fmax(histograms[0].last, histograms[1].last);
	if (last < first)
		return 0;
	if (write_data(histograms, first, last, data->dir, fault) ||
	    plot_open(&script, data->dir, "gaps", 500, fault))
		return -1;
	put_script(script.stream, histograms, first, last);
	return plot_close(&script, fault) ? -1 : 1;
}
