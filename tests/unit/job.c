// SPDX-License-Identifier: GPL-2.0-only
/* The table of jobs, its reference counts, and threads that wait for a change. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "job.h"
#include "tap.h"

static struct job *make_job(enum job_role role, const char *qmp_path)
{
	struct fault fault;
	struct job *job = job_new(role, qmp_path, &fault);

	if (!job)
		tap_give_up(fault.text);
	return job;
}

/* Whether a job has that monitor. */
static bool busy(const char *qmp_path)
{
	struct fault fault = { "" };
	struct job *job = job_new(JOB_SINK, qmp_path, &fault);

	if (job) {
		job_end(job, json_object());
		job_put(job);
		return false;
	}
	CHECK_HAS(fault.text, "under way already");
	return true;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "";
}

static size_t listed(void)
{
	json_t *list = job_list();
	size_t count = json_array_size(list);

	json_decref(list);
	return count;
}

static void life(void)
{
	struct job *job = make_job(JOB_SOURCE, "/run/a.sock"), *found;
	json_t *state, *result;

	CHECK(job->id && listed() == 1 && busy("/run/a.sock"));
	CHECK(!busy("/run/b.sock") && !busy("/run/a.soc") && listed() == 1);
	job_wait(job, ~0U, &state, &result);
	CHECK_TEXT(text_of(state, "role"), "source");
	CHECK_TEXT(text_of(state, "phase"), "new");
	CHECK_TEXT(text_of(state, "qmp"), "/run/a.sock");
	CHECK(json_integer_value(json_object_get(state, "id")) == job->id && !result);
	json_decref(state);

	found = job_find(job->id);
	CHECK(found == job && !job_find(job->id + 100));
	job_end(job, json_pack("{s:b}", "completed", 1));
	CHECK(!listed() && !job_find(job->id) && !busy("/run/a.sock"));
	job_put(found);
	/* Still ours: what it ended with can be read. */
	job_wait(job, ~0U, &state, &result);
	CHECK(json_is_true(json_object_get(result, "completed")));
	json_decref(state);
	json_decref(result);
	job_put(job);
}

static void roles_and_ids(void)
{
	struct job *a = make_job(JOB_SOURCE, "/a"), *b = make_job(JOB_SINK, "/b");
	json_t *list = job_list();

	CHECK(a->id != b->id);
	CHECK(json_array_size(list) == 2);
	CHECK_TEXT(text_of(json_array_get(list, 0), "role"), "destination");
	CHECK_TEXT(text_of(json_array_get(list, 1), "role"), "source");
	json_decref(list);
	job_end(a, json_object());
	CHECK(!busy("/a") && busy("/b") && listed() == 1);
	job_end(b, json_object());
	job_put(a);
	job_put(b);
}

/* Copies: what a watcher holds does not change under it. */
static void copies(void)
{
	struct job *job = make_job(JOB_SINK, "/a");
	json_t *before, *after, *result;
	unsigned int version = job_wait(job, ~0U, &before, &result);

	job_phase(job, "precopy");
	job_set(job, "progress", json_pack("{s:i}", "round", 3));
	CHECK(job_wait(job, version, &after, &result) == version + 2);
	CHECK_TEXT(text_of(before, "phase"), "new");
	CHECK_TEXT(text_of(after, "phase"), "precopy");
	CHECK(json_integer_value(json_object_get(json_object_get(after, "progress"), "round")) ==
	      3);
	json_decref(before);
	json_decref(after);
	job_end(job, json_object());
	job_put(job);
}

static void cancel(void)
{
	struct job *job = make_job(JOB_SOURCE, "/a");
	struct pollfd wait = { .fd = job->stop_fd, .events = POLLIN };

	CHECK(!job_cancelled(job) && poll(&wait, 1, 0) == 0);
	job_cancel(job);
	job_cancel(job);
	CHECK(job_cancelled(job) && job_cancelled(job));
	CHECK(poll(&wait, 1, 0) == 1 && wait.revents == POLLIN);
	job_end(job, json_object());
	job_put(job);
}

static void cancel_all(void)
{
	struct job *job[5];
	char path[16];
	int i;

	for (i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "/%d", i);
		job[i] = make_job(JOB_SOURCE, path);
	}
	job_end(job[2], json_object());
	job_cancel_all();
	for (i = 0; i < 5; i++) {
		CHECK(job_cancelled(job[i]) == (i != 2));
		if (i != 2)
			job_end(job[i], json_object());
		job_put(job[i]);
	}
	CHECK(!listed());
}

struct watch {
	struct job *job;
	unsigned int seen, last;
	bool ended;
};

/* As a client's thread: each change in turn, up to the result. */
static void *watcher(void *arg)
{
	struct watch *watch = arg;
	json_t *state, *result = NULL;
	unsigned int version = 0;

	while (!result) {
		version = job_wait(watch->job, version, &state, &result);
		watch->last = json_integer_value(json_object_get(state, "n"));
		watch->seen++;
		json_decref(state);
	}
	watch->ended = json_is_true(json_object_get(result, "completed"));
	json_decref(result);
	job_put(watch->job);
	return NULL;
}

static void watched(void)
{
	struct job *job = make_job(JOB_SOURCE, "/a");
	struct watch watch[8] = { 0 };
	pthread_t thread[8];
	int i;

	for (i = 0; i < 8; i++) {
		watch[i].job = job_find(job->id);
		CHECK(!pthread_create(&thread[i], NULL, watcher, &watch[i]));
	}
	for (i = 1; i <= 500; i++)
		job_set(job, "n", json_integer(i));
	job_end(job, json_pack("{s:b}", "completed", 1));
	job_put(job);
	for (i = 0; i < 8; i++) {
		pthread_join(thread[i], NULL);
		CHECK(watch[i].ended && watch[i].last == 500 && watch[i].seen <= 501);
	}
}

/* No result can be no end: clients would wait for ever. */
static void end_without_result(void)
{
	struct job *job = make_job(JOB_SOURCE, "/a");
	struct watch watch = { .job = job_find(job->id) };
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, watcher, &watch));
	job_end(job, json_pack("{s:s}", "error", "not \xff UTF-8"));
	pthread_join(thread, NULL);
	CHECK(!watch.ended);
	job_put(job);
}

/* Of one that is over the end is waited for, not the time it takes for tidying up. */
static void *tidier(void *arg)
{
	struct job *job = arg;

	job_tidy(job, 60000);
	job_end(job, json_object());
	job_put(job);
	return NULL;
}

static void tidying(void)
{
	struct job *job = make_job(JOB_SINK, "/run/a.sock");
	pthread_t thread;
	int look;

	CHECK(busy("/run/a.sock"));
	CHECK(!pthread_create(&thread, NULL, tidier, job));
	for (look = 0; look < 1000 && busy("/run/a.sock"); look++)
		usleep(1000);	/* it may not have come to it yet */
	CHECK(look < 1000);
	pthread_join(thread, NULL);
	CHECK(!listed());
}

static void *worker(void *arg)
{
	int i;

	for (i = 0; i < 200; i++) {
		struct job *job = make_job(i & 1 ? JOB_SINK : JOB_SOURCE, arg);
		struct job *twin = job_find(job->id);

		job_phase(job, "precopy");
		if (job_cancelled(job))
			job_set(job, "cancelled", json_true());
		job_end(job, json_object());
		job_get(job);
		job_put(job);
		job_put(job);
		job_put(twin);
	}
	return NULL;
}

/* Lists, looks and cancels while jobs come and go. */
static void crowd(void)
{
	static char paths[6][16];
	pthread_t thread[6];
	json_t *list, *one;
	int i, round;
	size_t at;

	for (i = 0; i < 6; i++) {
		snprintf(paths[i], sizeof(paths[i]), "/w%d", i);
		CHECK(!pthread_create(&thread[i], NULL, worker, paths[i]));
	}
	for (round = 0; round < 200; round++) {
		list = job_list();
		json_array_foreach(list, at, one) {
			struct job *job = job_find(json_integer_value(json_object_get(one, "id")));

			if (job) {
				job_cancel(job);
				job_put(job);
			}
		}
		json_decref(list);
		job_cancel_all();
	}
	for (i = 0; i < 6; i++)
		pthread_join(thread[i], NULL);
	CHECK(!listed());
}

static void *taker(void *arg)
{
	struct fault fault;

	(void)arg;
	return job_new(JOB_SOURCE, "/one", &fault);
}

/* Of several who want one monitor at the same time, one gets it. */
static void one_a_monitor(void)
{
	int round, i, got;

	for (round = 0; round < 30; round++) {
		pthread_t thread[4];
		struct job *job[4];

		for (i = 0; i < 4; i++)
			CHECK(!pthread_create(&thread[i], NULL, taker, NULL));
		for (i = 0, got = 0; i < 4; i++) {
			pthread_join(thread[i], (void **)&job[i]);
			got += job[i] != NULL;
		}
		CHECK(got == 1 && busy("/one"));
		for (i = 0; i < 4; i++) {
			if (!job[i])
				continue;
			job_end(job[i], json_object());
			job_put(job[i]);
		}
	}
}

/* Each holds a reference; the last one out frees it. */
static void *putter(void *arg)
{
	job_put(arg);
	return NULL;
}

static void last_one_out(void)
{
	int round, i;

	for (round = 0; round < 50; round++) {
		struct job *job = make_job(JOB_SOURCE, "/a");
		pthread_t thread[4];

		for (i = 0; i < 4; i++)
			CHECK(!pthread_create(&thread[i], NULL, putter, job_find(job->id)));
		job_end(job, json_object());
		job_put(job);
		for (i = 0; i < 4; i++)
			pthread_join(thread[i], NULL);
	}
}

/* From when it heeds them until it does not any more; the last one counts. */
static void wishes(void)
{
	struct job *job = make_job(JOB_SOURCE, "/run/a.sock");
	json_t *first = json_pack("{s:s,s:s}", "downtime", "1", "rounds", "2"),
	       *second = json_pack("{s:s}", "downtime", "3"), *taken;

	CHECK(job_wish(job, first) && !job_take_wishes(job));
	job_heeds(job, true);
	CHECK(!job_wish(job, first) && !job_wish(job, second));
	taken = job_take_wishes(job);
	CHECK_TEXT(text_of(taken, "downtime"), "3");
	CHECK_TEXT(text_of(taken, "rounds"), "2");
	json_decref(taken);
	CHECK(!job_take_wishes(job) && !job_wish(job, second));
	job_heeds(job, false);
	CHECK(job_wish(job, first));
	json_decref(first);
	json_decref(second);
	job_end(job, json_object());
	job_put(job);
}

int main(void)
{
	static const struct test tests[] = {
		{ "from its beginning to its end", life },
		{ "roles and ids", roles_and_ids },
		{ "states are copies", copies },
		{ "cancelled once is cancelled", cancel },
		{ "all cancelled", cancel_all },
		{ "what is wished of it", wishes },
		{ "watched by eight threads", watched },
		{ "an end without a result", end_without_result },
		{ "the next one waits while it tidies up", tidying },
		{ "a crowd of jobs", crowd },
		{ "one job a monitor", one_a_monitor },
		{ "the last reference frees", last_one_out },
	};

	return TAP_RUN(tests);
}
