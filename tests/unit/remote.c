// SPDX-License-Identifier: GPL-2.0-only
/* The observer's side of an agent, which a shell script stands in for. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "downtime/remote.h"
#include "scratch.h"
#include "tap.h"

#define COME_MS	20000	/* what is to come may be slow */
#define HOUR_NS	3600000000000LL

/* Answers pings, the clock at an hour; the rest is for what is asked after that. */
#define ANSWERS(rest) \
	"#!/bin/sh\n" \
	"while read -r line; do\n" \
	"id=${line##*:}; id=${id%%\\}*}\n" \
	"case $line in\n" \
	"*ping*) echo '{\"ns\":3600000000000,\"id\":'$id'}';;\n" \
	rest "\n" \
	"esac\n" \
	"done\n"

static struct remote remote;
static struct fault fault;

static int open_program(const char *program)
{
	struct remote_where where = { .program = program };

	return remote_open(&remote, "test", &where, &fault);
}

static int open_script(const char *script)
{
	return open_program(scratch_file("agent", script, 0700));
}

static void must_open(const char *script)
{
	if (open_script(script))
		tap_give_up(fault.text);
}

/* And nobody is left. */
static void end(void)
{
	remote_close(&remote);
	CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

static void check_no_open(const char *script, const char *why)
{
	CHECK(open_script(script) == -1);
	CHECK_HAS(fault.text, why);
	CHECK_HAS(fault.text, "the agent on this host (test) does not start: ");
	CHECK_HAS(fault.text, "It is run as: /");
	CHECK_HAS(fault.text, "/agent agent");
	end();
}

static json_t *request(const char *what)
{
	return json_pack("{s:s}", "do", what);
}

static void opens(void)
{
	json_t *answer = NULL;
	int64_t error_ns, here_ns;

	must_open(ANSWERS("*stat*) echo '{\"cpu_s\":1.5,\"id\":'$id'}';;"));
	CHECK_TEXT(remote.name, "the agent on this host (test)");
	CHECK(remote.sync_count == 1 && remote.syncs[0].error_ns > 0);
	CHECK(!remote_call(&remote, request("stat"), COME_MS, &answer, &fault));
	CHECK(json_real_value(json_object_get(answer, "cpu_s")) == 1.5);
	json_decref(answer);
	CHECK(!remote_call(&remote, request("stat"), COME_MS, NULL, &fault));
	CHECK(json_object_size(remote.answers) == 0);
	here_ns = remote_to_local(&remote, HOUR_NS, &error_ns);
	CHECK(here_ns == remote.syncs[0].local_ns && here_ns < (int64_t)clock_ns());
	end();
	end();		/* closed twice is closed */
}

/* The newest stay in the last place. */
static void many_comparisons(void)
{
	int i;

	must_open(ANSWERS(""));
	for (i = 0; i < REMOTE_SYNCS + 2; i++)
		CHECK(!remote_sync(&remote, &fault));
	CHECK(remote.sync_count == REMOTE_SYNCS);
	for (i = 1; i < REMOTE_SYNCS; i++)
		CHECK(remote.syncs[i].local_ns > remote.syncs[i - 1].local_ns);
	end();
}

static void errors(void)
{
	json_t *answer = NULL;

	must_open(ANSWERS("*open*) echo '{\"error\":\"no such thing\",\"id\":'$id'}';;\n"
			  "*call*) echo '{\"return\":{\"status\":\"x\"},\"id\":'$id'}';;"));
	CHECK(remote_call(&remote, request("open"), COME_MS, &answer, &fault) == -1 && !answer);
	CHECK_TEXT(fault.text, "the agent on this host (test): no such thing");
	CHECK(!remote_qmp(&remote, "main", "query-status", json_object(), &answer, &fault));
	CHECK_TEXT(json_string_value(json_object_get(answer, "status")), "x");
	json_decref(answer);
	CHECK(!remote_qmp(&remote, "main", "cont", NULL, NULL, &fault));
	end();
}

static void does_not_start(void)
{
	check_no_open("#!/bin/sh\nexit 1\n", "the agent on this host (test) is gone");
	check_no_open("#!/bin/sh\nread line\nexit\n", "is gone");
	check_no_open("#!/none/such\n", "is gone");
	check_no_open("#!/bin/sh\necho 'Welcome to hostB!'\n", "no JSON object: Welcome to hostB!");
	check_no_open("#!/bin/sh\necho '[]'; cat\n", "no JSON object: []");
	check_no_open("#!/bin/sh\nprintf '\\377\\001\\n'; cat\n", "no JSON object: ?");
	check_no_open("#!/bin/sh\nexec head -c 20000000 /dev/zero\n", "a line of ");
	check_no_open("#!/bin/sh\nread line; echo '{\"id\":1}'; cat >/dev/null\n", "not tell its time");
	check_no_open("#!/bin/sh\nread line; echo '{\"id\":1,\"ns\":-9223372036854775808}'; cat >/dev/null\n",
		      "not tell its time");
	check_no_open("#!/bin/sh\nread line; echo '{\"id\":1,\"ns\":9223372036854775807}'; cat >/dev/null\n",
		      "not tell its time");
	check_no_open("#!/bin/sh\nread line; echo '{\"id\":1,\"error\":\"old\"}'; cat >/dev/null\n",
		      "(test): old");
	CHECK(open_program("/none/such") == -1);
	CHECK_HAS(fault.text, "is gone. It is run as: /none/such agent");
	end();
}

/* It lives, and does not answer: this takes its time. */
static void never_says_hello(void)
{
	check_no_open("#!/bin/sh\ncat >/dev/null\n", "does not answer in 30 s");
}

static void never_answers(void)
{
	json_t *answer = NULL;
	uint64_t start_ms;

	must_open(ANSWERS("*late*) (sleep 1; echo '{\"late\":1,\"id\":'$id'}') & ;;\n"
			  "*next*) wait; echo '{\"next\":1,\"id\":'$id'}';;"));
	start_ms = clock_ms();
	CHECK(remote_call(&remote, request("nothing"), 300, &answer, &fault) == -1 && !answer);
	CHECK(clock_ms() - start_ms >= 299);
	CHECK_HAS(fault.text, "does not answer in 0.3 s");
	CHECK(remote_call(&remote, request("late"), 10, &answer, &fault) == -1);
	CHECK(!remote_call(&remote, request("next"), COME_MS, &answer, &fault));
	CHECK(json_object_get(answer, "next") != NULL);
	json_decref(answer);
	end();
}

/* Each gets its own, whichever came first, also when it is asked for late. */
static void out_of_order(void)
{
	json_int_t first, second, third;
	json_t *answer;

	must_open(ANSWERS("*one*) one=$id;; *two*) two=$id;;\n"
			  "*three*) echo '{\"is\":3,\"id\":'$id'}'; echo '{\"is\":2,\"id\":'$two'}'\n"
			  "echo '{\"is\":1,\"id\":'$one'}';;"));
	first = remote_ask(&remote, request("one"), &fault);
	second = remote_ask(&remote, request("two"), &fault);
	third = remote_ask(&remote, request("three"), &fault);
	CHECK(first > 0 && second == first + 1 && third == second + 1);
	CHECK(remote_answer(&remote, first, COME_MS, &answer, &fault) == 1);
	CHECK(json_integer_value(json_object_get(answer, "is")) == 1);
	json_decref(answer);
	CHECK(remote_answer(&remote, third, 0, &answer, &fault) == 1);
	CHECK(json_integer_value(json_object_get(answer, "is")) == 3);
	json_decref(answer);
	CHECK(remote_answer(&remote, second, 0, &answer, &fault) == 1);
	CHECK(json_integer_value(json_object_get(answer, "is")) == 2);
	json_decref(answer);
	CHECK(remote_answer(&remote, second, 0, &answer, &fault) == 0 && !answer);
	end();
}

/* Answers that nobody takes are given back at the end. */
static void untaken(void)
{
	must_open(ANSWERS("*) echo '{\"id\":'$id'}{\"id\":999}'; echo '{\"id\":1.5}';;"));
	CHECK(remote_ask(&remote, request("a"), &fault) > 0);
	CHECK(remote_hear(&remote, COME_MS, &fault) == -1);	/* two on a line are none */
	end();
	must_open(ANSWERS("*) echo '{\"id\":'$id'}'; echo '{\"id\":999}'; echo '{\"id\":1.5}';;"));
	CHECK(remote_ask(&remote, request("a"), &fault) > 0);
	CHECK(!remote_call(&remote, request("b"), COME_MS, NULL, &fault));
	CHECK(json_object_size(remote.answers) == 2);
	end();
}

static int heard;

static void count(void *context, struct remote *from, json_t *message)
{
	CHECK(context == &heard && from == &remote);
	heard += json_integer_value(json_object_get(message, "event"));
}

static void hears(void)
{
	int n;

	must_open(ANSWERS("*) echo '{\"event\":1}'; echo '{\"event\":2,\"id\":null}'; echo '{\"id\":'$id'}';;"));
	remote.heard = count;
	remote.context = &heard;
	CHECK(!remote_call(&remote, request("a"), COME_MS, NULL, &fault));
	CHECK(heard == 3);
	CHECK(remote_ask(&remote, request("a"), &fault) > 0);
	for (n = 0; n < COME_MS / 10 && heard < 6; n++)
		CHECK(!remote_hear(&remote, 10, &fault));
	CHECK(heard == 6 && !remote_hear(&remote, 0, &fault));
	end();
}

static void ends_in_between(void)
{
	json_t *answer;

	must_open(ANSWERS("*call*) printf '{\"id\"'; exit;;"));
	CHECK(remote_qmp(&remote, "main", "query-migrate", NULL, &answer, &fault) == -1);
	CHECK_HAS(fault.text, "(test) is gone");
	CHECK(remote_hear(&remote, 100, &fault) == -1 && remote_sync(&remote, &fault) == -1);
	CHECK(remote_qmp(&remote, "main", "query-migrate", NULL, &answer, &fault) == -1);
	CHECK(remote.sync_count == 1);
	end();
}

static void nonsense_in_between(void)
{
	json_t *answer = NULL;

	must_open(ANSWERS("*a*) echo 'panic: oops';;\n*) echo '{\"id\":'$id'}';;"));
	CHECK(remote_call(&remote, request("a"), COME_MS, &answer, &fault) == -1);
	CHECK_HAS(fault.text, "says what is no JSON object: panic: oops");
	CHECK(remote_call(&remote, request("b"), COME_MS, &answer, &fault) == -1 && !answer);
	end();
}

/* What never ends does not hold us up: bytes without a line, lines without an answer. */
static void babble(void)
{
	json_t *answer;
	json_int_t id;
	int n;

	must_open(ANSWERS("*drip*) while printf x; do sleep 0.01; done;;"));
	id = remote_ask(&remote, request("drip"), &fault);
	CHECK(remote_answer(&remote, id, 300, &answer, &fault) == 0 && !answer);
	CHECK(!remote_hear(&remote, 100, &fault));
	end();
	must_open(ANSWERS("*flood*) exec yes '{\"event\":{}}' 2>/dev/null;;"));
	id = remote_ask(&remote, request("flood"), &fault);
	for (n = 0; n < 3; n++)
		CHECK(remote_answer(&remote, id, 100 * n, &answer, &fault) == 0 && !answer);
	CHECK(!remote_hear(&remote, 100, &fault));
	end();
}

/* One that does not end by itself is made to. */
static void stays(void)
{
	must_open(ANSWERS("*stay*) echo '{\"id\":'$id'}'; exec sleep 1000;;"));
	CHECK(!remote_call(&remote, request("stay"), COME_MS, NULL, &fault));
	end();
}

static void remote_shell(void)
{
	struct remote_where where = { .host = "hostB" };
	char rsh[200], script[500], expected[400], told[400] = "";
	FILE *file;

	where.program = scratch_file("agent", ANSWERS(""), 0700);
	snprintf(script, sizeof(script), "#!/bin/sh\necho \"$*\" >%s/told\nshift 3\nexec \"$@\"\n",
		 scratch_dir());
	snprintf(rsh, sizeof(rsh), "%s  -p 22 ", scratch_file("rsh", script, 0700));
	where.rsh = rsh;
	CHECK(!remote_open(&remote, "test", &where, &fault));
	CHECK_TEXT(remote.name, "the agent on hostB (test)");
	end();
	file = fopen(scratch_path("told"), "r");
	CHECK(file && fgets(told, sizeof(told), file));
	fclose(file);
	snprintf(expected, sizeof(expected), "-p 22 hostB %s agent\n", where.program);
	CHECK_TEXT(told, expected);
	where.program = "vmfastmig";
	where.rsh = "/none/such -x";
	CHECK(remote_open(&remote, "test", &where, &fault) == -1);
	CHECK_HAS(fault.text, "(test) is gone. It is run as: /none/such -x hostB vmfastmig agent");
	end();
}

static void check_where(const char *rsh, const char *host, const char *why)
{
	struct remote_where where = { .rsh = rsh, .host = host, .program = "true" };

	CHECK(remote_open(&remote, "test", &where, &fault) == -1);
	CHECK_HAS(fault.text, why);
	end();
}

static void refused_shells(void)
{
	char words[200] = "";
	int i;

	for (i = 0; i < 33; i++)
		strcat(words, "ssh ");
	check_where(words, "hostB", "more than 32 words");
	check_where("", "hostB", "a command is wanted, to reach hostB");
	check_where("  ", "hostB", "a command is wanted");
	check_where(NULL, "hostB", "a command is wanted");
	check_where("ssh", "", "\"\" is no host");
	check_where("ssh", "-oProxyCommand=x", "\"-oProxyCommand=x\" is no host");
	words[32 * 4] = 0;
	words[0] = words[1] = '/';
	check_where(words, "hostB", "It is run as: //h ssh");
}

/* An interrupt at the terminal is ours; a pipe that breaks is its own. */
static void signals(void)
{
	json_t *answer = NULL;

	must_open(ANSWERS("*session*) read -r stat </proc/$$/stat; set -- $stat\n"
			  "[ $$ = $6 ] && echo '{\"own\":1,\"id\":'$id'}';;\n"
			  "*pipe*) kill -PIPE $$; echo '{\"id\":'$id'}';;"));
	CHECK(!remote_call(&remote, request("session"), COME_MS, &answer, &fault));
	CHECK(json_object_get(answer, "own") != NULL);
	json_decref(answer);
	CHECK(remote_call(&remote, request("pipe"), COME_MS, NULL, &fault) == -1);
	CHECK(remote_ask(&remote, request("pipe"), &fault) == -1);
	CHECK_HAS(fault.text, "is gone");
	end();
}

int main(void)
{
	static const struct test tests[] = {
		{ "opens", opens },
		{ "many comparisons", many_comparisons },
		{ "errors", errors },
		{ "does not start", does_not_start },
		{ "never says hello", never_says_hello },
		{ "never answers", never_answers },
		{ "answers out of order", out_of_order },
		{ "answers nobody takes", untaken },
		{ "what it says by itself", hears },
		{ "ends in between", ends_in_between },
		{ "nonsense in between", nonsense_in_between },
		{ "babble", babble },
		{ "does not end", stays },
		{ "a remote shell", remote_shell },
		{ "refused shells", refused_shells },
		{ "signals", signals },
	};

	signal(SIGPIPE, SIG_IGN);	/* as whoever uses it has to */
	return TAP_RUN(tests);
}
