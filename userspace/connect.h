/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CONNECT_H
#define CONNECT_H

#include "fault.h"

/* To the UNIX socket at @path, or -1; then errno tells, too. */
int connect_to(const char *path, struct fault *fault);

#endif
