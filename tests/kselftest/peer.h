/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One end of a queue pair in user space, for tests that play the module's peer: it
 * sends what it is told, right or wrong. Errors are negative errnos.
 */
#ifndef PEER_H
#define PEER_H

#include <infiniband/verbs.h>
#include <netinet/in.h>
#include <rdma/rdma_cma.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../rdma/wire.h"

#define PEER_POST_BYTES		8192		/* the longest of what is posted */
#define PEER_TARGET_BYTES	(2UL << 20)

struct peer {
	/* Set before: no buffer for what it is sent, which is then repeated without end. */
	bool deaf;

	struct rdma_event_channel *events;
	struct rdma_cm_id *listen, *id;
	struct ibv_pd *pd;
	struct ibv_cq *sent, *received;
	struct ibv_mr *mr;
	struct peer_memory *memory;
	char *target;		/* PEER_TARGET_BYTES that whoever has mr->rkey may write */
	unsigned int posted, completed;
	enum ibv_wc_status status;	/* of the first request that failed */
	struct vmfm_hello hello;	/* of who connects to us */
};

/* 0, or the positive reason it was rejected for. */
int peer_connect(struct peer *peer, const struct sockaddr_in *to, const void *hello, size_t bytes);
/* Stops when it was accepted: the other end waits for the word that completes it. */
int peer_connect_halfway(struct peer *peer, const struct sockaddr_in *to, const void *hello,
			 size_t bytes);

/* The port it listens at is stored in @at. */
int peer_listen(struct peer *peer, struct sockaddr_in *at);
/* Waits for somebody; peer->hello is what it said. */
int peer_await(struct peer *peer);
int peer_accept(struct peer *peer);
int peer_reject(struct peer *peer, const void *data, size_t bytes);

/*
 * Does not wait for its end. @key: of a write; or what is invalidated, or the immediate
 * data. -EAGAIN when too much is under way, and stays so.
 */
int peer_post(struct peer *peer, enum ibv_wr_opcode opcode, const void *bytes, size_t length,
	      uint64_t iova, uint32_t key);
int peer_send(struct peer *peer, const struct vmfm_msg *msg);
/* Until all that was posted ended; -EIO when something failed. */
int peer_wait(struct peer *peer);

/* The next message; -ETIMEDOUT when none comes. */
int peer_receive(struct peer *peer, struct vmfm_msg *msg, int timeout_ms);
/* Forgets other messages until one of that type comes. */
int peer_hear(struct peer *peer, int type, struct vmfm_msg *msg);

/* Goes away without a word. Then it may connect again. */
void peer_close(struct peer *peer);

#endif
