// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "door.h"

#include <linux/netlink.h>

#define ANSWER_BYTES	65536
#define LOAD_IT		"is the module loaded? modprobe vmfastmig"

typedef int (*on_answer)(struct nlattr **tb, void *arg);

static struct nl_sock *open_sock(void)
{
	struct nl_sock *sock = nl_socket_alloc();
	int one = 1;

	if (!sock || genl_connect(sock)) {
		nl_socket_free(sock);
		return NULL;
	}
	setsockopt(nl_socket_get_fd(sock), SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(nl_socket_get_fd(sock), SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	return sock;
}

int door_open(struct door *door, struct fault *fault)
{
	int group;

	memset(door, 0, sizeof(*door));
	door->sock = open_sock();
	door->events = open_sock();
	if (!door->sock || !door->events) {
		door_close(door);
		return fail(fault, "cannot open a netlink socket");
	}
	door->family = genl_ctrl_resolve(door->sock, VMFM_GENL_NAME);
	group = genl_ctrl_resolve_grp(door->events, VMFM_GENL_NAME, VMFM_MCGRP_EVENTS);
	if (door->family < 0 || group < 0) {
		door_close(door);
		return fail(fault, "no netlink family %s: %s", VMFM_GENL_NAME, LOAD_IT);
	}
	nl_socket_add_membership(door->events, group);
	nl_socket_set_nonblocking(door->events);
	return 0;
}

void door_close(struct door *door)
{
	nl_socket_free(door->sock);
	nl_socket_free(door->events);
	door->sock = NULL;
	door->events = NULL;
}

static struct nl_msg *message(struct door *door, int cmd, int flags)
{
	struct nl_msg *msg = nlmsg_alloc_size(16384);

	if (msg)
		genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, door->family, 0, flags, cmd,
			    VMFM_GENL_VERSION);
	return msg;
}

static int refused(const struct nlmsghdr *hdr, int error, struct fault *fault)
{
	struct nlattr *tb[NLMSGERR_ATTR_MAX + 1] = { 0 };
	int head = NLMSG_HDRLEN + sizeof(struct nlmsgerr);

	if (hdr->nlmsg_flags & NLM_F_ACK_TLVS)
		nla_parse(tb, NLMSGERR_ATTR_MAX, (struct nlattr *)((char *)hdr + head),
			  (int)hdr->nlmsg_len - head, NULL);
	if (tb[NLMSGERR_ATTR_MSG])
		return fail(fault, "module: %s (%s)", nla_get_string(tb[NLMSGERR_ATTR_MSG]),
			    strerror(-error));
	return fail(fault, "module: %s", strerror(-error));
}

/* Reads up to the ack or the end of a dump. */
static int read_answers(struct door *door, uint32_t seq, on_answer each, void *arg,
			struct fault *fault)
{
	static __thread char buf[ANSWER_BYTES];
	struct nlattr *tb[VMFM_A_MAX + 1];

	for (;;) {
		struct nlmsghdr *hdr = (struct nlmsghdr *)buf;
		ssize_t got = recv(nl_socket_get_fd(door->sock), buf, sizeof(buf), 0);
		int left = (int)got;

		if (got <= 0)
			return fail(fault, "netlink: %s", strerror(errno));
		for (; nlmsg_ok(hdr, left); hdr = nlmsg_next(hdr, &left)) {
			if (hdr->nlmsg_seq != seq)
				continue;
			if (hdr->nlmsg_type == NLMSG_DONE)
				return 0;
			if (hdr->nlmsg_type == NLMSG_ERROR) {
				int error = ((struct nlmsgerr *)nlmsg_data(hdr))->error;

				return error ? refused(hdr, error, fault) : 0;
			}
			if (each && !genlmsg_parse(hdr, 0, tb, VMFM_A_MAX, NULL))
				each(tb, arg);
		}
	}
}

static int call(struct door *door, struct nl_msg *msg, on_answer each, void *arg,
		struct fault *fault)
{
	struct nlmsghdr *hdr = nlmsg_hdr(msg);
	uint32_t seq;
	ssize_t sent;

	if (!(hdr->nlmsg_flags & NLM_F_DUMP))
		hdr->nlmsg_flags |= NLM_F_ACK;
	nl_complete_msg(door->sock, msg);
	seq = hdr->nlmsg_seq;
	sent = send(nl_socket_get_fd(door->sock), hdr, hdr->nlmsg_len, 0);
	nlmsg_free(msg);
	if (sent < 0)
		return fail(fault, "netlink: %s", strerror(errno));
	return read_answers(door, seq, each, arg, fault);
}

static uint64_t u64_of(struct nlattr *attr)
{
	return attr ? nla_get_u64(attr) : 0;
}

static int on_info(struct nlattr **tb, void *arg)
{
	json_t **info = arg;

	if (!tb[VMFM_A_VERSION] || !tb[VMFM_A_WIRE_VERSION])
		return 0;
	*info = json_pack("{s:s,s:i}", "version", nla_get_string(tb[VMFM_A_VERSION]),
			  "wire_version", (int)nla_get_u32(tb[VMFM_A_WIRE_VERSION]));
	return 0;
}

int door_info(struct door *door, json_t **info, struct fault *fault)
{
	*info = NULL;
	if (call(door, message(door, VMFM_CMD_INFO_GET, 0), on_info, info, fault))
		return -1;
	return *info ? 0 : fail(fault, "module: no answer");
}

static int on_region(struct nlattr **tb, void *arg)
{
	struct nlattr *r[VMFM_A_REGION_MAX + 1];
	json_t *region;

	if (!tb[VMFM_A_REGION] ||
	    nla_parse_nested(r, VMFM_A_REGION_MAX, tb[VMFM_A_REGION], NULL) ||
	    !r[VMFM_A_REGION_NAME])
		return 0;
	region = json_pack("{s:s,s:I,s:I,s:I,s:I,s:I}", "name",
			   nla_get_string(r[VMFM_A_REGION_NAME]),
			   "dev", (json_int_t)u64_of(r[VMFM_A_REGION_DEV]),
			   "ino", (json_int_t)u64_of(r[VMFM_A_REGION_INO]),
			   "size_bytes", (json_int_t)u64_of(r[VMFM_A_REGION_SIZE_BYTES]),
			   "present_pages", (json_int_t)u64_of(r[VMFM_A_REGION_PRESENT_PAGES]),
			   "huge_pages", (json_int_t)u64_of(r[VMFM_A_REGION_HUGE_PAGES]));
	if (r[VMFM_A_REGION_SESSION_ID])
		json_object_set_new(region, "session",
				    json_integer(nla_get_u32(r[VMFM_A_REGION_SESSION_ID])));
	json_array_append_new(arg, region);
	return 0;
}

int door_regions(struct door *door, json_t **regions, struct fault *fault)
{
	*regions = json_array();
	if (!call(door, message(door, VMFM_CMD_REGION_GET, NLM_F_DUMP), on_region, *regions, fault))
		return 0;
	json_decref(*regions);
	*regions = NULL;
	return -1;
}

static void put_addr(struct nl_msg *msg, int type, const struct sockaddr_storage *addr)
{
	if (addr->ss_family == AF_INET)
		nla_put(msg, type, sizeof(struct sockaddr_in), addr);
	else if (addr->ss_family == AF_INET6)
		nla_put(msg, type, sizeof(struct sockaddr_in6), addr);
}

static void put_regions(struct nl_msg *msg, const struct door_spec *spec)
{
	struct nlattr *regions = nla_nest_start(msg, VMFM_A_REGIONS), *region;
	unsigned int i;

	for (i = 0; i < spec->regions; i++) {
		region = nla_nest_start(msg, VMFM_A_REGION);
		nla_put_string(msg, VMFM_A_REGION_NAME, spec->region[i].name);
		nla_put_s32(msg, VMFM_A_REGION_FD, spec->region[i].fd);
		nla_nest_end(msg, region);
	}
	nla_nest_end(msg, regions);
}

struct made {
	uint32_t id;
	struct sockaddr_storage *bound;
};

static int on_made(struct nlattr **tb, void *arg)
{
	struct made *made = arg;

	if (!tb[VMFM_A_SESSION_ID])
		return 0;
	made->id = nla_get_u32(tb[VMFM_A_SESSION_ID]);
	if (made->bound && tb[VMFM_A_ADDR] &&
	    (size_t)nla_len(tb[VMFM_A_ADDR]) <= sizeof(*made->bound))
		memcpy(made->bound, nla_data(tb[VMFM_A_ADDR]), nla_len(tb[VMFM_A_ADDR]));
	return 0;
}

int door_session_new(struct door *door, const struct door_spec *spec, uint32_t *id,
		     struct sockaddr_storage *bound, struct fault *fault)
{
	struct nl_msg *msg = message(door, VMFM_CMD_SESSION_NEW, 0);
	struct made made = { .bound = bound };

	nla_put_u8(msg, VMFM_A_ROLE, spec->role);
	nla_put(msg, VMFM_A_TOKEN, VMFM_TOKEN_BYTES, spec->token);
	put_addr(msg, VMFM_A_ADDR, &spec->addr);
	put_addr(msg, VMFM_A_PEER, &spec->peer);
	nla_put_u64(msg, VMFM_A_BANDWIDTH, spec->bandwidth);
	if (spec->role == VMFM_ROLE_SINK)
		nla_put_flag(msg, VMFM_A_DISCARD);
	if (spec->send_zeros)
		nla_put_flag(msg, VMFM_A_SEND_ZEROS);
	put_regions(msg, spec);
	if (call(door, msg, on_made, &made, fault))
		return -1;
	*id = made.id;
	return 0;
}

static void read_round(struct nlattr *nest, struct door_round *round)
{
	struct nlattr *tb[VMFM_A_ROUND_MAX + 1];

	if (nla_parse_nested(tb, VMFM_A_ROUND_MAX, nest, NULL) || !tb[VMFM_A_ROUND_NUMBER])
		return;
	round->number = nla_get_u32(tb[VMFM_A_ROUND_NUMBER]);
	round->pages = u64_of(tb[VMFM_A_ROUND_PAGES]);
	round->bytes = u64_of(tb[VMFM_A_ROUND_BYTES]);
	round->hole_pages = u64_of(tb[VMFM_A_ROUND_HOLE_PAGES]);
	round->zero_pages = u64_of(tb[VMFM_A_ROUND_ZERO_PAGES]);
	round->kept_pages = u64_of(tb[VMFM_A_ROUND_KEPT_PAGES]);
	round->time_ns = u64_of(tb[VMFM_A_ROUND_TIME_NS]);
	round->protect_ns = u64_of(tb[VMFM_A_ROUND_PROTECT_NS]);
	round->wait_ns = u64_of(tb[VMFM_A_ROUND_WAIT_NS]);
	round->dirty_pages = u64_of(tb[VMFM_A_ROUND_DIRTY_PAGES]);
}

static void read_stats(struct nlattr *nest, struct door_session *session)
{
	struct nlattr *tb[VMFM_A_STATS_MAX + 1];

	if (nla_parse_nested(tb, VMFM_A_STATS_MAX, nest, NULL))
		return;
	session->total_bytes = u64_of(tb[VMFM_A_STATS_TOTAL_BYTES]);
	session->present_pages = u64_of(tb[VMFM_A_STATS_PRESENT_PAGES]);
	session->dirty_pages = u64_of(tb[VMFM_A_STATS_DIRTY_PAGES]);
	session->marked_pages = u64_of(tb[VMFM_A_STATS_MARKED_PAGES]);
	session->sent_pages = u64_of(tb[VMFM_A_STATS_SENT_PAGES]);
	session->hole_pages = u64_of(tb[VMFM_A_STATS_HOLE_PAGES]);
	session->zero_pages = u64_of(tb[VMFM_A_STATS_ZERO_PAGES]);
	session->kept_pages = u64_of(tb[VMFM_A_STATS_KEPT_PAGES]);
	session->writes = u64_of(tb[VMFM_A_STATS_WRITES]);
	session->chunks = u64_of(tb[VMFM_A_STATS_CHUNKS]);
	session->keys = u64_of(tb[VMFM_A_STATS_KEYS]);
	session->paced_ns = u64_of(tb[VMFM_A_STATS_PACED_NS]);
}

static int on_session(struct nlattr **tb, void *arg)
{
	struct door_session *session = arg;

	if (!tb[VMFM_A_SESSION_ID] || !tb[VMFM_A_ROLE] || !tb[VMFM_A_STATE] || !tb[VMFM_A_ERROR] ||
	    !tb[VMFM_A_ERROR_TEXT])
		return 0;
	session->id = nla_get_u32(tb[VMFM_A_SESSION_ID]);
	session->role = nla_get_u8(tb[VMFM_A_ROLE]);
	session->state = nla_get_u8(tb[VMFM_A_STATE]);
	session->error = nla_get_s32(tb[VMFM_A_ERROR]);
	snprintf(session->error_text, sizeof(session->error_text), "%s",
		 nla_get_string(tb[VMFM_A_ERROR_TEXT]));
	if (tb[VMFM_A_STATS])
		read_stats(tb[VMFM_A_STATS], session);
	if (tb[VMFM_A_ROUND])
		read_round(tb[VMFM_A_ROUND], &session->round);
	return 0;
}

int door_session_get(struct door *door, uint32_t id, struct door_session *session,
		     struct fault *fault)
{
	struct nl_msg *msg = message(door, VMFM_CMD_SESSION_GET, 0);

	memset(session, 0, sizeof(*session));
	nla_put_u32(msg, VMFM_A_SESSION_ID, id);
	return call(door, msg, on_session, session, fault);
}

int door_session_do(struct door *door, int cmd, uint32_t id, uint32_t timeout_ms,
		    struct fault *fault)
{
	struct nl_msg *msg = message(door, cmd, 0);

	nla_put_u32(msg, VMFM_A_SESSION_ID, id);
	if (cmd == VMFM_CMD_SESSION_FINAL)
		nla_put_u32(msg, VMFM_A_TIMEOUT_MS, timeout_ms);
	return call(door, msg, NULL, NULL, fault);
}

static int set(struct door *door, uint32_t id, int attr, uint64_t value, struct fault *fault)
{
	struct nl_msg *msg = message(door, VMFM_CMD_SESSION_SET, 0);

	nla_put_u32(msg, VMFM_A_SESSION_ID, id);
	nla_put_u64(msg, attr, value);
	return call(door, msg, NULL, NULL, fault);
}

int door_session_pace(struct door *door, uint32_t id, uint64_t pace, struct fault *fault)
{
	return set(door, id, VMFM_A_PACE, pace, fault);
}

int door_session_bandwidth(struct door *door, uint32_t id, uint64_t bandwidth,
			   struct fault *fault)
{
	return set(door, id, VMFM_A_BANDWIDTH, bandwidth, fault);
}

/* Events only say that it is time to look. An overrun of the socket does, too. */
static void drain_events(struct door *door)
{
	char buf[8192];

	while (recv(nl_socket_get_fd(door->events), buf, sizeof(buf), MSG_DONTWAIT) > 0 ||
	       errno == ENOBUFS)
		errno = 0;
}

int door_session_wait(struct door *door, uint32_t id, int state, int timeout_ms,
		      const struct watch *watch, struct door_session *session,
		      struct fault *fault)
{
	uint64_t deadline_ms = clock_ms() + timeout_ms;
	struct pollfd fds[3] = { { .fd = nl_socket_get_fd(door->events), .events = POLLIN } };

	watch_poll(watch, fds + 1);
	for (;;) {
		uint64_t now_ms = clock_ms();

		drain_events(door);
		if (door_session_get(door, id, session, fault))
			return -1;
		if (session->state == state)
			return 0;
		if (session->state == VMFM_STATE_FAILED)
			return fail(fault, "%s", session->error_text);
		if (now_ms >= deadline_ms)
			return fail(fault, "session %u is still %s after %d ms", id,
				    door_state_name(session->state), timeout_ms);
		poll(fds, 3, deadline_ms - now_ms < 500 ? (int)(deadline_ms - now_ms) : 500);
		if (fds[1].revents)
			return fail(fault, "cancelled");
		if (fds[2].revents)
			return fail(fault, "the peer gave up");
	}
}

const char *door_state_name(int state)
{
	static const char *const names[] = {
		[VMFM_STATE_NEW] = "new", [VMFM_STATE_CONNECTING] = "connecting",
		[VMFM_STATE_READY] = "ready", [VMFM_STATE_ROUND] = "round",
		[VMFM_STATE_FINAL] = "final", [VMFM_STATE_DONE] = "done",
		[VMFM_STATE_FAILED] = "failed",
	};

	return state >= 0 && state < __VMFM_STATE_MAX ? names[state] : "unknown";
}
