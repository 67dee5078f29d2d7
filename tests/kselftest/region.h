/* SPDX-License-Identifier: GPL-2.0-only */
/* Files of guests' RAM, made and mapped as QEMU does. */
#ifndef REGION_H
#define REGION_H

#include <stdbool.h>
#include <stddef.h>

/* In VMFM_DIR (default /dev/vmfastmig), without a name; -1 with errno. */
int region_file(const char *name, size_t size);
/* Aligned for huge pages, and they are wanted; MAP_FAILED with errno. */
char *region_map(int fd, size_t size);
/* Pages from @from up to @to that are not the same in both files, or cannot be read. */
unsigned long region_differences(int fd, int other, size_t from, size_t to);
/* Whether it can be read, and is that. */
bool region_page_is(int fd, unsigned long page, const char *wanted);

#endif
