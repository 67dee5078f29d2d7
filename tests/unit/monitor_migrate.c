// SPDX-License-Identifier: GPL-2.0-only
/* Migrations to rdmafast: behind the monitor: QEMU and the daemon are played. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front.h"
#include "monitor/limits.h"
#include "scratch.h"
#include "script.h"
#include "tap.h"

#define MIGRATE	"{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"rdmafast:hostB\"},\"id\":1}"
#define QUERY	"{\"execute\":\"query-migrate\"}"
#define HMP(line) "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"" line "\"}}"
#define STATE(phase) "{\"state\":{\"id\":5,\"phase\":\"" phase "\"}}\n"
#define PROGRESS(round) "{\"state\":{\"id\":5,\"phase\":\"precopy\",\"progress\":{\"round\":" round \
	",\"total_bytes\":1048576,\"present_bytes\":524288,\"sent_bytes\":262144,\"dirty_bytes\":8192," \
	"\"rate\":1000000,\"dirty_rate\":40960,\"expected_downtime_ms\":9}}}\n"
#define COMPLETED "{\"result\":{\"completed\":true,\"ram\":{\"pages_sent\":70,\"bytes_sent\":286720," \
	"\"hole_pages\":1,\"zero_pages\":2,\"work_requests\":9},\"downtime_ms\":{\"qemu\":4.0,\"window\":12.5}}}\n"
#define INNER(status) "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"" status "\"}}\r\n"

static struct front front;
static struct script qemu, daemon_script;
static int qemu_fd, daemon_fd;	/* to say more, once they are connected */
static const char *capability;	/* that is on */
static const char *max_throttle = "80";
static json_t *set_in_qemu;	/* of its parameters */

static const char *played_answer(const char *command, char *text, size_t bytes)
{
	snprintf(text, bytes, "{}");
	if (!strcmp(command, "query-migrate-capabilities"))
		snprintf(text, bytes, "[{\"capability\":\"%s\",\"state\":true},{\"capability\":\"multifd\",\"state\":false}]",
			 capability);
	else if (!strcmp(command, "query-migrate-parameters"))
		snprintf(text, bytes, "{\"downtime-limit\":250,\"max-bandwidth\":1000,\"max-cpu-throttle\":%s}",
			 max_throttle);
	else if (!strcmp(command, "query-migrate"))
		snprintf(text, bytes, "{\"status\":\"qemu\"}");
	return text;
}

static void play_qemu(int fd, void *arg)
{
	char text[256], line[400];
	json_t *request;

	(void)arg;
	qemu_fd = fd;
	script_greet(fd);
	while ((request = script_hear(fd))) {
		if (!strcmp(json_string_value(json_object_get(request, "execute")),
			    "migrate-set-parameters"))
			set_in_qemu = json_incref(json_object_get(request, "arguments"));
		played_answer(json_string_value(json_object_get(request, "execute")), text,
			      sizeof(text));
		snprintf(line, sizeof(line), "{\"return\":%s,\"id\":%d}\r\n", text,
			 (int)json_integer_value(json_object_get(request, "id")));
		json_decref(request);
		script_say(fd, line);
	}
}

static json_t *order, *second_order;	/* what the daemon heard */
static int heard_fd;			/* eventfd: of each */

static void play_daemon(int fd, void *arg)
{
	int second;

	(void)arg;
	daemon_fd = fd;
	order = script_hear(fd);
	eventfd_write(heard_fd, 1);
	second = accept(daemon_script.listen, NULL, NULL);
	if (second >= 0) {
		second_order = script_hear(second);
		eventfd_write(heard_fd, 1);
		close(second);
	}
	json_decref(script_hear(fd));	/* until it is closed */
}

static void wait_order(void)
{
	eventfd_t count;

	eventfd_read(heard_fd, &count);
}

static void start(const char *on)
{
	capability = on;
	heard_fd = eventfd(0, EFD_SEMAPHORE);
	script_start(&qemu, scratch_path("qmp"), play_qemu, NULL);
	script_start(&daemon_script, scratch_path("daemon"), play_daemon, NULL);
	front_start(&front);
}

static void end(void)
{
	front_end(&front);
	script_end(&qemu);
	script_end(&daemon_script);
	close(heard_fd);
	json_decref(order);
	json_decref(second_order);
}

static void daemon_says(const char *text)
{
	script_say(daemon_fd, text);
}

/* Two users; the first one's migration has begun, the second one hears the events. */
static void begin(int *fd, int *other)
{
	json_t *answer;

	*fd = front_client();
	*other = front_client();
	script_say(*fd, MIGRATE);
	wait_order();
	daemon_says(STATE("new"));
	answer = front_answer(*fd);
	CHECK(json_object_get(answer, "return") &&
	      json_integer_value(json_object_get(answer, "id")) == 1);
	json_decref(answer);
	if (!strcmp(capability, "events"))
		CHECK_TEXT(front_event(*other), "MIGRATION setup");
}

static json_t *query(int fd)
{
	json_t *answer = front_ask(fd, QUERY), *figures = json_incref(json_object_get(answer,
										      "return"));

	json_decref(answer);
	return figures;
}

static void status_is(int fd, const char *status, const char *error)
{
	json_t *figures = query(fd);

	CHECK_TEXT(json_string_value(json_object_get(figures, "status")), status);
	if (error)
		CHECK_HAS(json_string_value(json_object_get(figures, "error-desc")), error);
	else
		CHECK(!json_object_get(figures, "error-desc"));
	json_decref(figures);
}

static void ram_is(int fd, const char *key, json_int_t value)
{
	json_t *figures = query(fd);

	if (!CHECK(json_integer_value(json_object_get(json_object_get(figures, "ram"), key)) ==
		   value))
		printf("# %s\n", key);
	json_decref(figures);
}

/* What the daemon is told of how far it may slow the guest down. */
static const char *slowdown(void)
{
	return json_string_value(json_object_get(json_object_get(order, "options"),
						 "max-slowdown"));
}

static void completes(void)
{
	int fd, other;
	json_t *figures;

	start("events");
	begin(&fd, &other);
	CHECK_TEXT(json_string_value(json_object_get(order, "command")), "migrate");
	CHECK_TEXT(json_string_value(json_object_get(order, "qmp")), scratch_path("front"));
	CHECK_TEXT(json_string_value(json_object_get(json_object_get(order, "options"), "downtime")),
		   "250");
	CHECK_TEXT(json_string_value(json_object_get(json_object_get(order, "options"), "bandwidth")),
		   "1000");
	CHECK(!slowdown());
	status_is(fd, "setup", NULL);
	CHECK_TEXT(front_error(fd, MIGRATE), "GenericError: There's a migration process in progress");
	CHECK_TEXT(front_error(other, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"tcp:a:1\"}}"),
		   "GenericError: There's a migration process in progress");
	CHECK_HAS(front_error(fd, "{\"execute\":\"migrate-continue\",\"arguments\":{\"state\":\"x\"}}"),
		  "Migration not in expected state: setup");
	daemon_says(PROGRESS("0") PROGRESS("1"));
	CHECK_TEXT(front_event(other), "MIGRATION_PASS 1");
	CHECK_TEXT(front_event(other), "MIGRATION active");
	CHECK_TEXT(front_event(other), "MIGRATION_PASS 2");
	ram_is(fd, "transferred", 262144);
	ram_is(fd, "remaining", 8192);
	ram_is(fd, "total", 1048576);
	ram_is(fd, "normal", 64);
	ram_is(fd, "dirty-pages-rate", 10);
	ram_is(fd, "dirty-sync-count", 2);
	script_say(qemu_fd, INNER("setup") INNER("active") "{\"event\": \"STOP\"}\r\n" INNER("pre-switchover")
		   INNER("device") INNER("completed"));
	CHECK_TEXT(front_event(other), "STOP");
	CHECK_TEXT(front_event(other), "MIGRATION device");
	daemon_says(COMPLETED);
	CHECK_TEXT(front_event(other), "MIGRATION completed");
	figures = query(fd);
	CHECK_TEXT(json_string_value(json_object_get(figures, "status")), "completed");
	CHECK(json_integer_value(json_object_get(figures, "downtime")) == 13);
	CHECK(json_object_get(figures, "total-time") && json_object_get(figures, "setup-time"));
	json_decref(figures);
	ram_is(fd, "remaining", 0);
	ram_is(fd, "transferred", 286720);
	ram_is(fd, "duplicate", 3);
	/* QEMU's own next migration is QEMU's to tell of. */
	CHECK(front_returns(fd, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"tcp:a:1\"}}", NULL));
	status_is(fd, "qemu", NULL);
	close(fd);
	close(other);
	end();
}

static void fails(void)
{
	int fd, other;

	start("events");
	begin(&fd, &other);
	daemon_says("{\"result\":{\"completed\":false,\"error\":\"no way\",\"guest\":\"running\"}}\n");
	CHECK_TEXT(front_event(other), "MIGRATION failed");
	status_is(fd, "failed", "no way");
	close(fd);
	close(other);
	end();
}

/* Without the capability no event is ours; QEMU's own stay the daemon's. */
static void no_events(void)
{
	int fd, other;

	start("auto-converge");
	begin(&fd, &other);
	daemon_says(PROGRESS("0"));
	script_say(qemu_fd, INNER("active") "{\"event\": \"A\"}\r\n");
	CHECK_TEXT(front_event(fd), "A");
	daemon_says("{\"result\":{\"completed\":false,\"error\":\"no way\"}}\n");
	usleep(100000);
	status_is(other, "failed", "no way");
	script_say(qemu_fd, "{\"event\": \"B\"}\r\n");
	CHECK_TEXT(front_event(fd), "B");
	close(fd);
	close(other);
	end();
}

static void slows_down(const char *throttle, const char *by)
{
	int fd, other;

	max_throttle = throttle;
	start("auto-converge");
	begin(&fd, &other);
	CHECK_TEXT(slowdown(), by);
	close(fd);
	close(other);
	end();
}

static void auto_converge(void)
{
	slows_down("1000", "99");
	slows_down("80", "80");
}

static void cancelled(void)
{
	int fd, other;

	start("events");
	begin(&fd, &other);
	CHECK(front_returns(fd, "{\"execute\":\"migrate_cancel\",\"id\":2}", "2"));
	CHECK_TEXT(front_event(other), "MIGRATION cancelling");
	wait_order();
	CHECK_TEXT(json_string_value(json_object_get(second_order, "command")), "cancel");
	CHECK(json_integer_value(json_object_get(second_order, "id")) == 5);
	status_is(fd, "cancelling", NULL);
	daemon_says("{\"result\":{\"completed\":false,\"error\":\"cancelled\",\"guest\":\"running\"}}\n");
	CHECK_TEXT(front_event(other), "MIGRATION cancelled");
	status_is(fd, "cancelled", NULL);
	close(fd);
	close(other);
	end();
}

#define SET(arguments) "{\"execute\":\"migrate-set-parameters\",\"arguments\":{" arguments "}}"

static json_int_t parameter(int fd, const char *name)
{
	json_t *answer = front_ask(fd, "{\"execute\":\"query-migrate-parameters\"}");
	json_int_t value = json_integer_value(json_object_get(json_object_get(answer, "return"), name));

	json_decref(answer);
	return value;
}

/* In its course; QEMU has them once it is over and the guest is still here. */
static void limits(void)
{
	json_t *options;
	int fd, other;

	start("events");
	begin(&fd, &other);
	CHECK_TEXT(front_error(fd, SET("\"downtime-limit\":2000001")),
		   "GenericError: Parameter 'downtime-limit' expects an integer in the range of 0 to 2000000 milliseconds");
	CHECK_HAS(front_error(fd, SET("\"max-bandwidth\":1.5")), "expects an integer");
	CHECK_HAS(front_error(fd, SET("\"max-bandwidth\":\"1\"")), "Invalid parameter type");
	CHECK_HAS(front_error(fd, SET("\"max-bandwidth\":1,\"multifd-channels\":2")), "multifd-channels");
	CHECK(parameter(fd, "downtime-limit") == 250 && parameter(fd, "max-bandwidth") == 1000);
	CHECK(front_returns(fd, SET("\"downtime-limit\":100000,\"max-bandwidth\":0"), NULL));
	wait_order();
	CHECK_TEXT(json_string_value(json_object_get(second_order, "command")), "set");
	CHECK(json_integer_value(json_object_get(second_order, "id")) == 5);
	options = json_object_get(second_order, "options");
	CHECK_TEXT(json_string_value(json_object_get(options, "downtime")), "60000");
	CHECK_TEXT(json_string_value(json_object_get(options, "bandwidth")), "0");
	CHECK(parameter(other, "downtime-limit") == 100000 && parameter(other, "max-bandwidth") == 0);
	CHECK(json_object_size(set_in_qemu) == 0);
	daemon_says("{\"result\":{\"completed\":false,\"error\":\"no way\",\"guest\":\"running\"}}\n");
	CHECK_TEXT(front_event(other), "MIGRATION failed");
	CHECK(parameter(fd, "downtime-limit") == 250);	/* QEMU's own, as it is played */
	CHECK(json_integer_value(json_object_get(set_in_qemu, "downtime-limit")) == 100000);
	CHECK(json_is_integer(json_object_get(set_in_qemu, "max-bandwidth")));
	json_decref(set_in_qemu);
	set_in_qemu = NULL;
	close(fd);
	close(other);
	end();
}

static bool hmp_is(const char *name, const char *value, double expected)
{
	json_t *limit = limits_of_hmp(name, value);
	bool is = json_number_value(json_object_get(limit, name)) == expected;

	json_decref(limit);
	return limit && is;
}

static void limits_hmp(void)
{
	CHECK(hmp_is("downtime-limit", "300", 300));
	CHECK(hmp_is("max-bandwidth", "2", 2 << 20) && hmp_is("max-bandwidth", "2m", 2 << 20));
	CHECK(hmp_is("max-bandwidth", "1.5k", 1536) && hmp_is("max-bandwidth", "7B", 7));
	CHECK(!limits_of_hmp("max-bandwidth", "2X") && !limits_of_hmp("max-bandwidth", "2kk"));
	CHECK(!limits_of_hmp("max-bandwidth", "") && !limits_of_hmp("max-bandwidth", "-1"));
	CHECK(!limits_of_hmp("downtime-limit", "300m") && !limits_of_hmp("xbzrle-cache-size", "1"));
}

static void daemon_dies(void)
{
	int fd, other;

	start("events");
	begin(&fd, &other);
	shutdown(daemon_fd, SHUT_RDWR);
	CHECK_TEXT(front_event(other), "MIGRATION failed");
	status_is(fd, "failed", "went away");
	close(fd);
	close(other);
	end();
}

/* The commit may have been said: it is not told that the guest may run here. */
static void outcome_unknown(void)
{
	int fd, other, i;

	for (i = 0; i < 2; i++) {
		order = second_order = NULL;
		start("events");
		begin(&fd, &other);
		script_say(qemu_fd, INNER("completed") "{\"event\": \"A\"}\r\n");
		CHECK_TEXT(front_event(other), "A");
		if (i)
			daemon_says("{\"result\":{\"completed\":false,\"error\":\"the outcome is unknown\",\"guest\":\"given away\"}}\n");
		else
			shutdown(daemon_fd, SHUT_RDWR);
		script_say(qemu_fd, "{\"event\": \"B\"}\r\n");
		usleep(100000);
		status_is(fd, "device", i ? "unknown" : "went away");
		CHECK_TEXT(front_event(other), "B");
		close(fd);
		close(other);
		end();
	}
}

static void refused(void)
{
	int fd;

	start("multifd-is-off");
	fd = front_client();
	CHECK_HAS(front_error(fd, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"rdmafast:\"}}"),
		  "no host");
	CHECK_HAS(front_error(fd, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"rdmafast:a?x=1\"}}"),
		  "unknown option");
	CHECK_HAS(front_error(fd, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"rdmafast:a\",\"blk\":true}}"),
		  "not compatible");
	CHECK_HAS(front_error(fd, "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"rdmafast:a\",\"y\":1}}"),
		  "Parameter 'y' is unexpected");
	script_say(fd, MIGRATE);
	wait_order();
	daemon_says("{\"result\":{\"completed\":false,\"error\":\"under way already\"}}\n");
	json_decref(front_answer(fd));
	status_is(fd, "qemu", NULL);
	close(fd);
	end();
}

static void capabilities(void)
{
	static const char *const not[] = { "postcopy-ram", "multifd", "xbzrle", "mapped-ram",
					   "pause-before-switchover" };
	size_t i;
	int fd;

	for (i = 0; i < sizeof(not) / sizeof(*not); i++) {
		start(not[i]);
		fd = front_client();
		CHECK_HAS(front_error(fd, MIGRATE), not[i]);
		CHECK(front_returns(fd, "{\"execute\":\"migrate-set-capabilities\"}", NULL));
		close(fd);
		end();
	}
}

static void no_daemon(void)
{
	int fd;

	script_start(&qemu, scratch_path("qmp"), play_qemu, NULL);
	capability = "events";
	front_start(&front);
	fd = front_client();
	CHECK_HAS(front_error(fd, MIGRATE), "is vmfastmigd running");
	CHECK_HAS(front_error(fd, "{\"execute\":\"migrate-incoming\",\"arguments\":{\"uri\":\"rdmafast:0\"}}"),
		  "is vmfastmigd running");
	status_is(fd, "qemu", NULL);
	close(fd);
	front_end(&front);
	script_end(&qemu);
}

/* The daemon's own connection is QEMU's, whatever users are told. */
static void inner(void)
{
	int fd, other, own;

	start("events");
	own = front_connect();
	CHECK(front_returns(own, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"vmfastmig\":true}}", NULL));
	begin(&fd, &other);
	script_say(qemu_fd, INNER("active"));
	CHECK_TEXT(front_event(own), "MIGRATION active");
	status_is(own, "qemu", NULL);
	CHECK(front_returns(own, MIGRATE, "1"));
	daemon_says(PROGRESS("0"));
	CHECK_TEXT(front_event(other), "MIGRATION_PASS 1");
	close(fd);
	close(other);
	close(own);
	end();
}

static void incoming(void)
{
	json_t *answer;
	int fd;

	start("events");
	fd = front_client();
	script_say(fd, "{\"execute\":\"migrate-incoming\",\"arguments\":{\"uri\":\"rdmafast:0/vm\"},\"id\":3}");
	wait_order();
	CHECK_TEXT(json_string_value(json_object_get(order, "command")), "incoming");
	CHECK_TEXT(json_string_value(json_object_get(order, "uri")), "rdmafast:0/vm");
	CHECK(json_is_true(json_object_get(order, "detach")));
	daemon_says("{\"result\":{\"started\":true,\"id\":1}}\n");
	answer = front_answer(fd);
	CHECK(json_object_get(answer, "return") &&
	      json_integer_value(json_object_get(answer, "id")) == 3);
	json_decref(answer);
	CHECK(front_returns(fd, QUERY, NULL));
	close(fd);
	end();
}

static const char *say_hmp(int fd, const char *request)
{
	static char text[2048];
	json_t *answer = front_ask(fd, request);

	snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(answer, "return")) ?:
		 "no text");
	json_decref(answer);
	return text;
}

static void hmp(void)
{
	json_t *answer;
	int fd;

	start("none");
	fd = front_client();
	CHECK_HAS(say_hmp(fd, HMP("migrate rdmafast:")), "Error: no host");
	CHECK_HAS(say_hmp(fd, HMP("migrate -b rdmafast:a")), "Error: -d");
	script_say(fd, HMP("migrate -d \\\"rdmafast:hostB?downtime=7\\\""));
	wait_order();
	CHECK_TEXT(json_string_value(json_object_get(order, "uri")), "rdmafast:hostB?downtime=7");
	CHECK(!json_object_get(json_object_get(order, "options"), "downtime"));
	daemon_says(PROGRESS("0"));
	answer = front_answer(fd);
	CHECK_TEXT(json_string_value(json_object_get(answer, "return")), "");
	json_decref(answer);
	CHECK_HAS(say_hmp(fd, HMP("info migrate")), "Migration status: active\r\n");
	CHECK_HAS(say_hmp(fd, HMP("info migrate")), "total ram: 1024 kbytes\r\n");
	CHECK_TEXT(say_hmp(fd, HMP("migrate tcp:a:1")), "Error: There's a migration process in progress\r\n");
	CHECK_TEXT(say_hmp(fd, HMP("migrate_cancel")), "");
	wait_order();
	daemon_says("{\"result\":{\"completed\":false,\"error\":\"cancelled\"}}\n");
	usleep(100000);
	CHECK_TEXT(say_hmp(fd, HMP("info migrate")), "Migration status: cancelled\r\n");
	CHECK_TEXT(say_hmp(fd, HMP("info status")), "no text");
	close(fd);
	end();
}

int main(void)
{
	static const struct test tests[] = {
		{ "completes", completes },
		{ "fails", fails },
		{ "events that nobody asked for", no_events },
		{ "auto-converge", auto_converge },
		{ "cancelled", cancelled },
		{ "limits in its course", limits },
		{ "limits as the human monitor has them", limits_hmp },
		{ "the daemon dies", daemon_dies },
		{ "an outcome that is unknown", outcome_unknown },
		{ "refused", refused },
		{ "capabilities that cannot be combined", capabilities },
		{ "no daemon", no_daemon },
		{ "the daemon's own connection", inner },
		{ "incoming", incoming },
		{ "the human monitor", hmp },
	};

	return TAP_RUN(tests);
}
