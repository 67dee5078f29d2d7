/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MONITOR_CONNECT_H
#define MONITOR_CONNECT_H

#include "fault.h"

/* To the UNIX socket at @path, or -1. */
int connect_to(const char *path, struct fault *fault);

#endif
