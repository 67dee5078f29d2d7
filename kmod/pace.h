/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMFM_PACE_H
#define VMFM_PACE_H

#include <linux/atomic.h>
#include <linux/types.h>

struct kvm_vcpu;

/*
 * How fast a session's guest may dirty pages that are clean. It is the vCPUs'
 * first writes since the last round that wait; nothing else does: reads, pages
 * that are dirty already, QEMU, vhost, disks. Where KVM is not loaded,
 * processes wait instead.
 */
struct vmfm_pace {
	u64 bytes_s;			/* 0: nobody waits */
	atomic64_t next_ns;		/* when the next page may be dirtied */
	atomic64_t waited_ns;		/* sum of the waits that were imposed */
	struct kvm_vcpu *(*running)(void);	/* KVM's word on who is a vCPU */
};

void vmfm_pace_init(struct vmfm_pace *pace);
void vmfm_pace_exit(struct vmfm_pace *pace);

/* May be called at any time; who waits by the old rate goes on. */
void vmfm_pace_set(struct vmfm_pace *pace, u64 bytes_s);

/* How long the writer that is about to dirty a page is to wait, in ns. Does not sleep. */
u64 vmfm_pace_take(struct vmfm_pace *pace);
/* Up to a signal: a vCPU that is to stop is not waited for. */
void vmfm_pace_wait(u64 wait_ns);

#endif
