/* SPDX-License-Identifier: GPL-2.0-only */
/* What the three rdma_*.c files share. Nobody else includes it. */
#ifndef VMFM_RDMA_H
#define VMFM_RDMA_H

#include <linux/completion.h>
#include <linux/scatterlist.h>
#include <linux/workqueue.h>
#include <rdma/ib_verbs.h>
#include <rdma/rdma_cm.h>

#include "../rdma/wire.h"
#include "session.h"
#include "xport.h"

#define VMFM_FIRST_CREDITS	64	/* what a source may send before ACCEPT */
#define VMFM_MAX_AHEAD		1024
#define VMFM_SEND_SLOTS		2048
#define VMFM_DRAIN_SLOTS	4	/* for what ib_drain_qp() posts */

/* Source: a chunk that was asked for, and its key. */
struct vmfm_grant {
	u64 iova;
	u32 rkey;
	bool given;		/* stored with release, after the key */
};

/* Sink: one chunk with its pages and its key. */
struct vmfm_chunk {
	struct vmfm_xport *xport;
	struct ib_mr *mr;
	struct ib_cqe cqe;
	struct ib_reg_wr wr;
	struct sg_table sg;
	int mapped;		/* entries after DMA mapping */
};

struct vmfm_rx {
	struct vmfm_xport *xport;
	struct ib_cqe cqe;
	struct list_head node;
	u64 dma;
	struct vmfm_msg msg;
};

struct vmfm_xport {
	struct vmfm_session *session;
	struct rdma_cm_id *listen;	/* sink */
	struct rdma_cm_id *id;
	struct ib_pd *pd;
	struct ib_cq *send_cq;
	struct ib_cq *recv_cq;
	bool qp;
	unsigned int ahead;		/* chunk requests that may be outstanding */
	unsigned int chunk_pages;
	unsigned int max_sge;

	struct completion cm_done;	/* source: the step of connecting ended */
	int cm_error;
	bool established;
	bool flushed;			/* what was posted */
	atomic_t taken;			/* sink: the one connection was accepted */
	bool closing;

	struct vmfm_rx **rx;
	unsigned int rx_count;
	spinlock_t lock;		/* inbox, batches */
	struct list_head inbox;
	struct list_head batches;
	struct work_struct inbox_work;
	atomic_t slots;			/* free in the send queue */
	atomic_t credits;		/* source: messages the sink can take */
	unsigned int owed;		/* sink: buffers given back and not told */

	/* Source; the inbox writes, the worker waits on session->wait. */
	struct xarray *grants;		/* [region], by chunk */
	atomic_t asked;
	bool accepted;
	bool done_sent;
	bool done;
	struct ib_cqe probe;
	atomic_t probing;
	u32 round_sent;
	u32 round_acked;

	/* Sink; the inbox alone. */
	struct xarray *chunks;		/* [region], by chunk */
	unsigned int agreed;		/* regions */
};

/* rdma_cm.c */
void vmfm_xport_free(struct vmfm_xport *xport);

/* rdma_io.c */
void vmfm_read_inbox(struct work_struct *work);
int vmfm_qp_create(struct vmfm_xport *xport);
void vmfm_qp_end(struct vmfm_xport *xport);	/* no completion comes after it, no write */
void vmfm_qp_destroy(struct vmfm_xport *xport);	/* and all that belongs to it */
int vmfm_post(struct vmfm_xport *xport, struct ib_send_wr *wr, unsigned int slots);
/* Behind @first (may be NULL), in the same post. */
int vmfm_send(struct vmfm_xport *xport, struct vmfm_msg *msg, struct ib_send_wr *first);
int vmfm_send_credit(struct vmfm_xport *xport, const struct vmfm_msg *msg);
void vmfm_send_wait(struct vmfm_xport *xport, long timeout);

/* Until all that was posted is sent, or the session failed. */
static inline void vmfm_send_wait_all(struct vmfm_xport *xport)
{
	vmfm_send_wait(xport, MAX_SCHEDULE_TIMEOUT);
}

/*
 * Source: waits for the peer's word, or for the session to fail. A queue pair
 * that has nothing to send does not notice that its peer is dead, so that an
 * empty write goes out every second.
 */
#define vmfm_wait(xport, condition)						\
	do {									\
		while (!wait_event_idle_timeout((xport)->session->wait,		\
				(condition) || vmfm_session_failed((xport)->session), HZ))	\
			vmfm_probe(xport);					\
	} while (0)
void vmfm_probe(struct vmfm_xport *xport);
void vmfm_wc_failed(struct vmfm_xport *xport, struct ib_wc *wc, const char *what);

/* rdma_mr.c: the sink's half of the conversation. */
int vmfm_sink_message(struct vmfm_xport *xport, const struct vmfm_msg *msg);
void vmfm_sink_free_chunks(struct vmfm_xport *xport);

/* rdma_source.c: the source's half. */
int vmfm_source_message(struct vmfm_xport *xport, const struct vmfm_msg *msg);
/* NULL: not asked for. */
struct vmfm_grant *vmfm_grant_of(struct vmfm_xport *xport, unsigned int region, pgoff_t page);
int vmfm_source_agree(struct vmfm_xport *xport);
void vmfm_source_free_grants(struct vmfm_xport *xport);

#endif
