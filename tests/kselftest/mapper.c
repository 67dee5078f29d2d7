// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mapper.h"
#include "region.h"

int mapper_start(struct mapper *mapper, int fd, size_t bytes)
{
	int ready[2], stay[2];
	ssize_t told;
	char c;

	if (pipe2(ready, O_CLOEXEC) || pipe2(stay, O_CLOEXEC))
		return -1;
	mapper->pid = fork();
	if (!mapper->pid) {
		close(ready[0]);
		close(stay[1]);
		if (region_map(fd, bytes) == MAP_FAILED || write(ready[1], "", 1) != 1)
			_exit(1);
		_exit(read(stay[0], &c, 1) != 0);
	}
	close(ready[1]);
	close(stay[0]);
	mapper->end = stay[1];
	told = read(ready[0], &c, 1);
	close(ready[0]);
	return mapper->pid > 0 && told == 1 ? 0 : -1;
}

int mapper_end(struct mapper *mapper)
{
	int status = -1;

	close(mapper->end);
	waitpid(mapper->pid, &status, 0);
	return status;
}
