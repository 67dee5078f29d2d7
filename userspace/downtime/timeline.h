/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What happened and when, by whose clock. Times become the observer's at the end,
 * when the clocks have been compared before and after.
 */
#ifndef TIMELINE_H
#define TIMELINE_H

#include <jansson.h>
#include <stdint.h>

#include "remote.h"

#define TIMELINE_MARKS 512

enum where { WHERE_SOURCE, WHERE_DESTINATION, WHERE_CLIENT };

/* "source", "destination", "client" */
const char *where_name(enum where where);

struct mark {
	char name[48];
	enum where where;
	int64_t ns;		/* by the clock of where it was */
};

struct timeline {
	struct mark marks[TIMELINE_MARKS];
	unsigned int count, lost;
};

/* What has no time, not more than 0, was not seen. */
void timeline_mark(struct timeline *timeline, enum where where, const char *name, int64_t ns);

/*
 * In order of time: [{"name","where","ns","error_ns"}]. @remotes: by where; one
 * whose clock was never compared is taken to be here.
 */
json_t *timeline_json(const struct timeline *timeline, const struct remote *const remotes[2]);

/* The first of that name there, or NULL; the caller does not own it. */
json_t *timeline_find(const json_t *marks, const char *where, const char *name);
/* The last one that is not after @until_ns. */
json_t *timeline_find_last(const json_t *marks, const char *where, const char *name,
			   json_int_t until_ns);

#endif
