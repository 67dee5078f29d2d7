// SPDX-License-Identifier: GPL-2.0-only
/*
 * A source that means ill: it knows the session's token and speaks rdma/wire.h, and says
 * what the module's own source never would. The session fails, and nothing else does: what
 * was not granted is not written, and the next migration works.
 *
 * Environment: as tracking.h says; VMFM_WIRE_SEED repeats a random run, of
 * VMFM_WIRE_SESSIONS sessions.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "page.h"
#include "peer.h"
#include "region.h"
#include "tracking.h"
#include "words.h"

#define REGIONS		2
#define CHUNKS		3	/* of a region, at most */
#define CHUNK_PAGES	512	/* with soft-RoCE */
#define TAIL_PAGES	3	/* of the last chunk of the first region */
#define AHEAD		32
#define WAIT_MS		20000
#define MANY		1000	/* messages: more than there are credits */
#define SESSIONS	40
#define MESSAGES	24	/* of a session of random ones, at most */

static const uint64_t pages_of[REGIONS] = { 2 * CHUNK_PAGES + TAIL_PAGES, CHUNK_PAGES };

FIXTURE(sink)
{
	struct door door;
	struct door_spec spec;
	struct vmfm_hello hello;
	struct peer peer;
	int id;
	bool asked[REGIONS][CHUNKS];	/* may hold something */
};

FIXTURE_SETUP(sink)
{
	int i;

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, door_open(&self->door));
	door_spec_init(&self->spec, VMFM_ROLE_SINK);
	self->spec.discard = true;
	self->spec.regions = REGIONS;
	for (i = 0; i < REGIONS; i++)
		self->spec.fd[i] = region_file("wire-sink", pages_of[i] * PAGE);
	self->hello = (struct vmfm_hello){
		.magic = htole32(VMFM_WIRE_MAGIC), .version = htole16(VMFM_WIRE_VERSION),
		.regions = htole16(REGIONS), .grants_ahead = htole32(AHEAD),
	};
	memcpy(self->hello.token, self->spec.token, sizeof(self->hello.token));
}

FIXTURE_TEARDOWN(sink)
{
	int i;

	for (i = 0; i < REGIONS; i++)
		close(self->spec.fd[i]);
	door_close(&self->door);
	tracking_once();
}

/* Helpers are called as sink(helper, ...): with what a test has. */
#define sink(_helper, ...) _helper(_metadata, self, ##__VA_ARGS__)
#define SINK struct __test_metadata *_metadata, FIXTURE_DATA(sink) *self

static void listen_new(SINK)
{
	self->spec.addr.sin_port = 0;
	memset(self->asked, 0, sizeof(self->asked));
	self->id = door_new(&self->door, &self->spec);
	ASSERT_LT(0, self->id) TH_LOG("%s", self->door.error);
}

static int connect_peer(SINK, struct peer *peer, const struct vmfm_hello *hello)
{
	return peer_connect(peer, &self->spec.addr, hello, sizeof(*hello));
}

static void begin(SINK)
{
	sink(listen_new);
	ASSERT_EQ(0, sink(connect_peer, &self->peer, &self->hello));
}

static void say(SINK, struct vmfm_msg msg)
{
	EXPECT_EQ(0, peer_send(&self->peer, &msg));
}

static void say_regions(SINK, int regions)
{
	int i;

	for (i = 0; i < regions; i++)
		sink(say, word_region(i, pages_of[i], self->spec.name[i]));
}

static void begin_agreed(SINK)
{
	struct vmfm_msg msg;

	sink(begin);
	sink(say_regions, REGIONS);
	ASSERT_EQ(0, peer_hear(&self->peer, VMFM_MSG_ACCEPT, &msg));
	ASSERT_EQ(CHUNK_PAGES, le32toh(msg.word.chunk_pages));
	EXPECT_EQ(0, door_wait(&self->door, self->id, VMFM_STATE_READY, WAIT_MS));
}

static void ask(SINK, int region, uint64_t page, uint64_t pages)
{
	self->asked[region][page / CHUNK_PAGES] = true;
	sink(say, word_range(VMFM_MSG_CHUNK, region, page, pages));
}

static struct vmfm_msg ask_granted(SINK, int region, uint64_t page, uint64_t pages)
{
	struct vmfm_msg msg = {};

	sink(ask, region, page, pages);
	EXPECT_EQ(0, peer_hear(&self->peer, VMFM_MSG_GRANT, &msg));
	EXPECT_EQ(page, le64toh(msg.range.page));
	EXPECT_EQ(pages, le64toh(msg.range.pages));
	return msg;
}

static int write_page(SINK, uint64_t iova, uint32_t key, uint64_t value)
{
	char page[PAGE] = {};

	page_stamp(page, value);
	return peer_post(&self->peer, IBV_WR_RDMA_WRITE, page, sizeof(page), iova, key);
}

/* What was never asked for is a hole. Counted first: who reads a hole may fill it. */
static void expect_untouched(SINK)
{
	static const char zeros[PAGE];
	unsigned long bad = 0, most;
	struct stat stat;
	uint64_t page;
	int i, chunk;

	for (i = 0; i < REGIONS; i++) {
		for (most = 0, chunk = 0; chunk < CHUNKS; chunk++)
			most += self->asked[i][chunk] ? CHUNK_PAGES : 0;
		EXPECT_EQ(0, fstat(self->spec.fd[i], &stat));
		EXPECT_LE(stat.st_blocks * 512 / PAGE, most);
		for (page = 0; page < pages_of[i]; page++)
			bad += !self->asked[i][page / CHUNK_PAGES] &&
			       !region_page_is(self->spec.fd[i], page, zeros);
	}
	EXPECT_EQ(0, bad);
}

static void end(SINK)
{
	EXPECT_EQ(0, door_call(&self->door, VMFM_CMD_SESSION_DEL, self->id, 0));
	peer_close(&self->peer);
	sink(expect_untouched);
}

static int state_of(SINK)
{
	struct door_stats stats = {};

	EXPECT_EQ(0, door_get(&self->door, self->id, &stats));
	return stats.state;
}

/* It failed with that error; 0: with any. */
static void failed(SINK, int error)
{
	int err = door_wait(&self->door, self->id, VMFM_STATE_DONE, WAIT_MS);

	if (error)
		EXPECT_EQ(-error, err) TH_LOG("%s", self->door.error);
	EXPECT_EQ(VMFM_STATE_FAILED, sink(state_of));
	sink(end);
}

/* The same, and the peer was told. */
static void refused(SINK, int error)
{
	struct vmfm_msg msg = {};

	EXPECT_EQ(0, peer_hear(&self->peer, VMFM_MSG_ERROR, &msg));
	EXPECT_EQ(error, le32toh(msg.word.error));
	sink(failed, error);
}

TEST_F_TIMEOUT(sink, before_its_regions, 60)
{
	const struct vmfm_msg early[] = {
		{ .type = htole16(VMFM_MSG_DONE) },
		word_number(VMFM_MSG_ROUND, 1),
		word_range(VMFM_MSG_CHUNK, 0, 0, CHUNK_PAGES),
		word_range(VMFM_MSG_HOLE, 0, 0, 1),
	};
	int i, told;

	for (told = 0; told < REGIONS; told++)
		for (i = 0; i < ARRAY_SIZE(early); i++) {
			sink(begin);
			sink(say_regions, told);
			sink(say, early[i]);
			sink(refused, EPROTO);
		}
}

TEST_F_TIMEOUT(sink, wrong_regions, 60)
{
	char endless[VMFM_WIRE_NAME_BYTES + 1];
	const struct {
		int told;	/* right ones before it */
		struct vmfm_msg msg;
		int error;
	} wrong[] = {
		{ 0, word_region(1, pages_of[1], "ram1"), EPROTO },
		{ 1, word_region(0, pages_of[0], "ram0"), EPROTO },
		{ 0, word_region(0xffff, pages_of[0], "ram0"), EPROTO },
		{ 2, word_region(2, pages_of[0], "ram2"), EPROTO },
		{ 2, word_region(0, pages_of[0], "ram0"), EPROTO },
		{ 0, word_region(0, pages_of[0] + 1, "ram0"), EINVAL },
		{ 0, word_region(0, 0, "ram0"), EINVAL },
		{ 0, word_region(0, UINT64_MAX, "ram0"), EINVAL },
		{ 0, word_region(0, pages_of[0], ""), EINVAL },
		{ 1, word_region(1, pages_of[1], "ram0"), EINVAL },
		{ 0, word_region(0, pages_of[0], memset(endless, 'r', sizeof(endless))), EINVAL },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		sink(begin);
		sink(say_regions, wrong[i].told);
		sink(say, wrong[i].msg);
		sink(refused, wrong[i].error);
	}
}

TEST_F_TIMEOUT(sink, wrong_chunks, 60)
{
	static const struct {
		int region;
		uint64_t page, pages;
	} wrong[] = {
		{ 0, 1, CHUNK_PAGES - 1 },
		{ 0, 0, 0 },
		{ 0, 0, CHUNK_PAGES + 1 },
		{ 0, 0, UINT64_MAX },
		{ 0, 2 * CHUNK_PAGES, TAIL_PAGES + 1 },
		{ 0, 3 * CHUNK_PAGES, 1 },
		{ 0, UINT64_MAX, 1 },
		{ 0, -(uint64_t)CHUNK_PAGES, 2 * CHUNK_PAGES },
		{ 0, 1ULL << 63, CHUNK_PAGES },
		{ REGIONS, 0, 1 },
		{ 0xffff, 0, 1 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		sink(begin_agreed);
		sink(say, word_range(VMFM_MSG_CHUNK, wrong[i].region, wrong[i].page,
				    wrong[i].pages));
		sink(refused, EPROTO);
	}
}

TEST_F(sink, chunk_twice)
{
	sink(begin_agreed);
	sink(ask_granted, 0, CHUNK_PAGES, CHUNK_PAGES);
	sink(ask, 0, CHUNK_PAGES, CHUNK_PAGES);
	sink(refused, EPROTO);
	/* Before the first was answered. */
	sink(begin_agreed);
	sink(ask, 1, 0, CHUNK_PAGES);
	sink(ask, 1, 0, 1);
	sink(refused, EPROTO);
}

TEST_F_TIMEOUT(sink, wrong_holes, 60)
{
	static const struct {
		int region;
		uint64_t page, pages;
	} wrong[] = {
		{ 0, 0, 0 },
		{ 0, 0, CHUNK_PAGES + 1 },
		{ 0, CHUNK_PAGES - 1, 2 },
		{ 0, CHUNK_PAGES - 1, UINT64_MAX },
		{ 0, 0, UINT64_MAX },
		{ 0, 2 * CHUNK_PAGES, TAIL_PAGES + 1 },
		{ 0, 2 * CHUNK_PAGES + TAIL_PAGES, 1 },
		{ 0, UINT64_MAX, 1 },
		{ 0, UINT64_MAX, 2 },
		{ REGIONS, 0, 1 },
		{ 0xffff, 0, 1 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		sink(begin_agreed);
		sink(ask_granted, 0, 0, CHUNK_PAGES);
		sink(say, word_range(VMFM_MSG_HOLE, wrong[i].region, wrong[i].page,
				    wrong[i].pages));
		sink(refused, EPROTO);
	}
}

/* Unknown ones, and those that a sink says. */
TEST_F_TIMEOUT(sink, wrong_types, 60)
{
	static const uint16_t types[] = {
		0, VMFM_MSG_DONE + 1, VMFM_MSG_ACCEPT, VMFM_MSG_GRANT, VMFM_MSG_ROUND_ACK,
		VMFM_MSG_DONE_ACK, VMFM_MSG_CREDIT, VMFM_MSG_ERROR, VMFM_MSG_ERROR + 1, 0xffff,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		if (i % 2)
			sink(begin_agreed);
		else
			sink(begin);
		sink(say, word_number(types[i], 1));
		sink(refused, EPROTO);
	}
}

/* The device tells one that is longer than its buffer, with an error of its own. */
TEST_F_TIMEOUT(sink, wrong_lengths, 60)
{
	static const struct {
		size_t bytes;
		int error;
	} wrong[] = {
		{ 0, EBADMSG }, { 1, EBADMSG }, { 79, EBADMSG }, { 81, EIO }, { 8192, EIO },
	};
	char bytes[8192] = { VMFM_MSG_REGION };
	int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		sink(begin);
		EXPECT_EQ(0, peer_post(&self->peer, IBV_WR_SEND, bytes, wrong[i].bytes, 0, 0));
		sink(failed, wrong[i].error);
	}
}

TEST_F(sink, other_requests)
{
	struct vmfm_msg msg = word_region(0, pages_of[0], "ram0");

	/* Immediate data in a message is not looked at. */
	sink(begin);
	EXPECT_EQ(0, peer_post(&self->peer, IBV_WR_SEND_WITH_IMM, &msg, sizeof(msg), 0, 77));
	sink(say, word_region(1, pages_of[1], "ram1"));
	EXPECT_EQ(0, door_wait(&self->door, self->id, VMFM_STATE_READY, WAIT_MS));
	sink(end);
	/* In a write it makes a message of it, of none of the lengths. */
	sink(begin_agreed);
	EXPECT_EQ(0, peer_post(&self->peer, IBV_WR_RDMA_WRITE_WITH_IMM, NULL, 0, 0, 77));
	sink(failed, EBADMSG);
	/* A key that nobody gave is not there to be taken back. */
	sink(begin_agreed);
	EXPECT_EQ(0, peer_post(&self->peer, IBV_WR_SEND_WITH_INV, &msg, sizeof(msg), 0, 0x7777));
	sink(failed, 0);
	/* One that was given is, by the device; the sink's own end comes after it. */
	sink(begin_agreed);
	msg = sink(ask_granted, 0, 0, CHUNK_PAGES);
	EXPECT_EQ(0, peer_post(&self->peer, IBV_WR_SEND_WITH_INV, &msg, sizeof(msg), 0,
			       le32toh(msg.range.rkey)));
	sink(refused, EPROTO);
}

/* Without waiting for credits: the device holds up who sends, and each is answered. */
TEST_F_TIMEOUT(sink, more_than_its_credits, 60)
{
	struct vmfm_msg msg;
	int i;

	sink(begin_agreed);
	for (i = 0; i < MANY; i++)
		sink(say, word_range(VMFM_MSG_HOLE, 0, i, 1));
	sink(say, word_number(VMFM_MSG_ROUND, MANY));
	EXPECT_EQ(0, peer_hear(&self->peer, VMFM_MSG_ROUND_ACK, &msg));
	EXPECT_EQ(MANY, le32toh(msg.word.number));
	EXPECT_EQ(0, peer_wait(&self->peer));
	EXPECT_EQ(VMFM_STATE_READY, sink(state_of));
	sink(end);
}

/* What it is sent finds no buffer. */
TEST_F_TIMEOUT(sink, deaf, 90)
{
	int i;

	self->peer.deaf = true;
	sink(begin);
	sink(say_regions, REGIONS);
	for (i = 1; i < 100; i++)
		sink(say, word_number(VMFM_MSG_ROUND, i));
	EXPECT_EQ(0, door_wait(&self->door, self->id, VMFM_STATE_READY, WAIT_MS));
	sink(end);
	/* It can not be told why the sink fails; which fails. */
	self->peer.deaf = true;
	sink(begin);
	sink(say, word_number(VMFM_MSG_DONE, 0));
	sink(failed, EPROTO);
	self->peer.deaf = true;
	sink(begin);
	sink(say, word_number(VMFM_MSG_DONE, 0));
	sink(end);
}

TEST_F_TIMEOUT(sink, writes_with_other_keys, 60)
{
	static const uint32_t other[] = { 1, 0xff, 0x100, 0x700, 0x80000000, 0xffffff00 };
	int i;

	/* None was given. */
	sink(begin_agreed);
	sink(write_page, 0, 0, 1);
	EXPECT_EQ(-EIO, peer_wait(&self->peer));
	sink(failed, EIO);
	for (i = 0; i < ARRAY_SIZE(other); i++) {
		struct vmfm_msg grant;

		sink(begin_agreed);
		grant = sink(ask_granted, 1, 0, CHUNK_PAGES);
		sink(write_page, 0, le32toh(grant.range.rkey) ^ other[i], 1);
		EXPECT_EQ(-EIO, peer_wait(&self->peer));
		sink(failed, EIO);
	}
}

TEST_F_TIMEOUT(sink, writes_beside_the_chunk, 60)
{
	/* From its beginning; the chunk has TAIL_PAGES. */
	static const int64_t beside[] = {
		TAIL_PAGES * PAGE, TAIL_PAGES * PAGE - 1, -PAGE, -1, CHUNK_PAGES * PAGE,
		-2 * (int64_t)(CHUNK_PAGES * PAGE), INT64_MAX, INT64_MIN,
	};
	char page[PAGE] = {};
	int i;

	page_stamp(page, 3);
	for (i = 0; i < ARRAY_SIZE(beside); i++) {
		uint64_t first = 2 * CHUNK_PAGES;
		struct vmfm_msg grant;

		sink(begin_agreed);
		grant = sink(ask_granted, 0, first, TAIL_PAGES);
		EXPECT_EQ(first * PAGE, le64toh(grant.range.iova));
		EXPECT_EQ(0, sink(write_page, first * PAGE, le32toh(grant.range.rkey), 3));
		EXPECT_EQ(0, peer_wait(&self->peer));
		sink(write_page, first * PAGE + beside[i], le32toh(grant.range.rkey), 4);
		EXPECT_EQ(-EIO, peer_wait(&self->peer));
		sink(failed, EIO);
		EXPECT_TRUE(region_page_is(self->spec.fd[0], first, page));
	}
}

/* It has its key until then, and writes and holes come to be where they should. */
TEST_F_TIMEOUT(sink, writes_after_done, 60)
{
	static const char zeros[PAGE];
	struct vmfm_msg grant, msg;
	char page[PAGE] = {};
	uint32_t key;

	page_stamp(page, 5);
	sink(begin_agreed);
	grant = sink(ask_granted, 1, 0, CHUNK_PAGES);
	key = le32toh(grant.range.rkey);
	EXPECT_EQ(0, sink(write_page, 0, key, 5));
	EXPECT_EQ(0, sink(write_page, PAGE, key, 5));
	sink(say, word_range(VMFM_MSG_HOLE, 1, 1, 1));
	sink(say, word_number(VMFM_MSG_DONE, 0));
	EXPECT_EQ(0, peer_hear(&self->peer, VMFM_MSG_DONE_ACK, &msg));
	EXPECT_EQ(0, door_wait(&self->door, self->id, VMFM_STATE_DONE, WAIT_MS));
	sink(write_page, 0, key, 6);
	sink(say, word_range(VMFM_MSG_HOLE, 1, 0, 1));
	EXPECT_EQ(-EIO, peer_wait(&self->peer));
	EXPECT_EQ(VMFM_STATE_DONE, sink(state_of));
	EXPECT_TRUE(region_page_is(self->spec.fd[1], 0, page));
	EXPECT_TRUE(region_page_is(self->spec.fd[1], 1, zeros));
	sink(end);
}

/* None of them is an end of the session: the right one is taken after all. */
TEST_F_TIMEOUT(sink, wrong_hellos, 60)
{
	struct vmfm_hello wrong[8];
	static const int reason[ARRAY_SIZE(wrong)] = {
		VMFM_REJECT_FORMAT, VMFM_REJECT_VERSION, VMFM_REJECT_FORMAT, VMFM_REJECT_TOKEN,
		VMFM_REJECT_REGIONS, VMFM_REJECT_REGIONS, VMFM_REJECT_LIMITS, VMFM_REJECT_LIMITS,
	};
	struct peer second = {};
	int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		wrong[i] = self->hello;
	wrong[0].magic = ~self->hello.magic;
	wrong[1].version = htole16(VMFM_WIRE_VERSION + 1);
	wrong[2].reserved[19] = 1;
	wrong[3].token[15] ^= 1;
	wrong[4].regions = 0;
	wrong[5].regions = htole16(REGIONS + 1);
	wrong[6].grants_ahead = 0;
	wrong[7].grants_ahead = htole32(1025);
	sink(listen_new);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(reason[i], sink(connect_peer, &second, &wrong[i]));
		peer_close(&second);
	}
	/* Nothing at all, and a part of the right one: the rest is zeros. */
	EXPECT_EQ(VMFM_REJECT_FORMAT, peer_connect(&second, &self->spec.addr, NULL, 0));
	peer_close(&second);
	EXPECT_EQ(VMFM_REJECT_TOKEN, peer_connect(&second, &self->spec.addr, &self->hello, 20));
	peer_close(&second);
	EXPECT_EQ(VMFM_STATE_NEW, sink(state_of));
	ASSERT_EQ(0, sink(connect_peer, &self->peer, &self->hello));
	EXPECT_EQ(VMFM_REJECT_TAKEN, sink(connect_peer, &second, &self->hello));
	peer_close(&second);
	sink(say_regions, REGIONS);
	EXPECT_EQ(0, door_wait(&self->door, self->id, VMFM_STATE_READY, WAIT_MS));
	sink(end);
}

TEST_F(sink, another_host)
{
	inet_pton(AF_INET, "192.0.2.9", &self->spec.peer.sin_addr);
	sink(listen_new);
	EXPECT_EQ(VMFM_REJECT_PEER, sink(connect_peer, &self->peer, &self->hello));
	EXPECT_EQ(VMFM_STATE_NEW, sink(state_of));
	sink(end);
}

/* It stays as it is until its owner ends it, and that does not wait for the peer. */
TEST_F(sink, silent)
{
	sink(begin);
	EXPECT_EQ(VMFM_STATE_NEW, sink(state_of));
	sink(end);
	sink(begin_agreed);
	sink(ask_granted, 0, 0, CHUNK_PAGES);
	EXPECT_EQ(VMFM_STATE_READY, sink(state_of));
	sink(end);
	sink(listen_new);
	EXPECT_EQ(0, peer_connect_halfway(&self->peer, &self->spec.addr, &self->hello,
					  sizeof(self->hello)));
	EXPECT_EQ(VMFM_STATE_NEW, sink(state_of));
	sink(end);
}

static void go_away(SINK, int error)
{
	peer_close(&self->peer);
	sink(failed, error);
}

TEST_F_TIMEOUT(sink, gone, 60)
{
	int i;

	sink(begin);
	sink(go_away, ECONNRESET);
	sink(begin);
	sink(say_regions, 1);
	EXPECT_EQ(0, peer_wait(&self->peer));
	sink(go_away, ECONNRESET);
	sink(begin_agreed);
	sink(ask_granted, 0, 0, CHUNK_PAGES);
	sink(go_away, ECONNRESET);
	/* While it is answered; what fails first is a matter of luck. */
	for (i = 0; i < 4; i++) {
		sink(begin_agreed);
		sink(ask, 0, 0, CHUNK_PAGES);
		sink(ask, 0, CHUNK_PAGES, CHUNK_PAGES);
		sink(ask, 0, 2 * CHUNK_PAGES, TAIL_PAGES);
		if (i < 2)
			EXPECT_EQ(0, peer_wait(&self->peer));
		sink(go_away, 0);
	}
}

/* What a session of random messages may come to, by what was said in it. */
struct chatter {
	uint32_t seed;
	int regions;		/* told as they are, one after the other */
	bool agreed, done;
	uint32_t key;		/* of the last chunk that was granted */
	uint64_t iova;
};

static uint64_t odd_number(uint32_t *seed)
{
	static const uint64_t odd[] = { 0, 1, 2, 511, 512, 513, 1024, 1027, 1028, 1ULL << 31,
					1ULL << 32, 1ULL << 52, 1ULL << 63, UINT64_MAX };

	if (roll(seed) % 4)
		return odd[roll(seed) % ARRAY_SIZE(odd)];
	return (uint64_t)roll(seed) << 32 | roll(seed);
}

static struct vmfm_msg right_msg(SINK, struct chatter *chatter)
{
	int region = roll(&chatter->seed) % REGIONS, chunk;
	uint64_t first, pages;

	if (chatter->regions < REGIONS)
		return word_region(chatter->regions, pages_of[chatter->regions],
				  self->spec.name[chatter->regions]);
	chunk = roll(&chatter->seed) % ((pages_of[region] + CHUNK_PAGES - 1) / CHUNK_PAGES);
	first = chunk * CHUNK_PAGES;
	pages = pages_of[region] - first < CHUNK_PAGES ? pages_of[region] - first : CHUNK_PAGES;
	switch (roll(&chatter->seed) % 8) {
	case 0:
		return word_number(VMFM_MSG_DONE, 0);
	case 1:
	case 2:
		return word_number(VMFM_MSG_ROUND, roll(&chatter->seed));
	case 3:
	case 4:
		return word_range(VMFM_MSG_HOLE, region, first + roll(&chatter->seed) % pages, 1);
	default:
		if (self->asked[region][chunk])
			return word_number(VMFM_MSG_ROUND, 0);
		return word_range(VMFM_MSG_CHUNK, region, first, pages);
	}
}

static struct vmfm_msg half_right_msg(SINK, struct chatter *chatter)
{
	struct vmfm_msg msg = sink(right_msg, chatter);
	size_t i;

	switch (roll(&chatter->seed) % 5) {
	case 0:
		msg.type = htole16(roll(&chatter->seed) % 24);
		break;
	case 1:
		msg.region = htole16(odd_number(&chatter->seed));
		break;
	case 2:
		msg.range.page = htole64(odd_number(&chatter->seed));
		break;
	case 3:
		msg.range.pages = htole64(odd_number(&chatter->seed));
		break;
	default:
		for (i = 0; i < sizeof(msg.bytes); i++)
			msg.bytes[i] = roll(&chatter->seed);
	}
	return msg;
}

/* What is said allows for, were all of it right so far. */
static void note(SINK, struct chatter *chatter, const struct vmfm_msg *msg)
{
	uint64_t page = le64toh(msg->range.page);
	int region = le16toh(msg->region);

	switch (le16toh(msg->type)) {
	case VMFM_MSG_REGION:
		chatter->regions += region == chatter->regions && region < REGIONS &&
				    le64toh(msg->region_is.pages) == pages_of[region];
		break;
	case VMFM_MSG_CHUNK:
		if (region < REGIONS && page < pages_of[region])
			self->asked[region][page / CHUNK_PAGES] = true;
		break;
	case VMFM_MSG_DONE:
		chatter->done |= chatter->regions == REGIONS;
		break;
	}
}

static void listen_to_it(SINK, struct chatter *chatter)
{
	struct vmfm_msg msg;

	while (!peer_receive(&self->peer, &msg, roll(&chatter->seed) % 4)) {
		if (le16toh(msg.type) != VMFM_MSG_GRANT)
			continue;
		chatter->key = le32toh(msg.range.rkey);
		chatter->iova = le64toh(msg.range.iova);
	}
}

static void say_something(SINK, struct chatter *chatter)
{
	struct vmfm_msg msg;
	char page[PAGE];
	uint64_t iova;

	switch (roll(&chatter->seed) % 16) {
	case 0:
		msg = sink(half_right_msg, chatter);
		break;
	case 1:
		memset(page, roll(&chatter->seed), sizeof(page));
		peer_post(&self->peer, IBV_WR_SEND, page, odd_number(&chatter->seed) % PAGE, 0, 0);
		return;
	case 2:
		iova = chatter->iova + roll(&chatter->seed) % CHUNK_PAGES * PAGE;
		sink(write_page, iova, chatter->key, roll(&chatter->seed));
		return;
	case 3:
		iova = roll(&chatter->seed) % 2 ? odd_number(&chatter->seed) : chatter->iova;
		sink(write_page, iova, chatter->key ^ roll(&chatter->seed) % 2,
		     roll(&chatter->seed));
		return;
	case 4:
	case 5:
		sink(listen_to_it, chatter);
		return;
	default:
		msg = sink(right_msg, chatter);
	}
	sink(note, chatter, &msg);
	peer_send(&self->peer, &msg);
}

/* Once what was said is read; whatever state that is, it is one that was earned. */
static int random_session(SINK, uint32_t seed)
{
	struct chatter chatter = { .seed = seed };
	int i, messages = 1 + roll(&chatter.seed) % MESSAGES, state;

	self->peer.deaf = !(roll(&chatter.seed) % 8);
	sink(begin);
	for (i = 0; i < messages; i++)
		sink(say_something, &chatter);
	peer_wait(&self->peer);
	if (roll(&chatter.seed) % 4)
		sink(listen_to_it, &chatter);
	state = sink(state_of);
	EXPECT_TRUE(state == VMFM_STATE_FAILED || state == VMFM_STATE_NEW ||
		    (state == VMFM_STATE_READY && chatter.regions == REGIONS) ||
		    (state == VMFM_STATE_DONE && chatter.done)) {
		TH_LOG("seed %#x: state %d", seed, state);
	}
	sink(end);
	return state;
}

TEST_F_TIMEOUT(sink, random_messages, 300)
{
	const char *again = getenv("VMFM_WIRE_SEED"), *count = getenv("VMFM_WIRE_SESSIONS");
	uint32_t seed = again ? strtoul(again, NULL, 0) : time(NULL) | 1;
	int i, sessions = count ? atoi(count) : SESSIONS, states[VMFM_STATE_FAILED + 1] = {};

	TH_LOG("VMFM_WIRE_SEED=%#x", seed);
	for (i = 0; i < sessions; i++)
		states[sink(random_session, roll(&seed))]++;
	TH_LOG("%d failed, %d done, %d ready, %d new", states[VMFM_STATE_FAILED],
	       states[VMFM_STATE_DONE], states[VMFM_STATE_READY], states[VMFM_STATE_NEW]);
}

TEST_HARNESS_MAIN
