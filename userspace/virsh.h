/* SPDX-License-Identifier: GPL-2.0-only */
/* The program virsh, asked for domains of this host. */
#ifndef VIRSH_H
#define VIRSH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "fault.h"

/* Starts it with these words (NULL-terminated); what it prints goes where ours goes, @quiet: to errors. */
pid_t virsh_start(const char *const *words, bool quiet, struct fault *fault);
/* Its exit status. */
int virsh_end(pid_t pid);

/* A domain's number in milliseconds, which QEMU's migrations are to stop it at most; or -1. */
long virsh_max_downtime(const char *domain);
void virsh_set_max_downtime(const char *domain, long ms);

#endif
