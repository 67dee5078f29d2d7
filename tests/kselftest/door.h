/* SPDX-License-Identifier: GPL-2.0-only */
/* The module's netlink door, as the tests use it. Errors are negative errnos. */
#ifndef DOOR_H
#define DOOR_H

#include <netinet/in.h>
#include <netlink/netlink.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../kmod/uapi/linux/vmfastmig.h"

struct door {
	struct nl_sock *sock;
	int family;
	char error[256];	/* extended ack of the last failure */
};

struct door_stats {
	int state;
	int error;
	char error_text[VMFM_ERROR_TEXT_BYTES];
	uint64_t present, dirty, sent, holes, zeros, kept, writes, chunks, keys;
	uint64_t paced_ns;
	uint64_t round_number, round_pages, round_holes, round_kept, round_protect_ns, round_wait_ns,
		 round_ns;
};

struct door_spec {
	int role;
	uint8_t token[VMFM_TOKEN_BYTES];
	struct sockaddr_in addr;
	struct sockaddr_in peer;
	uint64_t bandwidth;
	bool discard;
	bool send_zeros;
	int regions;
	int fd[VMFM_REGIONS_MAX];
	char name[VMFM_REGIONS_MAX][VMFM_NAME_BYTES];
};

/*
 * A session of that role at the address in VMFM_ADDR, which a sink expects its peer from,
 * too; regions are to be named ram0, ram1, ..., and one token is as good as another.
 */
void door_spec_init(struct door_spec *spec, int role);

int door_open(struct door *door);
void door_close(struct door *door);

/* The sink's bound address is stored in spec->addr. Answers the id. */
int door_new(struct door *door, struct door_spec *spec);
int door_call(struct door *door, int cmd, uint32_t id, uint32_t timeout_ms);
int door_get(struct door *door, uint32_t id, struct door_stats *stats);
/* Of a session: VMFM_A_BANDWIDTH or VMFM_A_PACE. */
int door_set(struct door *door, uint32_t id, int attr, uint64_t value);
int door_set_huge(struct door *door, int huge);
/* 0 when it came to that state; else the session's error or -ETIMEDOUT. */
int door_wait(struct door *door, uint32_t id, int state, int timeout_ms);
/* Sends a message of the caller's making; its attributes are consumed. */
struct nl_msg *door_message(struct door *door, int cmd, int flags);
int door_send(struct door *door, struct nl_msg *msg);

#endif
