// SPDX-License-Identifier: GPL-2.0-only
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "entry.h"
#include "journal.h"
#include "log.h"
#include "resume.h"

#define KIND		"journal"
#define COMMIT_MS	600000

int journal_write(const struct journal *journal, bool committed, struct fault *fault)
{
	return entry_write(KIND, journal->qmp->path,
			   json_pack("{s:s,s:s,s:i,s:b,s:b,s:s,s:i,s:s,s:s}", "qmp",
				     journal->qmp->path, "past", journal->qmp->past,
				     "pid", (int)journal->qmp->pid, "running", journal->running,
				     "committed", committed, "host", journal->peer.host,
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
	switch (commit_again(&peer, COMMIT_MS, -1, fault)) {
	case COMMIT_RAN:
		fail(fault, "the guest runs at %s", peer.host);
		return false;
	case COMMIT_NEVER:
		return true;
	default:
		return false;
	}
}

static int repair(struct left *left, struct fault *fault)
{
	json_int_t pid = json_integer_value(json_object_get(left->entry, "pid"));
	const char *path = text_of(left, "qmp");
	struct qmp qmp;
	int err;

	if (!path || !is_ours(left, fault))
		return -1;
	if (!is_current(left))
		return fail(fault, "a later migration has taken over");
	if (qmp_open_inner(&qmp, path, text_of(left, "past"), fault))
		return -1;
	err = pid && qmp.pid != pid ? fail(fault, "another QEMU is at %s now", path) :
	      resume_guest(&qmp, json_is_true(json_object_get(left->entry, "running")), fault);
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
