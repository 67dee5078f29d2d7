// SPDX-License-Identifier: GPL-2.0-only
/* The monitor in front of a QEMU, and of one that is played. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "front.h"
#include "qemu.h"
#include "qmp.h"
#include "scratch.h"
#include "script.h"
#include "tap.h"

#define STATUS	"{\"execute\":\"query-status\"}"
#define MIB	(1 << 20)

static struct front front;
static struct script script;
static struct fault fault;
static pid_t pid;

static void real(void)
{
	pid = qemu_start(scratch_path("qmp"), "");
	front_start(&front);
}

static void end_real(void)
{
	front_end(&front);
	qemu_end(pid);
}

static void greeting(void)
{
	struct qmp qmp;
	struct stat st;
	int fd;

	real();
	CHECK(!stat(scratch_path("front"), &st) && (st.st_mode & 07777) == 0600);
	fd = front_connect();
	CHECK_TEXT(front_error(fd, STATUS), "CommandNotFound: Expecting capabilities negotiation with 'qmp_capabilities'");
	CHECK_TEXT(front_error(fd, "{\"exec-oob\":\"x\"}"), "GenericError: QMP input member 'exec-oob' is unexpected");
	CHECK_HAS(front_error(fd, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"x\"]}}"), "GenericError");
	CHECK(front_returns(fd, "{\"execute\":\"qmp_capabilities\",\"id\":7}", "7"));
	CHECK_TEXT(front_error(fd, "{\"execute\":\"qmp_capabilities\"}"), "CommandNotFound: Capabilities negotiation is already complete, command ignored");
	CHECK_TEXT(front_error(fd, "{\"exec-oob\":\"query-status\"}"), "GenericError: QMP input member 'exec-oob' is unexpected");
	CHECK(!qmp_open(&qmp, scratch_path("front"), &fault));
	CHECK(qmp.pid == pid);
	CHECK_TEXT(qmp.past, scratch_path("qmp"));
	qmp_close(&qmp);
	close(fd);
	end_real();
	CHECK(stat(scratch_path("front"), &st));
}

static void ids(void)
{
	static const char *const ids[] = { "1", "\"a\\\"b\"", "{\"x\": [1, null]}", "null",
					   "9007199254740993", "[\"}\", \",\"]" };
	int fds[3], fd;
	char request[128];
	size_t i;

	real();
	for (i = 0; i < 3; i++)
		fds[i] = front_client();
	for (i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		snprintf(request, sizeof(request), "{ \"id\" : %s , \"execute\":\"query-status\" } ",
			 ids[i]);
		script_say(fds[i % 3], request);
	}
	for (i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		json_t *answer = front_answer(fds[i % 3]);
		char *own = json_dumps(json_object_get(answer, "id"), JSON_ENCODE_ANY);

		CHECK_TEXT(own, ids[i]);
		CHECK(json_object_get(answer, "return"));
		free(own);
		json_decref(answer);
	}
	fd = fds[0];
	CHECK(front_returns(fd, STATUS, NULL));
	CHECK(front_returns(fd, "{'execute':'query-status','id':'it\\'s'}", "\"it's\""));
	CHECK_HAS(front_error(fd, "{\"execute\":\"no-such-command\"}"), "CommandNotFound");
	CHECK_HAS(front_error(fd, "{\"execute\":\"query-status\",\"\\u0069d\":3}"), "unexpected");
	for (i = 0; i < 3; i++)
		close(fds[i]);
	end_real();
}

static void bad_input(void)
{
	static const struct { const char *text, *why; } bad[] = {
		{ "nonsense\n", "JSON parse error" },
		{ "[1]", "QMP input must be a JSON object" },
		{ "3 ", "QMP input must be a JSON object" },
		{ "{}", "QMP input lacks member 'execute'" },
		{ "}", "JSON parse error" },
		{ "{\"execute\":}", "JSON parse error" },
		{ "{\"execute\":\"x\",\"execute\":\"y\"}", "JSON parse error" },
		{ "{\"execute\":\"x\nquery", "JSON parse error" },
		{ "{\"execute\":\"\xff\"}", "JSON parse error" },
		{ "{\"execute\":1}", "must be a string" },
		{ "{\"execute\":\"x\",\"arguments\":[]}", "must be an object" },
		{ "{\"execute\":\"x\",\"foo\":1}", "'foo' is unexpected" },
	};
	int fd, other;
	size_t i;

	real();
	other = front_client();
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		fd = front_client();
		CHECK_HAS(front_error(fd, bad[i].text), bad[i].why);
		close(fd);
	}
	CHECK(front_returns(other, STATUS, NULL));
	close(other);
	end_real();
}

#define LAST	"\n{\"execute\":\"query-status\",\"id\":\"last\"}\n"

/* How many errors there are before the answer to what is said last. */
static int errors(int fd, const char *text)
{
	json_t *answer;
	int count = -1;
	bool last;

	script_say(fd, text);
	script_say(fd, LAST);
	do {
		answer = front_answer(fd);
		last = !answer || json_object_get(answer, "return");
		json_decref(answer);
		count++;
	} while (!last);
	return count;
}

/* What it takes for a message, or for none, is what QEMU does. */
static void strays(void)
{
	static const char *const texts[] = {
		"{]", "{\xff", "{\x01", "{'bad \xff", "{'a': '\n", "%p", "null", "\xff\xff", "\x01\x02",
		"{[}]", "{{]", "[}", "}", "]]", ",", ":,:", "abc{}", "abc\"x\"{}", "1 2 3", "12abc", "-", "-x ",
		"00", "0x1", "1.", "1.5", "1.e5", "1.5e", "1.5e+", "1e5", "1E-5", "1e+x", "{\"a\": TRUE, \"b\": 1}",
		"{\"a\": 1.x}", "{\"a\": -}", "[+1]", "[.5]", "\"a\\\"b\"", "'it\\'s'", "\"it's\"", "\"\\'\"",
		"\"a\tb\"", "\"\\\x1f\"", "\"\xc3\xa9\"", "\xc3\xa9", "#\t{}", "#x{}y", "/*{}*/", "\\u0041{}",
		"{'execute':'stop','id':'\\x'}", "{\"a\":[1,{\"b\":]}}", "truefalse", "nullA", "{}{}[]", "\"\"\"\"''",
	};
	int front_fd, own, count;
	pid_t other;
	size_t i;

	real();
	other = qemu_start(scratch_path("other"), "");
	front_fd = front_client();
	own = front_negotiated(front_at(scratch_path("other")));
	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		count = errors(own, texts[i]);
		if (!CHECK(errors(front_fd, texts[i]) == count))
			printf("# QEMU has %d errors for %s\n", count, texts[i]);
	}
	close(front_fd);
	close(own);
	qemu_end(other);
	end_real();
}

/* Said in one breath; out-of-band commands are answered whatever waits. */
static void out_of_band(void)
{
	int fd, i;

	real();
	fd = front_connect();
	CHECK(front_returns(fd, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}", NULL));
	CHECK_HAS(front_error(fd, "{\"exec-oob\":\"query-status\",\"id\":1}"), "does not support OOB");
	CHECK_HAS(front_error(fd, "{\"exec-oob\":\"migrate-pause\",\"id\":1}"), "postcopy");
	for (i = 0; i < 100; i++)
		script_say(fd, STATUS);
	for (i = 0; i < 100; i++)
		json_decref(front_answer(fd));
	CHECK(front_returns(fd, STATUS, NULL));
	close(fd);
	end_real();
}

static void send_with_fd(int socket, const char *text, int fd)
{
	struct fds fds = { .count = 1, .fd = { dup(fd) } };

	CHECK(fds_send(socket, text, strlen(text), &fds) == (ssize_t)strlen(text));
}

/* Each gets QEMU the descriptor it sent, however they hurry. */
static void descriptors(void)
{
	char text[128], link[160], target[160];
	int clients[4], files[4], i;
	json_t *answer;

	real();
	for (i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "file%d", i);
		files[i] = open(scratch_file(text, "", 0600), O_RDWR | O_CLOEXEC);
		clients[i] = front_client();
	}
	for (i = 0; i < 4; i++)
		send_with_fd(clients[i], "{\"execute\":\"add-fd\"}", files[i]);
	for (i = 0; i < 4; i++) {
		answer = front_answer(clients[i]);
		snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, (int)json_integer_value(
			 json_object_get(json_object_get(answer, "return"), "fd")));
		json_decref(answer);
		memset(target, 0, sizeof(target));
		CHECK(readlink(link, target, sizeof(target) - 1) > 0);
		snprintf(text, sizeof(text), "/file%d", i);
		CHECK_HAS(target, text);
	}
	/* Refused before it was taken, it is not the next one's. */
	send_with_fd(clients[0], "{\"execute\":\"getfd\",\"arguments\":{\"x\":1}}", files[0]);
	answer = front_answer(clients[0]);
	CHECK(json_object_get(answer, "error"));
	json_decref(answer);
	CHECK_HAS(front_error(clients[1], "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"a\"}}"),
		  "No file descriptor supplied via SCM_RIGHTS");
	for (i = 0; i < 4; i++)
		close(clients[i]), close(files[i]);
	end_real();
}

static void events(void)
{
	int one, two, silent;

	real();
	one = front_client();
	two = front_client();
	silent = front_connect();
	CHECK(front_returns(one, "{\"execute\":\"cont\"}", NULL));
	CHECK_TEXT(front_event(two), "RESUME");
	CHECK(front_returns(one, "{\"execute\":\"stop\"}", NULL));
	CHECK_TEXT(front_event(two), "STOP");
	/* Who has not negotiated hears none. */
	CHECK(front_returns(silent, "{\"execute\":\"qmp_capabilities\"}", NULL));
	close(one);
	close(two);
	close(silent);
	end_real();
}

static void say_long(int fd, size_t mib)
{
	char *piece = malloc(MIB + 1);

	memset(piece, 'x', MIB);
	piece[MIB] = 0;
	script_say(fd, "{\"execute\":\"query-status\",\"id\":\"");
	while (mib--)
		script_say(fd, piece);
	script_say(fd, "\"}");
	free(piece);
}

static void long_messages(void)
{
	int fd, other, i;
	json_t *answer;
	char deep[2001];

	real();
	other = front_client();
	fd = front_client();
	say_long(fd, 2);
	answer = front_answer(fd);
	CHECK(json_string_length(json_object_get(answer, "id")) == 2 * MIB);
	json_decref(answer);
	say_long(fd, 17);
	CHECK(!front_hear(fd));
	close(fd);
	memset(deep, '[', 2000);
	deep[2000] = 0;
	fd = front_client();
	script_say(fd, deep);
	CHECK(!front_hear(fd));
	close(fd);
	for (i = 0; i < 3; i++)
		CHECK(front_returns(other, STATUS, NULL));
	close(other);
	end_real();
}

static void qemu_ends(void)
{
	int fd, other;

	real();
	fd = front_client();
	other = front_client();
	kill(pid, SIGKILL);
	CHECK(!front_hear(fd) && !front_hear(other));
	front_wait(&front);
	close(fd);
	close(other);
	qemu_end(pid);
}

/* The front goes; the same QEMU is found behind it. */
static void gone_past(void)
{
	json_t *answer = NULL;
	struct qmp qmp;

	real();
	CHECK(!qmp_open_inner(&qmp, scratch_path("front"), NULL, &fault));
	CHECK(!qmp_go_past(&qmp, &fault));
	front_end(&front);
	CHECK(qmp_is_gone(&qmp));
	CHECK(!qmp_go_past(&qmp, &fault));
	CHECK_TEXT(qmp.path, scratch_path("front"));
	CHECK(qmp.pid == pid && !qmp_call(&qmp, "query-status", NULL, &answer, &fault));
	json_decref(answer);
	qmp_close(&qmp);
	front_start(&front);	/* and where another one came */
	CHECK(!qmp_go_past(&qmp, &fault) && qmp.pid == pid && *qmp.past);
	front_end(&front);
	qmp.pid = getpid();
	CHECK(qmp_go_past(&qmp, &fault) == -1);
	CHECK_HAS(fault.text, "another QEMU");
	CHECK(!qmp_open_inner(&qmp, scratch_path("front"), scratch_path("qmp"), &fault));
	CHECK(qmp.pid == pid && !*qmp.past);
	qmp_close(&qmp);
	CHECK(qmp_open_inner(&qmp, scratch_path("front"), "", &fault) == -1 && qmp.no_listener);
	qemu_end(pid);
	CHECK(qmp_open_inner(&qmp, scratch_path("front"), scratch_path("qmp"), &fault) == -1 &&
	      qmp.no_listener);
}

static void play(void (*run)(int fd, void *arg), void *arg)
{
	script_start(&script, scratch_path("qmp"), run, arg);
	front_start(&front);
}

static void end_play(void)
{
	front_end(&front);
	script_end(&script);
}

static int heard_number(int fd, const char *command)
{
	json_t *request = script_hear(fd);
	int number = (int)json_integer_value(json_object_get(request, "id"));

	CHECK_TEXT(json_string_value(json_object_get(request, "execute")) ?:
		   json_string_value(json_object_get(request, "exec-oob")), command);
	json_decref(request);
	return number;
}

static void say_number(int fd, int number)
{
	char text[64];

	snprintf(text, sizeof(text), "{\"id\": %d, \"return\": {\"n\": %d}}\r\n", number, number);
	script_say(fd, text);
}

static void takes_two(int fd, void *arg)
{
	int first, second;

	(void)arg;
	script_say(fd, "{\"QMP\":{\"version\":{},\"capabilities\":[\"oob\"]}}\r\n");
	json_decref(script_hear(fd));
	script_say(fd, "{\"return\":{}}\r\n");
	first = heard_number(fd, "first");
	second = heard_number(fd, "now");	/* and not "second" */
	say_number(fd, second);
	say_number(fd, first);
	say_number(fd, heard_number(fd, "second"));
	json_decref(script_hear(fd));
}

static void one_at_a_time(void)
{
	int one, two, fast;

	play(takes_two, NULL);
	one = front_client();
	two = front_client();
	fast = front_connect();
	CHECK(front_returns(fast, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}", NULL));
	script_say(one, "{\"execute\":\"first\"}");
	usleep(100000);
	script_say(two, "{\"execute\":\"second\",\"id\":2}");
	usleep(100000);
	CHECK(front_returns(fast, "{\"exec-oob\":\"now\",\"id\":3}", "3"));
	json_decref(front_answer(one));
	json_decref(front_answer(two));
	close(one);
	close(two);
	close(fast);
	end_play();
}

static void answers_late(int fd, void *arg)
{
	int number;

	script_greet(fd);
	number = heard_number(fd, "slow");
	read(*(int *)arg, &(char){ 0 }, 1);	/* until the client is gone */
	say_number(fd, number);
	say_number(fd, heard_number(fd, "next"));
	json_decref(script_hear(fd));
}

static void client_leaves(void)
{
	int fd, other, pair[2];
	json_t *answer;

	CHECK(!pipe(pair));
	play(answers_late, &pair[0]);
	fd = front_client();
	other = front_client();
	script_say(fd, "{\"execute\":\"slow\"}");
	usleep(100000);
	script_say(other, "{\"execute\":\"next\",\"id\":\"mine\"}");
	usleep(100000);
	close(fd);
	close(pair[1]);
	answer = front_answer(other);
	CHECK_TEXT(json_string_value(json_object_get(answer, "id")), "mine");
	json_decref(answer);
	close(other);
	close(pair[0]);
	end_play();
}

static void dies_talking(int fd, void *arg)
{
	int number;

	(void)arg;
	script_greet(fd);
	number = heard_number(fd, "last");
	script_say(fd, "{\"event\": \"BYE\"}\r\n");
	say_number(fd, number);
	script_say(fd, "{\"event\": \"HAL");
}

/* What QEMU said before its end is heard; then the end. */
static void last_words(void)
{
	int fd, other;

	play(dies_talking, NULL);
	fd = front_client();
	other = front_client();
	CHECK(front_returns(fd, "{\"execute\":\"last\",\"id\":1}", "1"));
	CHECK(!front_hear(fd));
	CHECK_TEXT(front_event(other), "BYE");
	CHECK(!front_hear(other));
	front_wait(&front);
	close(fd);
	close(other);
	script_end(&script);
}

#define FLOOD 24

/* One event of a MiB for each command. */
static void floods(int fd, void *arg)
{
	char *event = malloc(MIB + 64);
	int i;

	(void)arg;
	script_greet(fd);
	strcpy(event, "{\"event\": \"");
	memset(event + strlen(event), 'E', MIB);
	strcpy(event + MIB, "\"}\r\n");
	for (i = 0; i < FLOOD; i++) {
		int number = heard_number(fd, "flood");

		script_say(fd, event);
		say_number(fd, number);
	}
	free(event);
	json_decref(script_hear(fd));
}

/* One that does not read is dropped; another hears everything. */
static void stalled(void)
{
	int fd, lazy, i, heard = 0;
	static char some[65536];
	struct pollfd wait = { .events = POLLIN };
	size_t bytes = 0;
	ssize_t got = -1;

	play(floods, NULL);
	lazy = wait.fd = front_client();
	fd = front_client();
	for (i = 0; i < FLOOD; i++) {
		script_say(fd, "{\"execute\":\"flood\"}");
		heard += strlen(front_event(fd)) > 100;
		json_decref(front_answer(fd));
	}
	CHECK(heard == FLOOD);
	while (poll(&wait, 1, 2000) > 0 && (got = read(lazy, some, sizeof(some))) > 0)
		bytes += got;
	CHECK(!got && bytes < FLOOD / 2 * MIB);
	close(fd);
	close(lazy);
	end_play();
}

static void nonsense(int fd, void *arg)
{
	script_greet(fd);
	script_say(fd, arg);
	json_decref(script_hear(fd));
}

static void qemu_talks_nonsense(void)
{
	static char *const bad[] = { "[]\r\n", "{\"id\": 77, \"return\": {}}\r\n", "what\r\n",
				     "{\"return\": {}}\r\n" };
	size_t i;
	int fd;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		play(nonsense, bad[i]);
		fd = front_client();
		script_say(fd, STATUS);
		script_end(&script);
		close(fd);
		front_end(&front);
	}
}

static void is_served(int fd, void *arg)
{
	(void)arg;
	front_negotiated(front_greeted(fd));
	CHECK(front_returns(fd, "{\"execute\":\"query-status\",\"id\":1}", "1"));
}

/* One that listens for its QEMU is served beside those that connect. */
static void waited_for(void)
{
	int fd;

	script_start(&script, scratch_path("waiting"), is_served, NULL);
	pid = qemu_start(scratch_path("qmp"), "");
	front_start_for(&front, scratch_path("waiting"));
	script_end(&script);
	fd = front_client();
	CHECK(front_returns(fd, STATUS, NULL));
	close(fd);
	end_real();
}

static void refused_starts(void)
{
	struct monitor monitor;

	CHECK(monitor_open(&monitor, scratch_path("none"), scratch_path("front"), "", &fault) == -1);
	CHECK_HAS(fault.text, "cannot connect");
	monitor_close(&monitor);
	real();
	CHECK(monitor_open(&monitor, scratch_path("qmp"), scratch_path("other"), "", &fault) == -1);
	CHECK_HAS(fault.text, "is another client connected");
	monitor_close(&monitor);
	end_real();
	pid = qemu_start(scratch_path("qmp"), "");
	CHECK(monitor_open(&monitor, scratch_path("qmp"), scratch_file("file", "", 0600), "",
			   &fault) == -1);
	CHECK_HAS(fault.text, "in use");
	CHECK(!access(scratch_path("file"), F_OK));
	monitor_close(&monitor);
	CHECK(!monitor_open(&monitor, scratch_path("qmp"), scratch_path("front"), "", &fault));
	CHECK(monitor_connect(&monitor, scratch_path("none"), &fault) == -1);
	CHECK_HAS(fault.text, "cannot connect to ");
	monitor_close(&monitor);
	qemu_end(pid);
}

int main(void)
{
	static const struct test tests[] = {
		{ "greeting and negotiation", greeting },
		{ "ids are the client's own", ids },
		{ "bad input", bad_input },
		{ "what is taken for a message", strays },
		{ "out of band", out_of_band },
		{ "file descriptors", descriptors },
		{ "events", events },
		{ "long messages", long_messages },
		{ "QEMU ends", qemu_ends },
		{ "the monitor goes, its QEMU is found", gone_past },
		{ "one command at a time", one_at_a_time },
		{ "a client leaves before its answer", client_leaves },
		{ "QEMU's last words", last_words },
		{ "a client that does not read", stalled },
		{ "QEMU talks nonsense", qemu_talks_nonsense },
		{ "one that waits for it", waited_for },
		{ "refused starts", refused_starts },
	};

	return TAP_RUN(tests);
}
