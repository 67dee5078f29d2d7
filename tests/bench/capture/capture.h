/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What it costs to have memory in vmfastmig files, and to have writes to them seen:
 * one program, a subcommand for each measurement. Each prints samples, JSON objects
 * of one line. What fails is told on standard error and ends it.
 */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <stddef.h>
#include <stdint.h>

#include "tracking.h"

#define PAGE_BYTES	4096UL
#define BLOCK_BYTES	(2UL << 20)
#define BLOCK_PAGES	(BLOCK_BYTES / PAGE_BYTES)

/* sample.c: {"part":...,"case":...,"values":{...}}; names and values end with NULL. */
struct value {
	const char *name;
	uint64_t value;
};

void sample(const char *part, const char *name, const struct value *values);
/* Sorts; 50 is the median. */
uint64_t percentile(uint64_t *values, size_t count, unsigned int percent);

/* area.c */
size_t bytes_of(const char *text);	/* 16M, 1T */
size_t spread_block(size_t i, size_t count, size_t bytes);	/* where the i-th of count lies */
uint64_t roll(uint64_t *state);
int open_memory(const char *kind, size_t bytes);	/* memfd, hugetlb, or a file's path */
char *map_memory(int fd, size_t bytes);
size_t pmd_mapped_bytes(const char *area);

/* Subcommands: arguments from the first behind its name on. */
void process_measure(char **argv);
void start_measure(char **argv);
void rounds_measure(char **argv);
void final_measure(char **argv);
void faults_measure(char **argv);
void guest_track(char **argv);
void huge_set(char **argv);

#endif
