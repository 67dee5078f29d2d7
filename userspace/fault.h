/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What went wrong, in words for the user: always UTF-8, since it travels as
 * JSON. Functions that take one answer 0 or -1.
 */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>

struct fault {
	char text[512];
};

__attribute__((format(printf, 2, 3)))
int fail(struct fault *fault, const char *format, ...);

/* Replaces what is not UTF-8 in @text by question marks; says whether there was any. */
bool text_to_utf8(char *text);

#endif
