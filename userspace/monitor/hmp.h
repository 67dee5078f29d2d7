/* SPDX-License-Identifier: GPL-2.0-only */
/* human-monitor-command, where its line is about us. */
#ifndef MONITOR_HMP_H
#define MONITOR_HMP_H

#include <stdbool.h>

struct monitor;
struct request;

/* False: it is QEMU's. */
bool hmp_command(struct monitor *monitor, struct request *request);

#endif
