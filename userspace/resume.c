// SPDX-License-Identifier: GPL-2.0-only
/*
 * A migration that is cancelled before QEMU completed it makes QEMU itself run
 * the guest again. One that completed (postmigrate) leaves it to us; there its
 * disks' locks may be held by the destination for a while yet.
 */
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "guest.h"
#include "resume.h"

#define RESUME_MS 60000

const char *resume_status(struct qmp *qmp, char *status, size_t bytes)
{
	struct fault ignored;

	if (guest_status(qmp, status, bytes, &ignored))
		snprintf(status, bytes, "%s", qmp_is_gone(qmp) ? "gone" : "unknown");
	return status;
}

bool resume_is_migrating(struct qmp *qmp)
{
	struct fault ignored;
	json_t *answer = NULL;
	const char *status;
	bool ended;

	if (qmp_call(qmp, "query-migrate", NULL, &answer, &ignored))
		return !qmp_is_gone(qmp);
	status = json_string_value(json_object_get(answer, "status"));
	ended = !status || !strcmp(status, "none") || !strcmp(status, "completed") ||
		!strcmp(status, "cancelled") || !strcmp(status, "failed");
	json_decref(answer);
	return !ended;
}

int resume_guest(struct qmp *qmp, bool running, struct fault *fault)
{
	uint64_t deadline_ms = clock_ms() + RESUME_MS;
	struct fault why = { "" };
	char status[32] = "";

	if (qmp_call(qmp, "migrate_cancel", NULL, NULL, &why) && qmp_is_gone(qmp))
		return fail(fault, "%s", why.text);
	while (clock_ms() < deadline_ms) {
		if (!resume_is_migrating(qmp)) {
			resume_status(qmp, status, sizeof(status));
			if (!running || !strcmp(status, "running"))
				return 0;
			if (!strcmp(status, "gone"))
				return fail(fault, "the QEMU behind %s is gone", qmp->path);
			if (!strcmp(status, "postmigrate"))
				qmp_call(qmp, "cont", NULL, NULL, &why);
			else if (!strcmp(status, "paused") || !strcmp(status, "io-error") ||
				 !strcmp(status, "shutdown"))
				return 0;	/* somebody else's doing */
		}
		usleep(20000);
	}
	return fail(fault, "the guest at %s is %s and does not go on: %s; look at its QEMU, then cont it",
		    qmp->path, status, why.text);
}
