/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How far a source's switchover came, on a file that outlives the daemon: a
 * daemon that starts again brings back guests that its predecessor left stopped
 * before the commit point, and leaves alone those past it.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stdbool.h>

/* Written through before it returns. */
void journal_write(const char *uuid, const char *qmp_path, bool committed);
void journal_remove(const char *uuid);
void journal_repair(void);

#endif
