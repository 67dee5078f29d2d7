// SPDX-License-Identifier: GPL-2.0-only
/*
 * The source's side of a migration, as a list of stages.
 *
 * Up to the commit point every failure leads to undo(), after which the guest
 * runs here as before. The commit point is the sending of "commit": the QEMU
 * here has completed its migration by then and cannot resume by itself, the
 * QEMU there has loaded everything and stands still until it hears the word.
 * After it nothing here ever lets the guest run again.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "converge.h"
#include "daemon.h"
#include "door.h"
#include "guest.h"
#include "journal.h"
#include "log.h"
#include "preflight.h"
#include "qmp.h"
#include "stream.h"

#define ANSWER_MS	30000
#define START_MS	30000
#define ROUND_MS	3600000
#define FINAL_MS	10000
#define LOAD_MS		60000

struct source {
	struct job *job;
	const struct uri *uri;
	const char *qmp_path;
	bool check;

	struct qmp qmp;
	struct guest guest;
	struct door door;
	struct chan control, data;
	struct stream stream;
	char ticket[33];
	uint8_t token[VMFM_TOKEN_BYTES];
	struct sockaddr_storage rdma;	/* the sink's */
	char stream_path[108];
	int listen;
	uint32_t session;

	bool was_running;
	bool caps_set;
	bool migrating;		/* QEMU was told to */
	bool committed;
	uint64_t start_ns, stage_ns, stop_ns;
	struct door_session last;
	json_t *checks, *rounds, *phases;
	double downtime_qemu_ms, window_ms;
};

typedef int (*stage_run)(struct source *source, struct fault *fault);

static int cancelled(struct source *source, struct fault *fault)
{
	return job_cancelled(source->job) ? fail(fault, "cancelled") : 0;
}

static int stage_connect(struct source *source, struct fault *fault)
{
	json_t *hello;

	if (qmp_open(&source->qmp, source->qmp_path, fault) ||
	    guest_read(&source->guest, &source->qmp, fault) ||
	    door_open(&source->door, fault) ||
	    chan_connect(&source->control, source->uri->host, source->uri->port, &config.creds,
			 fault))
		return -1;
	source->was_running = !strcmp(guest_text(&source->guest, "status"), "running");
	job_set(source->job, "guest", json_string(guest_text(&source->guest, "name")));
	if (chan_send(&source->control, json_pack("{s:i,s:s}", "protocol", PROTOCOL_VERSION,
						  "purpose", "control"), fault) ||
	    chan_receive(&source->control, ANSWER_MS, &hello, fault))
		return -1;
	if (json_integer_value(json_object_get(hello, "protocol")) != PROTOCOL_VERSION) {
		json_decref(hello);
		return fail(fault, "vmfastmigd at %s speaks another protocol version; install the same version on both hosts",
			    source->control.peer);
	}
	json_decref(hello);
	return 0;
}

static uint64_t present_bytes(const struct guest *guest)
{
	uint64_t bytes = 0;
	struct stat st;
	unsigned int i;

	for (i = 0; i < guest->regions; i++)
		if (!fstat(guest->region[i].fd, &st))
			bytes += (uint64_t)st.st_blocks * 512;
	return bytes;
}

static void text_addr(const struct sockaddr_storage *addr, char *text, size_t bytes)
{
	getnameinfo((const struct sockaddr *)addr, sizeof(*addr), text, bytes, NULL, 0,
		    NI_NUMERICHOST);
}

static int send_offer(struct source *source, struct fault *fault)
{
	json_t *facts = json_deep_copy(source->guest.facts), *info;
	struct sockaddr_storage rdma;
	char token[2 * VMFM_TOKEN_BYTES + 1], addr[NI_MAXHOST];

	if (door_info(&source->door, &info, fault)) {
		json_decref(facts);
		return -1;
	}
	if (getrandom(source->token, sizeof(source->token), 0) != sizeof(source->token))
		return fail(fault, "no randomness: %s", strerror(errno));
	hex_encode(source->token, sizeof(source->token), token);
	config_rdma_addr(&source->control, &rdma);
	text_addr(&rdma, addr, sizeof(addr));
	json_object_set_new(facts, "present_bytes", json_integer(present_bytes(&source->guest)));
	return chan_send(&source->control,
			 json_pack("{s:o,s:o,s:s,s:s,s:s,s:b,s:b}", "offer", facts, "module", info,
				   "token", token, "rdma_addr", addr, "name",
				   *source->uri->name ? source->uri->name :
				   guest_text(&source->guest, "name"),
				   "paused", source->uri->options.paused || !source->was_running,
				   "check", source->check), fault);
}

static int take_ready(struct source *source, json_t *ready, struct fault *fault)
{
	const char *ticket = json_string_value(json_object_get(ready, "ticket"));
	const char *addr = json_string_value(json_object_get(ready, "rdma_addr"));
	json_int_t port = json_integer_value(json_object_get(ready, "rdma_port"));
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				  .ai_socktype = SOCK_STREAM }, *found;
	char service[8];

	if (!ticket || strlen(ticket) != 32 || !addr || port < 1 || port > 65535)
		return fail(fault, "%s gave no address to send RAM to", source->control.peer);
	strcpy(source->ticket, ticket);
	snprintf(service, sizeof(service), "%d", (int)port);
	if (getaddrinfo(addr, service, &hints, &found))
		return fail(fault, "%s: not an address: %s", source->control.peer, addr);
	memcpy(&source->rdma, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return 0;
}

static int stage_preflight(struct source *source, struct fault *fault)
{
	struct fault local;
	json_t *answer, *error;
	int err;

	preflight_source(source->checks, source->guest.facts);
	if (preflight_verdict(source->checks, &local) && !source->check)
		return fail(fault, "%s", local.text);
	if (send_offer(source, fault) ||
	    chan_receive(&source->control, ANSWER_MS, &answer, fault))
		return -1;
	json_array_extend(source->checks, json_object_get(answer, "checks"));
	error = json_object_get(answer, "error");
	if (error)
		err = fail(fault, "%s", json_string_value(error));
	else if (source->check)
		err = preflight_verdict(source->checks, fault);
	else
		err = take_ready(source, answer, fault);
	json_decref(answer);
	return err;
}

static int stage_prepare(struct source *source, struct fault *fault)
{
	if (chan_connect(&source->data, source->uri->host, source->uri->port, &config.creds, fault) ||
	    chan_send(&source->data, json_pack("{s:i,s:s,s:s}", "protocol", PROTOCOL_VERSION,
					       "purpose", "stream", "ticket", source->ticket), fault))
		return -1;
	source->caps_set = true;
	return guest_set_capabilities(&source->qmp, fault);
}

static int stage_start(struct source *source, struct fault *fault)
{
	struct door_spec spec = { .role = VMFM_ROLE_SOURCE, .addr = source->rdma,
				  .bandwidth = source->uri->options.bandwidth };
	struct door_session session;
	unsigned int i;

	memcpy(spec.token, source->token, sizeof(spec.token));
	if (config.rdma_addr.ss_family)
		spec.peer = config.rdma_addr;
	for (i = 0; i < source->guest.regions; i++) {
		strcpy(spec.region[i].name, source->guest.region[i].id);
		spec.region[i].fd = source->guest.region[i].fd;
	}
	spec.regions = source->guest.regions;
	if (door_session_new(&source->door, &spec, &source->session, NULL, fault) ||
	    door_session_do(&source->door, VMFM_CMD_SESSION_START, source->session, 0, fault))
		return -1;
	return door_session_wait(&source->door, source->session, VMFM_STATE_READY, START_MS,
				 source->job->stop_fd, &session, fault);
}

static void note_round(struct source *source, const struct door_round *round)
{
	json_array_append_new(source->rounds, json_pack(
		"{s:i,s:I,s:I,s:I,s:I,s:f,s:I,s:I,s:I}", "number", (int)round->number,
		"pages", (json_int_t)round->pages, "bytes", (json_int_t)round->bytes,
		"hole_pages", (json_int_t)round->hole_pages,
		"kept_pages", (json_int_t)round->kept_pages, "ms", round->time_ns / 1e6,
		"protect_us", (json_int_t)(round->protect_ns / 1000),
		"wait_us", (json_int_t)(round->wait_ns / 1000),
		"dirty_pages", (json_int_t)round->dirty_pages));
}

static void tell_progress(struct source *source, const struct converge *converge)
{
	const struct door_session *last = &source->last;

	job_set(source->job, "progress", json_pack(
		"{s:i,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "round", (int)last->round.number,
		"total_bytes", (json_int_t)last->total_bytes,
		"present_bytes", (json_int_t)last->present_pages << 12,
		"sent_bytes", (json_int_t)last->sent_pages << 12,
		"dirty_bytes", (json_int_t)last->dirty_pages << 12,
		"rate", (json_int_t)converge->rate, "dirty_rate", (json_int_t)converge->dirty_rate,
		"expected_downtime_ms", (json_int_t)(converge->rounds ? converge->expected_ms : 0)));
}

/* Waits for the round's end, telling progress on the way. */
static int wait_round(struct source *source, const struct converge *converge,
		      struct fault *fault)
{
	int waited_ms, err = -1;

	for (waited_ms = 0; waited_ms < ROUND_MS; waited_ms += 200) {
		err = door_session_wait(&source->door, source->session, VMFM_STATE_READY, 200,
					source->job->stop_fd, &source->last, fault);
		tell_progress(source, converge);
		if (!err || source->last.state == VMFM_STATE_FAILED || cancelled(source, fault))
			break;
	}
	return err;
}

static int stage_precopy(struct source *source, struct fault *fault)
{
	const struct uri_options *options = &source->uri->options;
	enum converge_verdict verdict = CONVERGE_ROUND;
	struct converge converge;

	converge_init(&converge, options->downtime_ms, options->rounds);
	while (verdict == CONVERGE_ROUND) {
		const struct door_round *round = &source->last.round;

		if (options->timeout_s &&
		    clock_ns() - source->start_ns > options->timeout_s * 1000000000ULL)
			return fail(fault, "not done in %u s", options->timeout_s);
		if (door_session_do(&source->door, VMFM_CMD_SESSION_ROUND, source->session, 0, fault) ||
		    wait_round(source, &converge, fault))
			return -1;
		note_round(source, round);
		verdict = converge_round(&converge, round->bytes, round->time_ns,
					 round->dirty_pages << 12);
		tell_progress(source, &converge);
	}
	if (verdict == CONVERGE_SWITCH || options->force)
		return 0;
	return fail(fault, "does not converge: after %u rounds the guest dirties %.1f MB/s, the link carries %.1f MB/s, and what is left takes %llu ms for a target of %u ms; raise downtime=, slow the guest down, or use force",
		    converge.rounds, converge.dirty_rate / 1e6, converge.rate / 1e6,
		    (unsigned long long)converge.expected_ms, options->downtime_ms);
}

static int listen_for_qemu(struct source *source, struct fault *fault)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(source->stream_path, sizeof(source->stream_path), RUN_DIR "/source-%u.sock",
		 source->job->id);
	strcpy(addr.sun_path, source->stream_path);
	unlink(addr.sun_path);
	source->listen = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (source->listen < 0 || bind(source->listen, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(source->listen, 1))
		return fail(fault, "%s: %s", addr.sun_path, strerror(errno));
	return 0;
}

static int accept_qemu(struct source *source, struct fault *fault)
{
	struct pollfd wait = { .fd = source->listen, .events = POLLIN };
	int fd;

	if (poll(&wait, 1, ANSWER_MS) <= 0)
		return fail(fault, "QEMU does not connect to %s: may it?", source->stream_path);
	fd = accept4(source->listen, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return fail(fault, "%s: %s", source->stream_path, strerror(errno));
	return stream_start(&source->stream, fd, &source->data, true, fault);
}

static int expect(struct source *source, const char *key, int timeout_ms, struct fault *fault)
{
	json_t *answer, *error;
	int err = 0;

	if (chan_receive(&source->control, timeout_ms, &answer, fault))
		return -1;
	error = json_object_get(answer, "error");
	if (error)
		err = fail(fault, "destination: %s", json_string_value(error));
	else if (!json_object_get(answer, key))
		err = fail(fault, "%s answers out of turn", source->control.peer);
	json_decref(answer);
	return err;
}

/* -1 when QEMU's migration ended otherwise. */
static int wait_status(struct source *source, const char *want, int timeout_ms,
		       struct fault *fault)
{
	const char *const any[] = { want, "failed", "cancelled", "cancelling", NULL };
	json_t *event, *answer = NULL;
	const char *status;
	struct fault ignored;
	int got = qmp_wait_event(&source->qmp, "MIGRATION", any, timeout_ms, source->job->stop_fd,
				 &event, fault);

	if (got < 0)
		return -1;
	if (!got)
		return cancelled(source, fault) ?:
		       fail(fault, "QEMU's migration does not come to %s", want);
	status = json_string_value(json_object_get(json_object_get(event, "data"), "status"));
	got = strcmp(status, want);
	json_decref(event);
	if (!got)
		return 0;
	if (!qmp_call(&source->qmp, "query-migrate", NULL, &answer, &ignored))
		fail(fault, "QEMU's migration failed: %s",
		     json_string_value(json_object_get(answer, "error-desc")) ?: "it does not say why");
	json_decref(answer);
	return -1;
}

static int stage_switchover(struct source *source, struct fault *fault)
{
	char uri[128];

	if (chan_send(&source->control, json_pack("{s:b}", "switchover", 1), fault) ||
	    expect(source, "listening", ANSWER_MS, fault) || listen_for_qemu(source, fault))
		return -1;
	snprintf(uri, sizeof(uri), "unix:%s", source->stream_path);
	if (source->was_running)
		journal_write(guest_text(&source->guest, "uuid"), source->qmp_path, false);
	if (qmp_call(&source->qmp, "migrate-set-parameters",
		     json_pack("{s:I,s:i}", "max-bandwidth", (json_int_t)10 << 30, "downtime-limit",
			       source->uri->options.downtime_ms), NULL, fault))
		return -1;
	source->migrating = true;
	if (qmp_call(&source->qmp, "migrate", json_pack("{s:s}", "uri", uri), NULL, fault) ||
	    accept_qemu(source, fault))
		return -1;
	return wait_status(source, "pre-switchover", ANSWER_MS, fault);
}

static int stage_final(struct source *source, struct fault *fault)
{
	struct fault ignored;
	json_t *stop;

	if (door_session_do(&source->door, VMFM_CMD_SESSION_FINAL, source->session, FINAL_MS, fault) ||
	    door_session_wait(&source->door, source->session, VMFM_STATE_DONE, 2 * FINAL_MS,
			      source->job->stop_fd, &source->last, fault))
		return -1;
	note_round(source, &source->last.round);
	source->stop_ns = source->stage_ns;
	if (qmp_wait_event(&source->qmp, "STOP", NULL, 0, -1, &stop, &ignored) > 0) {
		source->stop_ns = json_integer_value(json_object_get(stop, "arrived_ns"));
		json_decref(stop);
	}
	return 0;
}

/* The destination's word, or a failure of the QEMU here, whichever comes first. */
static int wait_loaded(struct source *source, struct fault *fault)
{
	static const char *const ends[] = { "failed", "cancelled", NULL };
	json_t *event = NULL;
	int got = 0;

	if (!chan_readable(&source->control, 0))
		got = qmp_wait_event(&source->qmp, "MIGRATION", ends, LOAD_MS, source->control.fd,
				     &event, fault);
	json_decref(event);
	if (got < 0)
		return -1;
	if (got)
		return fail(fault, "QEMU's migration failed while it sent the device state");
	return expect(source, "loaded", 100, fault);
}

static int stage_device_state(struct source *source, struct fault *fault)
{
	if (cancelled(source, fault) ||
	    qmp_call(&source->qmp, "migrate-continue", json_pack("{s:s}", "state", "pre-switchover"),
		     NULL, fault))
		return -1;
	stream_open_gate(&source->stream);
	return wait_loaded(source, fault);
}

static int stage_hand_over(struct source *source, struct fault *fault)
{
	if (cancelled(source, fault))
		return -1;
	stream_open_return(&source->stream);
	return wait_status(source, "completed", ANSWER_MS, fault);
}

static int stage_commit(struct source *source, struct fault *fault)
{
	json_t *answer = NULL;
	struct fault ignored;

	source->committed = true;
	if (source->was_running)
		journal_write(guest_text(&source->guest, "uuid"), source->qmp_path, true);
	if (chan_send(&source->control, json_pack("{s:b}", "commit", 1), fault) ||
	    expect(source, "resumed", ANSWER_MS, fault)) {
		struct fault why = *fault;

		return fail(fault, "the outcome is unknown: the destination was told to run the guest, and then: %.200s. The guest is stopped here for good; look at %s, and only if it does not run there, cont it here",
			    why.text, source->control.peer);
	}
	source->window_ms = (clock_ns() - source->stop_ns) / 1e6;
	if (!qmp_call(&source->qmp, "query-migrate", NULL, &answer, &ignored))
		source->downtime_qemu_ms =
			json_integer_value(json_object_get(answer, "downtime"));
	json_decref(answer);
	return 0;
}

static const struct {
	const char *name;
	stage_run run;
} stages[] = {
	{ "connect", stage_connect },
	{ "preflight", stage_preflight },
	{ "prepare", stage_prepare },
	{ "start", stage_start },
	{ "precopy", stage_precopy },
	{ "pre-switchover", stage_switchover },
	{ "final-round", stage_final },
	{ "device-state", stage_device_state },
	{ "hand-over", stage_hand_over },
	{ "commit", stage_commit },
};

static void clear_capabilities(struct source *source)
{
	static const char *const names[] = { "x-ignore-shared", "return-path",
					     "pause-before-switchover" };
	json_t *list = json_array();
	struct fault ignored;
	size_t i;

	for (i = 0; i < 3; i++)
		json_array_append_new(list, json_pack("{s:s,s:b}", "capability", names[i], "state", 0));
	qmp_call(&source->qmp, "migrate-set-capabilities", json_pack("{s:o}", "capabilities", list),
		 NULL, &ignored);
}

static const char *status_now(struct source *source, char *status, size_t bytes)
{
	struct fault ignored;
	json_t *answer = NULL;

	strcpy(status, "gone");
	if (!qmp_call(&source->qmp, "query-status", NULL, &answer, &ignored))
		snprintf(status, bytes, "%s",
			 json_string_value(json_object_get(answer, "status")) ?: "?");
	json_decref(answer);
	return status;
}

/* Has the guest go on as it was, before the commit point. */
static void resume_guest(struct source *source)
{
	static const char *const ends[] = { "cancelled", "failed", "completed", NULL };
	struct fault ignored;
	json_t *event = NULL;
	char status[32];
	int tries;

	qmp_call(&source->qmp, "migrate_cancel", NULL, NULL, &ignored);
	stream_stop(&source->stream);
	if (qmp_wait_event(&source->qmp, "MIGRATION", ends, 10000, -1, &event, &ignored) > 0)
		json_decref(event);
	for (tries = 0; source->was_running && tries < 100; tries++) {
		status_now(source, status, sizeof(status));
		if (!strcmp(status, "running") || !strcmp(status, "gone"))
			return;
		if (!strcmp(status, "postmigrate") || tries > 20)
			qmp_call(&source->qmp, "cont", NULL, NULL, &ignored);
		usleep(50000);
	}
}

static void undo(struct source *source, const struct fault *fault)
{
	struct fault ignored;

	/* The guest first: nothing there runs it without the commit. */
	if (source->migrating)
		resume_guest(source);
	if (source->session)
		door_session_do(&source->door, VMFM_CMD_SESSION_DEL, source->session, 0, &ignored);
	if (source->control.fd >= 0)
		chan_send(&source->control, json_pack("{s:s}", "abort", fault->text), &ignored);
	if (source->caps_set)
		clear_capabilities(source);
	if (source->migrating)
		journal_remove(guest_text(&source->guest, "uuid"));
}

static void release(struct source *source)
{
	stream_stop(&source->stream);
	if (source->listen >= 0) {
		close(source->listen);
		unlink(source->stream_path);
	}
	chan_close(&source->data);
	chan_close(&source->control);
	if (source->door.sock)
		door_close(&source->door);
	if (source->guest.facts)
		guest_free(&source->guest);
	if (source->qmp.buf)
		qmp_close(&source->qmp);
	explicit_bzero(source->token, sizeof(source->token));
}

static json_t *make_result(struct source *source, const char *uri_text)
{
	const struct door_session *last = &source->last;
	double first_ms = json_real_value(json_object_get(json_array_get(source->rounds, 0), "ms"));
	json_int_t first = json_integer_value(json_object_get(json_array_get(source->rounds, 0),
							      "bytes"));

	return json_pack("{s:b,s:s,s:O,s:{s:I,s:I,s:I,s:I},s:{s:f,s:f},s:O,s:f,s:f}",
			 "completed", 1, "uri", uri_text, "rounds", source->rounds,
			 "ram", "pages_sent", (json_int_t)last->sent_pages,
			 "bytes_sent", (json_int_t)last->sent_pages << 12,
			 "hole_pages", (json_int_t)last->hole_pages,
			 "work_requests", (json_int_t)last->writes,
			 "downtime_ms", "qemu", source->downtime_qemu_ms,
			 "window", source->window_ms, "phases_ms", source->phases,
			 "total_ms", (clock_ns() - source->start_ns) / 1e6,
			 "bulk_mbps", first_ms > 0 ? first * 8 / first_ms / 1e3 : 0.0);
}

static json_t *make_failure(struct source *source, const struct fault *fault, const char *phase)
{
	char status[32] = "unknown";

	if (source->qmp.buf)
		status_now(source, status, sizeof(status));
	return json_pack("{s:b,s:s,s:s,s:s,s:O}", "completed", 0, "error", fault->text, "phase",
			 phase, "guest", source->committed ? "given away" : status, "checks",
			 source->checks);
}

static void format_uri(const struct uri *uri, char *text, size_t bytes)
{
	snprintf(text, bytes, strchr(uri->host, ':') ? "rdmafast:[%s]:%u%s%s" : "rdmafast:%s:%u%s%s",
		 uri->host, uri->port, *uri->name ? "/" : "", uri->name);
}

void source_run(struct job *job, const char *qmp_path, const struct uri *uri, bool check)
{
	struct source source = { .job = job, .uri = uri, .qmp_path = qmp_path, .check = check,
				 .listen = -1, .checks = json_array(), .rounds = json_array(),
				 .phases = json_object(), .start_ns = clock_ns() };
	size_t i, count = check ? 2 : sizeof(stages) / sizeof(*stages);
	struct fault fault;
	char text[600];
	json_t *result;
	int err = 0;

	source.control.fd = -1;
	source.data.fd = -1;
	source.qmp.fd = -1;
	format_uri(uri, text, sizeof(text));
	job_set(job, "uri", json_string(text));
	for (i = 0; i < count && !err; i++) {
		source.stage_ns = clock_ns();
		job_phase(job, stages[i].name);
		err = stages[i].run(&source, &fault);
		json_object_set_new(source.phases, stages[i].name,
				    json_real((clock_ns() - source.stage_ns) / 1e6));
	}
	if (err && !source.committed)
		undo(&source, &fault);
	if (err) {
		result = make_failure(&source, &fault, stages[i - 1].name);
		log_warn("job %u: %s: %s", job->id, stages[i - 1].name, fault.text);
	} else if (check) {
		result = json_pack("{s:b,s:O}", "ok", 1, "checks", source.checks);
	} else {
		result = make_result(&source, text);
		journal_remove(guest_text(&source.guest, "uuid"));
	}
	release(&source);
	json_decref(source.checks);
	json_decref(source.rounds);
	json_decref(source.phases);
	job_end(job, result);
}
