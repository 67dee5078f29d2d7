/* SPDX-License-Identifier: GPL-2.0-only */
/* The migration that the daemon does for a user, as the user sees it: as QEMU's. */
#ifndef MONITOR_MIGRATION_H
#define MONITOR_MIGRATION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "client.h"

struct monitor;
struct request;

enum migration_step {
	MIGRATION_NONE,
	MIGRATION_ASKS,		/* QEMU for its settings */
	MIGRATION_ORDERS,	/* the daemon, which has not accepted it yet */
	MIGRATION_RUNS,
	MIGRATION_ENDED,
};

struct migration {
	enum migration_step step;
	struct request *asker;		/* until it has its answer */
	char *uri;
	json_t *options;
	json_t *capabilities;		/* QEMU's, as they were */
	json_t *parameters;		/* the same, and what was set in its course */
	json_t *set;			/* that alone */
	bool events;			/* of them */
	struct client daemon;
	json_int_t id;			/* the daemon's */
	bool cancelled, cancel_sent;
	bool qemu_completed;		/* its own migration: the commit may be said */
	char status[32];
	char error[512];
	json_t *progress, *result;
	unsigned int pass;
	uint64_t start_ms, active_ms, end_ms;
};

/* Takes over @request, answers it in time. */
void migration_begin(struct monitor *monitor, struct request *request);
void migration_cancel(struct monitor *monitor);
/* Answers @request, which has them. QEMU gets them, too, if the guest stays. */
void migration_limit(struct monitor *monitor, struct request *request, const json_t *parameters);
/* QEMU itself is told to migrate, and is to be asked again. */
void migration_forget(struct migration *migration);
void migration_free(struct migration *migration);

/* The daemon's socket, or -1; and that it has something to say. */
int migration_fd(const struct migration *migration);
void migration_on_daemon(struct monitor *monitor);
/* QEMU told of its own. */
void migration_on_event(struct monitor *monitor, const char *text);

static inline bool migration_runs(const struct migration *migration)
{
	return migration->step != MIGRATION_NONE && migration->step != MIGRATION_ENDED;
}

/* Whether query-migrate is ours. */
static inline bool migration_is_known(const struct migration *migration)
{
	return migration->step >= MIGRATION_RUNS;
}

/* figures.c: in QEMU's schema; and as HMP's "info migrate". */
json_t *migration_figures(const struct migration *migration);
json_t *migration_figures_text(const struct migration *migration);

#endif
