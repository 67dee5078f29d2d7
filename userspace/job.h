/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the daemon has in hand: one job a migration, on either side. Jobs live
 * in a table; a job's thread writes it, status and watch read it.
 */
#ifndef JOB_H
#define JOB_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "fault.h"

enum job_role { JOB_SOURCE, JOB_SINK };

struct job {
	unsigned int id;
	enum job_role role;
	int stop_fd;		/* eventfd: readable once it is to be cancelled */
	int refs;
	struct job *next;
	/* under the table's lock */
	json_t *state;		/* {"id","role","guest","phase","qmp",...} as status tells it */
	json_t *result;		/* set once, at the end */
	json_t *marks;		/* of the result: when a phase began and what else was marked */
	json_t *wishes;		/* options that its thread is to heed; NULL: none now */
	bool heeds;		/* it takes wishes */
	bool tidies;		/* the migration is over */
	unsigned int version;	/* counts changes of state and result */
};

/*
 * A job in the table, with a reference for the caller, or NULL: no memory, or
 * another job has that monitor. One that tidies up is waited for.
 */
struct job *job_new(enum job_role role, const char *qmp_path, struct fault *fault);
void job_get(struct job *job);
struct job *job_find(unsigned int id);
void job_put(struct job *job);

/* The result tells when: CLOCK_MONOTONIC, in "marks_ns". A phase is marked by its name. */
void job_mark(struct job *job, const char *name, uint64_t ns);
void job_phase(struct job *job, const char *phase);
/* Takes over @value. */
void job_set(struct job *job, const char *key, json_t *value);
/* Takes over @result. The job leaves the table. */
/* The migration is over. Waits, up to @wait_ms or until the next job wants the guest. */
void job_tidy(struct job *job, int wait_ms);
void job_end(struct job *job, json_t *result);

/* Waits for a change after @version; copies of state and result are the caller's. */
unsigned int job_wait(struct job *job, unsigned int version, json_t **state, json_t **result);

/* Array of states. */
json_t *job_list(void);
void job_cancel(struct job *job);
void job_cancel_all(void);
bool job_cancelled(const struct job *job);

/*
 * Options that are to be others from now on. A job takes wishes from when it says so
 * until it says not; then -1.
 */
void job_heeds(struct job *job, bool heeds);
int job_wish(struct job *job, json_t *options);
/* Caller's; NULL: none. */
json_t *job_take_wishes(struct job *job);

#endif
