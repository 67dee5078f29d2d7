// SPDX-License-Identifier: GPL-2.0-only
/*
 * The only door into the module. The uapi header tells which command takes and
 * answers what. Requests run in parallel; a session's own locks order them.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <net/genetlink.h>
#include <net/ipv6.h>

#include "compat/compat.h"
#include "fs.h"
#include "mapping.h"
#include "netlink.h"
#include "nlmsg.h"
#include "session.h"
#include "xport.h"
#include "../rdma/wire.h"

static struct genl_family family;

static const struct nla_policy no_policy[] = {
	[VMFM_A_UNSPEC] = { .type = NLA_REJECT },
};

static const struct nla_policy param_policy[] = {
	[VMFM_A_GRANTS_AHEAD] = NLA_POLICY_RANGE(NLA_U32, 1, 1024),
	[VMFM_A_ACK_TIMEOUT_MS] = NLA_POLICY_RANGE(NLA_U32, 1, 8000),
	[VMFM_A_HUGE] = NLA_POLICY_MAX(NLA_U8, 1),
};

static const struct nla_policy region_policy[VMFM_A_REGION_MAX + 1] = {
	[VMFM_A_REGION_NAME] = { .type = NLA_NUL_STRING, .len = VMFM_NAME_BYTES - 1 },
	[VMFM_A_REGION_FD] = { .type = NLA_S32 },
};

static const struct nla_policy new_policy[] = {
	[VMFM_A_ROLE] = NLA_POLICY_RANGE(NLA_U8, VMFM_ROLE_SOURCE, VMFM_ROLE_SINK),
	[VMFM_A_TOKEN] = NLA_POLICY_EXACT_LEN(VMFM_TOKEN_BYTES),
	[VMFM_A_ADDR] = NLA_POLICY_MIN_LEN(sizeof(struct sockaddr_in)),
	[VMFM_A_PEER] = NLA_POLICY_MIN_LEN(sizeof(struct sockaddr_in)),
	[VMFM_A_BANDWIDTH] = { .type = NLA_U64 },
	[VMFM_A_DISCARD] = { .type = NLA_FLAG },
	[VMFM_A_SEND_ZEROS] = { .type = NLA_FLAG },
	[VMFM_A_REGIONS] = { .type = NLA_NESTED },
};

static const struct nla_policy id_policy[] = {
	[VMFM_A_SESSION_ID] = { .type = NLA_U32 },
};

static const struct nla_policy set_policy[] = {
	[VMFM_A_SESSION_ID] = { .type = NLA_U32 },
	[VMFM_A_BANDWIDTH] = { .type = NLA_U64 },
	[VMFM_A_PACE] = { .type = NLA_U64 },
};

static const struct nla_policy final_policy[] = {
	[VMFM_A_SESSION_ID] = { .type = NLA_U32 },
	[VMFM_A_TIMEOUT_MS] = NLA_POLICY_RANGE(NLA_U32, 1, 30000),
};

static struct sk_buff *new_answer(struct genl_info *info, u8 cmd, void **head)
{
	struct sk_buff *skb = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);

	if (!skb)
		return NULL;
	*head = genlmsg_put_reply(skb, info, &family, 0, cmd);
	if (*head)
		return skb;
	nlmsg_free(skb);
	return NULL;
}

static int send_answer(struct sk_buff *skb, void *head, int err, struct genl_info *info)
{
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	genlmsg_end(skb, head);
	return genlmsg_reply(skb, info);
}

static int info_get(struct sk_buff *request, struct genl_info *info)
{
	void *head;
	struct sk_buff *skb = new_answer(info, VMFM_CMD_INFO_GET, &head);

	if (!skb)
		return -ENOMEM;
	return send_answer(skb, head,
			   nla_put_string(skb, VMFM_A_VERSION, THIS_MODULE->version) ?:
			   nla_put_u32(skb, VMFM_A_WIRE_VERSION, VMFM_WIRE_VERSION) ?:
			   nla_put_u32(skb, VMFM_A_REGIONS_MAX, VMFM_REGIONS_MAX) ?:
			   nla_put_u32(skb, VMFM_A_CHUNK_BYTES, HPAGE_PMD_SIZE), info);
}

static int param_get(struct sk_buff *request, struct genl_info *info)
{
	void *head;
	struct sk_buff *skb = new_answer(info, VMFM_CMD_PARAM_GET, &head);

	if (!skb)
		return -ENOMEM;
	return send_answer(skb, head,
			   nla_put_u32(skb, VMFM_A_GRANTS_AHEAD, vmfm_grants_ahead) ?:
			   nla_put_u32(skb, VMFM_A_ACK_TIMEOUT_MS, vmfm_ack_timeout_ms) ?:
			   nla_put_u8(skb, VMFM_A_HUGE, vmfm_huge), info);
}

static int param_set(struct sk_buff *request, struct genl_info *info)
{
	if (info->attrs[VMFM_A_GRANTS_AHEAD])
		WRITE_ONCE(vmfm_grants_ahead, nla_get_u32(info->attrs[VMFM_A_GRANTS_AHEAD]));
	if (info->attrs[VMFM_A_ACK_TIMEOUT_MS])
		WRITE_ONCE(vmfm_ack_timeout_ms, nla_get_u32(info->attrs[VMFM_A_ACK_TIMEOUT_MS]));
	if (info->attrs[VMFM_A_HUGE])
		WRITE_ONCE(vmfm_huge, nla_get_u8(info->attrs[VMFM_A_HUGE]));
	return 0;
}

static int put_dumped_region(struct sk_buff *skb, struct netlink_callback *cb,
			     struct vmfm_region *region)
{
	void *head = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &family,
				 NLM_F_MULTI, VMFM_CMD_REGION_GET);
	int err;

	if (!head)
		return -EMSGSIZE;
	err = vmfm_nl_put_region(skb, region);
	if (err)
		genlmsg_cancel(skb, head);
	else
		genlmsg_end(skb, head);
	return err;
}

/* cb->args[0]: how many were told. A file that comes or goes meanwhile may be missed. */
static int region_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct vmfm_region *region;
	long at = 0;

	mutex_lock(&vmfm_regions_lock);
	list_for_each_entry(region, &vmfm_regions, node) {
		if (at++ < cb->args[0])
			continue;
		if (put_dumped_region(skb, cb, region))
			break;
		cb->args[0]++;
	}
	mutex_unlock(&vmfm_regions_lock);
	return skb->len;
}

static int parse_addr(struct nlattr *attr, struct sockaddr_storage *addr,
		      struct netlink_ext_ack *extack)
{
	const struct sockaddr *from = nla_data(attr);
	size_t bytes = nla_len(attr);

	if ((from->sa_family == AF_INET && bytes == sizeof(struct sockaddr_in)) ||
	    (from->sa_family == AF_INET6 && bytes == sizeof(struct sockaddr_in6))) {
		memcpy(addr, from, bytes);
		return 0;
	}
	NL_SET_ERR_MSG_ATTR(extack, attr, "not a sockaddr_in or sockaddr_in6");
	return -EAFNOSUPPORT;
}

static int parse_region(struct nlattr *attr, struct vmfm_session_spec *spec,
			struct netlink_ext_ack *extack)
{
	struct nlattr *tb[VMFM_A_REGION_MAX + 1];
	unsigned int i = spec->regions;
	int err;

	if (i == VMFM_REGIONS_MAX) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "too many regions");
		return -E2BIG;
	}
	err = nla_parse_nested(tb, VMFM_A_REGION_MAX, attr, region_policy, extack);
	if (err)
		return err;
	if (!tb[VMFM_A_REGION_NAME] || !tb[VMFM_A_REGION_FD] ||
	    !nla_len(tb[VMFM_A_REGION_NAME]) || !*(char *)nla_data(tb[VMFM_A_REGION_NAME])) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "a region needs a name and a file descriptor");
		return -EINVAL;
	}
	nla_strscpy(spec->region[i].name, tb[VMFM_A_REGION_NAME], VMFM_NAME_BYTES);
	spec->region[i].fd = nla_get_s32(tb[VMFM_A_REGION_FD]);
	spec->regions++;
	return 0;
}

static int parse_spec(struct genl_info *info, struct vmfm_session_spec *spec)
{
	struct nlattr **attrs = info->attrs, *attr;
	int err, left;

	if (!attrs[VMFM_A_ROLE] || !attrs[VMFM_A_TOKEN] || !attrs[VMFM_A_ADDR] ||
	    !attrs[VMFM_A_REGIONS]) {
		NL_SET_ERR_MSG(info->extack, "a session needs role, token, address and regions");
		return -EINVAL;
	}
	spec->role = nla_get_u8(attrs[VMFM_A_ROLE]);
	memcpy(spec->token, nla_data(attrs[VMFM_A_TOKEN]), VMFM_TOKEN_BYTES);
	err = parse_addr(attrs[VMFM_A_ADDR], &spec->addr, info->extack);
	if (!err && attrs[VMFM_A_PEER])
		err = parse_addr(attrs[VMFM_A_PEER], &spec->peer, info->extack);
	if (err)
		return err;
	if (spec->role == VMFM_ROLE_SINK && !attrs[VMFM_A_PEER]) {
		NL_SET_ERR_MSG(info->extack, "a sink needs the address it expects its peer from");
		return -EINVAL;
	}
	spec->bandwidth = attrs[VMFM_A_BANDWIDTH] ? nla_get_u64(attrs[VMFM_A_BANDWIDTH]) : 0;
	spec->discard = attrs[VMFM_A_DISCARD];
	spec->find_zeros = !attrs[VMFM_A_SEND_ZEROS];
	nla_for_each_nested(attr, attrs[VMFM_A_REGIONS], left) {
		if (nla_type(attr) != VMFM_A_REGION) {
			NL_SET_ERR_MSG_ATTR(info->extack, attr, "not a region");
			return -EINVAL;
		}
		err = parse_region(attr, spec, info->extack);
		if (err)
			return err;
	}
	if (!spec->regions) {
		NL_SET_ERR_MSG(info->extack, "no regions");
		return -EINVAL;
	}
	return 0;
}

static int answer_new(struct vmfm_session *session, struct genl_info *info)
{
	void *head;
	struct sk_buff *skb = new_answer(info, VMFM_CMD_SESSION_NEW, &head);

	if (!skb)
		return -ENOMEM;
	return send_answer(skb, head,
			   nla_put_u32(skb, VMFM_A_SESSION_ID, session->id) ?:
			   vmfm_nl_put_addr(skb, VMFM_A_ADDR, &session->addr), info);
}

static int session_new(struct sk_buff *request, struct genl_info *info)
{
	struct vmfm_session_spec *spec = kzalloc(sizeof(*spec), GFP_KERNEL);
	struct vmfm_session *session;
	int err;

	if (!spec)
		return -ENOMEM;
	err = parse_spec(info, spec);
	if (!err)
		err = vmfm_session_new(spec, info->snd_portid, &session, info->extack);
	kfree_sensitive(spec);
	if (err)
		return err;
	err = answer_new(session, info);
	if (err)
		vmfm_session_end(session);
	vmfm_session_put(session);
	return err;
}

static struct vmfm_session *find_session(struct genl_info *info)
{
	struct vmfm_session *session;

	if (!info->attrs[VMFM_A_SESSION_ID]) {
		NL_SET_ERR_MSG(info->extack, "which session?");
		return ERR_PTR(-EINVAL);
	}
	session = vmfm_session_get(nla_get_u32(info->attrs[VMFM_A_SESSION_ID]));
	if (session)
		return session;
	VMFM_ERR_MSG(info->extack, "no session %u",
		     nla_get_u32(info->attrs[VMFM_A_SESSION_ID]));
	return ERR_PTR(-ENOENT);
}

/* For what only the owner may do. */
static struct vmfm_session *find_own_session(struct genl_info *info)
{
	struct vmfm_session *session = find_session(info);

	if (IS_ERR(session) || session->portid == info->snd_portid)
		return session;
	VMFM_ERR_MSG(info->extack, "session %u belongs to another socket", session->id);
	vmfm_session_put(session);
	return ERR_PTR(-EPERM);
}

static int session_get(struct sk_buff *request, struct genl_info *info)
{
	struct vmfm_session *session = find_session(info);
	struct sk_buff *skb;
	void *head;
	int err;

	if (IS_ERR(session))
		return PTR_ERR(session);
	skb = new_answer(info, VMFM_CMD_SESSION_GET, &head);
	err = skb ? send_answer(skb, head, vmfm_nl_put_session(skb, session), info) : -ENOMEM;
	vmfm_session_put(session);
	return err;
}

/* cb->args[0]: the next id. */
static int session_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct vmfm_session *session;
	int err = 0;

	while (!err && (session = vmfm_session_next(cb->args[0]))) {
		void *head = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
					 &family, NLM_F_MULTI, VMFM_CMD_SESSION_GET);

		err = head ? vmfm_nl_put_session(skb, session) : -EMSGSIZE;
		if (!err) {
			genlmsg_end(skb, head);
			cb->args[0] = (long)session->id + 1;
		} else if (head) {
			genlmsg_cancel(skb, head);
		}
		vmfm_session_put(session);
	}
	return skb->len;
}

static int session_set(struct sk_buff *request, struct genl_info *info)
{
	struct vmfm_session *session = find_own_session(info);

	if (IS_ERR(session))
		return PTR_ERR(session);
	if (info->attrs[VMFM_A_BANDWIDTH])
		WRITE_ONCE(session->bandwidth, nla_get_u64(info->attrs[VMFM_A_BANDWIDTH]));
	if (info->attrs[VMFM_A_PACE])
		vmfm_pace_set(&session->pace, nla_get_u64(info->attrs[VMFM_A_PACE]));
	wake_up_all(&session->wait);
	vmfm_session_put(session);
	return 0;
}

static int begin(struct genl_info *info, enum vmfm_state to, unsigned int timeout_ms)
{
	struct vmfm_session *session = find_own_session(info);
	int err;

	if (IS_ERR(session))
		return PTR_ERR(session);
	err = vmfm_session_begin(session, to, timeout_ms);
	if (err)
		VMFM_ERR_MSG(info->extack, "session %u is %s", session->id,
			     vmfm_state_name(vmfm_session_state(session)));
	vmfm_session_put(session);
	return err;
}

static int session_start(struct sk_buff *request, struct genl_info *info)
{
	return begin(info, VMFM_STATE_CONNECTING, 0);
}

static int session_round(struct sk_buff *request, struct genl_info *info)
{
	return begin(info, VMFM_STATE_ROUND, 0);
}

static int session_final(struct sk_buff *request, struct genl_info *info)
{
	if (!info->attrs[VMFM_A_TIMEOUT_MS]) {
		NL_SET_ERR_MSG(info->extack, "how long may the final round take?");
		return -EINVAL;
	}
	return begin(info, VMFM_STATE_FINAL, nla_get_u32(info->attrs[VMFM_A_TIMEOUT_MS]));
}

static int session_del(struct sk_buff *request, struct genl_info *info)
{
	struct vmfm_session *session = find_own_session(info);

	if (IS_ERR(session))
		return PTR_ERR(session);
	vmfm_session_end(session);
	vmfm_session_put(session);
	return 0;
}

void vmfm_netlink_event(struct vmfm_session *session, enum vmfm_event event)
{
	struct sk_buff *skb;
	void *head;

	if (!genl_has_listeners(&family, &init_net, 0))
		return;
	skb = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!skb)
		return;
	head = genlmsg_put(skb, 0, 0, &family, 0, VMFM_CMD_EVENT);
	if (!head || nla_put_u8(skb, VMFM_A_EVENT, event) || vmfm_nl_put_session(skb, session)) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, head);
	genlmsg_multicast(&family, skb, 0, 0, GFP_KERNEL);
}

#define OP(_cmd, _doit, _policy) {				\
	.cmd = _cmd, .doit = _doit, .flags = GENL_ADMIN_PERM,	\
	.policy = _policy, .maxattr = ARRAY_SIZE(_policy) - 1 }

static const struct genl_ops ops[] = {
	OP(VMFM_CMD_INFO_GET, info_get, no_policy),
	OP(VMFM_CMD_PARAM_GET, param_get, no_policy),
	OP(VMFM_CMD_PARAM_SET, param_set, param_policy),
	{
		.cmd = VMFM_CMD_REGION_GET,
		.dumpit = region_dump,
		.flags = GENL_ADMIN_PERM,
		.policy = no_policy,
		.maxattr = ARRAY_SIZE(no_policy) - 1,
	},
	OP(VMFM_CMD_SESSION_NEW, session_new, new_policy),
	{
		.cmd = VMFM_CMD_SESSION_GET,
		.doit = session_get,
		.dumpit = session_dump,
		.flags = GENL_ADMIN_PERM,
		.policy = id_policy,
		.maxattr = ARRAY_SIZE(id_policy) - 1,
	},
	OP(VMFM_CMD_SESSION_SET, session_set, set_policy),
	OP(VMFM_CMD_SESSION_START, session_start, id_policy),
	OP(VMFM_CMD_SESSION_ROUND, session_round, id_policy),
	OP(VMFM_CMD_SESSION_FINAL, session_final, final_policy),
	OP(VMFM_CMD_SESSION_DEL, session_del, id_policy),
};

static const struct genl_multicast_group groups[] = {
	{ .name = VMFM_MCGRP_EVENTS, .flags = GENL_MCAST_CAP_NET_ADMIN, },
};

static struct genl_family family __ro_after_init = {
	.name = VMFM_GENL_NAME,
	.version = VMFM_GENL_VERSION,
	.module = THIS_MODULE,
	.parallel_ops = true,
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
	.resv_start_op = 1,
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
};

static int on_release(struct notifier_block *block, unsigned long event, void *data)
{
	struct netlink_notify *notify = data;

	if (event == NETLINK_URELEASE && notify->protocol == NETLINK_GENERIC &&
	    net_eq(notify->net, &init_net))
		vmfm_session_orphan(notify->portid);
	return NOTIFY_DONE;
}

static struct notifier_block release_block = {
	.notifier_call = on_release,
};

int __init vmfm_netlink_register(void)
{
	int err = netlink_register_notifier(&release_block);

	if (err)
		return err;
	err = genl_register_family(&family);
	if (err)
		netlink_unregister_notifier(&release_block);
	return err;
}

void vmfm_netlink_unregister(void)
{
	genl_unregister_family(&family);
	netlink_unregister_notifier(&release_block);
}
