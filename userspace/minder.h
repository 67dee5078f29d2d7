/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Looks after a migration that QEMU began itself, in a thread of its own. QEMU
 * tells nobody that it was cancelled, unless its user wants events, and does not
 * answer while its main loop waits for our pipes. The monitor is the minder's
 * while it runs.
 */
#ifndef MINDER_H
#define MINDER_H

#include <pthread.h>
#include <stdatomic.h>

#include "job.h"
#include "qmp.h"

struct minder {
	pthread_t thread;
	bool running;
	struct qmp *qmp;
	struct job *job;		/* is cancelled when QEMU's migration fails */
	int wake;			/* eventfd */
	atomic_int period_ms;		/* between two looks */
	pthread_mutex_t lock;		/* of what follows */
	char status[32];		/* QEMU's; empty before the first look */
	uint64_t stop_ns;		/* when QEMU stopped the guest, last */
	bool failed;
	struct fault why;
};

void minder_init(struct minder *minder);
int minder_start(struct minder *minder, struct qmp *qmp, struct job *job, struct fault *fault);
bool minder_is(struct minder *minder, const char *status);
/* And why: then the job was cancelled. */
bool minder_failed(struct minder *minder, struct fault *why);
/* -1 at the time-out, and once the job is cancelled. */
int minder_wait(struct minder *minder, const char *status, int timeout_ms, struct fault *fault);
/* Waits for what it asked QEMU last. */
void minder_stop(struct minder *minder);

#endif
