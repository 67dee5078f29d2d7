/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtual machine as small as can be: one vCPU that writes to random pages of an
 * area and stops. What it writes goes through KVM's own page table, and follows from
 * its seed: vcpu_next() tells.
 */
#ifndef VCPU_H
#define VCPU_H

#include <stddef.h>
#include <stdint.h>

/* What it finds at the end of its page of code. */
struct vcpu_work {
	uint32_t writes;	/* until it stops */
	uint32_t pause;		/* turns of an empty loop after each write */
};

/* Its registers: the random number that chose the last page, how many were written. */
struct vcpu_write {
	uint32_t random, count;
};

struct vcpu {
	int kvm, vm, cpu;
	struct kvm_run *run;
	size_t run_bytes;
	char *code;
	const char *why;	/* it could not be made */
};

/* @bytes: a power of two, 1 GiB at most. @seed is not 0. 0, or -errno. */
int vcpu_open(struct vcpu *vcpu, char *area, size_t bytes, uint32_t seed,
	      const struct vcpu_work *work);
/* As many pages as its work says. 0, or -1. */
int vcpu_write(struct vcpu *vcpu);
void vcpu_close(struct vcpu *vcpu);

/* Goes on from @last, at first { seed, 0 }, to the next write; its page is returned. */
size_t vcpu_next(struct vcpu_write *last, size_t pages);
/* What that write leaves in its page. */
void vcpu_stamp(char *page, const struct vcpu_write *write);

#endif
