// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pages of a region: allocation, faults, holes.
 *
 * Every page is dirty from birth and stays so. Nothing ever writes it back, and
 * a clean large folio that cannot be split would be dropped whole when a part
 * of it is punched.
 *
 * Pages enter the page cache with the invalidate lock held shared, and leave it
 * with the lock held exclusively, so that counting what left is exact. Memory
 * failure alone takes single pages out without it. Such a page is no hole: it is
 * lost until it is punched, keeps its quota, and gives SIGBUS to who touches it.
 */
#include <linux/highmem.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/rcupdate_wait.h>
#include <linux/pagevec.h>
#include <linux/sched/signal.h>
#include <linux/uio.h>
#include <linux/falloc.h>

#include "compat/compat.h"
#include "dirty.h"
#include "fs.h"
#include "lost.h"
#include "mapping.h"

unsigned int vmfm_huge = 1;

#define HUGE_GFP ((GFP_TRANSHUGE & ~__GFP_MOVABLE) | __GFP_NOWARN | __GFP_NORETRY)

static void clear_folio(struct folio *folio)
{
	long i, nr = folio_nr_pages(folio);

	for (i = 0; i < nr; i++) {
		clear_highpage(folio_page(folio, i));
		cond_resched();
	}
}

/*
 * A new folio of that order holding @index, in the page cache and locked. Not where
 * a page is lost; also when that happens meanwhile: nobody maps it before we look.
 */
static struct folio *add_folio(struct vmfm_region *region, pgoff_t index,
			       unsigned int order, gfp_t gfp)
{
	struct address_space *mapping = region->inode.i_mapping;
	long pages = 1L << order;
	pgoff_t first = round_down(index, pages);
	struct folio *folio;
	int err;

	if (vmfm_lost_any(region, first, first + pages))
		return ERR_PTR(-EHWPOISON);
	err = vmfm_region_charge(region, pages);
	if (err)
		return ERR_PTR(err);
	folio = vmfm_placement_alloc(&region->placement, gfp, order, first);
	if (!folio) {
		err = -ENOMEM;
		goto uncharge;
	}
	clear_folio(folio);
	folio_mark_uptodate(folio);
	err = filemap_add_folio(mapping, folio, first, gfp);
	if (err)
		goto put;
	if (vmfm_lost_any(region, first, first + pages)) {
		err = -EHWPOISON;
		goto remove;
	}
	folio_mark_dirty(folio);
	return folio;

remove:
	vmfm_remove_folio(mapping, folio);
	folio_unlock(folio);
put:
	folio_put(folio);
uncharge:
	vmfm_region_uncharge(region, pages);
	return ERR_PTR(err);
}

/* Whether the whole block around @index may be one folio. */
static bool block_fits(struct vmfm_region *region, pgoff_t index)
{
	pgoff_t first = round_down(index, VMFM_BLOCK_PAGES);
	loff_t start = (loff_t)first << PAGE_SHIFT;

	return READ_ONCE(vmfm_huge) &&
	       first + VMFM_BLOCK_PAGES <= i_size_read(&region->inode) >> PAGE_SHIFT &&
	       !filemap_range_has_page(region->inode.i_mapping, start,
				       start + HPAGE_PMD_SIZE - 1);
}

static struct folio *find_or_add(struct vmfm_region *region, pgoff_t index, gfp_t gfp)
{
	struct address_space *mapping = region->inode.i_mapping;
	struct folio *folio;

	for (;;) {
		folio = vmfm_lock_folio(mapping, index);
		if (folio)
			return folio;
		if (block_fits(region, index)) {
			folio = add_folio(region, index, HPAGE_PMD_ORDER, HUGE_GFP);
			if (!IS_ERR(folio))
				return folio;
		}
		folio = add_folio(region, index, 0, gfp);
		if (!IS_ERR(folio) || PTR_ERR(folio) != -EEXIST)
			return folio;
	}
}

/* The folio that is there already. A take knows of who waits for it: a fault, mostly. */
static struct folio *lock_present(struct vmfm_region *region, pgoff_t index)
{
	struct address_space *mapping = region->inode.i_mapping;
	struct folio *folio = vmfm_find_folio(mapping, index);

	if (!folio)
		return NULL;
	vmfm_dirty_lock_folio(region, folio);
	if (folio->mapping == mapping && folio_contains(folio, index))
		return folio;
	folio_unlock(folio);
	folio_put(folio);
	return NULL;
}

/*
 * The quota may have gone to somebody who is about to add this very page, or
 * will give back what it is charged for: there is no room only when there is
 * none with nobody on the way.
 */
struct folio *vmfm_region_folio(struct vmfm_region *region, pgoff_t index, gfp_t how)
{
	struct address_space *mapping = region->inode.i_mapping;
	struct rw_semaphore *adding = vmfm_region_adding(region);
	gfp_t gfp = mapping_gfp_mask(mapping) | how;
	struct folio *folio = lock_present(region, index);

	if (folio)
		return folio;
	down_read(adding);
	folio = find_or_add(region, index, gfp);
	up_read(adding);
	if (PTR_ERR_OR_ZERO(folio) != -ENOSPC)
		return folio;
	down_write(adding);
	folio = vmfm_lock_folio(mapping, index);
	if (!folio)
		folio = add_folio(region, index, 0, gfp);
	up_write(adding);
	return folio;
}

void vmfm_region_recount(struct vmfm_region *region)
{
	unsigned long present = READ_ONCE(region->inode.i_mapping->nrpages);
	unsigned long charged = atomic_long_read(&region->charged_pages);

	lockdep_assert_held_write(&region->inode.i_mapping->invalidate_lock);
	if (charged > present)
		vmfm_region_uncharge(region, charged - present);
}

bool vmfm_region_has_several_users(struct vmfm_region *region)
{
	struct address_space *mapping = region->inode.i_mapping;
	const struct mm_struct *user = NULL;
	bool several = false;
	struct rb_node *node;

	i_mmap_lock_read(mapping);
	for (node = rb_first(&mapping->i_mmap.rb_root); node && !several; node = rb_next(node)) {
		struct vm_area_struct *vma = rb_entry(node, struct vm_area_struct, shared.rb);

		several = user && vma->vm_mm != user;
		user = vma->vm_mm;
	}
	i_mmap_unlock_read(mapping);
	return several;
}

void vmfm_region_discard(struct vmfm_region *region)
{
	struct address_space *mapping = region->inode.i_mapping;

	filemap_invalidate_lock(mapping);
	unmap_mapping_pages(mapping, 0, 0, false);
	vmfm_lost_split(region, 0, ULONG_MAX);
	truncate_inode_pages(mapping, 0);
	vmfm_lost_forget(region, 0, ULONG_MAX);
	vmfm_region_recount(region);
	filemap_invalidate_unlock(mapping);
}

pgoff_t vmfm_each_folio(struct vmfm_region *region, pgoff_t first, pgoff_t end,
			int (*each)(struct folio *folio, void *arg), void *arg)
{
	XA_STATE(xas, &region->inode.i_mapping->i_pages, first);
	pgoff_t stopped = ULONG_MAX;
	struct folio *folio;

	rcu_read_lock();
	xas_for_each(&xas, folio, end - 1) {
		if (xas_retry(&xas, folio) || xa_is_value(folio))
			continue;
		if (!folio_try_get(folio)) {
			xas_reset(&xas);	/* being freed or split: look again */
			continue;
		}
		if (folio != xas_reload(&xas)) {
			folio_put(folio);
			xas_reset(&xas);
			continue;
		}
		if (each(folio, arg))
			stopped = folio->index;
		folio_put(folio);
		if (stopped != ULONG_MAX)
			break;
		if (need_resched()) {
			xas_pause(&xas);
			cond_resched_rcu();
		}
	}
	rcu_read_unlock();
	return stopped;
}

unsigned long vmfm_region_huge_pages(struct vmfm_region *region)
{
	unsigned long huge = 0;
	struct folio *folio;
	XA_STATE(xas, &region->inode.i_mapping->i_pages, 0);

	rcu_read_lock();
	xas_for_each(&xas, folio, ULONG_MAX) {
		if (xas_retry(&xas, folio) || xa_is_value(folio))
			continue;
		if (folio_test_large(folio))
			huge += folio_nr_pages(folio);
		if (need_resched()) {
			xas_pause(&xas);
			cond_resched_rcu();
		}
	}
	rcu_read_unlock();
	return huge;
}

static vm_fault_t fault_error(long err)
{
	switch (err) {
	case -ENOMEM:
		return VM_FAULT_OOM;
	case -EHWPOISON:
		return VM_FAULT_HWPOISON;
	default:
		return VM_FAULT_SIGBUS;
	}
}

static vm_fault_t region_fault(struct vm_fault *vmf)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	struct vmfm_region *region = vmfm_region(inode);
	vm_fault_t ret = VM_FAULT_LOCKED;
	struct folio *folio;

	vmfm_dirty_prepare_fault(region, vmf);

	filemap_invalidate_lock_shared(inode->i_mapping);
	if (vmf->pgoff >= vmfm_region_pages(region)) {
		ret = VM_FAULT_SIGBUS;
		goto unlock;
	}
	folio = vmfm_region_folio(region, vmf->pgoff, 0);
	if (IS_ERR(folio))
		ret = fault_error(PTR_ERR(folio));
	else
		vmf->page = folio_file_page(folio, vmf->pgoff);
unlock:
	filemap_invalidate_unlock_shared(inode->i_mapping);
	return ret;
}

/*
 * Every first write through any page table comes here, and returns with the
 * folio locked. The caller installs the writable entry before it unlocks: a
 * round that locks the folio after taking its mark finds the entry in place.
 */
static vm_fault_t region_page_mkwrite(struct vm_fault *vmf)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	struct folio *folio = page_folio(vmf->page);

	vmfm_dirty_lock_fault(vmfm_region(inode), vmf, folio);
	if (folio->mapping != inode->i_mapping) {
		folio_unlock(folio);
		return VM_FAULT_NOPAGE;
	}
	vmfm_dirty_mark_fault(vmfm_region(inode), vmf, folio);
	return VM_FAULT_LOCKED;
}

/*
 * A round leaves entries read-only and dirty, and mprotect() makes dirty entries
 * of a shared mapping writable without a fault. It finds none.
 */
static int region_mprotect(struct vm_area_struct *vma, unsigned long start, unsigned long end,
			   unsigned long flags)
{
	vmfm_vma_start_write(vma);
	if (flags & VM_WRITE)
		unmap_mapping_pages(vma->vm_file->f_mapping, linear_page_index(vma, start),
				    (end - start) >> PAGE_SHIFT, false);
	return 0;
}

#ifdef CONFIG_NUMA
/*
 * None that is for NUMA balancing, which then leaves the mapping alone. Like
 * mprotect(), it would give dirty entries their write access back without a fault.
 */
static struct mempolicy *region_get_policy(struct vm_area_struct *vma,
					   VMFM_GET_POLICY_ARGS)
{
	struct mempolicy *policy = vma->vm_policy;

	return policy && !(policy->flags & MPOL_F_MOF) ? policy : NULL;
}

/* The file's, as shmem has it, of who maps all of it. */
static int region_set_policy(struct vm_area_struct *vma, struct mempolicy *policy)
{
	struct vmfm_region *region = vmfm_region(file_inode(vma->vm_file));

	if (!vma->vm_pgoff && vma_pages(vma) >= vmfm_region_pages(region))
		vmfm_placement_set_policy(&region->placement, policy);
	return 0;
}
#endif

static const struct vm_operations_struct region_vm_ops = {
#ifdef CONFIG_NUMA
	.get_policy = region_get_policy,
	.set_policy = region_set_policy,
#endif
	.fault = region_fault,
	.map_pages = filemap_map_pages,
	.page_mkwrite = region_page_mkwrite,
	.mprotect = region_mprotect,
};

/*
 * Mappings through which nothing can be written to the file: private ones, and those
 * of a file that was opened for reading. fork(), mremap() and splitting make more of
 * them. Each is counted before it is among the file's mappings, or while the one it
 * is made from is counted and cannot go away, and until it is not among them any more.
 */
static void reading_open(struct vm_area_struct *vma)
{
	struct vmfm_region *region = vmfm_region(file_inode(vma->vm_file));

	atomic_inc(&region->reading_maps);
	smp_mb__after_atomic();		/* pairs with protect_runs() */
	atomic_inc(&region->reading_maps_ever);
}

static void reading_close(struct vm_area_struct *vma)
{
	atomic_dec(&vmfm_region(file_inode(vma->vm_file))->reading_maps);
}

static const struct vm_operations_struct reading_vm_ops = {
#ifdef CONFIG_NUMA
	.get_policy = region_get_policy,
#endif
	.open = reading_open,
	.close = reading_close,
	.fault = region_fault,
	.map_pages = filemap_map_pages,
};

static int region_mmap(struct file *file, struct vm_area_struct *vma)
{
	const unsigned long writable = VM_SHARED | VM_MAYWRITE;

	file_accessed(file);
	vma->vm_ops = &region_vm_ops;
	if ((vma->vm_flags & writable) != writable) {
		vma->vm_ops = &reading_vm_ops;
		reading_open(vma);
	} else {
		vmfm_placement_mapped(&vmfm_region(file_inode(file))->placement);
	}
	return 0;
}

/* For diagnosis: holes read as zeros and stay holes. */
static ssize_t read_page(struct vmfm_region *region, struct iov_iter *to, pgoff_t index,
			size_t offset, size_t want)
{
	struct folio *folio = vmfm_find_folio(region->inode.i_mapping, index);
	struct page *page = folio ? folio_file_page(folio, index) : NULL;
	ssize_t got;

	if (page && !PageHWPoison(page))
		got = copy_page_to_iter(page, offset, want, to);
	else if (page || vmfm_lost_any(region, index, index + 1))
		got = -EIO;
	else
		got = iov_iter_zero(min(want, iov_iter_count(to)), to);
	if (folio)
		folio_put(folio);
	return got;
}

static ssize_t region_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t done = 0;

	while (iov_iter_count(to) && iocb->ki_pos < i_size_read(inode)) {
		size_t offset = offset_in_page(iocb->ki_pos);
		size_t want = min_t(u64, PAGE_SIZE - offset, i_size_read(inode) - iocb->ki_pos);
		ssize_t got = read_page(vmfm_region(inode), to, iocb->ki_pos >> PAGE_SHIFT,
					offset, want);

		if (got <= 0)
			return done ?: got ?: -EFAULT;
		iocb->ki_pos += got;
		done += got;
		if (fatal_signal_pending(current))
			return done;
		cond_resched();
	}
	return done;
}

static long preallocate(struct vmfm_region *region, pgoff_t first, pgoff_t end)
{
	struct address_space *mapping = region->inode.i_mapping;
	struct folio *folio;

	while (first < end) {
		if (signal_pending(current))
			return -EINTR;
		filemap_invalidate_lock_shared(mapping);
		folio = vmfm_region_folio(region, first, 0);
		filemap_invalidate_unlock_shared(mapping);
		if (IS_ERR(folio))
			return PTR_ERR(folio);
		first = folio->index + folio_nr_pages(folio);
		folio_unlock(folio);
		folio_put(folio);
		cond_resched();
	}
	return 0;
}

static long punch_hole(struct vmfm_region *region, loff_t start, loff_t end)
{
	struct inode *inode = &region->inode;
	pgoff_t first = start >> PAGE_SHIFT;
	long err = 0;

	end = min(end, i_size_read(inode));
	if (start >= end)
		return 0;
	/* No round can stand between the hole and its mark: it takes the lock shared. */
	filemap_invalidate_lock(inode->i_mapping);
	if (READ_ONCE(region->sink)) {
		err = -EBUSY;	/* the pages have keys */
	} else {
		vmfm_lost_split(region, DIV_ROUND_UP(start, PAGE_SIZE), end >> PAGE_SHIFT);
		truncate_pagecache_range(inode, start, end - 1);
		vmfm_lost_forget(region, DIV_ROUND_UP(start, PAGE_SIZE), end >> PAGE_SHIFT);
		vmfm_dirty_mark_range(region, first, DIV_ROUND_UP(end, PAGE_SIZE) - first);
		vmfm_region_recount(region);
	}
	filemap_invalidate_unlock(inode->i_mapping);
	return err;
}

static long region_fallocate(struct file *file, int mode, loff_t offset, loff_t len)
{
	struct inode *inode = file_inode(file);
	struct vmfm_region *region = vmfm_region(inode);
	loff_t end = offset + len;
	long err;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;

	inode_lock(inode);
	if (mode & FALLOC_FL_PUNCH_HOLE) {
		err = punch_hole(region, offset, end);
		goto unlock;
	}
	err = inode_newsize_ok(inode, end);
	if (err)
		goto unlock;
	if (end > i_size_read(inode)) {
		err = -EBUSY;
		if (region->session)
			goto unlock;
		if (!(mode & FALLOC_FL_KEEP_SIZE))
			i_size_write(inode, end);
	}
	err = preallocate(region, offset >> PAGE_SHIFT,
			  DIV_ROUND_UP(min(end, i_size_read(inode)), PAGE_SIZE));
unlock:
	inode_unlock(inode);
	return err;
}

const struct file_operations vmfm_file_ops = {
	.llseek = generic_file_llseek,
	.read_iter = region_read_iter,
	.mmap = region_mmap,
	.fallocate = region_fallocate,
	.fsync = noop_fsync,
	.get_unmapped_area = thp_get_unmapped_area,
};

/*
 * Never: migration replaces page table entries by markers that write protection
 * walks past. (Rounds protect with the folio locked, as migration does, and so
 * would be right even then.)
 */
static int region_migrate_folio(struct address_space *mapping, struct folio *dst,
				struct folio *src, enum migrate_mode mode)
{
	return -EBUSY;
}

/*
 * Memory failure took the folio, which is locked and mapped nowhere any more; the kernel
 * split it off a huge one before. It expects it gone from here, or kills QEMU instead
 * of letting the guest hear of it.
 */
static int region_error_remove(struct address_space *mapping, vmfm_error_page *victim)
{
	struct folio *folio = vmfm_error_folio(victim);
	int err = vmfm_lost_add(vmfm_region(mapping->host), folio->index);

	return err ?: vmfm_remove_folio(mapping, folio);
}

const struct address_space_operations vmfm_aops = {
	.dirty_folio = noop_dirty_folio,
	.vmfm_error_remove = region_error_remove,
	.migrate_folio = region_migrate_folio,
};
