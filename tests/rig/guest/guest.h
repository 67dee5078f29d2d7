/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The test guest: one program, as /init, that dirties its memory, checks all of
 * it all the time and tells about it over UDP and TCP.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "responder/latency.h"
#include "responder/pace.h"

/* The working set is written again and again, the cold area once. */
enum area_id { AREA_WS, AREA_COLD, AREAS };

struct settings {
	char ip[32], disk[64], exec[64];
	uint64_t ws_bytes, cold_bytes, read_bytes, nested_bytes;
	atomic_ullong dirty_bytes_per_s, check_bytes_per_s;
	bool random;
	unsigned int writers, readers;
};

struct counters {
	atomic_bool ready;
	atomic_ullong writes, pages_checked, passes, errors;
	atomic_ullong disk_reads, disk_errors;
	atomic_ullong nested_writes, nested_passes;
	struct latency write_latency;
};

extern struct settings settings;
extern struct counters counters;

uint64_t now_us(void);
void start_thread(void *(*run)(void *), void *arg);
__attribute__((format(printf, 1, 2))) void say(const char *fmt, ...);

/* setup.c */
void setup_kernel_filesystems(void);
void setup_modules(void);
void setup_network(const char *ip);

/* args.c */
void parse_args(void);

/* pages.c: a page is written and checked under its lock */
void pages_init(void);
size_t pages_count(enum area_id id);
void pages_write(enum area_id id, size_t page);	/* is timed */
void pages_check(enum area_id id, size_t page);

/* throughput.c: @argument is BYTES MS */
int throughput_start(const char *argument, struct fault *fault);
void throughput_tell(struct text *text);

/* One each */
void writer_start(void);
void checker_start(void);
void disk_start(void);
void exec_start(void);
void nested_start(void);
void responder_start(void);
void responder_tick(void);

#endif
