/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A QEMU that knows rdmafast: itself (userspace/qemu/), as a client of the UNIX
 * socket. With its request come its stream and its RAM's files; later requests and
 * answers are lines of JSON on the same connection. Its monitor is its user's.
 *
 * It is the QEMU that says when a round is made, when the guest is stopped and
 * when to commit, by its own rules: nativesource.c. At the destination it says
 * that it has loaded, and runs the guest when it is told to: nativesink.c.
 */
#ifndef NATIVE_H
#define NATIVE_H

#include <jansson.h>
#include <sys/types.h>

#include "guest.h"
#include "lines.h"
#include "watch.h"

#define NATIVE_GONE "QEMU ended its migration, or is gone"

struct native {
	struct lines lines;	/* its connection, the caller's */
	int stream;		/* the other end of its stream; -1: taken */
	pid_t pid;
	struct guest guest;
};

/*
 * Takes a request and the @count descriptors that came with it, which stay the
 * caller's on failure. @fd stays the caller's in any case.
 */
int native_take(struct native *native, json_t *request, int fd, const int *given,
		unsigned int count, struct fault *fault);
void native_free(struct native *native);

/* The stream's end is the caller's from now on. */
int native_take_stream(struct native *native);

/*
 * Its next words, to be freed. -1 when it is gone, says what is no JSON object, or
 * nothing in @timeout_ms (negative: no limit), and when @watch becomes readable.
 */
int native_next(struct native *native, int timeout_ms, const struct watch *watch,
		json_t **words, struct fault *fault);
/* The same, and it must have that key or, where @value is given, that value of it. */
int native_expect(struct native *native, const char *key, const char *value, int timeout_ms,
		  const struct watch *watch, struct fault *fault);
/* Takes over @words. */
int native_say(struct native *native, json_t *words, struct fault *fault);
bool native_is_gone(const struct native *native);

struct source;
struct offer;

/* nativesource.c: stages. */
int native_connect(struct source *source, struct fault *fault);
int native_prepare(struct source *source, struct fault *fault);
int native_precopy(struct source *source, struct fault *fault);
int native_final(struct source *source, struct fault *fault);
int native_device_state(struct source *source, struct fault *fault);
int native_hand_over(struct source *source, struct fault *fault);
int native_commit(struct source *source, struct fault *fault);
/* Its migration failed: QEMU hears why, and runs the guest. */
void native_undo(struct source *source, const struct fault *fault);

/* nativesink.c: parts of serving an offer. */
/* From the stream's first byte until QEMU has loaded all. */
int native_load(struct offer *offer, struct fault *fault);
/* The guest may run. */
int native_run(struct offer *offer, struct fault *fault);

#endif
