/* SPDX-License-Identifier: GPL-2.0-only */
/* What was measured, as pictures, which gnuplot makes: PNG and SVG. */
#ifndef PLOT_H
#define PLOT_H

#include <jansson.h>

#include "../fault.h"
#include "series.h"

/*
 * The tables of csv_write(), then from them, where there is something to draw,
 *
 *   replies      latency of the replies over all of the time, and close to the stop
 *   throughput   the guest's own work per second
 *   parts        what the downtime is made of
 *   gaps         how often there was how much time between two replies
 *
 * each as .png, .svg and the .gp that gnuplot made them by. Parts that could not be
 * told apart are gray. Without gnuplot the rest is written all the same, and the
 * fault says what is missing.
 */
int plot_write(const char *dir, const json_t *result, const struct series *udp,
	       const struct series *tcp, struct fault *fault);

/*
 * parts.png and parts.svg: a bar for each of the results, one below the other, in a
 * directory that is made where it is missing. None when no result has parts.
 */
int plot_parts(const char *dir, const char *const labels[], const json_t *const results[],
	       unsigned int count, struct fault *fault);

#endif
