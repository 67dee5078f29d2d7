// SPDX-License-Identifier: GPL-2.0-only
/*
 * A sink that means ill, or falls silent, under a source session. That one fails; who
 * writes the file does not notice.
 *
 * Environment: as tracking.h says.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "page.h"
#include "peer.h"
#include "region.h"
#include "tracking.h"
#include "words.h"

#define CHUNK_PAGES	512	/* BLOCK */
#define WAIT_MS		20000

FIXTURE(source)
{
	struct door door;
	struct door_spec spec;
	struct peer peer;
	int id;
	char *area;
	uint64_t generation;
};

FIXTURE_SETUP(source)
{
	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, door_open(&self->door));
	door_spec_init(&self->spec, VMFM_ROLE_SOURCE);
	self->spec.regions = 1;
	self->spec.fd[0] = region_file("wire-source", BLOCK);
	self->area = region_map(self->spec.fd[0], BLOCK);
	ASSERT_NE(MAP_FAILED, self->area);
	self->generation = 1;
	page_stamp(self->area, self->generation);
}

FIXTURE_TEARDOWN(source)
{
	munmap(self->area, BLOCK);
	close(self->spec.fd[0]);
	door_close(&self->door);
	tracking_once();
}

#define source(_helper, ...) _helper(_metadata, self, ##__VA_ARGS__)
#define SOURCE struct __test_metadata *_metadata, FIXTURE_DATA(source) *self

/* A source on its way to us. */
static void approach(SOURCE)
{
	self->spec.addr.sin_port = 0;
	ASSERT_EQ(0, peer_listen(&self->peer, &self->spec.addr));
	self->id = door_new(&self->door, &self->spec);
	ASSERT_LT(0, self->id) TH_LOG("%s", self->door.error);
	ASSERT_EQ(0, door_call(&self->door, VMFM_CMD_SESSION_START, self->id, 0));
	ASSERT_EQ(0, peer_await(&self->peer));
	EXPECT_EQ(VMFM_WIRE_MAGIC, le32toh(self->peer.hello.magic));
	EXPECT_EQ(1, le16toh(self->peer.hello.regions));
	EXPECT_EQ(0, memcmp(self->peer.hello.token, self->spec.token, VMFM_TOKEN_BYTES));
}

static void meet(SOURCE)
{
	struct vmfm_msg msg;

	source(approach);
	ASSERT_EQ(0, peer_accept(&self->peer));
	ASSERT_EQ(0, peer_hear(&self->peer, VMFM_MSG_REGION, &msg));
	EXPECT_EQ(BLOCK / PAGE, le64toh(msg.region_is.pages));
	EXPECT_STREQ("ram0", (char *)msg.region_is.name);
}

static void answer(SOURCE, struct vmfm_msg msg)
{
	EXPECT_EQ(0, peer_send(&self->peer, &msg));
}

static void meet_agreed(SOURCE)
{
	source(meet);
	source(answer, word_number(VMFM_MSG_ACCEPT, CHUNK_PAGES));
	ASSERT_EQ(0, door_wait(&self->door, self->id, VMFM_STATE_READY, WAIT_MS));
}

/* It begins a round, and asks for the one chunk there is. */
static void asked_for(SOURCE)
{
	struct vmfm_msg msg;

	source(meet_agreed);
	ASSERT_EQ(0, door_call(&self->door, VMFM_CMD_SESSION_ROUND, self->id, 0));
	ASSERT_EQ(0, peer_hear(&self->peer, VMFM_MSG_CHUNK, &msg));
	EXPECT_EQ(0, le64toh(msg.range.page));
	EXPECT_EQ(CHUNK_PAGES, le64toh(msg.range.pages));
}

static void grant_right(SOURCE)
{
	source(answer, word_grant(0, 0, CHUNK_PAGES, (uintptr_t)self->peer.target,
				  self->peer.mr->rkey));
}

/* Its pages came, and it waits for the word that they did. */
static void round_sent(SOURCE)
{
	struct vmfm_msg msg;

	source(asked_for);
	source(grant_right);
	ASSERT_EQ(0, peer_hear(&self->peer, VMFM_MSG_ROUND, &msg));
	EXPECT_EQ(1, le32toh(msg.word.number));
	EXPECT_EQ(0, memcmp(self->peer.target, self->area, BLOCK));
}

/* Whoever writes the file does not notice. */
static void expect_writes(SOURCE)
{
	char page[PAGE] = {};
	int i;

	page_stamp(page, ++self->generation);
	for (i = 0; i < 2; i++) {
		page_stamp(self->area + i * PAGE, self->generation);
		EXPECT_TRUE(region_page_is(self->spec.fd[0], i, page));
	}
}

static void part(SOURCE)
{
	source(expect_writes);
	EXPECT_EQ(0, door_call(&self->door, VMFM_CMD_SESSION_DEL, self->id, 0));
	peer_close(&self->peer);
	source(expect_writes);
}

static void gave_up(SOURCE, int error)
{
	int err = door_wait(&self->door, self->id, VMFM_STATE_DONE, WAIT_MS);
	struct door_stats stats = {};

	EXPECT_EQ(-error, err) TH_LOG("%s", self->door.error);
	EXPECT_EQ(0, door_get(&self->door, self->id, &stats));
	EXPECT_EQ(VMFM_STATE_FAILED, stats.state);
	source(part);
}

/* Said when it has come to where @begin leaves it. */
static void each_ends_it(SOURCE, void (*begin)(SOURCE), const struct vmfm_msg *wrong, int count)
{
	int i;

	for (i = 0; i < count; i++) {
		source(begin);
		source(answer, wrong[i]);
		source(gave_up, EPROTO);
	}
}

TEST_F_TIMEOUT(source, wrong_before_accept, 60)
{
	const struct vmfm_msg wrong[] = {
		word_number(VMFM_MSG_ACCEPT, 0),
		word_number(VMFM_MSG_ACCEPT, 3),
		word_number(VMFM_MSG_ACCEPT, 4096),
		word_number(VMFM_MSG_ACCEPT, 1U << 31),
		word_grant(0, 0, CHUNK_PAGES, 0, 7),
		word_number(VMFM_MSG_ROUND_ACK, 1),
		word_number(VMFM_MSG_DONE_ACK, 0),
		word_number(VMFM_MSG_ERROR, 0),
		{ .type = htole16(VMFM_MSG_CREDIT), .credits = htole32(1089) },
		{ .type = htole16(VMFM_MSG_CREDIT), .credits = htole32(UINT32_MAX) },
		word_number(0, 0),
		word_region(0, BLOCK / PAGE, "ram0"),
		word_number(VMFM_MSG_ROUND, 1),
		word_number(VMFM_MSG_DONE, 0),
		word_number(VMFM_MSG_ERROR + 1, 0),
		word_number(0xffff, 0),
	};

	source(each_ends_it, meet, wrong, ARRAY_SIZE(wrong));
}

TEST_F_TIMEOUT(source, errors_and_lengths, 60)
{
	static const struct {
		uint32_t word;
		int error;
	} told[] = { { ENOSPC, ENOSPC }, { 4096, 4095 }, { 1U << 31, 4095 }, { UINT32_MAX, 4095 } };
	char bytes[81] = { VMFM_MSG_CREDIT };
	int i;

	for (i = 0; i < ARRAY_SIZE(told); i++) {
		source(meet_agreed);
		source(answer, word_number(VMFM_MSG_ERROR, told[i].word));
		source(gave_up, told[i].error);
	}
	source(meet_agreed);
	EXPECT_EQ(0, peer_post(&self->peer, IBV_WR_SEND, bytes, 79, 0, 0));
	source(gave_up, EBADMSG);
	source(meet_agreed);
	EXPECT_EQ(0, peer_post(&self->peer, IBV_WR_SEND, bytes, 81, 0, 0));
	source(gave_up, EIO);
}

TEST_F_TIMEOUT(source, wrong_when_ready, 60)
{
	const struct vmfm_msg wrong[] = {
		word_number(VMFM_MSG_ACCEPT, CHUNK_PAGES),
		word_grant(0, 0, CHUNK_PAGES, 0, 7),
		word_number(VMFM_MSG_DONE_ACK, 0),
		word_number(VMFM_MSG_ROUND_ACK, 1),
	};

	source(each_ends_it, meet_agreed, wrong, ARRAY_SIZE(wrong));
}

TEST_F_TIMEOUT(source, wrong_grants, 60)
{
	const struct vmfm_msg wrong[] = {
		word_grant(0, 1, CHUNK_PAGES, 0, 7),
		word_grant(0, CHUNK_PAGES, CHUNK_PAGES, 0, 7),
		word_grant(0, -(uint64_t)CHUNK_PAGES, CHUNK_PAGES, 0, 7),
		word_grant(0, UINT64_MAX, CHUNK_PAGES, 0, 7),
		word_grant(1, 0, CHUNK_PAGES, 0, 7),
		word_grant(0xffff, 0, CHUNK_PAGES, 0, 7),
		word_number(VMFM_MSG_DONE_ACK, 0),
		word_number(VMFM_MSG_ROUND_ACK, 1),
	};

	source(each_ends_it, asked_for, wrong, ARRAY_SIZE(wrong));
	/* Twice. */
	source(asked_for);
	source(grant_right);
	source(grant_right);
	source(gave_up, EPROTO);
	/* A key that is none of ours. */
	source(asked_for);
	source(answer, word_grant(0, 0, CHUNK_PAGES, 0, ~self->peer.mr->rkey));
	source(gave_up, EIO);
	/* And memory that the key is not for. */
	source(asked_for);
	source(answer, word_grant(0, 0, CHUNK_PAGES, -PAGE, self->peer.mr->rkey));
	source(gave_up, EIO);
}

TEST_F_TIMEOUT(source, wrong_acknowledgements, 60)
{
	static const uint32_t wrong[] = { 0, 2, UINT32_MAX };
	struct vmfm_msg msg;
	int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		source(round_sent);
		source(answer, word_number(VMFM_MSG_ROUND_ACK, wrong[i]));
		source(gave_up, EPROTO);
	}
	/* The right one, and the end of all: it has been a sink. */
	source(round_sent);
	source(answer, word_number(VMFM_MSG_ROUND_ACK, 1));
	EXPECT_EQ(0, door_wait(&self->door, self->id, VMFM_STATE_READY, WAIT_MS));
	source(expect_writes);
	EXPECT_EQ(0, door_call(&self->door, VMFM_CMD_SESSION_FINAL, self->id, 5000));
	EXPECT_EQ(0, peer_hear(&self->peer, VMFM_MSG_DONE, &msg));
	EXPECT_EQ(0, memcmp(self->peer.target, self->area, BLOCK));
	source(answer, word_number(VMFM_MSG_DONE_ACK, 0));
	EXPECT_EQ(0, door_wait(&self->door, self->id, VMFM_STATE_DONE, WAIT_MS));
	source(part);
}

TEST_F_TIMEOUT(source, sink_that_goes, 60)
{
	source(meet);
	peer_close(&self->peer);
	source(gave_up, ECONNRESET);
	source(meet_agreed);
	peer_close(&self->peer);
	source(gave_up, ECONNRESET);
	source(asked_for);
	peer_close(&self->peer);
	source(gave_up, ECONNRESET);
	/* It says nothing: the source waits until its owner ends it. */
	source(meet);
	source(part);
	source(asked_for);
	source(part);
	source(round_sent);
	source(part);
	source(approach);
	source(part);
}

TEST_F_TIMEOUT(source, rejections, 60)
{
	struct vmfm_reject reject = { .magic = htole32(VMFM_WIRE_MAGIC),
				      .version = htole16(VMFM_WIRE_VERSION) };
	static const struct {
		uint16_t reason;
		int error;
	} told[] = { { 0, ECONNREFUSED }, { VMFM_REJECT_TOKEN, EACCES },
		     { VMFM_REJECT_LIMITS + 1, ECONNREFUSED }, { 0xffff, ECONNREFUSED } };
	int i;

	for (i = 0; i < ARRAY_SIZE(told); i++) {
		reject.reason = htole16(told[i].reason);
		source(approach);
		EXPECT_EQ(0, peer_reject(&self->peer, &reject, sizeof(reject)));
		source(gave_up, told[i].error);
	}
	source(approach);
	EXPECT_EQ(0, peer_reject(&self->peer, &reject, 3));
	source(gave_up, ECONNREFUSED);
}

TEST_HARNESS_MAIN
