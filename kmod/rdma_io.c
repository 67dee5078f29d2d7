// SPDX-License-Identifier: GPL-2.0-only
/*
 * The queue pair: messages both ways, page writes, their completions.
 *
 * A work request takes slots of the send queue when it is posted and gives them
 * back when it completes; who posts waits for slots. Page writes go in batches
 * whose last one is signalled: its completion, on a reliable connection, says
 * that all before it completed.
 */
#include <linux/slab.h>

#include "lost.h"
#include "rdma.h"
#include "trace.h"

#define BATCH_WRITES	64
#define BATCH_SGES	128
#define MAX_SGE		16

struct tx {
	struct vmfm_xport *xport;
	struct ib_cqe cqe;
	u64 dma;
	unsigned int slots;
	struct vmfm_msg msg;
};

/* Page writes that complete together, with their folios and DMA mappings. */
struct batch {
	struct vmfm_xport *xport;
	struct list_head node;		/* in xport->batches until it completed */
	struct ib_cqe cqe;
	unsigned int writes;
	unsigned int sges;
	struct ib_rdma_wr wr[BATCH_WRITES];
	struct ib_sge sge[BATCH_SGES];
	struct folio *folio[BATCH_SGES];
};

void vmfm_wc_failed(struct vmfm_xport *xport, struct ib_wc *wc, const char *what)
{
	if (READ_ONCE(xport->closing) || READ_ONCE(xport->done))
		return;
	/* The CM flushes a queue pair before it tells that it was rejected, and why. */
	if (wc->status == IB_WC_WR_FLUSH_ERR) {
		WRITE_ONCE(xport->flushed, true);
		smp_mb();	/* pairs with on_established() */
		if (!READ_ONCE(xport->established))
			return;
	}
	vmfm_session_fail(xport->session, -EIO, "RDMA: %s failed: %s (vendor %#x)", what,
			  ib_wc_status_msg(wc->status), wc->vendor_err);
}

static bool take_slots(struct vmfm_xport *xport, int slots)
{
	int free = atomic_read(&xport->slots);

	do {
		if (free < slots)
			return false;
	} while (!atomic_try_cmpxchg(&xport->slots, &free, free - slots));
	return true;
}

static void give_slots(struct vmfm_xport *xport, int slots)
{
	atomic_add(slots, &xport->slots);
	wake_up_all(&xport->session->wait);
}

static void probe_done(struct ib_cq *cq, struct ib_wc *wc)
{
	struct vmfm_xport *xport = container_of(wc->wr_cqe, struct vmfm_xport, probe);

	if (wc->status != IB_WC_SUCCESS)
		vmfm_wc_failed(xport, wc, "asking whether the peer is alive");
	atomic_set(&xport->probing, 0);
	give_slots(xport, 1);
}

/* Where there is no slot for it, there is enough under way to notice. */
void vmfm_probe(struct vmfm_xport *xport)
{
	struct ib_rdma_wr wr = { .wr = { .wr_cqe = &xport->probe, .opcode = IB_WR_RDMA_WRITE,
					 .send_flags = IB_SEND_SIGNALED } };

	if (atomic_cmpxchg(&xport->probing, 0, 1))
		return;
	xport->probe.done = probe_done;
	if (take_slots(xport, 1)) {
		if (!ib_post_send(xport->id->qp, &wr.wr, NULL))
			return;
		give_slots(xport, 1);
	}
	atomic_set(&xport->probing, 0);
}

int vmfm_post(struct vmfm_xport *xport, struct ib_send_wr *wr, unsigned int slots)
{
	struct vmfm_session *session = xport->session;
	int err;

	wait_event_idle(session->wait, take_slots(xport, slots) || vmfm_session_failed(session));
	if (vmfm_session_failed(session))
		return session->error;
	err = ib_post_send(xport->id->qp, wr, NULL);
	if (err)
		vmfm_session_fail(session, err, "RDMA: cannot post: error %d", err);
	return err;
}

static void tx_done(struct ib_cq *cq, struct ib_wc *wc)
{
	struct tx *tx = container_of(wc->wr_cqe, struct tx, cqe);
	struct vmfm_xport *xport = tx->xport;
	unsigned int slots = tx->slots;

	if (wc->status != IB_WC_SUCCESS)
		vmfm_wc_failed(xport, wc, "sending a message");
	ib_dma_unmap_single(xport->id->device, tx->dma, sizeof(tx->msg), DMA_TO_DEVICE);
	kfree(tx);
	give_slots(xport, slots);
}

static struct tx *make_tx(struct vmfm_xport *xport, const struct vmfm_msg *msg)
{
	struct ib_device *device = xport->id->device;
	struct tx *tx = kmalloc(sizeof(*tx), GFP_KERNEL);

	if (!tx)
		return NULL;
	tx->xport = xport;
	tx->cqe.done = tx_done;
	tx->msg = *msg;
	tx->dma = ib_dma_map_single(device, &tx->msg, sizeof(tx->msg), DMA_TO_DEVICE);
	if (!ib_dma_mapping_error(device, tx->dma))
		return tx;
	kfree(tx);
	return NULL;
}

int vmfm_send(struct vmfm_xport *xport, struct vmfm_msg *msg, struct ib_send_wr *first)
{
	struct ib_device *device = xport->id->device;
	struct ib_send_wr wr = { .opcode = IB_WR_SEND, .num_sge = 1,
				 .send_flags = IB_SEND_SIGNALED };
	struct ib_sge sge = { .length = sizeof(*msg), .lkey = xport->pd->local_dma_lkey };
	struct tx *tx;
	int err;

	/* The sink's inbox alone sends there, so that owed needs no lock. */
	if (xport->session->role == VMFM_ROLE_SINK) {
		msg->credits = cpu_to_le32(xport->owed);
		xport->owed = 0;
	}
	tx = make_tx(xport, msg);
	if (!tx) {
		vmfm_session_fail(xport->session, -ENOMEM, "RDMA: no memory for a message");
		return -ENOMEM;
	}
	tx->slots = first ? 2 : 1;
	sge.addr = tx->dma;
	wr.wr_cqe = &tx->cqe;
	wr.sg_list = &sge;
	if (first)
		first->next = &wr;
	err = vmfm_post(xport, first ?: &wr, tx->slots);
	if (err) {
		ib_dma_unmap_single(device, tx->dma, sizeof(tx->msg), DMA_TO_DEVICE);
		kfree(tx);
	}
	return err;
}

/* Source: sends when the sink has a buffer for it. */
int vmfm_send_credit(struct vmfm_xport *xport, const struct vmfm_msg *msg)
{
	struct vmfm_session *session = xport->session;
	struct vmfm_msg copy = *msg;

	vmfm_wait(xport, atomic_add_unless(&xport->credits, -1, 0));
	if (vmfm_session_failed(session))
		return session->error;
	return vmfm_send(xport, &copy, NULL);
}

void vmfm_send_wait(struct vmfm_xport *xport, long timeout)
{
	wait_event_idle_timeout(xport->session->wait,
				atomic_read(&xport->slots) == VMFM_SEND_SLOTS ||
				vmfm_session_failed(xport->session), timeout);
}

static void free_batch(struct batch *batch)
{
	struct ib_device *device = batch->xport->id->device;
	unsigned int i;

	for (i = 0; i < batch->sges; i++) {
		ib_dma_unmap_page(device, batch->sge[i].addr, batch->sge[i].length,
				  DMA_TO_DEVICE);
		vmfm_folio_put(batch->folio[i]);
	}
	kfree(batch);
}

/* On failure every request of the batch may come here: it is freed at the end. */
static void batch_done(struct ib_cq *cq, struct ib_wc *wc)
{
	struct batch *batch = container_of(wc->wr_cqe, struct batch, cqe);
	struct vmfm_xport *xport = batch->xport;
	unsigned int writes = batch->writes;

	trace_vmfm_complete(xport->session->id, writes, wc->status);
	if (wc->status != IB_WC_SUCCESS) {
		vmfm_wc_failed(xport, wc, "writing pages");
		return;
	}
	spin_lock(&xport->lock);
	list_del(&batch->node);
	spin_unlock(&xport->lock);
	free_batch(batch);
	give_slots(xport, writes);
}

static struct batch *make_batch(struct vmfm_xport *xport)
{
	struct batch *batch = kmalloc(sizeof(*batch), GFP_KERNEL);

	if (!batch) {
		vmfm_session_fail(xport->session, -ENOMEM, "RDMA: no memory for page writes");
		return NULL;
	}
	batch->xport = xport;
	batch->cqe.done = batch_done;
	batch->writes = 0;
	batch->sges = 0;
	return batch;
}

static int post_batch(struct batch *batch)
{
	struct vmfm_xport *xport = batch->xport;
	unsigned int writes = batch->writes;
	unsigned int i;
	int err;

	if (!writes) {
		free_batch(batch);
		return 0;
	}
	for (i = 0; i + 1 < writes; i++)
		batch->wr[i].wr.next = &batch->wr[i + 1].wr;
	batch->wr[i].wr.next = NULL;
	batch->wr[i].wr.send_flags = IB_SEND_SIGNALED;

	spin_lock(&xport->lock);
	list_add_tail(&batch->node, &xport->batches);
	spin_unlock(&xport->lock);
	err = vmfm_post(xport, &batch->wr[0].wr, writes);	/* frees the batch soon */
	if (!err)
		xport->session->writes += writes;
	return err;	/* a batch that was not posted, or in part, is freed at the end */
}

/* One run of adjacent pages within one folio: one entry. */
static int add_sge(struct batch *batch, struct folio *folio, struct page *page, size_t bytes)
{
	struct vmfm_xport *xport = batch->xport;
	struct ib_device *device = xport->id->device;
	struct ib_sge *sge = &batch->sge[batch->sges];

	sge->addr = ib_dma_map_page(device, page, 0, bytes, DMA_TO_DEVICE);
	if (ib_dma_mapping_error(device, sge->addr)) {
		vmfm_session_fail(xport->session, -ENOMEM, "RDMA: cannot map pages for DMA");
		return -ENOMEM;
	}
	sge->length = bytes;
	sge->lkey = xport->pd->local_dma_lkey;
	folio_get(folio);
	batch->folio[batch->sges++] = folio;
	return 0;
}

/* Pages of the run from @i on, up to @end, that lie in one folio. */
static unsigned int same_folio(struct vmfm_block *block, unsigned int i, unsigned int end)
{
	struct folio *folio = block->folio[i];
	unsigned int first = i;

	while (i < end && block->folio[i] == folio)
		i++;
	return i - first;
}

/* A write of the adjacent pages from @first on; returns where it ends. */
static int add_write(struct batch *batch, unsigned int region, struct vmfm_block *block,
		     unsigned int first, unsigned int end)
{
	struct vmfm_xport *xport = batch->xport;
	struct ib_rdma_wr *wr = &batch->wr[batch->writes];
	pgoff_t page = block->first + first;
	struct vmfm_grant *grant = vmfm_grant_of(xport, region, page);
	unsigned int most = min(xport->max_sge, BATCH_SGES - batch->sges);
	unsigned int i = first;
	int err;

	memset(wr, 0, sizeof(*wr));
	wr->wr.wr_cqe = &batch->cqe;
	wr->wr.opcode = IB_WR_RDMA_WRITE;
	wr->wr.sg_list = &batch->sge[batch->sges];
	wr->remote_addr = grant->iova + (page % xport->chunk_pages) * PAGE_SIZE;
	wr->rkey = grant->rkey;
	while (i < end && wr->wr.num_sge < most) {
		struct folio *folio = block->folio[i];
		unsigned int pages = same_folio(block, i, end);

		err = add_sge(batch, folio, folio_file_page(folio, block->first + i),
			      pages * PAGE_SIZE);
		if (err)
			return err;
		wr->wr.num_sge++;
		i += pages;
	}
	batch->writes++;
	return i;
}

int vmfm_xport_write(struct vmfm_xport *xport, unsigned int region, struct vmfm_block *block)
{
	unsigned int pages = bitmap_weight(block->taken, VMFM_BLOCK_PAGES);
	struct batch *batch = NULL;
	unsigned int writes = 0;
	unsigned int first, end;
	int err;

	for (first = find_first_bit(block->taken, VMFM_BLOCK_PAGES); first < VMFM_BLOCK_PAGES;
	     first = find_next_bit(block->taken, VMFM_BLOCK_PAGES, first)) {
		if (batch && (batch->writes == BATCH_WRITES || batch->sges == BATCH_SGES)) {
			err = post_batch(batch);
			batch = NULL;
			if (err)
				return err;
		}
		if (!batch)
			batch = make_batch(xport);
		if (!batch)
			return -ENOMEM;
		end = round_down(first, xport->chunk_pages) + xport->chunk_pages;
		end = find_next_zero_bit(block->taken, end, first);
		err = add_write(batch, region, block, first, end);
		if (err < 0) {
			free_batch(batch);
			return err;
		}
		first = err;
		writes++;
	}
	trace_vmfm_post(xport->session->id, region, block->first, pages, writes);
	return batch ? post_batch(batch) : 0;
}

static int post_rx(struct vmfm_rx *rx)
{
	struct vmfm_xport *xport = rx->xport;
	struct ib_sge sge = { .addr = rx->dma, .length = sizeof(rx->msg),
			      .lkey = xport->pd->local_dma_lkey };
	struct ib_recv_wr wr = { .wr_cqe = &rx->cqe, .sg_list = &sge, .num_sge = 1 };

	return ib_post_recv(xport->id->qp, &wr, NULL);
}

static void rx_done(struct ib_cq *cq, struct ib_wc *wc)
{
	struct vmfm_rx *rx = container_of(wc->wr_cqe, struct vmfm_rx, cqe);
	struct vmfm_xport *xport = rx->xport;

	if (wc->status != IB_WC_SUCCESS) {
		vmfm_wc_failed(xport, wc, "receiving");
		return;
	}
	if (wc->opcode != IB_WC_RECV || wc->byte_len != sizeof(rx->msg)) {
		vmfm_session_fail(xport->session, -EBADMSG, "RDMA: message of %u bytes",
				  wc->byte_len);
		return;
	}
	spin_lock(&xport->lock);
	list_add_tail(&rx->node, &xport->inbox);
	spin_unlock(&xport->lock);
	queue_work(system_unbound_wq, &xport->inbox_work);
}

static struct vmfm_rx *next_rx(struct vmfm_xport *xport)
{
	struct vmfm_rx *rx;

	spin_lock(&xport->lock);
	rx = list_first_entry_or_null(&xport->inbox, struct vmfm_rx, node);
	if (rx)
		list_del(&rx->node);
	spin_unlock(&xport->lock);
	return rx;
}

/* Messages in their order. The buffer is given back before the answer is sent. */
void vmfm_read_inbox(struct work_struct *work)
{
	struct vmfm_xport *xport = container_of(work, struct vmfm_xport, inbox_work);
	bool sink = xport->session->role == VMFM_ROLE_SINK;
	struct vmfm_rx *rx;
	int err = 0;

	while (!err && !READ_ONCE(xport->closing) && !vmfm_session_failed(xport->session) &&
	       (rx = next_rx(xport))) {
		struct vmfm_msg msg;

		cond_resched();
		ib_dma_sync_single_for_cpu(xport->id->device, rx->dma, sizeof(rx->msg),
					   DMA_FROM_DEVICE);
		msg = rx->msg;
		ib_dma_sync_single_for_device(xport->id->device, rx->dma, sizeof(rx->msg),
					      DMA_FROM_DEVICE);
		err = post_rx(rx);
		if (err) {
			vmfm_session_fail(xport->session, err, "RDMA: cannot receive: error %d", err);
			return;
		}
		xport->owed++;
		err = sink ? vmfm_sink_message(xport, &msg) : vmfm_source_message(xport, &msg);
	}
}

static void unmap_rx(struct vmfm_xport *xport)
{
	unsigned int i;

	for (i = 0; i < xport->rx_count; i++) {
		ib_dma_unmap_single(xport->id->device, xport->rx[i]->dma,
				    sizeof(xport->rx[i]->msg), DMA_FROM_DEVICE);
		kfree(xport->rx[i]);
	}
	INIT_LIST_HEAD(&xport->inbox);
	kvfree(xport->rx);
	xport->rx = NULL;
	xport->rx_count = 0;
}

static int map_rx(struct vmfm_xport *xport, unsigned int count)
{
	struct ib_device *device = xport->id->device;

	xport->rx = kvcalloc(count, sizeof(*xport->rx), GFP_KERNEL);
	if (!xport->rx)
		return -ENOMEM;
	for (; xport->rx_count < count; xport->rx_count++) {
		struct vmfm_rx *rx = kzalloc(sizeof(*rx), GFP_KERNEL);

		if (!rx)
			return -ENOMEM;
		rx->xport = xport;
		rx->cqe.done = rx_done;
		rx->dma = ib_dma_map_single(device, &rx->msg, sizeof(rx->msg), DMA_FROM_DEVICE);
		if (ib_dma_mapping_error(device, rx->dma)) {
			kfree(rx);
			return -ENOMEM;
		}
		xport->rx[xport->rx_count] = rx;
	}
	return 0;
}

static int create_queues(struct vmfm_xport *xport, unsigned int rx)
{
	struct ib_device *device = xport->id->device;
	struct ib_qp_init_attr attr = {
		.qp_type = IB_QPT_RC,
		.sq_sig_type = IB_SIGNAL_REQ_WR,
		.cap = {
			.max_send_wr = VMFM_SEND_SLOTS + VMFM_DRAIN_SLOTS,
			.max_recv_wr = rx + VMFM_DRAIN_SLOTS,
			.max_send_sge = xport->max_sge,
			.max_recv_sge = 1,
		},
	};
	int err;

	xport->send_cq = ib_alloc_cq_any(device, xport, VMFM_SEND_SLOTS + VMFM_DRAIN_SLOTS,
					 IB_POLL_WORKQUEUE);
	if (IS_ERR(xport->send_cq)) {
		err = PTR_ERR(xport->send_cq);
		xport->send_cq = NULL;
		return err;
	}
	xport->recv_cq = ib_alloc_cq_any(device, xport, rx + VMFM_DRAIN_SLOTS, IB_POLL_WORKQUEUE);
	if (IS_ERR(xport->recv_cq)) {
		err = PTR_ERR(xport->recv_cq);
		xport->recv_cq = NULL;
		return err;
	}
	attr.send_cq = xport->send_cq;
	attr.recv_cq = xport->recv_cq;
	err = rdma_create_qp(xport->id, xport->pd, &attr);
	xport->qp = !err;
	return err;
}

int vmfm_qp_create(struct vmfm_xport *xport)
{
	struct ib_device *device = xport->id->device;
	unsigned int rx = xport->ahead + VMFM_FIRST_CREDITS;
	unsigned int i;
	int err;

	atomic_set(&xport->slots, VMFM_SEND_SLOTS);
	atomic_set(&xport->credits, VMFM_FIRST_CREDITS);
	xport->owed = rx - VMFM_FIRST_CREDITS;
	xport->max_sge = clamp(device->attrs.max_send_sge, 1, MAX_SGE);
	xport->pd = ib_alloc_pd(device, 0);
	if (IS_ERR(xport->pd)) {
		err = PTR_ERR(xport->pd);
		xport->pd = NULL;
		return err;
	}
	err = create_queues(xport, rx);
	if (!err)
		err = map_rx(xport, rx);
	for (i = 0; !err && i < rx; i++)
		err = post_rx(xport->rx[i]);
	if (err)
		vmfm_qp_destroy(xport);
	return err;
}

static void free_batches(struct vmfm_xport *xport)
{
	struct batch *batch, *next;

	list_for_each_entry_safe(batch, next, &xport->batches, node) {
		list_del(&batch->node);
		free_batch(batch);
	}
}

void vmfm_qp_end(struct vmfm_xport *xport)
{
	if (!xport->qp)
		return;
	ib_drain_qp(xport->id->qp);
	/* The sink's inbox itself comes here when all is done. */
	if (current_work() != &xport->inbox_work)
		cancel_work_sync(&xport->inbox_work);
	rdma_destroy_qp(xport->id);
	xport->qp = false;
}

void vmfm_qp_destroy(struct vmfm_xport *xport)
{
	if (!xport->pd)
		return;
	vmfm_qp_end(xport);
	free_batches(xport);
	unmap_rx(xport);
	if (xport->send_cq)
		ib_free_cq(xport->send_cq);
	if (xport->recv_cq)
		ib_free_cq(xport->recv_cq);
	/* Keys are the domain's. */
	vmfm_sink_free_chunks(xport);
	ib_dealloc_pd(xport->pd);
	xport->pd = NULL;
}
