// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "capture.h"

void sample(const char *part, const char *name, const struct value *values)
{
	const char *comma = "";

	printf("{\"part\":\"%s\",\"case\":\"%s\",\"values\":{", part, name);
	for (; values->name; values++, comma = ",")
		printf("%s\"%s\":%" PRIu64, comma, values->name, values->value);
	printf("}}\n");
	fflush(stdout);
}

static int order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

uint64_t percentile(uint64_t *values, size_t count, unsigned int percent)
{
	qsort(values, count, sizeof(*values), order);
	return values[(count - 1) * percent / 100];
}
