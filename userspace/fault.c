// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>

#include "fault.h"

/* Bytes of the character that @at begins with; 0 where there is none. */
static int utf8_bytes(const unsigned char *at)
{
	int bytes = *at < 0x80 ? 1 : *at >= 0xc2 && *at < 0xe0 ? 2 : *at >= 0xe0 && *at < 0xf0 ? 3 :
		    *at >= 0xf0 && *at < 0xf5 ? 4 : 0;
	int i;

	for (i = 1; i < bytes; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] >= 0xa0) ||
	    (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] >= 0x90))
		return 0;
	return bytes;
}

bool text_to_utf8(char *text)
{
	bool any = false;

	while (*text) {
		int bytes = utf8_bytes((unsigned char *)text);

		if (!bytes) {
			*text = '?';
			any = true;
		}
		text += bytes ? bytes : 1;
	}
	return any;
}

int fail(struct fault *fault, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
	text_to_utf8(fault->text);
	return -1;
}
