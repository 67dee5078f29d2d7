/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A migration of libvirt's: what its source does otherwise.
 *
 * libvirt connects to a socket of ours and gives QEMU the connection. As with a pipe
 * (piped.h) all RAM is in that stream, and QEMU waits in its first pages while ours go
 * by RDMA. The monitor is libvirt's alone: QEMU's stream tells all that is to be known.
 *
 * Who runs the guest is for libvirt. It lets the destination do so once QEMU here has
 * completed, which it does not before QEMU there has loaded the whole stream, whose end
 * we let go when all RAM is there. Every failure is the end of the connection.
 */
#ifndef VIRT_H
#define VIRT_H

#include <sys/types.h>

#include "fault.h"

struct source;

struct virt {
	char domain[256];
	char path[108];		/* of the socket */
	int listener;		/* -1: none */
	pid_t qemu;
	int libvirtd;		/* pidfd of the one that connected, or -1 */
};

struct virt *virt_new(const char *domain);
void virt_free(struct virt *virt);

/* Stages. */
int virt_connect(struct source *source, struct fault *fault);
int virt_preflight(struct source *source, struct fault *fault);
int virt_wait(struct source *source, struct fault *fault);
int virt_offer(struct source *source, struct fault *fault);
int virt_prepare(struct source *source, struct fault *fault);
int virt_switchover(struct source *source, struct fault *fault);
int virt_device_state(struct source *source, struct fault *fault);
int virt_hand_over(struct source *source, struct fault *fault);

#endif
