// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "frame.h"

char *frame_room(struct frame *frame, size_t *bytes)
{
	size_t room = frame->room ? 2 * frame->room : 4096;
	char *buf;

	if (frame->used == frame->room) {
		buf = room <= frame->most_bytes ? realloc(frame->buf, room) : NULL;
		if (!buf)
			return NULL;
		frame->buf = buf;
		frame->room = room;
	}
	*bytes = frame->room - frame->used;
	return frame->buf + frame->used;
}

/* Takes away the first bytes; another value begins. */
static void drop(struct frame *frame, size_t bytes)
{
	frame->used -= bytes;
	memmove(frame->buf, frame->buf + bytes, frame->used);
	frame->seen = 0;
	frame->braces = frame->brackets = 0;
	frame->marks = 0;
	frame->single = false;
}

static void count(struct frame *frame, char c)
{
	frame->braces += (c == '{') - (c == '}');
	frame->brackets += (c == '[') - (c == ']');
	frame->marks += c != '"' && c != '\'';
}

/* With a token that ends. */
static bool is_whole(const struct frame *frame)
{
	return frame->braces < 0 || frame->brackets < 0 || (!frame->braces && !frame->brackets);
}

static bool is_too_deep(const struct frame *frame)
{
	return frame->braces + frame->brackets > FRAME_DEPTH;
}

/* Its length, or 0. */
static size_t find_end(struct frame *frame, bool *stray)
{
	*stray = false;
	while (frame->seen < frame->used && !is_too_deep(frame) && frame->marks < FRAME_MARKS) {
		char c = frame->buf[frame->seen];
		enum lexed lexed = lexer_feed(&frame->lexer, c);

		*stray = lexed == LEX_STRAY;
		frame->seen += lexed != LEX_BEFORE;
		frame->single |= c == '\'';
		if (lexed == LEX_WITH)
			count(frame, c);
		if (*stray || (lexed != LEX_ON && is_whole(frame)))
			return frame->seen;
	}
	return 0;
}

/* QEMU takes strings in single quotes, and \' in any; JSON knows neither. */
static void put_double_quotes(const char *from, size_t bytes, char *to)
{
	char quote = 0;
	size_t i;

	for (i = 0; i < bytes; i++) {
		char c = from[i];

		if (!quote && (c == '"' || c == '\'')) {
			quote = c;
			*to++ = '"';
		} else if (quote && c == '\\' && i + 1 < bytes) {
			if (from[++i] != '\'')
				*to++ = c;
			*to++ = from[i];
		} else if (c == quote) {
			quote = 0;
			*to++ = '"';
		} else {
			if (quote && c == '"')
				*to++ = '\\';
			*to++ = c;
		}
	}
	*to = 0;
}

/* What begins with a question mark is no JSON. */
static char *copy(const struct frame *frame, size_t bytes, bool stray)
{
	char *text = calloc(1, (frame->single ? 2 : 1) * bytes + 2);

	if (text && stray)
		*text = '?';
	else if (text && frame->single)
		put_double_quotes(frame->buf, bytes, text);
	else if (text)
		memcpy(text, frame->buf, bytes);
	return text;
}

char *frame_next(struct frame *frame, const char **bad)
{
	size_t bytes;
	char *text;
	bool stray;

	if (!frame->seen && frame->used)
		drop(frame, lexer_skip(&frame->lexer, frame->buf, frame->used));
	bytes = find_end(frame, &stray);
	*bad = is_too_deep(frame) ? "JSON nesting depth limit exceeded" :
	       frame->marks >= FRAME_MARKS ? "JSON token count limit exceeded" : NULL;
	if (!bytes || *bad)
		return NULL;
	text = copy(frame, bytes, stray);
	if (!text)
		*bad = "no memory";
	drop(frame, bytes);
	return text;
}

void frame_free(struct frame *frame)
{
	free(frame->buf);
	*frame = (struct frame){ .most_bytes = frame->most_bytes };
}
