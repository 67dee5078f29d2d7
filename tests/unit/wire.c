// SPDX-License-Identifier: GPL-2.0-only
/* rdma/wire.h: where each field is. A change here is another wire version. */
#include <stddef.h>

#include "rdma/wire.h"
#include "tap.h"

#define AT(type, field, offset, bytes) \
	CHECK(offsetof(struct type, field) == (offset) && \
	      sizeof(((struct type *)0)->field) == (bytes))

static void hello(void)
{
	CHECK(sizeof(struct vmfm_hello) == 48);
	AT(vmfm_hello, magic, 0, 4);
	AT(vmfm_hello, version, 4, 2);
	AT(vmfm_hello, regions, 6, 2);
	AT(vmfm_hello, token, 8, 16);
	AT(vmfm_hello, grants_ahead, 24, 4);
	AT(vmfm_hello, reserved, 28, 20);
}

static void reject(void)
{
	CHECK(sizeof(struct vmfm_reject) == 8);
	AT(vmfm_reject, magic, 0, 4);
	AT(vmfm_reject, version, 4, 2);
	AT(vmfm_reject, reason, 6, 2);
}

static void message(void)
{
	CHECK(sizeof(struct vmfm_msg) == 80);
	AT(vmfm_msg, type, 0, 2);
	AT(vmfm_msg, region, 2, 2);
	AT(vmfm_msg, credits, 4, 4);
	AT(vmfm_msg, bytes, 8, 72);
}

static void bodies(void)
{
	AT(vmfm_msg, region_is.pages, 8, 8);
	AT(vmfm_msg, region_is.name, 16, 64);
	AT(vmfm_msg, range.page, 8, 8);
	AT(vmfm_msg, range.pages, 16, 8);
	AT(vmfm_msg, range.iova, 24, 8);
	AT(vmfm_msg, range.rkey, 32, 4);
	AT(vmfm_msg, word.number, 8, 4);
	AT(vmfm_msg, word.chunk_pages, 12, 4);
	AT(vmfm_msg, word.error, 16, 4);
}

static void numbers(void)
{
	CHECK(VMFM_WIRE_VERSION == 1 && VMFM_WIRE_MAGIC == 0x6d66766d);
	CHECK(VMFM_REJECT_FORMAT == 1 && VMFM_REJECT_VERSION == 2 && VMFM_REJECT_TOKEN == 3);
	CHECK(VMFM_REJECT_PEER == 4 && VMFM_REJECT_TAKEN == 5 && VMFM_REJECT_REGIONS == 6);
	CHECK(VMFM_REJECT_LIMITS == 7);
	CHECK(VMFM_MSG_REGION == 1 && VMFM_MSG_CHUNK == 2 && VMFM_MSG_HOLE == 3);
	CHECK(VMFM_MSG_ROUND == 4 && VMFM_MSG_DONE == 5);
	CHECK(VMFM_MSG_ACCEPT == 16 && VMFM_MSG_GRANT == 17 && VMFM_MSG_ROUND_ACK == 18);
	CHECK(VMFM_MSG_DONE_ACK == 19 && VMFM_MSG_CREDIT == 20 && VMFM_MSG_ERROR == 21);
}

int main(void)
{
	static const struct test tests[] = {
		{ "hello", hello },
		{ "reject", reject },
		{ "message", message },
		{ "bodies of messages", bodies },
		{ "numbers", numbers },
	};

	return TAP_RUN(tests);
}
