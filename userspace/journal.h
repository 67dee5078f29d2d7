/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How far a source's migration came, per monitor. A daemon that starts again
 * brings back guests that its predecessor left stopped before the commit point,
 * asks the destination about those past it, and gives QEMU its settings back.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stdbool.h>

#include "commit.h"
#include "qmp.h"

struct journal {
	const struct qmp *qmp;
	bool running;		/* the guest was, before the switchover */
	bool migrating;		/* QEMU is, or is about to: before that there is nothing to cancel */
	json_t *settings;	/* of its migration, as they were; NULL: it has them */
	struct commit_peer peer;	/* but what to tell when it settles */
};

/* Written through before it answers. */
int journal_write(const struct journal *journal, bool committed, struct fault *fault);
void journal_remove(const char *qmp_path);
/* That QEMU's, before a migration that a daemon before this one left and has not seen to; or NULL. */
json_t *journal_settings(const struct qmp *qmp);
/* Each entry in a thread of its own. */
void journal_repair(void);

#endif
