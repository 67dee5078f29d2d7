// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>

#include "text.h"

void text_add(struct text *text, const char *format, ...)
{
	size_t room = text->size - text->used;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text->at + text->used, room, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= room)
		text->cut = true;
	else
		text->used += n;
}
