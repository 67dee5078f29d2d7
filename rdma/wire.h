/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What travels on a vmfastmig queue pair, shared by kernel and user space.
 * rdma/wire.md tells the conversation; this header gives the shapes.
 *
 * All integers are little-endian. Every message is one SEND of exactly
 * sizeof(struct vmfm_msg). The hello's reserved bytes are zero and checked.
 */
#ifndef VMFM_WIRE_H
#define VMFM_WIRE_H

#include <linux/types.h>

#define VMFM_WIRE_VERSION	1
#define VMFM_WIRE_MAGIC		0x6d66766dU
#define VMFM_WIRE_TOKEN_BYTES	16
#define VMFM_WIRE_NAME_BYTES	64

/* rdma_cm private data of the connection request; the limit is 56 bytes. */
struct vmfm_hello {
	__le32 magic;
	__le16 version;
	__le16 regions;			/* how many VMFM_MSG_REGION follow */
	__u8 token[VMFM_WIRE_TOKEN_BYTES];
	__le32 grants_ahead;		/* chunk requests that may be outstanding */
	__u8 reserved[20];
};

/* rdma_cm private data of a rejection by the sink. */
struct vmfm_reject {
	__le32 magic;
	__le16 version;
	__le16 reason;			/* enum vmfm_reject_reason */
};

enum vmfm_reject_reason {
	VMFM_REJECT_FORMAT = 1,		/* not a vmfastmig hello */
	VMFM_REJECT_VERSION = 2,	/* sink's version is in the reject */
	VMFM_REJECT_TOKEN = 3,
	VMFM_REJECT_PEER = 4,		/* not from the expected address */
	VMFM_REJECT_TAKEN = 5,		/* the session has its connection already */
	VMFM_REJECT_REGIONS = 6,	/* number of regions differs */
	VMFM_REJECT_LIMITS = 7,		/* hello asks for more than the sink gives */
};

enum vmfm_msg_type {
	/* source to sink */
	VMFM_MSG_REGION = 1,		/* region, pages, name: must match the sink's */
	VMFM_MSG_CHUNK = 2,		/* region, chunk: grant me its key */
	VMFM_MSG_HOLE = 3,		/* region, page, pages: now zero */
	VMFM_MSG_ROUND = 4,		/* round: all its writes were sent before this */
	VMFM_MSG_DONE = 5,		/* the last one */
	/* sink to source */
	VMFM_MSG_ACCEPT = 16,		/* regions agreed; chunk_pages */
	VMFM_MSG_GRANT = 17,		/* region, chunk, iova, rkey */
	VMFM_MSG_ROUND_ACK = 18,	/* round: writes and holes are in memory */
	VMFM_MSG_DONE_ACK = 19,		/* all is in memory; the sink ends the queue pair next */
	VMFM_MSG_CREDIT = 20,		/* nothing but its credits */
	VMFM_MSG_ERROR = 21,		/* error: positive errno; the sink gives up */
};

struct vmfm_msg {
	__le16 type;			/* enum vmfm_msg_type */
	__le16 region;
	__le32 credits;			/* sink: receive buffers given back since its last message */
	union {
		struct {
			__le64 pages;
			__u8 name[VMFM_WIRE_NAME_BYTES];	/* NUL padded */
		} region_is;		/* REGION */
		struct {
			__le64 page;	/* first page of the chunk or the hole */
			__le64 pages;
			__le64 iova;	/* GRANT */
			__le32 rkey;	/* GRANT */
		} range;		/* CHUNK, GRANT, HOLE */
		struct {
			__le32 number;
			__le32 chunk_pages;	/* ACCEPT */
			__le32 error;		/* ERROR: positive errno */
		} word;			/* ROUND, ROUND_ACK, ACCEPT, ERROR */
		__u8 bytes[72];
	};
};

#ifdef __KERNEL__
#include <linux/build_bug.h>
#define VMFM_WIRE_ASSERT(cond) static_assert(cond)
#else
#define VMFM_WIRE_ASSERT(cond) _Static_assert(cond, #cond)
#endif

VMFM_WIRE_ASSERT(sizeof(struct vmfm_hello) == 48);
VMFM_WIRE_ASSERT(sizeof(struct vmfm_hello) <= 56);
VMFM_WIRE_ASSERT(sizeof(struct vmfm_reject) == 8);
VMFM_WIRE_ASSERT(sizeof(struct vmfm_msg) == 80);

#endif
