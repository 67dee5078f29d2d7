/* SPDX-License-Identifier: GPL-2.0-only */
/* The longest time that each CPU did not run: a ticker on each. */
#ifndef RESPONDER_STALLS_H
#define RESPONDER_STALLS_H

#include "text.h"
#include "ticker.h"

/* @ticker, which is bound to no CPU, is the one of a CPU that is alone. */
int stalls_start(struct ticker *ticker, struct fault *fault);
void stalls_reset(void);

/* Adds ,"vcpus":[{"cpu","longest_stall_us"},...] */
void stalls_tell(struct text *text);

#endif
