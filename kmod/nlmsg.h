/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMFM_NLMSG_H
#define VMFM_NLMSG_H

#include <linux/socket.h>

#include "uapi/linux/vmfastmig.h"

struct sk_buff;
struct vmfm_region;
struct vmfm_session;

/* 0 or -EMSGSIZE. */
int vmfm_nl_put_session(struct sk_buff *skb, struct vmfm_session *session);
int vmfm_nl_put_region(struct sk_buff *skb, struct vmfm_region *region);
int vmfm_nl_put_addr(struct sk_buff *skb, int type, const struct sockaddr_storage *addr);

const char *vmfm_state_name(enum vmfm_state state);

#endif
