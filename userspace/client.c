// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "connect.h"
#include "fdpass.h"

int client_open(struct client *client, const char *path, struct fault *fault)
{
	*client = (struct client){ .fd = connect_to(path, fault) };
	if (client->fd < 0 && errno != ENAMETOOLONG)
		fail(fault, "cannot connect to %s: %s; %s", path, strerror(errno),
		     errno == EACCES || errno == EPERM ? "run it as root" :
		     "is vmfastmigd running? systemctl start vmfastmigd");
	return client->fd < 0 ? -1 : 0;
}

void client_close(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	linebuf_free(&client->lines);
	*client = (struct client){ .fd = -1 };
}

int client_send_fds(struct client *client, json_t *request, const int *fds, unsigned int count,
		    struct fault *fault)
{
	char *text = json_dumps(request, JSON_COMPACT);
	size_t bytes = text ? strlen(text) : 0;
	ssize_t sent;

	json_decref(request);
	if (!text)
		return fail(fault, "the request has text that is not UTF-8");
	text[bytes++] = '\n';
	sent = fdpass_send(client->fd, text, bytes, fds, count, 0);
	free(text);
	return sent == (ssize_t)bytes ? 0 :
	       fail(fault, "vmfastmigd does not take the request: %s", strerror(errno));
}

int client_send(struct client *client, json_t *request, struct fault *fault)
{
	return client_send_fds(client, request, NULL, 0, fault);
}

static int parse_line(const char *line, size_t bytes, json_t **message, struct fault *fault)
{
	*message = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(json_object_get(*message, "state")) ||
	    json_is_object(json_object_get(*message, "result")))
		return 1;
	json_decref(*message);
	*message = NULL;
	return fail(fault, "vmfastmigd answers neither with a state nor with a result: is it of the same version?");
}

/* 0: no whole line is there yet. */
static int take_line(struct client *client, json_t **message, struct fault *fault)
{
	size_t bytes;
	const char *line = linebuf_line(&client->lines, &bytes);
	int got;

	if (!line)
		return 0;
	got = parse_line(line, bytes, message, fault);
	linebuf_drop(&client->lines, bytes);
	return got;
}

static int read_more(struct client *client, struct fault *fault)
{
	ssize_t got = linebuf_read(&client->lines, client->fd);

	if (got > 0 || (got < 0 && errno == EINTR))
		return 0;
	if (got < 0 && errno == EMSGSIZE)
		return fail(fault, "vmfastmigd's answer is too long: %zu bytes", client->lines.used);
	return fail(fault, "vmfastmigd went away%s%s; see: journalctl -u vmfastmigd",
		    got ? ": " : "", got ? strerror(errno) : "");
}

int client_next(struct client *client, int stop_fd, json_t **message, struct fault *fault)
{
	struct pollfd fds[2] = {
		{ .fd = client->fd, .events = POLLIN },
		{ .fd = stop_fd, .events = POLLIN },
	};
	int got;

	while (!(got = take_line(client, message, fault))) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents)
			return 0;
		if (fds[0].revents && read_more(client, fault))
			return -1;
	}
	return got;
}

int client_take(struct client *client, json_t **message, struct fault *fault)
{
	struct pollfd wait = { .fd = client->fd, .events = POLLIN };
	int got = take_line(client, message, fault);

	if (got || poll(&wait, 1, 0) <= 0)
		return got;
	return read_more(client, fault) ? -1 : take_line(client, message, fault);
}

json_t *client_ask(const char *path, json_t *request, struct fault *fault)
{
	json_t *message = NULL, *result = NULL;
	struct client client;

	if (client_open(&client, path, fault)) {
		json_decref(request);
		return NULL;
	}
	if (!client_send(&client, request, fault) &&
	    client_next(&client, -1, &message, fault) > 0) {
		result = json_incref(json_object_get(message, "result"));
		if (!json_is_object(result))
			fail(fault, "vmfastmigd answers with a state where a result is due");
	}
	json_decref(message);
	client_close(&client);
	return result;
}
