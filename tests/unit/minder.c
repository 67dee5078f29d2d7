// SPDX-License-Identifier: GPL-2.0-only
/* Who looks after a migration that QEMU began itself: what ends the job, and what does not. */
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "minder.h"
#include "scratch.h"
#include "script.h"
#include "tap.h"

#define COME_MS 10000

/* Its answers to query-migrate; a STOP event comes in front of those that begin with '!'. */
static const char *const *answers;

static void play(int fd, void *arg)
{
	const char *const *next;

	(void)arg;
	script_greet(fd);
	for (next = answers; *next; next++) {
		if (**next == '!')
			script_say(fd, "{\"event\":\"STOP\",\"timestamp\":{\"seconds\":1,\"microseconds\":2}}\r\n");
		script_answer(fd, "query-migrate", *next + (**next == '!'));
	}
}

struct look {
	struct script script;
	struct qmp qmp;
	struct minder minder;
	struct job *job;
	struct fault fault;
};

static struct look look;

static void begin(const char *const *says)
{
	const char *path = scratch_path("qmp");

	memset(&look, 0, sizeof(look));
	answers = says;
	script_start(&look.script, path, play, NULL);
	look.job = job_new(JOB_SOURCE, path, &look.fault);
	if (!look.job || qmp_open(&look.qmp, path, &look.fault))
		tap_give_up(look.fault.text);
	minder_init(&look.minder);
	atomic_store(&look.minder.period_ms, 5);
	if (minder_start(&look.minder, &look.qmp, look.job, &look.fault))
		tap_give_up(look.fault.text);
}

static void end(void)
{
	minder_stop(&look.minder);
	qmp_close(&look.qmp);
	script_end(&look.script);
	job_end(look.job, NULL);
	job_put(look.job);
}

static void fails_by(const char *const *says, const char *words)
{
	uint64_t deadline_ms = clock_ms() + COME_MS;
	struct fault why = { "" };

	begin(says);
	while (!job_cancelled(look.job) && clock_ms() < deadline_ms)
		usleep(1000);
	CHECK(job_cancelled(look.job));
	CHECK(minder_failed(&look.minder, &why));
	CHECK_HAS(why.text, words);
	CHECK(minder_wait(&look.minder, "completed", COME_MS, &look.fault) == -1);
	end();
}

#define IS(status) "{\"status\":\"" status "\"}"

static void failures(void)
{
	static const char *const cancelled[] = { IS("setup"), IS("active"), IS("cancelling"), NULL };
	static const char *const failed[] = {
		IS("active"), "{\"status\":\"failed\",\"error-desc\":\"disk on fire\"}", NULL,
	};
	static const char *const none[] = { "{}", NULL };
	static const char *const gone[] = { IS("active"), NULL };

	fails_by(cancelled, "was cancelled");
	fails_by(failed, "disk on fire");
	fails_by(none, "does not say why");
	fails_by(gone, "gone");
}

static void completes(void)
{
	static const char *const says[] = {
		IS("setup"), IS("active"), "!" IS("active"), IS("device"), IS("completed"), NULL,
	};
	struct fault why;

	begin(says);
	CHECK(!minder_wait(&look.minder, "completed", COME_MS, &look.fault));
	CHECK(minder_is(&look.minder, "completed") && !minder_is(&look.minder, "active"));
	CHECK(!minder_failed(&look.minder, &why) && !job_cancelled(look.job));
	CHECK(look.minder.stop_ns);
	end();
}

static void stops_and_goes_on(void)
{
	static const char *const says[] = { IS("pre-switchover"), IS("completed"), NULL };

	begin(says);
	atomic_store(&look.minder.period_ms, 60000);
	CHECK(!minder_wait(&look.minder, "pre-switchover", COME_MS, &look.fault));
	minder_stop(&look.minder);
	CHECK(!minder_start(&look.minder, &look.qmp, look.job, &look.fault));
	CHECK(!minder_wait(&look.minder, "completed", COME_MS, &look.fault));
	end();
}

static void waits_no_longer(void)
{
	static const char *const says[] = { IS("active"), NULL };

	begin(says);
	CHECK(minder_wait(&look.minder, "completed", 20, &look.fault) == -1);
	end();
}

int main(void)
{
	static const struct test tests[] = {
		{ "what ends the job", failures },
		{ "a migration that completes", completes },
		{ "it stops and goes on", stops_and_goes_on },
		{ "a wait that is not met", waits_no_longer },
	};

	return TAP_RUN(tests);
}
