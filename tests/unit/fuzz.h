/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a fuzz_*.c gives: an entry point as libFuzzer has it, and what to begin
 * with. Run by libFuzzer, or by mutate.c as a test with a fixed seed.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

extern const char *const fuzz_seeds[];	/* NULL-terminated */
extern const unsigned int fuzz_iterations;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#endif
