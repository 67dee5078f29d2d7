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

/* Whether the guest may run here: not if it runs at the destination, or may. */
static bool is_ours(json_t *entry, struct fault *fault)
{
	struct commit_peer peer = {
		.host = json_string_value(json_object_get(entry, "host")),
		.port = json_integer_value(json_object_get(entry, "port")),
		.ticket = json_string_value(json_object_get(entry, "ticket")),
		.boot_id = json_string_value(json_object_get(entry, "boot_id")),
	};

	if (!json_is_true(json_object_get(entry, "committed")))
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

/* Another migration of the guest may have begun while the destination was asked. */
static bool is_current(const char *name, json_t *entry)
{
	json_t *now = entry_read(KIND, name);
	bool same = now && json_equal(now, entry);

	json_decref(now);
	return same;
}

static int repair(const char *name, json_t *entry, struct fault *fault)
{
	const char *path = json_string_value(json_object_get(entry, "qmp"));
	json_int_t pid = json_integer_value(json_object_get(entry, "pid"));
	struct qmp qmp;
	int err;

	if (!path || !is_ours(entry, fault))
		return -1;
	if (!is_current(name, entry))
		return fail(fault, "a later migration has taken over");
	if (qmp_open_inner(&qmp, path, json_string_value(json_object_get(entry, "past")), fault))
		return -1;
	err = pid && qmp.pid != pid ? fail(fault, "another QEMU is at %s now", path) :
	      resume_guest(&qmp, json_is_true(json_object_get(entry, "running")), fault);
	qmp_close(&qmp);
	return err;
}

/* The entry stays up to the end: this daemon may be killed as well. */
static void *repair_thread(void *arg)
{
	struct fault fault = { "" };
	char *name = arg;
	json_t *entry = entry_read(KIND, name);

	if (entry && repair(name, entry, &fault))
		log_warn("left from before, %s: %s", name, fault.text);
	else if (entry)
		log_warn("left from before, %s: the guest goes on here", name);
	if (!entry || is_current(name, entry))
		entry_remove(KIND, name);
	json_decref(entry);
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
