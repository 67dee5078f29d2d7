// SPDX-License-Identifier: GPL-2.0-only
/* The measuring end on a host, as its observer meets it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "downtime/agent.h"
#include "lines.h"
#include "downtime/usage.h"
#include "played.h"
#include "qemu.h"
#include "scratch.h"
#include "tap.h"

#define COME_MS	20000	/* what is to come may be slow */
#define OUTPUT_BYTES (1 << 20)	/* kept of what a program says */

static pid_t agent;
static struct lines lines;
static int last_id;
static struct fault fault;

/* In a process of its own; to be called before there are threads. */
static void start(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		tap_give_up("socketpair");
	fflush(NULL);
	agent = fork();
	if (!agent) {
		close(pair[0]);
		signal(SIGPIPE, SIG_IGN);
		agent_serve(pair[1], pair[1]);
		exit(0);	/* through the leak check */
	}
	close(pair[1]);
	lines_open(&lines, "the agent", pair[0], pair[0]);
}

static void check_ended(void)
{
	int status;

	CHECK(waitpid(agent, &status, 0) == agent && WIFEXITED(status) && !WEXITSTATUS(status));
}

static void end(void)
{
	lines_close(&lines);
	check_ended();
}

static json_t *hear(void)
{
	json_t *message;
	int got = lines_next(&lines, COME_MS, &message, &fault);

	if (got <= 0)
		tap_give_up(got ? fault.text : "the agent says nothing");
	return message;
}

static void say(json_t *request)
{
	if (lines_send(&lines, request, &fault))
		tap_give_up(fault.text);
}

static void say_raw(const char *text)
{
	if (write(lines.out, text, strlen(text)) != (ssize_t)strlen(text))
		tap_give_up("cannot write");
}

/* The id it was given. */
static int ask(json_t *request)
{
	json_object_set_new(request, "id", json_integer(++last_id));
	say(request);
	return last_id;
}

static json_t *answer(int id)
{
	json_t *message = hear();

	CHECK(json_integer_value(json_object_get(message, "id")) == id);
	return message;
}

static json_t *call(json_t *request)
{
	return answer(ask(request));
}

static void check_error(json_t *message, const char *part)
{
	CHECK_HAS(json_string_value(json_object_get(message, "error")), part);
	json_decref(message);
}

static void check_fine(json_t *message)
{
	CHECK(!json_object_get(message, "error"));
	json_decref(message);
}

static json_int_t int_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static json_t *open_request(const char *name, const char *path)
{
	return json_pack("{s:s,s:s,s:s}", "do", "open", "monitor", name, "path", path);
}

static json_t *qmp_request(const char *name, const char *command)
{
	return json_pack("{s:s,s:s,s:s}", "do", "call", "monitor", name, "execute", command);
}

static json_t *stat_request(const char *name)
{
	return json_pack("{s:s,s:s}", "do", "stat", "monitor", name);
}

static json_t *run_request(const char *script)
{
	return json_pack("{s:s,s:[s,s,s]}", "do", "run", "argv", "sh", "-c", script);
}

static void ping(void)
{
	uint64_t before_ns = clock_ns();
	json_t *message;

	start();
	message = call(json_pack("{s:s}", "do", "ping"));
	CHECK((uint64_t)int_of(message, "ns") >= before_ns &&
	      (uint64_t)int_of(message, "ns") <= clock_ns());
	json_decref(message);
	end();
}

/* Its id comes back with the answer whatever it is; and in order. */
static void ids(void)
{
	json_t *message;
	int i;

	start();
	say_raw("{\"do\":\"ping\",\"id\":\"a\"}\n{\"do\":\"ping\",\"id\":[1]}\n{\"do\":\"ping\"}\n");
	message = hear();
	CHECK_TEXT(text_of(message, "id"), "a");
	json_decref(message);
	message = hear();
	CHECK(json_array_size(json_object_get(message, "id")) == 1);
	json_decref(message);
	message = hear();
	CHECK(!json_object_get(message, "id") && int_of(message, "ns"));
	json_decref(message);
	for (i = 0; i < 200; i++)
		ask(json_pack("{s:s}", "do", i % 2 ? "ping" : "nothing"));
	for (i = 0; i < 200; i++)
		json_decref(answer(last_id - 199 + i));
	end();
}

static void monitor(void)
{
	struct played played;
	json_t *message;

	start();
	played_start(&played, scratch_path("qmp"), "running");
	check_error(call(qmp_request("main", "query-status")), "no monitor \"main\" is open");
	check_fine(call(open_request("main", scratch_path("qmp"))));
	check_error(call(open_request("main", scratch_path("qmp"))), "is open already");
	message = call(qmp_request("main", "query-status"));
	CHECK(int_of(message, "ns") > 0);
	CHECK_TEXT(text_of(json_object_get(message, "return"), "status"), "running");
	json_decref(message);
	check_error(call(qmp_request("other", "query-status")), "no monitor \"other\" is open");
	played.refuses_cont = true;
	check_error(call(qmp_request("main", "cont")), "QEMU refused cont: lock held");
	check_fine(call(json_pack("{s:s,s:s,s:s,s:{s:i}}", "do", "call", "monitor", "main", "execute",
				  "migrate-set-parameters", "arguments", "downtime-limit", 1)));
	CHECK(played.settings == 1 && played.conts == 1);
	end();
	played_end(&played);
}

static void no_monitor(void)
{
	char name[40];

	start();
	check_error(call(open_request("main", scratch_path("none"))), "cannot connect to the monitor");
	check_error(call(open_request("main", "")), "cannot connect to the monitor");
	check_error(call(json_pack("{s:s}", "do", "open")), "cannot connect to the monitor");
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = 0;
	check_error(call(open_request(name, scratch_path("none"))), "too long for a monitor's name");
	end();
}

static void five_monitors(void)
{
	struct played played[4];
	char name[16];
	int i;

	start();
	for (i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		played_start(&played[i], scratch_path(name), i % 2 ? "paused" : "running");
		check_fine(call(open_request(name, scratch_path(name))));
	}
	check_error(call(open_request("m4", scratch_path("m0"))), "no more than 4 monitors");
	for (i = 0; i < 4; i++) {
		json_t *message;

		snprintf(name, sizeof(name), "m%d", i);
		message = call(qmp_request(name, "query-status"));
		CHECK_TEXT(text_of(json_object_get(message, "return"), "status"),
			   i % 2 ? "paused" : "running");
		json_decref(message);
	}
	end();
	for (i = 0; i < 4; i++)
		played_end(&played[i]);
}

/* An event that says when it was, a while ago. */
static void say_event(int fd, const char *name, long long s, long us)
{
	char text[200];

	snprintf(text, sizeof(text),
		 "{\"event\":\"%s\",\"timestamp\":{\"seconds\":%lld,\"microseconds\":%ld}}\n", name, s, us);
	script_say(fd, text);
}

/* Some unasked, some before an answer; then no answer in it, and the end. */
static void tells(int fd, void *arg)
{
	struct timespec wall;
	json_t *request;

	(void)arg;
	clock_gettime(CLOCK_REALTIME, &wall);
	script_greet(fd);
	say_event(fd, "STOP", wall.tv_sec - 1, wall.tv_nsec / 1000);
	script_say(fd, "{\"event\":\"RESUME\"}\n");
	say_event(fd, "ABSURD", 9223372036854775807LL, 9);
	say_event(fd, "ABSURD", -1, -1);
	say_event(fd, "ABSURD", wall.tv_sec, 1000000);
	request = script_hear(fd);
	say_event(fd, "MIGRATION_PASS", wall.tv_sec, wall.tv_nsec / 1000);
	script_say(fd, "{\"id\":2}\n{\"event\":\"SHUTDOWN\"}\n");
	json_decref(request);
}

static json_t *hear_event(const char *name)
{
	json_t *message = hear();

	CHECK_TEXT(text_of(json_object_get(message, "event"), "event"), name);
	CHECK_TEXT(text_of(message, "monitor"), "main");
	CHECK(int_of(message, "ns") > 0 && int_of(message, "ns") <= (json_int_t)clock_ns());
	return message;
}

static void events(void)
{
	struct script script;
	json_t *message;
	int i;

	start();
	script_start(&script, scratch_path("qmp"), tells, NULL);
	check_fine(call(open_request("main", scratch_path("qmp"))));
	message = hear_event("STOP");
	CHECK(int_of(message, "event_ns") <= int_of(message, "ns") - 999000000);
	CHECK(int_of(message, "event_ns") > int_of(message, "ns") - 30000000000);
	json_decref(message);
	message = hear_event("RESUME");
	CHECK(json_is_integer(json_object_get(message, "event_ns")) && !int_of(message, "event_ns"));
	json_decref(message);
	for (i = 0; i < 3; i++) {
		message = hear_event("ABSURD");
		CHECK(int_of(message, "event_ns") == 0);
		json_decref(message);
	}
	message = call(qmp_request("main", "query-status"));
	CHECK(json_is_null(json_object_get(message, "return")));
	json_decref(message);
	message = hear_event("MIGRATION_PASS");
	CHECK(int_of(message, "event_ns") > 0);
	json_decref(message);
	json_decref(hear_event("SHUTDOWN"));
	message = hear();
	CHECK_TEXT(text_of(message, "monitor"), "main");
	CHECK(json_is_true(json_object_get(message, "gone")));
	json_decref(message);
	check_error(call(qmp_request("main", "query-status")), "no monitor \"main\" is open");
	end();
	script_end(&script);
}

static void says_nonsense(int fd, void *arg)
{
	(void)arg;
	script_greet(fd);
	script_say(fd, "{\"event\":\"STOP\"}\nwhat?\n");
	json_decref(script_hear(fd));	/* up to its end */
}

static void nonsense_monitor(void)
{
	struct script script;
	json_t *message;

	start();
	script_start(&script, scratch_path("qmp"), says_nonsense, NULL);
	check_fine(call(open_request("main", scratch_path("qmp"))));
	json_decref(hear_event("STOP"));
	message = hear();
	CHECK(json_is_true(json_object_get(message, "gone")));
	json_decref(message);
	check_fine(call(json_pack("{s:s}", "do", "ping")));
	end();
	script_end(&script);
}

/* Opened, asked, and told to end. */
static void real_qemu(void)
{
	pid_t qemu = qemu_start(scratch_path("qmp"), "");
	json_t *message, *event;

	start();
	check_fine(call(open_request("main", scratch_path("qmp"))));
	message = call(qmp_request("main", "query-status"));
	CHECK_TEXT(text_of(json_object_get(message, "return"), "status"), "prelaunch");
	json_decref(message);
	check_error(call(qmp_request("main", "nothing")), "QEMU refused nothing");
	check_error(call(qmp_request("main", "")), "QEMU refused");
	message = call(stat_request("main"));
	CHECK(json_object_get(message, "pinned_bytes"));
	json_decref(message);
	check_fine(call(qmp_request("main", "cont")));
	message = hear_event("RESUME");
	event = json_object_get(message, "event");
	CHECK(json_is_object(json_object_get(event, "timestamp")));
	CHECK(int_of(message, "event_ns") > 0 &&
	      llabs(int_of(message, "event_ns") - int_of(message, "ns")) < 30000000000);
	json_decref(message);
	kill(qemu, SIGKILL);
	do {
		message = hear();
		event = json_object_get(message, "gone");
		json_decref(message);
	} while (!event);
	message = call(stat_request("main"));
	CHECK(json_object_get(message, "cpu_s") && !json_object_get(message, "pinned_bytes"));
	json_decref(message);
	end();
	qemu_end(qemu);
}

/* The monitor's peer is this process: ASan makes mlock() do nothing. */
static void stat_pinned(void)
{
	size_t bytes = 64 << 10;
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct played played;
	json_t *message;

	start();
	played_start(&played, scratch_path("qmp"), "running");
	check_fine(call(open_request("main", scratch_path("qmp"))));
	message = call(stat_request("main"));
	CHECK(json_is_integer(json_object_get(message, "pinned_bytes")));
	CHECK(int_of(message, "pinned_bytes") == 0);
	json_decref(message);
	if (syscall(SYS_mlock, memory, bytes))
		tap_give_up("mlock");
	message = call(stat_request("main"));
	CHECK(int_of(message, "pinned_bytes") == (json_int_t)bytes);
	json_decref(message);
	munmap(memory, bytes);
	end();
	played_end(&played);
}

static void stat_cpu(void)
{
	double before_s, after_s;
	uint64_t until_ns;
	json_t *message;

	start();
	message = call(json_pack("{s:s}", "do", "stat"));
	before_s = json_real_value(json_object_get(message, "cpu_s"));
	CHECK(before_s > 0 && !json_object_get(message, "pinned_bytes"));
	json_decref(message);
	for (until_ns = clock_ns() + 100000000; clock_ns() < until_ns; )
		;
	message = call(stat_request("none"));
	after_s = json_real_value(json_object_get(message, "cpu_s"));
	CHECK(after_s > before_s && !json_object_get(message, "pinned_bytes"));
	json_decref(message);
	end();
}

/* Nothing is pinned by who is gone, or is nobody. */
static void stat_gone(void)
{
	pid_t pid = fork();
	json_t *usage;

	if (!pid)
		_exit(0);
	usage = usage_read(getpid(), &fault);
	CHECK(json_is_integer(json_object_get(usage, "pinned_bytes")));
	json_decref(usage);
	waitpid(pid, NULL, 0);
	usage = usage_read(pid, &fault);
	CHECK(json_object_get(usage, "cpu_s") && !json_object_get(usage, "pinned_bytes"));
	json_decref(usage);
	usage = usage_read(0, &fault);
	CHECK(json_object_get(usage, "cpu_s") && !json_object_get(usage, "pinned_bytes"));
	json_decref(usage);
}

/* STATUS, what it said, what it complained. */
static void check_run(const char *script, int status, const char *output, const char *errors)
{
	json_t *message = call(run_request(script));

	CHECK(json_is_integer(json_object_get(message, "status")));
	CHECK(int_of(message, "status") == status);
	CHECK_TEXT(text_of(message, "output"), output);
	CHECK_TEXT(text_of(message, "errors"), errors);
	json_decref(message);
}

static void run(void)
{
	json_t *message;

	start();
	check_run("true", 0, "", "");
	check_run("exit 3", 3, "", "");
	check_run("echo a; echo b >&2; echo c", 0, "a\nc\n", "b\n");
	check_run("kill -KILL $$", 128 + SIGKILL, "", "");
	check_run("kill -PIPE $$", 128 + SIGPIPE, "", "");	/* which the agent ignores */
	check_run("cat; echo $?", 0, "0\n", "");		/* its input is at its end */
	check_run("for fd in /proc/$$/fd/*; do case $fd in */[012]);; *) readlink $fd;; esac; done; true",
		  0, "", "");
	check_run("printf 'a\\000b\\377c'", 0, "a?b?c", "");
	message = call(json_pack("{s:s,s:[s]}", "do", "run", "argv", "/none/such"));
	CHECK(int_of(message, "status") == 127);
	CHECK_HAS(text_of(message, "errors"), "/none/such: No such file or directory");
	json_decref(message);
	end();
}

static void big_output(void)
{
	json_t *message;
	const char *text;

	start();
	message = call(run_request("head -c 3000000 /dev/zero | tr '\\0' x; head -c 70000 /dev/zero >&2"));
	text = text_of(message, "output");
	CHECK(int_of(message, "status") == 0 && strlen(text) == OUTPUT_BYTES);
	CHECK(strspn(text, "x") == OUTPUT_BYTES);
	text = text_of(message, "errors");
	CHECK(strlen(text) == 70000 && strspn(text, "?") == 70000);
	json_decref(message);
	/* What JSON makes longest of. */
	message = call(run_request("head -c 2000000 /dev/zero | tr '\\0' '\\001' | tee /dev/stderr"));
	CHECK(strlen(text_of(message, "output")) == OUTPUT_BYTES);
	CHECK(strlen(text_of(message, "errors")) == OUTPUT_BYTES);
	json_decref(message);
	end();
}

static void refused_programs(void)
{
	json_t *words = json_array();
	int i;

	start();
	for (i = 0; i < 65; i++)
		json_array_append_new(words, json_string("true"));
	check_error(call(json_pack("{s:s}", "do", "run")), "1 to 64 words");
	check_error(call(json_pack("{s:s,s:[]}", "do", "run", "argv")), "1 to 64 words");
	check_error(call(json_pack("{s:s,s:s}", "do", "run", "argv", "true")), "1 to 64 words");
	check_error(call(json_pack("{s:s,s:o}", "do", "run", "argv", words)), "1 to 64 words");
	check_error(call(json_pack("{s:s,s:[s,i]}", "do", "run", "argv", "true", 1)), "are text");
	say_raw("{\"do\":\"run\",\"argv\":[\"true\"]}\n");
	check_error(hear(), "none was given");
	end();
}

static void several_programs(void)
{
	json_t *message, *of;
	int i, ids[4], seen = 0;

	start();
	for (i = 0; i < 4; i++)
		ids[i] = ask(run_request("trap 'exit 9' INT; while :; do sleep 0.05; done"));
	check_error(call(run_request("true")), "no more than 4 programs");
	check_error(call(json_pack("{s:s,s:i}", "do", "interrupt", "run", 999)), "no such program");
	check_error(call(json_pack("{s:s}", "do", "interrupt")), "no such program");
	usleep(500000);		/* let them set their traps; one that did not ends as well */
	for (i = 3; i >= 0; i--)
		ask(json_pack("{s:s,s:i}", "do", "interrupt", "run", ids[i]));
	for (i = 0; i < 8; i++) {
		message = hear();
		of = json_object_get(message, "status");
		seen += of && (json_integer_value(of) == 9 || json_integer_value(of) == 128 + SIGINT);
		CHECK(!json_object_get(message, "error"));
		json_decref(message);
	}
	CHECK(seen == 4);
	check_run("echo again", 0, "again\n", "");
	end();
}

static bool comes(const char *path)
{
	int n;

	for (n = 0; n < COME_MS / 50 && access(path, F_OK); n++)
		usleep(50000);
	return n < COME_MS / 50;
}

/* Its programs get one interrupt, all of them before one is waited for. */
static void observer_vanishes(void)
{
	char script[400];
	int i;

	start();
	for (i = 0; i < 3; i++) {
		snprintf(script, sizeof(script),
			 "trap 'echo $$ >>%s/got%d; exit' INT; echo >%s/ready%d; while :; do sleep 0.05; done",
			 scratch_dir(), i, scratch_dir(), i);
		ask(run_request(script));
	}
	CHECK(comes(scratch_path("ready0")) && comes(scratch_path("ready1")) &&
	      comes(scratch_path("ready2")));
	end();
	CHECK(comes(scratch_path("got0")) && comes(scratch_path("got1")) &&
	      comes(scratch_path("got2")));
}

static pid_t pid_in(const char *path)
{
	FILE *file = fopen(path, "r");
	int pid = 0;

	if (!file || fscanf(file, "%d", &pid) != 1)
		tap_give_up(path);
	fclose(file);
	return pid;
}

/* It is not waited for for ever. */
static void deaf_program(void)
{
	char script[400];
	pid_t pid;

	start();
	snprintf(script, sizeof(script), "trap '' INT; echo $$ >%s; mv %s %s; exec sleep 1000",
		 scratch_path("new"), scratch_path("new"), scratch_path("ready"));
	ask(run_request(script));
	CHECK(comes(scratch_path("ready")));
	end();
	pid = pid_in(scratch_path("ready"));
	CHECK(pid > 0 && !kill(pid, SIGKILL));
}

/* Answers that nobody reads; its end all the same. */
static void observer_vanishes_unread(void)
{
	int i;

	start();
	for (i = 0; i < 5; i++)
		ask(run_request("head -c 1000000 /dev/zero"));
	usleep(300000);
	end();
}

static void nonsense_requests(void)
{
	static const char *const unknown[] = {
		"{\"id\":1}\n", "{\"id\":1,\"do\":\"\"}\n", "{\"id\":1,\"do\":\"Ping\"}\n",
		"{\"id\":1,\"do\":7}\n", "{\"id\":1,\"do\":[\"ping\"]}\n", "{\"id\":1,\"do\":null}\n",
	}, *const wrong[] = {
		"{\"id\":1,\"do\":\"open\",\"monitor\":1,\"path\":{}}\n",
		"{\"id\":1,\"do\":\"call\",\"monitor\":[],\"execute\":5}\n",
		"{\"id\":1,\"do\":\"run\",\"argv\":{\"a\":1}}\n",
		"{\"id\":1,\"do\":\"run\",\"argv\":[[\"true\"]]}\n",
		"{\"id\":1,\"do\":\"interrupt\",\"run\":{}}\n",
	};
	size_t i;

	start();
	for (i = 0; i < sizeof(unknown) / sizeof(*unknown); i++) {
		say_raw(unknown[i]);
		check_error(answer(1), "no request");
	}
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		say_raw(wrong[i]);
		check_error(answer(1), "");
	}
	last_id = 1;
	check_fine(call(json_pack("{s:s}", "do", "ping")));
	end();
}

/* What is no object ends it, and it says nothing. */
static void no_objects(void)
{
	static const char *const ends[] = { "\n", "ping\n", "[]\n", "{\"do\":\"ping\"\n", "{}{}\n",
					    "{\"do\":\"ping\",\"do\":\"ping\"}\n", "\xff\n",
					    "{\"do\":\"\\u0000\"}\n" };
	json_t *message;
	size_t i;

	for (i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		start();
		say_raw(ends[i]);
		CHECK(lines_next(&lines, COME_MS, &message, &fault) == -1);
		CHECK_HAS(fault.text, "the agent is gone");
		check_ended();
		lines_close(&lines);
	}
	start();
	say_raw("{\"do\":\"ping\"");	/* and no more of it */
	shutdown(lines.out, SHUT_WR);
	CHECK(lines_next(&lines, COME_MS, &message, &fault) == -1);
	end();
}

/* 16 MiB and no end of a line. */
static void endless_line(void)
{
	static char piece[1 << 16];
	ssize_t sent;
	int i;

	start();
	memset(piece, ' ', sizeof(piece));
	for (i = 0, sent = 1; i < 300 && sent > 0; i++)
		sent = send(lines.out, piece, sizeof(piece), MSG_NOSIGNAL);
	CHECK(sent < 0);
	end();
}

int main(void)
{
	static const struct test tests[] = {
		{ "ping", ping },
		{ "ids", ids },
		{ "a monitor", monitor },
		{ "no monitor", no_monitor },
		{ "five monitors", five_monitors },
		{ "events", events },
		{ "a monitor that speaks nonsense", nonsense_monitor },
		{ "a real QEMU", real_qemu },
		{ "pinned memory", stat_pinned },
		{ "CPU seconds", stat_cpu },
		{ "what is gone has pinned nothing", stat_gone },
		{ "programs", run },
		{ "much output", big_output },
		{ "refused programs", refused_programs },
		{ "several programs and interrupts", several_programs },
		{ "the observer vanishes", observer_vanishes },
		{ "the observer vanishes, a program is deaf", deaf_program },
		{ "the observer vanishes and did not read", observer_vanishes_unread },
		{ "nonsense requests", nonsense_requests },
		{ "no objects", no_objects },
		{ "a line without an end", endless_line },
	};

	return TAP_RUN(tests);
}
