// SPDX-License-Identifier: GPL-2.0-only
/* The monitor's client against a peer that speaks by the script, and a QEMU. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "qemu.h"
#include "qmp.h"
#include "scratch.h"
#include "script.h"
#include "tap.h"

static struct script script;
static struct qmp qmp;
static struct fault fault;

static int open_to(void (*play)(int fd, void *arg), void *arg)
{
	const char *path = scratch_path("qmp");

	script_start(&script, path, play, arg);
	return qmp_open(&qmp, path, &fault);
}

static void must_open_to(void (*play)(int fd, void *arg), void *arg)
{
	if (open_to(play, arg))
		tap_give_up(fault.text);
}

static void end(void)
{
	qmp_close(&qmp);
	script_end(&script);
}

static void only_greets(int fd, void *arg)
{
	(void)arg;
	script_greet(fd);
}

static void greeting(void)
{
	must_open_to(only_greets, NULL);
	CHECK(qmp.pid == getpid() && !qmp.refused && !qmp.no_listener);
	CHECK(qmp.last_id == 1 && json_array_size(qmp.events) == 0);
	end();
	qmp_close(&qmp);	/* closed twice is closed */
}

static void says(int fd, void *arg)
{
	script_say(fd, arg);
}

static void refused_greetings(void)
{
	static const struct { char *text; const char *why; } bad[] = {
		{ "", "is gone" },
		{ "{\"QMP\":{}}", "is gone" },
		{ "{\"hello\":1}\n", "is not a QMP monitor" },
		{ "[]\n", "is not QMP" },
		{ "HTTP/1.1 400 Bad Request\r\n", "is not QMP" },
		{ "\n", "is not QMP" },
		{ "{\"QMP\":{},\"QMP\":{}}\n", "is not QMP" },
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CHECK(open_to(says, bad[i].text) == -1);
		CHECK_HAS(fault.text, bad[i].why);
		CHECK(qmp.fd == -1 && !qmp.lines.buf && !qmp.events);
		script_end(&script);
	}
}

static void refuses(int fd, void *arg)
{
	(void)arg;
	script_say(fd, SCRIPT_GREETING);
	json_decref(script_hear(fd));
	script_say(fd, "{\"error\":{\"desc\":\"no\"},\"id\":1}\n");
}

static void refused_negotiation(void)
{
	CHECK(open_to(refuses, NULL) == -1);
	CHECK_TEXT(fault.text, "QEMU refused qmp_capabilities: no");
	CHECK(qmp.fd == -1 && !qmp.lines.buf && !qmp.events);
	script_end(&script);
}

static void says_nothing(int fd, void *arg)
{
	char byte;

	(void)arg;
	if (read(fd, &byte, 1) > 0)
		CHECK(false);
}

static void no_greeting(void)
{
	uint64_t start_ms = clock_ms();

	CHECK(open_to(says_nothing, NULL) == -1);
	CHECK_HAS(fault.text, "does not greet: is another client connected");
	CHECK(clock_ms() - start_ms >= 4900 && clock_ms() - start_ms < 8000);
	script_end(&script);
}

static void no_monitor(void)
{
	char path[200];

	CHECK(qmp_open(&qmp, scratch_path("none"), &fault) == -1);
	CHECK_HAS(fault.text, "cannot connect to the monitor");
	CHECK_HAS(fault.text, "No such file");
	CHECK(qmp.no_listener);
	script_start(&script, scratch_path("dead"), says, "");
	script_end(&script);
	CHECK(qmp_open(&qmp, scratch_path("dead"), &fault) == -1);
	CHECK_HAS(fault.text, "refused");
	CHECK(qmp.no_listener);
	memset(path, 'p', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = 0;
	CHECK(qmp_open(&qmp, path, &fault) == -1);
	CHECK_HAS(fault.text, "too long");
	CHECK(qmp.fd == -1);
}

static void answers(int fd, void *arg)
{
	(void)arg;
	script_greet(fd);
	script_answer(fd, "query-status", "{\"status\":\"running\"}");
	script_answer(fd, "query-block", "[]");
	json_decref(script_hear(fd));
	script_say(fd,
		   "{\"id\":4,\"error\":{\"class\":\"GenericError\",\"desc\":\"not now\"}}\r\n");
	json_decref(script_hear(fd));
	script_say(fd, "{\"id\":5,\"error\":{}}\r\n");
	json_decref(script_hear(fd));
	script_say(fd, "{\"id\":6}\r\n");
}

static void calls(void)
{
	json_t *answer = NULL;

	must_open_to(answers, NULL);
	CHECK(!qmp_call(&qmp, "query-status", NULL, &answer, &fault));
	CHECK_TEXT(json_string_value(json_object_get(answer, "status")), "running");
	json_decref(answer);
	CHECK(!qmp_call(&qmp, "query-block", NULL, NULL, &fault));
	answer = NULL;
	CHECK(qmp_call(&qmp, "cont", NULL, &answer, &fault) == -1);
	CHECK_TEXT(fault.text, "QEMU refused cont: not now");
	CHECK(!answer && qmp.refused);
	CHECK(qmp_call(&qmp, "cont", NULL, NULL, &fault) == -1);
	CHECK_TEXT(fault.text, "QEMU refused cont: without a reason");
	CHECK(!qmp_call(&qmp, "stop", NULL, &answer, &fault) && !answer && !qmp.refused);
	CHECK(qmp_call(&qmp, "stop", NULL, NULL, &fault) == -1);
	CHECK_HAS(fault.text, "is gone");
	CHECK(!qmp.refused && qmp_is_gone(&qmp));
	end();
}

static void hears_arguments(int fd, void *arg)
{
	json_t *request;

	(void)arg;
	script_greet(fd);
	request = script_hear(fd);
	CHECK_TEXT(json_string_value(json_object_get(request, "execute")), "qom-get");
	CHECK_TEXT(json_string_value(json_object_get(json_object_get(request, "arguments"),
						     "path")),
		   "/objects/\"a\"\n");
	json_decref(request);
	script_say(fd, "{\"return\":1,\"id\":2}\n");
}

static void arguments(void)
{
	must_open_to(hears_arguments, NULL);
	CHECK(!qmp_call(&qmp, "qom-get", json_pack("{s:s}", "path", "/objects/\"a\"\n"), NULL,
			&fault));
	end();
}

static void other_ids(int fd, void *arg)
{
	(void)arg;
	script_greet(fd);
	json_decref(script_hear(fd));
	script_say(fd,
		   "{\"return\":\"old\",\"id\":1}\n{\"return\":\"none\"}\n{\"return\":\"text\",\"id\":\"2\"}\n"
		   "{\"return\":\"new\",\"id\":3}\n{\"return\":\"ours\",\"id\":2}\n");
}

static void ids(void)
{
	json_t *answer = NULL;

	must_open_to(other_ids, NULL);
	CHECK(!qmp_call(&qmp, "x", NULL, &answer, &fault));
	CHECK_TEXT(json_string_value(answer), "ours");
	json_decref(answer);
	end();
}

#define EVENT(name) "{\"event\":\"" name "\",\"timestamp\":{\"seconds\":1,\"microseconds\":2}}\r\n"
#define MIGRATION(status) "{\"event\":\"MIGRATION\",\"data\":{\"status\":\"" status "\"}}\r\n"

static void events_first(int fd, void *arg)
{
	(void)arg;
	script_greet(fd);
	json_decref(script_hear(fd));
	script_say(fd,
		   MIGRATION("setup") EVENT("STOP") MIGRATION("active") "{\"return\":{},\"id\":2}\n"
		   EVENT("RESUME"));
	json_decref(script_hear(fd));
	script_say(fd, MIGRATION("completed") "{\"return\":{},\"id\":3}\n");
	script_hear(fd);
}

static void is_event(int got, json_t *event, const char *name, const char *status)
{
	CHECK(got == 1);
	CHECK_TEXT(json_string_value(json_object_get(event, "event")), name);
	if (status)
		CHECK_TEXT(json_string_value(json_object_get(json_object_get(event, "data"),
							     "status")),
			   status);
	CHECK(json_integer_value(json_object_get(event, "arrived_ns")) > 0);
	json_decref(event);
}

static void events_kept(void)
{
	static const char *const ends[] = { "completed", "failed", NULL };
	uint64_t last = 0;
	json_t *event;
	size_t i;
	int got;

	must_open_to(events_first, NULL);
	CHECK(!qmp_call(&qmp, "migrate", NULL, NULL, &fault));
	CHECK(!qmp_call(&qmp, "query-migrate", NULL, NULL, &fault));
	CHECK(json_array_size(qmp.events) == 5);
	json_array_foreach(qmp.events, i, event) {
		CHECK((uint64_t)json_integer_value(json_object_get(event, "arrived_ns")) >= last);
		last = json_integer_value(json_object_get(event, "arrived_ns"));
	}
	got = qmp_wait_event(&qmp, "MIGRATION", ends, 0, WATCH_NOTHING, &event, &fault);
	is_event(got, event, "MIGRATION", "completed");
	got = qmp_wait_event(&qmp, "MIGRATION", NULL, 0, WATCH_NOTHING, &event, &fault);
	is_event(got, event, "MIGRATION", "setup");
	got = qmp_wait_event(&qmp, "RESUME", NULL, 0, WATCH_NOTHING, &event, &fault);
	is_event(got, event, "RESUME", NULL);
	got = qmp_wait_event(&qmp, "STOP", NULL, 0, WATCH_NOTHING, &event, &fault);
	is_event(got, event, "STOP", NULL);
	got = qmp_wait_event(&qmp, "MIGRATION", NULL, 0, WATCH_NOTHING, &event, &fault);
	is_event(got, event, "MIGRATION", "active");
	CHECK(!qmp_wait_event(&qmp, "MIGRATION", NULL, 0, WATCH_NOTHING, &event, &fault) && !event);
	end();
}

static void dropped(void)
{
	json_t *event;
	int got;

	must_open_to(events_first, NULL);
	CHECK(!qmp_is_gone(&qmp));
	CHECK(!qmp_call(&qmp, "migrate", NULL, NULL, &fault));
	CHECK(!qmp_call(&qmp, "query-migrate", NULL, NULL, &fault));
	qmp_drop_events(&qmp, "NONE");
	CHECK(json_array_size(qmp.events) == 5);
	qmp_drop_events(&qmp, "MIGRATION");
	CHECK(json_array_size(qmp.events) == 2);
	got = qmp_wait_event(&qmp, "RESUME", NULL, 0, WATCH_NOTHING, &event, &fault);
	is_event(got, event, "RESUME", NULL);
	end();
}

static void events_unasked(int fd, void *arg)
{
	(void)arg;
	script_greet(fd);
	script_say(fd, EVENT("A") EVENT("B"));
	usleep(200000);
	script_say(fd,
		   EVENT("A") MIGRATION("active") "{\"return\":{},\"id\":77}\n" MIGRATION("failed"));
	script_hear(fd);
}

/* No status in its data is none of the statuses. */
static void events_waited(void)
{
	static const char *const ends[] = { "completed", "failed", NULL };
	uint64_t start_ms = clock_ms();
	json_t *event;
	int got;

	must_open_to(events_unasked, NULL);
	got = qmp_wait_event(&qmp, "MIGRATION", ends, 10000, WATCH_NOTHING, &event, &fault);
	is_event(got, event, "MIGRATION", "failed");
	CHECK(clock_ms() - start_ms >= 190);
	CHECK(json_array_size(qmp.events) == 4);
	CHECK(!qmp_wait_event(&qmp, "A", ends, 50, WATCH_NOTHING, &event, &fault) && !event);
	got = qmp_wait_event(&qmp, "A", NULL, 50, WATCH_NOTHING, &event, &fault);
	is_event(got, event, "A", NULL);
	end();
}

static void event_timeouts(void)
{
	struct watch watch = { .stop_fd = eventfd(1, EFD_CLOEXEC), .peer_fd = -1 };
	uint64_t start_ms;
	json_t *event;

	must_open_to(events_unasked, NULL);
	start_ms = clock_ms();
	CHECK(!qmp_wait_event(&qmp, "NONE", NULL, 400, WATCH_NOTHING, &event, &fault) && !event);
	CHECK(clock_ms() - start_ms >= 390 && clock_ms() - start_ms < 3000);
	start_ms = clock_ms();
	CHECK(!qmp_wait_event(&qmp, "NONE", NULL, 10000, &watch, &event, &fault) && !event);
	watch = (struct watch){ .stop_fd = -1, .peer_fd = watch.stop_fd };
	CHECK(!qmp_wait_event(&qmp, "NONE", NULL, 10000, &watch, &event, &fault) && !event);
	CHECK(clock_ms() - start_ms < 3000);
	close(watch.peer_fd);
	end();
}

static void greets_and_goes(int fd, void *arg)
{
	script_greet(fd);
	script_say(fd, EVENT("STOP"));
	if (arg)
		script_say(fd, arg);
}

/* Its last words are heard; then it is gone, and not merely silent. */
static void gone(void)
{
	json_t *event;
	int got;

	must_open_to(greets_and_goes, "{\"event\":\"half");
	pthread_join(script.thread, NULL);
	got = qmp_wait_event(&qmp, "STOP", NULL, 10000, WATCH_NOTHING, &event, &fault);
	is_event(got, event, "STOP", NULL);
	CHECK(qmp_wait_event(&qmp, "STOP", NULL, 10000, WATCH_NOTHING, &event, &fault) == -1 &&
	      !event);
	CHECK_HAS(fault.text, "is gone");
	CHECK(qmp_call(&qmp, "cont", NULL, NULL, &fault) == -1);
	CHECK_HAS(fault.text, "is gone");
	qmp_close(&qmp);
	close(script.listen);
}

static void garbage(void)
{
	static char *const bad[] = { "nonsense\n", "\"text\"\n", "1\n", "[{\"event\":\"A\"}]\n",
				     "{\"event\":\"\xff\"}\n", "{\"a\":1}{\"b\":2}\n", "null\n" };
	json_t *event;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		must_open_to(greets_and_goes, bad[i]);
		CHECK(qmp_wait_event(&qmp, "A", NULL, 10000, WATCH_NOTHING, &event, &fault) == -1);
		CHECK_HAS(fault.text, "what came is not QMP");
		end();
	}
}

static void nests(int fd, void *arg)
{
	static char deep[100001];

	(void)arg;
	script_greet(fd);
	memset(deep, '[', 100000);
	script_say(fd, "{\"event\":");
	script_say(fd, deep);
	script_say(fd, "\n");
}

static void deeply_nested(void)
{
	json_t *event;

	must_open_to(nests, NULL);
	CHECK(qmp_wait_event(&qmp, "A", NULL, 10000, WATCH_NOTHING, &event, &fault) == -1);
	CHECK_HAS(fault.text, "what came is not QMP");
	end();
}

static void byte_by_byte(int fd, void *arg)
{
	const char *text = EVENT("A") "{\"return\":{\"n\":7},\"id\":2}\r\n" EVENT("B");
	char one[2] = "";

	(void)arg;
	script_greet(fd);
	json_decref(script_hear(fd));
	for (; *text; text++) {
		one[0] = *text;
		script_say(fd, one);
		usleep(200);
	}
	script_hear(fd);
}

static void split_lines(void)
{
	json_t *answer = NULL, *event;
	int got;

	must_open_to(byte_by_byte, NULL);
	CHECK(!qmp_call(&qmp, "x", NULL, &answer, &fault));
	CHECK(json_integer_value(json_object_get(answer, "n")) == 7);
	json_decref(answer);
	got = qmp_wait_event(&qmp, "B", NULL, 5000, WATCH_NOTHING, &event, &fault);
	is_event(got, event, "B", NULL);
	got = qmp_wait_event(&qmp, "A", NULL, 0, WATCH_NOTHING, &event, &fault);
	is_event(got, event, "A", NULL);
	end();
}

/* @arg: MiB of text in one line. */
static void long_line(int fd, void *arg)
{
	static char piece[(1 << 20) + 1];
	long mib = (long)arg;

	script_greet(fd);
	json_decref(script_hear(fd));
	memset(piece, 'x', sizeof(piece) - 1);
	script_say(fd, "{\"id\":2,\"return\":\"");
	while (mib--)
		script_say(fd, piece);
	script_say(fd, "\"}\n");
	script_hear(fd);
}

static void huge_lines(void)
{
	json_t *answer = NULL;

	must_open_to(long_line, (void *)2L);
	CHECK(!qmp_call(&qmp, "x", NULL, &answer, &fault));
	CHECK(json_string_length(answer) == 2 << 20);
	json_decref(answer);
	end();

	must_open_to(long_line, (void *)17L);
	CHECK(qmp_call(&qmp, "x", NULL, NULL, &fault) == -1);
	CHECK_HAS(fault.text, "a line of more than");
	end();
}

/* Many, and one that is long, before the answer. */
static void many_events(int fd, void *arg)
{
	static char text[17 << 10];
	int i;

	(void)arg;
	script_greet(fd);
	json_decref(script_hear(fd));
	for (i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "{\"event\":\"A\",\"data\":{\"n\":%d}}\n", i);
		script_say(fd, text);
	}
	script_say(fd, "{\"event\":\"LONG\",\"text\":\"");
	memset(text, 'x', sizeof(text) - 1);
	script_say(fd, text);
	script_say(fd, "\"}\n" EVENT("STOP") "{\"return\":{},\"id\":2}\n");
	script_hear(fd);
}

/* The last of them, and none that is long: a QEMU does not fill our memory. */
static void kept_are_few(void)
{
	json_t *event;
	int got;

	must_open_to(many_events, NULL);
	CHECK(!qmp_call(&qmp, "x", NULL, NULL, &fault));
	CHECK(json_array_size(qmp.events) == 256);
	CHECK(!qmp_wait_event(&qmp, "LONG", NULL, 0, WATCH_NOTHING, &event, &fault) && !event);
	got = qmp_wait_event(&qmp, "A", NULL, 0, WATCH_NOTHING, &event, &fault);
	CHECK(json_integer_value(json_object_get(json_object_get(event, "data"), "n")) ==
	      1000 - 255);
	is_event(got, event, "A", NULL);
	got = qmp_wait_event(&qmp, "STOP", NULL, 0, WATCH_NOTHING, &event, &fault);
	is_event(got, event, "STOP", NULL);
	end();
}

/* Without a pause, until its client is gone. */
static void never_stops(int fd, void *arg)
{
	script_greet(fd);
	while (send(fd, arg, strlen(arg), MSG_NOSIGNAL) > 0)
		;
}

static void endless(void)
{
	static char other[] = "{\"return\":{},\"id\":1}\n", dribble[] = "x";
	char *const floods[] = { EVENT("A") EVENT("A") EVENT("A"), other, dribble };
	struct watch watch = { .stop_fd = eventfd(1, EFD_CLOEXEC), .peer_fd = -1 };
	json_t *event;
	size_t i;

	must_open_to(never_stops, floods[0]);
	CHECK(!qmp_wait_event(&qmp, "NONE", NULL, 100, WATCH_NOTHING, &event, &fault) && !event);
	CHECK(!qmp_wait_event(&qmp, "NONE", NULL, 86400000, &watch, &event, &fault) && !event);
	CHECK(qmp_call(&qmp, "cont", NULL, NULL, &fault) == -1);
	CHECK_HAS(fault.text, "no answer to cont in 30 s");
	CHECK(json_array_size(qmp.events) <= 256);
	end();
	for (i = 1; i < 3; i++) {
		must_open_to(never_stops, floods[i]);
		CHECK(qmp_wait_event(&qmp, "NONE", NULL, 100, WATCH_NOTHING, &event, &fault) != 1 &&
		      !event);
		end();
	}
	close(watch.stop_fd);
}

/* Greets as vmfastmig monitor does, with process @behind behind it; 0: itself; -1: none. */
_Noreturn static void speak_for(int listener, pid_t behind)
{
	json_t *request;
	char text[200];
	int fd = accept(listener, NULL, NULL);

	snprintf(text, sizeof(text), "{\"QMP\":{},\"vmfastmig\":{\"pid\":%d,\"qmp\":\"/x\"}}\n",
		 (int)(behind ? behind : getpid()));
	script_say(fd, text);
	request = script_hear(fd);
	if (request)
		script_say(fd, "{\"return\":{},\"id\":1}\n");
	json_decref(request);
	for (;;)
		pause();
}

/* Its socket was made by us; it accepts as user @uid, and nobody else does. */
static pid_t speaker(uid_t uid, pid_t behind)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", scratch_path("qmp"));
	unlink(addr.sun_path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 1))
		tap_give_up("cannot listen");
	fflush(NULL);
	pid = fork();
	if (!pid && !setresuid(uid, uid, uid))
		speak_for(fd, behind);
	close(fd);
	return pid;
}

static void end_speaker(pid_t pid)
{
	qmp_close(&qmp);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Where it were believed, that process is what we would kill, and take for the guest's QEMU. */
static void behind(void)
{
	pid_t pid, theirs;

	if (geteuid())
		tap_skip("not root");
	pid = speaker(65534, getpid());
	CHECK(qmp_open(&qmp, scratch_path("qmp"), &fault) == -1);
	CHECK_HAS(fault.text, "which is not its user's");
	end_speaker(pid);

	theirs = speaker(65534, 0);
	CHECK(!qmp_open(&qmp, scratch_path("qmp"), &fault));
	CHECK(qmp.pid == theirs);
	CHECK_TEXT(qmp.past, "/x");
	qmp_close(&qmp);
	pid = speaker(0, theirs);
	CHECK(!qmp_open(&qmp, scratch_path("qmp"), &fault) && qmp.pid == theirs);
	end_speaker(pid);
	end_speaker(theirs);
}

/* It is who has the connection, whoever made the listener. */
static void listener_of_others(void)
{
	pid_t pid = speaker(0, -1);

	CHECK(!qmp_open(&qmp, scratch_path("qmp"), &fault));
	CHECK(qmp.pid == pid && !*qmp.past);
	end_speaker(pid);
}

/* A QEMU that is given one end of a pair migrates into it. */
static void real_qemu_given_fd(void)
{
	pid_t pid = qemu_start(scratch_path("qmp"), "");
	char magic[4] = "";
	int pair[2];

	CHECK(!qmp_open(&qmp, scratch_path("qmp"), &fault));
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	CHECK(!qmp_give_fd(&qmp, "stream", pair[1], &fault));
	close(pair[1]);
	CHECK(!qmp_call(&qmp, "migrate", json_pack("{s:s}", "uri", "fd:stream"), NULL, &fault));
	CHECK(read(pair[0], magic, 4) == 4 && !memcmp(magic, "QEVM", 4));
	close(pair[0]);
	qmp_close(&qmp);
	qemu_end(pid);
}

static void real_qemu(void)
{
	pid_t pid = qemu_start(scratch_path("qmp"), "");
	json_t *answer = NULL, *event;
	int got;

	CHECK(!qmp_open(&qmp, scratch_path("qmp"), &fault));
	CHECK(qmp.pid == pid);
	CHECK(!qmp_call(&qmp, "query-status", NULL, &answer, &fault));
	CHECK_TEXT(json_string_value(json_object_get(answer, "status")), "prelaunch");
	json_decref(answer);
	CHECK(qmp_call(&qmp, "no-such-command", NULL, NULL, &fault) == -1);
	CHECK_HAS(fault.text, "no-such-command");
	CHECK(!qmp_call(&qmp, "cont", NULL, NULL, &fault));
	CHECK(!qmp_call(&qmp, "stop", NULL, NULL, &fault));
	got = qmp_wait_event(&qmp, "STOP", NULL, 5000, WATCH_NOTHING, &event, &fault);
	is_event(got, event, "STOP", NULL);
	got = qmp_wait_event(&qmp, "RESUME", NULL, 0, WATCH_NOTHING, &event, &fault);
	is_event(got, event, "RESUME", NULL);
	CHECK(!qmp_call(&qmp, "quit", NULL, NULL, &fault));
	CHECK(qmp_wait_event(&qmp, "NONE", NULL, 10000, WATCH_NOTHING, &event, &fault) == -1);
	CHECK_HAS(fault.text, "is gone");
	qmp_close(&qmp);
	qemu_end(pid);
}

/* One client at a time: the second is told so, not left waiting. */
static void real_qemu_in_use(void)
{
	pid_t pid = qemu_start(scratch_path("qmp"), "");
	struct qmp second;

	CHECK(!qmp_open(&qmp, scratch_path("qmp"), &fault));
	CHECK(qmp_open(&second, scratch_path("qmp"), &fault) == -1);
	CHECK_HAS(fault.text, "is another client connected");
	qmp_close(&qmp);
	qemu_end(pid);
}

int main(void)
{
	static const struct test tests[] = {
		{ "greeting", greeting },
		{ "refused greetings", refused_greetings },
		{ "refused negotiation", refused_negotiation },
		{ "no greeting", no_greeting },
		{ "no monitor", no_monitor },
		{ "calls and answers", calls },
		{ "arguments", arguments },
		{ "answers to something else", ids },
		{ "events before answers are kept", events_kept },
		{ "events dropped", dropped },
		{ "waits for an event", events_waited },
		{ "time-out and stop while waiting", event_timeouts },
		{ "the monitor closes", gone },
		{ "garbage", garbage },
		{ "deeply nested", deeply_nested },
		{ "split lines", split_lines },
		{ "huge lines", huge_lines },
		{ "many events while an answer is waited for", kept_are_few },
		{ "a QEMU that never stops talking", endless },
		{ "whom a monitor may stand before", behind },
		{ "a listener that was passed on", listener_of_others },
		{ "a QEMU", real_qemu },
		{ "a QEMU that is given a file descriptor", real_qemu_given_fd },
		{ "a QEMU whose monitor is in use", real_qemu_in_use },
	};

	return TAP_RUN(tests);
}
