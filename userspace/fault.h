/* SPDX-License-Identifier: GPL-2.0-only */
/* What went wrong, in words for the user. Functions that take one answer 0 or -1. */
#ifndef FAULT_H
#define FAULT_H

#include <stdarg.h>
#include <stdio.h>

struct fault {
	char text[512];
};

__attribute__((format(printf, 2, 3)))
static inline int fail(struct fault *fault, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
	return -1;
}

#endif
