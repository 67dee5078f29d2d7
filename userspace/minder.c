// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "minder.h"

#define PERIOD_MS 100

static void note_failed(struct minder *minder, const char *text)
{
	pthread_mutex_lock(&minder->lock);
	minder->failed = true;
	fail(&minder->why, "%s", text);
	pthread_mutex_unlock(&minder->lock);
	job_cancel(minder->job);
}

/* Whether it goes on. */
static bool note_status(struct minder *minder, json_t *answer)
{
	const char *status = json_string_value(json_object_get(answer, "status")) ?: "none";
	const char *why = json_string_value(json_object_get(answer, "error-desc"));
	char text[sizeof(minder->why.text)];

	pthread_mutex_lock(&minder->lock);
	snprintf(minder->status, sizeof(minder->status), "%s", status);
	pthread_mutex_unlock(&minder->lock);
	if (!strcmp(status, "completed"))
		return false;
	if (strcmp(status, "failed") && strcmp(status, "none") && strncmp(status, "cancel", 6))
		return true;
	snprintf(text, sizeof(text), strncmp(status, "cancel", 6) ? "QEMU's migration failed: %s" :
		 "QEMU's migration was cancelled", why ?: "it does not say why");
	note_failed(minder, text);
	return false;
}

static bool look(struct minder *minder)
{
	json_t *answer = NULL;
	struct fault fault;
	bool more;

	if (qmp_call(minder->qmp, "query-migrate", NULL, &answer, &fault)) {
		if (!qmp_is_gone(minder->qmp) && !minder->qmp->refused)
			return true;	/* its main loop waits for us */
		note_failed(minder, fault.text);
		return false;
	}
	more = note_status(minder, answer);
	json_decref(answer);
	return more;
}

/* The guest's stop, or the time for the next look, or the end. */
static bool wait_a_while(struct minder *minder)
{
	const struct watch watch = { minder->wake, -1 };
	struct pollfd stop = { .fd = minder->wake, .events = POLLIN };
	struct fault fault;
	json_t *event;
	int got = qmp_wait_event(minder->qmp, "STOP", NULL, atomic_load(&minder->period_ms),
				 &watch, &event, &fault);

	if (got < 0) {
		note_failed(minder, fault.text);
		return false;
	}
	if (got > 0) {
		pthread_mutex_lock(&minder->lock);
		minder->stop_ns = json_integer_value(json_object_get(event, "arrived_ns"));
		pthread_mutex_unlock(&minder->lock);
		json_decref(event);
	}
	return poll(&stop, 1, 0) == 0;
}

static void *run(void *arg)
{
	struct minder *minder = arg;

	while (look(minder) && wait_a_while(minder))
		;
	return NULL;
}

void minder_init(struct minder *minder)
{
	memset(minder, 0, sizeof(*minder));
	pthread_mutex_init(&minder->lock, NULL);
	atomic_store(&minder->period_ms, PERIOD_MS);
}

int minder_start(struct minder *minder, struct qmp *qmp, struct job *job, struct fault *fault)
{
	minder->qmp = qmp;
	minder->job = job;
	minder->status[0] = 0;	/* that of before is an old one */
	minder->wake = eventfd(0, EFD_CLOEXEC);
	minder->running = minder->wake >= 0 && !pthread_create(&minder->thread, NULL, run, minder);
	if (minder->running)
		return 0;
	if (minder->wake >= 0)
		close(minder->wake);
	return fail(fault, "cannot start a thread that looks after QEMU");
}

bool minder_is(struct minder *minder, const char *status)
{
	bool is;

	pthread_mutex_lock(&minder->lock);
	is = !strcmp(minder->status, status);
	pthread_mutex_unlock(&minder->lock);
	return is;
}

bool minder_failed(struct minder *minder, struct fault *why)
{
	bool failed;

	pthread_mutex_lock(&minder->lock);
	failed = minder->failed;
	if (failed)
		*why = minder->why;
	pthread_mutex_unlock(&minder->lock);
	return failed;
}

int minder_wait(struct minder *minder, const char *status, int timeout_ms, struct fault *fault)
{
	uint64_t deadline_ms = clock_ms() + timeout_ms;

	while (!minder_is(minder, status)) {
		if (job_cancelled(minder->job))
			return fail(fault, "cancelled");
		if (clock_ms() > deadline_ms)
			return fail(fault, "QEMU's migration does not come to %s in %d s", status,
				    timeout_ms / 1000);
		usleep(1000);
	}
	return 0;
}

void minder_stop(struct minder *minder)
{
	if (!minder->running)
		return;
	eventfd_write(minder->wake, 1);
	pthread_join(minder->thread, NULL);
	minder->running = false;
	close(minder->wake);
}
