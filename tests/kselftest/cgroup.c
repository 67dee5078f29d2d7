// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"

#define ROOT	"/run/vmfastmig-cgroup"

static int write_file(const char *dir, const char *name, const char *value)
{
	char path[CGROUP_PATH_BYTES + 32];
	int fd, err = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* The number behind @word, or the first one. */
static long long read_number(const char *dir, const char *name, const char *word)
{
	char path[CGROUP_PATH_BYTES + 32], text[1024];
	const char *at = text;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (got <= 0)
		return -1;
	text[got] = 0;
	if (word)
		at = strstr(text, word);
	return at ? atoll(at + (word ? strlen(word) : 0)) : -1;
}

static int mount_root(void)
{
	struct stat control;

	if (!stat(ROOT "/cgroup.procs", &control))
		return 0;
	if (mkdir(ROOT, 0755) && errno != EEXIST)
		return -errno;
	return mount("none", ROOT, "cgroup2", 0, NULL) ? -errno : 0;
}

int cgroup_new(struct cgroup *group, const char *name, size_t max_bytes)
{
	char bytes[32];
	int err = mount_root();

	if (!err)
		err = write_file(ROOT, "cgroup.subtree_control", "+memory");
	if (err)
		return err;
	snprintf(group->path, sizeof(group->path), "%s/%s", ROOT, name);
	if (mkdir(group->path, 0755) && errno != EEXIST)
		return -errno;
	snprintf(bytes, sizeof(bytes), "%zu", max_bytes);
	return write_file(group->path, "memory.max", bytes);
}

int cgroup_enter(struct cgroup *group)
{
	return write_file(group->path, "cgroup.procs", "0");
}

int cgroup_leave(void)
{
	return write_file(ROOT, "cgroup.procs", "0");
}

long long cgroup_bytes(struct cgroup *group)
{
	return read_number(group->path, "memory.current", NULL);
}

long long cgroup_kills(struct cgroup *group)
{
	return read_number(group->path, "memory.events", "oom_kill ");
}

int cgroup_free(struct cgroup *group)
{
	return rmdir(group->path) ? -errno : 0;
}
