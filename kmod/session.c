// SPDX-License-Identifier: GPL-2.0-only
/*
 * A session: one migration's hold on the regions of one guest, on one host.
 *
 * It belongs to a netlink socket. Its work (connect, rounds) runs on a queue of
 * its own, one step at a time; failures from anywhere go through
 * vmfm_session_fail(), which wakes whoever waits and stops the tracking.
 */
#include <linux/module.h>
#include <linux/netlink.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "dirty.h"
#include "fs.h"
#include "lost.h"
#include "session.h"
#include "trace.h"
#include "xport.h"

static DEFINE_MUTEX(sessions_lock);
static LIST_HEAD(sessions);		/* ascending by id */
static u32 last_id;
static struct workqueue_struct *reaper;

static bool legal(enum vmfm_role role, enum vmfm_state from, enum vmfm_state to)
{
	if (to == VMFM_STATE_FAILED)
		return from != VMFM_STATE_DONE && from != VMFM_STATE_FAILED;
	if (role == VMFM_ROLE_SINK)
		return (from == VMFM_STATE_NEW && to == VMFM_STATE_READY) ||
		       (from == VMFM_STATE_READY && to == VMFM_STATE_DONE);
	switch (to) {
	case VMFM_STATE_CONNECTING:
		return from == VMFM_STATE_NEW;
	case VMFM_STATE_READY:
		return from == VMFM_STATE_CONNECTING || from == VMFM_STATE_ROUND;
	case VMFM_STATE_ROUND:
	case VMFM_STATE_FINAL:
		return from == VMFM_STATE_READY;
	case VMFM_STATE_DONE:
		return from == VMFM_STATE_FINAL;
	default:
		return false;
	}
}

static int move_locked(struct vmfm_session *session, enum vmfm_state to)
{
	lockdep_assert_held(&session->lock);
	if (!legal(session->role, session->state, to))
		return -EBUSY;
	trace_vmfm_state(session->id, session->state, to, session->error);
	session->state = to;
	return 0;
}

/*
 * Nothing is queued once the session failed, but the stop that failing queues:
 * state and queue change under one lock, and dismantle() counts on it.
 */
int vmfm_session_begin(struct vmfm_session *session, enum vmfm_state to, unsigned int timeout_ms)
{
	struct work_struct *work = to == VMFM_STATE_CONNECTING ? &session->start :
				   to == VMFM_STATE_ROUND ? &session->round : &session->final;
	int err;

	spin_lock(&session->lock);
	err = move_locked(session, to);
	if (!err) {
		session->final_timeout_ms = timeout_ms;
		queue_work(session->queue, work);
	}
	spin_unlock(&session->lock);
	if (!err)
		vmfm_netlink_event(session, VMFM_EVENT_STATE);
	return err;
}

int vmfm_session_move(struct vmfm_session *session, enum vmfm_state to)
{
	int err;

	spin_lock(&session->lock);
	err = move_locked(session, to);
	spin_unlock(&session->lock);
	if (err)
		return err;
	wake_up_all(&session->wait);
	vmfm_netlink_event(session, VMFM_EVENT_STATE);
	return 0;
}

enum vmfm_state vmfm_session_state(struct vmfm_session *session)
{
	enum vmfm_state state;

	spin_lock(&session->lock);
	state = session->state;
	spin_unlock(&session->lock);
	return state;
}

void vmfm_session_fail(struct vmfm_session *session, int error, const char *format, ...)
{
	va_list args;
	bool first;

	spin_lock(&session->lock);
	first = !session->error && legal(session->role, session->state, VMFM_STATE_FAILED);
	if (first) {
		WRITE_ONCE(session->error, error);
		va_start(args, format);
		vscnprintf(session->error_text, sizeof(session->error_text), format, args);
		va_end(args);
		move_locked(session, VMFM_STATE_FAILED);
		if (session->role == VMFM_ROLE_SOURCE)
			queue_work(session->queue, &session->stop);
	}
	spin_unlock(&session->lock);
	if (!first)
		return;
	wake_up_all(&session->wait);
	vmfm_netlink_event(session, VMFM_EVENT_STATE);
}

static void start_work(struct work_struct *work)
{
	vmfm_precopy_start(container_of(work, struct vmfm_session, start));
}

static void round_work(struct work_struct *work)
{
	vmfm_precopy_round(container_of(work, struct vmfm_session, round));
}

static void final_work(struct work_struct *work)
{
	vmfm_precopy_final(container_of(work, struct vmfm_session, final));
}

static void stop_work(struct work_struct *work)
{
	vmfm_precopy_stop(container_of(work, struct vmfm_session, stop));
}

/* They can be had by another session; who still looks at this one sees them. */
static void release_regions(struct vmfm_session *session)
{
	unsigned int i;

	for (i = 0; i < session->regions; i++)
		vmfm_region_release(session->region[i].file);
}

static void free_session(struct kref *kref)
{
	struct vmfm_session *session = container_of(kref, struct vmfm_session, kref);
	unsigned int i;

	for (i = 0; i < session->regions; i++)
		vmfm_region_put(session->region[i].file);
	vmfm_pace_exit(&session->pace);
	kfree(session->region);
	kfree(session->block);
	kfree_sensitive(session);
}

void vmfm_session_put(struct vmfm_session *session)
{
	kref_put(&session->kref, free_session);
}

/* Undoes everything but the memory. Nobody can find the session any more. */
static void dismantle(struct vmfm_session *session)
{
	vmfm_session_fail(session, -ECANCELED, "session %u ended by its owner", session->id);
	flush_workqueue(session->queue);
	vmfm_xport_close(session);
	destroy_workqueue(session->queue);
	vmfm_precopy_stop(session);
	release_regions(session);
	vmfm_session_put(session);
	module_put(THIS_MODULE);
}

static void reap_work(struct work_struct *work)
{
	dismantle(container_of(work, struct vmfm_session, reap));
}

static bool unlist(struct vmfm_session *session)
{
	bool listed;

	mutex_lock(&sessions_lock);
	listed = !list_empty(&session->node);
	list_del_init(&session->node);
	mutex_unlock(&sessions_lock);
	return listed;
}

void vmfm_session_end(struct vmfm_session *session)
{
	if (unlist(session))
		dismantle(session);
}

void vmfm_session_orphan(u32 portid)
{
	struct vmfm_session *session, *next;

	mutex_lock(&sessions_lock);
	list_for_each_entry_safe(session, next, &sessions, node) {
		if (session->portid != portid)
			continue;
		list_del_init(&session->node);
		queue_work(reaper, &session->reap);
	}
	mutex_unlock(&sessions_lock);
}

struct vmfm_session *vmfm_session_next(u32 id)
{
	struct vmfm_session *session, *found = NULL;

	mutex_lock(&sessions_lock);
	list_for_each_entry(session, &sessions, node) {
		if (session->id >= id) {
			kref_get(&session->kref);
			found = session;
			break;
		}
	}
	mutex_unlock(&sessions_lock);
	return found;
}

struct vmfm_session *vmfm_session_get(u32 id)
{
	struct vmfm_session *session = vmfm_session_next(id);

	if (session && session->id != id) {
		vmfm_session_put(session);
		return NULL;
	}
	return session;
}

static int add_region(struct vmfm_session *session, int fd, const char *name,
		      struct netlink_ext_ack *extack)
{
	struct vmfm_session_region *region = &session->region[session->regions];
	struct vmfm_region *file = vmfm_region_get_fd(fd);
	int err = 0;

	if (IS_ERR(file)) {
		VMFM_ERR_MSG(extack, "region %s: fd %d is not a vmfastmig file open for writing",
				   name, fd);
		return PTR_ERR(file);
	}
	/* Its size changes under this lock, and not while a session has it. */
	inode_lock(&file->inode);
	region->pages = vmfm_region_pages(file);
	if (!region->pages) {
		VMFM_ERR_MSG(extack, "region %s: file is empty", name);
		err = -EINVAL;
	} else if (vmfm_region_claim(file, session, session->role == VMFM_ROLE_SINK)) {
		VMFM_ERR_MSG(extack, "region %s: belongs to another session", name);
		err = -EBUSY;
	}
	inode_unlock(&file->inode);
	if (err) {
		vmfm_region_put(file);
		return err;
	}
	region->file = file;
	strscpy(region->name, name, sizeof(region->name));
	session->regions++;
	return 0;
}

/* A device that has pages pinned would write beside those that arrive. */
static int discard_region(struct vmfm_session_region *region, struct netlink_ext_ack *extack)
{
	static const int never;
	unsigned long pinned = 0;
	int err = vmfm_dirty_refuse_pins(region->file, 0, &never, &pinned);

	if (err == -EBUSY)
		VMFM_ERR_MSG(extack, "region %s: %lu pages are pinned (VFIO, RDMA or the like): detach that device",
			     region->name, pinned);
	if (!err)
		vmfm_region_discard(region->file);
	return err;
}

static int empty_region(struct vmfm_session_region *region, bool discard,
			struct netlink_ext_ack *extack)
{
	/* Somebody may have given a QEMU that waits the file of a guest that runs. */
	if (vmfm_region_has_several_users(region->file)) {
		VMFM_ERR_MSG(extack, "region %s: more than one process maps its file: is it another guest's?",
			     region->name);
		return -EBUSY;
	}
	if (discard)
		return discard_region(region, extack);
	if (region->file->inode.i_mapping->nrpages || vmfm_lost_any(region->file, 0, ULONG_MAX)) {
		VMFM_ERR_MSG(extack, "region %s: holds pages", region->name);
		return -ENOTEMPTY;
	}
	return 0;
}

static int add_regions(struct vmfm_session *session, const struct vmfm_session_spec *spec,
		       struct netlink_ext_ack *extack)
{
	unsigned int i;
	int err;

	for (i = 0; i < spec->regions; i++) {
		err = add_region(session, spec->region[i].fd, spec->region[i].name, extack);
		if (err)
			return err;
	}
	if (session->role == VMFM_ROLE_SOURCE)
		return 0;
	for (i = 0; i < session->regions; i++) {
		err = empty_region(&session->region[i], spec->discard, extack);
		if (err)
			return err;
	}
	return 0;
}

static struct vmfm_session *alloc_session(const struct vmfm_session_spec *spec, u32 portid)
{
	struct vmfm_session *session = kzalloc(sizeof(*session), GFP_KERNEL);

	if (!session)
		return NULL;
	kref_init(&session->kref);
	INIT_LIST_HEAD(&session->node);
	session->portid = portid;
	session->role = spec->role;
	memcpy(session->token, spec->token, sizeof(session->token));
	session->addr = spec->addr;
	session->peer = spec->peer;
	session->bandwidth = spec->bandwidth;
	session->find_zeros = spec->find_zeros;
	spin_lock_init(&session->lock);
	init_waitqueue_head(&session->wait);
	vmfm_pace_init(&session->pace);
	INIT_WORK(&session->start, start_work);
	INIT_WORK(&session->round, round_work);
	INIT_WORK(&session->final, final_work);
	INIT_WORK(&session->stop, stop_work);
	INIT_WORK(&session->reap, reap_work);
	session->region = kcalloc(spec->regions, sizeof(*session->region), GFP_KERNEL);
	session->queue = alloc_ordered_workqueue("vmfastmig-%s", 0,
			spec->role == VMFM_ROLE_SOURCE ? "source" : "sink");
	if (spec->role == VMFM_ROLE_SOURCE)
		session->block = kzalloc(sizeof(*session->block), GFP_KERNEL);
	if (session->region && session->queue &&
	    (session->block || spec->role == VMFM_ROLE_SINK))
		return session;
	if (session->queue)
		destroy_workqueue(session->queue);
	vmfm_session_put(session);
	return NULL;
}

static void list_session(struct vmfm_session *session)
{
	mutex_lock(&sessions_lock);
	session->id = ++last_id;
	list_add_tail(&session->node, &sessions);
	mutex_unlock(&sessions_lock);
}

int vmfm_session_new(const struct vmfm_session_spec *spec, u32 portid,
		     struct vmfm_session **session_out, struct netlink_ext_ack *extack)
{
	struct vmfm_session *session;
	int err;

	if (!try_module_get(THIS_MODULE))
		return -ENODEV;
	session = alloc_session(spec, portid);
	if (!session) {
		err = -ENOMEM;
		goto put_module;
	}
	err = add_regions(session, spec, extack);
	if (err)
		goto release;
	if (session->role == VMFM_ROLE_SINK) {
		err = vmfm_xport_listen(session);
		if (err) {
			VMFM_ERR_MSG(extack, "cannot listen at %pISpc: error %d: %s", &session->addr, err,
				     err == -ENOMEM ? "no memory" :
				     "no RDMA device has this address, or the port is taken");
			goto release;
		}
	}
	kref_get(&session->kref);
	list_session(session);
	*session_out = session;
	return 0;

release:
	release_regions(session);
	destroy_workqueue(session->queue);
	vmfm_session_put(session);
put_module:
	module_put(THIS_MODULE);
	return err;
}

int vmfm_session_init(void)
{
	reaper = alloc_workqueue("vmfastmig-reaper", WQ_UNBOUND, 0);
	return reaper ? 0 : -ENOMEM;
}

void vmfm_session_exit(void)
{
	destroy_workqueue(reaper);
}
