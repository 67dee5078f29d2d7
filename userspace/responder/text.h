/* SPDX-License-Identifier: GPL-2.0-only */
/* Text that is put together in a place of limited size. */
#ifndef RESPONDER_TEXT_H
#define RESPONDER_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
	char *at;
	size_t size, used;	/* @used without the NUL */
	bool cut;		/* it did not all fit: what is there is of no use */
};

__attribute__((format(printf, 2, 3)))
void text_add(struct text *text, const char *format, ...);

#endif
