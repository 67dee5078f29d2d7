/* SPDX-License-Identifier: GPL-2.0 */
/* A stamped disk: every sector holds what only this sector holds. */
#ifndef GUEST_SECTOR_H
#define GUEST_SECTOR_H

#include <stdbool.h>
#include <stdint.h>

#define SECTOR_BYTES 512

void sector_stamp(void *to, uint64_t sector);
bool sector_is_right(const void *at, uint64_t sector);

#endif
