// SPDX-License-Identifier: GPL-2.0-only
#include "../cmd.h"
#include "csv.h"
#include "plot.h"
#include "plot_script.h"

#define PICTURES 4

static const char *const names[PICTURES] = { "replies", "throughput", "gaps", "parts" };

static int write_bars(const struct plot_data *data, struct fault *fault)
{
	const char *uri = text_of(data->result, "uri");
	const char *const labels[] = { *uri ? uri : "observed" };

	return plot_bars(data->dir, labels, &data->result, 1, fault);
}

int plot_write(const char *dir, const json_t *result, const struct series *udp,
	       const struct series *tcp, struct fault *fault)
{
	static int (*const pictures[PICTURES])(const struct plot_data *data, struct fault *fault) = {
		plot_replies, plot_throughput, plot_gaps, write_bars,
	};
	const struct plot_data data = { dir, result, udp, tcp };
	int drawn[PICTURES], i, err = 0;

	if (csv_write(dir, result, udp, tcp, fault))
		return -1;
	for (i = 0; i < PICTURES; i++) {
		plot_forget(dir, names[i]);
		drawn[i] = pictures[i](&data, fault);
		if (drawn[i] < 0)
			return -1;
	}
	for (i = 0; i < PICTURES && !err; i++)
		if (drawn[i])
			err = plot_run(dir, names[i], fault);
	return err;
}

int plot_parts(const char *dir, const char *const labels[], const json_t *const results[],
	       unsigned int count, struct fault *fault)
{
	int drawn;

	if (csv_make_dir(dir, fault))
		return -1;
	plot_forget(dir, "parts");
	drawn = plot_bars(dir, labels, results, count, fault);
	return drawn > 0 ? plot_run(dir, "parts", fault) : drawn;
}
