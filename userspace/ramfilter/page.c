// SPDX-License-Identifier: GPL-2.0-only
/* Pages: a word of offset and flags, the name of the block unless it is as before, content. */
#include "step.h"

/* A page of ours goes by, or not. */
static int step_page(struct ramfilter *filter, struct fault *fault)
{
	uint64_t word = held_be64(filter, 0), offset = word & ~RECORD_FLAGS;
	const struct ramfilter_block *block = filter->last;

	if (offset >= block->bytes || block->bytes - offset < PAGE_BYTES)
		return fail(fault, "QEMU's stream has a page at %#llx of RAM block %s, which has %#llx bytes",
			    (unsigned long long)offset, block->name,
			    (unsigned long long)block->bytes);
	filter->bulk = word & RECORD_PAGE ? PAGE_BYTES : 1;
	filter->drops = block->is_left_out;
	if (!filter->drops)
		return ramfilter_keep(filter, 8, ramfilter_step_record);
	if (word & RECORD_PAGE)
		filter->left_out_bytes += PAGE_BYTES;
	return ramfilter_drop(filter, 8, ramfilter_step_record);
}

static int step_record_name(struct ramfilter *filter, struct fault *fault)
{
	char name[256];
	unsigned int i;

	held_name(filter, 8, name);
	for (i = 0; i < filter->blocks && strcmp(filter->block[i].name, name); i++)
		;
	if (i == filter->blocks)
		return fail(fault, "QEMU's stream has a page of RAM block %s, which it did not announce",
			    name);
	filter->last = &filter->block[i];
	return step_page(filter, fault);
}

static int step_record_length(struct ramfilter *filter, struct fault *fault)
{
	(void)fault;
	return ramfilter_more(filter, 9 + filter->held[8], step_record_name);
}

static int refuse_record(uint64_t word, struct fault *fault)
{
	static const struct {
		enum record flag;
		const char *what;
	} known[] = {
		{ RECORD_XBZRLE, "pages as differences: switch capability xbzrle off" },
		{ RECORD_HOOK, "pages sent by RDMA" },
		{ RECORD_COMPRESSED, "compressed pages: switch capability compress off" },
		{ RECORD_MULTIFD, "pages sent on other channels: switch capability multifd off" },
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (word & known[i].flag)
			return fail(fault, "QEMU's stream has %s", known[i].what);
	return fail(fault, "QEMU's stream has a RAM record with flags %#llx, which is unknown",
		    (unsigned long long)(word & RECORD_FLAGS));
}

int ramfilter_step_record(struct ramfilter *filter, struct fault *fault)
{
	uint64_t word = held_be64(filter, 0), kind = word & RECORD_FLAGS & ~(uint64_t)RECORD_CONTINUE;

	if (word == RECORD_EOS)
		return ramfilter_section(filter);
	if (kind != RECORD_ZERO && kind != RECORD_PAGE)
		return refuse_record(word, fault);
	if (!(word & RECORD_CONTINUE))
		return ramfilter_more(filter, 9, step_record_length);
	return filter->last ? step_page(filter, fault) :
	       fail(fault, "QEMU's stream begins with a page of no RAM block");
}

