// SPDX-License-Identifier: GPL-2.0-only
/* A migration's figures in QEMU's schema: what of it has none of its own is zero. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "migration.h"

#define PAGE_BYTES 4096

static json_int_t figure(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static bool is(const struct migration *migration, const char *status)
{
	return !strcmp(migration->status, status);
}

static json_int_t remaining(const struct migration *migration)
{
	const json_t *progress = migration->progress;
	json_int_t bytes = figure(progress, "round") ? figure(progress, "dirty_bytes") :
			   figure(progress, "present_bytes") - figure(progress, "sent_bytes");

	return bytes < 0 || is(migration, "completed") ? 0 : bytes;
}

static json_t *ram(const struct migration *migration)
{
	const json_t *progress = migration->progress;
	const json_t *done = json_object_get(migration->result, "ram");
	json_int_t sent = done ? figure(done, "bytes_sent") : figure(progress, "sent_bytes");
	json_int_t rate = figure(progress, "rate");

	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
			 "transferred", sent, "remaining", remaining(migration),
			 "total", figure(progress, "total_bytes"),
			 "duplicate", figure(done, "hole_pages") + figure(done, "zero_pages"), "skipped", (json_int_t)0,
			 "normal", sent / PAGE_BYTES, "normal-bytes", sent,
			 "dirty-pages-rate", figure(progress, "dirty_rate") / PAGE_BYTES,
			 "mbps", (double)rate * 8 / 1e6,
			 "dirty-sync-count", (json_int_t)migration->pass,
			 "postcopy-requests", (json_int_t)0, "page-size", (json_int_t)PAGE_BYTES,
			 "multifd-bytes", (json_int_t)0, "pages-per-second", rate / PAGE_BYTES,
			 "precopy-bytes", sent, "downtime-bytes", (json_int_t)0,
			 "postcopy-bytes", (json_int_t)0,
			 "dirty-sync-missed-zero-copy", (json_int_t)0);
}

static uint64_t since(const struct migration *migration, uint64_t start_ms)
{
	uint64_t end_ms = migration->end_ms ? migration->end_ms : clock_ms();

	return end_ms > start_ms ? end_ms - start_ms : 0;
}

static void set(json_t *figures, const char *key, double value)
{
	json_object_set_new(figures, key, json_integer((json_int_t)(value + 0.999)));
}

static void set_times(const struct migration *migration, json_t *figures)
{
	const json_t *downtime = json_object_get(migration->result, "downtime_ms");

	set(figures, "total-time", (double)since(migration, migration->start_ms));
	set(figures, "setup-time", (double)(migration->active_ms - migration->start_ms));
	if (is(migration, "completed"))
		set(figures, "downtime", json_number_value(json_object_get(downtime, "window")));
	else
		set(figures, "expected-downtime",
		    (double)figure(migration->progress, "expected_downtime_ms"));
}

json_t *migration_figures(const struct migration *migration)
{
	json_t *figures = json_pack("{s:s}", "status", migration->status);

	if (migration->active_ms && !is(migration, "failed") && !is(migration, "cancelled")) {
		set_times(migration, figures);
		json_object_set_new(figures, "ram", ram(migration));
	}
	if (*migration->error)
		json_object_set_new(figures, "error-desc", json_string(migration->error));
	return figures;
}

__attribute__((format(printf, 2, 3)))
static void say(FILE *to, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(to, format, args);
	va_end(args);
	fputs("\r\n", to);
}

static void say_ram(FILE *to, const json_t *ram)
{
	static const struct { const char *key, *words, *unit; int shift; } lines[] = {
		{ "transferred", "transferred ram", " kbytes", 10 },
		{ "remaining", "remaining ram", " kbytes", 10 },
		{ "total", "total ram", " kbytes", 10 },
		{ "duplicate", "duplicate", " pages", 0 },
		{ "skipped", "skipped", " pages", 0 },
		{ "normal", "normal", " pages", 0 },
		{ "normal-bytes", "normal bytes", " kbytes", 10 },
		{ "dirty-sync-count", "dirty sync count", "", 0 },
		{ "page-size", "page size", " kbytes", 10 },
		{ "multifd-bytes", "multifd bytes", " kbytes", 10 },
		{ "pages-per-second", "pages-per-second", "", 0 },
		{ "dirty-pages-rate", "dirty pages rate", " pages", 0 },
		{ "precopy-bytes", "precopy ram", " kbytes", 10 },
	};
	size_t i;

	say(to, "throughput: %0.2f mbps", json_number_value(json_object_get(ram, "mbps")));
	for (i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		say(to, "%s: %lld%s", lines[i].words,
		    (long long)figure(ram, lines[i].key) >> lines[i].shift, lines[i].unit);
}

static void say_times(FILE *to, const json_t *figures)
{
	if (!json_object_get(figures, "ram"))
		return;
	say(to, "total time: %lld ms", (long long)figure(figures, "total-time"));
	if (json_object_get(figures, "expected-downtime"))
		say(to, "expected downtime: %lld ms",
		    (long long)figure(figures, "expected-downtime"));
	if (json_object_get(figures, "downtime"))
		say(to, "downtime: %lld ms", (long long)figure(figures, "downtime"));
	say(to, "setup: %lld ms", (long long)figure(figures, "setup-time"));
	say_ram(to, json_object_get(figures, "ram"));
}

json_t *migration_figures_text(const struct migration *migration)
{
	json_t *figures = migration_figures(migration), *value;
	size_t bytes;
	char *text = NULL;
	FILE *to = open_memstream(&text, &bytes);

	if (!to) {
		json_decref(figures);
		return json_string("");
	}
	say(to, "Migration status: %s%s%s%s", migration->status,
	    *migration->error ? " (" : "", migration->error, *migration->error ? ")" : "");
	say_times(to, figures);
	fclose(to);
	value = json_string(text);
	free(text);
	json_decref(figures);
	return value;
}
