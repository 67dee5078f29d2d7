/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Scripts for gnuplot. It can run shell commands, so no text from outside comes
 * into a script but through plot_text(); numbers do, and names of our own files.
 */
#ifndef PLOT_SCRIPT_H
#define PLOT_SCRIPT_H

#include <jansson.h>
#include <stdbool.h>

#include "csv_file.h"
#include "series.h"

#define PLOT_WIDTH_PX	1200

struct plot_data {
	const char *dir;
	const json_t *result;
	const struct series *udp, *tcp;
};

/* Begins NAME.gp; what is written to it up to plot_close() is drawn as PNG and as SVG. */
int plot_open(struct csv_file *script, const char *dir, const char *name,
	      unsigned int height_px, struct fault *fault);
int plot_close(struct csv_file *script, struct fault *fault);

/* Text as a string of gnuplot's, without all that it could take for more, and not long. */
void plot_text(FILE *stream, const char *text);
/* The same for the name of a part: of one that is made of several, the first and the last. */
void plot_part_text(FILE *stream, const char *name, const char *more);

/* Removes the picture, and what it was made from, that an earlier measurement left. */
void plot_forget(const char *dir, const char *name);
/* Draws NAME.gp, in its directory. */
int plot_run(const char *dir, const char *name, struct fault *fault);

/* Pictures: 1 when there is a script to run, 0 when there is nothing to draw, -1. */
int plot_replies(const struct plot_data *data, struct fault *fault);
int plot_throughput(const struct plot_data *data, struct fault *fault);
int plot_gaps(const struct plot_data *data, struct fault *fault);
int plot_bars(const char *dir, const char *const labels[], const json_t *const results[],
	      unsigned int count, struct fault *fault);

/* plot_shade.c */

/* Of a picture over time: what it begins and ends at, from which time on and in which unit. */
struct plot_axis {
	double since_ms;	/* after the result's start_ns */
	double unit_ms;
	double from, to;
};

/* What the axis shows of the time from begin to end, behind the data; the top is for labels. */
void plot_shade_migration(FILE *stream, const json_t *result, const struct plot_axis *axis);
void plot_shade_parts(FILE *stream, const json_t *result, const struct plot_axis *axis);
/* Their lines of the legend, each after a comma: to end a plot command with. */
void plot_shade_key(FILE *stream, const json_t *result, bool parts);

/* plot_bars.c: the colour of a part; @unknown counts those that have none of their own. */
const char *plot_color(const char *part, unsigned int *unknown);

#endif
