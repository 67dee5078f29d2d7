// SPDX-License-Identifier: GPL-2.0-only
/*
 * The source's half of the conversation: agree on regions, ask for chunks, tell
 * holes and the ends of rounds, take the sink's answers.
 */
#include <linux/slab.h>

#include "rdma.h"
#include "trace.h"

unsigned int vmfm_xport_chunk_pages(struct vmfm_xport *xport)
{
	return xport->chunk_pages;
}

unsigned int vmfm_xport_asked(struct vmfm_xport *xport)
{
	return atomic_read(&xport->asked);
}

struct vmfm_grant *vmfm_grant_of(struct vmfm_xport *xport, unsigned int region, pgoff_t page)
{
	return xa_load(&xport->grants[region], page / xport->chunk_pages);
}

bool vmfm_xport_was_asked(struct vmfm_xport *xport, unsigned int region, pgoff_t page)
{
	return vmfm_grant_of(xport, region, page);
}

bool vmfm_xport_granted(struct vmfm_xport *xport, unsigned int region, pgoff_t page)
{
	struct vmfm_grant *grant = vmfm_grant_of(xport, region, page);

	/* Pairs with on_grant(): the key is there when it says so. */
	return grant && smp_load_acquire(&grant->given);
}

static int wait_for(struct vmfm_xport *xport, bool (*what)(struct vmfm_xport *, u64), u64 arg)
{
	struct vmfm_session *session = xport->session;

	vmfm_wait(xport, what(xport, arg));
	return vmfm_session_failed(session) ? session->error : 0;
}

static bool below_ahead(struct vmfm_xport *xport, u64 unused)
{
	return atomic_read(&xport->asked) < xport->ahead;
}

static int add_grant(struct vmfm_xport *xport, unsigned int region, pgoff_t page)
{
	struct vmfm_grant *grant = kzalloc(sizeof(*grant), GFP_KERNEL);
	int err = -ENOMEM;

	if (grant)
		err = xa_insert(&xport->grants[region], page / xport->chunk_pages, grant,
				GFP_KERNEL);
	if (err) {
		kfree(grant);
		vmfm_session_fail(xport->session, err, "RDMA: no memory for a chunk's key");
	}
	return err;
}

int vmfm_xport_ask(struct vmfm_xport *xport, unsigned int region, pgoff_t page)
{
	pgoff_t first = round_down(page, xport->chunk_pages);
	struct vmfm_msg msg = {
		.type = cpu_to_le16(VMFM_MSG_CHUNK),
		.region = cpu_to_le16(region),
		.range.page = cpu_to_le64(first),
	};
	unsigned long left = xport->session->region[region].pages - first;
	int err;

	if (vmfm_xport_was_asked(xport, region, page))
		return 0;
	err = wait_for(xport, below_ahead, 0);
	if (!err)
		err = add_grant(xport, region, page);
	if (err)
		return err;
	msg.range.pages = cpu_to_le64(min_t(unsigned long, xport->chunk_pages, left));
	atomic_inc(&xport->asked);
	err = vmfm_send_credit(xport, &msg);
	return err ?: 1;
}

int vmfm_xport_wait_grant(struct vmfm_xport *xport, unsigned int region, pgoff_t page)
{
	struct vmfm_session *session = xport->session;

	vmfm_wait(xport, vmfm_xport_granted(xport, region, page));
	return vmfm_session_failed(session) ? session->error : 0;
}

int vmfm_xport_hole(struct vmfm_xport *xport, unsigned int region, pgoff_t page,
		    unsigned long pages)
{
	struct vmfm_msg msg = {
		.type = cpu_to_le16(VMFM_MSG_HOLE),
		.region = cpu_to_le16(region),
		.range.page = cpu_to_le64(page),
		.range.pages = cpu_to_le64(pages),
	};

	return vmfm_send_credit(xport, &msg);
}

static bool round_is_acked(struct vmfm_xport *xport, u64 number)
{
	return READ_ONCE(xport->round_acked) == number;
}

int vmfm_xport_round(struct vmfm_xport *xport, u32 number)
{
	struct vmfm_msg msg = {
		.type = cpu_to_le16(VMFM_MSG_ROUND),
		.word.number = cpu_to_le32(number),
	};
	int err;

	WRITE_ONCE(xport->round_acked, 0);
	WRITE_ONCE(xport->round_sent, number);
	err = vmfm_send_credit(xport, &msg);
	return err ?: wait_for(xport, round_is_acked, number);
}

static bool is_done(struct vmfm_xport *xport, u64 unused)
{
	return READ_ONCE(xport->done);
}

int vmfm_xport_done(struct vmfm_xport *xport)
{
	struct vmfm_msg msg = { .type = cpu_to_le16(VMFM_MSG_DONE) };
	int err;

	WRITE_ONCE(xport->done_sent, true);
	err = vmfm_send_credit(xport, &msg);
	return err ?: wait_for(xport, is_done, 0);
}

static int alloc_grants(struct vmfm_xport *xport)
{
	struct vmfm_session *session = xport->session;
	struct xarray *grants = kcalloc(session->regions, sizeof(*grants), GFP_KERNEL);
	unsigned int i;

	if (!grants)
		return -ENOMEM;
	for (i = 0; i < session->regions; i++)
		xa_init(&grants[i]);
	/* Pairs with on_grant(): a grant may come although none was asked for. */
	smp_store_release(&xport->grants, grants);
	return 0;
}

void vmfm_source_free_grants(struct vmfm_xport *xport)
{
	struct vmfm_grant *grant;
	unsigned long chunk;
	unsigned int i;

	for (i = 0; xport->grants && i < xport->session->regions; i++) {
		xa_for_each(&xport->grants[i], chunk, grant) {
			kfree(grant);
			cond_resched();
		}
		xa_destroy(&xport->grants[i]);
	}
	kfree(xport->grants);
	xport->grants = NULL;
}

static bool is_accepted(struct vmfm_xport *xport, u64 unused)
{
	return READ_ONCE(xport->accepted);
}

int vmfm_source_agree(struct vmfm_xport *xport)
{
	struct vmfm_session *session = xport->session;
	unsigned int i;
	int err;

	for (i = 0; i < session->regions; i++) {
		struct vmfm_msg msg = {
			.type = cpu_to_le16(VMFM_MSG_REGION),
			.region = cpu_to_le16(i),
			.region_is.pages = cpu_to_le64(session->region[i].pages),
		};

		strscpy(msg.region_is.name, session->region[i].name, sizeof(msg.region_is.name));
		err = vmfm_send_credit(xport, &msg);
		if (err)
			return err;
	}
	err = wait_for(xport, is_accepted, 0);
	return err ?: alloc_grants(xport);
}

static int bad_answer(struct vmfm_xport *xport, const struct vmfm_msg *msg)
{
	vmfm_session_fail(xport->session, -EPROTO, "RDMA: the sink sent a bad message of type %u",
			  le16_to_cpu(msg->type));
	return -EPROTO;
}

static int on_accept(struct vmfm_xport *xport, const struct vmfm_msg *msg)
{
	u32 pages = le32_to_cpu(msg->word.chunk_pages);

	if (xport->accepted || !is_power_of_2(pages) || pages > VMFM_BLOCK_PAGES)
		return bad_answer(xport, msg);
	xport->chunk_pages = pages;
	WRITE_ONCE(xport->accepted, true);	/* the wake-up orders chunk_pages before it */
	return 0;
}

static int on_grant(struct vmfm_xport *xport, const struct vmfm_msg *msg)
{
	struct vmfm_session *session = xport->session;
	unsigned int region = le16_to_cpu(msg->region);
	u64 page = le64_to_cpu(msg->range.page);
	struct vmfm_grant *grant;

	if (!smp_load_acquire(&xport->grants) ||	/* pairs with alloc_grants() */
	    region >= session->regions ||
	    page >= session->region[region].pages || page % xport->chunk_pages)
		return bad_answer(xport, msg);
	grant = vmfm_grant_of(xport, region, page);
	if (!grant || grant->given)
		return bad_answer(xport, msg);
	grant->iova = le64_to_cpu(msg->range.iova);
	grant->rkey = le32_to_cpu(msg->range.rkey);
	smp_store_release(&grant->given, true);	/* pairs with granted() */
	atomic_dec(&xport->asked);
	atomic64_inc(&session->chunks);
	trace_vmfm_grant(session->id, region, page, grant->iova, grant->rkey);
	return 0;
}

static int on_round_ack(struct vmfm_xport *xport, const struct vmfm_msg *msg)
{
	u32 number = le32_to_cpu(msg->word.number);

	if (!number || number != READ_ONCE(xport->round_sent))
		return bad_answer(xport, msg);
	WRITE_ONCE(xport->round_acked, number);
	return 0;
}

int vmfm_source_message(struct vmfm_xport *xport, const struct vmfm_msg *msg)
{
	struct vmfm_session *session = xport->session;
	u32 credits = le32_to_cpu(msg->credits);
	int err = 0;

	if (credits > VMFM_MAX_AHEAD + VMFM_FIRST_CREDITS)
		return bad_answer(xport, msg);
	atomic_add(credits, &xport->credits);
	switch (le16_to_cpu(msg->type)) {
	case VMFM_MSG_ACCEPT:
		err = on_accept(xport, msg);
		break;
	case VMFM_MSG_GRANT:
		err = on_grant(xport, msg);
		break;
	case VMFM_MSG_ROUND_ACK:
		err = on_round_ack(xport, msg);
		break;
	case VMFM_MSG_DONE_ACK:
		/* From then on the end of the connection is no failure. */
		if (!READ_ONCE(xport->done_sent)) {
			err = bad_answer(xport, msg);
			break;
		}
		WRITE_ONCE(xport->done, true);
		break;
	case VMFM_MSG_CREDIT:
		break;
	case VMFM_MSG_ERROR:
		err = -(int)min_t(u32, le32_to_cpu(msg->word.error), MAX_ERRNO);
		err = err ?: -EPROTO;
		vmfm_session_fail(session, err, "the sink gave up: error %d", err);
		break;
	default:
		err = bad_answer(xport, msg);
	}
	wake_up_all(&session->wait);
	return err;
}
