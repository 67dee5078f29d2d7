// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "page.h"
#include "region.h"
#include "writers.h"

#define WINDOW		64UL	/* pages, of who needs more than one in a row */
#define DISK_PAGES	16UL

/* Where so many pages in a row begin. */
static size_t place(struct writer *w, size_t pages)
{
	return roll(&w->seed) % (w->bytes / PAGE - pages + 1) * PAGE;
}

/* The uppermost byte tells who it was. */
static void stamp(struct writer *w, char *page)
{
	page_stamp(page, ((uint64_t)w->number << 56) ^ ((uint64_t)(roll(&w->seed) >> 8) << 32) ^
			 ++w->generation);
}

static int stores(struct writer *w)
{
	int i;

	for (i = 0; i < 16; i++)
		stamp(w, w->area + place(w, 1));
	return 0;
}

/* Few pages, again and again: most of what a round takes is being written just now. */
static int hot_stores(struct writer *w)
{
	int i;

	for (i = 0; i < 64; i++)
		stamp(w, w->area + roll(&w->seed) % 32 * 61 * PAGE % w->bytes);
	return 0;
}

static const struct vcpu_work vcpu_work = { .writes = 64 };

static int vcpu(struct writer *w)
{
	return vcpu_write(&w->vcpu);
}

/* As vhost and KVM do: the kernel writes to the process's addresses, across pages. */
static int copy_to_user(struct writer *w)
{
	char buffer[PAGE];

	stamp(w, buffer);
	if (write(w->pipe[1], buffer, PAGE) != (ssize_t)PAGE)
		return -1;
	return read(w->pipe[0], w->area + place(w, 2) + roll(&w->seed) % PAGE, PAGE) == (ssize_t)PAGE ?
	       0 : -1;
}

/* The kernel takes references, and writes by them. */
static int other_memory(struct writer *w)
{
	char buffer[PAGE];
	struct iovec from = { buffer, PAGE };
	struct iovec to = { w->area + place(w, 2) + roll(&w->seed) % PAGE, PAGE };

	stamp(w, buffer);
	return process_vm_writev(getpid(), &from, 1, &to, 1, 0) == (ssize_t)PAGE ? 0 : -1;
}

/* Into pages that were pinned before. */
static int disk(struct writer *w)
{
	off_t from = (off_t)(roll(&w->seed) % 1024) * PAGE;

	return pread(w->disk, w->area + place(w, DISK_PAGES), DISK_PAGES * PAGE, from) ==
	       (ssize_t)(DISK_PAGES * PAGE) ? 0 : -1;
}

static int holes(struct writer *w)
{
	size_t pages = roll(&w->seed) % 8 ? 1 + roll(&w->seed) % 16 : BLOCK / PAGE;
	size_t at = place(w, pages);

	if (pages == BLOCK / PAGE && roll(&w->seed) % 2)
		at &= ~(BLOCK - 1);
	return fallocate(w->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, pages * PAGE);
}

static int mprotected(struct writer *w)
{
	char *at = w->area + place(w, WINDOW);
	size_t i;

	if (mprotect(at, WINDOW * PAGE, PROT_READ) ||
	    mprotect(at, WINDOW * PAGE, PROT_READ | PROT_WRITE))
		return -1;
	for (i = 0; i < WINDOW; i += 5)
		stamp(w, at + i * PAGE);
	return 0;
}

static int mremapped(struct writer *w)
{
	char *room = mmap(NULL, WINDOW * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = mmap(NULL, WINDOW * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, w->fd,
			place(w, WINDOW));
	size_t i;

	if (room == MAP_FAILED || at == MAP_FAILED)
		return -1;
	for (i = 0; i < WINDOW; i += 3)
		stamp(w, at + i * PAGE);
	at = mremap(at, WINDOW * PAGE, WINDOW * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room);
	if (at == MAP_FAILED)
		return -1;
	for (i = 0; i < WINDOW; i += 4)
		stamp(w, at + i * PAGE);
	return munmap(at, WINDOW * PAGE);
}

static int forked(struct writer *w)
{
	char *at = w->area + place(w, WINDOW);
	pid_t child = fork();
	int status, i;

	if (child < 0)
		return -1;
	for (i = 0; i < 8; i++)
		stamp(w, at + (2 * i + !child) * PAGE);
	if (!child)
		_exit(0);
	return waitpid(child, &status, 0) == child && status == 0 ? 0 : -1;
}

static int unmapped(struct writer *w)
{
	char *at = w->area + place(w, WINDOW);

	if (madvise(at, WINDOW * PAGE, MADV_DONTNEED))
		return -1;
	stamp(w, at);
	stamp(w, at + (WINDOW - 1) * PAGE);
	return 0;
}

/* They write nothing, but have the pages mapped, copied and referenced. */
static int private_copies(struct writer *w)
{
	char *at = mmap(NULL, WINDOW * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, w->fd,
			place(w, WINDOW));
	volatile char sum = 0;
	size_t i;

	if (at == MAP_FAILED)
		return -1;
	for (i = 0; i < WINDOW; i++)
		sum += at[i * PAGE];
	for (i = 0; i < WINDOW; i += 7)
		stamp(w, at + i * PAGE);
	return munmap(at, WINDOW * PAGE);
}

static int references(struct writer *w)
{
	struct iovec pages = { w->area + place(w, 4), 4 * PAGE };
	char buffer[4 * PAGE];

	return vmsplice(w->pipe[1], &pages, 1, 0) == (ssize_t)(4 * PAGE) &&
	       read(w->pipe[0], buffer, 4 * PAGE) == (ssize_t)(4 * PAGE) ? 0 : -1;
}

#define PROCESSES	2	/* at the end of the table: each a process of its own */

static const struct writer table[] = {
	{ .name = "stores", .write = stores, .rest_us = 200 },
	{ .name = "hot stores", .write = hot_stores, .rest_us = 50 },
	{ .name = "vCPU", .write = vcpu, .rest_us = 200 },
	{ .name = "copy_to_user", .write = copy_to_user, .rest_us = 300 },
	{ .name = "process_vm_writev", .write = other_memory, .rest_us = 300 },
	{ .name = "disk", .write = disk, .rest_us = 1000 },
	{ .name = "slow disk", .write = disk, .rest_us = 1000 },
	{ .name = "holes", .write = holes, .rest_us = 3000 },
	{ .name = "mprotect", .write = mprotected, .rest_us = 2000 },
	{ .name = "mremap", .write = mremapped, .rest_us = 2000 },
	{ .name = "MADV_DONTNEED", .write = unmapped, .rest_us = 2000 },
	{ .name = "private mappings", .write = private_copies, .rest_us = 3000 },
	{ .name = "vmsplice", .write = references, .rest_us = 3000 },
	{ .name = "stores of a process", .write = hot_stores, .rest_us = 100 },
	{ .name = "fork", .write = forked, .rest_us = 10000 },
};

#define WRITERS		((int)(sizeof(table) / sizeof(*table)))

static void *work(void *arg)
{
	struct writer *w = arg;

	while (gate_enter(w->gate)) {
		atomic_fetch_add(w->write(w) ? &w->failed : &w->done, 1);
		gate_leave(w->gate);
		usleep(w->rest_us);
	}
	return NULL;
}

static int open_disk(const char *name)
{
	const char *path = getenv(name);

	return path ? open(path, O_RDONLY | O_DIRECT | O_CLOEXEC) : -1;
}

static int prepare(struct writer *w, int fd, size_t bytes, int number)
{
	w->fd = fd;
	w->bytes = bytes;
	w->number = number;
	w->seed = 0x1234567 + number * 7919;
	w->disk = !strcmp(w->name, "disk") ? open_disk("VMFM_DISK") :
		  !strcmp(w->name, "slow disk") ? open_disk("VMFM_SLOW_DISK") : -1;
	w->area = region_map(fd, bytes);
	if (w->area == MAP_FAILED || pipe2(w->pipe, O_CLOEXEC))
		return -1;
	return w->write == vcpu ? vcpu_open(&w->vcpu, w->area, bytes, w->seed, &vcpu_work) : 0;
}

/* Made while there are no threads. */
static int start_processes(struct writers *writers)
{
	int i;

	writers->process = fork();
	if (writers->process)
		return writers->process < 0 ? -1 : 0;
	for (i = writers->count - PROCESSES; i < writers->count; i++)
		if (pthread_create(&writers->writer[i].thread, NULL, work, &writers->writer[i]))
			_exit(1);
	for (i = writers->count - PROCESSES; i < writers->count; i++)
		pthread_join(writers->writer[i].thread, NULL);
	_exit(0);
}

int writers_start(struct writers *writers, int fd, size_t bytes)
{
	int i;

	writers->count = WRITERS;
	writers->gate = gate_new();
	writers->writer = mmap(NULL, sizeof(table), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!writers->gate || writers->writer == MAP_FAILED)
		return -1;
	memcpy(writers->writer, table, sizeof(table));
	for (i = 0; i < WRITERS; i++) {
		writers->writer[i].gate = writers->gate;
		if (prepare(&writers->writer[i], fd, bytes, i))
			return -1;
	}
	if (start_processes(writers))
		return -1;
	for (i = 0; i < WRITERS - PROCESSES; i++)
		if (pthread_create(&writers->writer[i].thread, NULL, work, &writers->writer[i]))
			return -1;
	return 0;
}

void writers_end(struct writers *writers)
{
	int i, status;

	gate_end(writers->gate);
	for (i = 0; i < WRITERS - PROCESSES; i++)
		pthread_join(writers->writer[i].thread, NULL);
	waitpid(writers->process, &status, 0);
	for (i = 0; i < WRITERS; i++) {
		struct writer *w = &writers->writer[i];

		if (w->write == vcpu)
			vcpu_close(&w->vcpu);
		munmap(w->area, w->bytes);
		close(w->pipe[0]);
		close(w->pipe[1]);
		if (w->disk >= 0)
			close(w->disk);
	}
	gate_free(writers->gate);
	writers->gate = NULL;
}
