/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a network probe saw, one sample for each request that was due, in that order;
 * the number of a request is its sample's index. Times are the observer's
 * CLOCK_MONOTONIC. Samples do not move. One thread fills a series, and a reply
 * changes a sample that is there: until it is done, others may read the count only.
 */
#ifndef SERIES_H
#define SERIES_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "../fault.h"

struct sample {
	uint64_t sent_ns;	/* also where it could not be sent */
	uint64_t reply_ns;	/* 0: none came */
	uint64_t guest_us;	/* the guest's CLOCK_MONOTONIC when it answered */
	uint64_t work;		/* what the guest's own work had come to by then, in its units */
	uint64_t errors;	/* that the guest had found in its memory by then */
	uint32_t arrival;	/* 1 for the reply that came first, and so on; 0: none came */
};

struct series {
	struct sample *samples;
	atomic_size_t count;
	size_t room;
	uint32_t arrivals;
	uint64_t own_gap_ns;	/* longest time the probe itself did not run when it should have */
};

#define SERIES_ALL ((struct series_window){ 0, UINT64_MAX })

struct series_window {
	uint64_t from_ns, to_ns;	/* of sent_ns; to_ns not in it */
};

/* Takes address space for all of @room at once, memory as it fills. */
int series_open(struct series *series, size_t room, struct fault *fault);
void series_close(struct series *series);

/* A request, due now: its number; -1: there is no room. */
ssize_t series_add(struct series *series, uint64_t sent_ns);

enum series_reply { SERIES_FIRST, SERIES_AGAIN, SERIES_UNKNOWN };

/* The reply to request @seq. Of @reply all counts but sent_ns and arrival. */
enum series_reply series_take(struct series *series, uint64_t seq, const struct sample *reply);

/*
 * {"sent","received","lost","reordered",
 *  "latency_ms":{"min","p50","p95","p99","max"}|null,"work_per_s":f|null}
 *
 * Of the requests sent in the window, whenever they were answered. Reordered is a
 * reply that came after one to a later request (RFC 4737, 3.2), in the window or
 * beyond it. Percentiles are by nearest rank: each is a time that was seen. The work
 * is that between the window's first and last answered request, over the time between
 * those answers by the observer's clock: the guest's stands still while the guest does.
 * null: there were no two, or it did not go forward, as after a reboot. NULL: no memory.
 */
json_t *series_stats(const struct series *series, struct series_window window);

/*
 * Gaps between one arrival and the next of at least @threshold_ns, in order of time:
 * [{"from_ns":I,"to_ns":I,"ms":f}]. An end without replies up to @until_ns counts,
 * if there was a reply before; 0 leaves it out. NULL: no memory.
 */
json_t *series_gaps(const struct series *series, uint64_t threshold_ns, uint64_t until_ns);

/*
 * The longest gap that overlaps @within, whatever its length; one without an end
 * counts up to @until_ns. Both 0 when there is none.
 */
struct series_window series_longest_gap(const struct series *series, struct series_window within,
					uint64_t until_ns);

/* The last arrival before @ns, the first at or after it; 0: none. */
uint64_t series_last_reply_before(const struct series *series, uint64_t ns);
uint64_t series_first_reply_after(const struct series *series, uint64_t ns);

/* What the guest did a second from the reply at @from_ns to that at @to_ns; -1: nobody knows. */
double series_work_per_s(const struct series *series, uint64_t from_ns, uint64_t to_ns);

/*
 * By how much the guest's clock fell behind the observer's from @stopped_ns to
 * @resumed_ns: a guest's clock stands still while the guest does. From the quickest
 * replies of two seconds: the one that ends with the last reply up to @stopped_ns, and
 * the one that begins with the first at or after @resumed_ns; however long the network
 * takes to find the guest again. Both clocks run in between, so that it is off by what
 * they drift apart. Negative: cannot be told.
 */
double series_clock_stop_ms(const struct series *series, uint64_t stopped_ns,
			    uint64_t resumed_ns);

#endif
