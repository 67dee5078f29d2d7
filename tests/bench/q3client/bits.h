/* SPDX-License-Identifier: GPL-2.0 */
/* Numbers and texts in a message: a bit by itself, bytes coded by the protocol's tree. */
#ifndef BITS_H
#define BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tree.h"

struct bits {
	unsigned char *at;
	size_t bit, limit;
	bool over;
};

/*
 * Both sides grow the tree from the same counts of bytes before they begin. They are
 * read from the server's program (ioq3ded), where they are a table.
 */
bool book_grow(const char *path);

void bits_put(struct bits *b, uint32_t value, unsigned int n);
uint32_t bits_get(struct bits *b, unsigned int n);
void bits_get_text(struct bits *b, char *text, size_t bytes);

/* With another tree, and without one. */
void bits_put_code(struct bits *b, const struct tree *t, int node);
void bits_put_one(struct bits *b, unsigned int value);

#endif
