// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions and regions as netlink attributes.
 */
#include <linux/dcache.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/kdev_t.h>
#include <net/netlink.h>

#include "fs.h"
#include "mapping.h"
#include "nlmsg.h"
#include "session.h"

const char *vmfm_state_name(enum vmfm_state state)
{
	static const char * const names[] = {
		[VMFM_STATE_NEW] = "new",
		[VMFM_STATE_CONNECTING] = "connecting",
		[VMFM_STATE_READY] = "ready",
		[VMFM_STATE_ROUND] = "in a round",
		[VMFM_STATE_FINAL] = "in its final round",
		[VMFM_STATE_DONE] = "done",
		[VMFM_STATE_FAILED] = "failed",
	};

	return state < ARRAY_SIZE(names) ? names[state] : "unknown";
}

int vmfm_nl_put_addr(struct sk_buff *skb, int type, const struct sockaddr_storage *addr)
{
	return nla_put(skb, type, addr->ss_family == AF_INET ? sizeof(struct sockaddr_in) :
		       sizeof(struct sockaddr_in6), addr);
}

static int put_u64(struct sk_buff *skb, int type, u64 value)
{
	return nla_put_u64_64bit(skb, type, value, 1 /* every _PAD here is 1 */);
}

static int put_stats(struct sk_buff *skb, struct vmfm_session *session)
{
	struct nlattr *nest = nla_nest_start(skb, VMFM_A_STATS);
	u64 total = 0, present = 0, dirty = 0, marked = 0;
	unsigned int i;

	if (!nest)
		return -EMSGSIZE;
	for (i = 0; i < session->regions; i++) {
		struct vmfm_session_region *region = &session->region[i];

		total += (u64)region->pages << PAGE_SHIFT;
		present += region->present;
		dirty += vmfm_dirty_pages(region->file);
		marked += vmfm_dirty_marked(region->file);
	}
	if (put_u64(skb, VMFM_A_STATS_TOTAL_BYTES, total) ||
	    put_u64(skb, VMFM_A_STATS_PRESENT_PAGES, present) ||
	    put_u64(skb, VMFM_A_STATS_DIRTY_PAGES, dirty) ||
	    put_u64(skb, VMFM_A_STATS_MARKED_PAGES, marked) ||
	    nla_put_u32(skb, VMFM_A_STATS_ROUNDS, session->rounds) ||
	    put_u64(skb, VMFM_A_STATS_SENT_PAGES, session->sent_pages) ||
	    put_u64(skb, VMFM_A_STATS_SENT_BYTES, session->sent_pages << PAGE_SHIFT) ||
	    put_u64(skb, VMFM_A_STATS_HOLE_PAGES, session->hole_pages) ||
	    put_u64(skb, VMFM_A_STATS_KEPT_PAGES, session->kept_pages) ||
	    put_u64(skb, VMFM_A_STATS_WRITES, session->writes) ||
	    put_u64(skb, VMFM_A_STATS_CHUNKS, atomic64_read(&session->chunks)) ||
	    put_u64(skb, VMFM_A_STATS_KEYS, atomic64_read(&session->keys)) ||
	    put_u64(skb, VMFM_A_STATS_PACED_NS, atomic64_read(&session->pace.waited_ns)) ||
	    put_u64(skb, VMFM_A_STATS_ZERO_PAGES, session->zero_pages))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int put_round(struct sk_buff *skb, const struct vmfm_round *round)
{
	struct nlattr *nest;

	if (!round->number)
		return 0;
	nest = nla_nest_start(skb, VMFM_A_ROUND);
	if (!nest ||
	    nla_put_u32(skb, VMFM_A_ROUND_NUMBER, round->number) ||
	    put_u64(skb, VMFM_A_ROUND_PAGES, round->pages) ||
	    put_u64(skb, VMFM_A_ROUND_BYTES, round->pages << PAGE_SHIFT) ||
	    put_u64(skb, VMFM_A_ROUND_HOLE_PAGES, round->hole_pages) ||
	    put_u64(skb, VMFM_A_ROUND_KEPT_PAGES, round->kept_pages) ||
	    put_u64(skb, VMFM_A_ROUND_TIME_NS, round->time_ns) ||
	    put_u64(skb, VMFM_A_ROUND_PROTECT_NS, round->protect_ns) ||
	    put_u64(skb, VMFM_A_ROUND_WAIT_NS, round->wait_ns) ||
	    put_u64(skb, VMFM_A_ROUND_DIRTY_PAGES, round->dirty_pages) ||
	    put_u64(skb, VMFM_A_ROUND_ZERO_PAGES, round->zero_pages) ||
	    (round->final && nla_put_flag(skb, VMFM_A_ROUND_FINAL)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

int vmfm_nl_put_session(struct sk_buff *skb, struct vmfm_session *session)
{
	char error_text[VMFM_ERROR_TEXT_BYTES];
	struct vmfm_round last;
	enum vmfm_state state;
	int error;

	spin_lock(&session->lock);
	state = session->state;
	error = session->error;
	memcpy(error_text, session->error_text, sizeof(error_text));
	last = session->last;
	spin_unlock(&session->lock);

	if (nla_put_u32(skb, VMFM_A_SESSION_ID, session->id) ||
	    nla_put_u8(skb, VMFM_A_ROLE, session->role) ||
	    nla_put_u8(skb, VMFM_A_STATE, state) ||
	    put_u64(skb, VMFM_A_BANDWIDTH, READ_ONCE(session->bandwidth)) ||
	    put_u64(skb, VMFM_A_PACE, READ_ONCE(session->pace.bytes_s)) ||
	    nla_put_s32(skb, VMFM_A_ERROR, error) ||
	    nla_put_string(skb, VMFM_A_ERROR_TEXT, error_text))
		return -EMSGSIZE;
	return put_stats(skb, session) ?: put_round(skb, &last);
}

/* The name is told as it is now; a file whose name is gone has none. */
static int put_name(struct sk_buff *skb, struct inode *inode)
{
	const char *name = "";
	struct dentry *dentry;
	int err;

	/*
	 * No reference is taken: to be the last to give it back would evict the
	 * inode, which needs the lock that our caller holds.
	 */
	spin_lock(&inode->i_lock);
	dentry = hlist_entry_safe(inode->i_dentry.first, struct dentry, d_u.d_alias);
	if (!dentry) {
		spin_unlock(&inode->i_lock);
		return nla_put_string(skb, VMFM_A_REGION_NAME, name);
	}
	spin_lock(&dentry->d_lock);
	if (!d_unhashed(dentry))
		name = dentry->d_name.name;
	err = nla_put_string(skb, VMFM_A_REGION_NAME, name);
	spin_unlock(&dentry->d_lock);
	spin_unlock(&inode->i_lock);
	return err;
}

int vmfm_nl_put_region(struct sk_buff *skb, struct vmfm_region *region)
{
	struct inode *inode = &region->inode;
	struct nlattr *nest = nla_nest_start(skb, VMFM_A_REGION);

	if (!nest || put_name(skb, inode) ||
	    put_u64(skb, VMFM_A_REGION_DEV, new_encode_dev(inode->i_sb->s_dev)) ||
	    put_u64(skb, VMFM_A_REGION_INO, inode->i_ino) ||
	    put_u64(skb, VMFM_A_REGION_SIZE_BYTES, i_size_read(inode)) ||
	    put_u64(skb, VMFM_A_REGION_PRESENT_PAGES, READ_ONCE(inode->i_mapping->nrpages)) ||
	    put_u64(skb, VMFM_A_REGION_HUGE_PAGES, vmfm_region_huge_pages(region)) ||
	    (region->session &&
	     nla_put_u32(skb, VMFM_A_REGION_SESSION_ID, region->session->id)))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}
