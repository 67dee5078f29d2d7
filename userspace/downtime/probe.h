/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A network probe: a thread that asks the guest's vmfastmig-responder for an echo at a
 * steady rate and notes when what came back. What it cannot send counts as lost, and
 * what it missed, because it did not run itself, is not made up for: a burst would
 * measure something else. It never gives up on a guest that was there once.
 */
#ifndef DOWNTIME_PROBE_H
#define DOWNTIME_PROBE_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "../fault.h"
#include "series.h"

#define PROBE_HZ_MAX		100000
#define PROBE_ADDRESSES		4	/* of a name; further ones are not tried */
#define PROBE_LINE_BYTES	256	/* of an echo, with its end */
#define PROBE_RECORD_BYTES	26	/* of a request over TCP, with its newline */
#define PROBE_CHECK_MS		2000	/* for the first answer */

enum probe_kind { PROBE_UDP, PROBE_TCP };

struct probe_options {
	const char *target;	/* HOST[:PORT], IPV6 or [IPV6]:PORT; the port is 7000 by default */
	unsigned int hz;	/* 1 to PROBE_HZ_MAX */
	int cpu;		/* -1: runs anywhere */
	size_t room;		/* for samples; 0: for those of a day */
};

struct probe_target {
	char host[256], port[8];
	struct {
		struct sockaddr_storage addr;
		socklen_t bytes;
	} at[PROBE_ADDRESSES];
	unsigned int count;
};

/* TCP: one connection at a time. */
struct probe_stream {
	bool up;				/* else the socket, if any, is being connected */
	uint64_t retry_ns;			/* when to connect next, or to give up connecting */
	unsigned int backoff_ms;
	char in[PROBE_LINE_BYTES];		/* a line that has not ended yet */
	size_t held;
	bool dropping;				/* the rest of one that is too long */
	char out[PROBE_RECORD_BYTES + 1];
	size_t left;				/* at the end of @out, to be sent yet */
};

struct probe {
	struct series series;

	/* To be read after probe_stop(). */
	uint64_t garbage;	/* what was no echo, or one that was never asked for */
	uint64_t duplicates;
	uint64_t reconnects;	/* TCP: connections after the first */

	const struct probe_way *way;
	struct probe_target target;
	unsigned int which;	/* of the target's addresses */
	int fd;			/* -1: none at the moment */
	short events;		/* that the way waits for on it */
	struct probe_stream stream;

	uint64_t period_ns;
	pthread_t thread;
	bool running;
	atomic_bool stop, failed;
	struct fault fault;	/* once it has failed */
};

/*
 * Checks that the responder answers, then starts. On failure there is nothing to stop or
 * close. The thread runs by SCHED_FIFO, and the process is locked into memory, where
 * that is allowed.
 */
int probe_start(struct probe *probe, enum probe_kind kind, const struct probe_options *options,
		struct fault *fault);
/* Waits a moment for replies that are under way. The series stays until probe_close(). */
void probe_stop(struct probe *probe);
void probe_close(struct probe *probe);

struct series *probe_series(struct probe *probe);
/* Whether it ended by itself, having no room for more samples. */
bool probe_failed(const struct probe *probe, struct fault *fault);

/*
 * One question to the responder, over UDP and therefore, now and then, repeated; the
 * answer is a JSON object (the caller's) that is no {"error"}.
 */
int probe_ask(const char *target, const char *request, json_t **answer, int timeout_ms,
	      struct fault *fault);

/* Below: what UDP and TCP share. */

/* The ways to ask. Called by the probe's thread, but for open() and close(). */
struct probe_way {
	int socktype;
	/* Chooses one of the target's addresses, which answers. */
	int (*open)(struct probe *probe, struct fault *fault);
	void (*close)(struct probe *probe);
	/* Asks now, or not at all. */
	void (*ask)(struct probe *probe, uint64_t seq);
	/* probe->fd has these. */
	void (*serve)(struct probe *probe, short events);
};

extern const struct probe_way probe_udp, probe_tcp;

int probe_resolve(const char *target, int socktype, struct probe_target *to, struct fault *fault);
/* A socket, not blocking, that is or is being connected to one of the addresses; -1: errno. */
int probe_socket(const struct probe_target *target, unsigned int which, int socktype);
/* For where no responder answers; -1. */
int probe_unanswered(const struct probe_target *target, int socktype, const char *why,
		     struct fault *fault);
/*
 * A line that came, a NUL behind its @bytes. Whether it is a reply, and @reply what it
 * says, but for when it came.
 */
bool probe_parse(const char *line, size_t bytes, uint64_t *seq, struct sample *reply);
/* The same, noted in the series, or counted as something else. */
bool probe_take(struct probe *probe, const char *line, size_t bytes, uint64_t arrived_ns);

#endif
