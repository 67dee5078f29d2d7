// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connecting, accepting, rejecting, ending.
 *
 * A sink accepts one connection in its life, from the expected address, with
 * the session's token. Nothing is allocated for anybody else.
 */
#include <crypto/algapi.h>
#include <linux/inet.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include <rdma/ib_cm.h>

#include "rdma.h"

#define RESOLVE_MS	3000

unsigned int vmfm_grants_ahead = 32;
unsigned int vmfm_ack_timeout_ms = 500;

static int on_event(struct rdma_cm_id *id, struct rdma_cm_event *event);

static struct vmfm_xport *alloc_xport(struct vmfm_session *session)
{
	struct vmfm_xport *xport = kzalloc(sizeof(*xport), GFP_KERNEL);

	if (!xport)
		return NULL;
	xport->session = session;
	init_completion(&xport->cm_done);
	spin_lock_init(&xport->lock);
	INIT_LIST_HEAD(&xport->inbox);
	INIT_LIST_HEAD(&xport->batches);
	INIT_WORK(&xport->inbox_work, vmfm_read_inbox);
	session->xport = xport;
	return xport;
}

void vmfm_xport_free(struct vmfm_xport *xport)
{
	if (!xport)
		return;
	vmfm_sink_free_chunks(xport);
	vmfm_source_free_grants(xport);
	kfree(xport);
}

void vmfm_xport_close(struct vmfm_session *session)
{
	struct vmfm_xport *xport = session->xport;

	if (!xport)
		return;
	WRITE_ONCE(xport->closing, true);
	if (xport->listen)
		rdma_destroy_id(xport->listen);
	cancel_work_sync(&xport->inbox_work);	/* it may be taking the queue pair down */
	if (xport->id) {
		if (xport->qp)
			rdma_disconnect(xport->id);
		vmfm_qp_destroy(xport);
		rdma_destroy_id(xport->id);
	}
	vmfm_xport_free(xport);
	session->xport = NULL;
}

/* In steps of 4.096 us times a power of two, at least what was asked for. */
static u8 ack_timeout_exponent(unsigned int ms)
{
	return clamp(order_base_2(DIV_ROUND_UP(ms * 1000, 4)), 8, 21);
}

static struct rdma_cm_id *create_id(struct vmfm_xport *xport)
{
	struct rdma_cm_id *id = rdma_create_id(&init_net, on_event, xport, RDMA_PS_TCP, IB_QPT_RC);

	if (!IS_ERR(id))
		rdma_set_ack_timeout(id, ack_timeout_exponent(READ_ONCE(vmfm_ack_timeout_ms)));
	return id;
}

int vmfm_xport_listen(struct vmfm_session *session)
{
	struct vmfm_xport *xport = alloc_xport(session);
	struct rdma_cm_id *id;
	int err;

	if (!xport)
		return -ENOMEM;
	id = create_id(xport);
	if (IS_ERR(id)) {
		err = PTR_ERR(id);
		goto close;
	}
	xport->listen = id;
	err = rdma_bind_addr(id, (struct sockaddr *)&session->addr);
	if (!err)
		err = rdma_listen(id, 8);
	if (err)
		goto close;
	session->addr = id->route.addr.src_addr;
	return 0;

close:
	vmfm_xport_close(session);
	return err;
}

static int wait_step(struct vmfm_xport *xport, unsigned int timeout_ms)
{
	struct vmfm_session *session = xport->session;
	bool ended = wait_event_idle_timeout(session->wait, completion_done(&xport->cm_done) ||
					vmfm_session_failed(session),
					msecs_to_jiffies(timeout_ms));

	if (vmfm_session_failed(session))
		return session->error;
	if (!ended)
		return -ETIMEDOUT;
	return xport->cm_error;
}

static struct sockaddr *source_addr(struct vmfm_session *session)
{
	return session->peer.ss_family ? (struct sockaddr *)&session->peer : NULL;
}

static int resolve(struct vmfm_xport *xport)
{
	struct vmfm_session *session = xport->session;
	int err;

	err = rdma_resolve_addr(xport->id, source_addr(session),
				(struct sockaddr *)&session->addr, RESOLVE_MS);
	if (!err)
		err = wait_step(xport, 2 * RESOLVE_MS);
	if (err)
		return err;
	reinit_completion(&xport->cm_done);
	err = rdma_resolve_route(xport->id, RESOLVE_MS);
	if (!err)
		err = wait_step(xport, 2 * RESOLVE_MS);
	reinit_completion(&xport->cm_done);
	return err;
}

static int connect_qp(struct vmfm_xport *xport)
{
	struct vmfm_session *session = xport->session;
	struct vmfm_hello hello = {
		.magic = cpu_to_le32(VMFM_WIRE_MAGIC),
		.version = cpu_to_le16(VMFM_WIRE_VERSION),
		.regions = cpu_to_le16(session->regions),
		.grants_ahead = cpu_to_le32(xport->ahead),
	};
	struct rdma_conn_param param = {
		.private_data = &hello,
		.private_data_len = sizeof(hello),
		.retry_count = 6,	/* 7 is without end on soft-RoCE; the sink takes ours */
		.rnr_retry_count = 7,
	};
	int err;

	memcpy(hello.token, session->token, sizeof(hello.token));
	err = rdma_connect(xport->id, &param);
	memzero_explicit(&hello, sizeof(hello));
	return err ?: wait_step(xport, 5 * RESOLVE_MS);
}

int vmfm_xport_connect(struct vmfm_session *session)
{
	struct vmfm_xport *xport = alloc_xport(session);
	const char *step = "allocate";
	int err = -ENOMEM;

	if (!xport)
		goto fail;
	xport->ahead = READ_ONCE(vmfm_grants_ahead);
	xport->id = create_id(xport);
	if (IS_ERR(xport->id)) {
		err = PTR_ERR(xport->id);
		xport->id = NULL;
		goto fail;
	}
	step = "resolve a path";
	err = resolve(xport);
	if (err)
		goto fail;
	step = "create a queue pair";
	err = vmfm_qp_create(xport);
	if (err)
		goto fail;
	step = "connect";
	err = connect_qp(xport);
	if (err)
		goto fail;
	step = "agree on the regions";
	err = vmfm_source_agree(xport);
	if (!err)
		return 0;
fail:
	vmfm_session_fail(session, err, "RDMA to %pISpc: cannot %s: error %d",
			  &session->addr, step, err);
	return err;
}

static void step_ended(struct vmfm_xport *xport, int err)
{
	xport->cm_error = err;
	complete_all(&xport->cm_done);
	wake_up_all(&xport->session->wait);
}

static const char * const reject_text[] = {
	[VMFM_REJECT_FORMAT] = "it does not take us for a vmfastmig source",
	[VMFM_REJECT_VERSION] = "it speaks another wire version",
	[VMFM_REJECT_TOKEN] = "wrong token",
	[VMFM_REJECT_PEER] = "it expects another address",
	[VMFM_REJECT_TAKEN] = "it has its connection already",
	[VMFM_REJECT_REGIONS] = "number of regions differs",
	[VMFM_REJECT_LIMITS] = "more grants ahead than it gives",
};

static void on_rejected(struct vmfm_xport *xport, struct rdma_cm_id *id,
			struct rdma_cm_event *event)
{
	u8 bytes = 0;
	const struct vmfm_reject *reject = rdma_consumer_reject_data(id, event, &bytes);
	unsigned int reason = 0;

	if (reject && bytes >= sizeof(*reject) &&
	    le32_to_cpu(reject->magic) == VMFM_WIRE_MAGIC)
		reason = le16_to_cpu(reject->reason);
	if (reason < ARRAY_SIZE(reject_text) && reject_text[reason])
		vmfm_session_fail(xport->session, -EACCES, "RDMA to %pISpc rejected: %s",
				  &xport->session->addr, reject_text[reason]);
	else
		vmfm_session_fail(xport->session, -ECONNREFUSED,
				  "RDMA to %pISpc refused: nobody listens there (status %d)",
				  &xport->session->addr, event->status);
	step_ended(xport, -ECONNREFUSED);
}

static int reject(struct rdma_cm_id *id, enum vmfm_reject_reason reason)
{
	struct vmfm_reject data = {
		.magic = cpu_to_le32(VMFM_WIRE_MAGIC),
		.version = cpu_to_le16(VMFM_WIRE_VERSION),
		.reason = cpu_to_le16(reason),
	};

	rdma_reject(id, &data, sizeof(data), IB_CM_REJ_CONSUMER_DEFINED);
	return -ECONNREFUSED;
}

static bool same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET)
		return ((struct sockaddr_in *)a)->sin_addr.s_addr ==
		       ((struct sockaddr_in *)b)->sin_addr.s_addr;
	return ipv6_addr_equal(&((struct sockaddr_in6 *)a)->sin6_addr,
			       &((struct sockaddr_in6 *)b)->sin6_addr);
}

/* 0, or the reason to reject. */
static int check_hello(struct vmfm_xport *xport, struct rdma_cm_id *id,
		       const struct rdma_conn_param *param)
{
	struct vmfm_session *session = xport->session;
	const struct vmfm_hello *hello = param->private_data;

	/* Some transports pad the private data. */
	if (!hello || param->private_data_len < sizeof(*hello) ||
	    le32_to_cpu(hello->magic) != VMFM_WIRE_MAGIC)
		return VMFM_REJECT_FORMAT;
	if (le16_to_cpu(hello->version) != VMFM_WIRE_VERSION)
		return VMFM_REJECT_VERSION;
	if (memchr_inv(hello->reserved, 0, sizeof(hello->reserved)))
		return VMFM_REJECT_FORMAT;
	if (crypto_memneq(hello->token, session->token, sizeof(session->token)))
		return VMFM_REJECT_TOKEN;
	if (session->peer.ss_family &&
	    !same_host(&session->peer, &id->route.addr.dst_addr))
		return VMFM_REJECT_PEER;
	if (le16_to_cpu(hello->regions) != session->regions)
		return VMFM_REJECT_REGIONS;
	if (!hello->grants_ahead || le32_to_cpu(hello->grants_ahead) > VMFM_MAX_AHEAD)
		return VMFM_REJECT_LIMITS;
	return 0;
}

static int on_connect_request(struct rdma_cm_id *id, const struct rdma_conn_param *param)
{
	struct vmfm_xport *xport = id->context;
	struct rdma_conn_param answer = { .retry_count = 6, .rnr_retry_count = 7 };
	const struct vmfm_hello *hello = param->private_data;
	int err = check_hello(xport, id, param);

	if (err)
		return reject(id, err);
	if (READ_ONCE(xport->closing) || vmfm_session_failed(xport->session) ||
	    atomic_cmpxchg(&xport->taken, 0, 1))
		return reject(id, VMFM_REJECT_TAKEN);

	xport->ahead = le32_to_cpu(hello->grants_ahead);
	xport->id = id;
	err = vmfm_qp_create(xport);
	if (!err)
		err = rdma_accept(id, &answer);
	if (!err)
		return 0;
	vmfm_session_fail(xport->session, err, "RDMA: cannot accept from %pISpc: error %d",
			  &id->route.addr.dst_addr, err);
	vmfm_qp_destroy(xport);
	xport->id = NULL;	/* the CM destroys it for our error */
	return err;
}

/*
 * A connection that ends by itself is a failure, unless all was done: then the
 * session's state does not allow to fail.
 */
static void on_lost(struct vmfm_xport *xport, const char *how)
{
	if (!READ_ONCE(xport->closing) && !READ_ONCE(xport->done))
		vmfm_session_fail(xport->session, -ECONNRESET, "RDMA: %s", how);
	step_ended(xport, -ECONNRESET);
}

/*
 * A sink's queue pair works before it hears that the source goes on: it may have come
 * to its end by then.
 */
static void on_established(struct vmfm_xport *xport)
{
	WRITE_ONCE(xport->established, true);
	smp_mb();	/* pairs with vmfm_wc_failed() */
	if (READ_ONCE(xport->flushed) && !READ_ONCE(xport->closing) && !READ_ONCE(xport->done))
		vmfm_session_fail(xport->session, -EIO,
				  "RDMA: the queue pair failed while it was connected");
	step_ended(xport, 0);
}

/* A step of connecting failed; a sink's only one is that its source goes on. */
static void on_unreachable(struct vmfm_xport *xport, int status)
{
	if (xport->session->role == VMFM_ROLE_SINK)
		on_lost(xport, "the source did not complete its connection");
	else
		step_ended(xport, status < 0 ? status : -EHOSTUNREACH);
}

static int on_event(struct rdma_cm_id *id, struct rdma_cm_event *event)
{
	struct vmfm_xport *xport = id->context;

	switch (event->event) {
	case RDMA_CM_EVENT_CONNECT_REQUEST:
		return on_connect_request(id, &event->param.conn);
	case RDMA_CM_EVENT_ESTABLISHED:
		on_established(xport);
		break;
	case RDMA_CM_EVENT_ADDR_RESOLVED:
	case RDMA_CM_EVENT_ROUTE_RESOLVED:
		step_ended(xport, 0);
		break;
	case RDMA_CM_EVENT_REJECTED:
		on_rejected(xport, id, event);
		break;
	case RDMA_CM_EVENT_ADDR_ERROR:
	case RDMA_CM_EVENT_ROUTE_ERROR:
	case RDMA_CM_EVENT_CONNECT_ERROR:
	case RDMA_CM_EVENT_UNREACHABLE:
		on_unreachable(xport, event->status);
		break;
	case RDMA_CM_EVENT_DISCONNECTED:
		on_lost(xport, "the peer ended the connection");
		break;
	case RDMA_CM_EVENT_DEVICE_REMOVAL:
		on_lost(xport, "the device was removed");
		break;
	default:
		break;
	}
	return 0;
}
