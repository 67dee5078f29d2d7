/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef RESPONDER_SIZE_H
#define RESPONDER_SIZE_H

#include <stdint.h>

#include "../fault.h"

/* Digits and perhaps one of K, M, G, T, for powers of 1024: up to INT64_MAX, as JSON has it. */
int size_parse(const char *text, uint64_t *bytes, struct fault *fault);

#endif
