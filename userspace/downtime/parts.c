// SPDX-License-Identifier: GPL-2.0-only
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../cmd.h"
#include "parts.h"
#include "timeline.h"

/* Names are those of the marks; the first that is found counts. */
static const struct cut {
	const char *part;
	struct {
		const char *where, *name;
	} seen[3];
} cuts[] = {
	{ NULL, { { "source", "stop" } } },
	{ "stop and drain", { { "source", "migration pre-switchover" },
			      { "source", "migration device" } } },
	{ "last round", { { "source", "daemon device-state" } } },
	{ "device save", { { "source", "daemon saved" } } },
	{ "transfer", { { "destination", "daemon received" }, { "source", "migration completed" } } },
	{ "device load", { { "destination", "daemon loaded" } } },
	{ "hand-over and resume", { { "destination", "resume" } } },
	{ "network", { { "client", "reply" } } },
};

#define CUTS		(sizeof(cuts) / sizeof(*cuts))
#define RESUMED		(CUTS - 2)

/*
 * The last before RESUME is that of this migration: one that failed, and a guest that was
 * stopped and went on, came earlier. After it is the first reply, and what the clocks
 * between the hosts put there.
 */
static json_t *find_cut(const json_t *marks, const struct cut *cut, json_int_t resumed_ns)
{
	json_t *mark = NULL;
	size_t i;

	for (i = 0; i < 3 && cut->seen[i].name && !mark; i++) {
		mark = timeline_find_last(marks, cut->seen[i].where, cut->seen[i].name, resumed_ns);
		if (!mark)
			mark = timeline_find(marks, cut->seen[i].where, cut->seen[i].name);
	}
	return mark;
}

static void add_name(char *name, size_t bytes, const char *part)
{
	size_t used = strlen(name);

	snprintf(name + used, bytes - used, "%s%s", used ? ", " : "", part);
}

static void add_part(json_t *parts, const char *name, bool several, json_int_t from_ns,
		     json_int_t to_ns)
{
	json_array_append_new(parts, json_pack("{s:s,s:I,s:I,s:f,s:b}", "name", name, "from_ns",
					       from_ns, "to_ns", to_ns, "ms", (to_ns - from_ns) / 1e6,
					       "attributed", !several));
}

/*
 * A cut that is not between its neighbours by the clocks is moved there. One before
 * RESUME that came after it, as the end of post-copy does, has no part in it.
 */
static json_t *cut_up(const json_t *marks, json_int_t from_ns, json_int_t resumed_ns,
		      json_int_t *end_ns)
{
	json_t *parts = json_array(), *mark;
	char name[200] = "";
	json_int_t ns;
	size_t i, unseen = 0;

	for (i = 1; i < CUTS; i++) {
		mark = find_cut(marks, &cuts[i], resumed_ns);
		ns = int_of(mark, "ns");
		add_name(name, sizeof(name), cuts[i].part);
		if (!mark || (i < RESUMED && ns > resumed_ns)) {
			unseen++;
			continue;
		}
		if (ns < from_ns)
			ns = from_ns;
		add_part(parts, name, unseen, from_ns, ns);
		from_ns = ns;
		unseen = 0;
		*name = 0;
	}
	*end_ns = from_ns;
	return parts;
}

static double worst_error_ms(const json_t *marks, json_int_t resumed_ns)
{
	json_int_t worst = 0;
	json_t *mark;
	size_t i;

	for (i = 0; i < CUTS; i++) {
		mark = find_cut(marks, &cuts[i], resumed_ns);
		if (mark && int_of(mark, "error_ns") > worst)
			worst = int_of(mark, "error_ns");
	}
	return worst / 1e6;
}

json_t *parts_resume(const json_t *marks)
{
	return timeline_find(marks, "destination", "resume");
}

json_t *parts_stop(const json_t *marks)
{
	json_t *resumed = parts_resume(marks);

	return find_cut(marks, &cuts[0], resumed ? int_of(resumed, "ns") : INT64_MAX);
}

json_t *parts_of(const json_t *marks)
{
	json_t *stopped = parts_stop(marks), *resumed = parts_resume(marks), *parts;
	json_int_t end_ns, resumed_ns = int_of(resumed, "ns");

	if (!stopped || !resumed)
		return json_null();
	parts = cut_up(marks, int_of(stopped, "ns"), resumed_ns, &end_ns);
	return json_pack("{s:o,s:f,s:f}", "parts", parts, "total_ms",
			 (end_ns - int_of(stopped, "ns")) / 1e6, "error_ms",
			 worst_error_ms(marks, resumed_ns));
}
