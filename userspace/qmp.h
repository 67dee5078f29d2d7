/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A client of one QEMU monitor socket (QMP, JSON lines). One thread at a time.
 * Events that arrive while waiting for something else are kept: the last 256 of up to 16 KiB.
 */
#ifndef QMP_H
#define QMP_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "fault.h"
#include "linebuf.h"
#include "watch.h"

struct qmp {
	int fd;
	pid_t pid;		/* of the QEMU behind it */
	bool no_listener;	/* qmp_open() failed for that: its QEMU is dead */
	bool refused;		/* the last command was answered by an error */
	char path[108];
	char past[108];		/* QEMU's own, where vmfastmig monitor is at path; or empty */
	struct linebuf lines;
	size_t line_bytes;	/* of the last message */
	unsigned int last_id;
	json_t *events;		/* array, in order of arrival, each with "arrived_ns" */
};

int qmp_open(struct qmp *qmp, const char *path, struct fault *fault);
/*
 * As the one that migrates: behind vmfastmig monitor it hears what QEMU says, not what
 * users are told. Where nobody listens at @path any more and @past, as it was found
 * earlier, is given (else NULL or empty), it is opened instead.
 */
int qmp_open_inner(struct qmp *qmp, const char *path, const char *past, struct fault *fault);
/*
 * vmfastmig monitor went away under us: reaches the same QEMU by another at the same path,
 * or by its own socket. 0 as well where it did not. Events that were kept are forgotten.
 */
int qmp_go_past(struct qmp *qmp, struct fault *fault);
void qmp_close(struct qmp *qmp);

/* Takes over @arguments (may be NULL). *answer (may be NULL) is the caller's. */
int qmp_call(struct qmp *qmp, const char *command, json_t *arguments, json_t **answer,
	     struct fault *fault);

/* Gives QEMU a copy of @fd, known to it as @name ("fd:NAME") until it is used. */
int qmp_give_fd(struct qmp *qmp, const char *name, int fd, struct fault *fault);

/* Whether that one is on in what query-migrate-capabilities answered. */
bool qmp_has_capability(const json_t *capabilities, const char *name);

/*
 * Who is behind it now, asked anew: the process that was may have ended, or left the
 * connection to another. Behind vmfastmig monitor its word counts. 0: not to be seen.
 */
pid_t qmp_process(const struct qmp *qmp);

/* Whether the monitor's other end is closed. */
bool qmp_is_gone(const struct qmp *qmp);

/*
 * The next event of that name, optionally with data.status one of @statuses
 * (NULL-terminated). Answers 1 and *event (caller's), 0 at the time-out or when
 * @watch became readable, -1 when the monitor is gone.
 */
int qmp_wait_event(struct qmp *qmp, const char *name, const char *const *statuses,
		   int timeout_ms, const struct watch *watch, json_t **event,
		   struct fault *fault);
/* Any event: 1 and *event (caller's), 0 when none is there, -1 when the monitor is gone. */
int qmp_next_event(struct qmp *qmp, json_t **event, struct fault *fault);
/* Forgets events of that name that came before now. */
void qmp_drop_events(struct qmp *qmp, const char *name);

#endif
