// SPDX-License-Identifier: GPL-2.0-only
/*
 * What QEMU's migration is set to while we use it. A destination activates its
 * disks late, when it is told to run: had it their locks once it has loaded, a
 * source that fails after that could not run its guest again. What is switched off
 * does not go with that, or with a stream into a socket; no QEMU has all of them.
 */
#include <stdio.h>
#include <string.h>

#include "guest.h"

static const struct {
	const char *name;
	bool on;
} capabilities[] = {
	{ "x-ignore-shared", true },
	{ "return-path", true },
	{ "events", true },
	{ "pause-before-switchover", true },
	{ "late-block-activate", true },
	{ "multifd", false },
	{ "zero-copy-send", false },
	{ "postcopy-ram", false },
	{ "postcopy-preempt", false },
	{ "compress", false },
	{ "background-snapshot", false },
	{ "mapped-ram", false },
	{ "x-colo", false },
};

static bool is_known(const json_t *list, const char *name)
{
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
		if (!strcmp(json_string_value(json_object_get(one, "capability")) ?: "", name))
			return true;
	return false;
}

/* One of ours that QEMU does not have is for it to refuse. */
static json_t *wanted_capabilities(const json_t *known)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < sizeof(capabilities) / sizeof(*capabilities); i++)
		if (capabilities[i].on || is_known(known, capabilities[i].name))
			json_array_append_new(list, json_pack("{s:s,s:b}", "capability",
							      capabilities[i].name, "state",
							      capabilities[i].on));
	return list;
}

int guest_read_settings(struct qmp *qmp, json_t **settings, struct fault *fault)
{
	json_t *list = NULL, *all = NULL;

	if (qmp_call(qmp, "query-migrate-capabilities", NULL, &list, fault) ||
	    qmp_call(qmp, "query-migrate-parameters", NULL, &all, fault)) {
		json_decref(list);
		return -1;
	}
	*settings = json_pack("{s:o,s:{s:O?,s:O?}}", "capabilities", list, "parameters",
			      "max-bandwidth", json_object_get(all, "max-bandwidth"),
			      "downtime-limit", json_object_get(all, "downtime-limit"));
	json_decref(all);
	return *settings ? 0 : fail(fault, "%s: QEMU does not tell its migration parameters",
				    qmp->path);
}

int guest_change_limits(struct qmp *qmp, unsigned int downtime_ms, struct fault *fault)
{
	return qmp_call(qmp, "migrate-set-parameters",
			json_pack("{s:I,s:I}", "max-bandwidth", (json_int_t)10 << 30,
				  "downtime-limit", (json_int_t)downtime_ms), NULL, fault);
}

int guest_send_shared(struct qmp *qmp, struct fault *fault)
{
	return qmp_call(qmp, "migrate-set-capabilities",
			json_pack("{s:[{s:s,s:b}]}", "capabilities", "capability",
				  "x-ignore-shared", "state", 0), NULL, fault);
}

int guest_change_settings(struct qmp *qmp, unsigned int downtime_ms, const json_t *before,
			  struct fault *fault)
{
	json_t *list = wanted_capabilities(json_object_get(before, "capabilities"));

	if (qmp_call(qmp, "migrate-set-capabilities", json_pack("{s:o}", "capabilities", list),
		     NULL, fault))
		return -1;
	return guest_change_limits(qmp, downtime_ms, fault);
}

void guest_restore_settings(struct qmp *qmp, json_t *before)
{
	struct fault ignored;

	if (!before)
		return;
	qmp_call(qmp, "migrate-set-capabilities",
		 json_pack("{s:O}", "capabilities", json_object_get(before, "capabilities")), NULL,
		 &ignored);
	qmp_call(qmp, "migrate-set-parameters",
		 json_incref(json_object_get(before, "parameters")), NULL, &ignored);
	json_decref(before);
}

int guest_status(struct qmp *qmp, char *status, size_t bytes, struct fault *fault)
{
	json_t *answer = NULL;
	const char *is;

	if (qmp_call(qmp, "query-status", NULL, &answer, fault))
		return -1;
	is = json_string_value(json_object_get(answer, "status"));
	snprintf(status, bytes, "%s", is ? is : "unknown");
	json_decref(answer);
	return 0;
}
