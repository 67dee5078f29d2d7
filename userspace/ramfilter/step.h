/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The filter's inside. Each step waits until @wants bytes are held, looks at
 * them, and asks for more of the same piece, or lets the piece go, kept or
 * dropped, and names the next. A page's payload is not held: it goes by.
 */
#ifndef RAMFILTER_STEP_H
#define RAMFILTER_STEP_H

#include <endian.h>
#include <string.h>

#include "filter.h"

#define PAGE_BYTES	4096
#define RECORD_FLAGS	((uint64_t)PAGE_BYTES - 1)

enum { STEP_STOPS = 1 };

enum section {
	SECTION_EOF, SECTION_START, SECTION_PART, SECTION_END, SECTION_FULL,
	SECTION_SUBSECTION, SECTION_VMDESCRIPTION, SECTION_CONFIGURATION, SECTION_COMMAND,
	SECTION_FOOTER = 0x7e,
};

enum record {
	RECORD_ZERO = 0x02, RECORD_BLOCKS = 0x04, RECORD_PAGE = 0x08, RECORD_EOS = 0x10,
	RECORD_CONTINUE = 0x20, RECORD_XBZRLE = 0x40, RECORD_HOOK = 0x80,
	RECORD_COMPRESSED = 0x100, RECORD_MULTIFD = 0x200,
};

/* 0; STEP_STOPS in front of a mark; -1 where the stream is refused. */
typedef int ramfilter_step(struct ramfilter *filter, struct fault *fault);

/* section.c, config.c, blocks.c, page.c: the first step of each. */
ramfilter_step ramfilter_step_section, ramfilter_step_configuration,
	       ramfilter_step_subsection_length, ramfilter_step_total, ramfilter_step_record;

/* filter.c. The piece goes on up to @wants bytes. */
int ramfilter_more(struct ramfilter *filter, size_t wants, ramfilter_step *next);
/* The piece is whole, and goes out, or does not. */
int ramfilter_keep(struct ramfilter *filter, size_t wants, ramfilter_step *next);
int ramfilter_drop(struct ramfilter *filter, size_t wants, ramfilter_step *next);
/* It goes out; a section or what is like one follows. */
int ramfilter_section(struct ramfilter *filter);
/* Stops in front of what is held, unless it may pass. */
int ramfilter_stop(struct ramfilter *filter, enum ramfilter_mark mark);

static inline uint32_t held_be32(const struct ramfilter *filter, size_t at)
{
	uint32_t value;

	memcpy(&value, filter->held + at, sizeof(value));
	return be32toh(value);
}

static inline uint64_t held_be64(const struct ramfilter *filter, size_t at)
{
	uint64_t value;

	memcpy(&value, filter->held + at, sizeof(value));
	return be64toh(value);
}

/* A name in front of which its length stands, as the text it is. */
static inline void held_name(const struct ramfilter *filter, size_t at, char name[256])
{
	size_t bytes = filter->held[at];

	memcpy(name, filter->held + at + 1, bytes);
	name[bytes] = 0;
}

#endif
