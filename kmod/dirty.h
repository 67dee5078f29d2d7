/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMFM_DIRTY_H
#define VMFM_DIRTY_H

#include <linux/bitmap.h>
#include <linux/mm.h>

#include "mapping.h"

struct vmfm_marks;
struct vmfm_pace;
struct vmfm_region;

/* The tracking of one region. */
struct vmfm_dirty {
	unsigned long pages;
	struct vmfm_marks *marks;	/* pages written since last taken */
	long __percpu *marked;		/* marks that found the bit clear */
	atomic_long_t taken;
	bool incomplete;		/* a mark was lost for want of memory */
	struct vmfm_pace *pace;		/* who writes may have to wait for it */
};

/* What one step of a round works on: the taken pages of one block. */
struct vmfm_block {
	struct vmfm_region *region;
	pgoff_t first;				/* page index of the block */
	DECLARE_BITMAP(taken, VMFM_BLOCK_PAGES);	/* present, to be sent */
	DECLARE_BITMAP(holes, VMFM_BLOCK_PAGES);	/* taken, and not present: zero */
	unsigned int kept;			/* left marked by the reference rule, not taken */
	pgoff_t lost;				/* a marked page that memory failure took */
	u64 protect_ns;
	unsigned int folios;
	struct folio *folio[VMFM_BLOCK_PAGES];	/* of page i, referenced once each */
	struct folio *locked[VMFM_BLOCK_PAGES];	/* the distinct ones, ascending */
};

/*
 * Starts tracking: pages present are marked, later writes mark. Blocks may be
 * mapped writable still; the first take of each revokes that. @pace lives as
 * long as the tracking.
 * -ENOMEM; -EBUSY when pages stay pinned for @pin_wait_ms, their number then in
 * @pinned; -EINTR when *@stop is not 0 any more.
 */
int vmfm_dirty_start(struct vmfm_region *region, unsigned long pages, unsigned int pin_wait_ms,
		     struct vmfm_pace *pace, const int *stop, unsigned long *present,
		     unsigned long *pinned);
void vmfm_dirty_stop(struct vmfm_region *region);

/* 0 when none of its pages stays pinned; -EBUSY, -ENOMEM, -EINTR as above, and @count. */
int vmfm_dirty_refuse_pins(struct vmfm_region *region, unsigned int wait_ms, const int *stop,
			   unsigned long *count);

/* Locks @folio for who refers to it, and writes nothing to it before a mark: a fault. */
void vmfm_dirty_lock_folio(struct vmfm_region *region, struct folio *folio);
/* The same from ->page_mkwrite; sleeps before where the writer is too fast. */
void vmfm_dirty_lock_fault(struct vmfm_region *region, struct vm_fault *vmf,
			   struct folio *folio);

void vmfm_dirty_prepare_fault(struct vmfm_region *region, struct vm_fault *vmf);
void vmfm_dirty_mark_fault(struct vmfm_region *region, struct vm_fault *vmf,
			   struct folio *folio);
void vmfm_dirty_mark_range(struct vmfm_region *region, pgoff_t first, unsigned long pages);

/*
 * Whether every write since the start is marked. Once it is not, the session must
 * fail: the writer was let go on, since a guest is worth more than its migration.
 */
bool vmfm_dirty_complete(struct vmfm_region *region);

/* Pages marked now; all marks ever. Exact while nobody writes. */
unsigned long vmfm_dirty_pages(struct vmfm_region *region);
unsigned long vmfm_dirty_marked(struct vmfm_region *region);

/* The first page at or after @index that is marked, or the region's end. */
pgoff_t vmfm_dirty_next(struct vmfm_region *region, pgoff_t index);

/*
 * Takes the marks of the block at @first, fences, protects, and applies the
 * reference rule: see dirty.c for what it then promises. The owner of the
 * tracking calls it, one call at a time; vmfm_block_put() ends it.
 */
void vmfm_block_take(struct vmfm_block *block, struct vmfm_region *region, pgoff_t first);
void vmfm_block_put(struct vmfm_block *block);

/* Has every CPU let go of the references its batches of new pages hold. */
void vmfm_dirty_drain_batches(void);

#endif
