// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages are of the NUMA nodes that the file was bound to by mbind(), whoever has them
 * made: who touches them, fallocate(), or a migration that brings them.
 *
 * Environment: as tracking.h says.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "page.h"
#include "region.h"
#include "tracking.h"

#define BYTES	(32UL << 20)
#define PAGES	(BYTES / PAGE)
#define NODES	2

/* @nodes: a bit each. The number of bits is one more than there are, as the kernel wants it. */
static int bind_to(void *at, size_t bytes, int mode, unsigned long nodes)
{
	return syscall(SYS_mbind, at, bytes, mode, mode == MPOL_DEFAULT ? NULL : &nodes,
		       8 * sizeof(nodes), MPOL_MF_STRICT | MPOL_MF_MOVE) ? -errno : 0;
}

static int mode_of(const void *at)
{
	int mode = -1;

	return syscall(SYS_get_mempolicy, &mode, NULL, 0, at, MPOL_F_ADDR) ? -errno : mode;
}

/* Of the page there, which is touched if it was not. */
static int node_of(const void *at)
{
	int node = -1;

	return syscall(SYS_get_mempolicy, &node, NULL, 0, at, MPOL_F_NODE | MPOL_F_ADDR) ?
	       -errno : node;
}

static int near_node(void)
{
	unsigned int node = 0;

	return getcpu(NULL, &node) ? -errno : (int)node;
}

/* How many pages each node has. */
static void count(const char *area, unsigned long pages[NODES])
{
	size_t at;
	int node;

	memset(pages, 0, NODES * sizeof(*pages));
	for (at = 0; at < BYTES; at += PAGE) {
		node = node_of(area + at);
		if (node >= 0 && node < NODES)
			pages[node]++;
	}
}

static void write_all(char *area)
{
	size_t at;

	for (at = 0; at < BYTES; at += PAGE)
		page_stamp(area + at, at + 1);
}

FIXTURE(numa)
{
	struct tracking tracking;
	int fd, sink_fd;
	char *area;
	int near, far;		/* nodes, of this CPU and another */
};

FIXTURE_VARIANT(numa)
{
	int huge;
};

FIXTURE_VARIANT_ADD(numa, huge_folios) { .huge = 1 };
FIXTURE_VARIANT_ADD(numa, small_folios) { .huge = 0 };

FIXTURE_SETUP(numa)
{
	cpu_set_t here;

	memset(self, 0, sizeof(*self));
	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(here), &here));
	self->near = near_node();
	self->far = !self->near;
	tracking_huge(variant->huge);
	self->fd = tracking_add(&self->tracking, NULL, BYTES);
	self->sink_fd = self->tracking.sink_fd[0];
	self->area = region_map(self->fd, BYTES);
	ASSERT_NE(MAP_FAILED, self->area);
}

FIXTURE_TEARDOWN(numa)
{
	tracking_huge(1);
}

#define NEEDS_NODES() do {							\
	if (access("/sys/devices/system/node/node1", F_OK))			\
		SKIP(return, "this host has one node");				\
} while (0)

static void expect_all_on(struct __test_metadata *_metadata, const char *area, int node)
{
	unsigned long pages[NODES];

	count(area, pages);
	EXPECT_EQ(PAGES, pages[node]);
}

TEST_F(numa, touched_pages_are_near)
{
	NEEDS_NODES();
	write_all(self->area);
	expect_all_on(_metadata, self->area, self->near);
}

TEST_F(numa, touched_pages_are_where_they_are_bound_to)
{
	NEEDS_NODES();
	ASSERT_EQ(0, bind_to(self->area, BYTES, MPOL_BIND, 1UL << self->far));
	EXPECT_EQ(MPOL_BIND, mode_of(self->area));
	write_all(self->area);
	expect_all_on(_metadata, self->area, self->far);
}

TEST_F(numa, preferred_pages_are_there)
{
	NEEDS_NODES();
	ASSERT_EQ(0, bind_to(self->area, BYTES, MPOL_PREFERRED, 1UL << self->far));
	write_all(self->area);
	expect_all_on(_metadata, self->area, self->far);
}

TEST_F(numa, preallocated_pages_are_where_they_are_bound_to)
{
	NEEDS_NODES();
	ASSERT_EQ(0, bind_to(self->area, BYTES, MPOL_BIND, 1UL << self->far));
	ASSERT_EQ(0, fallocate(self->fd, 0, 0, BYTES));
	expect_all_on(_metadata, self->area, self->far);
}

TEST_F(numa, interleaved_pages_are_on_both)
{
	unsigned long pages[NODES];

	NEEDS_NODES();
	ASSERT_EQ(0, bind_to(self->area, BYTES, MPOL_INTERLEAVE, 3));
	write_all(self->area);
	count(self->area, pages);
	EXPECT_EQ(PAGES / 2, pages[0]);
	EXPECT_EQ(PAGES / 2, pages[1]);
}

TEST_F(numa, policy_is_taken_back)
{
	NEEDS_NODES();
	ASSERT_EQ(0, bind_to(self->area, BYTES, MPOL_BIND, 1UL << self->far));
	ASSERT_EQ(0, bind_to(self->area, BYTES, MPOL_DEFAULT, 0));
	EXPECT_EQ(MPOL_DEFAULT, mode_of(self->area));
	write_all(self->area);
	expect_all_on(_metadata, self->area, self->near);
}

/* The policy is the file's: what a part of it is bound to says nothing. */
TEST_F(numa, part_has_no_policy)
{
	NEEDS_NODES();
	ASSERT_EQ(0, bind_to(self->area, BYTES / 2, MPOL_BIND, 1UL << self->far));
	write_all(self->area);
	expect_all_on(_metadata, self->area, self->near);
}

TEST_F(numa, pages_arrive_where_they_are_bound_to)
{
	struct door_stats stats;
	char *arrived;

	NEEDS_NODES();
	arrived = region_map(self->sink_fd, BYTES);
	ASSERT_NE(MAP_FAILED, arrived);
	ASSERT_EQ(0, bind_to(arrived, BYTES, MPOL_BIND, 1UL << self->far));
	write_all(self->area);
	tracking_start(&self->tracking);
	tracking_round(&self->tracking, &stats);
	EXPECT_EQ(PAGES, stats.sent);
	tracking_final(&self->tracking);
	expect_all_on(_metadata, arrived, self->far);
	EXPECT_EQ(0, region_differences(self->fd, self->sink_fd, 0, BYTES));
	expect_all_on(_metadata, self->area, self->near);
	munmap(arrived, BYTES);
	tracking_end(&self->tracking);
}

TEST_HARNESS_MAIN
