// SPDX-License-Identifier: GPL-2.0-only
#include <stdbool.h>
#include <string.h>

#include "lexer.h"

enum { BETWEEN, LOST, STRING, ESCAPE, WORD, SIGN, ZERO, DIGITS, POINT, FRACTION, E, E_SIGN, E_DIGITS };

/* Where a number goes on; 0: it cannot. */
static const struct {
	unsigned int digit, point, e, sign;
	bool may_end;
} number[] = {
	[SIGN] = { .digit = DIGITS },
	[ZERO] = { .point = POINT, .may_end = true },
	[DIGITS] = { .digit = DIGITS, .point = POINT, .e = E, .may_end = true },
	[POINT] = { .digit = FRACTION },
	[FRACTION] = { .digit = FRACTION, .e = E, .may_end = true },
	[E] = { .digit = E_DIGITS, .sign = E_SIGN },
	[E_SIGN] = { .digit = E_DIGITS },
	[E_DIGITS] = { .digit = E_DIGITS, .may_end = true },
};

static bool is_one_of(const char *set, char c)
{
	return c && strchr(set, c);
}

static bool is_mark(char c)
{
	return is_one_of("{}[]:,", c);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return c >= 'a' && c <= 'z';
}

/* Control characters, and what is nowhere in UTF-8. */
static bool is_outlaw(char c)
{
	return (unsigned char)c < 0x20 || (unsigned char)c >= 0xfe;
}

static enum lexed go(struct lexer *lexer, unsigned int state)
{
	lexer->state = state;
	return LEX_ON;
}

static enum lexed end(struct lexer *lexer, enum lexed how)
{
	lexer->state = BETWEEN;
	return how;
}

static enum lexed stray(struct lexer *lexer)
{
	lexer->state = LOST;
	return LEX_STRAY;
}

static enum lexed begin(struct lexer *lexer, char c)
{
	if (is_mark(c))
		return LEX_WITH;
	if (is_one_of(" \t\r\n", c))
		return LEX_ON;
	if (c == '"' || c == '\'') {
		lexer->quote = c;
		return go(lexer, STRING);
	}
	if (is_word(c))
		return go(lexer, WORD);
	if (c == '-')
		return go(lexer, SIGN);
	return is_digit(c) ? go(lexer, c == '0' ? ZERO : DIGITS) : stray(lexer);
}

static enum lexed in_string(struct lexer *lexer, char c)
{
	if (is_outlaw(c))
		return stray(lexer);
	if (lexer->state == ESCAPE)
		return go(lexer, STRING);
	if (c == lexer->quote)
		return end(lexer, LEX_WITH);
	return c == '\\' ? go(lexer, ESCAPE) : LEX_ON;
}

static enum lexed in_number(struct lexer *lexer, char c)
{
	unsigned int state = lexer->state, next = 0;

	if (is_digit(c))
		next = state == SIGN && c == '0' ? ZERO : number[state].digit;
	else if (c == '.')
		next = number[state].point;
	else if (c == 'e' || c == 'E')
		next = number[state].e;
	else if (c == '-' || c == '+')
		next = number[state].sign;
	if (next)
		return go(lexer, next);
	return number[state].may_end && !is_digit(c) ? end(lexer, LEX_BEFORE) : stray(lexer);
}

enum lexed lexer_feed(struct lexer *lexer, char c)
{
	switch (lexer->state) {
	case LOST:
		if (!is_mark(c) && (!is_outlaw(c) || c == '\t'))
			return LEX_ON;
		lexer->state = BETWEEN;
		/* fall through */
	case BETWEEN:
		return begin(lexer, c);
	case STRING:
	case ESCAPE:
		return in_string(lexer, c);
	case WORD:
		return is_word(c) ? LEX_ON : end(lexer, LEX_BEFORE);
	default:
		return in_number(lexer, c);
	}
}

size_t lexer_skip(struct lexer *lexer, const char *from, size_t bytes)
{
	struct lexer next = *lexer;
	size_t skipped = 0;

	while (skipped < bytes && lexer_feed(&next, from[skipped]) == LEX_ON &&
	       (next.state == BETWEEN || next.state == LOST)) {
		*lexer = next;
		skipped++;
	}
	return skipped;
}
