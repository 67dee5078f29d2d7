/* SPDX-License-Identifier: GPL-2.0-only */
/* That a QEMU has the files which it, or its command line, names as its RAM. */
#ifndef MAPPED_H
#define MAPPED_H

#include <stdbool.h>
#include <stdio.h>

#include "guest.h"

/*
 * -1 where one of the regions is not mapped by that process, shared and writable. Root opens
 * whatever is named, and the name may be that of another guest's file.
 */
int mapped_check(const struct guest *guest, pid_t pid, struct fault *fault);

/* Whether @maps, as /proc/PID/maps, has the file @fd so. */
bool mapped_in(FILE *maps, int fd);

#endif
