// SPDX-License-Identifier: GPL-2.0-only
/*
 * The UNIX socket the command talks to: a JSON request on a line, JSON answers
 * on lines, the last of them {"result": ...}.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon.h"
#include "fdpass.h"
#include "native.h"

#define REQUEST_BYTES 65536
#define NO_JOB "no such migration; see: vmfastmig status"
#define UNTOLD "{\"result\":{\"completed\":false,\"error\":\"the answer is not valid UTF-8\"}}"

struct client {
	int fd;
	int given[FDPASS_MAX];		/* descriptors that came with its request */
	unsigned int given_count;
};

/* Of jobs. */
enum kind { KIND_MIGRATE, KIND_CHECK, KIND_PIPED, KIND_LIBVIRT, KIND_INCOMING };

struct order {
	struct job *job;
	struct source_order source;
};

static int answer(int fd, json_t *object)
{
	/* There is no object where a text in it is not UTF-8. */
	char *text = object ? json_dumps(object, JSON_COMPACT) : strdup(UNTOLD);
	size_t bytes = strlen(text);
	ssize_t sent;

	text[bytes++] = '\n';	/* in the place of its NUL */
	sent = send(fd, text, bytes, MSG_NOSIGNAL);
	free(text);
	json_decref(object);
	return sent == (ssize_t)bytes ? 0 : -1;
}

static void answer_error(int fd, const char *text)
{
	answer(fd, json_pack("{s:{s:b,s:s}}", "result", "completed", 0, "error", text));
}

static void *run_source(void *arg)
{
	struct order *order = arg;

	source_run(order->job, &order->source);
	job_put(order->job);
	free(order);
	return NULL;
}

static void *run_sink(void *arg)
{
	struct order *order = arg;

	sink_wait(order->job, order->source.qmp, order->source.uri.name);
	job_put(order->job);
	free(order);
	return NULL;
}

/* Tells each change of the job's state, and its result. */
static void follow(int fd, struct job *job)
{
	json_t *state, *result = NULL;
	unsigned int version = 0;

	while (!result) {
		version = job_wait(job, version, &state, &result);
		if (answer(fd, json_pack("{s:o}", "state", state)))
			break;	/* the client went away; the job goes on */
	}
	if (result)
		answer(fd, json_pack("{s:o}", "result", result));
}

/* A QEMU that is to receive has been started once it is registered, libvirt may come once it knows where. */
static bool has_started(const json_t *state, enum kind kind)
{
	if (kind == KIND_LIBVIRT)
		return json_object_get(state, "migrateuri");
	return kind != KIND_INCOMING ||
	       strcmp(json_string_value(json_object_get(state, "phase")), "new");
}

static void answer_started(int fd, struct job *job, enum kind kind)
{
	json_t *state, *result = NULL, *answered = NULL;
	unsigned int version = 0;
	bool started = false;

	while (!started && !result) {
		version = job_wait(job, version, &state, &result);
		started = has_started(state, kind);
		if (started && !result)
			answered = json_pack("{s:b,s:i,s:O*,s:O*}", "started", 1, "id", job->id,
					     "migrateuri", json_object_get(state, "migrateuri"),
					     "max_downtime_ms",
					     json_object_get(state, "max_downtime_ms"));
		json_decref(state);
	}
	answer(fd, json_pack("{s:o}", "result", result ? result : answered));
}

/* In a URI that was parsed, a colon after the host is a port's. */
static bool names_port(const char *uri)
{
	const char *host = strchr(uri, ':') + 1;
	bool bracket = *host == '[';

	return host[strcspn(host, bracket ? "]" : ":/?") + bracket] == ':';
}

/* Who is to do what: libvirt's guests go by a name for a monitor. */
static int parse_guest(json_t *request, enum kind kind, struct source_order *order,
		       struct fault *fault)
{
	const char *qmp = json_string_value(json_object_get(request, "qmp"));
	const char *domain = json_string_value(json_object_get(request, "domain"));

	if (kind == KIND_LIBVIRT) {
		if (!domain || !*domain)
			return fail(fault, "which domain?");
		if (snprintf(order->qmp, sizeof(order->qmp), "libvirt:%s", domain) >=
				(int)sizeof(order->qmp))
			return fail(fault, "domain %.32s...: its name is too long", domain);
		strcpy(order->domain, domain);
		return 0;
	}
	if (!qmp || strlen(qmp) >= sizeof(order->qmp) || *qmp != '/')
		return fail(fault, "which monitor? --qmp /PATH");
	strcpy(order->qmp, qmp);
	return 0;
}

/* Those that a request has are put into @options. */
static int parse_options(json_t *given, struct uri_options *options, struct fault *fault)
{
	json_t *value;
	const char *key;

	json_object_foreach(given, key, value) {
		if (!json_is_string(value) && !json_is_null(value))
			return fail(fault, "option %s: neither a string nor null", key);
		if (uri_option(options, key, json_string_value(value), fault))
			return -1;
	}
	return 0;
}

static int parse_order(json_t *request, enum kind kind, struct source_order *order,
		       struct fault *fault)
{
	const char *uri = json_string_value(json_object_get(request, "uri"));

	if (parse_guest(request, kind, order, fault))
		return -1;
	if (!uri)
		return fail(fault, "which URI? rdmafast:HOST");
	if (uri_parse(uri, &order->uri, fault))
		return -1;
	if (kind == KIND_INCOMING && names_port(uri) && order->uri.port != config.listen_port)
		return fail(fault, "port %u: vmfastmigd listens on port %u here; leave the port out, or start it with --listen :%u",
			    order->uri.port, config.listen_port, order->uri.port);
	return parse_options(json_object_get(request, "options"), &order->uri.options, fault);
}

/* The child of a QEMU that began a migration is told its own end, which is before the job's. */
static void follow_child(int fd, struct job *job)
{
	json_t *state, *result = NULL;
	unsigned int version = 0;

	while (!result) {
		version = job_wait(job, version, &state, &result);
		if (!result)
			result = json_incref(json_object_get(state, "child"));
		json_decref(state);
	}
	answer(fd, json_pack("{s:o}", "result", result));
}

static void set_kind(struct source_order *order, enum kind kind, struct client *client)
{
	order->check = kind == KIND_CHECK;
	order->piped = kind == KIND_PIPED || kind == KIND_LIBVIRT;
	order->pipes = kind == KIND_PIPED ? (struct pipes){ client->given[0], client->given[1] } :
		       (struct pipes){ -1, -1 };
}

static void tell(int fd, json_t *request, struct job *job, enum kind kind)
{
	if (kind == KIND_PIPED)
		follow_child(fd, job);
	else if (json_is_true(json_object_get(request, "detach")))
		answer_started(fd, job, kind);
	else
		follow(fd, job);
}

static void start_job(struct client *client, json_t *request, enum kind kind)
{
	enum job_role role = kind == KIND_INCOMING ? JOB_SINK : JOB_SOURCE;
	struct order *order = calloc(1, sizeof(*order));
	int fd = client->fd;
	struct fault fault;
	struct job *job;
	pthread_t thread;

	if (parse_order(request, kind, &order->source, &fault)) {
		free(order);
		answer_error(fd, fault.text);
		return;
	}
	job = job_new(role, order->source.qmp, &fault);
	if (!job) {
		free(order);
		answer_error(fd, fault.text);
		return;
	}
	order->job = job;
	job_heeds(job, role == JOB_SOURCE && kind != KIND_CHECK);
	set_kind(&order->source, kind, client);
	job_get(job);		/* the thread's */
	if (pthread_create(&thread, NULL, role == JOB_SOURCE ? run_source : run_sink, order)) {
		job_end(job, json_pack("{s:b,s:s}", "completed", 0, "error", "no thread"));
		job_put(job);
		free(order);
	} else {
		pthread_detach(thread);
		if (kind == KIND_PIPED)
			client->given_count = 0;	/* they are the job's */
	}
	tell(fd, request, job, kind);
	job_put(job);
}

/* Of a migration that sends guest RAM, or is about to. */
static int wish(struct job *job, json_t *options, struct fault *fault)
{
	struct uri_options ignored;
	json_t *value;
	const char *key;

	if (!json_object_size(options))
		return fail(fault, "set what? bandwidth, downtime, rounds, max-slowdown, timeout, force");
	uri_options_init(&ignored);
	if (parse_options(options, &ignored, fault))
		return -1;
	json_object_foreach(options, key, value)
		if (!uri_option_is_live(key))
			return fail(fault, "%s cannot be set while a migration runs", key);
	return job_wish(job, options) ?
	       fail(fault, "migration %u takes no settings: it is a destination's, or past sending RAM, or driven by QEMU, at whose monitor they are set",
		    job->id) : 0;
}

static void on_set(int fd, json_t *request)
{
	struct job *job = job_find(json_integer_value(json_object_get(request, "id")));
	struct fault fault;

	if (!job) {
		answer_error(fd, NO_JOB);
		return;
	}
	if (wish(job, json_object_get(request, "options"), &fault))
		answer_error(fd, fault.text);
	else
		answer(fd, json_pack("{s:{s:b,s:i}}", "result", "set", 1, "id", job->id));
	job_put(job);
}

/* {"error"}: QEMU's connection has no other last answers than those of native.h. */
static void refuse_native(int fd, const struct fault *fault)
{
	answer(fd, json_pack("{s:s}", "error", fault->text));
}

static int parse_native(json_t *request, const struct native *native,
			struct source_order *order, struct fault *fault)
{
	const char *uri = json_string_value(json_object_get(request, "uri"));

	snprintf(order->qmp, sizeof(order->qmp), "qemu:%d", (int)native->pid);
	return uri ? uri_parse(uri, &order->uri, fault) : fail(fault, "which URI? rdmafast:HOST");
}

/* The client's thread is the migration's. */
static void run_native(struct client *client, struct native *native, json_t *request,
		       enum job_role role)
{
	struct source_order order = { .native = native, .pipes = { -1, -1 } };
	struct fault fault = { "" };
	struct job *job = NULL;

	if (!parse_native(request, native, &order, &fault))
		job = job_new(role, order.qmp, &fault);
	if (!job)
		refuse_native(client->fd, &fault);
	else if (role == JOB_SINK)
		sink_wait_native(job, native, order.uri.name);
	else if (native_say(native, json_pack("{s:b,s:i}", "accepted", 1, "id", job->id), &fault))
		job_end(job, json_pack("{s:b,s:s}", "completed", 0, "error", fault.text));
	else
		source_run(job, &order);
	if (job)
		job_put(job);
}

static void start_native(struct client *client, json_t *request, enum job_role role)
{
	struct native native;
	struct fault fault;

	if (native_take(&native, request, client->fd, client->given, client->given_count,
			&fault)) {
		refuse_native(client->fd, &fault);
		return;
	}
	client->given_count = 0;	/* they are its */
	run_native(client, &native, request, role);
	native_free(&native);
}

static void on_job(int fd, json_t *request, bool cancel)
{
	struct job *job = job_find(json_integer_value(json_object_get(request, "id")));

	if (!job) {
		answer_error(fd, NO_JOB);
		return;
	}
	if (cancel)
		job_cancel(job);
	follow(fd, job);
	job_put(job);
}

static void start_piped(struct client *client, json_t *request)
{
	if (client->given_count == 2)
		start_job(client, request, KIND_PIPED);
	else
		answer_error(client->fd, "no pipes came with the request");
}

static void obey(struct client *client, json_t *request)
{
	const char *command = json_string_value(json_object_get(request, "command"));
	int fd = client->fd;

	if (!command)
		answer_error(fd, "no command");
	else if (!strcmp(command, "migrate"))
		start_job(client, request, KIND_MIGRATE);
	else if (!strcmp(command, "stream"))
		start_piped(client, request);
	else if (!strcmp(command, "native"))
		start_native(client, request, JOB_SOURCE);
	else if (!strcmp(command, "native-incoming"))
		start_native(client, request, JOB_SINK);
	else if (!strcmp(command, "virsh-listen"))
		start_job(client, request, KIND_LIBVIRT);
	else if (!strcmp(command, "check"))
		start_job(client, request, KIND_CHECK);
	else if (!strcmp(command, "incoming"))
		start_job(client, request, KIND_INCOMING);
	else if (!strcmp(command, "status"))
		answer(fd, json_pack("{s:{s:o}}", "result", "migrations", job_list()));
	else if (!strcmp(command, "watch"))
		on_job(fd, request, false);
	else if (!strcmp(command, "cancel"))
		on_job(fd, request, true);
	else if (!strcmp(command, "set"))
		on_set(fd, request);
	else
		answer_error(fd, "unknown command");
}

void local_serve(int fd)
{
	struct client client = { .fd = fd };
	char line[REQUEST_BYTES] = "";
	size_t used = 0;
	json_t *request = NULL;
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	while (used < sizeof(line) && !memchr(line, '\n', used) && poll(&wait, 1, 5000) > 0) {
		ssize_t got = fdpass_receive(fd, line + used, sizeof(line) - used, client.given,
					     FDPASS_MAX, &client.given_count, 0);

		if (got <= 0)
			break;
		used += got;
	}
	if (memchr(line, '\n', used))
		request = json_loadb(line, (char *)memchr(line, '\n', used) - line,
				     JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(request))
		obey(&client, request);
	else
		answer_error(fd, "the request is not a JSON object on a line");
	json_decref(request);
	while (client.given_count)
		close(client.given[--client.given_count]);
	close(fd);
}
