/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtual machine as small as can be: one vCPU that writes to random pages of an
 * area and stops. What it writes goes through KVM's own page table.
 */
#ifndef VCPU_H
#define VCPU_H

#include <stddef.h>
#include <stdint.h>

struct vcpu {
	int kvm, vm, cpu;
	struct kvm_run *run;
	size_t run_bytes;
	char *code;
	const char *why;	/* it could not be made */
};

/* @bytes: a power of two, 1 GiB at most. 0, or -errno. */
int vcpu_open(struct vcpu *vcpu, char *area, size_t bytes, uint32_t seed);
/* VCPU_WRITES pages. 0, or -1. */
int vcpu_write(struct vcpu *vcpu);
void vcpu_close(struct vcpu *vcpu);

#define VCPU_WRITES	64

#endif
