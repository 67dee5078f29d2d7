/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between kernels. The module is written for the newest one; each
 * HAVE_ is the outcome of compiling a probe under compat/probe/ (see Kbuild).
 */
#ifndef VMFM_COMPAT_H
#define VMFM_COMPAT_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/pagemap.h>
#include <linux/pagevec.h>
#include <linux/slab.h>

/* 6.3: inode operations take an idmapping instead of a user namespace. */
#ifdef VMFM_HAVE_MNT_IDMAP
#define vmfm_idmap struct mnt_idmap
#define vmfm_inode_init_owner(inode, dir, mode) inode_init_owner(&nop_mnt_idmap, inode, dir, mode)
#else
#define vmfm_idmap struct user_namespace
#define vmfm_inode_init_owner(inode, dir, mode) inode_init_owner(&init_user_ns, inode, dir, mode)
#endif

/* 6.6: generic_fillattr() takes the request mask; inode times by accessor. */
#ifdef VMFM_HAVE_FILLATTR_MASK
#define vmfm_generic_fillattr(idmap, mask, inode, stat) generic_fillattr(idmap, mask, inode, stat)
#else
#define vmfm_generic_fillattr(idmap, mask, inode, stat) generic_fillattr(idmap, inode, stat)
#endif
#ifdef VMFM_HAVE_SIMPLE_INODE_INIT_TS
#define vmfm_inode_set_times(inode) simple_inode_init_ts(inode)
#else
static inline void vmfm_inode_set_times(struct inode *inode)
{
	inode->i_atime = current_time(inode);
	inode->i_mtime = inode->i_atime;
	inode->i_ctime = inode->i_atime;
}
#endif

#define vmfm_alloc_inode_sb(sb, cache) alloc_inode_sb(sb, cache, GFP_KERNEL)

/* 6.4: page cache look-ups answer an error pointer where there is nothing. */
static inline struct folio *vmfm_find_folio(struct address_space *mapping, pgoff_t index)
{
	struct folio *folio = filemap_get_folio(mapping, index);

	return IS_ERR(folio) ? NULL : folio;
}

static inline struct folio *vmfm_lock_folio(struct address_space *mapping, pgoff_t index)
{
	struct folio *folio = filemap_lock_folio(mapping, index);

	return IS_ERR(folio) ? NULL : folio;
}

/*
 * folio_mapcount() is inline since 6.7; before, it is not exported. Same sum for
 * file folios: the whole one's count is in each page's too, and is read first
 * (rmap takes the pages' counts down before the whole one's).
 */
static inline long vmfm_folio_mapcount(struct folio *folio)
{
#ifdef VMFM_HAVE_FOLIO_MAPCOUNT
	return folio_mapcount(folio);
#else
	long i, pages, whole, sum = 0;

	if (!folio_test_large(folio))
		return atomic_read(&folio->_mapcount) + 1;
	whole = folio_entire_mapcount(folio);
	smp_rmb();	/* pairs with the atomics of page_remove_rmap() */
	pages = folio_nr_pages(folio);
	for (i = 0; i < pages; i++)
		sum += atomic_read(&folio_page(folio, i)->_mapcount) + 1;
	return sum - whole * (pages - 1);
#endif
}

/*
 * 6.3: NL_SET_ERR_MSG_FMT(), with room for the text in the ack. Before, a text
 * must outlive the request: see extack.c.
 */
#ifdef NL_SET_ERR_MSG_FMT
#define VMFM_ERR_MSG NL_SET_ERR_MSG_FMT
#else
__printf(2, 3)
void vmfm_extack_format(struct netlink_ext_ack *extack, const char *format, ...);
#define VMFM_ERR_MSG vmfm_extack_format
#endif

/* 6.4: faults may run without the mmap lock, under the one of the VMA. */
static inline void vmfm_vma_start_write(struct vm_area_struct *vma)
{
#ifdef VMFM_HAVE_VMA_START_WRITE
	vma_start_write(vma);
#endif
}

/* 6.8: interleaving has its index from the policy. */
#ifdef VMFM_HAVE_GET_POLICY_ILX
#define VMFM_GET_POLICY_ARGS unsigned long addr, pgoff_t *ilx
#else
#define VMFM_GET_POLICY_ARGS unsigned long addr
#endif

/* 6.8: memory failure hands its victim over as a folio. */
#ifdef VMFM_HAVE_ERROR_REMOVE_FOLIO
#define vmfm_error_remove error_remove_folio
#define vmfm_error_page struct folio
#define vmfm_error_folio(victim) (victim)
#define vmfm_remove_folio(mapping, folio) generic_error_remove_folio(mapping, folio)
#else
#define vmfm_error_remove error_remove_page
#define vmfm_error_page struct page
#define vmfm_error_folio(victim) page_folio(victim)
#define vmfm_remove_folio(mapping, folio) generic_error_remove_page(mapping, &(folio)->page)
#endif

/* Empties this CPU's batches of pages on their way to the LRU lists. */
static inline void vmfm_lru_drain_cpu(void)
{
#ifdef VMFM_HAVE_FOLIO_BATCH_RELEASE
	struct folio_batch batch;

	folio_batch_init(&batch);
	__folio_batch_release(&batch);
#else
	struct pagevec batch;

	pagevec_init(&batch);
	__pagevec_release(&batch);
#endif
}

#endif
