/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A domain of libvirt's on this host: the one monitor of its QEMU is libvirt's, so it
 * is known by libvirt's pid file, by its command line, and by what it maps.
 *
 * RAM that was plugged in later is not on the command line. It goes in QEMU's stream.
 */
#ifndef DOMAIN_H
#define DOMAIN_H

#include "arguments.h"
#include "guest.h"

/* Facts and regions of the domain, and its QEMU. On success guest_free() is due. */
int domain_read(const char *name, struct guest *guest, pid_t *pid, struct fault *fault);

/* From a command line: the name it is started with, RAM. */
void domain_parse(struct arguments arguments, struct guest *guest);

#endif
