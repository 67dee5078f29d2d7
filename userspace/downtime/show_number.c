// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "show_number.h"

const char *show_number(char text[NUMBER_BYTES], const json_t *value, int decimals)
{
	if (json_is_number(value))
		snprintf(text, NUMBER_BYTES, "%.*f", decimals, json_number_value(value));
	else
		strcpy(text, "-");
	return text;
}

const char *show_ms(char text[NUMBER_BYTES], const json_t *value)
{
	show_number(text, value, json_is_integer(value) ? 0 : 2);
	if (json_is_integer(value) && strlen(text) + 4 < NUMBER_BYTES)
		strcat(text, "   ");
	return text;
}

static const char *scaled(char text[NUMBER_BYTES], const json_t *value, double step,
			  const char *const units[5])
{
	double number = json_number_value(value);
	int unit = 0;

	if (!json_is_number(value))
		return show_number(text, value, 0);
	while (number >= step && unit < 4) {
		number /= step;
		unit++;
	}
	snprintf(text, NUMBER_BYTES, "%.*f%s", unit ? 2 : 0, number, units[unit]);
	return text;
}

const char *show_bytes(char text[NUMBER_BYTES], const json_t *value)
{
	static const char *const units[] = { " B", " KiB", " MiB", " GiB", " TiB" };

	return scaled(text, value, 1024, units);
}

const char *show_per_s(char text[NUMBER_BYTES], const json_t *value)
{
	static const char *const units[] = { "/s", " k/s", " M/s", " G/s", " T/s" };

	return scaled(text, value, 1000, units);
}
