/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MONITOR_LISTEN_H
#define MONITOR_LISTEN_H

#include "fault.h"

/*
 * A UNIX socket at @path that only its owner may connect to; @full gets its absolute
 * path. A socket left there that nobody listens at is replaced. -1 on failure.
 */
int listen_at(const char *path, char full[108], struct fault *fault);

#endif
