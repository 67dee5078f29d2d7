// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"

static void name_dir(char dir[64], pid_t pid)
{
	snprintf(dir, 64, "/tmp/vmfastmig-unit-%d", (int)pid);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void scratch_remove(pid_t pid)
{
	char dir[64];

	name_dir(dir, pid);
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_dir(void)
{
	static char dir[64];
	static pid_t owner;

	if (owner == getpid())
		return dir;
	owner = getpid();
	name_dir(dir, owner);
	scratch_remove(owner);
	if (mkdir(dir, 0700))
		abort();
	return dir;
}

const char *scratch_path(const char *name)
{
	static char paths[8][160];
	static unsigned int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", scratch_dir(), name);
	return path;
}

const char *scratch_file(const char *name, const char *text, mode_t mode)
{
	const char *path = scratch_path(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fchmod(fd, mode))
		abort();
	close(fd);
	return path;
}
