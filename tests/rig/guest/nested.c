// SPDX-License-Identifier: GPL-2.0
/*
 * A guest of the guest: a virtual machine whose one vCPU writes to pages of its memory
 * all the time. What they must hold follows from its seed. All of them are looked at
 * each time it has stopped.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "guest.h"
#include "kselftest/vcpu.h"

#define SEED	0x6e657374

/* With the pauses some 0.5 s under emulation: mostly it is the nested guest that runs. */
static const struct vcpu_work work = { .writes = 256, .pause = 60000 };

struct nested {
	struct vcpu vcpu;
	char *memory;
	size_t pages;
	struct vcpu_write now, *last;	/* of all; of each page */
};

static void report(const struct nested *n, size_t page)
{
	uint32_t is;

	if (atomic_fetch_add(&counters.errors, 1) >= 20)
		return;
	memcpy(&is, n->memory + page * PAGE_BYTES, sizeof(is));
	say("BAD PAGE: nested guest's page %zu after %u writes: its last was %u, it says %u",
	    page, n->now.count, n->last[page].count, is);
}

static void check(const struct nested *n)
{
	char want[PAGE_BYTES] = "";
	size_t page;

	for (page = 0; page < n->pages; page++) {
		vcpu_stamp(want, &n->last[page]);
		if (memcmp(n->memory + page * PAGE_BYTES, want, sizeof(want)))
			report(n, page);
	}
	atomic_fetch_add(&counters.nested_passes, 1);
}

static void follow(struct nested *n)
{
	unsigned int i;

	for (i = 0; i < work.writes; i++) {
		size_t page = vcpu_next(&n->now, n->pages);

		n->last[page] = n->now;
	}
	counters.nested_writes = n->now.count;
}

static void *run(void *arg)
{
	struct nested *n = arg;

	while (!vcpu_write(&n->vcpu)) {
		follow(n);
		check(n);
	}
	say("the nested guest stopped: exit reason %u, %s", n->vcpu.run->exit_reason,
	    strerror(errno));
	atomic_fetch_add(&counters.errors, 1);
	return NULL;
}

void nested_start(void)
{
	static struct nested n = { .now.random = SEED };
	int err;

	if (!settings.nested_bytes)
		return;
	n.pages = settings.nested_bytes / PAGE_BYTES;
	n.memory = mmap(NULL, settings.nested_bytes, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	n.last = calloc(n.pages, sizeof(*n.last));
	if (n.memory == MAP_FAILED || !n.last) {
		say("no memory for a nested guest");
		abort();
	}
	err = vcpu_open(&n.vcpu, n.memory, settings.nested_bytes, SEED, &work);
	if (!err) {
		start_thread(run, &n);
		return;
	}
	say("no nested guest: %s: %s", n.vcpu.why, strerror(-err));
	atomic_fetch_add(&counters.errors, 1);
}
