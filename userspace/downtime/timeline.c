// SPDX-License-Identifier: GPL-2.0-only
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cmd.h"
#include "timeline.h"

const char *where_name(enum where where)
{
	static const char *const names[] = { "source", "destination", "client" };

	return names[where];
}

void timeline_mark(struct timeline *timeline, enum where where, const char *name, int64_t ns)
{
	struct mark *mark = &timeline->marks[timeline->count];

	if (ns <= 0)
		return;
	if (timeline->count == TIMELINE_MARKS) {
		timeline->lost++;
		return;
	}
	snprintf(mark->name, sizeof(mark->name), "%s", name);
	text_to_utf8(mark->name);
	mark->where = where;
	mark->ns = ns;
	timeline->count++;
}

static int by_time(const void *a, const void *b)
{
	json_int_t one = int_of(*(json_t *const *)a, "ns"), other = int_of(*(json_t *const *)b, "ns");

	return (one > other) - (one < other);
}

json_t *timeline_json(const struct timeline *timeline, const struct remote *const remotes[2])
{
	json_t *sorted[TIMELINE_MARKS] = { NULL }, *marks = json_array();
	unsigned int i;

	for (i = 0; i < timeline->count; i++) {
		const struct mark *mark = &timeline->marks[i];
		const struct remote *remote = mark->where < WHERE_CLIENT ? remotes[mark->where] : NULL;
		int64_t error_ns = 0, ns = mark->ns;

		if (remote && remote->sync_count)
			ns = remote_to_local(remote, mark->ns, &error_ns);
		sorted[i] = json_pack("{s:s,s:s,s:I,s:I}", "name", mark->name, "where",
				      where_name(mark->where), "ns", (json_int_t)ns, "error_ns",
				      (json_int_t)error_ns);
	}
	qsort(sorted, timeline->count, sizeof(*sorted), by_time);
	for (i = 0; i < timeline->count; i++)
		json_array_append_new(marks, sorted[i]);
	return marks;
}

static bool is(const json_t *mark, const char *where, const char *name)
{
	return !strcmp(text_of(mark, "where"), where) && !strcmp(text_of(mark, "name"), name);
}

json_t *timeline_find(const json_t *marks, const char *where, const char *name)
{
	json_t *mark;
	size_t i;

	json_array_foreach(marks, i, mark)
		if (is(mark, where, name))
			return mark;
	return NULL;
}

json_t *timeline_find_last(const json_t *marks, const char *where, const char *name,
			   json_int_t until_ns)
{
	json_t *mark, *last = NULL;
	size_t i;

	json_array_foreach(marks, i, mark)
		if (is(mark, where, name) && int_of(mark, "ns") <= until_ns)
			last = mark;
	return last;
}
