/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Takes the pages of some RAM blocks out of a QEMU's migration stream, for a
 * destination that has them already.
 *
 * Sections have no length: up to the end of section "ram" all is parsed, and
 * what is not known, or is another section's that goes in rounds, is refused.
 * What follows passes as it is. Whole blocks are left out, so that a record
 * that leaves its block's name out ("as before") follows one of its own block.
 *
 * It stops in front of two marks until it is told to go on.
 */
#ifndef RAMFILTER_H
#define RAMFILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../fault.h"

#define RAMFILTER_HELD_BYTES	320	/* most that is kept for later */
#define RAMFILTER_BLOCKS_MAX	256
#define RAMFILTER_LEFT_OUT_MAX	64

enum ramfilter_mark {
	RAMFILTER_BEGIN,	/* none yet */
	RAMFILTER_PAGES,	/* the blocks were announced; pages come */
	RAMFILTER_STOPPED,	/* QEMU stopped the guest, and its disks are still */
};

struct ramfilter_block {
	char name[256];
	uint64_t bytes;
	bool is_left_out;
};

struct ramfilter {
	/* The caller's. */
	enum ramfilter_mark passes;	/* marks up to this one */

	/* To be read. */
	enum ramfilter_mark at;		/* the last it came to */
	bool open;			/* all that follows passes */
	uint64_t left_out_bytes;	/* of pages */

	/* Its own. */
	int (*step)(struct ramfilter *filter, struct fault *fault);
	uint8_t held[RAMFILTER_HELD_BYTES];
	size_t has, wants;
	uint64_t bulk;			/* bytes of a payload that are under way */
	bool drops;
	bool ignores_shared, has_ram, in_end, has_footers;
	uint32_t section;		/* ram's */
	uint32_t capabilities;		/* that are still to come */
	uint64_t announced;		/* bytes of blocks that are still to come */
	const struct ramfilter_block *last;
	struct ramfilter_block block[RAMFILTER_BLOCKS_MAX];
	unsigned int blocks;
	struct {
		char name[64];
		uint64_t bytes;
	} left_out[RAMFILTER_LEFT_OUT_MAX];
	unsigned int left_out_count;
	uint8_t *out;
	size_t out_bytes;
};

void ramfilter_init(struct ramfilter *filter);
/* The block of the backend @id. Before the first byte. */
int ramfilter_leave_out(struct ramfilter *filter, const char *id, uint64_t bytes,
			struct fault *fault);

/*
 * How much of the input it took, less than all where it stopped in front of a mark;
 * -1 when the stream is refused. @out has room for @bytes + RAMFILTER_HELD_BYTES.
 */
long ramfilter_run(struct ramfilter *filter, const uint8_t *in, size_t bytes, uint8_t *out,
		   size_t *out_bytes, struct fault *fault);

#endif
