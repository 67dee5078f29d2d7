/* SPDX-License-Identifier: GPL-2.0-only */
/* A directory of the running test's own, removed after it, however it ended. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <sys/types.h>

const char *scratch_dir(void);
/* That of a test's process that has ended. */
void scratch_remove(pid_t pid);
/* The path of @name in it; good until eight calls later. */
const char *scratch_path(const char *name);
/* Writes a file there. */
const char *scratch_file(const char *name, const char *text, mode_t mode);

#endif
