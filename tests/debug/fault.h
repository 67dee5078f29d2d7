/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Allocations that fail, one at a time: the nth one of this thread, or one of
 * the kernel's workers. See fault-injection in the kernel's documentation;
 * run.sh makes every kind of allocation eligible.
 */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>

/* False, and errno: this kernel has no fault injection. */
bool fault_open(void);
void fault_arm(unsigned int nth);
/* Whether it struck. Nothing fails any more. */
bool fault_disarm(void);

/*
 * @kind: a directory of debugfs, "failslab" or "fail_page_alloc". The first
 * allocation of a worker fails after the workers allocated @space, in bytes or
 * pages.
 */
void worker_fault_arm(const char *kind, int space);
/* What is left of @space; 0 or less: it struck. */
int worker_fault_disarm(const char *kind);

#endif
