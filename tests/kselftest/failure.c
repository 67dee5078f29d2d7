// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory failure: the kernel is told that a page's memory is bad (MADV_HWPOISON). What
 * whoever maps the file then sees is measured by shmem; what a migration does with the
 * page, by that no data may be made up. Each test costs the host a few pages until it
 * is booted anew.
 *
 * Environment: as tracking.h says.
 */
#define _GNU_SOURCE
#include <asm/mman.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "page.h"
#include "region.h"
#include "tracking.h"
#include "vcpu.h"

#define BYTES	(8UL << 20)
#define PAGES	(BYTES / PAGE)
#define BAD	(3 * BLOCK / PAGE / 2 + 7)	/* in the second block */
#define ROUNDS	30

static sigjmp_buf back;
static volatile sig_atomic_t touching, poisoning;
static volatile int early;		/* signals of a failure nobody came across yet */
static siginfo_t bus;

static void on_bus(int number, siginfo_t *info, void *context)
{
	bus = *info;
	if (poisoning)
		early++;
	else if (touching)
		siglongjmp(back, 1);
	else
		_exit(99);
}

static void catch_bus(void)
{
	struct sigaction action = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO };

	sigaction(SIGBUS, &action, NULL);
}

/* 0, or the code of the SIGBUS that it gave. */
static int touch(volatile char *at, bool write)
{
	int code = 0;

	touching = 1;
	if (sigsetjmp(back, 1))
		code = bus.si_code;
	else if (write)
		*at = 7;
	else
		(void)*at;
	touching = 0;
	return code;
}

static void fill(char *area, uint64_t generation)
{
	size_t i;

	for (i = 0; i < PAGES; i++)
		page_stamp(area + i * PAGE, i * 0x9e3779b97f4a7c15ULL + generation);
}

static bool is_stamp(const char *page, uint64_t value)
{
	char like[PAGE];

	memcpy(like, page, PAGE);
	page_stamp(like, value);
	return !memcmp(like, page, PAGE);
}

/* 0, or an errno. Newer kernels tell the caller at once, whether he asked for it or not. */
static int poison(char *area, size_t page)
{
	int err;

	poisoning = 1;
	err = madvise(area + page * PAGE, PAGE, MADV_HWPOISON) ? errno : 0;
	poisoning = 0;
	return err;
}

static int punch(int fd, size_t page)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, page * PAGE, PAGE);
}

FIXTURE(mapping)
{
	int fd;
	char *area;
};

FIXTURE_VARIANT(mapping)
{
	int huge;
	bool shmem;
};

FIXTURE_VARIANT_ADD(mapping, huge_folios) { .huge = 1 };
FIXTURE_VARIANT_ADD(mapping, small_folios) { .huge = 0 };
FIXTURE_VARIANT_ADD(mapping, shmem) { .shmem = true };

FIXTURE_SETUP(mapping)
{
	tracking_huge(variant->huge);
	self->fd = variant->shmem ? memfd_create("memory", MFD_CLOEXEC) :
				    region_file("failure", BYTES);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, ftruncate(self->fd, BYTES));
	self->area = region_map(self->fd, BYTES);
	ASSERT_NE(MAP_FAILED, self->area);
	fill(self->area, 0);
	catch_bus();
}

FIXTURE_TEARDOWN(mapping)
{
	munmap(self->area, BYTES);
	close(self->fd);
	tracking_huge(1);
}

/* Whoever comes to the page, in whatever way, hears of it, and nothing else is lost. */
TEST_F_TIMEOUT(mapping, error_until_punched, 120)
{
	char page[PAGE];
	char *other;
	size_t i;

	ASSERT_EQ(0, poison(self->area, BAD));
	EXPECT_EQ(BUS_MCEERR_AR, touch(self->area + BAD * PAGE + 5, false));
	EXPECT_EQ(self->area + BAD * PAGE, (char *)((uintptr_t)bus.si_addr & ~(PAGE - 1)));
	EXPECT_EQ(BUS_MCEERR_AR, touch(self->area + BAD * PAGE + 5, true));
	EXPECT_EQ(-1, pread(self->fd, page, PAGE, BAD * PAGE));
	EXPECT_EQ(EIO, errno);
	for (i = 0; i < PAGES; i++)
		if (i != BAD)
			ASSERT_TRUE(is_stamp(self->area + i * PAGE, i * 0x9e3779b97f4a7c15ULL));

	other = region_map(self->fd, BYTES);
	ASSERT_NE(MAP_FAILED, other);
	EXPECT_EQ(BUS_MCEERR_AR, touch(other + BAD * PAGE, false));
	EXPECT_EQ(0, touch(other + (BAD - 1) * PAGE, true));
	EXPECT_EQ(0, touch(other + (BAD + 1) * PAGE, true));
	madvise(self->area, BYTES, MADV_DONTNEED);
	EXPECT_EQ(BUS_MCEERR_AR, touch(self->area + BAD * PAGE, true));
	EXPECT_EQ(0, touch(self->area + (BAD + 1) * PAGE, true));

	ASSERT_EQ(0, punch(self->fd, BAD));
	ASSERT_EQ(0, madvise(self->area + BAD * PAGE, PAGE, MADV_DONTNEED));
	EXPECT_EQ(0, touch(self->area + BAD * PAGE, false));
	EXPECT_EQ(0, self->area[BAD * PAGE]);
	EXPECT_EQ(0, touch(self->area + BAD * PAGE, true));
	ASSERT_EQ((ssize_t)PAGE, pread(self->fd, page, PAGE, BAD * PAGE));
	EXPECT_EQ(7, page[0]);
	munmap(other, BYTES);
}

/* QEMU asks to be told at once. The kernel does so where it did not have to split. */
TEST_F_TIMEOUT(mapping, told_early, 120)
{
	ASSERT_EQ(0, prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
	ASSERT_EQ(0, poison(self->area, BAD));
	if (variant->huge)
		TH_LOG("told early %d times", early);
	else
		EXPECT_EQ(1, early);
	EXPECT_EQ(BUS_MCEERR_AR, touch(self->area + BAD * PAGE, false));
}

TEST_F_TIMEOUT(mapping, forgotten_when_cut_off, 120)
{
	ASSERT_EQ(0, poison(self->area, BAD));
	ASSERT_EQ(0, ftruncate(self->fd, BAD * PAGE));
	ASSERT_EQ(0, ftruncate(self->fd, BYTES));
	ASSERT_EQ(0, madvise(self->area, BYTES, MADV_DONTNEED));
	EXPECT_EQ(0, touch(self->area + BAD * PAGE, false));
	EXPECT_EQ(0, self->area[BAD * PAGE]);
}

/* Ours never moves: the memory stays in use, and the guest notices nothing. */
TEST_F_TIMEOUT(mapping, soft_offline, 120)
{
	size_t i;
	int status = madvise(self->area + BAD * PAGE, PAGE, MADV_SOFT_OFFLINE);

	if (variant->shmem) {
		EXPECT_EQ(0, status);
	} else {
		EXPECT_EQ(-1, status);
		EXPECT_EQ(EBUSY, errno);
	}
	for (i = 0; i < PAGES; i++)
		ASSERT_TRUE(is_stamp(self->area + i * PAGE, i * 0x9e3779b97f4a7c15ULL));
	fill(self->area, 1);
}

/* A lost page counts until it is punched; then all is as before. */
TEST_F_TIMEOUT(mapping, counts, 120)
{
	struct statvfs before, after;
	struct stat file;
	int i;

	ASSERT_EQ(0, fstatvfs(self->fd, &before));
	ASSERT_EQ(0, poison(self->area, BAD));
	ASSERT_EQ(0, punch(self->fd, BAD));
	madvise(self->area + BAD * PAGE, PAGE, MADV_DONTNEED);
	if (!variant->shmem) {
		ASSERT_EQ(0, fstat(self->fd, &file));
		EXPECT_EQ((BYTES - PAGE) / 512, file.st_blocks);
		ASSERT_EQ(0, fstatvfs(self->fd, &after));
		EXPECT_EQ(before.f_bfree + 1, after.f_bfree);
	}
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, touch(self->area + BAD * PAGE, true));
	ASSERT_EQ(0, fstatvfs(self->fd, &after));
	EXPECT_EQ(before.f_bfree, after.f_bfree);
}

/* Somebody refers to the page, so that the kernel can neither split nor drop its folio. */
static int refer_to_bad(char *area, int ends[2])
{
	struct iovec iov = { .iov_base = area + BAD * PAGE, .iov_len = PAGE };

	return pipe(ends) || vmsplice(ends[1], &iov, 1, 0) != (ssize_t)PAGE;
}

/* Nor is it, in a folio that was freed as a whole, part of the next one. */
TEST_F_TIMEOUT(mapping, not_used_again, 120)
{
	static char all[BYTES];
	int ends[2], i;

	if (variant->shmem)
		SKIP(return, "the kernel does so with shmem");
	ASSERT_EQ(0, refer_to_bad(self->area, ends));
	EXPECT_NE(0, poison(self->area, BAD));
	close(ends[0]);
	close(ends[1]);
	for (i = 0; i < 3; i++) {
		munmap(self->area, BYTES);
		close(self->fd);
		self->fd = region_file("failure", BYTES);
		ASSERT_GE(self->fd, 0);
		self->area = region_map(self->fd, BYTES);
		ASSERT_NE(MAP_FAILED, self->area);
		fill(self->area, i);
		EXPECT_EQ((ssize_t)BYTES, pread(self->fd, all, BYTES, 0));
	}
}

/* A guest that comes to it: QEMU would hand it a machine check; we mend the page. */
static int mend_fd;
static char *mend_at;
static volatile int mended;

static void mend(int number, siginfo_t *info, void *context)
{
	if (info->si_code != BUS_MCEERR_AR || (char *)info->si_addr < mend_at ||
	    (char *)info->si_addr >= mend_at + PAGE)
		_exit(98);
	mended++;
	punch(mend_fd, BAD);
	madvise(mend_at, PAGE, MADV_DONTNEED);
}

TEST_F_TIMEOUT(mapping, told_to_a_vcpu, 120)
{
	struct sigaction action = { .sa_sigaction = mend, .sa_flags = SA_SIGINFO };
	const struct vcpu_work work = { .writes = 64 };
	struct vcpu vcpu;
	int i;

	if (vcpu_open(&vcpu, self->area, BYTES, 4711, &work))
		SKIP(return, "no %s", vcpu.why);
	for (i = 0; i < 300; i++)
		ASSERT_EQ(0, vcpu_write(&vcpu));
	mend_fd = self->fd;
	mend_at = self->area + BAD * PAGE;
	ASSERT_EQ(0, poison(self->area, BAD));
	sigaction(SIGBUS, &action, NULL);
	for (i = 0; i < 3000 && !mended; i++)
		ASSERT_EQ(0, vcpu_write(&vcpu));
	EXPECT_EQ(1, mended);
	for (i = 0; i < 300; i++)
		ASSERT_EQ(0, vcpu_write(&vcpu));
	EXPECT_EQ(1, mended);
	vcpu_close(&vcpu);
}

FIXTURE(session)
{
	struct tracking tracking;
	int fd, sink_fd;
	char *area;
	bool open;
};

FIXTURE_VARIANT(session)
{
	int huge;
};

FIXTURE_VARIANT_ADD(session, huge_folios) { .huge = 1 };
FIXTURE_VARIANT_ADD(session, small_folios) { .huge = 0 };

FIXTURE_SETUP(session)
{
	memset(self, 0, sizeof(*self));
	tracking_huge(variant->huge);
	self->fd = tracking_add(&self->tracking, NULL, BYTES);
	self->sink_fd = self->tracking.sink_fd[0];
	self->area = region_map(self->fd, BYTES);
	ASSERT_NE(MAP_FAILED, self->area);
	fill(self->area, 0);
	catch_bus();
}

FIXTURE_TEARDOWN(session)
{
	munmap(self->area, BYTES);
	if (self->open)
		tracking_end(&self->tracking);
	tracking_huge(1);
}

static void start(FIXTURE_DATA(session) *self)
{
	self->open = true;
	tracking_start(&self->tracking);
}

static void one_round(FIXTURE_DATA(session) *self)
{
	struct door_stats stats;

	tracking_round(&self->tracking, &stats);
	/* What was sent is let go of when its completion is seen, which may come last. */
	usleep(200000);
}

static unsigned long differences_but_bad(FIXTURE_DATA(session) *self)
{
	return region_differences(self->fd, self->sink_fd, 0, BAD * PAGE) +
	       region_differences(self->fd, self->sink_fd, (BAD + 1) * PAGE, BYTES);
}

/* It says which page of which region, and the source's guest goes on. */
static void expect_refused(struct __test_metadata *_metadata, FIXTURE_DATA(session) *self, int cmd)
{
	char where[32];

	snprintf(where, sizeof(where), "%#lx", BAD * PAGE);
	self->open = true;
	EXPECT_EQ(-EHWPOISON, tracking_fails(&self->tracking, cmd));
	TH_LOG("%s", self->tracking.door.error);
	EXPECT_NE(NULL, strstr(self->tracking.door.error, "ram0"));
	EXPECT_NE(NULL, strstr(self->tracking.door.error, where));
	EXPECT_EQ(0, touch(self->area + (BAD + 1) * PAGE, true));
}

TEST_F_TIMEOUT(session, lost_before_the_start, 300)
{
	ASSERT_EQ(0, poison(self->area, BAD));
	tracking_sessions(&self->tracking);
	expect_refused(_metadata, self, VMFM_CMD_SESSION_START);
}

TEST_F_TIMEOUT(session, punched_before_the_start, 300)
{
	ASSERT_EQ(0, poison(self->area, BAD));
	ASSERT_EQ(0, punch(self->fd, BAD));
	madvise(self->area, BYTES, MADV_DONTNEED);
	start(self);
	tracking_final(&self->tracking);
	EXPECT_EQ(0, region_differences(self->fd, self->sink_fd, 0, BYTES));
}

TEST_F_TIMEOUT(session, lost_before_it_was_sent, 300)
{
	start(self);
	ASSERT_EQ(0, poison(self->area, BAD));
	expect_refused(_metadata, self, VMFM_CMD_SESSION_ROUND);
}

/* After a round that sent it. */
static void write_and_lose(struct __test_metadata *_metadata, FIXTURE_DATA(session) *self)
{
	start(self);
	one_round(self);
	page_stamp(self->area + BAD * PAGE, 1);
	ASSERT_EQ(0, poison(self->area, BAD));
}

TEST_F_TIMEOUT(session, written_and_lost_between_rounds, 300)
{
	write_and_lose(_metadata, self);
	expect_refused(_metadata, self, VMFM_CMD_SESSION_ROUND);
}

TEST_F_TIMEOUT(session, written_and_lost_before_the_last, 300)
{
	write_and_lose(_metadata, self);
	expect_refused(_metadata, self, VMFM_CMD_SESSION_FINAL);
}

/* The sink has it as it was last written: nothing is missing there. */
TEST_F_TIMEOUT(session, lost_after_it_was_sent, 300)
{
	char page[PAGE];
	size_t i;

	start(self);
	one_round(self);
	one_round(self);
	ASSERT_EQ(0, poison(self->area, BAD));
	for (i = 0; i < PAGES; i += 3)
		if (i != BAD)
			page_stamp(self->area + i * PAGE, i);
	one_round(self);
	EXPECT_EQ(BUS_MCEERR_AR, touch(self->area + BAD * PAGE, true));
	page_stamp(self->area + (BAD + 1) * PAGE, 1);
	page_stamp(self->area + (BAD - 1) * PAGE, 1);
	tracking_final(&self->tracking);
	EXPECT_EQ(0, differences_but_bad(self));
	ASSERT_EQ((ssize_t)PAGE, pread(self->sink_fd, page, PAGE, BAD * PAGE));
	EXPECT_TRUE(is_stamp(page, BAD * 0x9e3779b97f4a7c15ULL));
}

TEST_F_TIMEOUT(session, punched_between_rounds, 300)
{
	write_and_lose(_metadata, self);
	ASSERT_EQ(0, punch(self->fd, BAD));
	madvise(self->area + BAD * PAGE, PAGE, MADV_DONTNEED);
	one_round(self);
	EXPECT_EQ(0, touch(self->area + BAD * PAGE, true));
	one_round(self);
	page_stamp(self->area + BAD * PAGE, 2);
	tracking_final(&self->tracking);
	EXPECT_EQ(0, region_differences(self->fd, self->sink_fd, 0, BYTES));
}

TEST_F_TIMEOUT(session, lost_while_referred_to, 300)
{
	char page[PAGE];
	int ends[2];

	ASSERT_EQ(0, refer_to_bad(self->area, ends));
	start(self);
	EXPECT_NE(0, poison(self->area, BAD));
	EXPECT_EQ(-1, pread(self->fd, page, PAGE, BAD * PAGE));
	EXPECT_EQ(EIO, errno);
	expect_refused(_metadata, self, VMFM_CMD_SESSION_ROUND);
	close(ends[0]);
	close(ends[1]);
}

/* What the sink received and lost is not there, whatever the source knows. */
TEST_F_TIMEOUT(session, lost_at_the_sink, 300)
{
	char *sink;
	size_t i;

	start(self);
	one_round(self);
	sink = region_map(self->sink_fd, BYTES);
	ASSERT_NE(MAP_FAILED, sink);
	ASSERT_EQ(0, touch(sink + BAD * PAGE, false));
	EXPECT_NE(0, poison(sink, BAD));	/* the session refers to it */
	munmap(sink, BYTES);
	EXPECT_EQ(-EHWPOISON, tracking_fails(&self->tracking, VMFM_CMD_SESSION_FINAL));
	TH_LOG("%s", self->tracking.door.error);
	EXPECT_EQ(-EHWPOISON, door_wait(&self->tracking.door, self->tracking.sink,
					VMFM_STATE_DONE, 60000));
	TH_LOG("%s", self->tracking.door.error);
	for (i = 0; i < PAGES; i++)
		ASSERT_TRUE(is_stamp(self->area + i * PAGE, i * 0x9e3779b97f4a7c15ULL));
}

struct work {
	pthread_t thread;
	char *area;
	atomic_bool stop;
	unsigned long poisoned, in_use;
};

/* Bad pages are those that nobody writes. */
#define VICTIM(page)	((page) % 64 == 21)

static void *write_others(void *arg)
{
	struct work *work = arg;
	uint32_t seed = 815;
	uint64_t generation = 1;

	while (!atomic_load(&work->stop)) {
		size_t page = roll(&seed) % PAGES;

		if (!VICTIM(page))
			page_stamp(work->area + page * PAGE, generation++);
		if (generation % 64 == 0)
			usleep(500);
	}
	return NULL;
}

static void *poison_some(void *arg)
{
	struct work *work = arg;
	size_t page;

	for (page = 0; page < PAGES && !atomic_load(&work->stop); page++) {
		if (!VICTIM(page))
			continue;
		if (poison(work->area, page))
			work->in_use++;
		else
			work->poisoned++;
		usleep(20000);
	}
	return NULL;
}

/* While rounds run and others write: no write is missed, and no page made up. */
TEST_F_TIMEOUT(session, among_writers, 300)
{
	struct work writer = { .area = self->area }, culprit = { .area = self->area };
	struct door_stats stats;
	char page[PAGE];
	size_t i;

	start(self);
	do {
		tracking_round(&self->tracking, &stats);
	} while (stats.dirty);	/* so that no victim is marked any more, none kept either */
	pthread_create(&writer.thread, NULL, write_others, &writer);
	pthread_create(&culprit.thread, NULL, poison_some, &culprit);
	for (i = 0; i < ROUNDS; i++)
		tracking_round(&self->tracking, &stats);
	atomic_store(&culprit.stop, true);
	pthread_join(culprit.thread, NULL);
	tracking_round(&self->tracking, &stats);
	atomic_store(&writer.stop, true);
	pthread_join(writer.thread, NULL);
	tracking_final(&self->tracking);
	TH_LOG("%lu pages lost, %lu while in use", culprit.poisoned, culprit.in_use);
	EXPECT_GT(culprit.poisoned, 0);
	for (i = 0; i < PAGES; i++) {
		if (!VICTIM(i)) {
			ASSERT_EQ(0, region_differences(self->fd, self->sink_fd, i * PAGE, (i + 1) * PAGE))
				TH_LOG("page %zu", i);
			continue;
		}
		ASSERT_EQ((ssize_t)PAGE, pread(self->sink_fd, page, PAGE, i * PAGE));
		ASSERT_TRUE(is_stamp(page, i * 0x9e3779b97f4a7c15ULL)) TH_LOG("page %zu", i);
	}
}

TEST_HARNESS_MAIN
