/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The transport: how pages get from a region here into a region there. Opaque;
 * rdma_cm.c connects, rdma_io.c posts and completes, rdma_mr.c gives out keys.
 * Failures end in vmfm_session_fail(); functions below then answer its error.
 * Those of the source may sleep and are called by the session's worker alone.
 */
#ifndef VMFM_XPORT_H
#define VMFM_XPORT_H

#include <linux/types.h>

struct vmfm_block;
struct vmfm_session;
struct vmfm_xport;

extern unsigned int vmfm_grants_ahead;	/* parameter */
extern unsigned int vmfm_ack_timeout_ms;	/* parameter */

/* Sink: listens at session->addr and stores there what was really bound. */
int vmfm_xport_listen(struct vmfm_session *session);

/* Source: connects to session->addr and agrees on the regions. */
int vmfm_xport_connect(struct vmfm_session *session);

/* Source: pages of one grant, a power of two, at most VMFM_BLOCK_PAGES. */
unsigned int vmfm_xport_chunk_pages(struct vmfm_xport *xport);

/* Source: asks for the chunk of that page unless that was done. 1 when it asked. */
int vmfm_xport_ask(struct vmfm_xport *xport, unsigned int region, pgoff_t page);
bool vmfm_xport_was_asked(struct vmfm_xport *xport, unsigned int region, pgoff_t page);
/* Source: asked for and not granted yet. */
unsigned int vmfm_xport_asked(struct vmfm_xport *xport);
bool vmfm_xport_granted(struct vmfm_xport *xport, unsigned int region, pgoff_t page);
/* Source: waits for the grant of a chunk asked for. */
int vmfm_xport_wait_grant(struct vmfm_xport *xport, unsigned int region, pgoff_t page);

/*
 * Source: writes the block's taken pages. The folios are referenced until the
 * writes complete. All chunks concerned are granted.
 */
int vmfm_xport_write(struct vmfm_xport *xport, unsigned int region, struct vmfm_block *block);
int vmfm_xport_hole(struct vmfm_xport *xport, unsigned int region, pgoff_t page,
		    unsigned long pages);
/* Source: what was sent so far is in the sink's memory. */
int vmfm_xport_round(struct vmfm_xport *xport, u32 number);
/* Source: the same, and it was all. */
int vmfm_xport_done(struct vmfm_xport *xport);

/* Either: no key is valid and no page referenced any more when it returns. */
void vmfm_xport_close(struct vmfm_session *session);

#endif
