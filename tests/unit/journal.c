// SPDX-License-Identifier: GPL-2.0-only
/*
 * The journal at its real place, in a /run of the test's own, and what the
 * repair after it says to monitors and asks the destination.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon.h"
#include "entry.h"
#include "guest.h"
#include "journal.h"
#include "meeting.h"
#include "played.h"
#include "qemu.h"
#include "run.h"
#include "scratch.h"
#include "tap.h"

#define MONITOR	"/run/qmp.sock"
#define TICKET	"00112233445566778899aabbccddeeff"
#define BOOT_ID	"11111111-2222-3333-4444-555555555555"

struct config config;

static struct fault fault;

/* Of a QEMU whose monitor this process plays; its migration had begun, or not. */
static int note_of(bool migrating, bool running, bool committed, uint16_t port)
{
	struct qmp qmp = { .path = MONITOR, .pid = getpid() };
	struct journal journal = { .qmp = &qmp, .running = running, .migrating = migrating,
				   .settings = json_pack("{s:[],s:{}}", "capabilities",
							 "parameters"),
				   .peer = { "127.0.0.1", port, TICKET, BOOT_ID } };
	int err = journal_write(&journal, committed, &fault);

	json_decref(journal.settings);
	return err;
}

static int note(bool running, bool committed, uint16_t port)
{
	return note_of(true, running, committed, port);
}

static size_t left(void)
{
	json_t *names = entry_names("journal");
	size_t count = json_array_size(names);

	json_decref(names);
	return count;
}

/* Repairs run in threads; an entry goes at the end of its own. */
static void await_none_left(void)
{
	int tries;

	for (tries = 0; tries < 1000 && left(); tries++)
		usleep(10000);
	CHECK(!left());
}

static void repair(void)
{
	journal_repair();
	await_none_left();
}

static void written(void)
{
	json_t *entry;

	run_own("");
	CHECK(!note(true, false, 7471));
	entry = entry_read("journal", MONITOR);
	CHECK_TEXT(json_string_value(json_object_get(entry, "qmp")), MONITOR);
	CHECK_TEXT(json_string_value(json_object_get(entry, "ticket")), TICKET);
	CHECK(json_is_false(json_object_get(entry, "committed")));
	json_decref(entry);
	CHECK(!note(true, true, 7471));
	entry = entry_read("journal", MONITOR);
	CHECK(json_is_true(json_object_get(entry, "committed")));
	json_decref(entry);
	journal_remove(MONITOR);
	CHECK(!left());
}

/* No room for the word that the guest is given away: it must not be, then. */
static void commit_without_room(void)
{
	json_t *entry;

	run_own("nr_inodes=5");
	CHECK(!note(true, false, 7471));
	run_file("/run/filler", "");
	CHECK(note(true, true, 7471) == -1);
	CHECK_HAS(fault.text, "cannot write");
	entry = entry_read("journal", MONITOR);
	CHECK(json_is_false(json_object_get(entry, "committed")));
	json_decref(entry);
}

static struct played repaired(const char *status, bool running)
{
	struct played played;

	played_start(&played, MONITOR, status);
	CHECK(!note(running, false, 7471));
	repair();
	played_end(&played);
	CHECK(played.connected == 1 && played.settings == 2);
	return played;
}

static void brings_back(void)
{
	run_own("");
	CHECK(repaired("postmigrate", true).conts == 1);
}

static void says_nothing(int fd, void *arg)
{
	char byte;

	(void)arg;
	if (read(fd, &byte, 1) > 0)
		CHECK(false);
}

/* It waits until it can. */
static void brings_back_later(void)
{
	struct script script;
	struct played played;

	run_own("");
	script_start_each(&script, MONITOR, says_nothing, NULL);
	CHECK(!note(true, false, 7471));
	journal_repair();
	usleep(6000000);
	CHECK(left() == 1);
	played_start(&played, MONITOR, "postmigrate");
	script_end(&script);
	await_none_left();
	played_end(&played);
	CHECK(played.conts == 1 && played.settings == 2);
}

/* A migration that begins before the one left was seen to: what it finds set is ours. */
static void settings_left(void)
{
	struct qmp qmp = { .path = MONITOR, .pid = getpid() };
	json_t *settings;

	run_own("");
	CHECK(!journal_settings(&qmp));
	CHECK(!note_of(false, true, false, 7471));
	settings = journal_settings(&qmp);
	CHECK(json_object_get(settings, "capabilities"));
	json_decref(settings);
	qmp.pid = getppid();
	CHECK(!journal_settings(&qmp));
}

/* Before QEMU's migration: the guest is as somebody wants it, and only the settings are ours. */
static void nothing_but_settings(void)
{
	static const char *const states[] = { "running", "paused", "postmigrate" };
	struct played played;
	size_t i;

	for (i = 0; i < 3; i++) {
		run_own("");
		played_start(&played, MONITOR, states[i]);
		CHECK(!note_of(false, true, false, 7471));
		repair();
		played_end(&played);
		CHECK(played.settings == 2 && !played.cancels && !played.conts);
	}
}

/* One that we did not begin: it may be somebody else's. */
static void leaves_migrations(void)
{
	struct played played;

	run_own("");
	played_start(&played, MONITOR, "running");
	played.migration = "active";
	CHECK(!note_of(false, true, false, 7471));
	journal_repair();
	usleep(1000000);
	CHECK(left() == 1 && !played.settings);
	played.migration = "failed";
	await_none_left();
	played_end(&played);
	CHECK(played.settings == 2 && !played.cancels && !played.conts);
}

/* What the repair says to a QEMU at MONITOR, of an entry of @qmp. */
static struct played repaired_as(const struct qmp *qmp)
{
	struct journal journal = { .qmp = qmp, .running = true, .migrating = true,
				   .peer = { "127.0.0.1", 1, TICKET, BOOT_ID } };
	struct played played;

	run_own("");
	played_start(&played, MONITOR, "postmigrate");
	CHECK(!journal_write(&journal, false, &fault));
	repair();
	played_end(&played);
	return played;
}

/* vmfastmig monitor was there, and is gone; QEMU's own socket is known. */
static void brings_back_past(void)
{
	struct qmp qmp = { .path = "/run/front.sock", .past = MONITOR, .pid = getpid() };

	CHECK(repaired_as(&qmp).conts == 1);
}

static void leaves_paused(void)
{
	run_own("");
	CHECK(repaired("postmigrate", false).conts == 0);
}

static void leaves_running(void)
{
	run_own("");
	CHECK(repaired("running", true).conts == 0);
}

struct destination {
	int listen;
	const char *answer;	/* NULL: it hangs up */
	pthread_t thread;
	int asked;		/* atomic */
};

/* Once it is thanked it forgets the guest: nobody may be left who asks for it. */
static void answer(struct chan *chan, const char *text)
{
	json_t *thanks = NULL;
	struct fault ignored;

	if (chan_send(chan, json_loads(text, 0, NULL), &ignored) || !strstr(text, "resumed"))
		return;
	CHECK(!chan_receive(chan, 5000, &thanks, &ignored));
	CHECK(json_object_get(thanks, "thanks") && !left());
	json_decref(thanks);
}

static void *answer_commit(void *arg)
{
	struct destination *destination = arg;
	struct fault ignored;
	json_t *question;
	struct chan chan;
	int fd;

	while ((fd = accept(destination->listen, NULL, NULL)) >= 0) {
		if (chan_accept(&chan, fd, &config.creds, &ignored))
			continue;
		if (!chan_receive(&chan, 5000, &question, &ignored)) {
			CHECK_TEXT(json_string_value(json_object_get(question, "purpose")),
				   "commit");
			CHECK_TEXT(json_string_value(json_object_get(question, "ticket")), TICKET);
			CHECK_TEXT(json_string_value(json_object_get(question, "boot_id")),
				   BOOT_ID);
			json_decref(question);
			if (__atomic_add_fetch(&destination->asked, 1, __ATOMIC_SEQ_CST) > 1)
				answer(&chan, destination->answer);
		}
		chan_close(&chan);
	}
	return NULL;
}

static void destination_start(struct destination *destination, const char *answer, uint16_t *port)
{
	memset(destination, 0, sizeof(*destination));
	destination->answer = answer;
	destination->listen = meeting_listen("127.0.0.1", port);
	if (pthread_create(&destination->thread, NULL, answer_commit, destination))
		tap_give_up("no thread");
}

/* How often it was asked. */
static int destination_end(struct destination *destination)
{
	shutdown(destination->listen, SHUT_RDWR);
	pthread_join(destination->thread, NULL);
	close(destination->listen);
	return destination->asked;
}

/* Past the commit point the destination's answer decides, its second one here. */
static struct played asked(const char *answer)
{
	struct destination destination;
	struct played played;
	uint16_t port;

	destination_start(&destination, answer, &port);
	played_start(&played, MONITOR, "postmigrate");
	CHECK(!note(true, true, port));
	repair();
	CHECK(destination_end(&destination) == 2);
	played_end(&played);
	return played;
}

static void committed_and_ran(void)
{
	run_own("");
	CHECK(asked("{\"resumed\":{}}").conts == 0);
}

static void committed_and_never_ran(void)
{
	struct played played;

	run_own("");
	played = asked("{\"error\":\"lost\",\"ran\":false}");
	CHECK(played.conts == 1 && played.settings == 2);
}

/* Its administrator decides, and has the QEMU as it was. */
static void committed_and_nobody_knows(void)
{
	struct played played;

	run_own("");
	played = asked("{\"error\":\"lost\"}");
	CHECK(!played.conts && !played.cancels && played.settings == 2);
}

/* Without an answer it is nobody's to run: the entry waits. */
static void committed_and_unknown(void)
{
	struct played played;
	uint16_t port;

	run_own("");
	close(meeting_listen("127.0.0.1", &port));
	played_start(&played, MONITOR, "postmigrate");
	CHECK(!note(true, true, port));
	journal_repair();
	usleep(2000000);
	CHECK(left() == 1 && !played.conts && !played.cancels && !played.settings);
	played_end(&played);
}

/* Its administrator did not wait: the destination must not be told to run it as well. */
static void run_here_since(void)
{
	static const char *const states[] = { "running", "paused", "prelaunch" };
	struct destination destination;
	struct played played;
	uint16_t port;
	size_t i;

	for (i = 0; i < 3; i++) {
		run_own("");
		destination_start(&destination, "{\"resumed\":{}}", &port);
		played_start(&played, MONITOR, states[i]);
		CHECK(!note(true, true, port));
		repair();
		CHECK(destination_end(&destination) == 0);
		played_end(&played);
		CHECK(!played.conts && !played.cancels && played.settings == 2);
	}
}

/* The commit stands. */
static void qemu_gone(void)
{
	struct destination destination;
	uint16_t port;

	run_own("");
	destination_start(&destination, "{\"resumed\":{}}", &port);
	CHECK(!note(true, true, port));
	repair();
	CHECK(destination_end(&destination) == 2);
}

/* Whether it runs here cannot be seen: nobody is asked until it can. */
static void monitor_in_use(void)
{
	struct destination destination;
	struct script script;
	struct played played;
	uint16_t port;

	run_own("");
	destination_start(&destination, "{\"resumed\":{}}", &port);
	script_start_each(&script, MONITOR, says_nothing, NULL);
	CHECK(!note(true, true, port));
	journal_repair();
	usleep(7000000);
	CHECK(left() == 1 && !__atomic_load_n(&destination.asked, __ATOMIC_SEQ_CST));
	played_start(&played, MONITOR, "postmigrate");
	script_end(&script);
	await_none_left();
	CHECK(destination_end(&destination) == 2);
	played_end(&played);
}

/* Another QEMU is at that path now. */
static void another_qemu(void)
{
	struct qmp qmp = { .path = MONITOR, .pid = getppid() };
	struct played played = repaired_as(&qmp);

	CHECK(!played.conts && !played.cancels);
}

static void odd_entries(void)
{
	struct played played;

	run_own("");
	repair();
	CHECK(!entry_write("journal", "array", json_pack("[i]", 1), &fault));
	CHECK(!entry_write("journal", "empty", json_object(), &fault));
	CHECK(!entry_write("journal", "types", json_pack("{s:i,s:b}", "qmp", 1, "committed", 0),
			   &fault));
	CHECK(!entry_write("journal", "gone",
			   json_pack("{s:s,s:b}", "qmp", "/run/gone", "committed", 0),
			   &fault));
	CHECK(!entry_write("journal", "nowhere",
			   json_pack("{s:s,s:b}", "qmp", MONITOR, "committed", 1),
			   &fault));
	run_file(RUN_DIR "/journal/torn.json", "{\"qmp\":\"" MONITOR);
	played_start(&played, MONITOR, "postmigrate");
	repair();
	played_end(&played);
	CHECK(!played.connected);
}

/* A QEMU that migrated to nowhere, as a daemon that was killed leaves it. */
static void real_qemu(void)
{
	struct journal journal = { .running = true, .migrating = true,
				   .peer = { "127.0.0.1", 1, TICKET, BOOT_ID } };
	json_t *answer = NULL;
	struct qmp qmp;
	pid_t pid;
	int tries;

	run_own("");
	pid = qemu_start(MONITOR, "");
	CHECK(!qmp_open(&qmp, MONITOR, &fault));
	CHECK(!qmp_call(&qmp, "cont", NULL, NULL, &fault));
	CHECK(!qmp_call(&qmp, "migrate", json_pack("{s:s}", "uri", "exec:cat >/dev/null"), NULL,
			&fault));
	for (tries = 0; tries < 6000; tries++) {
		CHECK(!qmp_call(&qmp, "query-status", NULL, &answer, &fault));
		if (!strcmp(json_string_value(json_object_get(answer, "status")), "postmigrate"))
			break;
		json_decref(answer);
		answer = NULL;
		usleep(10000);
	}
	CHECK(answer);
	json_decref(answer);
	journal.qmp = &qmp;
	CHECK(!journal_write(&journal, false, &fault));
	qmp_close(&qmp);
	repair();
	CHECK(!qmp_open(&qmp, MONITOR, &fault));
	CHECK(!qmp_call(&qmp, "query-status", NULL, &answer, &fault));
	CHECK_TEXT(json_string_value(json_object_get(answer, "status")), "running");
	json_decref(answer);
	qmp_close(&qmp);
	qemu_end(pid);
}

static bool has(struct qmp *qmp, const char *capability)
{
	json_t *answer = NULL;
	bool is;

	CHECK(!qmp_call(qmp, "query-migrate-capabilities", NULL, &answer, &fault));
	is = qmp_has_capability(answer, capability);
	json_decref(answer);
	return is;
}

/* As a daemon leaves it that is killed while it sends RAM. */
static void real_settings(void)
{
	struct journal journal = { .running = true, .peer = { "127.0.0.1", 1, TICKET, BOOT_ID } };
	struct qmp qmp;
	pid_t pid;

	run_own("");
	pid = qemu_start(MONITOR, "");
	CHECK(!qmp_open(&qmp, MONITOR, &fault));
	journal.qmp = &qmp;
	CHECK(!guest_read_settings(&qmp, &journal.settings, &fault));
	CHECK(!journal_write(&journal, false, &fault));
	CHECK(!guest_change_settings(&qmp, 50, journal.settings, &fault));
	CHECK(has(&qmp, "x-ignore-shared") && has(&qmp, "pause-before-switchover"));
	qmp_close(&qmp);
	repair();
	CHECK(!qmp_open(&qmp, MONITOR, &fault));
	CHECK(!has(&qmp, "x-ignore-shared") && !has(&qmp, "pause-before-switchover"));
	json_decref(journal.settings);
	qmp_close(&qmp);
	qemu_end(pid);
}

int main(void)
{
	static const struct test tests[] = {
		{ "written and removed", written },
		{ "no room for the commit", commit_without_room },
		{ "a guest left before the commit point is brought back", brings_back },
		{ "a guest whose monitor is gone is brought back", brings_back_past },
		{ "a guest that was paused stays so", leaves_paused },
		{ "a guest that runs is left alone", leaves_running },
		{ "past the commit point: it runs there", committed_and_ran },
		{ "past the commit point: it never ran there", committed_and_never_ran },
		{ "past the commit point: nobody knows", committed_and_nobody_knows },
		{ "past the commit point: no answer", committed_and_unknown },
		{ "past the commit point: run here since", run_here_since },
		{ "past the commit point: its QEMU is gone", qemu_gone },
		{ "past the commit point: its monitor is in use", monitor_in_use },
		{ "a guest whose monitor is in use is brought back later", brings_back_later },
		{ "settings that were left", settings_left },
		{ "before QEMU's migration", nothing_but_settings },
		{ "a migration of somebody else's", leaves_migrations },
		{ "another QEMU at its monitor", another_qemu },
		{ "odd entries", odd_entries },
		{ "a QEMU that has migrated", real_qemu },
		{ "a QEMU with settings of ours", real_settings },
	};

	return TAP_RUN(tests);
}
