// SPDX-License-Identifier: GPL-2.0-only
/* A guest brought back after its migration came to nothing. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "played.h"
#include "qemu.h"
#include "resume.h"
#include "scratch.h"
#include "tap.h"

static struct qmp qmp;
static struct fault fault;
static struct played played;

static void open_played(const char *status)
{
	played_start(&played, scratch_path("qmp"), status);
	if (qmp_open(&qmp, scratch_path("qmp"), &fault))
		tap_give_up(fault.text);
}

static void end(void)
{
	qmp_close(&qmp);
	played_end(&played);
}

static void running_already(void)
{
	open_played("running");
	CHECK(!resume_guest(&qmp, true, &fault));
	CHECK(played.conts == 0 && played.cancels == 1);
	end();
}

static void completed(void)
{
	open_played("postmigrate");
	CHECK(!resume_guest(&qmp, true, &fault));
	CHECK(played.conts == 1);
	end();
}

/* Was paused before: stays so. */
static void was_paused(void)
{
	open_played("postmigrate");
	CHECK(!resume_guest(&qmp, false, &fault));
	CHECK(played.conts == 0);
	end();
}

/* Somebody stopped it meanwhile, or its disk did. */
static void stopped_by_others(void)
{
	static const char *const states[] = { "paused", "io-error", "shutdown" };
	size_t i;

	for (i = 0; i < 3; i++) {
		open_played(states[i]);
		CHECK(!resume_guest(&qmp, true, &fault));
		CHECK(played.conts == 0);
		end();
	}
}

static void gone(void)
{
	open_played("postmigrate");
	shutdown(qmp.fd, SHUT_RDWR);
	CHECK(resume_guest(&qmp, true, &fault) == -1);
	CHECK_HAS(fault.text, "is gone");
	end();
}

static void status_is(const char *expected)
{
	char status[32];

	CHECK_TEXT(resume_status(&qmp, status, sizeof(status)), expected);
}

/* Up to where a switchover waits for its last round. */
static void migrate_to_pre_switchover(const char *capability)
{
	static const char *const waits[] = { "pre-switchover", NULL };
	json_t *event;

	CHECK(!qmp_call(&qmp, "cont", NULL, NULL, &fault));
	CHECK(!qmp_call(&qmp, "migrate-set-capabilities", json_pack("{s:[{s:s,s:b},{s:s,s:b}]}",
		"capabilities", "capability", "events", "state", 1, "capability", capability,
		"state", 1), NULL, &fault));
	CHECK(!qmp_call(&qmp, "migrate", json_pack("{s:s}", "uri", "exec:cat >/dev/null"), NULL,
			&fault));
	CHECK(qmp_wait_event(&qmp, "MIGRATION", waits, 10000, WATCH_NOTHING, &event, &fault) == 1);
	json_decref(event);
}

static void real_qemu(void)
{
	static const char *const ends[] = { "completed", NULL };
	pid_t pid = qemu_start(scratch_path("qmp"), "");
	char status[32];
	json_t *event;

	CHECK(!qmp_open(&qmp, scratch_path("qmp"), &fault));
	migrate_to_pre_switchover("pause-before-switchover");
	CHECK(!resume_guest(&qmp, true, &fault));
	status_is("running");

	migrate_to_pre_switchover("pause-before-switchover");
	CHECK(!qmp_call(&qmp, "migrate-continue", json_pack("{s:s}", "state", "pre-switchover"),
			NULL,
			&fault));
	CHECK(qmp_wait_event(&qmp, "MIGRATION", ends, 10000, WATCH_NOTHING, &event, &fault) == 1);
	json_decref(event);
	while (strcmp(resume_status(&qmp, status, sizeof(status)), "postmigrate"))
		usleep(10000);	/* soon after the event */
	CHECK(!resume_guest(&qmp, true, &fault));
	status_is("running");

	qemu_end(pid);
	status_is("gone");
	CHECK(resume_guest(&qmp, true, &fault) == -1);
	qmp_close(&qmp);
}

int main(void)
{
	static const struct test tests[] = {
		{ "it runs already", running_already },
		{ "its migration completed", completed },
		{ "it was paused", was_paused },
		{ "somebody else stopped it", stopped_by_others },
		{ "its QEMU is gone", gone },
		{ "a QEMU", real_qemu },
	};

	return TAP_RUN(tests);
}
