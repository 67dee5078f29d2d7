/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vmfastmig

#if !defined(VMFM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define VMFM_TRACE_H

#include <linux/fs.h>
#include <linux/tracepoint.h>

#include "uapi/linux/vmfastmig.h"

TRACE_DEFINE_ENUM(VMFM_STATE_NEW);
TRACE_DEFINE_ENUM(VMFM_STATE_CONNECTING);
TRACE_DEFINE_ENUM(VMFM_STATE_READY);
TRACE_DEFINE_ENUM(VMFM_STATE_ROUND);
TRACE_DEFINE_ENUM(VMFM_STATE_FINAL);
TRACE_DEFINE_ENUM(VMFM_STATE_DONE);
TRACE_DEFINE_ENUM(VMFM_STATE_FAILED);

#define show_state(state) __print_symbolic(state,	\
	{ VMFM_STATE_NEW, "new" },			\
	{ VMFM_STATE_CONNECTING, "connecting" },	\
	{ VMFM_STATE_READY, "ready" },			\
	{ VMFM_STATE_ROUND, "round" },			\
	{ VMFM_STATE_FINAL, "final" },			\
	{ VMFM_STATE_DONE, "done" },			\
	{ VMFM_STATE_FAILED, "failed" })

TRACE_EVENT(vmfm_state,
	TP_PROTO(u32 session, int from, int to, int error),
	TP_ARGS(session, from, to, error),
	TP_STRUCT__entry(
		__field(u32, session)
		__field(int, from)
		__field(int, to)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->session = session;
		__entry->from = from;
		__entry->to = to;
		__entry->error = error;
	),
	TP_printk("session=%u %s -> %s error=%d", __entry->session,
		  show_state(__entry->from), show_state(__entry->to), __entry->error)
);

TRACE_EVENT(vmfm_start,
	TP_PROTO(u32 session, struct inode *inode, unsigned long present, int error),
	TP_ARGS(session, inode, present, error),
	TP_STRUCT__entry(
		__field(u32, session)
		__field(unsigned long, ino)
		__field(unsigned long, present)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->session = session;
		__entry->ino = inode->i_ino;
		__entry->present = present;
		__entry->error = error;
	),
	TP_printk("session=%u ino=%lu present=%lu error=%d", __entry->session, __entry->ino,
		  __entry->present, __entry->error)
);

TRACE_EVENT(vmfm_mark,
	TP_PROTO(struct inode *inode, pgoff_t index),
	TP_ARGS(inode, index),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(unsigned long, index)
	),
	TP_fast_assign(
		__entry->ino = inode->i_ino;
		__entry->index = index;
	),
	TP_printk("ino=%lu page=%lu", __entry->ino, __entry->index)
);

TRACE_EVENT(vmfm_take,
	TP_PROTO(struct inode *inode, pgoff_t first, unsigned int marks, unsigned int kept),
	TP_ARGS(inode, first, marks, kept),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(unsigned long, first)
		__field(unsigned int, marks)
		__field(unsigned int, kept)
	),
	TP_fast_assign(
		__entry->ino = inode->i_ino;
		__entry->first = first;
		__entry->marks = marks;
		__entry->kept = kept;
	),
	TP_printk("ino=%lu block=%lu marks=%u kept=%u", __entry->ino, __entry->first,
		  __entry->marks, __entry->kept)
);

TRACE_EVENT(vmfm_protect,
	TP_PROTO(struct inode *inode, pgoff_t first, unsigned long pages, u64 ns),
	TP_ARGS(inode, first, pages, ns),
	TP_STRUCT__entry(
		__field(unsigned long, ino)
		__field(unsigned long, first)
		__field(unsigned long, pages)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->ino = inode->i_ino;
		__entry->first = first;
		__entry->pages = pages;
		__entry->ns = ns;
	),
	TP_printk("ino=%lu page=%lu pages=%lu ns=%llu", __entry->ino, __entry->first,
		  __entry->pages, __entry->ns)
);

TRACE_EVENT(vmfm_post,
	TP_PROTO(u32 session, unsigned int region, pgoff_t first, unsigned long pages,
		 unsigned int writes),
	TP_ARGS(session, region, first, pages, writes),
	TP_STRUCT__entry(
		__field(u32, session)
		__field(unsigned int, region)
		__field(unsigned long, first)
		__field(unsigned long, pages)
		__field(unsigned int, writes)
	),
	TP_fast_assign(
		__entry->session = session;
		__entry->region = region;
		__entry->first = first;
		__entry->pages = pages;
		__entry->writes = writes;
	),
	TP_printk("session=%u region=%u page=%lu pages=%lu writes=%u", __entry->session,
		  __entry->region, __entry->first, __entry->pages, __entry->writes)
);

TRACE_EVENT(vmfm_complete,
	TP_PROTO(u32 session, unsigned int writes, int status),
	TP_ARGS(session, writes, status),
	TP_STRUCT__entry(
		__field(u32, session)
		__field(unsigned int, writes)
		__field(int, status)
	),
	TP_fast_assign(
		__entry->session = session;
		__entry->writes = writes;
		__entry->status = status;
	),
	TP_printk("session=%u writes=%u status=%d", __entry->session, __entry->writes,
		  __entry->status)
);

TRACE_EVENT(vmfm_grant,
	TP_PROTO(u32 session, unsigned int region, pgoff_t first, u64 iova, u32 rkey),
	TP_ARGS(session, region, first, iova, rkey),
	TP_STRUCT__entry(
		__field(u32, session)
		__field(unsigned int, region)
		__field(unsigned long, first)
		__field(u64, iova)
		__field(u32, rkey)
	),
	TP_fast_assign(
		__entry->session = session;
		__entry->region = region;
		__entry->first = first;
		__entry->iova = iova;
		__entry->rkey = rkey;
	),
	TP_printk("session=%u region=%u page=%lu iova=%#llx rkey=%#x", __entry->session,
		  __entry->region, __entry->first, __entry->iova, __entry->rkey)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
