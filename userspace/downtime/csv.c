// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "../cmd.h"
#include "csv.h"
#include "csv_file.h"

static void put_text(FILE *stream, const char *text)
{
	char *copy = strdup(text), *at;

	if (!copy)
		return;
	cmd_disarm(copy);
	fputc('"', stream);
	for (at = copy; *at; at++)
		fprintf(stream, *at == '"' ? "\"\"" : "%c", *at);
	fputc('"', stream);
	free(copy);
}

static void put_number(FILE *stream, const json_t *value)
{
	if (json_is_integer(value))
		fprintf(stream, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		fprintf(stream, "%.12g", json_real_value(value));
}

static void put_time(FILE *stream, const json_t *ns, json_int_t start_ns)
{
	if (json_is_integer(ns))
		fprintf(stream, "%.6f", csv_ms(start_ns, json_integer_value(ns)));
}

static void put_span(FILE *stream, const json_t *span, json_int_t start_ns)
{
	put_time(stream, json_object_get(span, "from_ns"), start_ns);
	fputc(',', stream);
	put_time(stream, json_object_get(span, "to_ns"), start_ns);
	fputc(',', stream);
	put_number(stream, json_object_get(span, "ms"));
}

static void put_samples(FILE *stream, const struct series *series, uint64_t start_ns)
{
	size_t i, count = series ? atomic_load(&series->count) : 0;

	fputs("sent_ms,reply_ms,latency_ms,guest_ms,work,errors\n", stream);
	for (i = 0; i < count; i++) {
		const struct sample *sample = &series->samples[i];

		fprintf(stream, "%.6f,", csv_ms(start_ns, sample->sent_ns));
		if (sample->reply_ns)
			fprintf(stream, "%.6f,%.6f,%.3f,%llu,%llu\n",
				csv_ms(start_ns, sample->reply_ns),
				csv_ms(sample->sent_ns, sample->reply_ns), sample->guest_us / 1e3,
				(unsigned long long)sample->work,
				(unsigned long long)sample->errors);
		else
			fputs(",,,,\n", stream);
	}
}

static void put_marks(FILE *stream, const json_t *result)
{
	json_int_t start_ns = int_of(result, "start_ns");
	json_t *mark, *error;
	size_t i;

	fputs("time_ms,error_ms,where,name\n", stream);
	json_array_foreach(json_object_get(result, "marks"), i, mark) {
		put_time(stream, json_object_get(mark, "ns"), start_ns);
		fputc(',', stream);
		error = json_object_get(mark, "error_ns");
		if (json_is_integer(error))
			fprintf(stream, "%.6f", json_integer_value(error) / 1e6);
		fputc(',', stream);
		put_text(stream, text_of(mark, "where"));
		fputc(',', stream);
		put_text(stream, text_of(mark, "name"));
		fputc('\n', stream);
	}
}

static void put_parts(FILE *stream, const json_t *result)
{
	json_int_t start_ns = int_of(result, "start_ns");
	json_t *part;
	size_t i;

	fputs("from_ms,to_ms,length_ms,attributed,name\n", stream);
	json_array_foreach(json_object_get(json_object_get(result, "downtime"), "parts"), i, part) {
		put_span(stream, part, start_ns);
		fprintf(stream, ",%d,", json_is_true(json_object_get(part, "attributed")));
		put_text(stream, text_of(part, "name"));
		fputc('\n', stream);
	}
}

static void put_rounds(FILE *stream, const json_t *result)
{
	static const char *const keys[] = { "number", "pages", "bytes", "ms", "protect_us",
					    "wait_us", "dirty_pages" };
	json_t *round;
	size_t i, key;

	fputs("number,pages,bytes,length_ms,protect_us,wait_us,dirty_pages\n", stream);
	json_array_foreach(json_object_get(json_object_get(result, "module"), "rounds"), i, round) {
		for (key = 0; key < sizeof(keys) / sizeof(*keys); key++) {
			if (key)
				fputc(',', stream);
			put_number(stream, json_object_get(round, keys[key]));
		}
		fputc('\n', stream);
	}
}

static void put_gaps(FILE *stream, const json_t *result)
{
	static const char *const probes[] = { "udp", "tcp" };
	json_t *client = json_object_get(result, "client"), *gap;
	size_t i, probe;

	fputs("probe,from_ms,to_ms,length_ms\n", stream);
	for (probe = 0; probe < 2; probe++) {
		json_array_foreach(json_object_get(json_object_get(client, probes[probe]), "gaps"),
				   i, gap) {
			fprintf(stream, "%s,", probes[probe]);
			put_span(stream, gap, int_of(result, "start_ns"));
			fputc('\n', stream);
		}
	}
}

static void put_result(FILE *stream, const json_t *result)
{
	json_dumpf(result, stream, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	fputc('\n', stream);
}

static int write_samples(const char *dir, const char *name, const json_t *result,
			 const struct series *series, struct fault *fault)
{
	struct csv_file file;

	if (csv_open(&file, dir, name, fault))
		return -1;
	put_samples(file.stream, series, int_of(result, "start_ns"));
	return csv_close(&file, fault);
}

int csv_write(const char *dir, const json_t *result, const struct series *udp,
	      const struct series *tcp, struct fault *fault)
{
	static const struct {
		const char *name;
		void (*put)(FILE *stream, const json_t *result);
	} files[] = {
		{ "marks.csv", put_marks }, { "parts.csv", put_parts },
		{ "rounds.csv", put_rounds }, { "gaps.csv", put_gaps },
		{ "result.json", put_result },
	};
	struct csv_file file;
	size_t i;

	if (csv_make_dir(dir, fault) || write_samples(dir, "udp.csv", result, udp, fault) ||
	    write_samples(dir, "tcp.csv", result, tcp, fault))
		return -1;
	for (i = 0; i < sizeof(files) / sizeof(*files); i++) {
		if (csv_open(&file, dir, files[i].name, fault))
			return -1;
		files[i].put(file.stream, result);
		if (csv_close(&file, fault))
			return -1;
	}
	return 0;
}
