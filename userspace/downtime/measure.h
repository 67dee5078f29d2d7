/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One migration measured: agents on both hosts, probes of the guest, and somebody
 * who migrates, us or another. What was seen comes out as one JSON object, also
 * when it went wrong on the way ("partial").
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>

#include "../fault.h"
#include "probe.h"
#include "remote.h"
#include "timeline.h"

struct measure_options {
	const char *guest;		/* NULL: no probes */
	bool udp, tcp;
	unsigned int hz, tcp_hz;
	int cpu;			/* -1: the probes run anywhere */
	double gap_ms, before_s, after_s, timeout_s;
	const char *qmp[2];		/* by enum where: [HOST:]PATH, or NULL */
	const char *daemon_qmp[2];	/* PATH: what vmfastmigd is to use there */
	const char *rsh, *remote_program;
	const char *uri, *incoming_uri;	/* NULL: somebody else migrates */
	bool postcopy;
	json_t *capabilities[2], *parameters[2];	/* objects, by enum where */
};

struct measure {
	const struct measure_options *options;
	const struct drive *drive;
	volatile sig_atomic_t *stop;	/* an interrupt came */
	struct remote remotes[2];	/* by enum where */
	const char *programs[2];	/* what vmfastmig is called there */
	bool open[2], lost[2], monitored[2];
	struct timeline timeline;
	struct probe udp, tcp;
	bool probing[2];		/* UDP, TCP */

	/* as the monitors' events have it */
	char status[2][24];		/* of the migration; "" before it begins */
	bool resumed, gone[2];
	unsigned int passes;
	uint64_t pinned_due_ns;
	json_int_t pinned_bytes[2];	/* the most that was seen; -1: it was not */
	bool switched;			/* post-copy was asked for */
	json_int_t done_ns;		/* the source was first found to be done */

	json_int_t runs[2];		/* rdmafast: what runs on the hosts */
	json_int_t start_ns, migrate_ns;
	json_int_t end_ns;		/* the guest's first reply after it; else when it was seen to be over */
	json_t *replies[4];		/* the guest's status: before, at the start, at the end, after */
	json_t *usage[2][2];		/* where, before or after */
	json_t *qemu[2];		/* query-migrate */
	json_t *reports[2];		/* the daemons' results */
};

/* Who migrates. */
struct drive {
	/* The destination waits for it then. */
	int (*prepare)(struct measure *measure, struct fault *fault);
	int (*start)(struct measure *measure, struct fault *fault);
	/* 1 when it is over and the guest runs there, 0 not yet, -1 when it failed. */
	int (*ended)(struct measure *measure, struct fault *fault);
	/* Whether it is; where it is not, it went on, or nobody knows. */
	bool (*cancel)(struct measure *measure);
	/* What is told only later: once, after what is measured. May be NULL. */
	void (*look_back)(struct measure *measure);
};

extern const struct drive drive_qemu, drive_rdmafast, drive_nobody;

/*
 * Measures; *result (caller's) is there in either case. -1: it or the migration
 * failed, @fault and the result's "error" say how.
 */
int measure_run(struct measure *measure, const struct measure_options *options,
		volatile sig_atomic_t *stop, json_t **result, struct fault *fault);
/* After it: what the probes saw, until measure_free(); NULL where there was none. */
const struct series *measure_series(struct measure *measure, bool tcp);
void measure_free(struct measure *measure);

/* Listens to both hosts, and sleeps, for that long or until an interrupt. */
int measure_pass(struct measure *measure, double seconds, struct fault *fault);

/* The source is done: 1 when the guest runs at the destination, 0 not yet, -1: it will not. */
int measure_arrived(struct measure *measure, struct fault *fault);

/* result.c; after the probes ended, in this order. The marks are the caller's. */
json_t *measure_marks(struct measure *measure);
/* A migration that completed is none that was survived: 0, or -1. */
int measure_verdict(const struct measure *measure, const json_t *marks, struct fault *fault);
/* The marks are taken over. */
json_t *measure_result(struct measure *measure, json_t *marks, const struct fault *fault);

#endif
