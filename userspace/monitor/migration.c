// SPDX-License-Identifier: GPL-2.0-only
/* From the daemon's states, and from QEMU's own migration, what QEMU would tell. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "limits.h"
#include "monitor.h"
#include "order.h"
#include "qmp.h"

static void set_status(struct monitor *monitor, const char *status)
{
	struct migration *migration = &monitor->migration;

	strcpy(migration->status, status);
	if (migration->events)
		monitor_event(monitor, "MIGRATION", json_pack("{s:s}", "status", status));
}

static void set_pass(struct monitor *monitor, unsigned int pass)
{
	struct migration *migration = &monitor->migration;

	while (migration->pass < pass) {
		migration->pass++;
		if (migration->events)
			monitor_event(monitor, "MIGRATION_PASS",
				      json_pack("{s:i}", "pass", (int)migration->pass));
	}
}

void migration_free(struct migration *migration)
{
	if (migration->step >= MIGRATION_ORDERS && migration->step < MIGRATION_ENDED)
		client_close(&migration->daemon);
	request_free(migration->asker);
	free(migration->uri);
	json_decref(migration->options);
	json_decref(migration->capabilities);
	json_decref(migration->parameters);
	json_decref(migration->set);
	json_decref(migration->progress);
	json_decref(migration->result);
	*migration = (struct migration){ 0 };
}

void migration_forget(struct migration *migration)
{
	if (!migration_runs(migration))
		migration_free(migration);
}

int migration_fd(const struct migration *migration)
{
	return migration->step == MIGRATION_ORDERS || migration->step == MIGRATION_RUNS ?
	       migration->daemon.fd : -1;
}

/* Refused before it began: nothing is to be told of it. */
static void refuse(struct monitor *monitor, const char *why)
{
	struct request *asker = monitor->migration.asker;

	monitor->migration.asker = NULL;
	migration_free(&monitor->migration);
	if (asker)
		monitor_refuse(monitor, asker, GENERIC, why);
}

static const char *desc_of(const json_t *answer)
{
	const char *desc = json_string_value(json_object_get(json_object_get(answer, "error"),
							     "desc"));

	return desc ? desc : "QEMU does not tell its migration's settings";
}

static void on_parameters(struct monitor *monitor, json_t *answer)
{
	struct migration *migration = &monitor->migration;
	json_t *parameters = json_object_get(answer, "return");
	struct fault fault;

	if (!parameters) {
		refuse(monitor, desc_of(answer));
		return;
	}
	migration->options = order_options(migration->uri, parameters, migration->capabilities);
	migration->parameters = json_deep_copy(parameters);
	json_object_update(migration->parameters, migration->set);
	migration->step = MIGRATION_ORDERS;
	if (client_open(&migration->daemon, monitor->daemon, &fault) ||
	    client_send(&migration->daemon,
			json_pack("{s:s,s:s,s:s,s:O}", "command", "migrate", "qmp", monitor->path,
				  "uri", migration->uri, "options", migration->options), &fault))
		refuse(monitor, fault.text);
}

static void on_capabilities(struct monitor *monitor, json_t *answer)
{
	struct migration *migration = &monitor->migration;
	json_t *list = json_object_get(answer, "return");
	struct fault fault;

	if (!json_is_array(list)) {
		refuse(monitor, desc_of(answer));
		return;
	}
	if (order_check_capabilities(list, &fault)) {
		refuse(monitor, fault.text);
		return;
	}
	migration->capabilities = json_incref(list);
	migration->events = qmp_has_capability(list, "events");
	upstream_add(&monitor->qemu, request_new("query-migrate-parameters", NULL, on_parameters));
}

void migration_begin(struct monitor *monitor, struct request *request)
{
	struct migration *migration = &monitor->migration;
	struct fault fault;

	if (monitor->incoming.asker) {
		monitor_refuse(monitor, request, GENERIC, IN_PROGRESS);
		return;
	}
	if (order_check(request, &fault)) {
		monitor_refuse(monitor, request, GENERIC, fault.text);
		return;
	}
	migration_free(migration);
	migration->step = MIGRATION_ASKS;
	migration->asker = request;
	migration->uri = strdup(json_string_value(request_argument(request, "uri")));
	migration->start_ms = clock_ms();
	upstream_add(&monitor->qemu, request_new("query-migrate-capabilities", NULL, on_capabilities));
}

/* On a connection of its own; what comes of it is told where the migration is followed. */
static void send_order(struct monitor *monitor, const char *command, json_t *options)
{
	struct client client;
	struct fault fault;

	if (client_open(&client, monitor->daemon, &fault) ||
	    client_send(&client, json_pack("{s:s,s:I,s:o*}", "command", command, "id",
					   monitor->migration.id, "options", options), &fault))
		fprintf(stderr, "vmfastmig: cannot %s: %s\n", command, fault.text);
	client_close(&client);
}

static void send_cancel(struct monitor *monitor)
{
	monitor->migration.cancel_sent = true;
	send_order(monitor, "cancel", NULL);
	set_status(monitor, "cancelling");
}

void migration_cancel(struct monitor *monitor)
{
	struct migration *migration = &monitor->migration;

	migration->cancelled = true;
	if (migration->step == MIGRATION_RUNS && !migration->cancel_sent)
		send_cancel(monitor);
}

void migration_limit(struct monitor *monitor, struct request *request, const json_t *parameters)
{
	struct migration *migration = &monitor->migration;
	struct fault fault;
	json_t *limits = limits_read(parameters, &fault);

	if (!limits) {
		monitor_refuse(monitor, request, GENERIC, fault.text);
		return;
	}
	if (!migration->set)
		migration->set = json_object();
	json_object_update(migration->set, limits);
	json_object_update(migration->parameters, limits);
	if (migration->step == MIGRATION_RUNS)
		send_order(monitor, "set", limits_options(limits, true));
	json_decref(limits);
	monitor_return(monitor, request, json_object());
}

/* The daemon has put back what QEMU was set to before. */
static void set_in_qemu(struct monitor *monitor)
{
	struct migration *migration = &monitor->migration;

	if (json_object_size(migration->set))
		upstream_add(&monitor->qemu, request_new("migrate-set-parameters", migration->set,
							 NULL));
}

static void begin(struct monitor *monitor, const json_t *state)
{
	struct migration *migration = &monitor->migration;
	struct request *asker = migration->asker;

	migration->step = MIGRATION_RUNS;
	migration->id = json_integer_value(json_object_get(state, "id"));
	migration->asker = NULL;
	monitor_return(monitor, asker, json_object());
	set_status(monitor, "setup");
	if (migration->set)
		send_order(monitor, "set", limits_options(migration->set, true));
	if (migration->cancelled)
		send_cancel(monitor);
}

static void on_state(struct monitor *monitor, json_t *state)
{
	struct migration *migration = &monitor->migration;
	json_t *progress = json_object_get(state, "progress");
	const char *phase = json_string_value(json_object_get(state, "phase"));

	if (migration->step == MIGRATION_ORDERS)
		begin(monitor, state);
	if (phase && !strcmp(phase, "precopy") && !migration->active_ms) {
		migration->active_ms = clock_ms();
		set_pass(monitor, 1);
		if (!migration->cancelled)
			set_status(monitor, "active");
	}
	if (!progress)
		return;
	json_decref(migration->progress);
	migration->progress = json_incref(progress);
	set_pass(monitor, json_integer_value(json_object_get(progress, "round")) + 1);
}

static void end(struct monitor *monitor, const char *status, const char *error)
{
	struct migration *migration = &monitor->migration;

	client_close(&migration->daemon);
	migration->step = MIGRATION_ENDED;
	migration->end_ms = clock_ms();
	snprintf(migration->error, sizeof(migration->error), "%s", error ? error : "");
	set_status(monitor, status);
}

/*
 * "failed" means that the guest is here and may run: never said where it may run at the
 * destination. Then the status stays one that is not the end, and the error says why.
 */
static void fail_migration(struct monitor *monitor, const char *error, bool given_away)
{
	struct migration *migration = &monitor->migration;
	bool quiet = migration->events;

	if (!given_away) {
		set_in_qemu(monitor);
		if (strcmp(error, "cancelled"))
			end(monitor, "failed", error);
		else
			end(monitor, "cancelled", NULL);
		return;
	}
	migration->events = false;
	end(monitor, "device", error);
	migration->events = quiet;
}

static void on_result(struct monitor *monitor, json_t *result)
{
	struct migration *migration = &monitor->migration;
	const char *error = json_string_value(json_object_get(result, "error"));
	const char *guest = json_string_value(json_object_get(result, "guest"));

	if (!error)
		error = "vmfastmigd does not say why";
	if (migration->step == MIGRATION_ORDERS) {
		refuse(monitor, error);
		return;
	}
	migration->result = json_incref(result);
	if (json_is_true(json_object_get(result, "completed")))
		end(monitor, "completed", NULL);
	else
		fail_migration(monitor, error, guest && !strcmp(guest, "given away"));
}

void migration_on_daemon(struct monitor *monitor)
{
	struct migration *migration = &monitor->migration;
	json_t *message = NULL, *state;
	struct fault fault;
	int got = 1;

	while (migration_fd(migration) >= 0 &&
	       (got = client_take(&migration->daemon, &message, &fault)) > 0) {
		state = json_object_get(message, "state");
		if (state)
			on_state(monitor, state);
		else
			on_result(monitor, json_object_get(message, "result"));
		json_decref(message);
	}
	if (got >= 0)
		return;
	if (migration->step == MIGRATION_ORDERS)
		refuse(monitor, fault.text);
	else
		fail_migration(monitor, fault.text, migration->qemu_completed);
}

void migration_on_event(struct monitor *monitor, const char *text)
{
	struct migration *migration = &monitor->migration;
	json_t *event = json_loads(text, 0, NULL);
	const char *status = json_string_value(json_object_get(json_object_get(event, "data"),
							       "status"));

	if (status && !strcmp(status, "completed"))
		migration->qemu_completed = true;
	if (status && !strcmp(status, "device") && !migration->cancelled)
		set_status(monitor, "device");
	json_decref(event);
}
