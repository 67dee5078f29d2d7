/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * vmfastmig: the generic netlink family through which the module is driven.
 *
 * The family is named VMFM_GENL_NAME. Every command needs CAP_NET_ADMIN in the
 * initial user namespace. Unknown attributes are refused (strict validation).
 * All commands share one attribute space, enum vmfm_attr. Which attributes a
 * command takes and answers with:
 *
 * VMFM_CMD_INFO_GET (do)
 *     answer: VERSION, WIRE_VERSION, REGIONS_MAX, CHUNK_BYTES
 *
 * VMFM_CMD_PARAM_GET (do), VMFM_CMD_PARAM_SET (do)
 *     get answers with, set takes any of: GRANTS_AHEAD, ACK_TIMEOUT_MS, HUGE
 *
 * VMFM_CMD_REGION_GET (dump)
 *     one message per file of every mounted vmfastmig filesystem:
 *     REGION {
 *         NAME          file name (last component); empty when it was unlinked
 *         DEV, INO      as fstat(2) reports them
 *         SIZE_BYTES, PRESENT_PAGES, HUGE_PAGES
 *         SESSION_ID    only while a session owns the file
 *     }
 *
 * VMFM_CMD_SESSION_NEW (do)
 *     takes:
 *         ROLE          VMFM_ROLE_SOURCE or VMFM_ROLE_SINK
 *         TOKEN         VMFM_TOKEN_BYTES bytes, the same on both sides
 *         ADDR          struct sockaddr_in/_in6. Source: the sink's address and
 *                       port. Sink: the address to listen on; port 0 picks one.
 *         PEER          struct sockaddr_in/_in6. Sink: the only address a
 *                       connection is accepted from (port ignored). Source:
 *                       optional local address to connect from.
 *         REGIONS {     1 to VMFM_REGIONS_MAX entries, same order on both sides
 *             REGION { NAME, FD }   NAME: what the regions are matched by
 *         }
 *         BANDWIDTH     optional, bytes/s, 0 is unlimited (source)
 *         DISCARD       flag (sink): drop what the files hold. Without it a
 *                       file with pages present is refused with ENOTEMPTY. One that
 *                       several processes map, or with pages pinned by a device,
 *                       is refused with EBUSY.
 *         SEND_ZEROS    flag (source): pages of zeros are sent like any other.
 *                       Without it they are looked for and become holes.
 *     answer: SESSION_ID, ADDR (sink: the address and port really bound)
 *     The session belongs to the netlink socket that made it and ends with it.
 *
 * VMFM_CMD_SESSION_GET (do with SESSION_ID; dump)
 *     answer: SESSION_ID, ROLE, STATE, ERROR, ERROR_TEXT, BANDWIDTH, PACE,
 *             STATS { ... }, ROUND { the last one that ended }
 *
 * VMFM_CMD_SESSION_SET (do)     takes SESSION_ID, any of BANDWIDTH, PACE
 *     PACE: the guest's vCPUs may dirty clean pages this fast. Each of their first
 *     writes to a page since the last round waits for its turn, at most 20 ms.
 *     Ends with the session.
 * VMFM_CMD_SESSION_START (do)   source: connect, agree on regions, track.
 * VMFM_CMD_SESSION_ROUND (do)   source: send what is dirty now, once.
 * VMFM_CMD_SESSION_FINAL (do)   source: takes TIMEOUT_MS. The guest is stopped
 *     and QEMU has drained. Sends until nothing is dirty and no reference is
 *     unexplained, then has the sink end the queue pair: no key is of use
 *     after that. Fails with ETIMEDOUT
 *     when references do not go away in time: the session then is FAILED and
 *     the guest may simply go on.
 * VMFM_CMD_SESSION_DEL (do)     any state; waits for the end of its work.
 *     START, ROUND and FINAL only begin the work: its end is a state change,
 *     told by VMFM_CMD_EVENT and seen by SESSION_GET. They answer EBUSY when
 *     the session's state does not allow them.
 *
 * VMFM_CMD_EVENT (multicast group VMFM_MCGRP_EVENTS; to join it needs CAP_NET_ADMIN)
 *     EVENT, SESSION_ID, ROLE, STATE, ERROR, ERROR_TEXT, STATS {}, ROUND {}
 *     STATE events at every change of state, PROGRESS events about every
 *     200 ms while a round runs.
 *
 * Only the owner's socket may START, ROUND, FINAL, SET or DEL (EPERM else).
 * Failures carry an extended-ack message that names the object.
 *
 * Source states:  NEW -START-> CONNECTING -> READY -ROUND-> ROUND -> READY
 *                 READY -FINAL-> FINAL -> DONE;  any -> FAILED
 * Sink states:    NEW (listening) -> READY (connected, receives) -> DONE;
 *                 any -> FAILED
 * A source session that is FAILED or deleted no longer tracks; its guest goes on.
 */
#ifndef _UAPI_LINUX_VMFASTMIG_H
#define _UAPI_LINUX_VMFASTMIG_H

#include <linux/types.h>

#define VMFM_GENL_NAME		"vmfastmig"
#define VMFM_GENL_VERSION	1
#define VMFM_MCGRP_EVENTS	"events"

#define VMFM_FS_NAME		"vmfastmig"
/*
 * "VMFM": the first word of statfs(2)'s f_fsid; and f_type, but for mounts with
 * statfs=hugetlbfs.
 */
#define VMFM_FS_MAGIC		0x564d464d

#define VMFM_TOKEN_BYTES	16
#define VMFM_NAME_BYTES		64		/* with the closing NUL */
#define VMFM_REGIONS_MAX	64
#define VMFM_ERROR_TEXT_BYTES	160		/* with the closing NUL */

enum vmfm_cmd {
	VMFM_CMD_UNSPEC,
	VMFM_CMD_INFO_GET,
	VMFM_CMD_PARAM_GET,
	VMFM_CMD_PARAM_SET,
	VMFM_CMD_REGION_GET,
	VMFM_CMD_SESSION_NEW,
	VMFM_CMD_SESSION_GET,
	VMFM_CMD_SESSION_SET,
	VMFM_CMD_SESSION_START,
	VMFM_CMD_SESSION_ROUND,
	VMFM_CMD_SESSION_FINAL,
	VMFM_CMD_SESSION_DEL,
	VMFM_CMD_EVENT,
	__VMFM_CMD_MAX,
};
#define VMFM_CMD_MAX (__VMFM_CMD_MAX - 1)

enum vmfm_role {
	VMFM_ROLE_SOURCE = 1,
	VMFM_ROLE_SINK = 2,
};

enum vmfm_state {
	VMFM_STATE_NEW,
	VMFM_STATE_CONNECTING,
	VMFM_STATE_READY,
	VMFM_STATE_ROUND,
	VMFM_STATE_FINAL,
	VMFM_STATE_DONE,
	VMFM_STATE_FAILED,
	__VMFM_STATE_MAX,
};

enum vmfm_event {
	VMFM_EVENT_STATE = 1,
	VMFM_EVENT_PROGRESS = 2,
};

enum vmfm_attr {
	VMFM_A_UNSPEC,
	VMFM_A_PAD,
	VMFM_A_VERSION,		/* string */
	VMFM_A_WIRE_VERSION,	/* u32 */
	VMFM_A_REGIONS_MAX,	/* u32 */
	VMFM_A_CHUNK_BYTES,	/* u32: unit of grants */
	VMFM_A_GRANTS_AHEAD,	/* u32: chunks asked for before they are needed, 1 to 1024 */
	VMFM_A_ACK_TIMEOUT_MS,	/* u32: of one RDMA transport try, 1 to 8000 */
	VMFM_A_HUGE,		/* u8: 0 never, 1 use 2 MiB folios where they are to be had */
	VMFM_A_SESSION_ID,	/* u32 */
	VMFM_A_ROLE,		/* u8, enum vmfm_role */
	VMFM_A_STATE,		/* u8, enum vmfm_state */
	VMFM_A_TOKEN,		/* binary, VMFM_TOKEN_BYTES */
	VMFM_A_ADDR,		/* binary, struct sockaddr_in or sockaddr_in6 */
	VMFM_A_PEER,		/* binary, struct sockaddr_in or sockaddr_in6 */
	VMFM_A_BANDWIDTH,	/* u64: bytes/s, 0 is unlimited */
	VMFM_A_DISCARD,		/* flag */
	VMFM_A_TIMEOUT_MS,	/* u32 */
	VMFM_A_ERROR,		/* s32: negative errno, 0 while there is none */
	VMFM_A_ERROR_TEXT,	/* string */
	VMFM_A_EVENT,		/* u8, enum vmfm_event */
	VMFM_A_REGIONS,		/* nest of VMFM_A_REGION */
	VMFM_A_REGION,		/* nest of enum vmfm_region_attr */
	VMFM_A_STATS,		/* nest of enum vmfm_stats_attr */
	VMFM_A_ROUND,		/* nest of enum vmfm_round_attr */
	VMFM_A_PACE,		/* u64: bytes/s, 0 is unlimited */
	VMFM_A_SEND_ZEROS,	/* flag */
	__VMFM_A_MAX,
};
#define VMFM_A_MAX (__VMFM_A_MAX - 1)

enum vmfm_region_attr {
	VMFM_A_REGION_UNSPEC,
	VMFM_A_REGION_PAD,
	VMFM_A_REGION_NAME,		/* string, at most VMFM_NAME_BYTES */
	VMFM_A_REGION_FD,		/* s32: a file of this filesystem, open for writing */
	VMFM_A_REGION_DEV,		/* u64: new_encode_dev() form, as fstat(2) st_dev */
	VMFM_A_REGION_INO,		/* u64 */
	VMFM_A_REGION_SIZE_BYTES,	/* u64 */
	VMFM_A_REGION_PRESENT_PAGES,	/* u64: 4 KiB pages */
	VMFM_A_REGION_HUGE_PAGES,	/* u64: of these, in 2 MiB folios, in 4 KiB pages */
	VMFM_A_REGION_SESSION_ID,	/* u32 */
	__VMFM_A_REGION_MAX,
};
#define VMFM_A_REGION_MAX (__VMFM_A_REGION_MAX - 1)

/* Since the session began. Pages are 4 KiB. */
enum vmfm_stats_attr {
	VMFM_A_STATS_UNSPEC,
	VMFM_A_STATS_PAD,
	VMFM_A_STATS_TOTAL_BYTES,	/* u64: nominal size of all regions */
	VMFM_A_STATS_PRESENT_PAGES,	/* u64: source: present when tracking began */
	VMFM_A_STATS_DIRTY_PAGES,	/* u64: source: marked now, not sent yet */
	VMFM_A_STATS_MARKED_PAGES,	/* u64: source: marks by whom ever: what was present, writers, holes, what was kept */
	VMFM_A_STATS_ROUNDS,		/* u32 */
	VMFM_A_STATS_SENT_PAGES,	/* u64 */
	VMFM_A_STATS_SENT_BYTES,	/* u64 */
	VMFM_A_STATS_HOLE_PAGES,	/* u64: travelled as holes */
	VMFM_A_STATS_KEPT_PAGES,	/* u64: held back by the reference rule, over all rounds */
	VMFM_A_STATS_WRITES,		/* u64: RDMA WRITE work requests */
	VMFM_A_STATS_CHUNKS,		/* u64: chunks granted (both roles) */
	VMFM_A_STATS_KEYS,		/* u64: memory regions registered now (sink) */
	VMFM_A_STATS_PACED_NS,		/* u64: source: waits imposed on writers, their sum */
	VMFM_A_STATS_ZERO_PAGES,	/* u64: source: present, found to be zeros and not sent */
	__VMFM_A_STATS_MAX,
};
#define VMFM_A_STATS_MAX (__VMFM_A_STATS_MAX - 1)

enum vmfm_round_attr {
	VMFM_A_ROUND_UNSPEC,
	VMFM_A_ROUND_PAD,
	VMFM_A_ROUND_NUMBER,		/* u32, from 1 */
	VMFM_A_ROUND_PAGES,		/* u64: sent */
	VMFM_A_ROUND_BYTES,		/* u64: sent */
	VMFM_A_ROUND_HOLE_PAGES,	/* u64 */
	VMFM_A_ROUND_KEPT_PAGES,	/* u64: held back, and left marked, by the reference rule */
	VMFM_A_ROUND_TIME_NS,		/* u64: first take to the sink's acknowledgement */
	VMFM_A_ROUND_PROTECT_NS,	/* u64: of that, revoking write access */
	VMFM_A_ROUND_WAIT_NS,		/* u64: of that, waiting for grants */
	VMFM_A_ROUND_DIRTY_PAGES,	/* u64: marked again when it ended */
	VMFM_A_ROUND_FINAL,		/* flag: guest stopped */
	VMFM_A_ROUND_ZERO_PAGES,	/* u64: found to be zeros and not sent */
	__VMFM_A_ROUND_MAX,
};
#define VMFM_A_ROUND_MAX (__VMFM_A_ROUND_MAX - 1)

#endif
