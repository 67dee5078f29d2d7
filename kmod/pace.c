// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pacing: the guarantee that a migration ends without post-copy. Each page that
 * becomes dirty takes a slot on a time line; a writer waits for its slot, but
 * never longer than WAIT_MOST_NS, so that the slowest guest still goes on.
 */
#include <linux/kvm_host.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>
#include <linux/wait.h>

#include "pace.h"

#define WAIT_MOST_NS	(20 * NSEC_PER_MSEC)
#define WAIT_LEAST_NS	(100 * NSEC_PER_USEC)	/* less is added up */

static DECLARE_WAIT_QUEUE_HEAD(paced);
static atomic_t changes = ATOMIC_INIT(0);

void vmfm_pace_init(struct vmfm_pace *pace)
{
#if IS_ENABLED(CONFIG_KVM)
	pace->running = symbol_get(kvm_get_running_vcpu);
#endif
}

void vmfm_pace_exit(struct vmfm_pace *pace)
{
#if IS_ENABLED(CONFIG_KVM)
	if (pace->running)
		symbol_put(kvm_get_running_vcpu);
#endif
	pace->running = NULL;
}

void vmfm_pace_set(struct vmfm_pace *pace, u64 bytes_s)
{
	WRITE_ONCE(pace->bytes_s, bytes_s);
	atomic_inc(&changes);
	wake_up_all(&paced);
}

static bool is_paced(const struct vmfm_pace *pace)
{
	return pace->running ? pace->running() != NULL :
	       !(current->flags & (PF_KTHREAD | PF_IO_WORKER));
}

u64 vmfm_pace_take(struct vmfm_pace *pace)
{
	u64 bytes_s = READ_ONCE(pace->bytes_s), now_ns, wait_ns;
	s64 next_ns, mine_ns;

	if (!bytes_s || !is_paced(pace))
		return 0;
	now_ns = ktime_get_ns();
	next_ns = atomic64_read(&pace->next_ns);
	do {
		/* Nothing is saved up, and no more is owed than is waited for. */
		mine_ns = clamp_t(s64, next_ns, now_ns, now_ns + WAIT_MOST_NS);
	} while (!atomic64_try_cmpxchg(&pace->next_ns, &next_ns,
				       mine_ns + div64_u64(PAGE_SIZE * NSEC_PER_SEC, bytes_s)));
	wait_ns = mine_ns - now_ns;
	if (wait_ns < WAIT_LEAST_NS)
		return 0;
	atomic64_add(wait_ns, &pace->waited_ns);
	return wait_ns;
}

void vmfm_pace_wait(u64 wait_ns)
{
	int seen = atomic_read(&changes);

	wait_event_interruptible_hrtimeout(paced, atomic_read(&changes) != seen,
					   ns_to_ktime(wait_ns));
}
