// SPDX-License-Identifier: GPL-2.0-only
/* QEMUs that wait for their guests: registered by the user, claimed by offers. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sink.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sink *sinks;

struct sink *sink_claim(const char *name, struct fault *fault)
{
	struct sink *sink;

	pthread_mutex_lock(&lock);
	for (sink = sinks; sink && strcmp(sink->name, name); sink = sink->next)
		;
	if (!sink)
		fail(fault, "no QEMU waits here for guest \"%s\"; run: vmfastmig incoming --qmp PATH rdmafast:0/%s",
		     name, name);
	else if (sink->busy)
		fail(fault, "guest \"%s\" is being received already", name);
	if (sink && sink->busy)
		sink = NULL;
	if (sink)
		sink->busy = true;
	pthread_mutex_unlock(&lock);
	return sink;
}

static void let_go(struct sink *sink, bool ended, json_t *result)
{
	pthread_mutex_lock(&lock);
	sink->busy = false;
	sink->ended = ended;
	sink->result = result;
	pthread_cond_broadcast(&sink->cond);
	pthread_mutex_unlock(&lock);
}

void sink_unclaim(struct sink *sink)
{
	let_go(sink, false, NULL);
}

void sink_end(struct sink *sink, json_t *result)
{
	let_go(sink, true, result);
}

static void add_sink(struct sink *sink)
{
	pthread_mutex_lock(&lock);
	sink->next = sinks;
	sinks = sink;
	pthread_mutex_unlock(&lock);
}

static bool name_taken(const char *name)
{
	struct sink *sink;

	pthread_mutex_lock(&lock);
	for (sink = sinks; sink && strcmp(sink->name, name); sink = sink->next)
		;
	pthread_mutex_unlock(&lock);
	return sink;
}

static bool is_gone(struct sink *sink)
{
	return sink->native ? native_is_gone(sink->native) : qmp_is_gone(&sink->qmp);
}

/* Why it waits no longer, when nobody has it; or NULL. */
static json_t *idle_end(struct sink *sink)
{
	const char *why = sink->busy ? NULL : job_cancelled(sink->job) ? "cancelled" :
			  is_gone(sink) ? "its QEMU is gone" : NULL;

	return why ? json_pack("{s:b,s:s}", "completed", 0, "error", why) : NULL;
}

static void wait_a_while(struct sink *sink)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 200000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_cond_timedwait(&sink->cond, &lock, &until);
}

/* Until it has its result, was cancelled, or its QEMU is gone. */
static json_t *wait_end(struct sink *sink)
{
	json_t *result = NULL;
	struct sink **at;

	pthread_mutex_lock(&lock);
	while (!sink->ended && !(result = idle_end(sink)))
		wait_a_while(sink);
	for (at = &sinks; *at != sink; at = &(*at)->next)
		;
	*at = sink->next;
	pthread_mutex_unlock(&lock);
	return result ? result : sink->result;
}

static int check_waiting(struct sink *sink, const char *name, struct fault *fault)
{
	const char *is = guest_text(&sink->guest, "name");
	const char *status = guest_text(&sink->guest, "status");

	snprintf(sink->name, sizeof(sink->name), "%s", name && *name ? name : is);
	text_to_utf8(sink->name);
	if (!*sink->name)
		return fail(fault, "this QEMU has no -name: name its guest in the URI, rdmafast:0/NAME");
	if (strcmp(status, "inmigrate"))
		return fail(fault, "guest %s is %s, it does not wait for a migration: start it with -incoming defer",
			    sink->name, status);
	return name_taken(sink->name) ?
	       fail(fault, "a QEMU waits for guest %s already", sink->name) : 0;
}

/* What is known of it; whether it may wait. */
static int read_guest(struct sink *sink, const char *qmp_path, const char *name,
		      struct fault *fault)
{
	struct fault ignored;

	if (!sink->native)
		return qmp_open_inner(&sink->qmp, qmp_path, NULL, fault) ?:
		       guest_read(&sink->guest, &sink->qmp, fault) ?:
		       check_waiting(sink, name, fault);
	sink->qmp.pid = sink->native->pid;
	sink->guest = sink->native->guest;
	sink->native->guest = (struct guest){ 0 };
	return check_waiting(sink, name, fault) ?:
	       native_say(sink->native, json_pack("{s:b}", "waiting", 1), &ignored);
}

static void wait_for_guest(struct job *job, struct native *native, const char *qmp_path,
			   const char *name)
{
	struct sink *sink = calloc(1, sizeof(*sink));
	struct fault fault = { "" };
	json_t *result;

	if (!sink) {
		job_end(job, NULL);
		return;
	}
	sink->job = job;
	sink->native = native;
	sink->qmp.fd = -1;
	pthread_cond_init(&sink->cond, NULL);
	if (read_guest(sink, qmp_path, name, &fault)) {
		result = json_pack("{s:b,s:s}", "completed", 0, "error", fault.text);
		if (native)
			native_say(native, json_pack("{s:s}", "error", fault.text), &fault);
	} else {
		job_set(job, "guest", json_string(sink->name));
		add_sink(sink);
		job_phase(job, "waiting");
		result = wait_end(sink);
	}
	if (sink->guest.facts)
		guest_free(&sink->guest);
	if (sink->qmp.fd >= 0)
		qmp_close(&sink->qmp);
	pthread_cond_destroy(&sink->cond);
	free(sink);
	job_end(job, result);
}

void sink_wait(struct job *job, const char *qmp_path, const char *name)
{
	wait_for_guest(job, NULL, qmp_path, name);
}

void sink_wait_native(struct job *job, struct native *native, const char *name)
{
	wait_for_guest(job, native, NULL, name);
}
