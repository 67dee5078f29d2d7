// SPDX-License-Identifier: GPL-2.0-only
/*
 * One allocation fails, first the first, then the second, and so on until the
 * call makes no more. Each time the call answers an error that says so, leaves
 * nothing behind, and works the next time; or it does without and works.
 *
 * Environment: VMFM_ADDR, an IPv4 address of an RDMA device.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <malloc.h>
#include <netlink/attr.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "kselftest_harness.h"
#include "pair.h"

#define FAULTS_MAX	4000
#define HOLE_FROM	(5 * PAGE_BYTES)
#define HOLE_BYTES	(3 * PAGE_BYTES)

FIXTURE(inject)
{
	struct pair pair;
};

/*
 * @prepare and @check run without faults; both answer what is wrong, or NULL.
 * @check is told what @act answered, and undoes it.
 */
struct trial {
	const char *(*prepare)(struct pair *pair);
	int (*act)(struct pair *pair);
	const char *(*check)(struct pair *pair, int err);
	bool survives;		/* does without what it did not get */
};

static void open_pair(struct __test_metadata *_metadata, struct pair *pair)
{
	const char *wrong;

	mallopt(M_TRIM_THRESHOLD, -1);	/* only the kernel is to run out of memory */
	mallopt(M_MMAP_THRESHOLD, 64 << 20);
	ASSERT_TRUE(fault_open()) TH_LOG("this kernel injects no faults: %s", strerror(errno));
	wrong = pair_open(pair, getenv("VMFM_ADDR") ?: "10.77.1.1");
	ASSERT_EQ(NULL, wrong) TH_LOG("%s", wrong);
}

static void close_pair(struct __test_metadata *_metadata, struct pair *pair)
{
	const char *wrong = pair_close(pair);

	EXPECT_EQ(NULL, wrong) TH_LOG("%s", wrong);
}

FIXTURE_SETUP(inject)
{
	open_pair(_metadata, &self->pair);
}

FIXTURE_TEARDOWN(inject)
{
	close_pair(_metadata, &self->pair);
}

static bool is_memory_error(int err)
{
	return err == -ENOMEM || err == -ENOBUFS;
}

/* One call. Answers whether a fault struck it; the first one, 0, runs without. */
static bool one_fault(struct __test_metadata *_metadata, struct pair *pair,
		      const struct trial *trial, unsigned int nth, int *err)
{
	const char *wrong = trial->prepare ? trial->prepare(pair) : NULL;
	bool struck;

	ASSERT_EQ(NULL, wrong) TH_LOG("before allocation %u fails: %s", nth, wrong);
	fault_arm(nth);
	*err = trial->act(pair);
	struck = fault_disarm();
	if (*err < 0 && (!nth || !struck))
		wrong = "an error without a cause";
	else if (*err < 0 && !is_memory_error(*err))
		wrong = "not an error that means memory";
	else
		wrong = trial->check(pair, *err);
	ASSERT_EQ(NULL, wrong) TH_LOG("allocation %u failed, the call answered %d: %s", nth, *err,
				      wrong);
	return struck;
}

static void each_fault(struct __test_metadata *_metadata, struct pair *pair,
		       const struct trial *trial)
{
	unsigned int nth = 0, errors = 0;
	bool struck = false;
	int err;

	do {
		struck = one_fault(_metadata, pair, trial, nth, &err);
		errors += err < 0;
		nth++;
	} while ((nth == 1 || struck) && nth <= FAULTS_MAX);
	TH_LOG("%u allocations, %u of them end the call", nth - 2, errors);
	EXPECT_FALSE(struck);
	if (trial->survives)
		return;		/* it may need no memory at all */
	EXPECT_GT(nth, 2);
	EXPECT_GT(errors, 0);
}

static const char *second_dir(struct pair *pair)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s-2", pair->dir);
	return path;
}

static int act_mount(struct pair *pair)
{
	return mount("none", second_dir(pair), VMFM_FS_NAME, 0, "size=16M,mode=0750") ? -errno : 0;
}

static const char *check_mount(struct pair *pair, int err)
{
	if (!err)
		return umount(second_dir(pair)) ? "cannot unmount" : pair_gone(pair);
	if (!umount(second_dir(pair)))
		return "mounted in spite of the error";
	return pair_gone(pair);
}

TEST_F_TIMEOUT(inject, mount, 150)
{
	const struct trial trial = { .act = act_mount, .check = check_mount };

	ASSERT_EQ(0, mkdir(second_dir(&self->pair), 0700));
	each_fault(_metadata, &self->pair, &trial);
	rmdir(second_dir(&self->pair));
}

static const char *third_file(struct pair *pair)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/third", pair->dir);
	return path;
}

/* An inode that cannot be made is ENOSPC, as in other filesystems without a disk. */
static int act_create(struct pair *pair)
{
	int fd = open(third_file(pair), O_RDWR | O_CREAT | O_EXCL, 0600);

	if (fd < 0)
		return errno == ENOSPC ? -ENOMEM : -errno;
	close(fd);
	return 0;
}

/* open(2) fails before the file is made, or after: what is there then is whole. */
static const char *check_create(struct pair *pair, int err)
{
	struct stat st;
	bool there = !stat(third_file(pair), &st);

	if (!there)
		return err ? NULL : "made, and not there";
	if (!S_ISREG(st.st_mode) || st.st_size || st.st_nlink != 1)
		return "half a file";
	return unlink(third_file(pair)) ? "cannot be unlinked" : NULL;
}

TEST_F_TIMEOUT(inject, create, 60)
{
	const struct trial trial = { .act = act_create, .check = check_create };

	each_fault(_metadata, &self->pair, &trial);
}

static int act_mkdir(struct pair *pair)
{
	if (!mkdir(third_file(pair), 0700))
		return 0;
	return errno == ENOSPC ? -ENOMEM : -errno;
}

static const char *check_mkdir(struct pair *pair, int err)
{
	struct stat st;

	if (err)
		return stat(third_file(pair), &st) ? NULL : "made in spite of the error";
	return rmdir(third_file(pair)) ? "cannot be removed" : NULL;
}

TEST_F_TIMEOUT(inject, mkdir, 60)
{
	const struct trial trial = { .act = act_mkdir, .check = check_mkdir };

	each_fault(_metadata, &self->pair, &trial);
}

static const char *use_whole_file(struct pair *pair)
{
	struct stat st;

	if (fallocate(pair->source_fd, 0, 0, PAIR_BYTES))
		return "no memory although none is refused";
	pair->area[0] = 1;
	pair->area[PAIR_BYTES - 1] = 2;
	fstat(pair->source_fd, &st);
	if (st.st_blocks * 512UL != PAIR_BYTES || pair_used_pages(pair) != PAIR_BYTES / PAGE_BYTES)
		return "its pages are miscounted";
	return NULL;
}

static int punch_all(struct pair *pair)
{
	return fallocate(pair->source_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAIR_BYTES);
}

static const char *empty_file(struct pair *pair)
{
	if (punch_all(pair))
		return "cannot be punched";
	return pair_used_pages(pair) ? "pages are charged to nothing" : NULL;
}

static const char *check_pages(struct pair *pair, int err)
{
	struct stat st;
	const char *wrong;

	fstat(pair->source_fd, &st);
	if ((unsigned long)st.st_blocks * 512 != pair_used_pages(pair) * PAGE_BYTES)
		return "pages present and pages charged differ";
	wrong = use_whole_file(pair);
	return wrong ? wrong : empty_file(pair);
}

FIXTURE(inject_pages)
{
	struct pair pair;
};

FIXTURE_VARIANT(inject_pages)
{
	int huge;
};

FIXTURE_VARIANT_ADD(inject_pages, huge_folios) { .huge = 1 };
FIXTURE_VARIANT_ADD(inject_pages, small_folios) { .huge = 0 };

FIXTURE_SETUP(inject_pages)
{
	open_pair(_metadata, &self->pair);
	ASSERT_EQ(0, door_set_huge(&self->pair.other, variant->huge));
}

FIXTURE_TEARDOWN(inject_pages)
{
	EXPECT_EQ(0, door_set_huge(&self->pair.other, 1));
	close_pair(_metadata, &self->pair);
}

static int act_fallocate(struct pair *pair)
{
	return fallocate(pair->source_fd, 0, BLOCK_BYTES - 8 * PAGE_BYTES, 16 * PAGE_BYTES) ?
	       -errno : 0;
}

TEST_F_TIMEOUT(inject_pages, fallocate, 150)
{
	const struct trial trial = { .act = act_fallocate, .check = check_pages,
				     .survives = variant->huge };

	each_fault(_metadata, &self->pair, &trial);
}

static const char *prepare_touch(struct pair *pair)
{
	return pair_map(pair) ? NULL : "cannot map";
}

/* A page fault without memory is tried again by the kernel. */
static int act_touch(struct pair *pair)
{
	size_t i;

	for (i = 0; i < 8; i++)
		pair->area[BLOCK_BYTES + i * PAGE_BYTES] = 3 + i;
	return 0;
}

static const char *check_touch(struct pair *pair, int err)
{
	char byte;
	size_t i;

	for (i = 0; i < 8; i++)
		if (pread(pair->source_fd, &byte, 1, BLOCK_BYTES + i * PAGE_BYTES) != 1 ||
		    byte != (char)(3 + i))
			return "what was written is not there";
	return check_pages(pair, err);
}

TEST_F_TIMEOUT(inject_pages, touch, 150)
{
	const struct trial trial = { .prepare = prepare_touch, .act = act_touch,
				     .check = check_touch, .survives = true };

	each_fault(_metadata, &self->pair, &trial);
}

/* Pages that came after tracking had begun: nothing has room for their marks. */
static const char *prepare_first_mark(struct pair *pair)
{
	const char *wrong = prepare_touch(pair) ?: empty_file(pair) ?: pair_start(pair);

	if (wrong)
		return wrong;
	return fallocate(pair->source_fd, 0, 0, PAIR_BYTES) ? "no memory before any is refused" : NULL;
}

static unsigned int incomplete;

/* The write is there; and it arrived, or the session says that it does not know of it. */
static const char *check_first_mark(struct pair *pair, int err)
{
	const char *wrong = pair_finish(pair);
	struct door_stats stats;

	if (wrong) {
		if (door_get(&pair->other, pair->source_id, &stats) ||
		    stats.state != VMFM_STATE_FAILED || stats.error != -ENOMEM)
			return wrong;
		incomplete++;
	}
	return pair_end(pair) ?: pair_gone(pair) ?: check_touch(pair, err);
}

TEST_F_TIMEOUT(inject_pages, first_mark, 300)
{
	const struct trial trial = { .prepare = prepare_first_mark, .act = act_touch,
				     .check = check_first_mark, .survives = true };
	unsigned int tries = 0;

	/* A debug kernel allocates for itself now and then: the one that matters may be missed. */
	for (incomplete = 0; !incomplete && tries < 5; tries++)
		each_fault(_metadata, &self->pair, &trial);
	EXPECT_GT(incomplete, 0);
}

static const char *prepare_punch(struct pair *pair)
{
	pair_fill(pair, 1);
	return NULL;
}

static int act_punch(struct pair *pair)
{
	return fallocate(pair->source_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 HOLE_FROM, HOLE_BYTES) ? -errno : 0;
}

/* The hole is zero, and nothing beside it. */
static const char *check_punch(struct pair *pair, int err)
{
	unsigned long *word = (unsigned long *)pair->area, expected;
	size_t i, words = BLOCK_BYTES / sizeof(*word);

	for (i = 0; i < words; i++) {
		bool hole = i * sizeof(*word) - HOLE_FROM < HOLE_BYTES;

		expected = hole && !err ? 0 : i * 0x9e3779b97f4a7c15UL + 1;
		if (word[i] != expected)
			return hole ? "the hole has something in it" : "more than the hole is gone";
	}
	return check_pages(pair, err);
}

TEST_F_TIMEOUT(inject_pages, punch, 150)
{
	const struct trial trial = { .prepare = prepare_punch, .act = act_punch,
				     .check = check_punch, .survives = true };

	each_fault(_metadata, &self->pair, &trial);
}

static int act_new_source(struct pair *pair)
{
	pair->source_id = door_new(&pair->door, &pair->source);
	return pair->source_id < 0 ? pair->source_id : 0;
}

static int act_new_sink(struct pair *pair)
{
	pair->sink.addr.sin_port = 0;
	pair->sink_id = door_new(&pair->door, &pair->sink);
	return pair->sink_id < 0 ? pair->sink_id : 0;
}

/* ENOBUFS is of the socket: whether the session was made is not known. */
static const char *check_new(struct pair *pair, int err)
{
	const char *wrong = NULL;

	if (err == -ENOBUFS)
		pair_reopen(pair);
	else
		wrong = pair_end(pair);
	return wrong ? wrong : pair_gone(pair);
}

TEST_F_TIMEOUT(inject, new_source, 300)
{
	const struct trial trial = { .act = act_new_source, .check = check_new };

	each_fault(_metadata, &self->pair, &trial);
}

TEST_F_TIMEOUT(inject, new_sink, 300)
{
	const struct trial trial = { .act = act_new_sink, .check = check_new };

	each_fault(_metadata, &self->pair, &trial);
}

static int act_get(struct pair *pair)
{
	struct door_stats stats;

	return door_get(&pair->door, pair->source_id, &stats);
}

static const char *prepare_source(struct pair *pair)
{
	return act_new_source(pair) ? "cannot make a session" : NULL;
}

TEST_F_TIMEOUT(inject, get, 150)
{
	const struct trial trial = { .prepare = prepare_source, .act = act_get,
				     .check = check_new };

	each_fault(_metadata, &self->pair, &trial);
}

static int act_start(struct pair *pair)
{
	return door_call(&pair->door, VMFM_CMD_SESSION_START, pair->source_id, 0);
}

/* Either it never began, and begins now, or only its answer was lost. */
static const char *check_start(struct pair *pair, int err)
{
	struct door_stats stats;
	const char *wrong;

	if (door_get(&pair->other, pair->source_id, &stats))
		return "the session is gone";
	if (stats.state == VMFM_STATE_NEW && (!err || act_start(pair)))
		return "it does not start";
	wrong = pair_wait(pair, VMFM_STATE_READY);
	if (!wrong)
		wrong = pair_finish(pair);
	if (!wrong)
		wrong = pair_end(pair);
	return wrong ? wrong : pair_gone(pair);
}

TEST_F_TIMEOUT(inject, start, 400)
{
	const struct trial trial = { .prepare = pair_new, .act = act_start,
				     .check = check_start };

	each_fault(_metadata, &self->pair, &trial);
}

static int act_del_source(struct pair *pair)
{
	return door_call(&pair->door, VMFM_CMD_SESSION_DEL, pair->source_id, 0);
}

static int act_del_sink(struct pair *pair)
{
	return door_call(&pair->door, VMFM_CMD_SESSION_DEL, pair->sink_id, 0);
}

/* Told that it is gone, it is. Else it may be: then it can be deleted, once. */
static const char *check_deleted(struct pair *pair, int err, int *id)
{
	struct door_stats stats;
	int there = door_get(&pair->other, *id, &stats);

	if (there == -ENOENT)
		*id = 0;
	else if (!err)
		return "it is still there";
	return NULL;
}

static const char *check_del(struct pair *pair, int err, int *id)
{
	const char *wrong = check_deleted(pair, err, id);

	if (!wrong)
		wrong = pair_end(pair);
	return wrong ? wrong : pair_gone(pair);
}

static const char *check_del_source(struct pair *pair, int err)
{
	return check_del(pair, err, &pair->source_id);
}

static const char *check_del_sink(struct pair *pair, int err)
{
	return check_del(pair, err, &pair->sink_id);
}

/* Ending must not need memory: whatever fails, all is undone. */
TEST_F_TIMEOUT(inject, del_source, 400)
{
	const struct trial trial = { .prepare = pair_start, .act = act_del_source,
				     .check = check_del_source };

	each_fault(_metadata, &self->pair, &trial);
}

TEST_F_TIMEOUT(inject, del_sink, 400)
{
	const struct trial trial = { .prepare = pair_start, .act = act_del_sink,
				     .check = check_del_sink };

	each_fault(_metadata, &self->pair, &trial);
}

static const char *prepare_tracked(struct pair *pair)
{
	if (punch_all(pair))
		return "cannot be punched";
	return prepare_touch(pair);
}

/* Pages written and pages made, while every write is tracked. */
static int act_tracked(struct pair *pair)
{
	size_t at;

	for (at = 0; at < PAIR_BYTES; at += 37 * PAGE_BYTES)
		pair->area[at + 8]++;
	return 0;
}

static const char *check_tracked(struct pair *pair, int err)
{
	int round = door_call(&pair->door, VMFM_CMD_SESSION_ROUND, pair->source_id, 0);
	const char *wrong = round ? "no round" : pair_wait(pair, VMFM_STATE_READY);

	return wrong ? wrong : pair_same(pair);
}

TEST_F_TIMEOUT(inject_pages, tracked, 400)
{
	const struct trial trial = { .prepare = prepare_tracked, .act = act_tracked,
				     .check = check_tracked, .survives = true };
	const char *wrong;

	memset(self->pair.area, 7, BLOCK_BYTES / 2);
	wrong = pair_start(&self->pair);
	ASSERT_EQ(NULL, wrong) TH_LOG("%s", wrong);
	each_fault(_metadata, &self->pair, &trial);
	wrong = pair_finish(&self->pair);
	EXPECT_EQ(NULL, wrong) TH_LOG("%s", wrong);
	wrong = pair_end(&self->pair);
	EXPECT_EQ(NULL, wrong) TH_LOG("%s", wrong);
}

TEST_HARNESS_MAIN
