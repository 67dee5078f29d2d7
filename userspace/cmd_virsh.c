// SPDX-License-Identifier: GPL-2.0-only
/*
 * virsh-listen and virsh-migrate: the daemon is made ready for a domain's migration by
 * libvirt; and virsh is run for it.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "client.h"
#include "cmd.h"
#include "uri.h"
#include "virsh.h"

#define TAKE (CMD_TAKE_SOCKET | CMD_TAKE_DOMAIN | CMD_TAKE_OPTIONS | CMD_TAKE_JSON_FILE)

/* The host alone is a URI, too. */
static int make_uri(const struct cmd_args *args, char text[1024], struct uri *uri,
		    struct fault *fault)
{
	const char *given = args->rest[1];

	snprintf(text, 1024, uri_is_ours(given) ? "%s" : "rdmafast:%s", given);
	return uri_parse(text, uri, fault);
}

/* Its result, with "started" and "migrateuri", or a failure's. */
static json_t *listen_for(const struct cmd_args *args, const char *uri, struct fault *fault)
{
	return client_ask(args->socket, json_pack("{s:s,s:s,s:s,s:O,s:b}", "command",
						  "virsh-listen", "domain", args->rest[0], "uri",
						  uri, "options", args->options, "detach", 1),
			  fault);
}

static bool is_started(const json_t *result)
{
	return json_is_true(json_object_get(result, "started"));
}

int cmd_virsh_listen(int argc, char **argv)
{
	struct cmd_args args;
	struct fault fault;
	char text[1024];
	json_t *result;
	struct uri uri;
	int status = cmd_args_parse(&args, argc, argv, TAKE);

	if (!status) {
		result = make_uri(&args, text, &uri, &fault) ? NULL :
			 listen_for(&args, text, &fault);
		if (is_started(result)) {
			cmd_put_json(&args, result);
			if (!args.json)
				cmd_say(stdout, "%s", text_of(result, "migrateuri"));
		} else {
			status = cmd_result(&args, result, &fault);
		}
		json_decref(result);
	}
	cmd_args_free(&args);
	return status;
}

struct mover {
	const struct cmd_args *args;
	const char *host;
	json_int_t id;
	struct client client;	/* follows the daemon's part */
	json_t *result;		/* of it, once it has ended */
	struct progress progress;
};

static pid_t start_virsh(const struct mover *mover, const char *migrateuri, struct fault *fault)
{
	const struct cmd_args *args = mover->args;
	const char *words[256] = { "migrate", "--live", "--domain", args->rest[0],
				   "--migrateuri", migrateuri, "--desturi" };
	char desturi[512];
	int i, count = 7;

	snprintf(desturi, sizeof(desturi), strchr(mover->host, ':') ?
		 "qemu+ssh://[%s]/system" : "qemu+ssh://%s/system", mover->host);
	words[count++] = args->desturi ? args->desturi : desturi;
	for (i = 2; i < args->count; i++) {
		if (count == 255)
			return fail(fault, "too many options for virsh");
		words[count++] = args->rest[i];
	}
	return virsh_start(words, args->json, fault);
}

/* Up to the daemon's result, or until @stop_fd (or -1) can be read. */
static int follow(struct mover *mover, int stop_fd, struct fault *fault)
{
	json_t *message, *state;
	int got = 1;

	while (!mover->result && (got = client_next(&mover->client, stop_fd, &message, fault)) > 0) {
		state = json_object_get(message, "state");
		if (state)
			progress_show(&mover->progress, state);
		else
			mover->result = json_incref(json_object_get(message, "result"));
		json_decref(message);
	}
	return got < 0 ? -1 : 0;
}

static int run_virsh(struct mover *mover, const char *migrateuri, struct fault *fault)
{
	pid_t pid = start_virsh(mover, migrateuri, fault);
	struct pollfd end = { .fd = pid > 0 ? pidfd_open(pid, 0) : -1, .events = POLLIN };
	struct fault ignored;

	if (pid <= 0)
		return -1;
	if (end.fd >= 0 && !follow(mover, end.fd, &ignored))
		poll(&end, 1, -1);
	close(end.fd);
	progress_end(&mover->progress);
	return virsh_end(pid);
}

static void cancel(struct mover *mover)
{
	struct fault ignored;

	json_decref(client_ask(mover->args->socket, json_pack("{s:s,s:I}", "command", "cancel",
							      "id", mover->id), &ignored));
}

/* It is virsh that knows where the guest is; the daemon may know better why. */
static int tell(struct mover *mover, int virsh, struct fault *fault)
{
	const struct cmd_args *args = mover->args;
	const char *error = text_of(mover->result, "error");

	if (!virsh && json_is_true(json_object_get(mover->result, "completed")))
		return cmd_result(args, mover->result, fault);
	if (mover->result)
		cmd_put_json(args, mover->result);
	if (!virsh) {
		cmd_say(stderr, "vmfastmig: libvirt moved the domain; the daemon has missed that: %s",
			mover->result ? error : fault->text);
		return CMD_OK;
	}
	if (*error && strcmp(error, "cancelled"))
		cmd_say(stderr, "vmfastmig: %s", error);
	cmd_say(stderr, "vmfastmig: virsh migrate failed; where the guest is: virsh domstate --reason %s",
		args->rest[0]);
	return CMD_FAILED;
}

/* QEMU is not to read more in its last pass, which is thrown away, than a part of the downtime takes. */
static long limit_downtime(const char *domain, const json_t *started)
{
	long before = virsh_max_downtime(domain);

	if (before >= 0)
		virsh_set_max_downtime(domain, int_of(started, "max_downtime_ms"));
	return before;
}

static int migrate(struct mover *mover, const json_t *started)
{
	const char *domain = mover->args->rest[0];
	struct fault fault = { "" };
	long before;
	int virsh;

	mover->id = int_of(started, "id");
	if (client_open(&mover->client, mover->args->socket, &fault) ||
	    client_send(&mover->client, json_pack("{s:s,s:I}", "command", "watch", "id", mover->id),
			&fault)) {
		cmd_say_error(mover->args, fault.text);
		return CMD_FAILED;
	}
	before = limit_downtime(domain, started);
	virsh = run_virsh(mover, text_of(started, "migrateuri"), &fault);
	if (virsh < 0)
		cmd_say(stderr, "vmfastmig: %s", fault.text);
	if (virsh)
		cancel(mover);
	follow(mover, -1, &fault);
	if (virsh && before >= 0)
		virsh_set_max_downtime(domain, before);
	return tell(mover, virsh, &fault);
}

/* What virsh's --auto-converge asks for is the daemon's to do, since QEMU waits meanwhile. */
static void heed_auto_converge(const struct cmd_args *args, const struct uri *uri)
{
	int i;

	for (i = 2; i < args->count; i++)
		if (!strcmp(args->rest[i], "--auto-converge") && !uri->options.max_slowdown &&
		    !json_object_get(args->options, "max-slowdown"))
			json_object_set_new(args->options, "max-slowdown",
					    json_sprintf("%d", URI_SLOWDOWN_MOST));
}

/* An interrupt is virsh's: it aborts the migration, and ends. */
static int run(const struct cmd_args *args)
{
	struct mover mover = { .args = args, .client = { .fd = -1 } };
	struct fault fault;
	char text[1024];
	struct uri uri;
	json_t *started = NULL;
	int status;

	if (!make_uri(args, text, &uri, &fault)) {
		heed_auto_converge(args, &uri);
		started = listen_for(args, text, &fault);
	}
	if (!is_started(started)) {
		status = cmd_result(args, started, &fault);
	} else {
		mover.host = uri.host;
		progress_init(&mover.progress, args->json);
		signal(SIGINT, SIG_IGN);
		status = migrate(&mover, started);
		client_close(&mover.client);
	}
	json_decref(mover.result);
	json_decref(started);
	return status;
}

int cmd_virsh_migrate(int argc, char **argv)
{
	struct cmd_args args;
	int status = cmd_args_parse(&args, argc, argv, TAKE | CMD_TAKE_VIRSH);

	if (!status)
		status = run(&args);
	cmd_args_free(&args);
	return status;
}
