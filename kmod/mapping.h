/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMFM_MAPPING_H
#define VMFM_MAPPING_H

#include <linux/huge_mm.h>
#include <linux/pagemap.h>

struct vmfm_region;

/* A block is what one PMD maps: 2 MiB, 512 pages. */
#define VMFM_BLOCK_PAGES	HPAGE_PMD_NR
#define VMFM_BLOCK_SHIFT	(HPAGE_PMD_SHIFT - PAGE_SHIFT)

extern const struct address_space_operations vmfm_aops;
extern const struct file_operations vmfm_file_ops;

extern unsigned int vmfm_huge;	/* parameter: use 2 MiB folios */

/*
 * The folio at @index, locked and referenced, zeroed when it is new; or ERR_PTR:
 * -ENOSPC (quota), -ENOMEM (memory or memcg). @how is added to how memory is asked
 * for. The caller holds the mapping's invalidate lock, shared or not.
 */
struct folio *vmfm_region_folio(struct vmfm_region *region, pgoff_t index, gfp_t how);

/* Whether more than one process maps it. */
bool vmfm_region_has_several_users(struct vmfm_region *region);

/* Drops all pages. */
void vmfm_region_discard(struct vmfm_region *region);

/* Gives back the quota of pages that left the page cache. */
void vmfm_region_recount(struct vmfm_region *region);

/*
 * Calls @each for the folios present from @first up to @end, until it answers an error.
 * Returns the index of the one it did so for, else ULONG_MAX.
 */
pgoff_t vmfm_each_folio(struct vmfm_region *region, pgoff_t first, pgoff_t end,
			int (*each)(struct folio *folio, void *arg), void *arg);

/* Pages in 2 MiB folios. */
unsigned long vmfm_region_huge_pages(struct vmfm_region *region);

#endif
