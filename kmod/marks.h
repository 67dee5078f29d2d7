/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Marks: a bit per page of a region, in leaves of 32768 that are there only where
 * something was marked, under a summary of which blocks have any. Who looks for
 * marks pays for what is marked, not for how large the region is.
 *
 * Setting is lock-free and may run anywhere; taking and searching is for one task
 * at a time.
 */
#ifndef VMFM_MARKS_H
#define VMFM_MARKS_H

#include <linux/mm.h>

#include "mapping.h"

struct vmfm_marks;

/* NULL: no memory. Costs 24 bytes for each 128 MiB of the region. */
struct vmfm_marks *vmfm_marks_new(unsigned long pages);
void vmfm_marks_free(struct vmfm_marks *marks);

/* A page of zeros becomes the leaf that @index needs. False: there is one; keep yours. */
bool vmfm_marks_add_leaf(struct vmfm_marks *marks, pgoff_t index, unsigned long *leaf);
bool vmfm_marks_has_leaf(struct vmfm_marks *marks, pgoff_t index);
/* The first page behind the leaf of @index. */
pgoff_t vmfm_marks_leaf_end(pgoff_t index);

bool vmfm_marks_test(struct vmfm_marks *marks, pgoff_t index);

/* Marks pages of one leaf, which is there. Returns how many were not marked before. */
unsigned long vmfm_marks_set(struct vmfm_marks *marks, pgoff_t first, unsigned long pages);

/* Exchanges the marks of the block at @first with zero. Returns how many. */
unsigned int vmfm_marks_take(struct vmfm_marks *marks, pgoff_t first, unsigned long *taken);

/* The first marked page at or after @index, or the region's end. */
pgoff_t vmfm_marks_next(struct vmfm_marks *marks, pgoff_t index);

/* A bit per block, at first set: it may be mapped writable by PMD. */
void vmfm_marks_set_pmd(struct vmfm_marks *marks, pgoff_t index);
bool vmfm_marks_clear_pmd(struct vmfm_marks *marks, pgoff_t index);

#endif
