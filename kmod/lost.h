/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages whose content went with the memory it was in (hwpoison). The page is out of
 * the page cache by then; the region remembers that it is no hole.
 */
#ifndef VMFM_LOST_H
#define VMFM_LOST_H

#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/types.h>

struct vmfm_region;

#define VMFM_NONE_LOST	ULONG_MAX

/* To be called before the page leaves the page cache. -ENOMEM. */
int vmfm_lost_add(struct vmfm_region *region, pgoff_t index);

/* Of pages from @first up to @end, which were punched or cut off. */
void vmfm_lost_forget(struct vmfm_region *region, pgoff_t first, pgoff_t end);

/*
 * The first lost page from @first up to @end, or VMFM_NONE_LOST. Look into the page
 * cache before: what is missing there, and not lost here, is a hole.
 */
pgoff_t vmfm_lost_next(struct vmfm_region *region, pgoff_t first, pgoff_t end);

static inline bool vmfm_lost_any(struct vmfm_region *region, pgoff_t first, pgoff_t end)
{
	return vmfm_lost_next(region, first, end) != VMFM_NONE_LOST;
}

/* Whether memory failure took a page of the folio, which is still referred to. */
static inline bool vmfm_folio_poisoned(struct folio *folio)
{
	return folio_test_hwpoison(folio) ||
	       (folio_test_large(folio) && folio_test_has_hwpoisoned(folio));
}

/*
 * As folio_put(), by who refers to a folio beside the page cache. A huge one could not
 * be split for that reference; where it left the page cache meanwhile, whole, it stays
 * unused for good.
 */
static inline void vmfm_folio_put(struct folio *folio)
{
	if (!folio_test_large(folio) || !vmfm_folio_poisoned(folio) || READ_ONCE(folio->mapping))
		folio_put(folio);
}

/*
 * Before pages from @first up to @end go: a huge folio that the kernel could not split
 * when a page of it failed is split now, as far as possible. Freed as a whole it would
 * come to be used again, bad page and all.
 */
void vmfm_lost_split(struct vmfm_region *region, pgoff_t first, pgoff_t end);

#endif
