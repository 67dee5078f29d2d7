/* SPDX-License-Identifier: GPL-2.0-only */
/* A QEMU without a machine, for tests of what speaks to one. */
#ifndef QEMU_H
#define QEMU_H

#include <sys/types.h>

/*
 * Starts one, stopped, its monitor at @path, with further @options; returns once
 * one can connect to it. Skips the test where none is installed.
 */
pid_t qemu_start(const char *path, const char *options);
void qemu_end(pid_t pid);

#endif
