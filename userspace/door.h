/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel module, behind a few functions (generic netlink, libnl-3). A door
 * owns the sessions made through it: they end when it is closed.
 */
#ifndef DOOR_H
#define DOOR_H

#include <jansson.h>
#include <netlink/netlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "../kmod/uapi/linux/vmfastmig.h"
#include "fault.h"
#include "watch.h"

struct door {
	struct nl_sock *sock;	/* requests */
	struct nl_sock *events;
	int family;
};

struct door_round {
	uint32_t number;
	uint64_t pages, bytes, hole_pages, zero_pages, kept_pages, time_ns, protect_ns, wait_ns,
		 dirty_pages;
};

struct door_session {
	uint32_t id;
	int role, state, error;
	char error_text[VMFM_ERROR_TEXT_BYTES];
	uint64_t total_bytes, present_pages, dirty_pages, marked_pages, sent_pages, hole_pages,
		 zero_pages, kept_pages;
	uint64_t writes, chunks, keys, paced_ns;
	struct door_round round;	/* number 0: none ended yet */
};

struct door_spec {
	int role;
	uint8_t token[VMFM_TOKEN_BYTES];
	struct sockaddr_storage addr, peer;	/* family 0: none */
	uint64_t bandwidth;
	bool send_zeros;
	unsigned int regions;
	struct {
		char name[VMFM_NAME_BYTES];
		int fd;
	} region[VMFM_REGIONS_MAX];
};

int door_open(struct door *door, struct fault *fault);
void door_close(struct door *door);

/* {"version","wire_version"} */
int door_info(struct door *door, json_t **info, struct fault *fault);
/* Array of {"name","dev","ino","size_bytes","present_pages","huge_pages","session"?} */
int door_regions(struct door *door, json_t **regions, struct fault *fault);

/* A sink drops what its files hold. *bound (may be NULL): the address really bound. */
int door_session_new(struct door *door, const struct door_spec *spec, uint32_t *id,
		     struct sockaddr_storage *bound, struct fault *fault);
int door_session_get(struct door *door, uint32_t id, struct door_session *session,
		     struct fault *fault);
/* cmd: VMFM_CMD_SESSION_START, ROUND, FINAL (with timeout_ms) or DEL. */
int door_session_do(struct door *door, int cmd, uint32_t id, uint32_t timeout_ms,
		    struct fault *fault);
/* How fast the guest may dirty pages from now on, in bytes/s; 0: as it likes. */
int door_session_pace(struct door *door, uint32_t id, uint64_t pace, struct fault *fault);
/* Of the rounds from now on, in bytes/s; 0: no limit. */
int door_session_bandwidth(struct door *door, uint32_t id, uint64_t bandwidth,
			   struct fault *fault);
/*
 * Waits until the session is in that state; -1 when it failed, at the time-out,
 * and when @watch becomes readable. @session is filled in either way.
 */
int door_session_wait(struct door *door, uint32_t id, int state, int timeout_ms,
		      const struct watch *watch, struct door_session *session,
		      struct fault *fault);

const char *door_state_name(int state);

#endif
