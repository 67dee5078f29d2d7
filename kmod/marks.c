// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bitmap.h>
#include <linux/gfp.h>
#include <linux/slab.h>

#include "marks.h"

#define LEAF_BLOCKS	BITS_PER_LONG
#define LEAF_PAGES	(LEAF_BLOCKS * VMFM_BLOCK_PAGES)
#define BLOCK_WORDS	(VMFM_BLOCK_PAGES / BITS_PER_LONG)

static_assert(PAGE_SIZE * BITS_PER_BYTE == LEAF_PAGES);

struct branch {
	unsigned long *leaf;	/* a page of marks; comes once and stays */
	unsigned long blocks;	/* a bit per block: may have marks */
	unsigned long pmd;
};

struct vmfm_marks {
	unsigned long pages;
	unsigned long branches;
	struct branch branch[];
};

static struct branch *branch_of(struct vmfm_marks *marks, pgoff_t index)
{
	return &marks->branch[index / LEAF_PAGES];
}

static unsigned int block_of(pgoff_t index)
{
	return index % LEAF_PAGES / VMFM_BLOCK_PAGES;
}

static unsigned long *leaf_of(struct branch *branch)
{
	return smp_load_acquire(&branch->leaf);	/* pairs with add_leaf(): it is zeroed */
}

struct vmfm_marks *vmfm_marks_new(unsigned long pages)
{
	unsigned long i, branches = DIV_ROUND_UP(pages, LEAF_PAGES);
	struct vmfm_marks *marks = kvzalloc(struct_size(marks, branch, branches),
					    GFP_KERNEL_ACCOUNT);

	if (!marks)
		return NULL;
	marks->pages = pages;
	marks->branches = branches;
	for (i = 0; i < branches; i++)
		marks->branch[i].pmd = ~0UL;
	return marks;
}

void vmfm_marks_free(struct vmfm_marks *marks)
{
	unsigned long i;

	for (i = 0; marks && i < marks->branches; i++)
		free_page((unsigned long)marks->branch[i].leaf);
	kvfree(marks);
}

bool vmfm_marks_add_leaf(struct vmfm_marks *marks, pgoff_t index, unsigned long *leaf)
{
	return !cmpxchg_release(&branch_of(marks, index)->leaf, NULL, leaf);
}

bool vmfm_marks_has_leaf(struct vmfm_marks *marks, pgoff_t index)
{
	return leaf_of(branch_of(marks, index));
}

pgoff_t vmfm_marks_leaf_end(pgoff_t index)
{
	return round_down(index, LEAF_PAGES) + LEAF_PAGES;
}

bool vmfm_marks_test(struct vmfm_marks *marks, pgoff_t index)
{
	unsigned long *leaf = leaf_of(branch_of(marks, index));

	return leaf && test_bit(index % LEAF_PAGES, leaf);
}

/* A word that has all of @mask already is not written: its cache line stays shared. */
static unsigned int set_word(unsigned long *word, unsigned long mask)
{
	if ((READ_ONCE(*word) & mask) == mask)
		return 0;
	return hweight_long(mask & ~(unsigned long)
			    atomic_long_fetch_or(mask, (atomic_long_t *)word));
}

unsigned long vmfm_marks_set(struct vmfm_marks *marks, pgoff_t first, unsigned long pages)
{
	struct branch *branch = branch_of(marks, first);
	unsigned long at = first % LEAF_PAGES, end = at + pages, fresh = 0;
	unsigned long *leaf = leaf_of(branch);

	while (at < end) {
		unsigned long last = min(round_down(at, BITS_PER_LONG) + BITS_PER_LONG, end) - 1;
		unsigned int block = at / VMFM_BLOCK_PAGES;

		fresh += set_word(&leaf[BIT_WORD(at)],
				  GENMASK(last % BITS_PER_LONG, at % BITS_PER_LONG));
		/*
		 * Fresh marks are a full barrier. Mark, barrier, look here; clear,
		 * barrier, look in find_in_leaf(): one of the two sees the other.
		 */
		if (!test_bit(block, &branch->blocks))
			set_bit(block, &branch->blocks);
		at = last + 1;
	}
	return fresh;
}

unsigned int vmfm_marks_take(struct vmfm_marks *marks, pgoff_t first, unsigned long *taken)
{
	unsigned long *leaf = leaf_of(branch_of(marks, first));
	unsigned int i;

	bitmap_zero(taken, VMFM_BLOCK_PAGES);
	if (!leaf)
		return 0;
	leaf += BIT_WORD(first % LEAF_PAGES);
	for (i = 0; i < BLOCK_WORDS; i++)
		if (READ_ONCE(leaf[i]))
			taken[i] = xchg(&leaf[i], 0);
	return bitmap_weight(taken, VMFM_BLOCK_PAGES);
}

/* The first mark of that block at or after @at, both counted in the leaf. */
static unsigned long find_in_block(const unsigned long *leaf, unsigned int block, unsigned long at)
{
	unsigned long end = (block + 1) * VMFM_BLOCK_PAGES;

	at = find_next_bit(leaf, end, max(at, (unsigned long)block * VMFM_BLOCK_PAGES));
	return at < end ? at : LEAF_PAGES;
}

static unsigned long find_in_leaf(struct branch *branch, unsigned long at)
{
	unsigned long *leaf = leaf_of(branch);
	unsigned long blocks = READ_ONCE(branch->blocks) & ~0UL << at / VMFM_BLOCK_PAGES;
	unsigned int block;

	for_each_set_bit(block, &blocks, LEAF_BLOCKS) {
		unsigned long found = find_in_block(leaf, block, at);

		if (found < LEAF_PAGES)
			return found;
		if (at > block * VMFM_BLOCK_PAGES)
			continue;	/* there may be some before @at */
		clear_bit(block, &branch->blocks);
		smp_mb__after_atomic();	/* see vmfm_marks_set() */
		found = find_in_block(leaf, block, at);
		if (found < LEAF_PAGES) {
			set_bit(block, &branch->blocks);
			return found;
		}
	}
	return LEAF_PAGES;
}

pgoff_t vmfm_marks_next(struct vmfm_marks *marks, pgoff_t index)
{
	while (index < marks->pages) {
		struct branch *branch = branch_of(marks, index);
		unsigned long at = LEAF_PAGES;

		/* Who said that there are marks had their leaf. */
		if (smp_load_acquire(&branch->blocks))
			at = find_in_leaf(branch, index % LEAF_PAGES);
		if (at < LEAF_PAGES)
			return round_down(index, LEAF_PAGES) + at;
		index = vmfm_marks_leaf_end(index);
	}
	return marks->pages;
}

void vmfm_marks_set_pmd(struct vmfm_marks *marks, pgoff_t index)
{
	set_bit(block_of(index), &branch_of(marks, index)->pmd);
}

bool vmfm_marks_clear_pmd(struct vmfm_marks *marks, pgoff_t index)
{
	return test_and_clear_bit(block_of(index), &branch_of(marks, index)->pmd);
}
