// SPDX-License-Identifier: GPL-2.0-only
/* The RAM blocks a stream announces, and which of them are left out. */
#include "step.h"

static int step_block_length(struct ramfilter *filter, struct fault *fault);

/* All are announced now: ours have to be among them. */
static int check_left_out(struct ramfilter *filter, struct fault *fault)
{
	unsigned int i, found = 0;

	for (i = 0; i < filter->blocks; i++)
		found += filter->block[i].is_left_out;
	return found == filter->left_out_count ? 0 :
	       fail(fault, "of the guest's %u RAM regions QEMU's stream announces %u",
		    filter->left_out_count, found);
}

static int mark_left_out(struct ramfilter *filter, struct ramfilter_block *block,
			 struct fault *fault)
{
	static const char prefix[] = "/objects/";
	const char *id = block->name;
	unsigned int i;

	if (!strncmp(id, prefix, strlen(prefix)))
		id += strlen(prefix);	/* of old machine types */
	for (i = 0; i < filter->left_out_count; i++)
		if (!strcmp(filter->left_out[i].name, id))
			break;
	if (i == filter->left_out_count)
		return 0;
	block->is_left_out = true;
	return block->bytes == filter->left_out[i].bytes ? 0 :
	       fail(fault, "QEMU's stream has RAM block %s with %llu bytes, its file has %llu", id,
		    (unsigned long long)block->bytes,
		    (unsigned long long)filter->left_out[i].bytes);
}

static int blocks_next(struct ramfilter *filter, struct fault *fault)
{
	if (filter->announced)
		return ramfilter_keep(filter, 1, step_block_length);
	if (check_left_out(filter, fault))
		return -1;
	return ramfilter_keep(filter, 8, ramfilter_step_record);
}

static int step_block(struct ramfilter *filter, struct fault *fault)
{
	struct ramfilter_block *block = &filter->block[filter->blocks];
	unsigned int i;

	if (filter->blocks == RAMFILTER_BLOCKS_MAX)
		return fail(fault, "QEMU's stream has more than %d RAM blocks",
			    RAMFILTER_BLOCKS_MAX);
	held_name(filter, 0, block->name);
	block->bytes = held_be64(filter, 1 + filter->held[0]);
	if (block->bytes > filter->announced)
		return fail(fault, "QEMU's stream has RAM blocks of more bytes than it says");
	for (i = 0; i < filter->blocks; i++)
		if (!strcmp(filter->block[i].name, block->name))
			return fail(fault, "QEMU's stream has RAM block %s twice", block->name);
	filter->announced -= block->bytes;
	filter->blocks++;
	return mark_left_out(filter, block, fault) ?: blocks_next(filter, fault);
}

/* Length, and with x-ignore-shared the address. */
static int step_block_length(struct ramfilter *filter, struct fault *fault)
{
	(void)fault;
	return ramfilter_more(filter, 1 + filter->held[0] + 8 + (filter->ignores_shared ? 8 : 0),
		    step_block);
}

int ramfilter_step_total(struct ramfilter *filter, struct fault *fault)
{
	uint64_t word = held_be64(filter, 0);

	if ((word & RECORD_FLAGS) != RECORD_BLOCKS)
		return fail(fault, "QEMU's stream announces no RAM blocks");
	filter->announced = word & ~RECORD_FLAGS;
	return blocks_next(filter, fault);
}

