// SPDX-License-Identifier: GPL-2.0-only
/* Stacked bars of what downtimes are made of. */
#include <stdlib.h>
#include <string.h>

#include "../cmd.h"
#include "csv.h"
#include "plot_script.h"

#define NAMES	32

struct bars {
	const char *const *labels;
	const json_t *const *results;
	unsigned int count;
	const char *names[NAMES];	/* of parts, as the legend has them */
	unsigned int name_count;
	double longest_ms;
};

static const struct {
	const char *part, *color;
} colors[] = {
	{ "stop and drain", "#8dd3c7" }, { "last round", "#fb8072" }, { "device save", "#fdb462" },
	{ "transfer", "#ffed6f" }, { "device load", "#bebada" },
	{ "hand-over and resume", "#b3de69" }, { "network", "#fccde5" },
};

#define COLORS (sizeof(colors) / sizeof(*colors))

const char *plot_color(const char *part, unsigned int *unknown)
{
	static const char *const grays[] = { "#c8c8c8", "#9c9c9c", "#dedede", "#b2b2b2", "#868686" };
	size_t i;

	for (i = 0; i < COLORS; i++)
		if (!strcmp(part, colors[i].part))
			return colors[i].color;
	return grays[(*unknown)++ % 5];
}

static const json_t *parts_in(const json_t *result)
{
	return json_object_get(json_object_get(result, "downtime"), "parts");
}

static double ms_of(const json_t *part)
{
	double ms = json_number_value(json_object_get(part, "ms"));

	return ms > 0 && ms < 1e12 ? ms : 0;
}

/* The last name stands for all that do not fit. */
static unsigned int find_name(struct bars *bars, const char *name)
{
	unsigned int i;

	for (i = 0; i < bars->name_count; i++)
		if (!strcmp(bars->names[i], name))
			return i;
	if (i == NAMES)
		return i - 1;
	bars->names[bars->name_count++] = i == NAMES - 1 ? "others" : name;
	return i;
}

/* Of several parts in one the first counts. */
static unsigned int rank(const char *name)
{
	unsigned int i;

	for (i = 0; i < COLORS; i++)
		if (!strncmp(name, colors[i].part, strlen(colors[i].part)))
			break;
	return i;
}

/* In the order in which parts follow each other, whichever result has one. */
static void sort_names(struct bars *bars)
{
	unsigned int i, at;

	for (i = 1; i < bars->name_count; i++) {
		const char *name = bars->names[i];

		for (at = i; at && rank(bars->names[at - 1]) > rank(name); at--)
			bars->names[at] = bars->names[at - 1];
		bars->names[at] = name;
	}
}

static double sum_parts(struct bars *bars, const json_t *result)
{
	double sum_ms = 0;
	json_t *part;
	size_t i;

	json_array_foreach(parts_in(result), i, part) {
		find_name(bars, text_of(part, "name"));
		sum_ms += ms_of(part);
	}
	return sum_ms;
}

static void survey(struct bars *bars)
{
	unsigned int i;

	for (i = 0; i < bars->count; i++) {
		double sum_ms = sum_parts(bars, bars->results[i]);

		if (sum_ms > bars->longest_ms)
			bars->longest_ms = sum_ms;
	}
	sort_names(bars);
}

/* The first bar is the highest: gnuplot counts from below. */
static int write_data(struct bars *bars, const char *dir, struct fault *fault)
{
	struct csv_file file;
	unsigned int bar;
	json_t *part;
	size_t i;

	if (csv_open(&file, dir, "bars.csv", fault))
		return -1;
	fputs("bar,from_ms,to_ms,part\n", file.stream);
	for (bar = 0; bar < bars->count; bar++) {
		double from_ms = 0;

		json_array_foreach(parts_in(bars->results[bar]), i, part) {
			fprintf(file.stream, "%u,%.6f,%.6f,%u\n", bars->count - bar, from_ms,
				from_ms + ms_of(part), find_name(bars, text_of(part, "name")));
			from_ms += ms_of(part);
		}
	}
	return csv_close(&file, fault);
}

static void put_labels(FILE *stream, struct bars *bars)
{
	unsigned int i;

	fprintf(stream, "set ytics scale 0 (");
	for (i = 0; i < bars->count; i++) {
		plot_text(stream, bars->labels[i]);
		fprintf(stream, " %u%s", bars->count - i, i + 1 < bars->count ? ", " : ")\n");
	}
	for (i = 0; i < bars->count; i++) {
		double sum_ms = sum_parts(bars, bars->results[i]);

		fprintf(stream, "set label %u '", i + 1);
		if (json_array_size(parts_in(bars->results[i])))
			fprintf(stream, "%.1f ms", sum_ms);
		else
			fputs("not measured", stream);
		fprintf(stream, "' at %.6f,%u left offset 0.6,0\n", sum_ms, bars->count - i);
	}
}

static double sum_of_name(struct bars *bars, const json_t *result, unsigned int name)
{
	double sum_ms = 0;
	json_t *part;
	size_t i;

	json_array_foreach(parts_in(result), i, part)
		if (find_name(bars, text_of(part, "name")) == name)
			sum_ms += ms_of(part);
	return sum_ms;
}

/* Of one bar the legend tells the lengths; of several, each has its own. */
static void put_parts(FILE *stream, struct bars *bars)
{
	unsigned int i, unknown = 0;
	char more[40] = "";

	for (i = 0; i < bars->name_count; i++) {
		if (bars->count == 1)
			snprintf(more, sizeof(more), "  %.2f ms",
				 sum_of_name(bars, bars->results[0], i));
		fprintf(stream, "'bars.csv' skip 1 using (($2+$3)/2):($4==%u ? $1 : NaN):2:3:($1-0.36):($1+0.36) with boxxyerror fs solid 1 border rgb 'white' fc rgb '%s' title ",
			i, plot_color(bars->names[i], &unknown));
		plot_part_text(stream, bars->names[i], more);
		fputs(", \\\n", stream);
	}
}

static void put_script(FILE *stream, struct bars *bars)
{
	fprintf(stream, "set title 'Parts of the downtime'\n");
	fprintf(stream, "set xlabel 'time since the guest was stopped (ms)'\n");
	fprintf(stream, "set xrange [0:%.6f]\nset yrange [0.4:%u.6]\n", bars->longest_ms * 1.25,
		bars->count);
	fprintf(stream, "set grid xtics noytics\n");
	fprintf(stream, "set key outside right top vertical Left reverse samplen 1.2 spacing 1.15\n");
	put_labels(stream, bars);
	fprintf(stream, "plot ");
	put_parts(stream, bars);
	fprintf(stream, "'bars.csv' skip 1 using (($2+$3)/2):(($3-$2) > %.6f ? $1 : NaN):(sprintf('%%.1f', $3-$2)) with labels notitle\n",
		bars->longest_ms * 0.08);
}

/* For the bars, and for the legend beside them in one column. */
static unsigned int height_of(const struct bars *bars)
{
	unsigned int rows = 140 + (bars->count > 2 ? bars->count : 2) * 60;
	unsigned int legend = 80 + bars->name_count * 24;

	return rows > legend ? rows : legend;
}

int plot_bars(const char *dir, const char *const labels[], const json_t *const results[],
	      unsigned int count, struct fault *fault)
{
	struct bars bars = { .labels = labels, .results = results, .count = count };
	struct csv_file script;

	survey(&bars);
	if (!(bars.longest_ms > 0))
		return 0;
	if (write_data(&bars, dir, fault) ||
	    plot_open(&script, dir, "parts", height_of(&bars), fault))
		return -1;
	put_script(script.stream, &bars);
	return plot_close(&script, fault) ? -1 : 1;
}
