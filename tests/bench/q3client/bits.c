// SPDX-License-Identifier: GPL-2.0
#include <endian.h>
#include <stdio.h>

#include "bits.h"

static struct tree book;

void bits_put_one(struct bits *b, unsigned int value)
{
	b->over |= b->bit >= b->limit;
	if (b->over)
		return;
	if (b->bit % 8 == 0)
		b->at[b->bit / 8] = 0;
	b->at[b->bit / 8] |= (value & 1) << b->bit % 8;
	b->bit++;
}

static unsigned int bits_get_one(struct bits *b)
{
	b->over |= b->bit >= b->limit;
	if (b->over)
		return 0;
	b->bit++;
	return b->at[(b->bit - 1) / 8] >> (b->bit - 1) % 8 & 1;
}

void bits_put_code(struct bits *b, const struct tree *t, int node)
{
	int parent = t->parent[node];

	if (parent == NONE)
		return;
	bits_put_code(b, t, parent);
	bits_put_one(b, t->child[parent][1] == node);
}

static unsigned int bits_get_byte(struct bits *b)
{
	int node = book.root;

	while (book.symbol[node] == NONE)
		node = book.child[node][bits_get_one(b)];
	return book.symbol[node] & 255;
}

/* What is not a whole byte comes first and is not coded. */
void bits_put(struct bits *b, uint32_t value, unsigned int n)
{
	for (; n % 8; n--, value >>= 1)
		bits_put_one(b, value);
	for (; n; n -= 8, value >>= 8)
		bits_put_code(b, &book, book.leaf[value & 255]);
}

uint32_t bits_get(struct bits *b, unsigned int n)
{
	uint32_t value = 0;
	unsigned int at = 0;

	for (; n % 8; n--)
		value |= bits_get_one(b) << at++;
	for (; n; n -= 8, at += 8)
		value |= bits_get_byte(b) << at;
	return value;
}

void bits_get_text(struct bits *b, char *text, size_t bytes)
{
	size_t used = 0;
	unsigned int c;

	while ((c = bits_get(b, 8)) && !b->over)
		if (used < bytes - 1)
			text[used++] = c > 127 || c == '%' ? '.' : c;
	text[used] = 0;
}

/* The counts: the only 256 numbers in a row in the program that are all like counts. */
static bool book_counts(FILE *program, uint32_t counts[SYMBOLS])
{
	unsigned int run = 0;
	uint32_t word;

	while (run < SYMBOLS && fread(&word, sizeof(word), 1, program) == 1) {
		word = le32toh(word);
		if (word && word < 1 << 20)
			counts[run++] = word;
		else
			run = 0;
	}
	return run == SYMBOLS;
}

bool book_grow(const char *path)
{
	uint32_t counts[SYMBOLS];
	FILE *program = fopen(path, "r");
	bool found = program && book_counts(program, counts);
	unsigned int i;

	if (program)
		fclose(program);
	tree_plant(&book);
	for (i = 0; found && i < SYMBOLS; i++)
		while (counts[i]--)
			tree_see(&book, i);
	return found;
}
