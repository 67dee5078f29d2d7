// SPDX-License-Identifier: GPL-2.0-only
/*
 * Raw netlink on libnl's messages: the tests want the kernel's own errno and
 * text, which libnl's error codes hide.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "door.h"

#define ANSWER_BYTES 32768

void door_spec_init(struct door_spec *spec, int role)
{
	const char *addr = getenv("VMFM_ADDR");
	int i;

	*spec = (struct door_spec){ .role = role, .addr.sin_family = AF_INET };
	inet_pton(AF_INET, addr ? addr : "10.77.1.1", &spec->addr.sin_addr);
	if (role == VMFM_ROLE_SINK)
		spec->peer = spec->addr;
	memset(spec->token, 0x5a, sizeof(spec->token));
	for (i = 0; i < VMFM_REGIONS_MAX; i++)
		snprintf(spec->name[i], sizeof(spec->name[i]), "ram%d", i);
}

int door_open(struct door *door)
{
	int one = 1, err;

	memset(door, 0, sizeof(*door));
	door->sock = nl_socket_alloc();
	if (!door->sock)
		return -ENOMEM;
	err = genl_connect(door->sock);
	if (!err)
		err = genl_ctrl_resolve(door->sock, VMFM_GENL_NAME);
	if (err < 0) {
		door_close(door);
		return -ENOENT;
	}
	door->family = err;
	setsockopt(nl_socket_get_fd(door->sock), SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(nl_socket_get_fd(door->sock), SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	return 0;
}

void door_close(struct door *door)
{
	nl_socket_free(door->sock);
	door->sock = NULL;
}

struct nl_msg *door_message(struct door *door, int cmd, int flags)
{
	struct nl_msg *msg = nlmsg_alloc();

	genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, door->family, 0, flags, cmd,
		    VMFM_GENL_VERSION);
	return msg;
}

static void read_text(struct door *door, struct nlmsghdr *hdr)
{
	struct nlattr *tb[NLMSGERR_ATTR_MAX + 1] = {};
	int head = NLMSG_HDRLEN + sizeof(struct nlmsgerr);

	door->error[0] = 0;
	if (!(hdr->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	nla_parse(tb, NLMSGERR_ATTR_MAX, (void *)((char *)hdr + head),
		  hdr->nlmsg_len - head, NULL);
	if (tb[NLMSGERR_ATTR_MSG])
		snprintf(door->error, sizeof(door->error), "%s",
			 nla_get_string(tb[NLMSGERR_ATTR_MSG]));
}

/* Sends, and reads up to the ack; an answer before it is left in @answer. */
static int call(struct door *door, struct nl_msg *msg, void *answer, size_t bytes)
{
	int fd = nl_socket_get_fd(door->sock);
	char buf[ANSWER_BYTES];
	ssize_t got;

	nlmsg_hdr(msg)->nlmsg_flags |= NLM_F_ACK;
	nl_complete_msg(door->sock, msg);
	got = send(fd, nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len, 0);
	nlmsg_free(msg);
	if (got < 0)
		return -errno;
	for (;;) {
		struct nlmsghdr *hdr = (void *)buf;
		int left;

		got = recv(fd, buf, sizeof(buf), 0);
		if (got < 0)
			return -errno;
		for (left = got; nlmsg_ok(hdr, left); hdr = nlmsg_next(hdr, &left)) {
			if (hdr->nlmsg_type == NLMSG_ERROR) {
				read_text(door, hdr);
				return ((struct nlmsgerr *)nlmsg_data(hdr))->error;
			}
			if (hdr->nlmsg_type == NLMSG_DONE)
				return 0;
			if (answer && hdr->nlmsg_len <= bytes)
				memcpy(answer, hdr, hdr->nlmsg_len);
		}
	}
}

int door_send(struct door *door, struct nl_msg *msg)
{
	return call(door, msg, NULL, 0);
}

static void put_regions(struct nl_msg *msg, const struct door_spec *spec)
{
	struct nlattr *regions = nla_nest_start(msg, VMFM_A_REGIONS);
	int i;

	for (i = 0; i < spec->regions; i++) {
		struct nlattr *region = nla_nest_start(msg, VMFM_A_REGION);

		nla_put_string(msg, VMFM_A_REGION_NAME, spec->name[i]);
		nla_put_s32(msg, VMFM_A_REGION_FD, spec->fd[i]);
		nla_nest_end(msg, region);
	}
	nla_nest_end(msg, regions);
}

int door_new(struct door *door, struct door_spec *spec)
{
	struct nl_msg *msg = door_message(door, VMFM_CMD_SESSION_NEW, 0);
	char answer[4096];
	struct nlattr *tb[VMFM_A_MAX + 1];
	int err;

	nla_put_u8(msg, VMFM_A_ROLE, spec->role);
	nla_put(msg, VMFM_A_TOKEN, VMFM_TOKEN_BYTES, spec->token);
	nla_put(msg, VMFM_A_ADDR, sizeof(spec->addr), &spec->addr);
	if (spec->peer.sin_family)
		nla_put(msg, VMFM_A_PEER, sizeof(spec->peer), &spec->peer);
	if (spec->bandwidth)
		nla_put_u64(msg, VMFM_A_BANDWIDTH, spec->bandwidth);
	if (spec->discard)
		nla_put_flag(msg, VMFM_A_DISCARD);
	if (spec->send_zeros)
		nla_put_flag(msg, VMFM_A_SEND_ZEROS);
	put_regions(msg, spec);
	err = call(door, msg, answer, sizeof(answer));
	if (err)
		return err;
	genlmsg_parse((void *)answer, 0, tb, VMFM_A_MAX, NULL);
	memcpy(&spec->addr, nla_data(tb[VMFM_A_ADDR]), sizeof(spec->addr));
	return nla_get_u32(tb[VMFM_A_SESSION_ID]);
}

int door_call(struct door *door, int cmd, uint32_t id, uint32_t timeout_ms)
{
	struct nl_msg *msg = door_message(door, cmd, 0);

	nla_put_u32(msg, VMFM_A_SESSION_ID, id);
	if (timeout_ms)
		nla_put_u32(msg, VMFM_A_TIMEOUT_MS, timeout_ms);
	return door_send(door, msg);
}

int door_set(struct door *door, uint32_t id, int attr, uint64_t value)
{
	struct nl_msg *msg = door_message(door, VMFM_CMD_SESSION_SET, 0);

	nla_put_u32(msg, VMFM_A_SESSION_ID, id);
	nla_put_u64(msg, attr, value);
	return door_send(door, msg);
}

int door_set_huge(struct door *door, int huge)
{
	struct nl_msg *msg = door_message(door, VMFM_CMD_PARAM_SET, 0);

	nla_put_u8(msg, VMFM_A_HUGE, huge);
	return door_send(door, msg);
}

static uint64_t u64_of(struct nlattr *attr)
{
	return attr ? nla_get_u64(attr) : 0;
}

static void read_round(struct nlattr *nest, struct door_stats *stats)
{
	struct nlattr *tb[VMFM_A_ROUND_MAX + 1];

	nla_parse_nested(tb, VMFM_A_ROUND_MAX, nest, NULL);
	stats->round_number = nla_get_u32(tb[VMFM_A_ROUND_NUMBER]);
	stats->round_pages = u64_of(tb[VMFM_A_ROUND_PAGES]);
	stats->round_holes = u64_of(tb[VMFM_A_ROUND_HOLE_PAGES]);
	stats->round_kept = u64_of(tb[VMFM_A_ROUND_KEPT_PAGES]);
	stats->round_protect_ns = u64_of(tb[VMFM_A_ROUND_PROTECT_NS]);
	stats->round_wait_ns = u64_of(tb[VMFM_A_ROUND_WAIT_NS]);
	stats->round_ns = u64_of(tb[VMFM_A_ROUND_TIME_NS]);
}

static void read_stats(struct nlattr *nest, struct door_stats *stats)
{
	struct nlattr *tb[VMFM_A_STATS_MAX + 1];

	nla_parse_nested(tb, VMFM_A_STATS_MAX, nest, NULL);
	stats->present = u64_of(tb[VMFM_A_STATS_PRESENT_PAGES]);
	stats->dirty = u64_of(tb[VMFM_A_STATS_DIRTY_PAGES]);
	stats->sent = u64_of(tb[VMFM_A_STATS_SENT_PAGES]);
	stats->holes = u64_of(tb[VMFM_A_STATS_HOLE_PAGES]);
	stats->zeros = u64_of(tb[VMFM_A_STATS_ZERO_PAGES]);
	stats->kept = u64_of(tb[VMFM_A_STATS_KEPT_PAGES]);
	stats->writes = u64_of(tb[VMFM_A_STATS_WRITES]);
	stats->chunks = u64_of(tb[VMFM_A_STATS_CHUNKS]);
	stats->keys = u64_of(tb[VMFM_A_STATS_KEYS]);
	stats->paced_ns = u64_of(tb[VMFM_A_STATS_PACED_NS]);
}

int door_get(struct door *door, uint32_t id, struct door_stats *stats)
{
	struct nl_msg *msg = door_message(door, VMFM_CMD_SESSION_GET, 0);
	struct nlattr *tb[VMFM_A_MAX + 1];
	char answer[8192];
	int err;

	nla_put_u32(msg, VMFM_A_SESSION_ID, id);
	err = call(door, msg, answer, sizeof(answer));
	if (err)
		return err;
	memset(stats, 0, sizeof(*stats));
	genlmsg_parse((void *)answer, 0, tb, VMFM_A_MAX, NULL);
	stats->state = nla_get_u8(tb[VMFM_A_STATE]);
	stats->error = nla_get_s32(tb[VMFM_A_ERROR]);
	snprintf(stats->error_text, sizeof(stats->error_text), "%s",
		 nla_get_string(tb[VMFM_A_ERROR_TEXT]));
	read_stats(tb[VMFM_A_STATS], stats);
	if (tb[VMFM_A_ROUND])
		read_round(tb[VMFM_A_ROUND], stats);
	return 0;
}

int door_wait(struct door *door, uint32_t id, int state, int timeout_ms)
{
	struct timespec pause = { .tv_nsec = 2000000 };
	struct door_stats stats;
	int err, waited;

	for (waited = 0; waited < timeout_ms; waited += 2) {
		err = door_get(door, id, &stats);
		if (err)
			return err;
		if (stats.state == state)
			return 0;
		if (stats.state == VMFM_STATE_FAILED) {
			snprintf(door->error, sizeof(door->error), "%s", stats.error_text);
			return stats.error;
		}
		nanosleep(&pause, NULL);
	}
	return -ETIMEDOUT;
}
