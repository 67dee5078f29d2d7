// SPDX-License-Identifier: GPL-2.0-only
/* What happened when, and the clocks of other hosts. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "downtime/timeline.h"
#include "tap.h"

#define S	1000000000LL

static const struct remote *const nowhere[2];

static json_int_t ns_at(const json_t *marks, size_t i, const char *key)
{
	return json_integer_value(json_object_get(json_array_get(marks, i), key));
}

static const char *text_at(const json_t *marks, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(marks, i), key));
}

static void order(void)
{
	struct timeline timeline = { 0 };
	json_t *marks;

	timeline_mark(&timeline, WHERE_CLIENT, "end", 30);
	timeline_mark(&timeline, WHERE_DESTINATION, "resume", 20);
	timeline_mark(&timeline, WHERE_SOURCE, "stop", 10);
	timeline_mark(&timeline, WHERE_SOURCE, "never", 0);
	timeline_mark(&timeline, WHERE_SOURCE, "never", -1);
	marks = timeline_json(&timeline, nowhere);
	CHECK(json_array_size(marks) == 3 && timeline.lost == 0);
	CHECK_TEXT(text_at(marks, 0, "name"), "stop");
	CHECK_TEXT(text_at(marks, 0, "where"), "source");
	CHECK_TEXT(text_at(marks, 1, "where"), "destination");
	CHECK_TEXT(text_at(marks, 2, "where"), "client");
	CHECK(ns_at(marks, 0, "ns") == 10 && ns_at(marks, 1, "ns") == 20 &&
	      ns_at(marks, 2, "ns") == 30 && ns_at(marks, 2, "error_ns") == 0);
	json_decref(marks);
	timeline = (struct timeline){ 0 };
	marks = timeline_json(&timeline, nowhere);
	CHECK(json_is_array(marks) && json_array_size(marks) == 0);
	json_decref(marks);
}

static void find(void)
{
	struct timeline timeline = { 0 };
	json_t *marks;
	int i;

	for (i = 1; i <= 3; i++)
		timeline_mark(&timeline, WHERE_SOURCE, "stop", i * 10);
	marks = timeline_json(&timeline, nowhere);
	CHECK(timeline_find(marks, "source", "stop") == json_array_get(marks, 0));
	CHECK(!timeline_find(marks, "destination", "stop") && !timeline_find(marks, "source", "sto"));
	CHECK(timeline_find_last(marks, "source", "stop", 30) == json_array_get(marks, 2));
	CHECK(timeline_find_last(marks, "source", "stop", 29) == json_array_get(marks, 1));
	CHECK(!timeline_find_last(marks, "source", "stop", 9));
	CHECK(!timeline_find_last(marks, "client", "stop", 30));
	json_decref(marks);
}

static void lost(void)
{
	struct timeline *timeline = calloc(1, sizeof(*timeline));	/* seen by ASan beyond its end */
	json_t *marks;
	int i;

	for (i = 0; i < TIMELINE_MARKS + 3; i++)
		timeline_mark(timeline, WHERE_SOURCE, "migration_pass", 1 + i);
	marks = timeline_json(timeline, nowhere);
	CHECK(timeline->lost == 3 && json_array_size(marks) == TIMELINE_MARKS);
	CHECK(ns_at(marks, TIMELINE_MARKS - 1, "ns") == TIMELINE_MARKS);
	json_decref(marks);
	free(timeline);
}

static void long_name(void)
{
	struct timeline timeline = { 0 };
	char name[100], expected[48];
	json_t *marks;

	memset(name, 'x', sizeof(name));
	strcpy(name + 46, "\xc3\xa4" "b");	/* of the first only one byte fits */
	timeline_mark(&timeline, WHERE_SOURCE, name, 1);
	marks = timeline_json(&timeline, nowhere);
	memset(expected, 'x', sizeof(expected));
	strcpy(expected + 46, "?");
	CHECK_TEXT(text_at(marks, 0, "name"), expected);
	json_decref(marks);
}

/* One whose clock was compared, one whose was not. */
static void converted(void)
{
	struct remote source = { .sync_count = 1, .syncs = { { 100 * S, 50 * S, 1000 } } };
	struct remote destination = { 0 };
	const struct remote *const remotes[] = { &source, &destination };
	struct timeline timeline = { 0 };
	json_t *marks;

	timeline_mark(&timeline, WHERE_DESTINATION, "resume", 102 * S);
	timeline_mark(&timeline, WHERE_CLIENT, "reply", 101 * S);
	timeline_mark(&timeline, WHERE_SOURCE, "stop", 150 * S);
	marks = timeline_json(&timeline, remotes);
	CHECK_TEXT(text_at(marks, 0, "name"), "stop");
	CHECK(ns_at(marks, 0, "ns") == 100 * S && ns_at(marks, 0, "error_ns") == 1000);
	CHECK_TEXT(text_at(marks, 1, "name"), "reply");
	CHECK(ns_at(marks, 1, "ns") == 101 * S && ns_at(marks, 1, "error_ns") == 0);
	CHECK(ns_at(marks, 2, "ns") == 102 * S && ns_at(marks, 2, "error_ns") == 0);
	json_decref(marks);
}

/* At least this far is 500 ppm of the way from the only comparison there is. */
static void one_comparison(void)
{
	struct remote remote = { .sync_count = 1, .syncs = { { 100 * S, -30 * S, 1000 } } };
	int64_t error_ns;

	CHECK(remote_to_local(&remote, 70 * S, &error_ns) == 100 * S && error_ns == 1000);
	CHECK(remote_to_local(&remote, 80 * S, &error_ns) == 110 * S);
	CHECK(error_ns == 1000 + 10 * S / 2000);
	CHECK(remote_to_local(&remote, 50 * S, &error_ns) == 80 * S);
	CHECK(error_ns == 1000 + 20 * S / 2000);
}

/* Their clock gains a millisecond a second, for ten seconds. */
static void drift(void)
{
	struct remote remote = { .sync_count = 3, .syncs = {
		{ 100 * S, 50 * S, 1000 }, { 110 * S, 50 * S + S / 100, 3000 },
		{ 120 * S, 50 * S + S / 100, 2000 } } };
	int64_t error_ns, ns;

	CHECK(remote_to_local(&remote, 150 * S, &error_ns) == 100 * S);
	CHECK(remote_to_local(&remote, 160 * S + S / 100, &error_ns) == 110 * S && error_ns == 3000);
	ns = remote_to_local(&remote, 155 * S + S / 200, &error_ns);
	CHECK(llabs(ns - 105 * S) <= 2 && error_ns == 3000 + S / 200);
	ns = remote_to_local(&remote, 152 * S + S / 500, &error_ns);
	CHECK(llabs(ns - 102 * S) <= 2);
	CHECK(remote_to_local(&remote, 165 * S + S / 100, &error_ns) == 115 * S);
	CHECK(error_ns == 3000);
	/* before all of them, and after */
	CHECK(remote_to_local(&remote, 149 * S, &error_ns) == 99 * S);
	CHECK(error_ns == 1000 + S / 2000);
	CHECK(remote_to_local(&remote, 171 * S + S / 100, &error_ns) == 121 * S);
	CHECK(error_ns == 2000 + S / 2000);
}

/* No later time there is an earlier one here. */
static void monotonic(void)
{
	struct remote remote = { .sync_count = 2, .syncs = {
		{ 100 * S, 7 * S, 1000 }, { 110 * S, 7 * S - S / 3, 1000 } } };
	int64_t error_ns, before_ns = 0, ns, there_ns;

	for (there_ns = 100 * S; there_ns < 130 * S; there_ns += S / 997) {
		ns = remote_to_local(&remote, there_ns, &error_ns);
		CHECK(ns > before_ns && error_ns >= 1000);
		before_ns = ns;
	}
}

/* Numbers that no clock shows are numbers still. */
static void absurd(void)
{
	static const int64_t times_ns[] = { INT64_MIN, -1, 0, 1, INT64_MAX / 2, INT64_MAX };
	struct remote remote = { .sync_count = 2, .syncs = {
		{ 100 * S, INT64_MAX / 4 - 100 * S, 1000 }, { 110 * S, 1 - 110 * S, 1000 } } };
	int64_t error_ns, ns;
	size_t i;

	for (i = 0; i < sizeof(times_ns) / sizeof(*times_ns); i++) {
		remote.sync_count = 1 + i % 2;
		ns = remote_to_local(&remote, times_ns[i], &error_ns);
		CHECK(llabs(ns) < INT64_MAX && error_ns >= 1000);
	}
}

int main(void)
{
	static const struct test tests[] = {
		{ "order", order },
		{ "find", find },
		{ "more than fit", lost },
		{ "a long name", long_name },
		{ "other hosts' times", converted },
		{ "one comparison", one_comparison },
		{ "drift", drift },
		{ "time goes on", monotonic },
		{ "absurd times", absurd },
	};

	return TAP_RUN(tests);
}
