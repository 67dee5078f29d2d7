// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rounds, within one host: a source file is sent to a sink file through the
 * RDMA device while threads write it, in every way a guest's RAM is written.
 * Then the writers stop, the final round runs, and every page is compared.
 *
 * Environment: VMFM_DIR, a mounted vmfastmig (default /dev/vmfastmig);
 * VMFM_ADDR, an IPv4 address of an RDMA device (default 10.77.1.1);
 * VMFM_SLOW_DISK, a block device whose reads take long (dm-delay), for one test.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <infiniband/verbs.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "door.h"
#include "kselftest_harness.h"
#include "page.h"
#include "region.h"
#include "vcpu.h"

#define SIZE		(64UL << 20)
#define ROUNDS		8
#define WAIT_MS		60000

/* Fills a page so that no two writes of any two pages look alike. */
static void stamp(char *page, uint64_t index, uint64_t generation)
{
	page_stamp(page, index * 0x9e3779b97f4a7c15ULL ^ generation * 0xc2b2ae3d27d4eb4fULL);
}

struct work {
	pthread_t thread;
	atomic_bool *stop;
	char *area;
	int fd;
	size_t size;
	uint32_t seed;
	atomic_ulong done;
	atomic_bool failed;
};

static void *write_pages(void *arg)
{
	struct work *work = arg;
	uint64_t generation = 0;

	while (!atomic_load(work->stop)) {
		size_t index = roll(&work->seed) % (work->size / PAGE);

		stamp(work->area + index * PAGE, index, ++generation);
		atomic_fetch_add(&work->done, 1);
		if (generation % 64 == 0)
			usleep(500);
	}
	return NULL;
}

/* A page of zeros, one that only begins like it, one that does not. */
static void *write_zeros(void *arg)
{
	struct work *work = arg;
	uint64_t generation = 0;

	while (!atomic_load(work->stop)) {
		size_t index = roll(&work->seed) % (work->size / PAGE);
		char *page = work->area + index * PAGE;

		if (generation % 2)
			memset(page, 0, PAGE);
		if (generation % 4 == 1)
			page[PAGE - 1] = 1 + generation % 255;
		if (generation % 4 == 2)
			stamp(page, index, generation);
		atomic_fetch_add(&work->done, 1);
		if (++generation % 64 == 0)
			usleep(500);
	}
	return NULL;
}

#define SLOTS	64

/* The block of a slot; they are spread over all of a large region. */
static size_t slot_at(size_t size, unsigned int slot)
{
	return (size / SLOTS * slot + slot * 37 * BLOCK) & ~(BLOCK - 1);
}

/* Comes to one slot after the other, and writes in those it has come to. */
static void *write_slots(void *arg)
{
	struct work *work = arg;
	unsigned int slots = 1;
	uint64_t generation;

	for (generation = 1; !atomic_load(work->stop); generation++) {
		size_t at = slot_at(work->size, roll(&work->seed) % slots);

		at += roll(&work->seed) % (BLOCK / PAGE) * PAGE;
		stamp(work->area + at, at / PAGE, generation);
		atomic_fetch_add(&work->done, 1);
		if (generation % 32 == 0) {
			slots += slots < SLOTS;
			usleep(2000);
		}
	}
	return NULL;
}

/* Balloon: holes of one page, of many, of whole blocks. */
static void *punch_pages(void *arg)
{
	struct work *work = arg;

	while (!atomic_load(work->stop)) {
		size_t pages = work->size / PAGE;
		size_t index = roll(&work->seed) % pages;
		size_t count = 1 + roll(&work->seed) % (roll(&work->seed) % 4 ? 16 : 1024);

		if (index + count > pages)
			count = pages - index;
		fallocate(work->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, index * PAGE,
			  count * PAGE);
		atomic_fetch_add(&work->done, 1);
		usleep(2000);
	}
	return NULL;
}

/* What QEMU does with cache=none: DMA into guest pages, long after they were pinned. */
static void *read_disk(void *arg)
{
	struct work *work = arg;
	int disk = open(getenv("VMFM_SLOW_DISK"), O_RDONLY | O_DIRECT);

	while (disk >= 0 && !atomic_load(work->stop)) {
		size_t index = roll(&work->seed) % (work->size / PAGE - 16);
		off_t from = (off_t)(roll(&work->seed) % 1024) * PAGE;

		if (pread(disk, work->area + index * PAGE, 16 * PAGE, from) == 16 * PAGE)
			atomic_fetch_add(&work->done, 1);
	}
	close(disk);
	return NULL;
}

FIXTURE(rounds)
{
	struct door door;
	int regions;
	bool send_zeros;
	size_t size;
	int fd[4], sink_fd[4];
	char *area[4];
	int source, sink;
	atomic_bool stop;
	struct work work[16];
	int works;
};

FIXTURE_VARIANT(rounds)
{
	int huge;
};

FIXTURE_VARIANT_ADD(rounds, huge_folios) { .huge = 1 };
FIXTURE_VARIANT_ADD(rounds, small_folios) { .huge = 0 };

static void make_regions(struct __test_metadata *_metadata, FIXTURE_DATA(rounds) *self,
			 int regions, size_t size)
{
	char name[32];
	int i;

	self->regions = regions;
	self->size = size;
	for (i = 0; i < regions; i++) {
		snprintf(name, sizeof(name), "source%d", i);
		self->fd[i] = region_file(name, size);
		snprintf(name, sizeof(name), "sink%d", i);
		self->sink_fd[i] = region_file(name, size);
		ASSERT_GE(self->fd[i], 0);
		ASSERT_GE(self->sink_fd[i], 0);
		self->area[i] = region_map(self->fd[i], size);
		ASSERT_NE(self->area[i], MAP_FAILED);
	}
}

static void fill(FIXTURE_DATA(rounds) *self, int region, size_t from, size_t to)
{
	size_t at;

	for (at = from; at < to; at += PAGE)
		stamp(self->area[region] + at, at / PAGE, 0);
}

static void make_sessions(struct __test_metadata *_metadata, FIXTURE_DATA(rounds) *self)
{
	struct door_spec spec;
	int i;

	door_spec_init(&spec, VMFM_ROLE_SINK);
	spec.regions = self->regions;
	for (i = 0; i < self->regions; i++)
		spec.fd[i] = self->sink_fd[i];
	self->sink = door_new(&self->door, &spec);
	ASSERT_GT(self->sink, 0) TH_LOG("sink: %s", self->door.error);

	spec.role = VMFM_ROLE_SOURCE;
	spec.send_zeros = self->send_zeros;
	for (i = 0; i < self->regions; i++)
		spec.fd[i] = self->fd[i];
	self->source = door_new(&self->door, &spec);
	ASSERT_GT(self->source, 0) TH_LOG("source: %s", self->door.error);
}

static void start(struct __test_metadata *_metadata, FIXTURE_DATA(rounds) *self)
{
	ASSERT_EQ(0, door_call(&self->door, VMFM_CMD_SESSION_START, self->source, 0));
	ASSERT_EQ(0, door_wait(&self->door, self->source, VMFM_STATE_READY, WAIT_MS))
		TH_LOG("start: %s", self->door.error);
}

static void one_round(struct __test_metadata *_metadata, FIXTURE_DATA(rounds) *self)
{
	ASSERT_EQ(0, door_call(&self->door, VMFM_CMD_SESSION_ROUND, self->source, 0));
	ASSERT_EQ(0, door_wait(&self->door, self->source, VMFM_STATE_READY, WAIT_MS))
		TH_LOG("round: %s", self->door.error);
}

static void employ(FIXTURE_DATA(rounds) *self, void *(*what)(void *), int region)
{
	struct work *work = &self->work[self->works++];

	work->stop = &self->stop;
	work->area = self->area[region];
	work->fd = self->fd[region];
	work->size = self->size;
	work->seed = 0x1234567 + self->works * 7919;
	pthread_create(&work->thread, NULL, what, work);
}

static void dismiss(FIXTURE_DATA(rounds) *self)
{
	atomic_store(&self->stop, true);
	while (self->works)
		pthread_join(self->work[--self->works].thread, NULL);
}

static void final(struct __test_metadata *_metadata, FIXTURE_DATA(rounds) *self)
{
	ASSERT_EQ(0, door_call(&self->door, VMFM_CMD_SESSION_FINAL, self->source, 5000));
	ASSERT_EQ(0, door_wait(&self->door, self->source, VMFM_STATE_DONE, WAIT_MS))
		TH_LOG("final: %s", self->door.error);
	ASSERT_EQ(0, door_wait(&self->door, self->sink, VMFM_STATE_DONE, WAIT_MS))
		TH_LOG("sink: %s", self->door.error);
}

static unsigned long differences_in(FIXTURE_DATA(rounds) *self, int region, size_t from, size_t to)
{
	return region_differences(self->fd[region], self->sink_fd[region], from, to);
}

static unsigned long differences(FIXTURE_DATA(rounds) *self)
{
	unsigned long pages = 0;
	int i;

	for (i = 0; i < self->regions; i++)
		pages += differences_in(self, i, 0, self->size);
	return pages;
}

static void end_sessions(struct __test_metadata *_metadata, FIXTURE_DATA(rounds) *self)
{
	struct door_stats stats;
	int tries;

	dismiss(self);
	final(_metadata, self);
	ASSERT_EQ(0, door_get(&self->door, self->source, &stats));
	TH_LOG("sent %llu pages, %llu holes, %llu zeros, kept %llu, %llu writes, %llu chunks",
	       (unsigned long long)stats.sent, (unsigned long long)stats.holes,
	       (unsigned long long)stats.zeros, (unsigned long long)stats.kept,
	       (unsigned long long)stats.writes, (unsigned long long)stats.chunks);
	/* The sink is DONE before its keys are taken back. */
	for (tries = 0; tries < 1000; tries++) {
		ASSERT_EQ(0, door_get(&self->door, self->sink, &stats));
		if (!stats.keys)
			break;
		usleep(10000);
	}
	EXPECT_EQ(0, stats.keys);
}

static void finish(struct __test_metadata *_metadata, FIXTURE_DATA(rounds) *self)
{
	end_sessions(_metadata, self);
	EXPECT_EQ(0, differences(self));
}

FIXTURE_SETUP(rounds)
{
	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, door_open(&self->door));
	door_set_huge(&self->door, variant->huge);
}

FIXTURE_TEARDOWN(rounds)
{
	int i;

	dismiss(self);
	if (self->source > 0)
		EXPECT_EQ(0, door_call(&self->door, VMFM_CMD_SESSION_DEL, self->source, 0));
	if (self->sink > 0)
		EXPECT_EQ(0, door_call(&self->door, VMFM_CMD_SESSION_DEL, self->sink, 0));
	door_set_huge(&self->door, 1);
	for (i = 0; i < self->regions; i++) {
		munmap(self->area[i], self->size);
		close(self->fd[i]);
		close(self->sink_fd[i]);
	}
	door_close(&self->door);
}

TEST_F_TIMEOUT(rounds, idle_sparse, 300)
{
	struct door_stats stats;

	make_regions(_metadata, self, 1, SIZE);
	fill(self, 0, 8 * BLOCK, 9 * BLOCK);
	fill(self, 0, SIZE - PAGE, SIZE);
	make_sessions(_metadata, self);
	start(_metadata, self);
	one_round(_metadata, self);
	ASSERT_EQ(0, door_get(&self->door, self->source, &stats));
	EXPECT_EQ(513, stats.sent);
	EXPECT_EQ(variant->huge ? 511 : 0, stats.zeros);
	EXPECT_EQ(0, stats.dirty);
	finish(_metadata, self);
}

TEST_F_TIMEOUT(rounds, zeros_sent_when_asked_for, 300)
{
	struct door_stats stats;

	self->send_zeros = true;
	make_regions(_metadata, self, 1, SIZE / 4);
	ASSERT_EQ(0, fallocate(self->fd[0], 0, 0, 4 * BLOCK));
	make_sessions(_metadata, self);
	start(_metadata, self);
	one_round(_metadata, self);
	ASSERT_EQ(0, door_get(&self->door, self->source, &stats));
	EXPECT_EQ(2048, stats.sent);
	EXPECT_EQ(0, stats.zeros);
	finish(_metadata, self);
}

/* All of a chunk begins like zeros; what is present and zero costs the sink nothing. */
TEST_F_TIMEOUT(rounds, zeros_and_what_looks_like_them, 300)
{
	struct door_stats stats;
	struct stat sink;
	size_t at;

	make_regions(_metadata, self, 1, SIZE);
	ASSERT_EQ(0, fallocate(self->fd[0], 0, 0, SIZE));
	for (at = 2 * BLOCK; at < 3 * BLOCK; at += PAGE)
		self->area[0][at + PAGE - 1] = 1;
	make_sessions(_metadata, self);
	start(_metadata, self);
	one_round(_metadata, self);
	one_round(_metadata, self);
	ASSERT_EQ(0, door_get(&self->door, self->source, &stats));
	EXPECT_EQ(512, stats.sent);
	EXPECT_EQ(0, stats.dirty);
	memset(self->area[0] + 2 * BLOCK, 0, BLOCK);
	finish(_metadata, self);
	ASSERT_EQ(0, fstat(self->sink_fd[0], &sink));
	EXPECT_EQ(BLOCK / 512, sink.st_blocks);
}

TEST_F_TIMEOUT(rounds, zeros_race, 300)
{
	int i;

	make_regions(_metadata, self, 1, SIZE / 4);
	fill(self, 0, 0, SIZE / 8);
	make_sessions(_metadata, self);
	for (i = 0; i < 3; i++)
		employ(self, write_zeros, 0);
	start(_metadata, self);
	for (i = 0; i < ROUNDS; i++)
		one_round(_metadata, self);
	finish(_metadata, self);
}

/* What is written is where nothing was when tracking began, too. */
TEST_F_TIMEOUT(rounds, nominal_terabyte, 300)
{
	unsigned int slot;
	int i;

	make_regions(_metadata, self, 1, 1UL << 40);
	make_sessions(_metadata, self);
	for (i = 0; i < 3; i++)
		employ(self, write_slots, 0);
	usleep(50000);
	start(_metadata, self);
	for (i = 0; i < ROUNDS; i++)
		one_round(_metadata, self);
	end_sessions(_metadata, self);
	for (slot = 0; slot < SLOTS; slot++) {
		size_t at = slot_at(self->size, slot);

		EXPECT_EQ(0, differences_in(self, 0, at, at + BLOCK));
	}
}

static void start_among_writers(struct __test_metadata *_metadata, FIXTURE_DATA(rounds) *self)
{
	int i;

	make_regions(_metadata, self, 1, SIZE);
	fill(self, 0, 0, SIZE / 2);
	make_sessions(_metadata, self);
	for (i = 0; i < 3; i++)
		employ(self, write_pages, 0);
	start(_metadata, self);
}

TEST_F_TIMEOUT(rounds, writers, 300)
{
	int i;

	start_among_writers(_metadata, self);
	for (i = 0; i < ROUNDS; i++)
		one_round(_metadata, self);
	finish(_metadata, self);
}

/* Read faults map blocks read-only first; then each is written in a few places. */
TEST_F_TIMEOUT(rounds, sparse_writes_into_huge_blocks, 300)
{
	volatile char sum = 0;
	size_t at;
	int i;

	make_regions(_metadata, self, 1, SIZE);
	fill(self, 0, 0, SIZE);
	make_sessions(_metadata, self);
	start(_metadata, self);
	for (i = 0; i < ROUNDS; i++) {
		one_round(_metadata, self);
		if (i % 2)
			madvise(self->area[0], SIZE, MADV_DONTNEED);
		for (at = 0; i % 3 == 0 && at < SIZE; at += BLOCK)
			sum += self->area[0][at];
		for (at = 0; at < SIZE; at += BLOCK) {
			stamp(self->area[0] + at + i * 5 * PAGE, at, i);
			usleep(100);
			stamp(self->area[0] + at + (i * 5 + 300) % 512 * PAGE, at, i);
		}
	}
	finish(_metadata, self);
}

/* It gives entries their write access back, which a round had revoked. */
TEST_F_TIMEOUT(rounds, mprotect_after_a_round, 300)
{
	size_t at;
	int i;

	make_regions(_metadata, self, 1, SIZE / 4);
	fill(self, 0, 0, SIZE / 4);
	make_sessions(_metadata, self);
	start(_metadata, self);
	for (i = 1; i < ROUNDS; i++) {
		one_round(_metadata, self);
		ASSERT_EQ(0, mprotect(self->area[0], self->size, PROT_READ));
		if (i % 2)
			one_round(_metadata, self);
		ASSERT_EQ(0, mprotect(self->area[0], self->size, PROT_READ | PROT_WRITE));
		for (at = 0; at < self->size; at += 3 * PAGE)
			stamp(self->area[0] + at, at / PAGE, i);
	}
	finish(_metadata, self);
}

TEST_F_TIMEOUT(rounds, several_regions, 300)
{
	int i;

	make_regions(_metadata, self, 3, SIZE / 4);
	for (i = 0; i < 3; i++)
		fill(self, i, 0, SIZE / 4);
	make_sessions(_metadata, self);
	start(_metadata, self);
	for (i = 0; i < 3; i++)
		employ(self, write_pages, i);
	for (i = 0; i < ROUNDS; i++)
		one_round(_metadata, self);
	finish(_metadata, self);
}

TEST_F_TIMEOUT(rounds, holes_race, 300)
{
	int i;

	make_regions(_metadata, self, 1, SIZE / 2);
	fill(self, 0, 0, SIZE / 2);
	make_sessions(_metadata, self);
	start(_metadata, self);
	employ(self, punch_pages, 0);
	employ(self, punch_pages, 0);
	employ(self, write_pages, 0);
	for (i = 0; i < ROUNDS; i++)
		one_round(_metadata, self);
	finish(_metadata, self);
}

static void pace(struct __test_metadata *_metadata, FIXTURE_DATA(rounds) *self, uint64_t bytes_s)
{
	ASSERT_EQ(0, door_set(&self->door, self->source, VMFM_A_PACE, bytes_s));
}

/*
 * A pace is for vCPUs: no process waits for it, even at a page a second. Without KVM
 * nobody can tell them apart, and then processes wait.
 */
TEST_F_TIMEOUT(rounds, pace_of_processes, 300)
{
	bool kvm = !access("/sys/module/kvm", F_OK);
	struct door_stats stats;
	int i;

	start_among_writers(_metadata, self);
	pace(_metadata, self, PAGE);
	for (i = 0; i < 3; i++)
		one_round(_metadata, self);
	usleep(100000);
	ASSERT_EQ(0, door_get(&self->door, self->source, &stats));
	TH_LOG("KVM is %sloaded, writers waited %llu us", kvm ? "" : "not ",
	       (unsigned long long)stats.paced_ns / 1000);
	EXPECT_EQ(kvm, !stats.paced_ns);
	pace(_metadata, self, 0);
	one_round(_metadata, self);
	finish(_metadata, self);
}

/* In the first block, until it is told to stop. */
static void *run_vcpu(void *arg)
{
	static const struct vcpu_work of_vcpu = { .writes = 16 };
	struct work *work = arg;
	struct vcpu vcpu;

	if (vcpu_open(&vcpu, work->area, BLOCK, work->seed, &of_vcpu)) {
		atomic_store(&work->failed, true);
		return NULL;
	}
	while (!atomic_load(work->stop))
		vcpu_write(&vcpu);
	vcpu_close(&vcpu);
	return NULL;
}

/* One that waits for its pace most of the time does not keep its block from being sent. */
TEST_F_TIMEOUT(rounds, paced_vcpu, 300)
{
	struct door_stats stats;
	int i;

	make_regions(_metadata, self, 1, SIZE);
	fill(self, 0, 0, SIZE / 2);
	make_sessions(_metadata, self);
	employ(self, run_vcpu, 0);
	start(_metadata, self);
	one_round(_metadata, self);
	pace(_metadata, self, 100 * PAGE);
	for (i = 0; i < ROUNDS; i++) {
		usleep(200000);
		one_round(_metadata, self);
	}
	ASSERT_EQ(0, door_get(&self->door, self->source, &stats));
	if (atomic_load(&self->work[0].failed))
		SKIP(return, "no vCPU here");
	TH_LOG("paced for %llu ms, %llu pages kept", (unsigned long long)stats.paced_ns / 1000000,
	       (unsigned long long)stats.kept);
	EXPECT_LT(0, stats.paced_ns);
	EXPECT_GT(BLOCK / PAGE, stats.kept);	/* it may just be at work */
	finish(_metadata, self);
}

/* Of a file's mappings those made first come first. */
static void write_behind(struct __test_metadata *_metadata, FIXTURE_DATA(rounds) *self, int fd,
			 int flags)
{
	size_t at;
	char *first;
	int i;

	munmap(self->area[0], self->size);
	first = mmap(NULL, self->size, PROT_READ, flags, fd, 0);
	ASSERT_NE(MAP_FAILED, first);
	self->area[0] = region_map(self->fd[0], self->size);
	ASSERT_NE(MAP_FAILED, self->area[0]);
	fill(self, 0, 0, self->size);
	make_sessions(_metadata, self);
	start(_metadata, self);
	for (i = 1; i < ROUNDS; i++) {
		one_round(_metadata, self);
		for (at = 0; at < self->size; at += 3 * PAGE)
			stamp(self->area[0] + at, at / PAGE, i);
	}
	finish(_metadata, self);
	munmap(first, self->size);
}

TEST_F_TIMEOUT(rounds, behind_a_private_mapping, 300)
{
	make_regions(_metadata, self, 1, SIZE / 8);
	write_behind(_metadata, self, self->fd[0], MAP_PRIVATE);
}

TEST_F_TIMEOUT(rounds, behind_a_reading_mapping, 300)
{
	char path[64];
	int fd;

	make_regions(_metadata, self, 1, SIZE / 8);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd[0]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	write_behind(_metadata, self, fd, MAP_SHARED);
	close(fd);
}

/* The same pages written through another process's page table. */
TEST_F_TIMEOUT(rounds, other_process, 300)
{
	pid_t child;
	int i, status;

	make_regions(_metadata, self, 1, SIZE / 2);
	fill(self, 0, 0, SIZE / 2);
	make_sessions(_metadata, self);
	child = fork();
	if (!child) {
		char *area = region_map(self->fd[0], self->size);
		uint32_t seed = 99;

		for (i = 0; i < 200000; i++) {
			size_t index = roll(&seed) % (self->size / PAGE);

			stamp(area + index * PAGE, index, i);
			if (i % 64 == 0)
				usleep(500);
		}
		_exit(0);
	}
	start(_metadata, self);
	for (i = 0; i < ROUNDS; i++)
		one_round(_metadata, self);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	finish(_metadata, self);
}

/* Nothing but the disk writes the second region: what a round misses stays missed. */
TEST_F_TIMEOUT(rounds, slow_disk_reads, 300)
{
	int i;

	if (!getenv("VMFM_SLOW_DISK"))
		SKIP(return, "VMFM_SLOW_DISK is not set");
	make_regions(_metadata, self, 2, SIZE / 4);
	fill(self, 0, 0, SIZE / 4);
	fill(self, 1, 0, SIZE / 4);
	make_sessions(_metadata, self);
	start(_metadata, self);
	employ(self, write_pages, 0);
	for (i = 0; i < 6; i++)
		employ(self, read_disk, 1);
	for (i = 0; i < ROUNDS; i++) {
		one_round(_metadata, self);
		usleep(400000);
	}
	finish(_metadata, self);
}

struct pin {
	struct ibv_device **devices;
	struct ibv_context *context;
	struct ibv_pd *pd;
	struct ibv_mr *mr;
};

/*
 * A user-space RDMA memory region is a long-term pin, as VFIO's are. Newer
 * kernels refuse to make one where writes are tracked by faults.
 */
static bool pin(struct pin *pin, char *area)
{
	pin->devices = ibv_get_device_list(NULL);
	pin->context = pin->devices && *pin->devices ? ibv_open_device(*pin->devices) : NULL;
	pin->pd = pin->context ? ibv_alloc_pd(pin->context) : NULL;
	pin->mr = pin->pd ? ibv_reg_mr(pin->pd, area, 4 * PAGE, IBV_ACCESS_LOCAL_WRITE) : NULL;
	return pin->mr;
}

static void unpin(struct pin *pin)
{
	ibv_dereg_mr(pin->mr);
	ibv_dealloc_pd(pin->pd);
	ibv_close_device(pin->context);
	ibv_free_device_list(pin->devices);
}

TEST_F_TIMEOUT(rounds, pinned_is_refused, 300)
{
	struct door_stats stats;
	struct pin device;

	make_regions(_metadata, self, 1, SIZE / 4);
	fill(self, 0, 0, SIZE / 4);
	if (!pin(&device, self->area[0] + BLOCK)) {
		ASSERT_NE(NULL, device.pd);
		SKIP(return, "this kernel makes no such pin: %s", strerror(errno));
	}
	make_sessions(_metadata, self);
	ASSERT_EQ(0, door_call(&self->door, VMFM_CMD_SESSION_START, self->source, 0));
	EXPECT_EQ(-EBUSY, door_wait(&self->door, self->source, VMFM_STATE_READY, WAIT_MS));
	EXPECT_NE(NULL, strstr(self->door.error, "ram0"));
	EXPECT_NE(NULL, strstr(self->door.error, "pinned"));
	TH_LOG("%s", self->door.error);
	ASSERT_EQ(0, door_get(&self->door, self->source, &stats));
	EXPECT_EQ(VMFM_STATE_FAILED, stats.state);
	unpin(&device);
}

/* What a sink holds is dropped, but not from under a device that would go on with it. */
TEST_F_TIMEOUT(rounds, pinned_is_not_dropped, 300)
{
	struct door_spec spec;
	struct pin device;
	char *area;

	make_regions(_metadata, self, 1, SIZE / 4);
	area = mmap(NULL, SIZE / 4, PROT_READ | PROT_WRITE, MAP_SHARED, self->sink_fd[0], 0);
	ASSERT_NE(MAP_FAILED, area);
	stamp(area, 1, 2);
	if (!pin(&device, area)) {
		ASSERT_NE(NULL, device.pd);
		SKIP(return, "this kernel makes no such pin: %s", strerror(errno));
	}
	door_spec_init(&spec, VMFM_ROLE_SINK);
	spec.regions = 1;
	spec.fd[0] = self->sink_fd[0];
	spec.discard = true;
	EXPECT_EQ(-EBUSY, door_new(&self->door, &spec));
	EXPECT_NE(NULL, strstr(self->door.error, "pinned"));
	EXPECT_NE(0, *(uint64_t *)area);
	unpin(&device);
	self->sink = door_new(&self->door, &spec);
	ASSERT_GT(self->sink, 0) TH_LOG("sink: %s", self->door.error);
	EXPECT_EQ(0, *(uint64_t *)area);
	munmap(area, SIZE / 4);
}

TEST_HARNESS_MAIN
