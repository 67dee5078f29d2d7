// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory is short: for who writes (its control group is full), for who receives, for
 * all of the host. Rounds go on, and what was written arrives.
 *
 * Environment: as tracking.h says.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "kselftest_harness.h"
#include "mapper.h"
#include "page.h"
#include "region.h"
#include "tracking.h"

#define BYTES		(64UL << 20)
#define LIMIT		(24UL << 20)	/* of a group */
#define EMPTY_BYTES	(1 << 20)	/* what a group may still be charged with: the kernel's batches */
#define SHORT_BYTES	(64UL << 20)	/* what is left of the host's memory */
#define ROUNDS		12
#define BUSY_BYTES	(16UL << 20)	/* of the region, while the host is short */
#define STEP		(4UL << 20)

FIXTURE(pressure)
{
	struct tracking tracking;
	int fd;
	char *area;
};

FIXTURE_VARIANT(pressure)
{
	int huge;
};

FIXTURE_VARIANT_ADD(pressure, huge_folios) { .huge = 1 };
FIXTURE_VARIANT_ADD(pressure, small_folios) { .huge = 0 };

FIXTURE_SETUP(pressure)
{
	memset(self, 0, sizeof(*self));
	tracking_huge(variant->huge);
	self->fd = tracking_add(&self->tracking, NULL, BYTES);
	self->area = region_map(self->fd, BYTES);
	ASSERT_NE(MAP_FAILED, self->area);
}

FIXTURE_TEARDOWN(pressure)
{
	cgroup_leave();
	tracking_huge(1);
}

static void write_all(char *area, uint64_t generation)
{
	size_t at;

	for (at = 0; at < BYTES; at += PAGE)
		page_stamp(area + at, at * 0x9e3779b97f4a7c15ULL + generation);
}

static void finish(struct __test_metadata *_metadata, FIXTURE_DATA(pressure) *self)
{
	tracking_final(&self->tracking);
	EXPECT_EQ(0, region_differences(self->fd, self->tracking.sink_fd[0], 0, BYTES));
	munmap(self->area, BYTES);
	tracking_end(&self->tracking);
}

/* Its pages are gone; what is charged for them goes as well, a little later. */
static void expect_empty(struct __test_metadata *_metadata, struct cgroup *group)
{
	long long bytes = cgroup_bytes(group);
	int i;

	for (i = 0; i < 100 && bytes > EMPTY_BYTES; i++) {
		usleep(100000);
		bytes = cgroup_bytes(group);
	}
	TH_LOG("%lld bytes are still charged", bytes);
	EXPECT_GE(bytes, 0);
	EXPECT_LE(bytes, EMPTY_BYTES);
	EXPECT_EQ(0, cgroup_free(group));
}

static pid_t write_in(struct cgroup *group, int fd)
{
	pid_t child = fork();
	char *area;

	if (child)
		return child;
	if (cgroup_enter(group))
		_exit(1);
	area = region_map(fd, BYTES);
	if (area == MAP_FAILED)
		_exit(2);
	write_all(area, 1);
	_exit(0);
}

/* Its group is full, and nothing in it can be reclaimed: as with shmem it is killed. */
TEST_F_TIMEOUT(pressure, writer_beyond_its_limit, 300)
{
	struct door_stats stats;
	struct cgroup group;
	int rounds, status;
	pid_t child;

	ASSERT_EQ(0, cgroup_new(&group, "writer", LIMIT));
	tracking_start(&self->tracking);
	child = write_in(&group, self->fd);
	for (rounds = 0; !waitpid(child, &status, WNOHANG); rounds++)
		tracking_round(&self->tracking, &stats);
	TH_LOG("%d rounds until it ended, status %#x", rounds, status);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	EXPECT_GT(cgroup_kills(&group), 0);
	tracking_round(&self->tracking, &stats);
	EXPECT_EQ(0, region_differences(self->fd, self->tracking.sink_fd[0], 0, BYTES));
	EXPECT_GT(cgroup_bytes(&group), LIMIT / 2);
	write_all(self->area, 2);	/* who has no limit has none */
	finish(_metadata, self);
	expect_empty(_metadata, &group);
}

/* Pages that arrive are not charged to who made the session. */
TEST_F_TIMEOUT(pressure, sink_beyond_its_limit, 300)
{
	struct door_stats stats;
	struct cgroup group;

	write_all(self->area, 1);
	ASSERT_EQ(0, cgroup_new(&group, "sink", LIMIT));
	ASSERT_EQ(0, cgroup_enter(&group));
	tracking_start(&self->tracking);
	tracking_round(&self->tracking, &stats);
	EXPECT_EQ(BYTES / PAGE, stats.sent);
	EXPECT_LT(cgroup_bytes(&group), LIMIT);
	EXPECT_EQ(0, cgroup_kills(&group));
	finish(_metadata, self);
	ASSERT_EQ(0, cgroup_leave());
	expect_empty(_metadata, &group);
}

/* What QEMU is at the destination, in a group of its own. */
static int map_in(struct cgroup *group, int fd, struct mapper *mapper)
{
	int err = cgroup_enter(group) ?: mapper_start(mapper, fd, BYTES);

	return cgroup_leave() ?: err;
}

TEST_F_TIMEOUT(pressure, arrival_is_charged_to_who_maps, 300)
{
	struct mapper mapper;
	struct door_stats stats;
	struct cgroup group;

	write_all(self->area, 1);
	ASSERT_EQ(0, cgroup_new(&group, "arrival", 2 * BYTES));
	ASSERT_EQ(0, map_in(&group, self->tracking.sink_fd[0], &mapper));
	EXPECT_LT(cgroup_bytes(&group), BYTES / 2);
	tracking_start(&self->tracking);
	tracking_round(&self->tracking, &stats);
	EXPECT_EQ(BYTES / PAGE, stats.sent);
	EXPECT_GE(cgroup_bytes(&group), BYTES);
	EXPECT_LT(cgroup_bytes(&group), BYTES + BYTES / 2);
	EXPECT_EQ(0, mapper_end(&mapper));
	finish(_metadata, self);
	expect_empty(_metadata, &group);
}

/* Nobody is killed for it, and the source goes on. */
TEST_F_TIMEOUT(pressure, arrival_beyond_the_limit, 300)
{
	struct mapper mapper;
	struct cgroup group;

	write_all(self->area, 1);
	ASSERT_EQ(0, cgroup_new(&group, "arrival", LIMIT));
	ASSERT_EQ(0, map_in(&group, self->tracking.sink_fd[0], &mapper));
	tracking_start(&self->tracking);
	EXPECT_EQ(-ENOMEM, tracking_fails(&self->tracking, VMFM_CMD_SESSION_ROUND));
	EXPECT_GT(cgroup_bytes(&group), LIMIT / 2);
	EXPECT_EQ(0, cgroup_kills(&group));
	write_all(self->area, 2);
	EXPECT_EQ(0, mapper_end(&mapper));
	munmap(self->area, BYTES);
	tracking_end(&self->tracking);
	expect_empty(_metadata, &group);
}

static unsigned long available(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long kib = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %lu kB", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib << 10;
}

struct hog {
	atomic_ulong least;	/* that was available */
	atomic_ulong loops;
};

static void be_killed_first(void)
{
	FILE *file = fopen("/proc/self/oom_score_adj", "we");

	if (file) {
		fputs("1000", file);
		fclose(file);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* Takes all memory but a little, and holds on to it. The kernel may kill it. */
static void eat(struct hog *hog)
{
	char *had[2048];
	int steps = 0;

	be_killed_first();
	for (;;) {
		unsigned long left = available();

		if (left < atomic_load(&hog->least))
			atomic_store(&hog->least, left);
		if (left > SHORT_BYTES && steps < 2048) {
			char *more = mmap(NULL, STEP, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			if (more != MAP_FAILED)
				memset(had[steps++] = more, 1, STEP);
		} else {
			atomic_fetch_add(&hog->loops, 1);
			usleep(1000);
		}
	}
}

static pid_t start_hog(struct hog *hog)
{
	pid_t child = fork();

	if (!child)
		eat(hog);
	return child;
}

struct work {
	pthread_t thread;
	atomic_bool stop;
	char *area;
	int fd;
	atomic_ulong done;
};

/* Pages come and go: there has to be memory for them all the time. */
static void *punch_and_write(void *arg)
{
	struct work *work = arg;
	uint64_t generation = 1;
	uint32_t seed = 4242;

	while (!atomic_load(&work->stop)) {
		size_t page = roll(&seed) % (BUSY_BYTES / PAGE - 16), i;

		fallocate(work->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, page * PAGE,
			  16 * PAGE);
		for (i = 0; i < 64; i++)
			page_stamp(work->area + (page + i) % (BUSY_BYTES / PAGE) * PAGE, generation++);
		atomic_fetch_add(&work->done, 1);
	}
	return NULL;
}

TEST_F_TIMEOUT(pressure, host_without_memory, 600)
{
	struct hog *hog = mmap(NULL, sizeof(*hog), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct work work = { .area = self->area, .fd = self->fd };
	struct door_stats stats;
	int rounds = 0, killed = 0;
	pid_t eater;

	ASSERT_NE(MAP_FAILED, hog);
	atomic_store(&hog->least, available());
	tracking_start(&self->tracking);
	pthread_create(&work.thread, NULL, punch_and_write, &work);
	eater = start_hog(hog);
	while (rounds < ROUNDS) {
		tracking_round(&self->tracking, &stats);
		rounds += atomic_load(&hog->loops) || killed;	/* until then there is memory */
		if (waitpid(eater, NULL, WNOHANG) == eater) {
			killed++;
			eater = start_hog(hog);
		}
	}
	atomic_store(&work.stop, true);
	pthread_join(work.thread, NULL);
	tracking_round(&self->tracking, &stats);
	EXPECT_EQ(0, region_differences(self->fd, self->tracking.sink_fd[0], 0, BYTES));
	kill(eater, SIGKILL);
	waitpid(eater, NULL, 0);
	TH_LOG("%d rounds, %lu MiB were left at least, killed %d times, %lu times written",
	       rounds, atomic_load(&hog->least) >> 20, killed, atomic_load(&work.done));
	EXPECT_LT(atomic_load(&hog->least), 2 * SHORT_BYTES);
	EXPECT_GT(atomic_load(&work.done), ROUNDS);
	finish(_metadata, self);
}

TEST_HARNESS_MAIN
