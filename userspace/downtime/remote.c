// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../clock.h"
#include "remote.h"

#define WORDS		32
#define HELLO_MS	30000
#define PINGS		20
#define QMP_MS		40000
#define DRIFT_PPM	500	/* how far NTP lets a clock run wrong */
#define CLOSE_MS	10000
#define NS_MAX		(INT64_MAX / 4)	/* no clock shows more: differences are numbers still */

/* Splits @rsh at its blanks, in place. */
static int put_words(char *rsh, const struct remote_where *where, const char *words[WORDS + 4],
		     struct fault *fault)
{
	char *word, *rest = NULL;
	int count = 0;

	for (word = strtok_r(rsh, " ", &rest); word && where->host; word = strtok_r(NULL, " ", &rest)) {
		if (count == WORDS)
			return fail(fault, "--rsh: more than %d words", WORDS);
		words[count++] = word;
	}
	if (where->host && (!*where->host || *where->host == '-'))
		return fail(fault, "\"%s\" is no host", where->host);	/* an option to the shell? */
	if (where->host && !count)
		return fail(fault, "--rsh: a command is wanted, to reach %s", where->host);
	if (where->host)
		words[count++] = where->host;
	words[count++] = where->program;
	words[count++] = "agent";
	words[count] = NULL;
	return 0;
}

static void become(const char *const *words, int fd)
{
	setsid();	/* an interrupt is the observer's to handle */
	signal(SIGPIPE, SIG_DFL);
	dup2(fd, 0);
	dup2(fd, 1);
	execvp(words[0], (char **)words);
	fprintf(stderr, "vmfastmig: %s: %s\n", words[0], strerror(errno));
	_exit(127);
}

static int start(struct remote *remote, const char *const *words, struct fault *fault)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return fail(fault, "no socket pair: %s", strerror(errno));
	remote->pid = fork();
	if (!remote->pid)
		become(words, pair[1]);
	close(pair[1]);
	if (remote->pid > 0) {
		lines_open(&remote->lines, remote->name, pair[0], pair[0]);
		return 0;
	}
	close(pair[0]);
	remote->pid = 0;
	return fail(fault, "cannot fork: %s", strerror(errno));
}

static int launch(struct remote *remote, const struct remote_where *where, struct fault *fault)
{
	char *rsh = strdup(where->host && where->rsh ? where->rsh : "");
	const char *words[WORDS + 4];
	int err;

	if (!rsh)
		return fail(fault, "no memory");
	err = put_words(rsh, where, words, fault) || start(remote, words, fault) ? -1 : 0;
	free(rsh);
	return err;
}

static int does_not_start(const struct remote *remote, const struct remote_where *where,
			  const struct fault *why, struct fault *fault)
{
	bool there = where->host;

	return fail(fault, "%s does not start: %.200s. It is run as: %s%s%s%s%s agent", remote->name,
		    why->text, there ? where->rsh : "", there ? " " : "", there ? where->host : "",
		    there ? " " : "", where->program);
}

int remote_open(struct remote *remote, const char *name, const struct remote_where *where,
		struct fault *fault)
{
	struct fault why;
	int err;

	memset(remote, 0, sizeof(*remote));
	snprintf(remote->name, sizeof(remote->name), "the agent on %s (%s)", where->host ?: "this host",
		 name);
	text_to_utf8(remote->name);
	remote->answers = json_object();
	err = launch(remote, where, fault);
	if (!err && !remote_sync(remote, &why))
		return 0;
	remote_close(remote);
	return err ? err : does_not_start(remote, where, &why, fault);
}

static void await_end(pid_t pid)
{
	int n;

	for (n = 0; n < CLOSE_MS / 100 && !waitpid(pid, NULL, WNOHANG); n++)
		usleep(100000);
	if (n < CLOSE_MS / 100)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

void remote_close(struct remote *remote)
{
	if (remote->pid) {
		lines_close(&remote->lines);
		await_end(remote->pid);
	}
	remote->pid = 0;
	json_decref(remote->answers);
	remote->answers = NULL;
}

static void key_of(json_int_t id, char key[24])
{
	snprintf(key, 24, "%" JSON_INTEGER_FORMAT, id);
}

static void sort_out(struct remote *remote, json_t *message)
{
	json_t *id = json_object_get(message, "id");
	char key[24];

	if (json_is_integer(id)) {
		key_of(json_integer_value(id), key);
		json_object_set_new(remote->answers, key, message);
		return;
	}
	if (remote->heard)
		remote->heard(remote->context, remote, message);
	json_decref(message);
}

/* One thing it says, if it does by then: as lines_next(). *left_ms: the time there was for it. */
static int hear_one(struct remote *remote, uint64_t deadline_ms, int *left_ms,
		    struct fault *fault)
{
	json_t *message;
	int got;

	*left_ms = (int)(deadline_ms - clock_ms());
	got = lines_next(&remote->lines, *left_ms > 0 ? *left_ms : 0, &message, fault);
	if (got > 0)
		sort_out(remote, message);
	return got;
}

int remote_hear(struct remote *remote, int timeout_ms, struct fault *fault)
{
	uint64_t deadline_ms = clock_ms() + timeout_ms;
	int got, left_ms;

	do
		got = hear_one(remote, deadline_ms, &left_ms, fault);
	while (got > 0 && left_ms > 0);
	return got < 0 ? -1 : 0;
}

json_int_t remote_ask(struct remote *remote, json_t *request, struct fault *fault)
{
	struct fault why;

	json_object_set_new(request, "id", json_integer(++remote->last_id));
	if (!lines_send(&remote->lines, request, fault))
		return remote->last_id;
	/* It is gone; what it said before tells more. */
	if (!remote_hear(remote, 0, &why))
		return -1;
	*fault = why;
	return -1;
}

static json_t *take_answer(struct remote *remote, const char *key)
{
	json_t *answer = json_incref(json_object_get(remote->answers, key));

	json_object_del(remote->answers, key);
	return answer;
}

int remote_answer(struct remote *remote, json_int_t id, int timeout_ms, json_t **answer,
		  struct fault *fault)
{
	uint64_t deadline_ms = clock_ms() + timeout_ms;
	const char *error;
	int left_ms = 1;
	char key[24];

	key_of(id, key);
	while (!(*answer = take_answer(remote, key))) {
		if (left_ms <= 0)
			return 0;
		if (hear_one(remote, deadline_ms, &left_ms, fault) < 0)
			return -1;
	}
	error = json_string_value(json_object_get(*answer, "error"));
	if (!error)
		return 1;
	fail(fault, "%s: %s", remote->name, error);
	json_decref(*answer);
	*answer = NULL;
	return -1;
}

int remote_call(struct remote *remote, json_t *request, int timeout_ms, json_t **answer,
		struct fault *fault)
{
	json_int_t id = remote_ask(remote, request, fault);
	json_t *got = NULL;
	int err = id < 0 ? -1 : remote_answer(remote, id, timeout_ms, &got, fault);

	if (!err)
		return fail(fault, "%s does not answer in %g s", remote->name, timeout_ms / 1e3);
	if (err > 0 && answer)
		*answer = got;
	else
		json_decref(got);
	return err > 0 ? 0 : -1;
}

int remote_qmp(struct remote *remote, const char *monitor, const char *command,
	       json_t *arguments, json_t **answer, struct fault *fault)
{
	json_t *request = json_pack("{s:s,s:s,s:s}", "do", "call", "monitor", monitor, "execute",
				    command);
	json_t *got = NULL;

	if (arguments)
		json_object_set_new(request, "arguments", arguments);
	if (remote_call(remote, request, QMP_MS, &got, fault))
		return -1;
	if (answer)
		*answer = json_incref(json_object_get(got, "return"));
	json_decref(got);
	return 0;
}

static int ping(struct remote *remote, struct remote_sync *sync, int timeout_ms,
		struct fault *fault)
{
	int64_t before_ns = clock_ns(), after_ns, there_ns;
	json_t *answer;

	if (remote_call(remote, json_pack("{s:s}", "do", "ping"), timeout_ms, &answer, fault))
		return -1;
	after_ns = clock_ns();
	there_ns = json_integer_value(json_object_get(answer, "ns"));
	json_decref(answer);
	if (there_ns <= 0 || there_ns > NS_MAX)
		return fail(fault, "%s does not tell its time", remote->name);
	*sync = (struct remote_sync){
		.local_ns = before_ns + (after_ns - before_ns) / 2,
		.error_ns = (after_ns - before_ns + 1) / 2,
	};
	sync->offset_ns = there_ns - sync->local_ns;
	return 0;
}

/* The quickest answer tells best: the clock there was read somewhere on the way. */
int remote_sync(struct remote *remote, struct fault *fault)
{
	struct remote_sync best, one;
	int n;

	if (ping(remote, &best, HELLO_MS, fault))
		return -1;
	for (n = 1; n < PINGS; n++) {
		if (ping(remote, &one, HELLO_MS, fault))
			return -1;
		if (one.error_ns < best.error_ns)
			best = one;
	}
	if (remote->sync_count == REMOTE_SYNCS)
		remote->sync_count--;
	remote->syncs[remote->sync_count++] = best;
	return 0;
}

static int64_t shown_ns(const struct remote_sync *sync)
{
	return sync->local_ns + sync->offset_ns;
}

/* The comparisons around a time there; NULL where there is none on that side. */
static void find_around(const struct remote *remote, int64_t there_ns,
			const struct remote_sync **before, const struct remote_sync **after)
{
	const struct remote_sync *sync = remote->syncs;

	*before = *after = NULL;
	for (; sync < remote->syncs + remote->sync_count; sync++) {
		if (shown_ns(sync) <= there_ns)
			*before = sync;
		else if (!*after)
			*after = sync;
	}
}

static int64_t beyond(const struct remote_sync *sync, int64_t there_ns, int64_t *error_ns)
{
	int64_t local_ns = there_ns - sync->offset_ns;

	*error_ns = sync->error_ns + llabs(local_ns - sync->local_ns) / 1000000 * DRIFT_PPM;
	return local_ns;
}

int64_t remote_to_local(const struct remote *remote, int64_t there_ns, int64_t *error_ns)
{
	const struct remote_sync *before, *after;
	int64_t apart_ns;
	double share;

	there_ns = there_ns < 0 ? 0 : there_ns > NS_MAX ? NS_MAX : there_ns;
	find_around(remote, there_ns, &before, &after);
	if (!before || !after)
		return beyond(before ? before : after, there_ns, error_ns);
	apart_ns = after->offset_ns - before->offset_ns;
	share = (double)(there_ns - shown_ns(before)) / (shown_ns(after) - shown_ns(before));
	*error_ns = (before->error_ns > after->error_ns ? before->error_ns : after->error_ns) +
		    llabs(apart_ns) / 2;
	return there_ns - before->offset_ns - (int64_t)(share * apart_ns);
}
