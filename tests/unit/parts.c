// SPDX-License-Identifier: GPL-2.0-only
/* What the downtime is made of, from marks as they come from hosts of all kinds. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "downtime/parts.h"
#include "downtime/timeline.h"
#include "tap.h"

#define MS 1000000LL

struct seen {
	enum where where;
	const char *name;
	double ms;
};

static json_t *marks_of(const struct seen *seen, size_t count)
{
	static const struct remote *const here[2];
	struct timeline timeline = { 0 };
	size_t i;

	for (i = 0; i < count; i++)
		timeline_mark(&timeline, seen[i].where, seen[i].name, 1000 * MS + seen[i].ms * MS);
	return timeline_json(&timeline, here);
}

static json_int_t ns_of(const json_t *part, const char *key)
{
	return json_integer_value(json_object_get(part, key));
}

/* Without a hole, none negative, from STOP to the end that makes the total. */
static void check_sum(const json_t *downtime, const json_t *marks)
{
	json_int_t at_ns = ns_of(parts_stop(marks), "ns"), from_ns = at_ns;
	double total_ms = json_number_value(json_object_get(downtime, "total_ms")), sum_ms = 0;
	json_t *part;
	size_t i;

	json_array_foreach(json_object_get(downtime, "parts"), i, part) {
		double ms = json_number_value(json_object_get(part, "ms"));

		CHECK(ns_of(part, "from_ns") == at_ns && ns_of(part, "to_ns") >= at_ns);
		at_ns = ns_of(part, "to_ns");
		CHECK(fabs(ms - (double)(at_ns - ns_of(part, "from_ns")) / MS) < 1e-9);
		sum_ms += ms;
	}
	CHECK(i > 0 && fabs(total_ms - (double)(at_ns - from_ns) / MS) < 1e-9);
	CHECK(fabs(total_ms - sum_ms) < 1e-6);
}

/* "NAME MS" with a ? where it is not attributed, one a line. */
static void check_parts(json_t *marks, const char *expected)
{
	json_t *downtime = parts_of(marks), *part;
	char text[1024] = "";
	size_t i;

	json_array_foreach(json_object_get(downtime, "parts"), i, part)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s %g%s\n",
			 json_string_value(json_object_get(part, "name")),
			 json_number_value(json_object_get(part, "ms")),
			 json_is_true(json_object_get(part, "attributed")) ? "" : "?");
	CHECK_TEXT(text, expected);
	check_sum(downtime, marks);
	json_decref(downtime);
	json_decref(marks);
}

#define CHECK_PARTS(seen, expected) \
	check_parts(marks_of(seen, sizeof(seen) / sizeof(*(seen))), expected)

static void all_cuts(void)
{
	static const struct seen seen[] = {
		{ WHERE_CLIENT, "begin", -900 },
		{ WHERE_SOURCE, "migration active", -800 },
		{ WHERE_CLIENT, "last reply", -0.5 },
		{ WHERE_SOURCE, "stop", 0 },
		{ WHERE_SOURCE, "migration pre-switchover", 1 },
		{ WHERE_SOURCE, "daemon device-state", 3 },
		{ WHERE_SOURCE, "migration device", 3.5 },
		{ WHERE_SOURCE, "daemon saved", 6 },
		{ WHERE_DESTINATION, "daemon received", 10 },
		{ WHERE_SOURCE, "migration completed", 11 },
		{ WHERE_DESTINATION, "daemon loaded", 15 },
		{ WHERE_DESTINATION, "resume", 21 },
		{ WHERE_DESTINATION, "migration completed", 22 },
		{ WHERE_CLIENT, "reply", 28 },
		{ WHERE_CLIENT, "end", 100 },
	};

	CHECK_PARTS(seen, "stop and drain 1\nlast round 2\ndevice save 3\ntransfer 4\n"
		    "device load 5\nhand-over and resume 6\nnetwork 7\n");
}

/* A cut that was not seen joins its part to the next. */
static void joined(void)
{
	static const struct seen qemu72[] = {
		{ WHERE_SOURCE, "stop", 0 }, { WHERE_SOURCE, "migration completed", 10 },
		{ WHERE_DESTINATION, "resume", 12 }, { WHERE_CLIENT, "reply", 15 },
	}, qemu10[] = {
		{ WHERE_SOURCE, "stop", 0 }, { WHERE_SOURCE, "migration device", 4 },
		{ WHERE_SOURCE, "migration completed", 10 }, { WHERE_DESTINATION, "resume", 12 },
		{ WHERE_CLIENT, "reply", 15 },
	}, bare[] = {
		{ WHERE_SOURCE, "stop", 0 }, { WHERE_DESTINATION, "resume", 12 },
	}, hole[] = {
		{ WHERE_SOURCE, "stop", 0 }, { WHERE_SOURCE, "migration pre-switchover", 1 },
		{ WHERE_SOURCE, "daemon saved", 6 }, { WHERE_DESTINATION, "daemon loaded", 9 },
		{ WHERE_DESTINATION, "resume", 12 },
	};

	CHECK_PARTS(qemu72, "stop and drain, last round, device save, transfer 10?\n"
		    "device load, hand-over and resume 2?\nnetwork 3\n");
	CHECK_PARTS(qemu10, "stop and drain 4\nlast round, device save, transfer 6?\n"
		    "device load, hand-over and resume 2?\nnetwork 3\n");
	CHECK_PARTS(bare, "stop and drain, last round, device save, transfer, device load, "
		    "hand-over and resume 12?\n");
	CHECK_PARTS(hole, "stop and drain 1\nlast round, device save 5?\n"
		    "transfer, device load 3?\nhand-over and resume 3\n");
}

/* By the clocks between the hosts something ended before what was ahead of it. */
static void out_of_order(void)
{
	static const struct seen early[] = {
		{ WHERE_SOURCE, "stop", 0 }, { WHERE_SOURCE, "migration pre-switchover", 1 },
		{ WHERE_SOURCE, "daemon device-state", 3 }, { WHERE_SOURCE, "daemon saved", 6 },
		{ WHERE_DESTINATION, "daemon received", 4 }, { WHERE_DESTINATION, "daemon loaded", 5 },
		{ WHERE_DESTINATION, "resume", 8 }, { WHERE_CLIENT, "reply", 9 },
	}, late[] = {
		{ WHERE_SOURCE, "stop", 0 }, { WHERE_SOURCE, "migration pre-switchover", 1 },
		{ WHERE_SOURCE, "daemon device-state", 3 }, { WHERE_SOURCE, "daemon saved", 9 },
		{ WHERE_DESTINATION, "daemon received", 5 }, { WHERE_DESTINATION, "daemon loaded", 6 },
		{ WHERE_DESTINATION, "resume", 8 }, { WHERE_CLIENT, "reply", 8.5 },
	}, upside_down[] = {
		{ WHERE_SOURCE, "stop", 10 }, { WHERE_SOURCE, "migration completed", 12 },
		{ WHERE_DESTINATION, "resume", 5 }, { WHERE_CLIENT, "reply", 14 },
	}, before[] = {
		{ WHERE_DESTINATION, "daemon received", -2 }, { WHERE_SOURCE, "stop", 0 },
		{ WHERE_DESTINATION, "resume", 5 },
	};

	CHECK_PARTS(early, "stop and drain 1\nlast round 2\ndevice save 3\ntransfer 0\n"
		    "device load 0\nhand-over and resume 2\nnetwork 1\n");
	CHECK_PARTS(late, "stop and drain 1\nlast round 2\ndevice save, transfer 2?\n"
		    "device load 1\nhand-over and resume 2\nnetwork 0.5\n");
	CHECK_PARTS(upside_down, "stop and drain, last round, device save, transfer, device load, "
		    "hand-over and resume 0?\nnetwork 4\n");
	CHECK_PARTS(before, "stop and drain, last round, device save, transfer 0?\n"
		    "device load, hand-over and resume 5?\n");
}

/* The source of post-copy completes when the guest runs over there. */
static void postcopy(void)
{
	static const struct seen seen[] = {
		{ WHERE_SOURCE, "stop", 0 }, { WHERE_SOURCE, "migration postcopy-active", 2 },
		{ WHERE_DESTINATION, "resume", 20 }, { WHERE_CLIENT, "reply", 21 },
		{ WHERE_DESTINATION, "migration completed", 900 },
		{ WHERE_SOURCE, "migration completed", 901 },
	}, drained[] = {
		{ WHERE_SOURCE, "stop", 0 }, { WHERE_SOURCE, "migration device", 1 },
		{ WHERE_DESTINATION, "resume", 20 }, { WHERE_CLIENT, "reply", 21 },
		{ WHERE_SOURCE, "migration completed", 901 },
	};

	CHECK_PARTS(seen, "stop and drain, last round, device save, transfer, device load, "
		    "hand-over and resume 20?\nnetwork 1\n");
	CHECK_PARTS(drained, "stop and drain 1\nlast round, device save, transfer, device load, "
		    "hand-over and resume 19?\nnetwork 1\n");
}

/* Another migration failed before, and the guest was paused once. */
static void another_try(void)
{
	static const struct seen seen[] = {
		{ WHERE_SOURCE, "stop", -500 }, { WHERE_SOURCE, "resume", -450 },
		{ WHERE_SOURCE, "stop", -300 }, { WHERE_SOURCE, "migration device", -299 },
		{ WHERE_SOURCE, "migration failed", -250 }, { WHERE_SOURCE, "resume", -249 },
		{ WHERE_SOURCE, "stop", 0 }, { WHERE_SOURCE, "migration device", 2 },
		{ WHERE_SOURCE, "migration completed", 6 }, { WHERE_DESTINATION, "resume", 9 },
		{ WHERE_DESTINATION, "stop", 500 }, { WHERE_DESTINATION, "resume", 600 },
	};
	json_t *marks = marks_of(seen, sizeof(seen) / sizeof(*seen));

	CHECK(ns_of(parts_stop(marks), "ns") == 1000 * MS);
	CHECK(ns_of(parts_resume(marks), "ns") == 1009 * MS);
	check_parts(marks, "stop and drain 2\nlast round, device save, transfer 4?\n"
		    "device load, hand-over and resume 3?\n");
}

static void check_none(const struct seen *seen, size_t count)
{
	json_t *marks = marks_of(seen, count), *downtime = parts_of(marks);

	CHECK(json_is_null(downtime));
	json_decref(downtime);
	json_decref(marks);
}

static void not_seen(void)
{
	static const struct seen stopped[] = { { WHERE_SOURCE, "stop", 0 },
					       { WHERE_SOURCE, "resume", 5 },
					       { WHERE_CLIENT, "reply", 6 } };
	static const struct seen resumed[] = { { WHERE_DESTINATION, "stop", 0 },
					       { WHERE_DESTINATION, "resume", 5 } };
	json_t *marks = marks_of(stopped, 3);

	check_none(NULL, 0);
	check_none(stopped, 3);
	check_none(resumed, 2);
	CHECK(parts_stop(marks) && !parts_resume(marks));
	json_decref(marks);
}

/* That of the worst cut, on whichever host; others do not count. */
static void error(void)
{
	struct remote source = { .sync_count = 1, .syncs = { { 1000 * MS, 0, 2 * MS } } };
	struct remote destination = { .sync_count = 1, .syncs = { { 1000 * MS, 0, 3 * MS } } };
	const struct remote *const remotes[] = { &source, &destination };
	struct timeline timeline = { 0 };
	json_t *marks, *downtime;

	timeline_mark(&timeline, WHERE_SOURCE, "stop", 1000 * MS);
	timeline_mark(&timeline, WHERE_DESTINATION, "resume", 1000 * MS);
	timeline_mark(&timeline, WHERE_DESTINATION, "migration completed", 900000 * MS);
	marks = timeline_json(&timeline, remotes);
	downtime = parts_of(marks);
	CHECK(json_number_value(json_object_get(downtime, "error_ms")) == 3);
	json_decref(downtime);
	json_decref(marks);
}

/* Whatever was seen, wherever the clocks put it. */
static void any(void)
{
	static const struct seen all[] = {
		{ WHERE_SOURCE, "stop", 0 }, { WHERE_DESTINATION, "resume", 0 },
		{ WHERE_SOURCE, "migration pre-switchover", 0 }, { WHERE_SOURCE, "migration device", 0 },
		{ WHERE_SOURCE, "daemon device-state", 0 }, { WHERE_SOURCE, "daemon saved", 0 },
		{ WHERE_DESTINATION, "daemon received", 0 }, { WHERE_SOURCE, "migration completed", 0 },
		{ WHERE_DESTINATION, "daemon loaded", 0 }, { WHERE_CLIENT, "reply", 0 },
		{ WHERE_SOURCE, "stop", 0 }, { WHERE_DESTINATION, "resume", 0 },
	};
	struct seen seen[sizeof(all) / sizeof(*all)];
	json_t *marks, *downtime;
	size_t i, count;
	int n;

	srand(1);
	for (n = 0; n < 3000; n++) {
		for (i = 0, count = 0; i < sizeof(all) / sizeof(*all); i++) {
			seen[count] = all[i];
			seen[count].ms = rand() % 50;
			count += i < 2 || rand() % 2;
		}
		marks = marks_of(seen, count);
		downtime = parts_of(marks);
		check_sum(downtime, marks);
		json_decref(downtime);
		json_decref(marks);
	}
}

int main(void)
{
	static const struct test tests[] = {
		{ "all cuts", all_cuts },
		{ "missing cuts", joined },
		{ "cuts out of order", out_of_order },
		{ "post-copy", postcopy },
		{ "another try before", another_try },
		{ "nothing seen", not_seen },
		{ "the clocks' error", error },
		{ "any marks add up", any },
	};

	return TAP_RUN(tests);
}
