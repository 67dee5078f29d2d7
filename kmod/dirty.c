// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which pages were written.
 *
 * The guarantee. vmfm_block_take() takes a set of marked pages and promises:
 * each taken page, as read after it returns, holds every write that happened
 * before it revoked write access; every later write marks the page again.
 *
 *  1. take: the marks are exchanged with zero.
 *  2. fence: the folios of the taken pages are locked. region_page_mkwrite()
 *     marks with the folio locked and it stays locked until the writable entry
 *     is installed: who set a taken mark has its entry in place by now. Page
 *     migration holds the same lock while it has entries replaced by markers.
 *  3. protect: write access to the taken pages is revoked in every mapping,
 *     with the locks held. KVM's entries go with them, by MMU notifier.
 *     From here on the next write through a page table faults and marks.
 *  4. reference rule: a folio with references that neither the page cache nor
 *     its mappings explain may be written by DMA, or by number, without any
 *     fault. Its pages are not taken: they are marked again at once, and stay
 *     to be sent. Who takes a writable reference after step 3 faults first. Who
 *     took one before is seen here, or has let go of it, and then what it wrote
 *     is in the page.
 *
 * Holes. A mark without a page is a punched range (or a fault that has not
 * added its page yet, whose mark comes later): the page is zero. Punching holds
 * the invalidate lock from removing the pages to marking them, and the take
 * holds it shared.
 *
 * Memory failure. A marked page that is lost, or on its way to be, cannot be
 * taken, and is told: nobody reads it. One that is not marked was sent before.
 *
 * Huge pages. A write fault on an empty PMD marks one page and would then map
 * all 2 MiB writable. vmfm_dirty_prepare_fault() installs the page table first,
 * so that only 4 KiB are. Where that was not done (the fault began before
 * tracking did), vmfm_dirty_mark_fault() marks the whole folio and notes that
 * the block may be writable by PMD, for protect to know.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/rmap.h>
#include <linux/delay.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <asm/pgalloc.h>

#include "compat/compat.h"
#include "dirty.h"
#include "fs.h"
#include "lost.h"
#include "mapping.h"
#include "marks.h"
#include "pace.h"
#include "trace.h"

#define PROTECT_GAP	4	/* pages: Documentation/performance.md */

/* The leaf is there. */
static void mark(struct vmfm_dirty *dirty, pgoff_t first, unsigned long pages)
{
	unsigned long fresh = vmfm_marks_set(dirty->marks, first, pages);

	if (fresh)
		this_cpu_add(*dirty->marked, fresh);
}

/*
 * For a range that was punched. Where there is no leaf no page was present when
 * tracking began, and none was written since: the sink has nothing there either.
 */
void vmfm_dirty_mark_range(struct vmfm_region *region, pgoff_t first, unsigned long pages)
{
	pgoff_t end = first + pages, stop;
	struct vmfm_dirty *dirty;

	for (; first < end; first = stop) {
		stop = min(vmfm_marks_leaf_end(first), end);
		rcu_read_lock();
		dirty = rcu_dereference(region->dirty);
		if (!dirty || first >= dirty->pages)
			stop = end;
		else if (vmfm_marks_has_leaf(dirty->marks, first))
			mark(dirty, first, min(stop, dirty->pages) - first);
		rcu_read_unlock();
		cond_resched();
	}
}

/*
 * Gives the page at @index room for its mark. It sleeps: the tracking may have
 * ended, or be another one, when it returns.
 */
static void make_leaf(struct vmfm_region *region, pgoff_t index)
{
	unsigned long *leaf = (unsigned long *)get_zeroed_page(GFP_KERNEL | __GFP_NOWARN);
	struct vmfm_dirty *dirty;

	rcu_read_lock();
	dirty = rcu_dereference(region->dirty);
	if (dirty && !leaf)
		WRITE_ONCE(dirty->incomplete, true);
	if (dirty && leaf && vmfm_marks_add_leaf(dirty->marks, index, leaf))
		leaf = NULL;
	rcu_read_unlock();
	free_page((unsigned long)leaf);
}

static bool maps_by_table(pmd_t *pmd)
{
	pmd_t val = READ_ONCE(*pmd);

	return !pmd_none(val) && !pmd_trans_huge(val) && !pmd_devmap(val) && pmd_present(val);
}

/* False: there is no room for the mark. */
static bool mark_fault(struct vmfm_region *region, struct vm_fault *vmf, struct folio *folio,
		       pgoff_t index)
{
	struct vmfm_dirty *dirty;
	bool done = true;

	rcu_read_lock();
	dirty = rcu_dereference(region->dirty);
	if (!dirty || READ_ONCE(dirty->incomplete))
		goto out;
	done = vmfm_marks_has_leaf(dirty->marks, index);
	if (!done)
		goto out;
	if (folio_test_large(folio) && !maps_by_table(vmf->pmd)) {
		vmfm_marks_set_pmd(dirty->marks, index);
		mark(dirty, folio->index, folio_nr_pages(folio));
	} else {
		mark(dirty, index, 1);
	}
	trace_vmfm_mark(&region->inode, index);
out:
	rcu_read_unlock();
	return done;
}

void vmfm_dirty_mark_fault(struct vmfm_region *region, struct vm_fault *vmf,
			   struct folio *folio)
{
	pgoff_t index = folio->index + folio_page_idx(folio, vmf->page);

	while (!mark_fault(region, vmf, folio, index))
		make_leaf(region, index);
}

struct fault_wait {
	struct list_head node;
	struct folio *folio;
};

/*
 * A fault that waits holds one reference, and marks before it lets anything be
 * written: the reference rule is told that it is no stranger. Where the guest
 * writes a lot, there mostly is one right after a protect; where it is paced, its
 * vCPUs wait most of the time.
 */
static void wait_for_folio(struct vmfm_region *region, struct folio *folio, u64 pace_ns)
{
	struct fault_wait wait = { .folio = folio };

	spin_lock(&region->waits_lock);
	list_add(&wait.node, &region->waits);
	spin_unlock(&region->waits_lock);
	if (pace_ns)
		vmfm_pace_wait(pace_ns);
	folio_lock(folio);
	spin_lock(&region->waits_lock);
	list_del(&wait.node);
	spin_unlock(&region->waits_lock);
}

void vmfm_dirty_lock_folio(struct vmfm_region *region, struct folio *folio)
{
	if (!folio_trylock(folio))
		wait_for_folio(region, folio, 0);
}

/* How long the writer of this page is to wait. */
static u64 pace_of_fault(struct vmfm_region *region, pgoff_t index)
{
	struct vmfm_dirty *dirty;
	u64 wait_ns = 0;

	rcu_read_lock();
	dirty = rcu_dereference(region->dirty);
	if (dirty && index < dirty->pages && !vmfm_marks_test(dirty->marks, index))
		wait_ns = vmfm_pace_take(dirty->pace);
	rcu_read_unlock();
	return wait_ns;
}

void vmfm_dirty_lock_fault(struct vmfm_region *region, struct vm_fault *vmf,
			   struct folio *folio)
{
	u64 pace_ns = pace_of_fault(region, vmf->pgoff);

	if (pace_ns)
		wait_for_folio(region, folio, pace_ns);
	else
		vmfm_dirty_lock_folio(region, folio);
}

/* While the folio is locked they only become more. */
static long count_waits(struct vmfm_region *region, struct folio *folio)
{
	struct fault_wait *wait;
	long count = 0;

	spin_lock(&region->waits_lock);
	list_for_each_entry(wait, &region->waits, node)
		count += wait->folio == folio;
	spin_unlock(&region->waits_lock);
	return count;
}

/*
 * Called from ->fault: the caller has a page table at hand exactly when the PMD
 * is empty (it must not allocate with the page locked). Install it.
 */
void vmfm_dirty_prepare_fault(struct vmfm_region *region, struct vm_fault *vmf)
{
	struct mm_struct *mm = vmf->vma->vm_mm;
	spinlock_t *ptl;

	if (!(vmf->flags & FAULT_FLAG_WRITE) || !vmf->prealloc_pte ||
	    !rcu_access_pointer(region->dirty))
		return;
	ptl = pmd_lock(mm, vmf->pmd);
	if (pmd_none(*vmf->pmd)) {
		mm_inc_nr_ptes(mm);
		smp_wmb();	/* a walker that sees the table sees it zeroed */
		pmd_populate(mm, vmf->pmd, vmf->prealloc_pte);
		vmf->prealloc_pte = NULL;
	}
	spin_unlock(ptl);
}

static void free_dirty(struct vmfm_dirty *dirty)
{
	if (!dirty)
		return;
	free_percpu(dirty->marked);
	vmfm_marks_free(dirty->marks);
	kfree(dirty);
}

static struct vmfm_dirty *alloc_dirty(unsigned long pages)
{
	struct vmfm_dirty *dirty = kzalloc(sizeof(*dirty), GFP_KERNEL);

	if (!dirty)
		return NULL;
	dirty->pages = pages;
	dirty->marks = vmfm_marks_new(pages);
	dirty->marked = alloc_percpu(long);
	if (dirty->marks && dirty->marked)
		return dirty;
	free_dirty(dirty);
	return NULL;
}

struct present {
	struct vmfm_dirty *dirty;
	unsigned long pages;
};

static int mark_one_present(struct folio *folio, void *arg)
{
	struct present *present = arg;

	if (!vmfm_marks_has_leaf(present->dirty->marks, folio->index))
		return -ENOENT;
	mark(present->dirty, folio->index, folio_nr_pages(folio));
	present->pages += folio_nr_pages(folio);
	return 0;
}

/* Marks what is present. The leaves for it are the tracking's own: charged to who asked for it. */
static int mark_present(struct vmfm_region *region, struct present *present, const int *stop)
{
	struct vmfm_marks *marks = present->dirty->marks;
	pgoff_t index = 0;

	while ((index = vmfm_each_folio(region, index, ULONG_MAX, mark_one_present, present)) !=
	       ULONG_MAX) {
		unsigned long *leaf = (unsigned long *)get_zeroed_page(GFP_KERNEL_ACCOUNT);

		if (!leaf)
			return -ENOMEM;
		if (!vmfm_marks_add_leaf(marks, index, leaf))
			free_page((unsigned long)leaf);
		if (READ_ONCE(*stop))
			return -EINTR;
	}
	return 0;
}

static int note_pinned(struct folio *folio, void *arg)
{
	struct xarray *pinned = arg;

	if (!folio_maybe_dma_pinned(folio))
		return 0;
	return xa_err(xa_store(pinned, folio->index, xa_mk_value(1), GFP_NOWAIT));
}

static bool still_pinned(struct vmfm_region *region, pgoff_t index)
{
	struct folio *folio = vmfm_find_folio(region->inode.i_mapping, index);
	bool pinned;

	if (!folio)
		return false;
	pinned = folio_maybe_dma_pinned(folio);
	folio_put(folio);
	return pinned;
}

static unsigned long count_pinned(struct vmfm_region *region, struct xarray *pinned)
{
	unsigned long index, count = 0;
	void *entry;

	xa_for_each(pinned, index, entry) {
		if (still_pinned(region, index))
			count++;
		else
			xa_erase(pinned, index);
		cond_resched();
	}
	return count;
}

/*
 * Pins of I/O in flight go away; one that stays is a device that maps the page. Punches
 * and faults go on meanwhile: each folio is referred to while it is looked at.
 */
int vmfm_dirty_refuse_pins(struct vmfm_region *region, unsigned int wait_ms, const int *stop,
			   unsigned long *count)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(wait_ms);
	struct xarray pinned;
	pgoff_t stopped;
	int err = 0;

	xa_init(&pinned);
	stopped = vmfm_each_folio(region, 0, ULONG_MAX, note_pinned, &pinned);
	if (stopped != ULONG_MAX)
		err = -ENOMEM;
	while (!err && (*count = count_pinned(region, &pinned))) {
		if (time_after(jiffies, deadline))
			err = -EBUSY;
		else if (READ_ONCE(*stop))
			err = -EINTR;
		else
			msleep(50);
	}
	xa_destroy(&pinned);
	return err;
}

int vmfm_dirty_start(struct vmfm_region *region, unsigned long pages, unsigned int pin_wait_ms,
		     struct vmfm_pace *pace, const int *stop, unsigned long *present_pages,
		     unsigned long *pinned)
{
	struct present present = {};
	int err = vmfm_dirty_refuse_pins(region, pin_wait_ms, stop, pinned);

	if (err)
		return err;
	present.dirty = alloc_dirty(pages);
	if (!present.dirty)
		return -ENOMEM;
	present.dirty->pace = pace;
	rcu_assign_pointer(region->dirty, present.dirty);
	/*
	 * A fault that saw no tracking and did not mark has added its page
	 * before it looked: after this wait the walk below finds that page. One that
	 * is punched while it walks is marked in vain, and travels as a hole.
	 */
	synchronize_rcu();
	err = mark_present(region, &present, stop);
	*present_pages = present.pages;
	if (err)
		vmfm_dirty_stop(region);
	return err;
}

/* Write access that is still revoked comes back fault by fault, unmarked. */
void vmfm_dirty_stop(struct vmfm_region *region)
{
	struct vmfm_dirty *dirty = rcu_replace_pointer(region->dirty, NULL, true);

	if (!dirty)
		return;
	synchronize_rcu();
	free_dirty(dirty);
}

/* The owner of the tracking reads it without RCU: only it ends the tracking. */
static struct vmfm_dirty *owned(struct vmfm_region *region)
{
	return rcu_dereference_protected(region->dirty, true);
}

bool vmfm_dirty_complete(struct vmfm_region *region)
{
	return !READ_ONCE(owned(region)->incomplete);
}

unsigned long vmfm_dirty_marked(struct vmfm_region *region)
{
	struct vmfm_dirty *dirty;
	unsigned long sum = 0;
	int cpu;

	rcu_read_lock();
	dirty = rcu_dereference(region->dirty);
	if (dirty)
		for_each_possible_cpu(cpu)
			sum += *per_cpu_ptr(dirty->marked, cpu);
	rcu_read_unlock();
	return sum;
}

unsigned long vmfm_dirty_pages(struct vmfm_region *region)
{
	struct vmfm_dirty *dirty;
	long pages = 0;

	rcu_read_lock();
	dirty = rcu_dereference(region->dirty);
	if (dirty)	/* taken first: what was taken was marked before */
		pages = -atomic_long_read(&dirty->taken);
	rcu_read_unlock();
	smp_rmb();	/* pairs with the order of marking and taking */
	pages += vmfm_dirty_marked(region);
	return max(pages, 0L);
}

pgoff_t vmfm_dirty_next(struct vmfm_region *region, pgoff_t index)
{
	return vmfm_marks_next(owned(region)->marks, index);
}

/*
 * Step 2. Locks in ascending order; nobody else holds one folio's lock here
 * while waiting for another's.
 */
static void lock_folios(struct vmfm_block *block)
{
	struct address_space *mapping = block->region->inode.i_mapping;
	struct folio *folio = NULL;
	unsigned int i;

	for_each_set_bit(i, block->taken, VMFM_BLOCK_PAGES) {
		pgoff_t index = block->first + i;

		if (!folio || index >= folio->index + folio_nr_pages(folio)) {
			folio = vmfm_lock_folio(mapping, index);
			if (folio)
				block->locked[block->folios++] = folio;
		}
		block->folio[i] = folio;
		if (folio && !PageHWPoison(folio_file_page(folio, index)))
			continue;
		__clear_bit(i, block->taken);
		if (folio || vmfm_lost_any(block->region, index, index + 1))
			block->lost = index;
		else
			__set_bit(i, block->holes);
	}
}

/* The run of pages from @first on, with such gaps in it as are not worth a walk more. */
static unsigned long run_end(const unsigned long *pages, unsigned long first, unsigned long *next)
{
	unsigned long end = first;

	do {
		end = find_next_zero_bit(pages, VMFM_BLOCK_PAGES, end);
		*next = find_next_bit(pages, VMFM_BLOCK_PAGES, end);
		if (*next >= VMFM_BLOCK_PAGES || *next - end > PROTECT_GAP)
			return end;
		end = *next;
	} while (true);
}

/*
 * Run by run, since KVM drops its entries for all of a range, those for reading, too:
 * a guest that reads what lies between would fault for each page of it.
 *
 * The kernel's walk over the mappings of a file ends at the first that cannot be written
 * through: it would leave others alone. False: there is one, or was.
 */
static bool protect_runs(struct vmfm_block *block)
{
	struct vmfm_region *region = block->region;
	int ever = atomic_read(&region->reading_maps_ever);
	unsigned long first, end, next;

	smp_rmb();	/* who is behind @ever is counted by the next line */
	if (atomic_read(&region->reading_maps))
		return false;
	for (first = find_first_bit(block->taken, VMFM_BLOCK_PAGES); first < VMFM_BLOCK_PAGES;
	     first = next) {
		end = run_end(block->taken, first, &next);
		wp_shared_mapping_range(region->inode.i_mapping, block->first + first, end - first);
	}
	return ever == atomic_read(&region->reading_maps_ever);
}

static void protect_folios(struct vmfm_block *block)
{
	unsigned int i;

	for (i = 0; i < block->folios; i++)
		folio_mkclean(block->locked[i]);
}

/* Step 3. */
static void protect(struct vmfm_dirty *dirty, struct vmfm_block *block)
{
	pgoff_t first = block->first + find_first_bit(block->taken, VMFM_BLOCK_PAGES);
	pgoff_t last = block->first + find_last_bit(block->taken, VMFM_BLOCK_PAGES);
	u64 start_ns = ktime_get_ns();
	bool by_pmd = folio_test_large(block->locked[0]) &&
		      vmfm_marks_clear_pmd(dirty->marks, block->first);

	if (by_pmd || !protect_runs(block))
		protect_folios(block);
	block->protect_ns = ktime_get_ns() - start_ns;
	trace_vmfm_protect(&block->region->inode, first, last - first + 1, block->protect_ns);
}

/*
 * References that are not the page cache's, the mappings', those of faults that
 * wait for us, or this take's own. The waits are read before the count, which
 * then has the references of all of them; the count before the mappings: most
 * only go away with the folio locked, each before its reference does. fork() of
 * a private mapping adds some all the same, each after its reference: the count
 * is read again. So the difference is never less than what others hold. Any
 * difference counts, should they go away meanwhile.
 */
static bool has_other_references(struct vmfm_region *region, struct folio *folio)
{
	long waits = count_waits(region, folio);
	long count, mapped;

	smp_rmb();	/* each wait was entered with its reference held */
	count = folio_ref_count(folio);
	smp_rmb();	/* pairs with the atomics of rmap */
	mapped = vmfm_folio_mapcount(folio);
	smp_rmb();	/* see above: nothing came meanwhile */
	return count - folio_nr_pages(folio) - 1 - waits != mapped ||
	       count != folio_ref_count(folio);
}

/*
 * Step 4. What is kept is not taken: it would have to be sent again all the same,
 * in the first take that finds the references gone.
 */
static void keep_referenced(struct vmfm_dirty *dirty, struct vmfm_block *block)
{
	bool keep = false;
	struct folio *last = NULL;
	unsigned int i;

	/* Entries are revoked before references are counted; pairs with GUP's own order. */
	smp_mb();	/* see above */
	for_each_set_bit(i, block->taken, VMFM_BLOCK_PAGES) {
		if (block->folio[i] != last) {
			last = block->folio[i];
			keep = has_other_references(block->region, last);
		}
		if (keep) {
			__clear_bit(i, block->taken);
			mark(dirty, block->first + i, 1);
			block->kept++;
		}
	}
}

void vmfm_block_take(struct vmfm_block *block, struct vmfm_region *region, pgoff_t first)
{
	struct address_space *mapping = region->inode.i_mapping;
	struct vmfm_dirty *dirty = owned(region);
	unsigned int marks, i;

	block->region = region;
	block->first = first;
	block->folios = 0;
	block->kept = 0;
	block->lost = VMFM_NONE_LOST;
	block->protect_ns = 0;
	bitmap_zero(block->holes, VMFM_BLOCK_PAGES);

	filemap_invalidate_lock_shared(mapping);
	marks = vmfm_marks_take(dirty->marks, first, block->taken);
	lock_folios(block);
	if (block->folios && block->lost == VMFM_NONE_LOST) {
		protect(dirty, block);
		keep_referenced(dirty, block);
	}
	for (i = 0; i < block->folios; i++)
		folio_unlock(block->locked[i]);
	filemap_invalidate_unlock_shared(mapping);

	atomic_long_add(marks, &dirty->taken);
	trace_vmfm_take(&region->inode, first, marks, block->kept);
}

void vmfm_block_put(struct vmfm_block *block)
{
	unsigned int i;

	for (i = 0; i < block->folios; i++)
		folio_put(block->locked[i]);
	block->folios = 0;
}

static void drain_batch(struct work_struct *work)
{
	vmfm_lru_drain_cpu();
}

void vmfm_dirty_drain_batches(void)
{
	struct work_struct __percpu *works = alloc_percpu(struct work_struct);
	int cpu;

	if (!works)
		return;	/* the rule then keeps more than it needs to */
	cpus_read_lock();
	for_each_online_cpu(cpu) {
		struct work_struct *work = per_cpu_ptr(works, cpu);

		INIT_WORK(work, drain_batch);
		schedule_work_on(cpu, work);
	}
	for_each_online_cpu(cpu)
		flush_work(per_cpu_ptr(works, cpu));
	cpus_read_unlock();
	free_percpu(works);
}
