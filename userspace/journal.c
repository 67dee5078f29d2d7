// SPDX-License-Identifier: GPL-2.0-only
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "entry.h"
#include "guest.h"
#include "journal.h"
#include "log.h"
#include "resume.h"

#define KIND		"journal"
#define COMMIT_MS	600000
#define AGAIN_MS	500
#define END_MS		30000
#define IN_USE_MS	600000
#define TAKEN_OVER	"a later migration has taken over"

int journal_write(const struct journal *journal, bool committed, struct fault *fault)
{
	return entry_write(KIND, journal->qmp->path,
			   json_pack("{s:s,s:s,s:i,s:b,s:b,s:b,s:O*,s:s,s:i,s:s,s:s}", "qmp",
				     journal->qmp->path, "past", journal->qmp->past,
				     "pid", (int)journal->qmp->pid, "running", journal->running,
				     "migrating", journal->migrating, "committed", committed,
				     "settings", journal->settings, "host", journal->peer.host,
				     "port", (int)journal->peer.port, "ticket",
				     journal->peer.ticket, "boot_id", journal->peer.boot_id),
			   fault);
}

void journal_remove(const char *qmp_path)
{
	entry_remove(KIND, qmp_path);
}

/* Of a daemon before this one. */
struct left {
	const char *name;
	json_t *entry;
};

/* Another migration of the guest may have begun while the destination was asked. */
static bool is_current(const struct left *left)
{
	json_t *now = entry_read(KIND, left->name);
	bool same = now && json_equal(now, left->entry);

	json_decref(now);
	return same;
}

static void forget(void *arg)
{
	const struct left *left = arg;

	if (is_current(left))
		entry_remove(KIND, left->name);
}

static const char *text_of(const struct left *left, const char *key)
{
	return json_string_value(json_object_get(left->entry, key));
}

static bool is_same_qemu(const struct left *left, const struct qmp *qmp)
{
	json_int_t pid = json_integer_value(json_object_get(left->entry, "pid"));

	return !pid || qmp->pid == pid;
}

static int open_monitor(const struct left *left, struct qmp *qmp, struct fault *fault)
{
	return qmp_open_inner(qmp, text_of(left, "qmp"), text_of(left, "past"), fault);
}

json_t *journal_settings(const struct qmp *qmp)
{
	struct left left = { qmp->path, entry_read(KIND, qmp->path) };
	json_t *settings = NULL;

	if (is_same_qemu(&left, qmp))
		settings = json_incref(json_object_get(left.entry, "settings"));
	json_decref(left.entry);
	return settings;
}

/* The QEMU that it was of, or none. Another client may have its monitor for a while. */
static int open_qemu(const struct left *left, struct qmp *qmp, struct fault *fault)
{
	uint64_t deadline_ms = clock_ms() + IN_USE_MS;

	while (open_monitor(left, qmp, fault)) {
		if (qmp->no_listener || clock_ms() >= deadline_ms || !is_current(left))
			return -1;
		usleep(AGAIN_MS * 1000);
	}
	if (is_same_qemu(left, qmp))
		return 0;
	qmp_close(qmp);
	return fail(fault, "another QEMU is at %s now", text_of(left, "qmp"));
}

enum here {
	HERE_GIVEN_AWAY,	/* stopped as when the commit was said, or its QEMU is gone */
	HERE_UNSEEN,		/* its monitor is in use, or does not answer */
	HERE_TAKEN,		/* it runs, or did: its administrator has decided */
};

static enum here look_here(const struct left *left, struct fault *fault)
{
	char status[32] = "";
	struct qmp qmp;
	bool same;

	if (open_monitor(left, &qmp, fault))
		return qmp.no_listener ? HERE_GIVEN_AWAY : HERE_UNSEEN;
	same = is_same_qemu(left, &qmp);
	if (same)
		guest_status(&qmp, status, sizeof(status), fault);
	qmp_close(&qmp);
	if (!same || !strcmp(status, "postmigrate") || !strcmp(status, "finish-migrate"))
		return HERE_GIVEN_AWAY;
	if (!*status)
		return HERE_UNSEEN;
	fail(fault, "it was run here since, and is %s", status);
	return HERE_TAKEN;
}

/* To ask has the destination run it: never without a look at whether it runs here. */
static enum commit_outcome ask(struct left *left, const struct commit_peer *peer,
			       struct fault *fault)
{
	uint64_t deadline_ms = clock_ms() + COMMIT_MS;
	enum commit_outcome outcome = COMMIT_SILENT;
	enum here here;

	for (;;) {
		here = look_here(left, fault);
		if (here == HERE_TAKEN)
			return COMMIT_UNKNOWN;
		if (here == HERE_GIVEN_AWAY)
			outcome = commit_again(peer, 0, -1, fault);
		if (outcome != COMMIT_SILENT || clock_ms() >= deadline_ms)
			return outcome;
		usleep(AGAIN_MS * 1000);
		if (!is_current(left)) {
			fail(fault, TAKEN_OVER);
			return COMMIT_UNKNOWN;
		}
	}
}

/* Whether the guest may run here: not if it runs at the destination, or may. */
static bool is_ours(struct left *left, struct fault *fault)
{
	struct commit_peer peer = {
		.host = text_of(left, "host"),
		.port = json_integer_value(json_object_get(left->entry, "port")),
		.ticket = text_of(left, "ticket"),
		.boot_id = text_of(left, "boot_id"),
		.settled = forget,
		.arg = left,
	};

	if (!json_is_true(json_object_get(left->entry, "committed")))
		return true;
	if (!peer.host || !peer.ticket || !peer.boot_id)
		return fail(fault, "no destination in the journal"), false;
	switch (ask(left, &peer, fault)) {
	case COMMIT_RAN:
		fail(fault, "the guest runs at %s", peer.host);
		return false;
	case COMMIT_NEVER:
		return true;
	default:
		return false;
	}
}

/*
 * A migration that QEMU has in hand and we did not begin: what QEMU wrote to us broke
 * with our predecessor, and it ends by itself. Or it is somebody else's, who came since.
 */
static int await_end(struct qmp *qmp, struct fault *fault)
{
	uint64_t deadline_ms = clock_ms() + END_MS;

	while (resume_is_migrating(qmp)) {
		if (clock_ms() > deadline_ms)
			return fail(fault, "a migration of it is under way, which goes with what was set for ours (query-migrate-capabilities)");
		usleep(20000);
	}
	return 0;
}

static void restore_settings(const struct left *left, struct qmp *qmp)
{
	guest_restore_settings(qmp, json_incref(json_object_get(left->entry, "settings")));
}

static int bring_back(const struct left *left, struct qmp *qmp, struct fault *fault)
{
	int err;

	if (json_is_false(json_object_get(left->entry, "migrating"))) {
		err = await_end(qmp, fault);
		if (err)
			return err;
	} else {
		err = resume_guest(qmp, json_is_true(json_object_get(left->entry, "running")), fault);
	}
	restore_settings(left, qmp);
	return err;
}

/* It is its administrator's from now on, who may run it here. */
static void leave(const struct left *left)
{
	struct fault ignored;
	struct qmp qmp;

	if (!json_object_get(left->entry, "settings") || !is_current(left) ||
	    open_qemu(left, &qmp, &ignored))
		return;
	restore_settings(left, &qmp);
	qmp_close(&qmp);
}

static int repair(struct left *left, struct fault *fault)
{
	struct qmp qmp;
	int err;

	if (!text_of(left, "qmp"))
		return fail(fault, "no monitor in the journal");
	if (!is_ours(left, fault)) {
		leave(left);
		return -1;
	}
	if (!is_current(left))
		return fail(fault, TAKEN_OVER);
	if (open_qemu(left, &qmp, fault))
		return -1;
	err = bring_back(left, &qmp, fault);
	qmp_close(&qmp);
	return err;
}

/* The entry stays up to the end: this daemon may be killed as well. */
static void *repair_thread(void *arg)
{
	struct fault fault = { "" };
	char *name = arg;
	struct left left = { name, entry_read(KIND, name) };

	if (left.entry && repair(&left, &fault))
		log_warn("left from before, %s: %s", name, fault.text);
	else if (left.entry)
		log_warn("left from before, %s: the guest goes on here", name);
	if (left.entry)
		forget(&left);
	else
		entry_remove(KIND, name);
	json_decref(left.entry);
	free(name);
	return NULL;
}

void journal_repair(void)
{
	json_t *names = entry_names(KIND), *name;
	pthread_t thread;
	size_t i;

	json_array_foreach(names, i, name) {
		char *own = strdup(json_string_value(name));

		if (own && !pthread_create(&thread, NULL, repair_thread, own))
			pthread_detach(thread);
		else
			free(own);
	}
	json_decref(names);
}
