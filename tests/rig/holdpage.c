// SPDX-License-Identifier: GPL-2.0
/*
 * Holds a page of a file by a reference and nothing else, until it is killed, as KVM on
 * Intel does with pages of a guest that runs guests: holdpage FILE OFFSET
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096UL

static int hold(const char *path, off_t offset)
{
	int fd = open(path, O_RDWR | O_CLOEXEC), pipes[2];
	struct iovec page = { NULL, PAGE };

	if (fd < 0 || pipe(pipes))
		return -1;
	page.iov_base = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
	close(fd);
	if (page.iov_base == MAP_FAILED || vmsplice(pipes[1], &page, 1, 0) != (ssize_t)PAGE)
		return -1;
	return munmap(page.iov_base, PAGE);
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: %s FILE OFFSET\n", argv[0]);
		return 64;
	}
	if (hold(argv[1], strtoll(argv[2], NULL, 0))) {
		perror(argv[1]);
		return 1;
	}
	for (;;)
		pause();
}
