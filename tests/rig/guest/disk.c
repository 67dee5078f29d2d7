// SPDX-License-Identifier: GPL-2.0
/*
 * Readers of a stamped disk, past the page cache: what arrives, the disk has put
 * there and nobody else. A buffer is checked when its read is done and once more
 * before it is used again, when it may have moved to another host meanwhile. No
 * one writes to the buffers, so that nothing but the read itself dirties them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <linux/fs.h>
#include <unistd.h>

#include "guest.h"
#include "sector.h"

#define BUFFERS 8

struct buffer {
	unsigned char *at;
	uint64_t sector;
	bool filled;
};

static uint64_t disk_bytes;

static void check_buffer(const struct buffer *b, const char *when)
{
	uint64_t i, n = settings.read_bytes / SECTOR_BYTES;

	for (i = 0; i < n; i++) {
		if (sector_is_right(b->at + i * SECTOR_BYTES, b->sector + i))
			continue;
		if (atomic_fetch_add(&counters.disk_errors, 1) < 20)
			say("BAD READ: sector %llu is wrong %s (buffer %p, +%llu bytes)",
			    (unsigned long long)(b->sector + i), when, b->at,
			    (unsigned long long)i * SECTOR_BYTES);
	}
}

static void read_failed(const struct buffer *b, ssize_t n)
{
	if (atomic_fetch_add(&counters.disk_errors, 1) < 20)
		say("BAD READ: sector %llu: %s", (unsigned long long)b->sector,
		    n < 0 ? strerror(errno) : "short");
}

static void read_into(int fd, struct buffer *b)
{
	uint64_t spots = disk_bytes / settings.read_bytes, spot = 0;
	ssize_t n;

	if (b->filled)
		check_buffer(b, "some time after its read");
	if (getrandom(&spot, sizeof(spot), GRND_NONBLOCK) < 0)
		spot = now_us();
	b->sector = spot % spots * (settings.read_bytes / SECTOR_BYTES);
	n = pread(fd, b->at, settings.read_bytes, b->sector * SECTOR_BYTES);
	b->filled = n == (ssize_t)settings.read_bytes;
	if (!b->filled) {
		read_failed(b, n);
		usleep(100000);
		return;
	}
	check_buffer(b, "after its read");
	atomic_fetch_add(&counters.disk_reads, 1);
}

static void *reader(void *unused)
{
	struct buffer buffers[BUFFERS] = { 0 };
	int fd = open(settings.disk, O_RDONLY | O_DIRECT | O_CLOEXEC);
	unsigned int i;

	for (i = 0; i < BUFFERS; i++)
		buffers[i].at = mmap(NULL, settings.read_bytes, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	for (i = 0;; i = (i + 1) % BUFFERS)
		read_into(fd, &buffers[i]);
	return unused;
}

static bool disk_open(void)
{
	int fd = open(settings.disk, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && !ioctl(fd, BLKGETSIZE64, &disk_bytes) &&
		  disk_bytes >= settings.read_bytes;

	if (!ok) {
		say("cannot read disk %s", settings.disk);
		atomic_fetch_add(&counters.disk_errors, 1);
	}
	if (fd >= 0)
		close(fd);
	return ok;
}

void disk_start(void)
{
	unsigned int i;

	if (!settings.disk[0] || !disk_open())
		return;
	for (i = 0; i < settings.readers; i++)
		start_thread(reader, NULL);
}
