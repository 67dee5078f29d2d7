// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "size.h"

static int shift_of(char unit)
{
	static const char units[] = "KMGT";
	const char *at = strchr(units, toupper((unsigned char)unit));

	return 10 * (int)(at ? at - units + 1 : 0);
}

static int refuse(const char *text, struct fault *fault)
{
	return fail(fault, "%.32s is no size: a number, then perhaps K, M, G or T",
		    *text ? text : "nothing");
}

int size_parse(const char *text, uint64_t *bytes, struct fault *fault)
{
	unsigned long long n;
	int shift = 0;
	char *end;

	if (!isdigit((unsigned char)*text))
		return refuse(text, fault);
	errno = 0;
	n = strtoull(text, &end, 10);
	if (*end) {
		shift = shift_of(*end);
		if (!shift || end[1])
			return refuse(text, fault);
	}
	if (errno || n > (uint64_t)INT64_MAX >> shift)
		return fail(fault, "%.32s is too large", text);
	*bytes = n << shift;
	return 0;
}
