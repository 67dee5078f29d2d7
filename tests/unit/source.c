// SPDX-License-Identifier: GPL-2.0-only
/* What a stage at the source makes of words that do not belong there: a failure, with a reason. */
#include <string.h>

#include "daemon.h"
#include "meeting.h"
#include "scratch.h"
#include "script.h"
#include "source.h"
#include "tap.h"

struct config config;

static struct meeting meeting;
static struct source source;
static struct fault fault;

/* A source, and the destination's end of its control connection. */
static void begin(void)
{
	static const struct creds none;

	meeting = (struct meeting){ .client_creds = &none, .server_creds = &none };
	meeting_must(&meeting);
	memset(&source, 0, sizeof(source));
	source.job = job_new(JOB_SOURCE, scratch_path("qmp"), &fault);
	source.control = meeting.client;
	source.watch = (struct watch){ source.job->stop_fd, source.control.fd };
	fault = (struct fault){ "before" };
}

static void end(void)
{
	job_end(source.job, json_object());
	job_put(source.job);
	chan_close(&source.control);
	chan_close(&meeting.server);
}

static void says(const char *word)
{
	struct fault ignored;

	CHECK(!chan_send(&meeting.server, json_loads(word, 0, NULL), &ignored));
	CHECK(chan_readable(&source.control, 5000));
}

static void why(const char *word, const char *expected)
{
	begin();
	if (word)
		says(word);
	CHECK(source_why(&source, &fault) == -1);
	CHECK_HAS(fault.text, expected);
	end();
}

static void reasons(void)
{
	why("{\"error\":\"no room\"}", "destination: no room");
	why("{\"loaded\":true}", "out of turn");
	why("{\"nothing\":true}", "out of turn");
	why(NULL, "before");
}

static void cancelled(void)
{
	begin();
	job_cancel(source.job);
	says("{\"error\":\"no room\"}");
	CHECK(source_why(&source, &fault) == -1);
	CHECK_TEXT(fault.text, "cancelled");
	end();
}

/* Nothing is committed by a destination that speaks before it is asked. */
static void before_the_commit(void)
{
	begin();
	says("{\"nothing\":true}");
	CHECK(source_commit(&source, &fault) == -1 && !source.committed);
	CHECK_HAS(fault.text, "out of turn");
	end();
}

static void fails_and_goes(int fd, void *arg)
{
	script_greet(fd);
	script_say(fd, arg);
}

static void qemu_fails_and_goes(void)
{
	static char failed[] = "{\"event\":\"MIGRATION\",\"data\":{\"status\":\"failed\"}}\r\n";
	struct script script;

	begin();
	script_start(&script, scratch_path("qmp"), fails_and_goes, failed);
	CHECK(!qmp_open(&source.qmp, scratch_path("qmp"), &fault));
	fault = (struct fault){ "before" };
	CHECK(source_hand_over(&source, &fault) == -1);
	CHECK_HAS(fault.text, "failed");
	qmp_close(&source.qmp);
	script_end(&script);
	end();
}

int main(void)
{
	static const struct test tests[] = {
		{ "the deeper reason", reasons },
		{ "cancelled", cancelled },
		{ "out of turn before the commit", before_the_commit },
		{ "QEMU fails, and is gone", qemu_fails_and_goes },
	};

	return TAP_RUN(tests);
}
