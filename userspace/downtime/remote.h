/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An agent (agent.h) on a host, from the observer's side, with the clock that it
 * stamps with. Its program is started here or, as rsync does, by a remote shell.
 */
#ifndef REMOTE_H
#define REMOTE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../fault.h"
#include "lines.h"

#define REMOTE_SYNCS 16

/* At local_ns here the clock there showed local_ns + offset_ns, give or take error_ns. */
struct remote_sync {
	int64_t local_ns, offset_ns, error_ns;
};

struct remote {
	char name[64];		/* "source host" or so, for errors */
	pid_t pid;
	struct lines lines;
	json_int_t last_id;
	struct remote_sync syncs[REMOTE_SYNCS];
	int sync_count;
	json_t *answers;	/* by id as text, those nobody took yet */
	/* Gets what it says by itself; may be NULL. */
	void (*heard)(void *context, struct remote *remote, json_t *message);
	void *context;
};

struct remote_where {
	const char *rsh;	/* words, like "ssh -p 2222" */
	const char *host;	/* NULL: here */
	const char *program;	/* vmfastmig there */
};

int remote_open(struct remote *remote, const char *name, const struct remote_where *where,
		struct fault *fault);
void remote_close(struct remote *remote);

/* Takes over @request; the id of the request, or -1. */
json_int_t remote_ask(struct remote *remote, json_t *request, struct fault *fault);
/* 1 and the answer (caller's), 0 when it did not come in time, -1: gone, or it is an error. */
int remote_answer(struct remote *remote, json_int_t id, int timeout_ms, json_t **answer,
		  struct fault *fault);
/* Both. *answer may be NULL. */
int remote_call(struct remote *remote, json_t *request, int timeout_ms, json_t **answer,
		struct fault *fault);
/* A command of the monitor; *answer (may be NULL): what QEMU returned. */
int remote_qmp(struct remote *remote, const char *monitor, const char *command,
	       json_t *arguments, json_t **answer, struct fault *fault);
/* Hears what it says for that long, at least once. -1: it is gone. */
int remote_hear(struct remote *remote, int timeout_ms, struct fault *fault);

/* Compares the clocks anew. */
int remote_sync(struct remote *remote, struct fault *fault);
/* Its clock's time as time here, by the comparisons before and after it; there is one. */
int64_t remote_to_local(const struct remote *remote, int64_t there_ns, int64_t *error_ns);

#endif
