/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMUs that wait for their guests, the offers of peers for them, and the
 * custody of guests that are loaded and not committed.
 */
#ifndef SINK_H
#define SINK_H

#include "daemon.h"
#include "guest.h"
#include "native.h"
#include "qmp.h"

/* A QEMU that waits (-incoming defer). */
struct sink {
	struct sink *next;
	struct job *job;
	char name[256];
	struct qmp qmp;		/* of a native one, its process alone */
	struct native *native;	/* NULL: it waits by -incoming defer */
	struct guest guest;
	bool busy;		/* a peer's thread has it */
	bool ended;
	json_t *result;
	pthread_cond_t cond;
};

/* waiting.c. The one that waits for that guest, for the caller alone, or NULL. */
struct sink *sink_claim(const char *name, struct fault *fault);
/* Back to waiting. */
void sink_unclaim(struct sink *sink);
/* Its waiting is over. Takes over @result. */
void sink_end(struct sink *sink, json_t *result);

/*
 * custody.c. A guest is noted in a file before it is loaded, until the source
 * has heard that it runs, or it is given up: the answer to a commit that is said
 * again rests on that.
 */
struct custody {
	const char *ticket;
	const struct qmp *qmp;
	bool paused;		/* it shall stay so */
	bool told;		/* to run: from then on nobody says that it never did */
	json_t *settings;	/* of its QEMU's migration, as they were */
	bool native;		/* the QEMU runs when we say so, and ends when we end before */
};

/* Also when it changed. */
int custody_note(const struct custody *custody, struct fault *fault);
void custody_end(const char *ticket);
/*
 * The answer to a commit that is said again: {"resumed"} or {"error","ran"?}, which is
 * final. NULL: its QEMU cannot be looked at now; without an answer the source asks again.
 * @boot_id: of this host, when the source heard that its guest was loaded.
 */
json_t *custody_commit(const char *ticket, const char *boot_id);
/* This boot's. */
void custody_boot_id(char boot_id[64]);
/* Tells of those a daemon before this one left. */
void custody_tell(void);

#endif
