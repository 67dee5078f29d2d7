// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/xarray.h>

#include "fs.h"
#include "lost.h"
#include "mapping.h"

int vmfm_lost_add(struct vmfm_region *region, pgoff_t index)
{
	int err = xa_err(xa_store(&region->lost, index, xa_mk_value(0), GFP_KERNEL));

	smp_wmb();	/* pairs with vmfm_lost_next(): known before it is missing */
	return err;
}

void vmfm_lost_forget(struct vmfm_region *region, pgoff_t first, pgoff_t end)
{
	unsigned long index;
	void *entry;

	if (first >= end)
		return;
	xa_for_each_range(&region->lost, index, entry, first, end - 1)
		xa_erase(&region->lost, index);
}

pgoff_t vmfm_lost_next(struct vmfm_region *region, pgoff_t first, pgoff_t end)
{
	unsigned long index = first;

	smp_rmb();	/* the page cache was looked into before */
	return xa_find(&region->lost, &index, end - 1, XA_PRESENT) ? index : VMFM_NONE_LOST;
}

struct search {
	pgoff_t first, end, found;
};

/* Whether the folio was not split, and has a page of the range that failed. */
static int find_unsplit(struct folio *folio, void *arg)
{
	struct search *search = arg;
	pgoff_t index = max(search->first, folio->index);
	pgoff_t end = min(search->end, folio->index + folio_nr_pages(folio));

	if (!folio_test_large(folio) || !vmfm_folio_poisoned(folio))
		return 0;
	while (index < end && !PageHWPoison(folio_page(folio, index - folio->index)))
		index++;
	search->found = index;
	return index < end ? -EHWPOISON : 0;
}

void vmfm_lost_split(struct vmfm_region *region, pgoff_t first, pgoff_t end)
{
	struct search search = { .first = first, .end = end };

	while (search.first < end &&
	       vmfm_each_folio(region, search.first, end, find_unsplit, &search) != ULONG_MAX) {
		loff_t start = (loff_t)search.found << PAGE_SHIFT;

		truncate_inode_pages_range(region->inode.i_mapping, start, start + PAGE_SIZE - 1);
		search.first = round_down(search.found, VMFM_BLOCK_PAGES) + VMFM_BLOCK_PAGES;
	}
}
