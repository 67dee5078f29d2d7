/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where QEMU sees tokens in a stream of bytes, and where it sees that there can be none:
 * it answers with an error at that very byte, and goes on at the next bracket, comma,
 * colon or control character. Zeros are the beginning.
 */
#ifndef MONITOR_LEXER_H
#define MONITOR_LEXER_H

#include <stddef.h>

struct lexer {
	unsigned int state;
	char quote;		/* of the string it is in */
};

enum lexed {
	LEX_ON,			/* no token ends here */
	LEX_WITH,		/* one ends with this byte */
	LEX_BEFORE,		/* one ended before it: give it once more */
	LEX_STRAY,		/* it cannot be there */
};

enum lexed lexer_feed(struct lexer *lexer, char c);
/* How many of the next bytes belong to nothing. */
size_t lexer_skip(struct lexer *lexer, const char *from, size_t bytes);

#endif
