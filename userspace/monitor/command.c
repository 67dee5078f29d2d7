// SPDX-License-Identifier: GPL-2.0-only
/* What users say: to be negotiated, for us, or for QEMU. */
#include <stdio.h>
#include <string.h>

#include "hmp.h"
#include "limits.h"
#include "message.h"
#include "monitor.h"
#include "uri.h"

static bool is_ours(const struct request *request)
{
	const char *uri = json_string_value(request_argument(request, "uri"));

	return uri && uri_is_ours(uri);
}

static bool on_migrate(struct monitor *monitor, struct request *request)
{
	if (migration_runs(&monitor->migration))
		monitor_refuse(monitor, request, GENERIC, IN_PROGRESS);
	else if (is_ours(request))
		migration_begin(monitor, request);
	else
		return migration_forget(&monitor->migration), false;
	return true;
}

static bool on_migrate_incoming(struct monitor *monitor, struct request *request)
{
	if (!is_ours(request))
		return migration_forget(&monitor->migration), false;
	incoming_begin(monitor, request);
	return true;
}

static bool on_query_migrate(struct monitor *monitor, struct request *request)
{
	if (!migration_is_known(&monitor->migration))
		return false;
	monitor_return(monitor, request, migration_figures(&monitor->migration));
	return true;
}

/* QEMU's settings are ours while we migrate: what users know them to be. */
static bool tell_kept(struct monitor *monitor, struct request *request, json_t *kept)
{
	if (!migration_runs(&monitor->migration) || !kept)
		return false;
	monitor_return(monitor, request, json_incref(kept));
	return true;
}

static bool on_query_capabilities(struct monitor *monitor, struct request *request)
{
	return tell_kept(monitor, request, monitor->migration.capabilities);
}

static bool on_cancel(struct monitor *monitor, struct request *request)
{
	if (!migration_runs(&monitor->migration))
		return false;
	migration_cancel(monitor);
	monitor_return(monitor, request, json_object());
	return true;
}

static bool on_set_capabilities(struct monitor *monitor, struct request *request)
{
	if (!migration_runs(&monitor->migration))
		return false;
	monitor_refuse(monitor, request, GENERIC, IN_PROGRESS);
	return true;
}

static bool on_query_parameters(struct monitor *monitor, struct request *request)
{
	return tell_kept(monitor, request, monitor->migration.parameters);
}

static bool on_set_parameters(struct monitor *monitor, struct request *request)
{
	json_t *parameters = json_object_get(request->object, "arguments");

	if (!migration_runs(&monitor->migration) || !limits_named(parameters))
		return false;
	migration_limit(monitor, request, parameters);
	return true;
}

/* The daemon has QEMU go on once RAM is complete; nobody else may. */
static bool on_continue(struct monitor *monitor, struct request *request)
{
	char why[96];

	if (!migration_runs(&monitor->migration))
		return false;
	snprintf(why, sizeof(why), "Migration not in expected state: %s",
		 monitor->migration.status);
	monitor_refuse(monitor, request, GENERIC, why);
	return true;
}

static const struct {
	const char *name;
	/* False: it is QEMU's all the same. */
	bool (*run)(struct monitor *monitor, struct request *request);
} ours[] = {
	{ "migrate", on_migrate },
	{ "migrate-incoming", on_migrate_incoming },
	{ "migrate_cancel", on_cancel },
	{ "migrate-continue", on_continue },
	{ "migrate-set-capabilities", on_set_capabilities },
	{ "migrate-set-parameters", on_set_parameters },
	{ "query-migrate-parameters", on_query_parameters },
	{ "query-migrate", on_query_migrate },
	{ "query-migrate-capabilities", on_query_capabilities },
	{ "human-monitor-command", hmp_command },
};

/* QEMU may still hold one that came with a command it refused before it took it. */
static bool lacks_fd(const struct request *request)
{
	return !request->fds.count && (!strcmp(request->command, "getfd") ||
				       !strcmp(request->command, "add-fd"));
}

void monitor_pass(struct monitor *monitor, struct request *request)
{
	if (lacks_fd(request))
		monitor_refuse(monitor, request, GENERIC,
			       "No file descriptor supplied via SCM_RIGHTS");
	else
		upstream_add(&monitor->qemu, request);
}

static const char *enable(const struct monitor *monitor, const struct request *request,
			  bool *oob, bool *inner)
{
	json_t *arguments = json_object_get(request->object, "arguments"), *value, *one;
	const char *key;
	size_t i;

	json_object_foreach(arguments, key, value) {
		if (!strcmp(key, "vmfastmig"))
			*inner = json_is_true(value);
		else if (strcmp(key, "enable") || !json_is_array(value))
			return "Parameter of qmp_capabilities is unexpected";
	}
	json_array_foreach(json_object_get(arguments, "enable"), i, one) {
		if (!json_is_string(one) || strcmp(json_string_value(one), "oob"))
			return "Parameter 'enable' does not accept that value";
		*oob = true;
	}
	return *oob && !monitor->qemu.oob ? "Capabilities oob not available" : NULL;
}

static void negotiate(struct monitor *monitor, struct user *user, struct request *request)
{
	bool oob = false, inner = false;
	const char *wrong;

	if (strcmp(request->command, "qmp_capabilities")) {
		monitor_refuse(monitor, request, "CommandNotFound",
			       "Expecting capabilities negotiation with 'qmp_capabilities'");
		return;
	}
	wrong = enable(monitor, request, &oob, &inner);
	if (wrong) {
		monitor_refuse(monitor, request, GENERIC, wrong);
		return;
	}
	user->negotiated = true;
	user->oob = oob;
	user->inner = inner;
	monitor_return(monitor, request, json_object());
}

static void obey(struct monitor *monitor, struct user *user, struct request *request)
{
	size_t i;

	if (request->oob)
		user->oobs++;
	else
		user->busy = true;
	if (request->wrong) {
		monitor_refuse(monitor, request, GENERIC, request->wrong);
		return;
	}
	if (!user->negotiated) {
		negotiate(monitor, user, request);
		return;
	}
	if (!strcmp(request->command, "qmp_capabilities")) {
		monitor_refuse(monitor, request, "CommandNotFound",
			       "Capabilities negotiation is already complete, command ignored");
		return;
	}
	for (i = 0; i < sizeof(ours) / sizeof(*ours) && !user->inner; i++)
		if (!strcmp(request->command, ours[i].name) && ours[i].run(monitor, request))
			return;
	monitor_pass(monitor, request);
}

static void add(struct user *user, struct request *request)
{
	struct request **at = &user->first;

	while (*at)
		at = &(*at)->next;
	*at = request;
	user->waiting++;
}

static struct request *take(struct user *user)
{
	struct request *request = user->first;

	user->first = request->next;
	user->waiting--;
	return request;
}

void monitor_hear(struct monitor *monitor, struct user *user)
{
	struct request *request;

	do {
		while (user->first && user_may_begin(user))
			obey(monitor, user, take(user));
		request = user_next(user);
		if (request && request->oob)
			obey(monitor, user, request);
		else if (request)
			add(user, request);
	} while (request);
}

void monitor_hear_all(struct monitor *monitor)
{
	struct user *user;

	for (user = monitor->users; user; user = user->next)
		if (!user->gone)
			monitor_hear(monitor, user);
}
