// SPDX-License-Identifier: GPL-2.0-only
/* Datagrams: the probe, and the one question. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../clock.h"
#include "probe.h"

#define TRY_MS		250
#define ANSWER_BYTES	65536
#define RECEIVE_BYTES	(4 << 20)	/* a guest may answer for its whole absence at once */
#define AT_ONCE		64		/* replies taken before it is looked whether one is to be asked for */
#define STAMP_NS	20000		/* the clocks are read together when no more passes between */
#define STAMP_OLD_NS	1000000000ULL

struct question {
	const struct probe_target *target;
	int fds[PROBE_ADDRESSES];
	json_t *answer;
	unsigned int which;	/* of the addresses: that the answer came from */
	const char *why;	/* there is none, so far */
};

static int open_question(struct question *question, struct fault *fault)
{
	bool any = false;
	unsigned int i;

	for (i = 0; i < question->target->count; i++) {
		question->fds[i] = probe_socket(question->target, i, SOCK_DGRAM);
		if (question->fds[i] < 0)
			question->why = strerror(errno);
		any = any || question->fds[i] >= 0;
	}
	return any ? 0 : probe_unanswered(question->target, SOCK_DGRAM, question->why, fault);
}

static void close_question(struct question *question)
{
	unsigned int i;

	for (i = 0; i < question->target->count; i++)
		if (question->fds[i] >= 0)
			close(question->fds[i]);
}

static void take_answer(struct question *question, unsigned int which)
{
	char text[ANSWER_BYTES];
	ssize_t n = recv(question->fds[which], text, sizeof(text), 0);
	json_t *answer;

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			question->why = strerror(errno);
		return;
	}
	answer = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(answer)) {
		question->answer = answer;
		question->which = which;
		return;
	}
	json_decref(answer);
	question->why = "what answers there is no vmfastmig-responder";
}

static void await_answer(struct question *question, uint64_t until_ms)
{
	struct pollfd polled[PROBE_ADDRESSES];
	unsigned int i, count = question->target->count;
	uint64_t now_ms;

	for (i = 0; i < count; i++)
		polled[i] = (struct pollfd){ .fd = question->fds[i], .events = POLLIN };
	while (!question->answer && (now_ms = clock_ms()) < until_ms) {
		if (poll(polled, count, (int)(until_ms - now_ms)) <= 0)
			continue;
		for (i = 0; i < count && !question->answer; i++)
			if (polled[i].revents)
				take_answer(question, i);
	}
}

/*
 * Each address in turn, and an answer from any that was asked: a first one that is late
 * is as good as the next.
 */
static int put_question(struct question *question, const char *request, int timeout_ms,
			struct fault *fault)
{
	uint64_t now_ms = clock_ms(), deadline_ms = now_ms + timeout_ms, until_ms;
	unsigned int i;
	int fd;

	question->why = "no reply";
	if (open_question(question, fault)) {
		close_question(question);
		return -1;
	}
	for (i = 0; !question->answer && now_ms < deadline_ms; now_ms = clock_ms()) {
		do
			fd = question->fds[i++ % question->target->count];
		while (fd < 0);
		if (send(fd, request, strlen(request), 0) < 0)
			question->why = strerror(errno);
		until_ms = now_ms + TRY_MS;
		await_answer(question, until_ms < deadline_ms ? until_ms : deadline_ms);
	}
	close_question(question);
	return question->answer ? 0 :
	       probe_unanswered(question->target, SOCK_DGRAM, question->why, fault);
}

int probe_ask(const char *target, const char *request, json_t **answer, int timeout_ms,
	      struct fault *fault)
{
	struct probe_target resolved;
	struct question question = { .target = &resolved };
	const char *error;

	*answer = NULL;
	if (probe_resolve(target, SOCK_DGRAM, &resolved, fault) ||
	    put_question(&question, request, timeout_ms, fault))
		return -1;
	error = json_string_value(json_object_get(question.answer, "error"));
	if (error) {
		fail(fault, "the guest %s refuses \"%s\": %.300s", target, request, error);
		json_decref(question.answer);
		return -1;
	}
	*answer = question.answer;
	return 0;
}

static int open_probe(struct probe *probe, struct fault *fault)
{
	struct question question = { .target = &probe->target };
	int on = 1, bytes = RECEIVE_BYTES;

	if (put_question(&question, "status", PROBE_CHECK_MS, fault))
		return -1;
	json_decref(question.answer);
	probe->which = question.which;
	probe->fd = probe_socket(&probe->target, probe->which, SOCK_DGRAM);
	if (probe->fd < 0)
		return probe_unanswered(&probe->target, SOCK_DGRAM, strerror(errno), fault);
	setsockopt(probe->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	if (setsockopt(probe->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(probe->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	probe->events = POLLIN;
	return 0;
}

static void close_probe(struct probe *probe)
{
	close(probe->fd);
	probe->fd = -1;
}

static void ask(struct probe *probe, uint64_t seq)
{
	char request[32];
	int bytes = snprintf(request, sizeof(request), "echo %llu", (unsigned long long)seq);

	send(probe->fd, request, bytes, MSG_DONTWAIT);	/* what cannot be sent counts as lost */
}

/*
 * When the kernel got it, which is by the wall clock: by ours, if both can be read at the
 * same moment; else now, as where there is no stamp or the wall clock was set.
 */
static uint64_t arrived_ns(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	uint64_t before_ns = clock_ns(), now_ns, old_ns;
	struct timespec wall, stamp;

	clock_gettime(CLOCK_REALTIME, &wall);
	now_ns = clock_ns();
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_TIMESTAMPNS ||
	    now_ns - before_ns > STAMP_NS)
		return before_ns;
	memcpy(&stamp, CMSG_DATA(c), sizeof(stamp));
	old_ns = (wall.tv_sec - stamp.tv_sec) * 1000000000 + wall.tv_nsec - stamp.tv_nsec;
	return old_ns < STAMP_OLD_NS ? now_ns - old_ns : before_ns;
}

static bool take_reply(struct probe *probe)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct timespec))];
	char line[PROBE_LINE_BYTES];
	struct iovec io = { line, sizeof(line) - 1 };
	struct msghdr msg = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(probe->fd, &msg, MSG_DONTWAIT);

	if (n < 0)
		return false;	/* there is none, or one was refused: the guest may be back soon */
	if (msg.msg_flags & MSG_TRUNC)
		n = 0;		/* no echo is that long */
	if (n && line[n - 1] == '\n')
		n--;
	line[n] = 0;
	probe_take(probe, line, n, arrived_ns(&msg));
	return true;
}

static void serve(struct probe *probe, short events)
{
	int n;

	(void)events;
	for (n = 0; n < AT_ONCE && take_reply(probe); n++)
		;
}

const struct probe_way probe_udp = { SOCK_DGRAM, open_probe, close_probe, ask, serve };
