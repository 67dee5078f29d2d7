// SPDX-License-Identifier: GPL-2.0-only
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "client.h"
#include "cmd.h"

struct follow {
	const struct cmd_args *args;
	struct client client;
	struct progress progress;
	json_int_t id;		/* 0: not known yet */
	int interrupt_fd;	/* -1: an interrupt ends us, as ever */
	int interrupts;
	bool asked;		/* for cancellation */
};

/* On a connection of its own; the answer comes where the job is followed. */
static void ask_cancel(struct follow *follow)
{
	struct client client;
	struct fault fault;

	if (follow->asked || !follow->interrupts || !follow->id)
		return;
	follow->asked = true;
	if (client_open(&client, follow->args->socket, &fault) ||
	    client_send(&client, json_pack("{s:s,s:I}", "command", "cancel", "id", follow->id),
			&fault))
		cmd_say(stderr, "vmfastmig: cannot cancel: %s", fault.text);
	client_close(&client);
}

static int on_interrupt(struct follow *follow, struct fault *fault)
{
	struct signalfd_siginfo info;

	if (read(follow->interrupt_fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	if (follow->interrupts++)
		return fail(fault, "left; what became of it: vmfastmig status");
	progress_end(&follow->progress);
	cmd_say(stderr, "cancelling; interrupt again to leave without waiting");
	ask_cancel(follow);
	return 0;
}

static int take_interrupts(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void on_state(struct follow *follow, const json_t *state)
{
	follow->id = int_of(state, "id");
	progress_show(&follow->progress, state);
	ask_cancel(follow);
}

static json_t *read_result(struct follow *follow, struct fault *fault)
{
	json_t *message, *result = NULL;
	int got;

	while (!result) {
		got = client_next(&follow->client, follow->interrupt_fd, &message, fault);
		if (got < 0 || (!got && on_interrupt(follow, fault)))
			return NULL;
		if (!got)
			continue;
		if (json_is_object(json_object_get(message, "state")))
			on_state(follow, json_object_get(message, "state"));
		else
			result = json_incref(json_object_get(message, "result"));
		json_decref(message);
	}
	return result;
}

json_t *cmd_follow(const struct cmd_args *args, json_t *request, unsigned int how,
		   struct fault *fault)
{
	struct follow follow = { .args = args, .interrupt_fd = -1 };
	json_t *result = NULL;

	if (client_open(&follow.client, args->socket, fault)) {
		json_decref(request);
		return NULL;
	}
	if (how & CMD_FOLLOW_CANCELS)
		follow.interrupt_fd = take_interrupts();
	progress_init(&follow.progress, args->json || (how & CMD_FOLLOW_QUIET));
	if (!client_send(&follow.client, request, fault))
		result = read_result(&follow, fault);
	progress_end(&follow.progress);
	client_close(&follow.client);
	if (follow.interrupt_fd >= 0)
		close(follow.interrupt_fd);
	return result;
}
