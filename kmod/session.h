/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMFM_SESSION_H
#define VMFM_SESSION_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/socket.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "dirty.h"
#include "pace.h"
#include "uapi/linux/vmfastmig.h"

struct netlink_ext_ack;
struct vmfm_xport;

struct vmfm_session_region {
	struct vmfm_region *file;	/* referenced as long as the session exists */
	char name[VMFM_NAME_BYTES];
	unsigned long pages;
	unsigned long present;		/* source: when tracking began */
};

struct vmfm_round {
	u32 number;
	bool final;
	u64 pages;
	u64 hole_pages;
	u64 zero_pages;
	u64 kept_pages;
	u64 time_ns;
	u64 protect_ns;
	u64 wait_ns;
	u64 dirty_pages;
};

/* What the owner asked for. */
struct vmfm_session_spec {
	enum vmfm_role role;
	u8 token[VMFM_TOKEN_BYTES];
	struct sockaddr_storage addr;
	struct sockaddr_storage peer;	/* family 0: none */
	u64 bandwidth;
	bool find_zeros;
	bool discard;
	unsigned int regions;
	struct {
		int fd;
		char name[VMFM_NAME_BYTES];
	} region[VMFM_REGIONS_MAX];
};

struct vmfm_session {
	struct kref kref;
	u32 id;
	u32 portid;			/* the netlink socket that owns it */
	struct list_head node;
	enum vmfm_role role;
	u8 token[VMFM_TOKEN_BYTES];
	struct sockaddr_storage addr;
	struct sockaddr_storage peer;

	unsigned int regions;
	struct vmfm_session_region *region;

	spinlock_t lock;		/* state, error, error_text, last */
	enum vmfm_state state;
	int error;
	char error_text[VMFM_ERROR_TEXT_BYTES];
	struct vmfm_round last;		/* that ended */
	wait_queue_head_t wait;		/* anything changed, among it the error */

	u64 bandwidth;			/* bytes/s; READ_ONCE */
	u64 paced_until_ns;
	bool find_zeros;		/* pages of zeros are not sent as pages */
	unsigned int final_timeout_ms;
	struct vmfm_pace pace;		/* of the guest */

	/* Written by one worker at a time, read by anyone. */
	u32 rounds;
	u64 sent_pages;
	u64 hole_pages;
	u64 zero_pages;
	u64 kept_pages;
	u64 passes;
	u64 writes;
	atomic64_t chunks;
	atomic64_t keys;

	struct workqueue_struct *queue;	/* runs one of these at a time */
	struct work_struct start;
	struct work_struct round;
	struct work_struct final;
	struct work_struct stop;	/* source: gives up tracking after a failure */
	struct work_struct reap;	/* ends a session whose owner died */
	struct vmfm_block *block;	/* source: scratch of the worker */
	struct vmfm_xport *xport;
};

int vmfm_session_init(void);
void vmfm_session_exit(void);

/* Creates, and for a sink listens; *session_out is referenced. Errors are told in extack. */
int vmfm_session_new(const struct vmfm_session_spec *spec, u32 portid,
		     struct vmfm_session **session_out, struct netlink_ext_ack *extack);
struct vmfm_session *vmfm_session_get(u32 id);
/* The first session whose id is at or above @id. */
struct vmfm_session *vmfm_session_next(u32 id);
void vmfm_session_put(struct vmfm_session *session);

/* Ends it, whatever it is doing, and waits for that. */
void vmfm_session_end(struct vmfm_session *session);
/* Ends the sessions of a socket that was closed. Does not wait. */
void vmfm_session_orphan(u32 portid);

/* -EBUSY when the state does not allow it. begin() is move() and the work that goes with it. */
int vmfm_session_begin(struct vmfm_session *session, enum vmfm_state to, unsigned int timeout_ms);
int vmfm_session_move(struct vmfm_session *session, enum vmfm_state to);
enum vmfm_state vmfm_session_state(struct vmfm_session *session);

/* The one funnel of failures: the first one stays. */
__printf(3, 4)
void vmfm_session_fail(struct vmfm_session *session, int error, const char *format, ...);

static inline bool vmfm_session_failed(struct vmfm_session *session)
{
	return READ_ONCE(session->error);
}

/* precopy.c: the bodies of start, round and final. */
void vmfm_precopy_start(struct vmfm_session *session);
void vmfm_precopy_round(struct vmfm_session *session);
void vmfm_precopy_final(struct vmfm_session *session);
void vmfm_precopy_stop(struct vmfm_session *session);

/* netlink.c */
void vmfm_netlink_event(struct vmfm_session *session, enum vmfm_event event);

#endif
