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

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Takes away the first bytes; another value begins. */
static void drop(struct frame *frame, size_t bytes)
{
	frame->used -= bytes;
	memmove(frame->buf, frame->buf + bytes, frame->used);
	frame->seen = 0;
	frame->depth = frame->marks = 0;
	frame->quote = 0;
	frame->escaped = frame->single = false;
}

static void drop_blanks(struct frame *frame)
{
	size_t blanks = 0;

	while (blanks < frame->used && is_blank(frame->buf[blanks]))
		blanks++;
	if (blanks)
		drop(frame, blanks);
}

/* A line that ends within a string is no JSON, and the end of it. */
static bool ends_in_string(struct frame *frame, char c)
{
	if (frame->escaped)
		frame->escaped = false;
	else if (c == '\\')
		frame->escaped = true;
	else if (c == frame->quote)
		frame->quote = 0;
	return c == '\n';
}

static bool ends_at_mark(struct frame *frame, char c)
{
	switch (c) {
	case '"':
	case '\'':
		frame->quote = c;
		frame->single |= c == '\'';
		return false;
	case '{':
	case '[':
		frame->marks++;
		frame->depth++;
		return false;
	case '}':
	case ']':
		frame->marks++;
		return !frame->depth || !--frame->depth;
	case ',':
	case ':':
		frame->marks++;
	}
	return false;
}

/* What is outside of all brackets ends before the next blank or bracket. */
static bool ends_before(const struct frame *frame, char c)
{
	return !frame->depth && !frame->quote && frame->seen &&
	       (is_blank(c) || c == '{' || c == '[');
}

/* Its length, or 0. */
static size_t find_end(struct frame *frame)
{
	while (frame->seen < frame->used && frame->depth <= FRAME_DEPTH &&
	       frame->marks < FRAME_MARKS) {
		char c = frame->buf[frame->seen];

		if (ends_before(frame, c))
			return frame->seen;
		frame->seen++;
		if (frame->quote ? ends_in_string(frame, c) : ends_at_mark(frame, c))
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

/* A NUL within makes no JSON. */
static char *copy(const struct frame *frame, size_t bytes)
{
	char *text = calloc(1, (frame->single ? 2 : 1) * bytes + 1);
	size_t i;

	if (text && frame->single)
		put_double_quotes(frame->buf, bytes, text);
	else if (text)
		memcpy(text, frame->buf, bytes);
	for (i = 0; text && i < bytes; i++)
		if (!frame->buf[i])
			text[i] = '?', text[0] = '?';
	return text;
}

char *frame_next(struct frame *frame, const char **bad)
{
	size_t bytes;
	char *text;

	if (!frame->seen)
		drop_blanks(frame);
	bytes = find_end(frame);
	*bad = frame->depth > FRAME_DEPTH ? "JSON nesting depth limit exceeded" :
	       frame->marks >= FRAME_MARKS ? "JSON token count limit exceeded" : NULL;
	if (!bytes || *bad)
		return NULL;
	text = copy(frame, bytes);
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
