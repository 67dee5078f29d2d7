// SPDX-License-Identifier: GPL-2.0-only
/* Latency of the replies: over all of the time, and close to the stop. */
#include <math.h>
#include <stdlib.h>

#include "../cmd.h"
#include "csv.h"
#include "plot_script.h"

#define BUCKETS		400
#define PER_BUCKET	10	/* samples, at least, if there are as many */
#define ZOOM		3	/* times the gap's length before it and after it */

#define UDP_COLOR	"#08519c"
#define TCP_COLOR	"#a63603"

#define KEY "set key at graph 1.015, graph 1 left top vertical Left reverse samplen 1.2 spacing 1.15\n"

struct replies {
	const struct plot_data *data;
	const struct series *main;	/* that of the panel over all */
	const char *name;
	uint64_t start_ns;
	double first_ms, last_ms;	/* sent */
	double lowest_ms, highest_ms;	/* latency */
	int top;			/* decade that it all lies below */
	double gap_from_ms, gap_to_ms;	/* both 0: none */
	bool is_stop;			/* the gap is the stop, not what the client saw of it */
};

static bool any_lost(const struct series *series)
{
	size_t i, count = series ? atomic_load(&series->count) : 0;

	for (i = 0; i < count; i++)
		if (!series->samples[i].reply_ns)
			return true;
	return false;
}

static void survey(struct replies *replies, const struct series *series)
{
	size_t i, count = series ? atomic_load(&series->count) : 0;

	for (i = 0; i < count; i++) {
		const struct sample *sample = &series->samples[i];
		double ms = csv_ms(sample->sent_ns, sample->reply_ns);

		if (!sample->reply_ns)
			continue;
		replies->lowest_ms = fmin(replies->lowest_ms, fmax(ms, 1e-3));
		replies->highest_ms = fmax(replies->highest_ms, ms);
	}
}

/* Whether there is any time to show replies over. */
static bool find_ends(struct replies *replies)
{
	size_t count = atomic_load(&replies->main->count);
	const struct sample *samples = replies->main->samples;

	if (!count)
		return false;
	replies->first_ms = csv_ms(replies->start_ns, samples[0].sent_ns);
	replies->last_ms = csv_ms(replies->start_ns, samples[count - 1].sent_ns);
	return replies->last_ms > replies->first_ms;
}

static void take_span(struct replies *replies, json_int_t from_ns, json_int_t to_ns)
{
	replies->gap_from_ms = csv_ms(replies->start_ns, from_ns);
	replies->gap_to_ms = csv_ms(replies->start_ns, to_ns);
}

/* What the client saw of the stop; where it saw none, and a longer gap elsewhere, the stop. */
static void find_gap(struct replies *replies)
{
	const json_t *result = replies->data->result, *client = json_object_get(result, "client");
	const json_t *parts = json_object_get(json_object_get(result, "downtime"), "parts");
	const json_t *probe = json_object_get(client, replies->main == replies->data->udp ?
					      "udp" : "tcp");
	const json_t *gap = json_object_get(probe, "longest_gap");
	json_int_t from_ns = int_of(json_array_get(parts, 0), "from_ns");
	json_int_t to_ns = int_of(json_array_get(parts, json_array_size(parts) - 1), "to_ns");

	if (json_is_object(gap))
		take_span(replies, int_of(gap, "from_ns"), int_of(gap, "to_ns"));
	if (to_ns > from_ns && (!json_is_object(gap) || int_of(gap, "to_ns") <= from_ns ||
				int_of(gap, "from_ns") >= to_ns)) {
		take_span(replies, from_ns, to_ns);
		replies->is_stop = true;
	}
}

static int by_value(const void *a, const void *b)
{
	const double *first = a, *second = b;

	return (*first > *second) - (*first < *second);
}

/* Both ends of it, so that one alone is seen, too; a line without values breaks the curve. */
static void put_bucket(FILE *stream, double from_ms, double to_ms, double *latency_ms,
		       size_t count)
{
	double ends_ms[] = { from_ms, to_ms };
	int i;

	qsort(latency_ms, count, sizeof(*latency_ms), by_value);
	for (i = 0; i < 2 && count; i++)
		fprintf(stream, "%.6f,%.6f,%.6f,%.6f\n", ends_ms[i] / 1e3, latency_ms[0],
			latency_ms[count / 2], latency_ms[count - 1]);
	if (!count)
		fputc('\n', stream);
}

static void put_buckets(FILE *stream, const struct replies *replies, double *latency_ms)
{
	size_t i = 0, filled, count = atomic_load(&replies->main->count);
	const struct sample *sample = replies->main->samples;
	unsigned int bucket, buckets = fmax(1, fmin(BUCKETS, count / PER_BUCKET));
	double bucket_ms = (replies->last_ms - replies->first_ms) / buckets;

	fputs("sent_s,lowest_ms,median_ms,highest_ms\n", stream);
	for (bucket = 0; bucket < buckets; bucket++) {
		double from_ms = replies->first_ms + bucket * bucket_ms;

		for (filled = 0; i < count; i++) {
			if (bucket + 1 < buckets && csv_ms(replies->start_ns, sample[i].sent_ns) >=
						    from_ms + bucket_ms)
				break;
			if (sample[i].reply_ns)
				latency_ms[filled++] = csv_ms(sample[i].sent_ns, sample[i].reply_ns);
		}
		put_bucket(stream, from_ms, from_ms + bucket_ms, latency_ms, filled);
	}
}

static int write_data(const struct replies *replies, struct fault *fault)
{
	double *latency_ms = calloc(atomic_load(&replies->main->count) + 1, sizeof(*latency_ms));
	struct csv_file file;
	int err = -1;

	if (!latency_ms)
		return fail(fault, "no memory for the latency of the replies");
	if (!csv_open(&file, replies->data->dir, "latency.csv", fault)) {
		put_buckets(file.stream, replies, latency_ms);
		err = csv_close(&file, fault);
	}
	free(latency_ms);
	return err;
}

/* What has no latency has a place of its own above all that have one. */
static void put_tics(FILE *stream, int lowest, int highest)
{
	int decade, digit;

	fprintf(stream, "set ytics (");
	for (decade = lowest; decade <= highest; decade++) {
		fprintf(stream, "'%g' 1e%d, ", pow(10, decade), decade);
		for (digit = 2; digit < 10 && decade < highest; digit++)
			fprintf(stream, "'' %de%d 1, ", digit, decade);
	}
	fprintf(stream, "'no reply' %.6g)\n", pow(10, highest + 0.45));
	fprintf(stream, "set yrange [1e%d:1e%d]\n", lowest, highest + 1);
}

static void put_axes(FILE *stream, const struct replies *replies)
{
	fprintf(stream, "set logscale y 10\nset format x '%%g'\n");
	put_tics(stream, floor(log10(replies->lowest_ms)), replies->top);
	fprintf(stream, "set lmargin at screen 0.085\nset rmargin at screen 0.66\n" KEY);
	fprintf(stream, "set ylabel 'latency (ms)'\n");
}

static void put_lost(FILE *stream, const struct series *series, bool udp,
		     const struct plot_axis *axis, int top)
{
	if (any_lost(series))
		fprintf(stream, ", \\\n'%s.csv' skip 1 using (($1-%.6f)/%g):(valid(3) ? NaN : %.6g) with points pt 2 ps 0.6 lc rgb '%s' title '%s, no reply'",
			udp ? "udp" : "tcp", axis->since_ms, axis->unit_ms, pow(10, top + 0.45),
			udp ? "black" : TCP_COLOR, udp ? "UDP" : "TCP");
}

static void put_overview(FILE *stream, const struct replies *replies)
{
	const struct plot_data *data = replies->data;
	bool udp = replies->main == data->udp;
	struct plot_axis axis = { 0, 1e3, replies->first_ms / 1e3, replies->last_ms / 1e3 };

	fprintf(stream, "set title 'Replies over all of the time'\nset xlabel 'time sent (s)'\n");
	fprintf(stream, "set tmargin at screen 0.94\nset bmargin at screen %s\n",
		replies->gap_to_ms > replies->gap_from_ms ? "0.62" : "0.12");
	fprintf(stream, "set xrange [%.6f:%.6f]\n", axis.from, axis.to);
	plot_shade_migration(stream, data->result, &axis);
	fprintf(stream, "plot 'latency.csv' skip 1 using 1:2:4 with filledcurves fs solid 1 noborder fc rgb '%s' title '%s, lowest to highest', \\\n",
		udp ? "#9ecae1" : "#dbb59f", replies->name);
	fprintf(stream, "'' skip 1 using 1:3 with lines lw 1.5 lc rgb '%s' title '%s, median'",
		udp ? UDP_COLOR : TCP_COLOR, replies->name);
	put_lost(stream, replies->main, udp, &axis, replies->top);
	plot_shade_key(stream, data->result, false);
	fputs("\nunset object\nunset arrow\nunset label\n", stream);
}

static void put_zoom(FILE *stream, const struct replies *replies)
{
	double length_ms = replies->gap_to_ms - replies->gap_from_ms;
	const struct plot_data *data = replies->data;
	struct plot_axis axis = { replies->gap_from_ms, 1, -ZOOM * length_ms,
				  (ZOOM + 1) * length_ms };
	const char *comma = "";

	fprintf(stream, "set title 'Close to the %s, %.1f ms'\nset xlabel 'time sent (ms after %s)'\n",
		replies->is_stop ? "stop" : "longest gap", length_ms, replies->is_stop ?
		"the guest was stopped" : "the last reply before the gap");
	fprintf(stream, "set tmargin at screen 0.44\nset bmargin at screen 0.10\n");
	fprintf(stream, "set xrange [%.6f:%.6f]\n", axis.from, axis.to);
	plot_shade_migration(stream, data->result, &axis);
	plot_shade_parts(stream, data->result, &axis);
	fputs("plot ", stream);
	if (data->udp) {
		fprintf(stream, "'udp.csv' skip 1 using ($1-%.6f):3 with points pt 7 ps 0.35 lc rgb '" UDP_COLOR "' title 'UDP'",
			axis.since_ms);
		put_lost(stream, data->udp, true, &axis, replies->top);
		comma = ", \\\n";
	}
	if (data->tcp) {
		fprintf(stream, "%s'tcp.csv' skip 1 using ($1-%.6f):3 with points pt 8 ps 0.7 lc rgb '" TCP_COLOR "' title 'TCP'",
			comma, axis.since_ms);
		put_lost(stream, data->tcp, false, &axis, replies->top);
	}
	plot_shade_key(stream, data->result, true);
	fputc('\n', stream);
}

int plot_replies(const struct plot_data *data, struct fault *fault)
{
	struct replies replies = { .data = data, .main = data->udp ?: data->tcp,
				   .name = data->udp ? "UDP" : "TCP",
				   .start_ns = int_of(data->result, "start_ns"),
				   .lowest_ms = INFINITY };
	struct csv_file script;

	if (!replies.main || !find_ends(&replies))
		return 0;
	survey(&replies, data->udp);
	survey(&replies, data->tcp);
	if (!(replies.highest_ms > 0))
		return 0;
	replies.top = ceil(log10(replies.highest_ms));
	find_gap(&replies);
	if (write_data(&replies, fault) || plot_open(&script, data->dir, "replies", 760, fault))
		return -1;
	fprintf(script.stream, "set multiplot\n");
	put_axes(script.stream, &replies);
	put_overview(script.stream, &replies);
	if (replies.gap_to_ms > replies.gap_from_ms)
		put_zoom(script.stream, &replies);
	fprintf(script.stream, "unset multiplot\n");
	return plot_close(&script, fault) ? -1 : 1;
}
