// SPDX-License-Identifier: GPL-2.0-only
/* What happened when, behind the data of a picture over time. */
#include "../cmd.h"
#include "csv.h"
#include "plot_script.h"

#define MIGRATION_COLOR	"#eeeeee"

static double place(const struct plot_axis *axis, const json_t *result, json_int_t ns)
{
	return (csv_ms(int_of(result, "start_ns"), ns) - axis->since_ms) / axis->unit_ms;
}

/* The part of it that is seen, if any. */
static void put_area(FILE *stream, const struct plot_axis *axis, double from, double to,
		     const char *color)
{
	from = from < axis->from ? axis->from : from;
	to = to > axis->to ? axis->to : to;
	if (to > from)
		fprintf(stream, "set object rectangle from %.6f, graph 0 to %.6f, graph 1 behind fs solid 1 noborder fc rgb '%s'\n",
			from, to, color);
}

static void put_line(FILE *stream, const struct plot_axis *axis, double at, const char *label,
		     const char *side)
{
	if (at < axis->from || at > axis->to)
		return;
	fprintf(stream, "set arrow from %.6f, graph 0 to %.6f, graph 1 nohead front lw 1.5 dt 2 lc rgb '#404040'\n",
		at, at);
	fprintf(stream, "set label '%s' at %.6f, graph 0.95 %s offset %s0.5,0 front tc rgb '#404040'\n",
		label, at, side, *side == 'r' ? "-" : "");
}

void plot_shade_migration(FILE *stream, const json_t *result, const struct plot_axis *axis)
{
	json_int_t begin_ns = int_of(result, "migrate_ns"), end_ns = int_of(result, "end_ns");
	double begin = place(axis, result, begin_ns), end = place(axis, result, end_ns);

	if (begin_ns)
		put_area(stream, axis, begin, end_ns ? end : axis->to, MIGRATION_COLOR);
	if (begin_ns)
		put_line(stream, axis, begin, "begin", "right");
	if (end_ns)
		put_line(stream, axis, end, "end", "left");
}

static const json_t *parts_in(const json_t *result)
{
	return json_object_get(json_object_get(result, "downtime"), "parts");
}

void plot_shade_parts(FILE *stream, const json_t *result, const struct plot_axis *axis)
{
	unsigned int unknown = 0;
	json_t *part;
	size_t i;

	json_array_foreach(parts_in(result), i, part)
		put_area(stream, axis, place(axis, result, int_of(part, "from_ns")),
			 place(axis, result, int_of(part, "to_ns")),
			 plot_color(text_of(part, "name"), &unknown));
}

void plot_shade_key(FILE *stream, const json_t *result, bool parts)
{
	unsigned int unknown = 0;
	char more[40];
	json_t *part;
	size_t i;

	if (int_of(result, "migrate_ns"))
		fputs(", \\\nkeyentry with boxes fs solid 1 border rgb '#b0b0b0' fc rgb '" MIGRATION_COLOR
		      "' title 'migration'", stream);
	json_array_foreach(parts ? parts_in(result) : NULL, i, part) {
		snprintf(more, sizeof(more), "  %.2f ms",
			 json_number_value(json_object_get(part, "ms")));
		fprintf(stream, ", \\\nkeyentry with boxes fs solid 1 border rgb '#b0b0b0' fc rgb '%s' title ",
			plot_color(text_of(part, "name"), &unknown));
		plot_part_text(stream, text_of(part, "name"), more);
	}
}
