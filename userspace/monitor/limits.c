// SPDX-License-Identifier: GPL-2.0-only
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"

#define BANDWIDTH_MOST		0x1p62
#define DOWNTIME_MOST_MS	60000	/* of ours; QEMU allows 2000 s */

static const struct limit {
	const char *name;	/* of QEMU */
	const char *option;	/* of ours */
	double most, our_least, our_most;
	const char *unit;
} limits[] = {
	{ "downtime-limit", "downtime", 2000000, 1, DOWNTIME_MOST_MS, "milliseconds" },
	{ "max-bandwidth", "bandwidth", BANDWIDTH_MOST, 0, BANDWIDTH_MOST, "bytes/second" },
};

#define LIMITS (sizeof(limits) / sizeof(*limits))

static const struct limit *find(const char *name)
{
	size_t i;

	for (i = 0; i < LIMITS; i++)
		if (!strcmp(limits[i].name, name))
			return &limits[i];
	return NULL;
}

bool limits_named(const json_t *parameters)
{
	size_t i;

	for (i = 0; i < LIMITS; i++)
		if (json_object_get(parameters, limits[i].name))
			return true;
	return false;
}

static int check(const struct limit *limit, const json_t *value, struct fault *fault)
{
	double number = json_number_value(value);

	if (!json_is_number(value))
		return fail(fault, "Invalid parameter type for '%s', expected: integer", limit->name);
	if (number < 0 || number > limit->most || number != floor(number))
		return fail(fault, "Parameter '%s' expects an integer in the range of 0 to %.0f %s",
			    limit->name, limit->most, limit->unit);
	return 0;
}

json_t *limits_read(const json_t *parameters, struct fault *fault)
{
	json_t *read = json_object(), *value;
	const char *name;
	int err = 0;

	json_object_foreach((json_t *)parameters, name, value) {
		const struct limit *limit = find(name);

		err = !limit ? fail(fault, "Parameter '%s' cannot be set together with limits of a running rdmafast: migration",
				    name) : check(limit, value, fault);
		if (err)
			break;
		json_object_set_new(read, name, json_integer((json_int_t)json_number_value(value)));
	}
	if (!err)
		return read;
	json_decref(read);
	return NULL;
}

/* max-bandwidth counts in MiB where it has no unit. */
static double scale_of(const char *unit, bool bytes)
{
	static const char units[] = "BKMGT";
	const char *at = *unit ? strchr(units, *unit & ~0x20) : units + 2;

	if (!bytes)
		return *unit ? NAN : 1;
	return !at || (*unit && unit[1]) ? NAN : (double)(1ULL << 10 * (at - units));
}

json_t *limits_of_hmp(const char *name, const char *text)
{
	const struct limit *limit = find(name);
	double number, scale;
	char *end;

	if (!limit || !strchr("0123456789", *text) || !*text)
		return NULL;
	number = strtod(text, &end);
	scale = scale_of(end, !strcmp(limit->option, "bandwidth"));
	return isnan(scale) || !isfinite(number * scale) ? NULL :
	       json_pack("{s:f}", limit->name, floor(number * scale));
}

json_t *limits_options(const json_t *parameters, bool zeros)
{
	json_t *options = json_object();
	size_t i;

	for (i = 0; i < LIMITS; i++) {
		const json_t *value = json_object_get(parameters, limits[i].name);
		double number = json_number_value(value);

		if (!json_is_number(value) || number < 0 || (number < 1 && !zeros))
			continue;
		number = fmin(fmax(number, limits[i].our_least), limits[i].our_most);
		json_object_set_new(options, limits[i].option, json_sprintf("%.0f", number));
	}
	return options;
}
