/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages of rdma/wire.h, right or wrong. */
#ifndef WORDS_H
#define WORDS_H

#include <stdint.h>

#include "../../rdma/wire.h"

/* Of @name no more than there is room for, with or without its end. */
struct vmfm_msg word_region(int region, uint64_t pages, const char *name);
/* CHUNK, HOLE */
struct vmfm_msg word_range(int type, int region, uint64_t page, uint64_t pages);
struct vmfm_msg word_grant(int region, uint64_t page, uint64_t pages, uint64_t iova, uint32_t key);
/* The others: the number goes where that type has it. */
struct vmfm_msg word_number(int type, uint32_t number);

#endif
