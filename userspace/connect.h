/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CONNECT_H
#define CONNECT_H

#include "fault.h"

/*
 * To the UNIX socket at @path, or -1; then errno tells, too: ETIMEDOUT where others wait
 * there already, and none of them was accepted in 5 s.
 */
int connect_to(const char *path, struct fault *fault);

#endif
