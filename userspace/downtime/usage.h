/* SPDX-License-Identifier: GPL-2.0-only */
/* What the host spends: CPU since it was booted, memory that a process has pinned. */
#ifndef USAGE_H
#define USAGE_H

#include <jansson.h>
#include <sys/types.h>

#include "../fault.h"

/* {"cpu_s":f,"pinned_bytes":I?}: the latter for @pid, unless that is 0 or gone. */
json_t *usage_read(pid_t pid, struct fault *fault);

#endif
