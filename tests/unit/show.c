// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a measurement is shown as: text, tables, pictures. To look at the pictures:
 * PICTURES=DIR build/unit/asan/show
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "downtime/csv.h"
#include "downtime/plot.h"
#include "downtime/show.h"
#include "measured.h"
#include "scratch.h"
#include "tap.h"

#define HOSTILE	"a\"b'`touch pwned`\x1b[2J\n$(touch pwned)'; system('touch pwned'); '\xc2\x9b@x{/Symbol a}\\"

static struct fault fault;

static char *shown(const json_t *result)
{
	size_t bytes;
	char *text;
	FILE *stream = open_memstream(&text, &bytes);

	show_print(stream, result);
	fclose(stream);
	return text;
}

/* Good until the next call; NULL where there is none. */
static const char *read_file(const char *dir, const char *name)
{
	static char text[1 << 22];
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "r");
	if (!file)
		return NULL;
	text[fread(text, 1, sizeof(text) - 1, file)] = 0;
	fclose(file);
	return text;
}

static json_t *parse(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);

	if (!value)
		tap_give_up("that is no JSON");
	return value;
}

static void shows_all(void)
{
	const struct series *series[2];
	json_t *result = measured(series);
	char *text = shown(result);

	CHECK_TEXT(text,
"migration rdmafast:10.0.0.2:7471\n"
"gone for      180.80 ms  seen by a client over UDP, from 10.9999 s to 11.1807 s\n"
"              207.60 ms  seen by a client over TCP, from 11.0004 s to 11.2080 s\n"
"              176.50 ms  that the guest's clock stood still\n"
"              177    ms  said by QEMU\n"
"inside          3.12 ms  longest jump of the guest's ticker\n"
"                2.00 ms  longest stall of one of its vCPUs\n"
"made of         3.70 ms  stop and drain\n"
"               58.70 ms  last round\n"
"               22.20 ms  device save\n"
"               12.40 ms  transfer\n"
"               53.80 ms  device load\n"
"               25.70 ms  hand-over and resume\n"
"                3.80 ms  network\n"
"              180.30 ms  in all, ± 0.05 ms between hosts\n"
"replies       sent     lost  reordered     p50 ms     p99 ms     max ms\n"
"before        8000        1          0      0.185      0.555      0.700\n"
"during        3400      175          0      0.330      0.990      6.200\n"
"after         8600        2          0      0.186      0.558      0.800\n"
"work      100.00 k/s before, 66.10 k/s during (66 %), 100.00 k/s after, in the guest\n"
"writes    99.9 % within 0.2 µs before, 16.0 µs during, (beyond) after, in the guest\n"
"rounds    5, 2.41 GiB; the last: 4.69 MiB in 5.45 ms\n"
"time      3.400 s for all of the migration; 3391 ms by QEMU\n"
"clocks    +12.345 ms ± 0.050 ms: the source's\n"
"          -3.210 ms ± 0.040 ms: the destination's\n"
"hosts     CPU 2.11 s on the source, 1.40 s on the destination; pinned 0 B, 4.00 GiB\n"
"warning   the UDP probe slept\n");
	free(text);
	json_decref(result);
}

static void shows_little(void)
{
	json_t *result = parse("{\"partial\":true,\"error\":\"the QEMU is gone\",\"uri\":null,"
			       "\"start_ns\":5,\"migrate_ns\":null,\"client\":{\"udp\":null,"
			       "\"tcp\":{\"longest_gap\":null,\"before\":{\"sent\":3}}},"
			       "\"guest\":{\"errors\":2},\"downtime\":{\"parts\":[{\"name\":"
			       "\"stop and drain, last round\",\"ms\":4,\"attributed\":false}],"
			       "\"total_ms\":4.5},\"warnings\":[1]}");
	char *text = shown(result);

	CHECK_TEXT(text,
"migration observed\n"
"error     the QEMU is gone\n"
"partial   what follows was measured up to there\n"
"gone for           - ms  seen by a client over TCP: too few replies\n"
"made of         4    ms  stop and drain, last round (unattributed)\n"
"                4.50 ms  in all\n"
"replies       sent     lost  reordered     p50 ms     p99 ms     max ms\n"
"before           3        -          -          -          -          -\n"
"during           -        -          -          -          -          -\n"
"after            -        -          -          -          -          -\n"
"ERRORS    2 found by the guest in its memory\n"
"warning   ?\n");
	free(text);
	json_decref(result);
}

static void writes_tables(void)
{
	json_t *result = parse("{\"start_ns\":1000000000,\"client\":{\"udp\":{\"gaps\":[{"
			       "\"from_ns\":1002000000,\"to_ns\":1030500000,\"ms\":28.5}]}},"
			       "\"marks\":[{\"name\":\"a \\\"b\\\", c\",\"where\":\"source\",\"ns\":"
			       "999000001,\"error_ns\":2500}],\"downtime\":{\"parts\":[{\"name\":"
			       "\"network\",\"from_ns\":1002000000,\"to_ns\":1030000000,\"ms\":28,"
			       "\"attributed\":true}]},\"module\":{\"rounds\":[{\"number\":1,"
			       "\"pages\":10,\"bytes\":40960,\"ms\":1.25,\"wait_us\":null}]}}");
	struct sample samples[] = {
		{ 1001000000, 1001250001, 7000123, 55, 1, 1 }, { 1002000000, 0, 0, 0, 0, 0 },
	};
	struct series udp = { .samples = samples, .count = 2 };
	const char *dir = scratch_path("new");
	struct stat st;

	umask(027);
	CHECK(!csv_write(dir, result, &udp, NULL, &fault));
	CHECK(!stat(dir, &st) && (st.st_mode & 0777) == 0750);
	CHECK_TEXT(read_file(dir, "udp.csv"),
		   "sent_ms,reply_ms,latency_ms,guest_ms,work,errors\n"
		   "1.000000,1.250001,0.250001,7000.123,55,1\n2.000000,,,,,\n");
	CHECK_TEXT(read_file(dir, "tcp.csv"), "sent_ms,reply_ms,latency_ms,guest_ms,work,errors\n");
	CHECK_TEXT(read_file(dir, "marks.csv"), "time_ms,error_ms,where,name\n"
		   "-0.999999,0.002500,\"source\",\"a \"\"b\"\", c\"\n");
	CHECK_TEXT(read_file(dir, "parts.csv"), "from_ms,to_ms,length_ms,attributed,name\n"
		   "2.000000,30.000000,28,1,\"network\"\n");
	CHECK_TEXT(read_file(dir, "rounds.csv"),
		   "number,pages,bytes,length_ms,protect_us,wait_us,dirty_pages\n"
		   "1,10,40960,1.25,,,\n");
	CHECK_TEXT(read_file(dir, "gaps.csv"), "probe,from_ms,to_ms,length_ms\n"
		   "udp,2.000000,30.500000,28.5\n");
	CHECK_HAS(read_file(dir, "result.json"), "\"start_ns\": 1000000000");
	json_decref(result);
}

static void tells_what_was_not_written(void)
{
	json_t *result = json_object();
	const char *file = scratch_file("file", "", 0600), *dir = scratch_path("full");

	CHECK(csv_write(scratch_path("no/such"), result, NULL, NULL, &fault) == -1);
	CHECK_HAS(fault.text, "no/such: No such file");
	CHECK(csv_write(file, result, NULL, NULL, &fault) == -1);
	CHECK_HAS(fault.text, "file/udp.csv: Not a directory");
	CHECK(!mkdir(dir, 0700) && !symlink("/dev/full", scratch_path("full/gaps.csv")));
	CHECK(csv_write(dir, result, NULL, NULL, &fault) == -1);
	CHECK_HAS(fault.text, "full/gaps.csv: No space left");
	json_decref(result);
}

static void without_gnuplot(void)
{
	const struct series *series[2];
	json_t *result = measured(series);

	setenv("PATH", "/nonexistent", 1);
	CHECK(plot_write(scratch_dir(), result, series[0], series[1], &fault) == -1);
	CHECK_HAS(fault.text, "gnuplot-nox");
	CHECK_HAS(read_file(scratch_dir(), "replies.gp"), "udp.csv");
	CHECK_HAS(read_file(scratch_dir(), "throughput.gp"), "throughput.csv");
	CHECK_HAS(read_file(scratch_dir(), "gaps.gp"), "arrivals.csv");
	CHECK_HAS(read_file(scratch_dir(), "parts.gp"), "bars.csv");
	CHECK_HAS(read_file(scratch_dir(), "udp.csv"), "latency_ms");
	json_decref(result);
}

static void derives(void)
{
	struct sample samples[] = {
		{ 999000000, 1000000000, 0, 7, 0, 1 }, { 1249500000, 1250000000, 0, 507, 0, 2 },
		{ 1400000000, 0, 0, 0, 0, 0 }, { 1399000000, 1400000000, 0, 507, 0, 3 },
	};
	struct series udp = { .samples = samples, .count = 4 };
	json_t *result = parse("{\"start_ns\":1000000000}");

	setenv("PATH", "/nonexistent", 1);
	plot_write(scratch_dir(), result, &udp, NULL, &fault);
	CHECK_TEXT(read_file(scratch_dir(), "throughput.csv"), "from_s,work_per_s\n0.000,2000.000\n"
		   "0.100,2000.000\n0.200,1000.000\n0.300,0.000\n");
	CHECK_TEXT(read_file(scratch_dir(), "latency.csv"), "sent_s,lowest_ms,median_ms,highest_ms\n"
		   "-0.001000,0.500000,1.000000,1.000000\n0.399000,0.500000,1.000000,1.000000\n");
	CHECK_HAS(read_file(scratch_dir(), "arrivals.csv"), "\n141.254,158.489,1,0\n");
	CHECK_HAS(read_file(scratch_dir(), "arrivals.csv"), "\n223.872,251.189,1,0\n");
	json_decref(result);
}

/* What it did not draw is not there from an earlier time either. */
static void gnuplot_fails(void)
{
	const struct series *series[2];
	json_t *result = measured(series);

	scratch_file("gnuplot", "#!/bin/sh\necho 'line 3: all wrong' >&2\necho >&2\nexit 1\n", 0700);
	scratch_file("replies.png", "old", 0600);
	setenv("PATH", scratch_dir(), 1);
	CHECK(plot_write(scratch_dir(), result, series[0], NULL, &fault) == -1);
	CHECK_HAS(fault.text, "replies.gp: line 3: all wrong");
	CHECK(!read_file(scratch_dir(), "replies.png"));
	json_decref(result);
}

/* Whether gnuplot is not missing, as the PATH has it. */
static bool drawn(int err)
{
	if (err && strstr(fault.text, "gnuplot-nox"))
		tap_skip("no gnuplot");
	if (err)
		printf("# %s\n", fault.text);
	return !err;
}

static void check_pictures(const char *dir, bool all)
{
	static const char *const names[] = { "parts", "replies", "throughput", "gaps" };
	char file[64];
	int i;

	for (i = 0; i < (all ? 4 : 1); i++) {
		snprintf(file, sizeof(file), "%s.png", names[i]);
		CHECK_HAS(read_file(dir, file), "\x89PNG");
		snprintf(file, sizeof(file), "%s.svg", names[i]);
		CHECK_HAS(read_file(dir, file), "</svg>");
	}
}

static void draws(void)
{
	const char *dir = getenv("PICTURES") ?: scratch_path("pictures");
	const struct series *series[2];
	json_t *result = measured(series);

	if (CHECK(drawn(plot_write(dir, result, series[0], series[1], &fault))))
		check_pictures(dir, true);
	json_decref(result);
}

static void draws_several(void)
{
	const struct series *series[2];
	json_t *result = measured(series), *nothing = json_object();
	const char *const labels[] = { "one", "two", "three" };
	const json_t *const results[] = { result, nothing, result };

	if (CHECK(drawn(plot_parts(scratch_dir(), labels, results, 3, &fault))))
		check_pictures(scratch_dir(), false);
	CHECK_HAS(read_file(scratch_dir(), "bars.csv"), "\n3,0.000000,3.700000,0\n");
	CHECK_HAS(read_file(scratch_dir(), "parts.gp"), "'not measured' at 0.000000,2");
	CHECK(!plot_parts(scratch_dir(), labels, results + 1, 1, &fault));
	CHECK(!read_file(scratch_dir(), "parts.png"));
	json_decref(result);
	json_decref(nothing);
}

static void check_harmless(const char *text)
{
	CHECK(text && !strstr(text, "\x1b") && !strstr(text, "\xc2\x9b"));
}

static void disarms(void)
{
	const struct series *series[2];
	const char *dir = scratch_dir();
	json_t *result = measured(series);
	char *text;
	bool good;

	measured_rename(result, HOSTILE);
	text = shown(result);
	check_harmless(text);
	CHECK_HAS(text, "\nwarning   a\"b'`touch pwned`?[2J?$(");
	free(text);
	good = !plot_write(dir, result, series[0], series[1], &fault);
	check_harmless(read_file(dir, "marks.csv"));
	CHECK_HAS(read_file(dir, "marks.csv"), "\"a\"\"b'`touch pwned`?[2J?$(touch");
	check_harmless(read_file(dir, "parts.gp"));
	CHECK(!strpbrk(read_file(dir, "parts.gp"), "`@"));
	CHECK_HAS(read_file(dir, "parts.gp"), "'a?b??touch pwned??[2J?" "?(touch pwned)?; syste...' 1)");
	CHECK(!strstr(read_file(dir, "replies.gp"), "system('"));
	json_decref(result);
	CHECK(drawn(good ? 0 : -1));
	CHECK(!read_file(dir, "pwned"));
	check_pictures(dir, true);
}

static unsigned int looked_at;

static void look_at(const json_t *result)
{
	static struct sample samples[] = {
		{ 1000000000, 1001000000, 0, 5, 0, 1 }, { 1100000000, 0, 0, 0, 0, 0 },
		{ 1400000000, 1401000000, 0, 9, 0, 2 },
	};
	struct series one = { .samples = samples, .count = 3 };
	char *text = shown(result);

	CHECK(text && strchr(text, '\n'));
	free(text);
	CHECK(plot_write(scratch_dir(), result, &one, &one, &fault) == -1);
	CHECK_HAS(fault.text, "gnuplot-nox");
	looked_at++;
}

/* Everything in it, one after the other, replaced by something that is not expected. */
static void spoil(json_t *value, json_t *result, const json_t *by)
{
	size_t i, count = json_array_size(value);
	json_t *old;
	const char *key;
	void *next;

	for (i = 0; i < count; i++) {
		old = json_incref(json_array_get(value, i));
		json_array_set(value, i, (json_t *)by);
		look_at(result);
		json_array_set(value, i, old);
		spoil(old, result, by);
		json_decref(old);
	}
	json_object_foreach_safe(value, next, key, old) {
		json_incref(old);
		json_object_set(value, key, (json_t *)by);
		look_at(result);
		json_object_set(value, key, old);
		spoil(old, result, by);
		json_decref(old);
	}
}

static void survives(void)
{
	static const char *const texts[] = { "null", "\"x\"", "-1e308",
					     "9223372036854775807" };
	const struct series *series[2];
	json_t *result = measured(series), *by;
	size_t i;

	setenv("PATH", "/nonexistent", 1);
	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		by = json_loads(texts[i], JSON_DECODE_ANY, NULL);
		spoil(result, result, by);
		json_decref(by);
	}
	CHECK(looked_at > 500);
	json_decref(result);
}

int main(void)
{
	static const struct test tests[] = {
		{ "text of all that can be measured", shows_all },
		{ "text of little", shows_little },
		{ "tables", writes_tables },
		{ "what cannot be written is told", tells_what_was_not_written },
		{ "tables of pictures", derives },
		{ "no gnuplot: data and scripts", without_gnuplot },
		{ "gnuplot fails", gnuplot_fails },
		{ "pictures", draws },
		{ "bars of several results", draws_several },
		{ "hostile names", disarms },
		{ "anything missing or odd", survives },
	};

	return TAP_RUN(tests);
}
