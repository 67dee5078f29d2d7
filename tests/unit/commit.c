// SPDX-License-Identifier: GPL-2.0-only
/* What a source makes of its destination's answer to the commit, and of none. */
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "commit.h"
#include "daemon.h"
#include "meeting.h"
#include "tap.h"

#define TICKET	"00112233445566778899aabbccddeeff"
#define BOOT_ID	"11111111-2222-3333-4444-555555555555"

struct config config;

static struct fault fault;
static int settled;

static void settle(void *arg)
{
	(void)arg;
	settled++;
}

/* The journal goes first: a source that dies in between must not say the commit again. */
static void settle_unthanked(void *server)
{
	CHECK(!chan_readable(server, 100));
	settled++;
}

static enum commit_outcome answered(const char *answer, bool *thanked)
{
	static const struct creds none;
	struct meeting meeting = { .client_creds = &none, .server_creds = &none };
	enum commit_outcome outcome;
	json_t *thanks = NULL;
	struct commit_peer peer = { .settled = settle_unthanked, .arg = &meeting.server };
	struct fault ignored;

	settled = 0;
	meet(&meeting);
	if (answer)
		CHECK(!chan_send(&meeting.server, json_loads(answer, 0, NULL), &ignored));
	else
		chan_close(&meeting.server);
	fault.text[0] = 0;
	outcome = commit_answer(&peer, &meeting.client, 1000, &fault);
	*thanked = answer && !chan_receive(&meeting.server, 100, &thanks, &ignored) &&
		   json_object_get(thanks, "thanks");
	json_decref(thanks);
	CHECK(settled == (outcome == COMMIT_RAN));
	chan_close(&meeting.client);
	chan_close(&meeting.server);
	return outcome;
}

static void ran(void)
{
	bool thanked;

	CHECK(answered("{\"resumed\":{\"cont_ms\":1.5}}", &thanked) == COMMIT_RAN && thanked);
}

static void never(void)
{
	bool thanked;

	CHECK(answered("{\"error\":\"no such guest\",\"ran\":false}", &thanked) == COMMIT_NEVER);
	CHECK_HAS(fault.text, "no such guest");
	CHECK(!thanked);
}

/* Nothing but its plain word lets the guest run here again. */
static void unknown(void)
{
	static const char *const answers[] = {
		"{\"error\":\"lost\"}", "{\"error\":\"lost\",\"ran\":true}", "{\"error\":\"x\",\"ran\":null}",
		"{\"error\":\"x\",\"ran\":0}", "{\"error\":1}", "{\"loaded\":true}", "{}",
	};
	bool thanked;
	size_t i;

	for (i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		CHECK(answered(answers[i], &thanked) == COMMIT_UNKNOWN && !thanked);
		CHECK(*fault.text);
	}
	CHECK(answered(NULL, &thanked) == COMMIT_SILENT && *fault.text);
}

struct daemon {
	int listen, asked;
	const char *const *answers;	/* in turn; NULL: hangs up; the last one stays */
	pthread_t thread;
};

static void *serve(void *arg)
{
	struct daemon *daemon = arg;
	struct fault ignored;
	json_t *question;
	struct chan chan;
	int fd;

	while ((fd = accept(daemon->listen, NULL, NULL)) >= 0) {
		if (chan_accept(&chan, fd, &config.creds, &ignored))
			continue;
		if (!chan_receive(&chan, 5000, &question, &ignored)) {
			CHECK_TEXT(json_string_value(json_object_get(question, "purpose")),
				   "commit");
			CHECK_TEXT(json_string_value(json_object_get(question, "ticket")), TICKET);
			CHECK_TEXT(json_string_value(json_object_get(question, "boot_id")),
				   BOOT_ID);
			CHECK(json_integer_value(json_object_get(question, "protocol")) ==
			      PROTOCOL_VERSION);
			json_decref(question);
			if (daemon->answers[daemon->asked])
				chan_send(&chan,
					  json_loads(daemon->answers[daemon->asked], 0, NULL),
					  &ignored);
			daemon->asked++;
		}
		chan_close(&chan);
	}
	return NULL;
}

static enum commit_outcome again(const char *const *answers, int count)
{
	struct commit_peer peer = { .host = "127.0.0.1", .ticket = TICKET, .boot_id = BOOT_ID,
				    .settled = settle };
	struct daemon daemon = { .answers = answers };
	enum commit_outcome outcome;
	uint16_t port;

	daemon.listen = meeting_listen("127.0.0.1", &port);
	CHECK(!pthread_create(&daemon.thread, NULL, serve, &daemon));
	peer.port = port;
	settled = 0;
	outcome = commit_again(&peer, 10000, -1, &fault);
	shutdown(daemon.listen, SHUT_RDWR);
	pthread_join(daemon.thread, NULL);
	close(daemon.listen);
	CHECK(daemon.asked == count);
	CHECK(settled == (outcome == COMMIT_RAN));
	return outcome;
}

static void over_and_over(void)
{
	static const char *const runs[] = { NULL, NULL, "{\"resumed\":{}}" };
	static const char *const lost[] = { NULL, "{\"error\":\"booted anew\"}" };
	static const char *const never_ran[] = { NULL, "{\"error\":\"gone\",\"ran\":false}" };

	CHECK(again(runs, 3) == COMMIT_RAN);
	CHECK(again(never_ran, 2) == COMMIT_NEVER);
	CHECK_HAS(fault.text, "gone");
	/* It knows no more later. */
	CHECK(again(lost, 2) == COMMIT_UNKNOWN);
	CHECK_HAS(fault.text, "booted anew");
}

static void nobody(void)
{
	struct commit_peer peer = { .host = "127.0.0.1", .ticket = TICKET, .boot_id = BOOT_ID,
				    .settled = settle };
	int stop_fd = eventfd(1, EFD_CLOEXEC);
	uint64_t start_ms = clock_ms();
	uint16_t port;

	close(meeting_listen("127.0.0.1", &port));
	peer.port = port;
	CHECK(commit_again(&peer, 1200, -1, &fault) == COMMIT_SILENT);
	CHECK(clock_ms() - start_ms >= 1190 && clock_ms() - start_ms < 6000);
	CHECK_HAS(fault.text, "cannot reach");
	start_ms = clock_ms();
	CHECK(commit_again(&peer, 60000, stop_fd, &fault) == COMMIT_SILENT);
	CHECK(clock_ms() - start_ms < 6000);
	close(stop_fd);
}

int main(void)
{
	static const struct test tests[] = {
		{ "it runs there", ran },
		{ "it never ran there", never },
		{ "nothing is known", unknown },
		{ "asked over and over", over_and_over },
		{ "nobody answers", nobody },
	};

	return TAP_RUN(tests);
}
