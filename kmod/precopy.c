// SPDX-License-Identifier: GPL-2.0-only
/*
 * The source's rounds: walk the marked blocks once, take each as late as
 * possible, write it. Grants for blocks ahead are asked for on the way, so that
 * the link does not wait for keys.
 *
 * Pages of zeros. They are found after they were taken, so that the round's
 * promise holds for what was read. Until the end of the first pass the sink has
 * zeros wherever nothing was sent, and nothing needs telling; later they travel
 * as holes. A chunk that looks like zeros is not asked for, and costs the sink
 * no memory.
 */
#include <linux/highmem.h>
#include <linux/ktime.h>
#include <linux/pagemap.h>

#include "compat/compat.h"
#include "dirty.h"
#include "fs.h"
#include "lost.h"
#include "session.h"
#include "trace.h"
#include "xport.h"

#define PIN_WAIT_MS		5000
#define PROGRESS_NS		(200 * NSEC_PER_MSEC)
#define HELD_NS			(2000 * NSEC_PER_MSEC)
#define LOOK_BLOCKS		64	/* looked at ahead, at a time */
#define PACE_SLACK_NS		(2 * NSEC_PER_MSEC)

/* A place in all regions of the session, block by block. */
struct walk {
	unsigned int region;
	pgoff_t page;
};

struct pass {
	struct vmfm_session *session;
	struct vmfm_round *round;
	struct walk ask;
	bool first;		/* of the session: the sink has nothing yet */
	u64 progress_ns;
};

/* Moves on to the next block with a mark, from @walk on; false at the end. */
static bool next_block(struct vmfm_session *session, struct walk *walk)
{
	for (; walk->region < session->regions; walk->region++, walk->page = 0) {
		struct vmfm_session_region *region = &session->region[walk->region];
		pgoff_t page = vmfm_dirty_next(region->file, walk->page);

		if (page < region->pages) {
			walk->page = round_down(page, VMFM_BLOCK_PAGES);
			return true;
		}
	}
	return false;
}

static bool chunk_has_page(struct vmfm_region *file, pgoff_t first, unsigned int pages)
{
	loff_t start = (loff_t)first << PAGE_SHIFT;

	return filemap_range_has_page(file->inode.i_mapping, start,
				      start + ((loff_t)pages << PAGE_SHIFT) - 1);
}

static bool is_zero(struct page *page, size_t bytes)
{
	void *at;
	bool zero;

	if (PageHWPoison(page))
		return false;	/* the machine check would be ours */
	at = kmap_local_page(page);
	zero = !memchr_inv(at, 0, bytes);

	kunmap_local(at);
	return zero;
}

/* Whether the marked pages of that range begin like pages of zeros, all of them. */
static bool looks_zero(struct vmfm_region *file, pgoff_t first, pgoff_t end)
{
	struct folio *folio = NULL;
	bool zero = true;

	while (zero && (first = vmfm_dirty_next(file, first)) < end) {
		if (folio && first >= folio->index + folio_nr_pages(folio)) {
			folio_put(folio);
			folio = NULL;
		}
		if (!folio)
			folio = vmfm_find_folio(file->inode.i_mapping, first);
		zero = !folio || is_zero(folio_file_page(folio, first), SMP_CACHE_BYTES);
		first++;
	}
	if (folio)
		folio_put(folio);
	return zero;
}

/* Whether the sink has to have this chunk: marked, and neither a hole nor zeros. */
static bool chunk_wanted(struct vmfm_session *session, struct vmfm_session_region *region,
			 pgoff_t first, unsigned int pages)
{
	pgoff_t end = min(first + pages, region->pages);

	return first < end && vmfm_dirty_next(region->file, first) < end &&
	       chunk_has_page(region->file, first, pages) &&
	       !(session->find_zeros && looks_zero(region->file, first, end));
}

static int ask_block(struct vmfm_session *session, struct walk *walk)
{
	struct vmfm_session_region *region = &session->region[walk->region];
	unsigned int chunk_pages = vmfm_xport_chunk_pages(session->xport);
	pgoff_t first;
	int err;

	for (first = walk->page; first < walk->page + VMFM_BLOCK_PAGES; first += chunk_pages) {
		if (vmfm_xport_was_asked(session->xport, walk->region, first) ||
		    !chunk_wanted(session, region, first, chunk_pages))
			continue;
		err = vmfm_xport_ask(session->xport, walk->region, first);
		if (err < 0)
			return err;
	}
	return 0;
}

/* Keeps as many requests on the way as the sink allows. */
static int ask_ahead(struct pass *pass, const struct walk *now)
{
	struct vmfm_session *session = pass->session;
	struct walk *ask = &pass->ask;
	unsigned int most = READ_ONCE(vmfm_grants_ahead);
	unsigned int looks = 0;
	int err;

	if (ask->region < now->region || (ask->region == now->region && ask->page < now->page))
		*ask = *now;
	/* Blocks of zeros are not asked for, and there may be many of them. */
	while (looks++ < LOOK_BLOCKS && vmfm_xport_asked(session->xport) < most &&
	       next_block(session, ask)) {
		err = ask_block(session, ask);
		if (err)
			return err;
		ask->page += VMFM_BLOCK_PAGES;
	}
	return 0;
}

static int wait_grants(struct pass *pass, struct walk *now)
{
	struct vmfm_session *session = pass->session;
	unsigned int chunk_pages = vmfm_xport_chunk_pages(session->xport);
	pgoff_t first, end = now->page + VMFM_BLOCK_PAGES;
	u64 start_ns = ktime_get_ns();
	int err = ask_block(session, now);

	for (first = now->page; !err && first < end; first += chunk_pages)
		if (vmfm_xport_was_asked(session->xport, now->region, first))
			err = vmfm_xport_wait_grant(session->xport, now->region, first);
	pass->round->wait_ns += ktime_get_ns() - start_ns;
	return err;
}

/* Taken pages that are zero become holes, or nothing. */
static void take_out_zeros(struct pass *pass)
{
	struct vmfm_session *session = pass->session;
	struct vmfm_block *block = session->block;
	unsigned int i;

	for_each_set_bit(i, block->taken, VMFM_BLOCK_PAGES) {
		if (!is_zero(folio_file_page(block->folio[i], block->first + i), PAGE_SIZE))
			continue;
		__clear_bit(i, block->taken);
		if (!pass->first)
			__set_bit(i, block->holes);
		session->zero_pages++;
		pass->round->zero_pages++;
	}
}

/*
 * A page that came into a chunk after its grants were waited for goes next time,
 * and so does one whose chunk looked like zeros; that one is asked for now.
 */
static int put_back_ungranted(struct vmfm_session *session, unsigned int region)
{
	unsigned int chunk_pages = vmfm_xport_chunk_pages(session->xport);
	struct vmfm_block *block = session->block;
	unsigned int first, i;
	int err = 0;

	for (first = 0; first < VMFM_BLOCK_PAGES; first += chunk_pages) {
		bool wanted = false;

		if (vmfm_xport_granted(session->xport, region, block->first + first))
			continue;
		i = first;
		for_each_set_bit_from(i, block->taken, first + chunk_pages) {
			__clear_bit(i, block->taken);
			vmfm_dirty_mark_range(block->region, block->first + i, 1);
			wanted = true;
		}
		if (wanted && err >= 0)
			err = vmfm_xport_ask(session->xport, region, block->first + first);
	}
	return min(err, 0);
}

/* The sink has nothing where no chunk was granted: that is a hole already. */
static int send_holes(struct vmfm_session *session, unsigned int region)
{
	struct vmfm_block *block = session->block;
	unsigned int chunk_pages = vmfm_xport_chunk_pages(session->xport);
	unsigned int first, end, stop;
	int err;

	for (first = find_first_bit(block->holes, VMFM_BLOCK_PAGES); first < VMFM_BLOCK_PAGES;
	     first = find_next_bit(block->holes, VMFM_BLOCK_PAGES, end)) {
		stop = round_down(first, chunk_pages) + chunk_pages;
		end = find_next_zero_bit(block->holes, stop, first);
		if (!vmfm_xport_granted(session->xport, region, block->first + first))
			continue;
		err = vmfm_xport_hole(session->xport, region, block->first + first, end - first);
		if (err)
			return err;
	}
	return 0;
}

/* Holds the session's bandwidth limit. The last round is not limited. */
static void pace(struct vmfm_session *session, u64 bytes)
{
	u64 limit = READ_ONCE(session->bandwidth);
	u64 now_ns = ktime_get_ns();
	u64 sleep_ns;

	if (!limit)
		return;
	session->paced_until_ns = max(session->paced_until_ns, now_ns);
	session->paced_until_ns += div64_u64(bytes * NSEC_PER_SEC, limit);
	sleep_ns = session->paced_until_ns - now_ns;
	if (sleep_ns < PACE_SLACK_NS)
		return;
	wait_event_idle_timeout(session->wait, vmfm_session_failed(session) ||
				READ_ONCE(session->bandwidth) != limit,
				nsecs_to_jiffies64(sleep_ns) + 1);
	if (READ_ONCE(session->bandwidth) != limit)
		session->paced_until_ns = 0;	/* what is owed at the old rate is forgiven */
}

static void tell_progress(struct pass *pass)
{
	u64 now_ns = ktime_get_ns();

	if (now_ns - pass->progress_ns < PROGRESS_NS)
		return;
	pass->progress_ns = now_ns;
	vmfm_netlink_event(pass->session, VMFM_EVENT_PROGRESS);
}

static void count_block(struct pass *pass, unsigned int pages, unsigned int holes)
{
	struct vmfm_session *session = pass->session;
	struct vmfm_round *round = pass->round;

	round->pages += pages;
	round->hole_pages += holes;
	round->kept_pages += session->block->kept;
	round->protect_ns += session->block->protect_ns;
	session->sent_pages += pages;
	session->hole_pages += holes;
	session->kept_pages += session->block->kept;
}

/*
 * Zeros in its place would be a guest that reads wrong data. Here it goes on as it
 * does on any host: without the page, and told so.
 */
static int fail_lost(struct vmfm_session *session, unsigned int region, pgoff_t page)
{
	vmfm_session_fail(session, -EHWPOISON,
			  "region %s: memory failure took the page at %#llx: there is nothing to send",
			  session->region[region].name, (u64)page << PAGE_SHIFT);
	return -EHWPOISON;
}

static int ship_block(struct pass *pass, const struct walk *now)
{
	struct vmfm_session *session = pass->session;
	struct vmfm_block *block = session->block;
	unsigned int pages, holes;
	int err;

	vmfm_block_take(block, session->region[now->region].file, now->page);
	if (block->lost != VMFM_NONE_LOST) {
		vmfm_block_put(block);
		return fail_lost(session, now->region, block->lost);
	}
	holes = bitmap_weight(block->holes, VMFM_BLOCK_PAGES);
	if (session->find_zeros)
		take_out_zeros(pass);
	err = put_back_ungranted(session, now->region);
	pages = bitmap_weight(block->taken, VMFM_BLOCK_PAGES);
	count_block(pass, pages, holes);
	if (!err)
		err = vmfm_xport_write(session->xport, now->region, block);
	if (!err)
		err = send_holes(session, now->region);
	vmfm_block_put(block);
	if (!err && !pass->round->final)
		pace(session, (u64)pages << PAGE_SHIFT);
	return err;
}

static int check_complete(struct vmfm_session *session)
{
	unsigned int i;

	for (i = 0; i < session->regions; i++) {
		if (vmfm_dirty_complete(session->region[i].file))
			continue;
		vmfm_session_fail(session, -ENOMEM, "region %s: no memory to note what is written",
				  session->region[i].name);
		return -ENOMEM;
	}
	return 0;
}

/* Every block that has a mark when the walk comes by, once. */
static int run_pass(struct vmfm_session *session, struct vmfm_round *round)
{
	struct pass pass = { .session = session, .round = round, .first = !session->passes++,
			     .progress_ns = ktime_get_ns() };
	struct walk now = {};
	int err;

	while (next_block(session, &now)) {
		if (vmfm_session_failed(session))
			return session->error;
		err = ask_ahead(&pass, &now);
		if (!err)
			err = wait_grants(&pass, &now);
		if (!err)
			err = ship_block(&pass, &now);
		if (err)
			return err;
		now.page += VMFM_BLOCK_PAGES;
		tell_progress(&pass);
		cond_resched();
	}
	return check_complete(session);
}

static u64 dirty_pages(struct vmfm_session *session)
{
	u64 pages = 0;
	unsigned int i;

	for (i = 0; i < session->regions; i++)
		pages += vmfm_dirty_pages(session->region[i].file);
	return pages;
}

static void end_round(struct vmfm_session *session, struct vmfm_round *round, u64 start_ns)
{
	round->time_ns = ktime_get_ns() - start_ns;
	round->dirty_pages = dirty_pages(session);
	spin_lock(&session->lock);
	session->last = *round;
	spin_unlock(&session->lock);
}

void vmfm_precopy_start(struct vmfm_session *session)
{
	unsigned long pinned = 0;
	unsigned int i;
	pgoff_t lost;
	int err;

	if (vmfm_xport_connect(session))
		return;		/* it told why */
	for (i = 0; i < session->regions; i++) {
		struct vmfm_session_region *region = &session->region[i];

		err = vmfm_dirty_start(region->file, region->pages, PIN_WAIT_MS, &session->pace,
				       &session->error, &region->present, &pinned);
		trace_vmfm_start(session->id, &region->file->inode, region->present, err);
		if (err == -EBUSY)
			vmfm_session_fail(session, err,
				"region %s: %lu pages stay pinned (VFIO, RDMA or the like): a device may write them unseen",
				region->name, pinned);
		else if (err)
			vmfm_session_fail(session, err, "region %s: cannot track: error %d",
					  region->name, err);
		if (err)
			return;
		/* What is lost from now on was marked. */
		lost = vmfm_lost_next(region->file, 0, region->pages);
		if (lost != VMFM_NONE_LOST) {
			fail_lost(session, i, lost);
			return;
		}
	}
	vmfm_session_move(session, VMFM_STATE_READY);
}

void vmfm_precopy_round(struct vmfm_session *session)
{
	struct vmfm_round round = { .number = ++session->rounds };
	u64 start_ns = ktime_get_ns();

	vmfm_dirty_drain_batches();
	if (run_pass(session, &round) || vmfm_xport_round(session->xport, round.number))
		return;
	end_round(session, &round, start_ns);
	vmfm_session_move(session, VMFM_STATE_READY);
}

/*
 * The guest is stopped and QEMU has drained: whatever still writes lets go of
 * its reference soon, or is nothing we know of. When nothing but such pages has
 * been left for a while there is nothing to wait for, and a guest stands still.
 */
void vmfm_precopy_final(struct vmfm_session *session)
{
	struct vmfm_round round = { .number = ++session->rounds, .final = true };
	u64 start_ns = ktime_get_ns(), held_ns = start_ns, now_ns;
	u64 deadline_ns = start_ns + (u64)session->final_timeout_ms * NSEC_PER_MSEC;

	for (;;) {
		u64 kept = round.kept_pages, left;

		if (run_pass(session, &round))
			return;
		left = dirty_pages(session);
		if (!left)
			break;
		now_ns = ktime_get_ns();
		if (round.kept_pages - kept != left)
			held_ns = now_ns;
		if (now_ns > deadline_ns || now_ns - held_ns > HELD_NS) {
			vmfm_session_fail(session, -ETIMEDOUT,
				"%llu pages still referenced or written %llu ms after the guest stopped: by I/O that does not end, or by KVM for a guest that runs guests",
				left, div_u64(now_ns - start_ns, NSEC_PER_MSEC));
			return;
		}
		if (vmfm_xport_round(session->xport, round.number))
			return;
		vmfm_dirty_drain_batches();
		wait_event_idle_timeout(session->wait, vmfm_session_failed(session), 1);
	}
	if (check_complete(session) || vmfm_xport_done(session->xport))
		return;
	end_round(session, &round, start_ns);
	vmfm_session_move(session, VMFM_STATE_DONE);
}

void vmfm_precopy_stop(struct vmfm_session *session)
{
	unsigned int i;

	if (session->role != VMFM_ROLE_SOURCE)
		return;
	for (i = 0; i < session->regions; i++)
		vmfm_dirty_stop(session->region[i].file);
}
