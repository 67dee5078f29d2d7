// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sink's half of the conversation: chunks of guest RAM, allocated when the
 * source announces them, registered and granted; holes; the ends of rounds.
 *
 * A chunk's pages stay in the page cache while its key is valid: a region that
 * receives can neither be punched nor change its size. When the source is done,
 * that is answered, then the one queue pair that could use the keys is ended, and
 * only then the session is DONE: nothing can write the guest's pages after that.
 * The keys are taken back later.
 */
#include <linux/highmem.h>
#include <linux/iommu.h>
#include <linux/slab.h>

#include "fs.h"
#include "lost.h"
#include "mapping.h"
#include "rdma.h"
#include "trace.h"

#define CREDITS_TO_TELL	(VMFM_FIRST_CREDITS / 2)
#define ERROR_SENT	(5 * HZ)	/* a peer that takes no message is not waited for */

static int refuse(struct vmfm_xport *xport, int error, const char *why)
{
	struct vmfm_msg msg = {
		.type = cpu_to_le16(VMFM_MSG_ERROR),
		.word.error = cpu_to_le32(-error),
	};

	vmfm_send(xport, &msg, NULL);
	vmfm_send_wait(xport, ERROR_SENT);
	vmfm_session_fail(xport->session, error, "%s", why);
	return error;
}

static void reg_done(struct ib_cq *cq, struct ib_wc *wc)
{
	struct vmfm_chunk *chunk = container_of(wc->wr_cqe, struct vmfm_chunk, cqe);

	if (wc->status != IB_WC_SUCCESS)
		vmfm_wc_failed(chunk->xport, wc, "registering memory");
}

static void put_pages(struct sg_table *sg)
{
	struct scatterlist *entry;
	unsigned int i;

	for_each_sg(sg->sgl, entry, sg->nents, i)
		vmfm_folio_put(page_folio(sg_page(entry)));
	sg_free_table(sg);
}

static void free_chunk(struct vmfm_chunk *chunk)
{
	struct vmfm_xport *xport = chunk->xport;

	if (chunk->mr) {
		ib_dereg_mr(chunk->mr);
		atomic64_dec(&xport->session->keys);
	}
	if (chunk->mapped)
		ib_dma_unmap_sg(xport->pd->device, chunk->sg.sgl, chunk->sg.nents,
				DMA_FROM_DEVICE);
	put_pages(&chunk->sg);
	kfree(chunk);
}

/*
 * The page's folio, allocated where it is missing. Where there is no memory the
 * migration fails: nobody is killed for it.
 */
static struct folio *get_folio(struct vmfm_region *file, pgoff_t page)
{
	struct address_space *mapping = file->inode.i_mapping;
	struct folio *folio;

	filemap_invalidate_lock_shared(mapping);
	folio = vmfm_region_folio(file, page, __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
	filemap_invalidate_unlock_shared(mapping);
	if (!IS_ERR(folio))
		folio_unlock(folio);
	return folio;
}

/*
 * The chunk's pages, one entry per folio. A huge one at its start is all of it,
 * mostly; room for more is made only where it is needed.
 */
static int get_pages(struct vmfm_region *file, pgoff_t page, unsigned int pages,
		     struct sg_table *sg)
{
	struct folio *folio = get_folio(file, page);
	pgoff_t end = page + pages;
	struct scatterlist *entry;
	unsigned long run;
	int err;

	if (IS_ERR(folio))
		return PTR_ERR(folio);
	run = min(folio->index + folio_nr_pages(folio), end) - page;
	err = sg_alloc_table(sg, pages - run + 1, GFP_KERNEL);
	if (err) {
		folio_put(folio);
		return err;
	}
	sg->nents = 0;
	for (entry = sg->sgl;; entry = sg_next(entry)) {
		sg_set_page(entry, folio_file_page(folio, page), run * PAGE_SIZE, 0);
		sg->nents++;
		page += run;
		if (page == end)
			return 0;
		folio = get_folio(file, page);
		if (IS_ERR(folio)) {
			put_pages(sg);
			return PTR_ERR(folio);
		}
		run = min(folio->index + folio_nr_pages(folio), end) - page;
	}
}

/* An IOMMU reaches every page, and has only what is not aligned to pages written elsewhere. */
static bool has_iommu(struct ib_device *device)
{
#ifdef CONFIG_IOMMU_API
	struct iommu_domain *domain = iommu_get_domain_for_dev(device->dma_device);

	return domain && iommu_is_dma_domain(domain);
#else
	return false;
#endif
}

/*
 * Where the device cannot reach the pages and the kernel has it write elsewhere:
 * what arrives would come to be in them only when they are unmapped. (Of an IOMMU, 6.1's
 * dma_need_sync() answers for what it might do.)
 */
static bool is_bounced(struct vmfm_chunk *chunk)
{
	struct ib_device *device = chunk->xport->pd->device;
	struct scatterlist *entry;
	int i;

	if (ib_uses_virt_dma(device) || has_iommu(device))
		return false;
	for_each_sg(chunk->sg.sgl, entry, chunk->mapped, i)
		if (dma_need_sync(device->dma_device, sg_dma_address(entry)))
			return true;
	return false;
}

static int register_pages(struct vmfm_chunk *chunk, pgoff_t page, unsigned int pages)
{
	struct vmfm_xport *xport = chunk->xport;
	int mapped;

	chunk->mr = ib_alloc_mr(xport->pd, IB_MR_TYPE_MEM_REG, xport->chunk_pages);
	if (IS_ERR(chunk->mr)) {
		int err = PTR_ERR(chunk->mr);

		chunk->mr = NULL;
		return err;
	}
	atomic64_inc(&xport->session->keys);
	chunk->mapped = ib_dma_map_sg(xport->pd->device, chunk->sg.sgl, chunk->sg.nents,
				      DMA_FROM_DEVICE);
	if (!chunk->mapped)
		return -ENOMEM;
	if (is_bounced(chunk))
		return -EOPNOTSUPP;
	mapped = ib_map_mr_sg(chunk->mr, chunk->sg.sgl, chunk->mapped, NULL, PAGE_SIZE);
	if (mapped != chunk->mapped || chunk->mr->length != (u64)pages * PAGE_SIZE)
		return -EIO;
	/* The peer sees file offsets, not where the pages are. */
	chunk->mr->iova = (u64)page << PAGE_SHIFT;
	ib_update_fast_reg_key(chunk->mr, ib_inc_rkey(chunk->mr->rkey));
	return 0;
}

static struct vmfm_chunk *make_chunk(struct vmfm_xport *xport, unsigned int region,
				     pgoff_t page, unsigned int pages)
{
	struct vmfm_chunk *chunk = kzalloc(sizeof(*chunk), GFP_KERNEL);
	struct vmfm_region *file = xport->session->region[region].file;
	struct mem_cgroup *owner;
	int err;

	if (!chunk)
		return ERR_PTR(-ENOMEM);
	chunk->xport = xport;
	owner = vmfm_placement_charge(&file->placement);
	err = get_pages(file, page, pages, &chunk->sg);
	vmfm_placement_charge_end(owner);
	if (err) {
		kfree(chunk);
		return ERR_PTR(err);
	}
	err = register_pages(chunk, page, pages);
	if (err) {
		free_chunk(chunk);
		return ERR_PTR(err);
	}
	return chunk;
}

/*
 * The registration and the grant go in one post: the key is valid when it arrives.
 * They are posted when all before them is acknowledged: soft-RoCE that repeats a
 * message runs the registrations behind it again, and a second one of a key fails.
 * The chunk's memory was made meanwhile, so that this seldom waits.
 */
static int grant(struct vmfm_xport *xport, struct vmfm_chunk *chunk, const struct vmfm_msg *ask)
{
	struct vmfm_msg msg = {
		.type = cpu_to_le16(VMFM_MSG_GRANT),
		.region = ask->region,
		.range.page = ask->range.page,
		.range.pages = ask->range.pages,
		.range.iova = cpu_to_le64(chunk->mr->iova),
		.range.rkey = cpu_to_le32(chunk->mr->rkey),
	};

	chunk->cqe.done = reg_done;
	chunk->wr.wr.opcode = IB_WR_REG_MR;
	chunk->wr.wr.wr_cqe = &chunk->cqe;
	chunk->wr.mr = chunk->mr;
	chunk->wr.key = chunk->mr->rkey;
	chunk->wr.access = IB_ACCESS_LOCAL_WRITE | IB_ACCESS_REMOTE_WRITE;
	atomic64_inc(&xport->session->chunks);
	trace_vmfm_grant(xport->session->id, le16_to_cpu(ask->region),
			 le64_to_cpu(ask->range.page), chunk->mr->iova, chunk->mr->rkey);
	vmfm_send_wait_all(xport);
	if (vmfm_session_failed(xport->session))
		return xport->session->error;
	return vmfm_send(xport, &msg, &chunk->wr.wr);
}

/* Until then there are no chunks. */
static bool is_agreed(struct vmfm_xport *xport)
{
	return xport->agreed == xport->session->regions;
}

/* Whether [page, page + pages) lies in that region, which was agreed on. */
static bool in_region(struct vmfm_xport *xport, unsigned int region, u64 page, u64 pages)
{
	struct vmfm_session *session = xport->session;

	return is_agreed(xport) && region < session->regions && pages &&
	       page < session->region[region].pages &&
	       pages <= session->region[region].pages - page;
}

static int on_chunk(struct vmfm_xport *xport, const struct vmfm_msg *msg)
{
	unsigned int region = le16_to_cpu(msg->region);
	u64 page = le64_to_cpu(msg->range.page);
	u64 pages = le64_to_cpu(msg->range.pages);
	struct vmfm_chunk *chunk;
	int err;

	if (!in_region(xport, region, page, pages) || page % xport->chunk_pages ||
	    pages > xport->chunk_pages)
		return refuse(xport, -EPROTO, "the source asked for a chunk that does not exist");
	if (xa_load(&xport->chunks[region], page / xport->chunk_pages))
		return refuse(xport, -EPROTO, "the source asked for a chunk twice");
	chunk = make_chunk(xport, region, page, pages);
	if (IS_ERR(chunk)) {
		if (PTR_ERR(chunk) == -ENOSPC)
			return refuse(xport, -ENOSPC, "no room in this filesystem: raise its size option");
		if (PTR_ERR(chunk) == -ENOMEM)
			return refuse(xport, -ENOMEM, "no memory for the guest's pages, of the host or within its control group's limit");
		return refuse(xport, PTR_ERR(chunk), "cannot allocate or register memory for a chunk");
	}
	err = xa_insert(&xport->chunks[region], page / xport->chunk_pages, chunk, GFP_KERNEL);
	if (err) {
		free_chunk(chunk);
		return refuse(xport, err, "no memory for a chunk's key");
	}
	return grant(xport, chunk, msg);
}

/*
 * Zeroed in place, the keys stay. The source does not write these pages again
 * before this round is acknowledged.
 */
static int on_hole(struct vmfm_xport *xport, const struct vmfm_msg *msg)
{
	unsigned int region = le16_to_cpu(msg->region);
	u64 page = le64_to_cpu(msg->range.page);
	u64 pages = le64_to_cpu(msg->range.pages);
	struct scatterlist *entry;
	struct vmfm_chunk *chunk;
	u64 at, i;

	if (!in_region(xport, region, page, pages) ||
	    pages > xport->chunk_pages - page % xport->chunk_pages)
		return refuse(xport, -EPROTO, "the source told a hole that does not exist");
	chunk = xa_load(&xport->chunks[region], page / xport->chunk_pages);
	if (!chunk)
		return 0;
	at = round_down(page, xport->chunk_pages);
	for_each_sg(chunk->sg.sgl, entry, chunk->sg.nents, i) {
		u64 end = at + entry->length / PAGE_SIZE, zero;

		for (zero = max(at, page); zero < min(end, page + pages); zero++)
			clear_highpage(nth_page(sg_page(entry), zero - at));
		at = end;
	}
	return 0;
}

static int alloc_chunk_table(struct vmfm_xport *xport)
{
	struct vmfm_session *session = xport->session;
	unsigned int i;

	xport->chunk_pages = min_t(u32, xport->pd->device->attrs.max_fast_reg_page_list_len,
				   VMFM_BLOCK_PAGES);
	if (!xport->chunk_pages)
		return -EOPNOTSUPP;
	xport->chunk_pages = rounddown_pow_of_two(xport->chunk_pages);
	xport->chunks = kcalloc(session->regions, sizeof(*xport->chunks), GFP_KERNEL);
	if (!xport->chunks)
		return -ENOMEM;
	for (i = 0; i < session->regions; i++)
		xa_init(&xport->chunks[i]);
	return 0;
}

void vmfm_sink_free_chunks(struct vmfm_xport *xport)
{
	struct vmfm_chunk *chunk;
	unsigned long at;
	unsigned int i;

	for (i = 0; xport->chunks && i < xport->session->regions; i++) {
		xa_for_each(&xport->chunks[i], at, chunk) {
			free_chunk(chunk);
			cond_resched();
		}
		xa_destroy(&xport->chunks[i]);
	}
	kfree(xport->chunks);
	xport->chunks = NULL;
}

static int on_region(struct vmfm_xport *xport, const struct vmfm_msg *msg)
{
	struct vmfm_session *session = xport->session;
	unsigned int i = le16_to_cpu(msg->region);
	struct vmfm_msg accept = { .type = cpu_to_le16(VMFM_MSG_ACCEPT) };
	int err;

	if (i != xport->agreed || i >= session->regions)
		return refuse(xport, -EPROTO, "the source told its regions out of order");
	if (le64_to_cpu(msg->region_is.pages) != session->region[i].pages)
		return refuse(xport, -EINVAL, "a region's size differs from the source's");
	if (strncmp(msg->region_is.name, session->region[i].name, VMFM_WIRE_NAME_BYTES))
		return refuse(xport, -EINVAL, "a region's name differs from the source's");
	if (++xport->agreed < session->regions)
		return 0;
	err = alloc_chunk_table(xport);
	if (err)
		return refuse(xport, err, "cannot prepare to receive");
	err = vmfm_session_move(session, VMFM_STATE_READY);
	if (err)
		return err;
	accept.word.chunk_pages = cpu_to_le32(xport->chunk_pages);
	return vmfm_send(xport, &accept, NULL);
}

static int on_round(struct vmfm_xport *xport, const struct vmfm_msg *msg)
{
	struct vmfm_msg ack = {
		.type = cpu_to_le16(VMFM_MSG_ROUND_ACK),
		.word.number = msg->word.number,
	};

	if (!is_agreed(xport))
		return refuse(xport, -EPROTO, "the source ended a round before its regions were agreed on");
	xport->session->rounds++;
	return vmfm_send(xport, &ack, NULL);
}

static bool is_sound(const struct vmfm_chunk *chunk)
{
	struct scatterlist *entry;
	unsigned int i;

	for_each_sg(chunk->sg.sgl, entry, chunk->sg.nents, i)
		if (vmfm_folio_poisoned(page_folio(sg_page(entry))))
			return false;
	return true;
}

/*
 * Whether memory failure left alone what was received. A page that failed has a flag
 * at once. It leaves the page cache later, if at all: a huge folio is not split while a
 * chunk refers to it.
 */
static bool all_there(struct vmfm_xport *xport)
{
	struct vmfm_session *session = xport->session;
	struct vmfm_chunk *chunk;
	unsigned long at;
	unsigned int i;

	for (i = 0; i < session->regions; i++) {
		xa_for_each(&xport->chunks[i], at, chunk)
			if (!is_sound(chunk))
				return false;
		if (vmfm_lost_any(session->region[i].file, 0, ULONG_MAX))
			return false;
	}
	return true;
}

/*
 * The guest stands still until the session is DONE. By then the queue pair is gone,
 * the only one of the keys' domain: they are of no use to anyone. That many are taken
 * back while the guest runs; each is a command to the device.
 */
static int on_done(struct vmfm_xport *xport)
{
	struct vmfm_msg ack = { .type = cpu_to_le16(VMFM_MSG_DONE_ACK) };
	struct vmfm_session *session = xport->session;
	unsigned int i;
	int err;

	if (!is_agreed(xport))
		return refuse(xport, -EPROTO, "the source was done before its regions were agreed on");
	vmfm_send_wait_all(xport);	/* a registration that failed is known before we answer */
	if (vmfm_session_failed(session))
		return session->error;
	if (!all_there(xport))
		return refuse(xport, -EHWPOISON, "memory failure took a page that was received");
	WRITE_ONCE(xport->done, true);	/* the source may end the connection on our word */
	err = vmfm_send(xport, &ack, NULL);
	if (err)
		return err;
	vmfm_send_wait_all(xport);
	if (vmfm_session_failed(session))
		return session->error;
	vmfm_qp_end(xport);
	for (i = 0; i < session->regions; i++)
		vmfm_region_arrived(session->region[i].file);
	vmfm_session_move(session, VMFM_STATE_DONE);
	vmfm_qp_destroy(xport);
	return -ESHUTDOWN;	/* nothing is read any more */
}

int vmfm_sink_message(struct vmfm_xport *xport, const struct vmfm_msg *msg)
{
	struct vmfm_msg credit = { .type = cpu_to_le16(VMFM_MSG_CREDIT) };
	int err;

	switch (le16_to_cpu(msg->type)) {
	case VMFM_MSG_REGION:
		err = on_region(xport, msg);
		break;
	case VMFM_MSG_CHUNK:
		err = on_chunk(xport, msg);
		break;
	case VMFM_MSG_HOLE:
		err = on_hole(xport, msg);
		break;
	case VMFM_MSG_ROUND:
		err = on_round(xport, msg);
		break;
	case VMFM_MSG_DONE:
		return on_done(xport);
	default:
		err = refuse(xport, -EPROTO, "the source sent a message of unknown type");
	}
	if (!err && xport->agreed == xport->session->regions && xport->owed >= CREDITS_TO_TELL)
		err = vmfm_send(xport, &credit, NULL);
	return err;
}
