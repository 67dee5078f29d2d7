// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a destination answers to a commit that is said again. "ran": false lets
 * the source run the guest: it must be true then.
 */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "entry.h"
#include "played.h"
#include "run.h"
#include "sink.h"
#include "tap.h"

#define MONITOR	"/run/qmp.sock"
#define TICKET	"00112233445566778899aabbccddeeff"
#define FILE_OF_TICKET RUN_DIR "/custody/" TICKET ".json"

struct config config;

static struct fault fault;
static struct played played;

static void note(pid_t pid, bool paused, bool told)
{
	struct qmp qmp = { .path = MONITOR, .pid = pid };
	struct custody custody = { .ticket = TICKET, .qmp = &qmp, .paused = paused, .told = told };

	custody.settings = json_pack("{s:[],s:{}}", "capabilities", "parameters");
	CHECK(!custody_note(&custody, &fault));
	json_decref(custody.settings);
}

static void take(pid_t pid, bool paused)
{
	note(pid, paused, false);
}

enum answer { RESUMED, NEVER, UNKNOWN, NOT_NOW };

static void answers(enum answer expected)
{
	char boot_id[64];
	json_t *answer;

	custody_boot_id(boot_id);
	answer = custody_commit(TICKET, boot_id);
	CHECK((json_object_get(answer, "resumed") != NULL) == (expected == RESUMED));
	CHECK((json_object_get(answer, "error") != NULL) == (expected == NEVER || expected == UNKNOWN));
	CHECK(json_is_false(json_object_get(answer, "ran")) == (expected == NEVER));
	json_decref(answer);
}

static void stopped(void)
{
	run_own("");
	played_start(&played, MONITOR, "paused");
	take(getpid(), false);
	answers(RESUMED);
	played_end(&played);
	CHECK(played.conts == 1 && played.settings == 2);
}

/* vmfastmig monitor was there, and is gone; QEMU's own socket is known. */
static void monitor_gone(void)
{
	struct qmp qmp = { .path = "/run/front.sock", .past = MONITOR, .pid = getpid() };
	struct custody custody = { .ticket = TICKET, .qmp = &qmp };

	run_own("");
	played_start(&played, MONITOR, "paused");
	CHECK(!custody_note(&custody, &fault));
	custody_tell();
	played_end(&played);
	CHECK(played.connected == 1);
	played_start(&played, MONITOR, "paused");
	answers(RESUMED);
	played_end(&played);
	CHECK(played.conts == 1);
}

static void runs_already(void)
{
	run_own("");
	played_start(&played, MONITOR, "running");
	take(getpid(), false);
	answers(RESUMED);
	played_end(&played);
	CHECK(played.conts == 0);
}

static void stays_paused(void)
{
	run_own("");
	played_start(&played, MONITOR, "paused");
	take(getpid(), true);
	answers(RESUMED);
	played_end(&played);
	CHECK(played.conts == 0);
}

/* Asked twice, because the first answer was lost: the same answer. */
static void asked_twice(void)
{
	run_own("");
	played_start(&played, MONITOR, "paused");
	take(getpid(), false);
	answers(RESUMED);
	played_end(&played);
	played_start(&played, MONITOR, "running");
	answers(RESUMED);
	played_end(&played);
	CHECK(played.conts == 0);
	custody_end(TICKET);
	answers(NEVER);
}

static void nothing_known(void)
{
	run_own("");
	answers(NEVER);
}

static void qemu_dead(void)
{
	run_own("");
	take(getpid(), false);
	answers(NEVER);
	/* It stays so, even if another QEMU comes there. */
	played_start(&played, MONITOR, "paused");
	answers(NEVER);
	played_end(&played);
	CHECK(!played.connected);
}

/* It was told to run, and may have: the source must not run its copy. */
static void qemu_dead_after_told(void)
{
	run_own("");
	note(getpid(), false, true);
	answers(UNKNOWN);
	answers(UNKNOWN);
}

static void another_qemu_after_told(void)
{
	run_own("");
	played_start(&played, MONITOR, "paused");
	note(getppid(), false, true);
	answers(UNKNOWN);
	played_end(&played);
	CHECK(!played.conts && !played.quits);
}

/* A QEMU that knows rdmafast: ran if it was told to, and lives; by no monitor. */
static void knows_rdmafast(void)
{
	struct qmp qmp = { .pid = getpid() };
	struct custody custody = { .ticket = TICKET, .qmp = &qmp, .native = true };
	pid_t dead = fork();
	siginfo_t ended;

	if (!dead)
		_exit(0);
	waitid(P_PID, dead, &ended, WEXITED | WNOWAIT);
	run_own("");
	CHECK(!custody_note(&custody, &fault));
	answers(NEVER);
	answers(NEVER);
	custody.told = true;
	CHECK(!custody_note(&custody, &fault));
	custody_tell();
	answers(RESUMED);
	answers(RESUMED);
	qmp.pid = dead;
	CHECK(!custody_note(&custody, &fault));
	answers(UNKNOWN);	/* it was not waited for yet */
	waitpid(dead, NULL, 0);
	answers(UNKNOWN);
	custody.told = false;
	CHECK(!custody_note(&custody, &fault));
	custody_tell();
	answers(NEVER);
}

/* What was noted before this boot is gone, and with it whether the guest ran. */
static void booted_anew(void)
{
	json_t *answer;

	run_own("");
	answer = custody_commit(TICKET, "00000000-0000-0000-0000-000000000000");
	CHECK(json_object_get(answer, "error") && !json_object_get(answer, "ran"));
	json_decref(answer);
}

static void another_qemu(void)
{
	run_own("");
	played_start(&played, MONITOR, "paused");
	take(getppid(), false);
	answers(NEVER);
	played_end(&played);
	CHECK(!played.conts && !played.quits);
}

/* It is told to quit before the source is told that it may run the guest. */
static void refuses(void)
{
	run_own("");
	played_start(&played, MONITOR, "paused");
	played.refuses_cont = true;
	take(getpid(), false);
	answers(NEVER);
	played_end(&played);
	CHECK(played.conts == 1 && played.quits == 1);
}

/* The second time it is told: that it did not run the first time is not known. */
static void refuses_after_told(void)
{
	run_own("");
	played_start(&played, MONITOR, "paused");
	played.refuses_cont = true;
	note(getpid(), false, true);
	answers(UNKNOWN);
	played_end(&played);
	CHECK(played.quits == 0);
}

static void hangs_up(int fd, void *arg)
{
	script_greet(fd);
	script_answer(fd, "query-status", arg);
	json_decref(script_hear(fd));		/* cont, and no answer */
}

/* Heard cont, and nothing more was heard of it: it may run. */
static void no_answer(void)
{
	struct script script;

	run_own("");
	script_start(&script, MONITOR, hangs_up, "{\"status\":\"paused\"}");
	take(getpid(), false);
	answers(UNKNOWN);
	script_end(&script);
	answers(UNKNOWN);		/* dead by now */
}

static void says_nothing(int fd, void *arg)
{
	char byte;

	(void)arg;
	if (read(fd, &byte, 1) > 0)
		CHECK(false);
}

static void greets_and_hangs_up(int fd, void *arg)
{
	(void)arg;
	script_greet(fd);
}

/* Another client has its monitor, or it does not answer: the source asks again, and then it runs. */
static void monitor_in_use(void)
{
	struct script script;

	run_own("");
	script_start(&script, MONITOR, says_nothing, NULL);
	take(getpid(), false);
	answers(NOT_NOW);
	script_end(&script);
	script_start(&script, MONITOR, greets_and_hangs_up, NULL);
	answers(NOT_NOW);
	script_end(&script);
	played_start(&played, MONITOR, "paused");
	answers(RESUMED);
	played_end(&played);
	CHECK(played.conts == 1);
}

/* It may say that the guest was told to run: that it did not run is not known. */
static void cannot_be_read(void)
{
	static const char *const texts[] = { "", "{\"qmp\":\"" MONITOR, "[]", "{}", "{\"qmp\":1}" };
	size_t i;

	run_own("");
	note(getpid(), false, true);
	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		run_file(FILE_OF_TICKET, texts[i]);
		custody_tell();
		answers(UNKNOWN);
		answers(UNKNOWN);
	}
	CHECK(!unlink(FILE_OF_TICKET) && !symlink(FILE_OF_TICKET, FILE_OF_TICKET));
	custody_tell();
	answers(UNKNOWN);
	CHECK(!unlink(FILE_OF_TICKET));
	answers(NEVER);
}

static bool kept(void)
{
	json_t *entry = entry_read("custody", TICKET);

	json_decref(entry);
	return entry;
}

/* A daemon that starts forgets only what cannot matter any more. */
static void left_from_before(void)
{
	run_own("");
	take(getpid(), false);
	custody_tell();
	CHECK(!kept());
	note(getpid(), false, true);
	custody_tell();
	CHECK(kept());
	played_start(&played, MONITOR, "running");
	custody_tell();
	played_end(&played);
	CHECK(kept() && !played.conts && played.settings == 2);
	played_start(&played, MONITOR, "paused");
	take(getpid(), false);
	custody_tell();
	played_end(&played);
	CHECK(kept() && !played.conts && !played.quits && !played.settings);
}

static void no_room(void)
{
	struct qmp qmp = { .path = MONITOR, .pid = 1 };
	struct custody custody = { .ticket = TICKET, .qmp = &qmp };

	run_own("nr_inodes=3");
	CHECK(custody_note(&custody, &fault) == -1);
	CHECK_HAS(fault.text, "cannot write");
	answers(NEVER);
}

int main(void)
{
	static const struct test tests[] = {
		{ "knows rdmafast", knows_rdmafast },
		{ "a guest that stands still", stopped },
		{ "the monitor in front of it is gone", monitor_gone },
		{ "a guest that runs", runs_already },
		{ "a guest that is to stay paused", stays_paused },
		{ "asked twice", asked_twice },
		{ "nothing known", nothing_known },
		{ "its QEMU is dead", qemu_dead },
		{ "its QEMU is dead, after it was told to run", qemu_dead_after_told },
		{ "another QEMU at its monitor", another_qemu },
		{ "another QEMU, after it was told to run", another_qemu_after_told },
		{ "its QEMU refuses", refuses },
		{ "its QEMU refuses, after it was told to run", refuses_after_told },
		{ "the host was booted anew", booted_anew },
		{ "its QEMU does not answer", no_answer },
		{ "its monitor is in use", monitor_in_use },
		{ "what was noted cannot be read", cannot_be_read },
		{ "left from before", left_from_before },
		{ "no room", no_room },
	};

	return TAP_RUN(tests);
}
