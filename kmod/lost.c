// SPDX-License-Identifier: GPL-2.0-only
#include <linux/pagemap.h>
#include <linux/rcupdate_wait.h>
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

/* The first page of it, from @first up to @end, that failed. */
static pgoff_t bad_page(struct folio *folio, pgoff_t first, pgoff_t end)
{
	pgoff_t index = max(first, folio->index);

	end = min(end, folio->index + folio_nr_pages(folio));
	for (; index < end; index++)
		if (PageHWPoison(folio_page(folio, index - folio->index)))
			return index;
	return VMFM_NONE_LOST;
}

static pgoff_t next_unsplit(struct address_space *mapping, pgoff_t first, pgoff_t end)
{
	XA_STATE(xas, &mapping->i_pages, first);
	pgoff_t index = VMFM_NONE_LOST;
	struct folio *folio;

	rcu_read_lock();
	xas_for_each(&xas, folio, end - 1) {
		if (xas_retry(&xas, folio) || xa_is_value(folio))
			continue;
		if (folio_test_large(folio) && folio_try_get(folio)) {
			if (folio == xas_reload(&xas) && vmfm_folio_poisoned(folio))
				index = bad_page(folio, first, end);
			folio_put(folio);
		}
		if (index != VMFM_NONE_LOST)
			break;
		if (need_resched()) {
			xas_pause(&xas);
			cond_resched_rcu();
		}
	}
	rcu_read_unlock();
	return index;
}

void vmfm_lost_split(struct vmfm_region *region, pgoff_t first, pgoff_t end)
{
	struct address_space *mapping = region->inode.i_mapping;

	while (first < end && (first = next_unsplit(mapping, first, end)) != VMFM_NONE_LOST) {
		loff_t start = (loff_t)first << PAGE_SHIFT;

		truncate_inode_pages_range(mapping, start, start + PAGE_SIZE - 1);
		first = round_down(first, VMFM_BLOCK_PAGES) + VMFM_BLOCK_PAGES;
	}
}
