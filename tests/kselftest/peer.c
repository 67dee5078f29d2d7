// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "peer.h"

#define POSTS		256
#define BUFFERS		128
#define WAIT_MS		10000
#define PAUSE_US	200
#define ACK_TIMEOUT	12	/* 4.096 us * 2^12 */
#define RETRIES		5
#define ENDLESS		7	/* with soft-RoCE, either number */

struct peer_memory {
	char target[PEER_TARGET_BYTES];
	char post[POSTS][PEER_POST_BYTES];
	struct vmfm_msg buffer[BUFFERS];
};

static int negative_errno(int status)
{
	return status ? -errno : 0;
}

/* The next step of connecting: 0 when it is the one that was awaited. */
static int step(struct peer *peer, enum rdma_cm_event_type awaited)
{
	struct pollfd pollfd = { .fd = peer->events->fd, .events = POLLIN };
	const struct vmfm_reject *reject;
	struct rdma_cm_event *event;
	int err;

	if (poll(&pollfd, 1, WAIT_MS) != 1)
		return -ETIMEDOUT;
	if (rdma_get_cm_event(peer->events, &event))
		return -errno;
	err = event->event == awaited ? 0 : -ECONNREFUSED;
	reject = event->param.conn.private_data;
	if (event->event == RDMA_CM_EVENT_REJECTED && reject &&
	    event->param.conn.private_data_len >= sizeof(*reject) &&
	    le32toh(reject->magic) == VMFM_WIRE_MAGIC)
		err = le16toh(reject->reason);
	if (!err && awaited == RDMA_CM_EVENT_CONNECT_REQUEST) {
		peer->id = event->id;
		if (event->param.conn.private_data_len >= sizeof(peer->hello))
			memcpy(&peer->hello, event->param.conn.private_data, sizeof(peer->hello));
	}
	rdma_ack_cm_event(event);
	return err;
}

static int post_buffer(struct peer *peer, unsigned int i)
{
	struct ibv_sge sge = { .addr = (uintptr_t)&peer->memory->buffer[i],
			       .length = sizeof(struct vmfm_msg), .lkey = peer->mr->lkey };
	struct ibv_recv_wr wr = { .wr_id = i, .sg_list = &sge, .num_sge = 1 }, *bad;

	return -ibv_post_recv(peer->id->qp, &wr, &bad);
}

static int make_memory(struct peer *peer)
{
	peer->memory = mmap(NULL, sizeof(*peer->memory), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (peer->memory == MAP_FAILED) {
		peer->memory = NULL;
		return -errno;
	}
	peer->target = peer->memory->target;
	peer->mr = ibv_reg_mr(peer->pd, peer->memory, sizeof(*peer->memory),
			      IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
	return negative_errno(!peer->mr);
}

static int make_queues(struct peer *peer)
{
	struct ibv_qp_init_attr attr = {
		.qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = POSTS, .max_recv_wr = BUFFERS, .max_send_sge = 1,
			 .max_recv_sge = 1 },
		.sq_sig_all = 1,
	};
	unsigned int i;
	int err;

	peer->pd = ibv_alloc_pd(peer->id->verbs);
	peer->sent = ibv_create_cq(peer->id->verbs, POSTS, NULL, NULL, 0);
	peer->received = ibv_create_cq(peer->id->verbs, BUFFERS, NULL, NULL, 0);
	if (!peer->pd || !peer->sent || !peer->received)
		return -errno;
	err = make_memory(peer);
	if (err)
		return err;
	attr.send_cq = peer->sent;
	attr.recv_cq = peer->received;
	if (rdma_create_qp(peer->id, peer->pd, &attr))
		return -errno;
	for (i = 0; !err && !peer->deaf && i < BUFFERS; i++)
		err = post_buffer(peer, i);
	return err;
}

static int resolve(struct peer *peer, const struct sockaddr_in *to)
{
	uint8_t timeout = ACK_TIMEOUT;
	struct sockaddr_in dst = *to;
	int err;

	peer->events = rdma_create_event_channel();
	if (!peer->events || rdma_create_id(peer->events, &peer->id, NULL, RDMA_PS_TCP))
		return -errno;
	rdma_set_option(peer->id, RDMA_OPTION_ID, RDMA_OPTION_ID_ACK_TIMEOUT, &timeout,
			sizeof(timeout));
	if (rdma_resolve_addr(peer->id, NULL, (struct sockaddr *)&dst, WAIT_MS))
		return -errno;
	err = step(peer, RDMA_CM_EVENT_ADDR_RESOLVED);
	if (!err)
		err = negative_errno(rdma_resolve_route(peer->id, WAIT_MS));
	return err ?: step(peer, RDMA_CM_EVENT_ROUTE_RESOLVED);
}

static int request(struct peer *peer, const void *hello, size_t bytes)
{
	struct rdma_conn_param param = { .private_data = hello, .private_data_len = bytes,
					 .retry_count = peer->deaf ? ENDLESS : RETRIES,
					 .rnr_retry_count = ENDLESS };

	return negative_errno(rdma_connect(peer->id, &param));
}

int peer_connect(struct peer *peer, const struct sockaddr_in *to, const void *hello, size_t bytes)
{
	int err = resolve(peer, to);

	if (!err)
		err = make_queues(peer);
	if (!err)
		err = request(peer, hello, bytes);
	return err ?: step(peer, RDMA_CM_EVENT_ESTABLISHED);
}

/* Without a queue pair the library leaves the last word to us. */
int peer_connect_halfway(struct peer *peer, const struct sockaddr_in *to, const void *hello,
			 size_t bytes)
{
	int err = resolve(peer, to);

	if (!err)
		err = request(peer, hello, bytes);
	return err ?: step(peer, RDMA_CM_EVENT_CONNECT_RESPONSE);
}

int peer_listen(struct peer *peer, struct sockaddr_in *at)
{
	peer->events = rdma_create_event_channel();
	if (!peer->events || rdma_create_id(peer->events, &peer->listen, NULL, RDMA_PS_TCP) ||
	    rdma_bind_addr(peer->listen, (struct sockaddr *)at) || rdma_listen(peer->listen, 1))
		return -errno;
	at->sin_port = rdma_get_src_port(peer->listen);
	return 0;
}

int peer_await(struct peer *peer)
{
	return step(peer, RDMA_CM_EVENT_CONNECT_REQUEST);
}

int peer_accept(struct peer *peer)
{
	struct rdma_conn_param param = { .rnr_retry_count = ENDLESS };
	int err = make_queues(peer);

	if (!err)
		err = negative_errno(rdma_accept(peer->id, &param));
	return err ?: step(peer, RDMA_CM_EVENT_ESTABLISHED);
}

int peer_reject(struct peer *peer, const void *data, size_t bytes)
{
	return negative_errno(rdma_reject(peer->id, data, bytes));
}

/* Until no more than @most are under way. */
static int reap(struct peer *peer, unsigned int most)
{
	unsigned int waited_us = 0;
	struct ibv_wc wc;

	while (peer->posted - peer->completed > most) {
		int got = ibv_poll_cq(peer->sent, 1, &wc);

		if (got < 0)
			return -EIO;
		if (got) {
			peer->completed++;
			if (!peer->status)
				peer->status = wc.status;
			continue;
		}
		if (waited_us >= WAIT_MS * 1000)
			return -EAGAIN;
		waited_us += PAUSE_US;
		usleep(PAUSE_US);
	}
	return 0;
}

int peer_post(struct peer *peer, enum ibv_wr_opcode opcode, const void *bytes, size_t length,
	      uint64_t iova, uint32_t key)
{
	char *at = peer->memory->post[peer->posted % POSTS];
	struct ibv_sge sge = { .addr = (uintptr_t)at, .length = length, .lkey = peer->mr->lkey };
	struct ibv_send_wr wr = { .opcode = opcode, .sg_list = &sge, .num_sge = length ? 1 : 0 };
	struct ibv_send_wr *bad;
	int err = reap(peer, POSTS - 1);

	if (err)
		return err;
	if (opcode == IBV_WR_SEND_WITH_INV) {
		wr.invalidate_rkey = key;
	} else {
		wr.imm_data = key;
		wr.wr.rdma.remote_addr = iova;
		wr.wr.rdma.rkey = key;
	}
	memcpy(at, bytes, length);
	err = ibv_post_send(peer->id->qp, &wr, &bad);
	if (!err)
		peer->posted++;
	return -err;
}

int peer_send(struct peer *peer, const struct vmfm_msg *msg)
{
	return peer_post(peer, IBV_WR_SEND, msg, sizeof(*msg), 0, 0);
}

int peer_wait(struct peer *peer)
{
	int err = reap(peer, 0);

	return err ?: peer->status ? -EIO : 0;
}

int peer_receive(struct peer *peer, struct vmfm_msg *msg, int timeout_ms)
{
	int waited_us = 0, got;
	struct ibv_wc wc;

	while (!(got = ibv_poll_cq(peer->received, 1, &wc))) {
		if (waited_us >= timeout_ms * 1000)
			return -ETIMEDOUT;
		waited_us += PAUSE_US;
		usleep(PAUSE_US);
	}
	if (got < 0 || wc.status)
		return -EIO;
	if (wc.opcode != IBV_WC_RECV || wc.byte_len != sizeof(*msg))
		return -EBADMSG;
	*msg = peer->memory->buffer[wc.wr_id];
	return post_buffer(peer, wc.wr_id);
}

int peer_hear(struct peer *peer, int type, struct vmfm_msg *msg)
{
	int err;

	do
		err = peer_receive(peer, msg, WAIT_MS);
	while (!err && le16toh(msg->type) != type);
	return err;
}

void peer_close(struct peer *peer)
{
	if (peer->id && peer->id->qp)
		rdma_destroy_qp(peer->id);
	if (peer->id)
		rdma_destroy_id(peer->id);
	if (peer->listen)
		rdma_destroy_id(peer->listen);
	if (peer->mr)
		ibv_dereg_mr(peer->mr);
	if (peer->memory)
		munmap(peer->memory, sizeof(*peer->memory));
	if (peer->sent)
		ibv_destroy_cq(peer->sent);
	if (peer->received)
		ibv_destroy_cq(peer->received);
	if (peer->pd)
		ibv_dealloc_pd(peer->pd);
	if (peer->events)
		rdma_destroy_event_channel(peer->events);
	memset(peer, 0, sizeof(*peer));
}
