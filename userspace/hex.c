// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "daemon.h"

void hex_encode(const uint8_t *bytes, size_t count, char *text)
{
	while (count--) {
		sprintf(text, "%02x", *bytes++);
		text += 2;
	}
}

int hex_decode(const char *text, uint8_t *bytes, size_t count)
{
	size_t i;

	if (!text || strlen(text) != 2 * count ||
	    strspn(text, "0123456789abcdef") != 2 * count)
		return -1;
	for (i = 0; i < count; i++)
		sscanf(text + 2 * i, "%2hhx", &bytes[i]);
	return 0;
}
