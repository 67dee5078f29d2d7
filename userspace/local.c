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

#define REQUEST_BYTES 65536
#define UNTOLD "{\"result\":{\"completed\":false,\"error\":\"the answer is not valid UTF-8\"}}"

struct client {
	int fd;
	int given[2];			/* descriptors that came with its request */
	unsigned int given_count;
};

struct order {
	struct job *job;
	char qmp[108];
	struct uri uri;
	bool check;
	struct pipes pipes;
	bool piped;
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

	source_run(order->job, order->qmp, &order->uri, order->check,
		   order->piped ? &order->pipes : NULL);
	job_put(order->job);
	free(order);
	return NULL;
}

static void *run_sink(void *arg)
{
	struct order *order = arg;

	sink_wait(order->job, order->qmp, order->uri.name);
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

/* A QEMU that is to receive has been started once it is registered. */
static void answer_started(int fd, struct job *job)
{
	json_t *state, *result = NULL;
	unsigned int version = 0;
	bool registered = job->role == JOB_SOURCE;

	while (!registered && !result) {
		version = job_wait(job, version, &state, &result);
		registered = strcmp(json_string_value(json_object_get(state, "phase")), "new");
		json_decref(state);
	}
	answer(fd, result ? json_pack("{s:o}", "result", result) :
	       json_pack("{s:{s:b,s:i}}", "result", "started", 1, "id", job->id));
}

/* In a URI that was parsed, a colon after the host is a port's. */
static bool names_port(const char *uri)
{
	const char *host = strchr(uri, ':') + 1;
	bool bracket = *host == '[';

	return host[strcspn(host, bracket ? "]" : ":/?") + bracket] == ':';
}

static int parse_order(json_t *request, enum job_role role, struct order *order,
		       struct fault *fault)
{
	const char *qmp = json_string_value(json_object_get(request, "qmp"));
	const char *uri = json_string_value(json_object_get(request, "uri"));
	json_t *options = json_object_get(request, "options"), *value;
	const char *key;

	if (!qmp || strlen(qmp) >= sizeof(order->qmp) || *qmp != '/')
		return fail(fault, "which monitor? --qmp /PATH");
	strcpy(order->qmp, qmp);
	if (!uri)
		return fail(fault, "which URI? rdmafast:HOST");
	if (uri_parse(uri, &order->uri, fault))
		return -1;
	if (role == JOB_SINK && names_port(uri) && order->uri.port != config.listen_port)
		return fail(fault, "port %u: vmfastmigd listens on port %u here; leave the port out, or start it with --listen :%u",
			    order->uri.port, config.listen_port, order->uri.port);
	json_object_foreach(options, key, value) {
		if (!json_is_string(value) && !json_is_null(value))
			return fail(fault, "option %s: neither a string nor null", key);
		if (uri_option(&order->uri.options, key, json_string_value(value), fault))
			return -1;
	}
	return 0;
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

/* @piped: the descriptors it gave are the pipes of its QEMU, and the job's once it runs. */
static void start_job(struct client *client, json_t *request, enum job_role role, bool check,
		      bool piped)
{
	struct order *order = calloc(1, sizeof(*order));
	int fd = client->fd;
	struct fault fault;
	struct job *job;
	pthread_t thread;

	if (parse_order(request, role, order, &fault)) {
		free(order);
		answer_error(fd, fault.text);
		return;
	}
	job = job_new(role, order->qmp, &fault);
	if (!job) {
		free(order);
		answer_error(fd, fault.text);
		return;
	}
	order->job = job;
	order->check = check;
	order->piped = piped;
	order->pipes = (struct pipes){ client->given[0], client->given[1] };
	job_get(job);		/* the thread's */
	if (pthread_create(&thread, NULL, role == JOB_SOURCE ? run_source : run_sink, order)) {
		job_end(job, json_pack("{s:b,s:s}", "completed", 0, "error", "no thread"));
		job_put(job);
		free(order);
	} else {
		pthread_detach(thread);
		if (piped)
			client->given_count = 0;
	}
	if (piped)
		follow_child(fd, job);
	else if (json_is_true(json_object_get(request, "detach")))
		answer_started(fd, job);
	else
		follow(fd, job);
	job_put(job);
}

static void on_job(int fd, json_t *request, bool cancel)
{
	struct job *job = job_find(json_integer_value(json_object_get(request, "id")));

	if (!job) {
		answer_error(fd, "no such migration; see: vmfastmig status");
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
		start_job(client, request, JOB_SOURCE, false, true);
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
		start_job(client, request, JOB_SOURCE, false, false);
	else if (!strcmp(command, "stream"))
		start_piped(client, request);
	else if (!strcmp(command, "check"))
		start_job(client, request, JOB_SOURCE, true, false);
	else if (!strcmp(command, "incoming"))
		start_job(client, request, JOB_SINK, false, false);
	else if (!strcmp(command, "status"))
		answer(fd, json_pack("{s:{s:o}}", "result", "migrations", job_list()));
	else if (!strcmp(command, "watch"))
		on_job(fd, request, false);
	else if (!strcmp(command, "cancel"))
		on_job(fd, request, true);
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
					     2, &client.given_count, 0);

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
