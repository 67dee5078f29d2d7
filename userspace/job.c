// SPDX-License-Identifier: GPL-2.0-only
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "job.h"

#define TIDY_S 10

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct job *jobs;
static unsigned int last_id;

static struct job *with_qmp_locked(const char *qmp_path)
{
	struct job *job;

	for (job = jobs; job; job = job->next)
		if (!strcmp(json_string_value(json_object_get(job->state, "qmp")), qmp_path))
			break;
	return job;
}

/* One that only tidies up is hurried, and waited for. */
static bool is_busy_locked(const char *qmp_path)
{
	struct timespec until;
	struct job *job;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += TIDY_S;
	while ((job = with_qmp_locked(qmp_path)) && job->tidies && !err) {
		job_cancel(job);
		err = pthread_cond_timedwait(&changed, &lock, &until);
	}
	return job;
}

static int list_job(struct job *job, const char *qmp_path)
{
	bool busy;

	pthread_mutex_lock(&lock);
	busy = is_busy_locked(qmp_path);
	if (!busy) {
		job->id = ++last_id;
		job->state = json_pack("{s:i,s:s,s:s,s:s}", "id", job->id, "role",
				       job->role == JOB_SOURCE ? "source" : "destination",
				       "qmp", qmp_path, "phase", "new");
		job->next = jobs;
		jobs = job;
	}
	pthread_mutex_unlock(&lock);
	return busy ? -1 : 0;
}

struct job *job_new(enum job_role role, const char *qmp_path, struct fault *fault)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job) {
		fail(fault, "no memory");
		return NULL;
	}
	job->role = role;
	job->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	job->refs = 2;		/* the caller's and the table's */
	job->marks = json_object();
	if (job->stop_fd >= 0 && !list_job(job, qmp_path))
		return job;
	fail(fault, job->stop_fd < 0 ? "no descriptor left" :
	     "a migration of this guest is under way already; see: vmfastmig status");
	if (job->stop_fd >= 0)
		close(job->stop_fd);
	json_decref(job->marks);
	free(job);
	return NULL;
}

void job_get(struct job *job)
{
	pthread_mutex_lock(&lock);
	job->refs++;
	pthread_mutex_unlock(&lock);
}

struct job *job_find(unsigned int id)
{
	struct job *job;

	pthread_mutex_lock(&lock);
	for (job = jobs; job && job->id != id; job = job->next)
		;
	if (job)
		job->refs++;
	pthread_mutex_unlock(&lock);
	return job;
}

static void put_locked(struct job *job)
{
	if (--job->refs)
		return;
	json_decref(job->state);
	json_decref(job->result);
	json_decref(job->marks);
	json_decref(job->wishes);
	close(job->stop_fd);
	free(job);
}

void job_put(struct job *job)
{
	pthread_mutex_lock(&lock);
	put_locked(job);
	pthread_mutex_unlock(&lock);
}

void job_set(struct job *job, const char *key, json_t *value)
{
	pthread_mutex_lock(&lock);
	json_object_set_new(job->state, key, value);
	job->version++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

void job_mark(struct job *job, const char *name, uint64_t ns)
{
	pthread_mutex_lock(&lock);
	json_object_set_new(job->marks, name, json_integer(ns));
	pthread_mutex_unlock(&lock);
}

void job_phase(struct job *job, const char *phase)
{
	job_mark(job, phase, clock_ns());
	job_set(job, "phase", json_string(phase));
}

void job_tidy(struct job *job, int wait_ms)
{
	struct pollfd hurry = { .fd = job->stop_fd, .events = POLLIN };

	pthread_mutex_lock(&lock);
	job->tidies = true;
	pthread_mutex_unlock(&lock);
	poll(&hurry, 1, wait_ms);
}

void job_end(struct job *job, json_t *result)
{
	struct job **at;

	pthread_mutex_lock(&lock);
	job->result = result ? result : json_pack("{s:b,s:s}", "completed", 0, "error",
						  "no memory for the result");
	json_object_set(job->result, "marks_ns", job->marks);
	job->version++;
	for (at = &jobs; *at && *at != job; at = &(*at)->next)
		;
	if (*at) {
		*at = job->next;
		put_locked(job);
	}
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

unsigned int job_wait(struct job *job, unsigned int version, json_t **state, json_t **result)
{
	pthread_mutex_lock(&lock);
	while (job->version == version && !job->result)
		pthread_cond_wait(&changed, &lock);
	version = job->version;
	*state = json_deep_copy(job->state);
	*result = json_deep_copy(job->result);
	pthread_mutex_unlock(&lock);
	return version;
}

json_t *job_list(void)
{
	json_t *list = json_array();
	struct job *job;

	pthread_mutex_lock(&lock);
	for (job = jobs; job; job = job->next)
		json_array_append_new(list, json_deep_copy(job->state));
	pthread_mutex_unlock(&lock);
	return list;
}

void job_cancel(struct job *job)
{
	eventfd_write(job->stop_fd, 1);
}

void job_cancel_all(void)
{
	struct job *job;

	pthread_mutex_lock(&lock);
	for (job = jobs; job; job = job->next)
		job_cancel(job);
	pthread_mutex_unlock(&lock);
}

bool job_cancelled(const struct job *job)
{
	struct pollfd wait = { .fd = job->stop_fd, .events = POLLIN };

	return poll(&wait, 1, 0) > 0;
}

void job_heeds(struct job *job, bool heeds)
{
	pthread_mutex_lock(&lock);
	job->heeds = heeds;
	pthread_mutex_unlock(&lock);
}

int job_wish(struct job *job, json_t *options)
{
	int err = -1;

	pthread_mutex_lock(&lock);
	if (job->heeds && !job->wishes)
		job->wishes = json_object();
	if (job->heeds)
		err = json_object_update(job->wishes, options);
	pthread_mutex_unlock(&lock);
	return err;
}

json_t *job_take_wishes(struct job *job)
{
	json_t *wishes;

	pthread_mutex_lock(&lock);
	wishes = job->wishes;
	job->wishes = NULL;
	pthread_mutex_unlock(&lock);
	return wishes;
}
