/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where libvirt's migrations pass: a socket a domain, at the source ours, at the
 * destination QEMU's, at the same path on both. QEMU's user may make sockets there, and
 * not remove ours.
 */
#ifndef VIRTDIR_H
#define VIRTDIR_H

#include "daemon.h"

#define VIRTDIR RUN_DIR "/libvirt"

/* Makes it, with the owner of libvirt's directory on the filesystem. */
int virtdir_make(struct fault *fault);
/* The domain's socket. */
int virtdir_path(const char *domain, char path[108], struct fault *fault);
/* As virsh wants it. */
void virtdir_uri(const char *path, char *uri, size_t bytes);
/* The domain's socket, listening, ours alone. */
int virtdir_listen(const char *path, struct fault *fault);
/* Those that a daemon before this one left. */
void virtdir_clean(void);

#endif
