// SPDX-License-Identifier: GPL-2.0-only
/*
 * The netlink door's messages, with the module's part played over a socket:
 * requests as the module would read them, answers as it would give them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "door.h"
#include "tap.h"

#include <linux/netlink.h>

#define FAMILY 0x77

/* A request, and how to answer it. */
struct request {
	int fd;
	struct nlmsghdr *hdr;
	struct nlattr *tb[VMFM_A_MAX + 1];
};

struct module {
	int fd, events;
	void (*play)(struct request *request, void *arg);
	void *arg;
	pthread_t thread;
};

static struct door door;
static struct module module;
static struct fault fault;

static void *run_module(void *arg)
{
	struct module *played = arg;
	static char data[65536];
	ssize_t got;

	while ((got = recv(played->fd, data, sizeof(data), 0)) > 0) {
		struct request request = { .fd = played->fd, .hdr = (struct nlmsghdr *)data };

		CHECK(request.hdr->nlmsg_len == (size_t)got && request.hdr->nlmsg_type == FAMILY);
		CHECK(!genlmsg_parse(request.hdr, 0, request.tb, VMFM_A_MAX, NULL));
		played->play(&request, played->arg);
	}
	return NULL;
}

/* A netlink socket whose other end is ours. */
static struct nl_sock *socket_to(int *end)
{
	struct nl_sock *sock = nl_socket_alloc();
	int pair[2];

	if (!sock || genl_connect(sock))
		tap_skip("no generic netlink");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) ||
	    dup2(pair[0], nl_socket_get_fd(sock)) < 0)
		tap_give_up("socketpair");
	close(pair[0]);
	*end = pair[1];
	return sock;
}

static void open_to(void (*play)(struct request *request, void *arg), void *arg)
{
	module.play = play;
	module.arg = arg;
	door.sock = socket_to(&module.fd);
	door.events = socket_to(&module.events);
	door.family = FAMILY;
	if (pthread_create(&module.thread, NULL, run_module, &module))
		tap_give_up("no thread");
}

static void end(void)
{
	door_close(&door);
	shutdown(module.fd, SHUT_RDWR);
	pthread_join(module.thread, NULL);
	close(module.fd);
	close(module.events);
}

static int command(const struct request *request)
{
	return genlmsg_hdr(request->hdr)->cmd;
}

static struct nl_msg *answer(const struct request *request, int flags)
{
	struct nl_msg *msg = nlmsg_alloc();

	genlmsg_put(msg, 0, request->hdr->nlmsg_seq, FAMILY, 0, flags, command(request),
		    VMFM_GENL_VERSION);
	return msg;
}

static void give(const struct request *request, struct nl_msg *msg)
{
	CHECK(send(request->fd, nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len, MSG_NOSIGNAL) > 0);
	nlmsg_free(msg);
}

/* The kernel's last word: an error or, with 0, an ack. */
static void acknowledge(const struct request *request, int error, const char *text)
{
	struct nl_msg *msg = nlmsg_alloc();
	struct nlmsghdr *hdr = nlmsg_put(msg, 0, request->hdr->nlmsg_seq, NLMSG_ERROR,
					 sizeof(struct nlmsgerr), NLM_F_CAPPED);
	struct nlmsgerr *body = nlmsg_data(hdr);

	body->error = error;
	body->msg = *request->hdr;
	if (text) {
		hdr->nlmsg_flags |= NLM_F_ACK_TLVS;
		nla_put_string(msg, NLMSGERR_ATTR_MSG, text);
	}
	give(request, msg);
}

static void plays_info(struct request *request, void *arg)
{
	struct nl_msg *msg = answer(request, 0);

	CHECK(command(request) == VMFM_CMD_INFO_GET);
	CHECK(request->hdr->nlmsg_flags == (NLM_F_REQUEST | NLM_F_ACK));
	nla_put_string(msg, VMFM_A_VERSION, arg);
	nla_put_u32(msg, VMFM_A_WIRE_VERSION, 9);
	give(request, msg);
	acknowledge(request, 0, NULL);
}

static void info(void)
{
	json_t *told;
	int i;

	open_to(plays_info, "1.2.3");
	for (i = 0; i < 3; i++) {
		CHECK(!door_info(&door, &told, &fault));
		CHECK_TEXT(json_string_value(json_object_get(told, "version")), "1.2.3");
		CHECK(json_integer_value(json_object_get(told, "wire_version")) == 9);
		json_decref(told);
	}
	end();
}

static void plays_ack(struct request *request, void *arg)
{
	(void)arg;
	acknowledge(request, 0, NULL);
}

static void no_info(void)
{
	json_t *told;

	open_to(plays_ack, NULL);
	CHECK(door_info(&door, &told, &fault) == -1 && !told);
	CHECK_TEXT(fault.text, "module: no answer");
	end();
}

static void add_region(const struct request *request, const char *name, int session)
{
	struct nl_msg *msg = answer(request, NLM_F_MULTI);
	struct nlattr *nest = nla_nest_start(msg, VMFM_A_REGION);

	nla_put_string(msg, VMFM_A_REGION_NAME, name);
	nla_put_u64(msg, VMFM_A_REGION_DEV, 0x1000000001);
	nla_put_u64(msg, VMFM_A_REGION_INO, 77);
	nla_put_u64(msg, VMFM_A_REGION_SIZE_BYTES, 1ULL << 40);
	nla_put_u64(msg, VMFM_A_REGION_PRESENT_PAGES, 5);
	nla_put_u64(msg, VMFM_A_REGION_HUGE_PAGES, 0);
	if (session)
		nla_put_u32(msg, VMFM_A_REGION_SESSION_ID, session);
	nla_nest_end(msg, nest);
	give(request, msg);
}

static void plays_regions(struct request *request, void *arg)
{
	struct nl_msg *done = nlmsg_alloc();

	(void)arg;
	CHECK(command(request) == VMFM_CMD_REGION_GET);
	CHECK((request->hdr->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP);
	add_region(request, "ram0", 0);
	add_region(request, "ram1", 3);
	nlmsg_put(done, 0, request->hdr->nlmsg_seq, NLMSG_DONE, 4, NLM_F_MULTI);
	give(request, done);
}

static void regions(void)
{
	json_t *told, *one;

	open_to(plays_regions, NULL);
	CHECK(!door_regions(&door, &told, &fault));
	CHECK(json_array_size(told) == 2);
	one = json_array_get(told, 0);
	CHECK_TEXT(json_string_value(json_object_get(one, "name")), "ram0");
	CHECK(json_integer_value(json_object_get(one, "dev")) == 0x1000000001);
	CHECK(json_integer_value(json_object_get(one, "ino")) == 77);
	CHECK(json_integer_value(json_object_get(one, "size_bytes")) == 1LL << 40);
	CHECK(json_integer_value(json_object_get(one, "present_pages")) == 5);
	CHECK(!json_object_get(one, "session"));
	one = json_array_get(told, 1);
	CHECK(json_integer_value(json_object_get(one, "session")) == 3);
	json_decref(told);
	end();
}

static void plays_refusal(struct request *request, void *arg)
{
	acknowledge(request, -EBUSY, arg);
}

static void refusals(void)
{
	json_t *told;

	open_to(plays_refusal, "session 7 is in a round");
	CHECK(door_session_do(&door, VMFM_CMD_SESSION_ROUND, 7, 0, &fault) == -1);
	CHECK_TEXT(fault.text, "module: session 7 is in a round (Device or resource busy)");
	CHECK(door_regions(&door, &told, &fault) == -1 && !told);
	end();
	open_to(plays_refusal, NULL);
	CHECK(door_session_do(&door, VMFM_CMD_SESSION_ROUND, 7, 0, &fault) == -1);
	CHECK_TEXT(fault.text, "module: Device or resource busy");
	end();
}

/* Answers to an earlier request that was given up are not this one's. */
static void plays_late(struct request *request, void *arg)
{
	uint32_t seq = request->hdr->nlmsg_seq;

	request->hdr->nlmsg_seq = seq - 1;
	acknowledge(request, -EPERM, "stale");
	plays_info(request, "stale");
	request->hdr->nlmsg_seq = seq;
	plays_info(request, arg);
}

static void late_answers(void)
{
	json_t *told;

	open_to(plays_late, "right");
	CHECK(!door_info(&door, &told, &fault));
	CHECK_TEXT(json_string_value(json_object_get(told, "version")), "right");
	json_decref(told);
	end();
}

/* Each byte of a request is what the header of the family says. */
static void plays_new(struct request *request, void *arg)
{
	const struct door_spec *spec = arg;
	struct nl_msg *msg = answer(request, 0);
	struct sockaddr_in bound = { .sin_family = AF_INET, .sin_port = htons(4791) };
	struct nlattr *one, *r[VMFM_A_REGION_MAX + 1];
	unsigned int i = 0;
	int left;

	CHECK(command(request) == VMFM_CMD_SESSION_NEW);
	CHECK(nla_get_u8(request->tb[VMFM_A_ROLE]) == spec->role);
	CHECK(nla_len(request->tb[VMFM_A_TOKEN]) == VMFM_TOKEN_BYTES &&
	      !memcmp(nla_data(request->tb[VMFM_A_TOKEN]), spec->token, VMFM_TOKEN_BYTES));
	CHECK(nla_len(request->tb[VMFM_A_ADDR]) == sizeof(struct sockaddr_in) &&
	      !memcmp(nla_data(request->tb[VMFM_A_ADDR]), &spec->addr, sizeof(struct sockaddr_in)));
	if (spec->peer.ss_family)
		CHECK(nla_len(request->tb[VMFM_A_PEER]) == sizeof(struct sockaddr_in6) &&
		      !memcmp(nla_data(request->tb[VMFM_A_PEER]), &spec->peer,
			      sizeof(struct sockaddr_in6)));
	else
		CHECK(!request->tb[VMFM_A_PEER]);
	CHECK(nla_get_u64(request->tb[VMFM_A_BANDWIDTH]) == spec->bandwidth);
	CHECK(!request->tb[VMFM_A_DISCARD] == (spec->role == VMFM_ROLE_SOURCE));
	nla_for_each_nested(one, request->tb[VMFM_A_REGIONS], left) {
		CHECK(nla_type(one) == VMFM_A_REGION);
		CHECK(!nla_parse_nested(r, VMFM_A_REGION_MAX, one, NULL));
		CHECK_TEXT(nla_get_string(r[VMFM_A_REGION_NAME]), spec->region[i].name);
		CHECK(nla_get_s32(r[VMFM_A_REGION_FD]) == spec->region[i].fd);
		i++;
	}
	CHECK(i == spec->regions);
	nla_put_u32(msg, VMFM_A_SESSION_ID, 41);
	if (spec->role == VMFM_ROLE_SINK)
		nla_put(msg, VMFM_A_ADDR, sizeof(bound), &bound);
	give(request, msg);
	acknowledge(request, 0, NULL);
}

static void new_session(int role, unsigned int count, int peer_family)
{
	struct door_spec spec = { .role = role, .bandwidth = 1ULL << 33, .regions = count };
	struct sockaddr_storage bound = { 0 };
	uint32_t id = 0;
	unsigned int i;

	for (i = 0; i < VMFM_TOKEN_BYTES; i++)
		spec.token[i] = (uint8_t)(0xf0 + i);
	for (i = 0; i < count; i++) {
		memset(spec.region[i].name, 'r', VMFM_NAME_BYTES - 1);
		spec.region[i].name[0] = (char)('A' + i % 26);
		spec.region[i].fd = 3 + i;
	}
	spec.addr.ss_family = AF_INET;
	((struct sockaddr_in *)&spec.addr)->sin_addr.s_addr = htonl(0x0a4d0101);
	spec.peer.ss_family = peer_family;
	((struct sockaddr_in6 *)&spec.peer)->sin6_addr.s6_addr[15] = 1;
	open_to(plays_new, &spec);
	CHECK(!door_session_new(&door, &spec, &id, &bound, &fault));
	CHECK(id == 41);
	CHECK((bound.ss_family == AF_INET) == (role == VMFM_ROLE_SINK));
	if (role == VMFM_ROLE_SINK)
		CHECK(((struct sockaddr_in *)&bound)->sin_port == htons(4791));
	CHECK(!door_session_new(&door, &spec, &id, NULL, &fault));
	end();
}

static void new_sessions(void)
{
	new_session(VMFM_ROLE_SOURCE, 1, 0);
	new_session(VMFM_ROLE_SINK, 2, AF_INET6);
	new_session(VMFM_ROLE_SINK, VMFM_REGIONS_MAX, AF_INET6);
}

static void plays_commands(struct request *request, void *arg)
{
	int cmd = command(request);

	(void)arg;
	CHECK(nla_get_u32(request->tb[VMFM_A_SESSION_ID]) == 5);
	CHECK(!request->tb[VMFM_A_TIMEOUT_MS] == (cmd != VMFM_CMD_SESSION_FINAL));
	CHECK(!request->tb[VMFM_A_PACE] == (cmd != VMFM_CMD_SESSION_SET));
	CHECK(cmd != VMFM_CMD_SESSION_SET || nla_get_u64(request->tb[VMFM_A_PACE]) == 1ULL << 33);
	acknowledge(request, cmd == VMFM_CMD_SESSION_FINAL &&
		    nla_get_u32(request->tb[VMFM_A_TIMEOUT_MS]) != 1234 ? -EINVAL : 0, NULL);
}

static void commands(void)
{
	static const int each[] = { VMFM_CMD_SESSION_START, VMFM_CMD_SESSION_ROUND,
				    VMFM_CMD_SESSION_FINAL, VMFM_CMD_SESSION_DEL };
	size_t i;

	open_to(plays_commands, NULL);
	for (i = 0; i < 4; i++)
		CHECK(!door_session_do(&door, each[i], 5, 1234, &fault));
	CHECK(!door_session_pace(&door, 5, 1ULL << 33, &fault));
	end();
}

/* What SESSION_GET is answered with; each asking moves on to the next state. */
struct states {
	const int *states;
	const char *error;
	bool bare;
};

static void add_numbers(struct nl_msg *msg, int nest_type, int first, int last)
{
	struct nlattr *nest = nla_nest_start(msg, nest_type);
	int type;

	for (type = first; type <= last; type++)
		nla_put_u64(msg, type, 1000ULL * nest_type + type);
	nla_nest_end(msg, nest);
}

static void plays_session(struct request *request, void *arg)
{
	struct states *states = arg;
	struct nl_msg *msg = answer(request, 0);
	struct nlattr *nest;

	CHECK(command(request) == VMFM_CMD_SESSION_GET);
	nla_put_u32(msg, VMFM_A_SESSION_ID, nla_get_u32(request->tb[VMFM_A_SESSION_ID]));
	nla_put_u8(msg, VMFM_A_ROLE, VMFM_ROLE_SOURCE);
	nla_put_u8(msg, VMFM_A_STATE, *states->states);
	nla_put_s32(msg, VMFM_A_ERROR, *states->error ? -ETIMEDOUT : 0);
	nla_put_string(msg, VMFM_A_ERROR_TEXT, states->error);
	if (!states->bare) {
		add_numbers(msg, VMFM_A_STATS, VMFM_A_STATS_TOTAL_BYTES, VMFM_A_STATS_MAX);
		nest = nla_nest_start(msg, VMFM_A_ROUND);
		nla_put_u32(msg, VMFM_A_ROUND_NUMBER, 6);
		nla_put_u64(msg, VMFM_A_ROUND_PAGES, 100);
		nla_put_u64(msg, VMFM_A_ROUND_TIME_NS, UINT64_MAX);
		nla_put_u64(msg, VMFM_A_ROUND_DIRTY_PAGES, 300);
		nla_nest_end(msg, nest);
	}
	if (states->states[1] >= 0)
		states->states++;
	give(request, msg);
	acknowledge(request, 0, NULL);
}

static void session_told(void)
{
	static const int ready[] = { VMFM_STATE_READY, -1 };
	struct states states = { .states = ready, .error = "" };
	struct door_session session;

	open_to(plays_session, &states);
	CHECK(!door_session_get(&door, 12, &session, &fault));
	CHECK(session.id == 12 && session.role == VMFM_ROLE_SOURCE && !session.error);
	CHECK(session.state == VMFM_STATE_READY && !*session.error_text);
	CHECK(session.total_bytes == 1000ULL * VMFM_A_STATS + VMFM_A_STATS_TOTAL_BYTES);
	CHECK(session.dirty_pages == 1000ULL * VMFM_A_STATS + VMFM_A_STATS_DIRTY_PAGES);
	CHECK(session.zero_pages == 1000ULL * VMFM_A_STATS + VMFM_A_STATS_ZERO_PAGES);
	CHECK(session.keys == 1000ULL * VMFM_A_STATS + VMFM_A_STATS_KEYS);
	CHECK(session.round.number == 6 && session.round.pages == 100);
	CHECK(session.round.time_ns == UINT64_MAX && session.round.dirty_pages == 300);
	CHECK(session.round.kept_pages == 0);
	states.bare = true;
	CHECK(!door_session_get(&door, 12, &session, &fault));
	CHECK(!session.round.number && !session.total_bytes);
	end();
}

/* Longer than its field: cut, and closed. */
static void long_error(void)
{
	static const int failed[] = { VMFM_STATE_FAILED, -1 };
	char text[400];
	struct states states = { .states = failed, .error = text };
	struct door_session session;

	memset(text, 'e', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	open_to(plays_session, &states);
	CHECK(!door_session_get(&door, 1, &session, &fault));
	CHECK(strlen(session.error_text) == VMFM_ERROR_TEXT_BYTES - 1);
	CHECK(session.error == -ETIMEDOUT);
	end();
}

static void waits(void)
{
	static const int path[] = { VMFM_STATE_NEW, VMFM_STATE_CONNECTING, VMFM_STATE_READY, -1 };
	static const int stuck[] = { VMFM_STATE_ROUND, -1 };
	static const int fails[] = { VMFM_STATE_FINAL, VMFM_STATE_FAILED, -1 };
	struct states states = { .states = path, .error = "" };
	struct watch watch = { .stop_fd = eventfd(1, EFD_CLOEXEC), .peer_fd = -1 };
	struct door_session session;
	uint64_t start_ms = clock_ms();

	open_to(plays_session, &states);
	CHECK(!door_session_wait(&door, 1, VMFM_STATE_READY, 10000, WATCH_NOTHING, &session,
				 &fault));
	CHECK(session.state == VMFM_STATE_READY && clock_ms() - start_ms < 5000);

	states.states = stuck;
	start_ms = clock_ms();
	CHECK(door_session_wait(&door, 1, VMFM_STATE_READY, 700, WATCH_NOTHING, &session, &fault) ==
	      -1);
	CHECK(clock_ms() - start_ms >= 690 && clock_ms() - start_ms < 5000);
	CHECK_TEXT(fault.text, "session 1 is still round after 700 ms");
	CHECK(session.state == VMFM_STATE_ROUND);

	start_ms = clock_ms();
	CHECK(door_session_wait(&door, 1, VMFM_STATE_READY, 60000, &watch, &session, &fault) == -1);
	CHECK(clock_ms() - start_ms < 5000);
	CHECK_TEXT(fault.text, "cancelled");
	watch = (struct watch){ .stop_fd = -1, .peer_fd = watch.stop_fd };
	CHECK(door_session_wait(&door, 1, VMFM_STATE_READY, 60000, &watch, &session, &fault) == -1);
	CHECK(clock_ms() - start_ms < 5000);
	CHECK_TEXT(fault.text, "the peer gave up");

	states.states = fails;
	states.error = "sink: no memory";
	CHECK(door_session_wait(&door, 1, VMFM_STATE_DONE, 60000, WATCH_NOTHING, &session,
				&fault) == -1);
	CHECK_TEXT(fault.text, "sink: no memory");
	CHECK(session.state == VMFM_STATE_FAILED);
	close(watch.peer_fd);
	end();
}

static void *sends_event(void *arg)
{
	(void)arg;
	usleep(100000);
	CHECK(send(module.events, "event", 5, 0) == 5);
	return NULL;
}

/* An event has it look at once; of several tries, since the machine may be busy. */
static void event_wakes(void)
{
	static const int path[] = { VMFM_STATE_ROUND, VMFM_STATE_READY, -1 };
	struct states states = { .error = "" };
	struct door_session session;
	uint64_t start_ms, fastest_ms = UINT64_MAX, took_ms;
	pthread_t thread;
	int tries;

	open_to(plays_session, &states);
	for (tries = 0; tries < 5 && fastest_ms >= 400; tries++) {
		states.states = path;
		start_ms = clock_ms();
		CHECK(!pthread_create(&thread, NULL, sends_event, NULL));
		CHECK(!door_session_wait(&door, 1, VMFM_STATE_READY, 10000, WATCH_NOTHING, &session,
					 &fault));
		took_ms = clock_ms() - start_ms;
		fastest_ms = took_ms < fastest_ms ? took_ms : fastest_ms;
		pthread_join(thread, NULL);
	}
	CHECK(fastest_ms >= 90 && fastest_ms < 400);
	end();
}

static void closed(void)
{
	json_t *told;

	open_to(plays_info, "x");
	shutdown(module.fd, SHUT_RDWR);
	signal(SIGPIPE, SIG_IGN);
	CHECK(door_info(&door, &told, &fault) == -1);
	CHECK_HAS(fault.text, "netlink:");
	end();
}

static void names(void)
{
	int state;

	for (state = 0; state < __VMFM_STATE_MAX; state++)
		CHECK(door_state_name(state) && *door_state_name(state) &&
		      strcmp(door_state_name(state), "unknown"));
	CHECK_TEXT(door_state_name(VMFM_STATE_FINAL), "final");
	CHECK_TEXT(door_state_name(-1), "unknown");
	CHECK_TEXT(door_state_name(__VMFM_STATE_MAX), "unknown");
}

static void no_module(void)
{
	struct door real;

	if (!door_open(&real, &fault)) {
		door_close(&real);
		tap_skip("the module is loaded");
	}
	CHECK_HAS(fault.text, "modprobe vmfastmig");
	CHECK(!real.sock && !real.events);
}

int main(void)
{
	static const struct test tests[] = {
		{ "info", info },
		{ "no info", no_info },
		{ "regions", regions },
		{ "refusals and their words", refusals },
		{ "late answers", late_answers },
		{ "new sessions", new_sessions },
		{ "commands", commands },
		{ "a session told", session_told },
		{ "a long error", long_error },
		{ "waits for a state", waits },
		{ "an event wakes", event_wakes },
		{ "a closed socket", closed },
		{ "names of states", names },
		{ "no module", no_module },
	};

	return TAP_RUN(tests);
}
