/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The test guest: one program, as /init, that dirties its memory, checks all of
 * it all the time and tells about it over UDP.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES	4096UL
#define GUEST_PORT	7000

/* The working set is written again and again, the cold area once. */
enum area_id { AREA_WS, AREA_COLD, AREAS };

struct settings {
	char ip[32], disk[64];
	uint64_t ws_bytes, cold_bytes, read_bytes;
	atomic_ullong dirty_bytes_per_s, check_bytes_per_s;
	bool random;
	unsigned int writers, readers;
};

struct counters {
	atomic_bool ready;
	atomic_ullong writes, pages_checked, passes, errors;
	atomic_ullong disk_reads, disk_errors;
	atomic_ullong ticks, longest_jump_us;
};

extern struct settings settings;
extern struct counters counters;

uint64_t now_us(void);
void start_thread(void *(*run)(void *), void *arg, int fifo_priority);
__attribute__((format(printf, 1, 2))) void say(const char *fmt, ...);

/* setup.c */
void setup_kernel_filesystems(void);
void setup_modules(void);
void setup_network(const char *ip);

/* args.c */
uint64_t parse_bytes(const char *text);
void parse_args(void);

/* pages.c: a page is written and checked under its lock */
void pages_init(void);
size_t pages_count(enum area_id id);
void pages_write(enum area_id id, size_t page);
void pages_check(enum area_id id, size_t page);

/* One each */
void writer_start(void);
void checker_start(void);
void ticker_start(void);
void ticker_reset(void);
void disk_start(void);
void responder_run(void);

#endif
