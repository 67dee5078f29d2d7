// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "page.h"
#include "region.h"

int region_file(const char *name, size_t size)
{
	const char *dir = getenv("VMFM_DIR");
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir ? dir : "/dev/vmfastmig", name);
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return -1;
	unlink(path);
	if (ftruncate(fd, size)) {
		close(fd);
		return -1;
	}
	return fd;
}

char *region_map(int fd, size_t size)
{
	char *area = mmap(NULL, size + BLOCK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = (char *)(((uintptr_t)area + BLOCK - 1) & ~(BLOCK - 1));

	if (area == MAP_FAILED)
		return area;
	at = mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	if (at != MAP_FAILED)
		madvise(at, size, MADV_HUGEPAGE);
	return at;
}

unsigned long region_differences(int fd, int other, size_t from, size_t to)
{
	unsigned long pages = 0;
	char a[PAGE], b[PAGE];
	size_t at;

	for (at = from; at < to; at += PAGE)
		if (pread(fd, a, PAGE, at) != (ssize_t)PAGE ||
		    pread(other, b, PAGE, at) != (ssize_t)PAGE || memcmp(a, b, PAGE))
			pages++;
	return pages;
}

bool region_page_is(int fd, unsigned long page, const char *wanted)
{
	char is[PAGE];

	return pread(fd, is, PAGE, page * PAGE) == (ssize_t)PAGE && !memcmp(is, wanted, PAGE);
}
