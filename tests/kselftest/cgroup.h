/* SPDX-License-Identifier: GPL-2.0-only */
/* Groups of processes with a limit of memory (cgroup v2). */
#ifndef CGROUP_H
#define CGROUP_H

#include <sys/types.h>

#define CGROUP_PATH_BYTES	128

struct cgroup {
	char path[CGROUP_PATH_BYTES];
};

/* 0, or -errno. */
int cgroup_new(struct cgroup *group, const char *name, size_t max_bytes);
/* Of the calling process. */
int cgroup_enter(struct cgroup *group);
/* Back to the root group. */
int cgroup_leave(void);
/* -1 when it cannot be read. */
long long cgroup_bytes(struct cgroup *group);
long long cgroup_kills(struct cgroup *group);
/* -EBUSY while it has processes. */
int cgroup_free(struct cgroup *group);

#endif
