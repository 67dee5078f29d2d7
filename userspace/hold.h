/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests: what the environment variable VMFASTMIGD_HOLD names is a file. A
 * stage of a migration whose name is in it does not begin before it is gone
 * from there, or the migration is cancelled.
 */
#ifndef HOLD_H
#define HOLD_H

void hold(const char *stage, int stop_fd);

#endif
