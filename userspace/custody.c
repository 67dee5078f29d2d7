// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "entry.h"
#include "log.h"
#include "sink.h"

#define KIND "custody"

int custody_note(const struct custody *custody, struct fault *fault)
{
	return entry_write(KIND, custody->ticket,
			   json_pack("{s:s,s:s,s:i,s:b,s:b,s:b,s:O?}", "qmp", custody->qmp->path,
				     "past", custody->qmp->past,
				     "pid", (int)custody->qmp->pid, "paused", custody->paused,
				     "told", custody->told, "native", custody->native,
				     "settings", custody->settings), fault);
}

void custody_end(const char *ticket)
{
	entry_remove(KIND, ticket);
}

void custody_boot_id(char boot_id[64])
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!file || !fgets(boot_id, 64, file))
		strcpy(boot_id, "?");
	boot_id[strcspn(boot_id, "\n")] = 0;
	if (file)
		fclose(file);
}

static int open_monitor(struct qmp *qmp, const json_t *entry, struct fault *fault)
{
	return qmp_open_inner(qmp, json_string_value(json_object_get(entry, "qmp")),
			      json_string_value(json_object_get(entry, "past")), fault);
}

static json_t *unknown(const char *why)
{
	return json_pack("{s:s}", "error", why);
}

static json_t *never(const char *why)
{
	return json_pack("{s:s,s:b}", "error", why, "ran", 0);
}

static bool was_told(json_t *entry)
{
	return json_is_true(json_object_get(entry, "told"));
}

/* A dead QEMU that was told to run may have run: its guest is lost, not the source's. */
static json_t *dead(json_t *entry, const char *why)
{
	return was_told(entry) ? unknown(why) : never(why);
}

/* It may be known in a moment: the source, without an answer, asks again. */
static json_t *not_now(const char *ticket, const struct fault *fault)
{
	log_warn("a commit is said again, of %s, and cannot be answered yet: %s", ticket, fault->text);
	return NULL;
}

/*
 * A QEMU that has the guest. It stands still since it has loaded, and runs now;
 * or it ran already, and whatever it is by now is the outcome.
 */
static json_t *run(struct qmp *qmp, json_t *entry, const char *ticket)
{
	struct custody custody = { .ticket = ticket, .qmp = qmp, .told = true,
				   .paused = json_is_true(json_object_get(entry, "paused")),
				   .settings = json_object_get(entry, "settings") };
	char status[32];
	struct fault fault;

	if (guest_status(qmp, status, sizeof(status), &fault))
		return not_now(ticket, &fault);
	if (custody_note(&custody, &fault))
		return unknown(fault.text);
	if (!strcmp(status, "paused") && !custody.paused &&
	    qmp_call(qmp, "cont", NULL, NULL, &fault)) {
		if (!qmp->refused || was_told(entry))
			return unknown(fault.text);
		qmp_call(qmp, "quit", NULL, NULL, &(struct fault){ "" });
		return never(fault.text);
	}
	guest_restore_settings(qmp, json_incref(custody.settings));
	return json_pack("{s:{s:b}}", "resumed", "again", 1);
}

/* A process that nobody has waited for has no program any more. */
static bool lives(pid_t pid)
{
	char path[64], program[PATH_MAX];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return readlink(path, program, sizeof(program)) > 0;
}

/* Of a QEMU that runs when it hears of it, and ends when its daemon does before. */
static json_t *native(json_t *entry, pid_t pid)
{
	if (!was_told(entry))
		return never("this host did not tell its QEMU to run the guest");
	return lives(pid) ? json_pack("{s:{s:b}}", "resumed", "again", 1) :
			    unknown("its QEMU is gone");
}

static json_t *run_by_monitor(json_t *entry, pid_t pid, const char *ticket)
{
	struct fault fault;
	struct qmp qmp;
	json_t *answer;

	/* Where nobody listens it is dead. Else another client is in the way. */
	if (open_monitor(&qmp, entry, &fault))
		return qmp.no_listener ? dead(entry, fault.text) : not_now(ticket, &fault);
	answer = qmp.pid == pid ? run(&qmp, entry, ticket) : dead(entry, "its QEMU is gone");
	qmp_close(&qmp);
	return answer;
}

json_t *custody_commit(const char *ticket, const char *boot_id)
{
	json_t *entry = entry_read(KIND, ticket), *answer;
	bool none = !entry && errno == ENOENT;
	json_int_t pid = json_integer_value(json_object_get(entry, "pid"));
	char ours[64];

	custody_boot_id(ours);
	if (strcmp(ours, boot_id))
		answer = unknown("this host was booted anew since: if the guest ran here, it is lost");
	else if (none)
		answer = never("this host gave the guest up");
	else if (!json_is_string(json_object_get(entry, "qmp")))
		answer = unknown("this host cannot read what it noted of the guest");
	else if (json_is_true(json_object_get(entry, "native")))
		answer = native(entry, pid);
	else
		answer = run_by_monitor(entry, pid, ticket);
	if (json_is_false(json_object_get(answer, "ran")))
		custody_end(ticket);
	json_decref(entry);
	return answer;
}

/*
 * One that cannot be read is nobody's to forget. One that was told to run has its
 * settings back, which that daemon may not have come to.
 */
static bool is_dead(json_t *entry)
{
	struct fault ignored;
	struct qmp qmp;
	bool dead;

	if (!json_is_string(json_object_get(entry, "qmp")))
		return false;
	if (json_is_true(json_object_get(entry, "native")))
		return !lives(json_integer_value(json_object_get(entry, "pid")));
	if (open_monitor(&qmp, entry, &ignored))
		return qmp.no_listener;
	dead = qmp.pid != json_integer_value(json_object_get(entry, "pid"));
	if (!dead && was_told(entry))
		guest_restore_settings(&qmp, json_incref(json_object_get(entry, "settings")));
	qmp_close(&qmp);
	return dead;
}

void custody_tell(void)
{
	json_t *tickets = entry_names(KIND), *ticket;
	size_t i;

	json_array_foreach(tickets, i, ticket) {
		json_t *entry = entry_read(KIND, json_string_value(ticket));

		if (is_dead(entry) && !was_told(entry))
			custody_end(json_string_value(ticket));
		else
			log_warn("left from before, %s: %s",
				 json_string_value(json_object_get(entry, "qmp")) ?: "?", was_told(entry) ?
				 "a guest that was told to run; if its source does not know that, it asks" :
				 "a guest that is loaded, or was being; it runs when its source says so");
		json_decref(entry);
	}
	json_decref(tickets);
}
