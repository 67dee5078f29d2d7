// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a session does, it does in workers of the kernel. A whole session runs,
 * and one allocation of the workers fails; then again, and it fails later. Each
 * time the session ends as if nothing had been, or says that it failed; it can
 * be ended, and nothing of it is left.
 *
 * Environment: VMFM_ADDR, an IPv4 address of an RDMA device.
 */
#include <limits.h>
#include <stdlib.h>

#include "fault.h"
#include "kselftest_harness.h"
#include "pair.h"

#define STEPS	40

FIXTURE(workers)
{
	struct pair pair;
};

FIXTURE_VARIANT(workers)
{
	const char *kind;
};

FIXTURE_VARIANT_ADD(workers, slab) { .kind = "failslab" };
FIXTURE_VARIANT_ADD(workers, pages) { .kind = "fail_page_alloc" };

FIXTURE_SETUP(workers)
{
	const char *wrong = pair_open(&self->pair, getenv("VMFM_ADDR") ?: "10.77.1.1");

	ASSERT_EQ(NULL, wrong) TH_LOG("%s", wrong);
}

FIXTURE_TEARDOWN(workers)
{
	const char *wrong = pair_close(&self->pair);

	EXPECT_EQ(NULL, wrong) TH_LOG("%s", wrong);
}

static const char *round_trip(struct pair *pair)
{
	int err = door_call(&pair->door, VMFM_CMD_SESSION_ROUND, pair->source_id, 0);

	return err ? "no round" : pair_wait(pair, VMFM_STATE_READY);
}

/* NULL when every page came over. */
static const char *whole_life(struct pair *pair, unsigned int generation)
{
	const char *wrong;

	pair_fill(pair, generation);
	wrong = pair_start(pair);
	if (!wrong)
		wrong = round_trip(pair);
	if (wrong)
		return wrong;
	pair_fill(pair, ~generation);
	return pair_finish(pair);
}

static void expect_gone(struct __test_metadata *_metadata, struct pair *pair)
{
	const char *wrong = pair_end(pair);

	if (!wrong)
		wrong = pair_gone(pair);
	ASSERT_EQ(NULL, wrong) TH_LOG("%s", wrong);
}

/* How much the workers allocate while nothing fails. */
static int measure(struct __test_metadata *_metadata, struct pair *pair, const char *kind)
{
	const char *wrong;
	int left;

	worker_fault_arm(kind, INT_MAX);
	wrong = whole_life(pair, 1);
	left = worker_fault_disarm(kind);
	ASSERT_EQ(NULL, wrong) TH_LOG("%s", wrong);
	expect_gone(_metadata, pair);
	return INT_MAX - left;
}

TEST_F_TIMEOUT(workers, one_fails, 720)
{
	struct pair *pair = &self->pair;
	int total = measure(_metadata, pair, variant->kind);
	int step, struck = 0, failed = 0;
	const char *wrong;

	ASSERT_GT(total, 0);
	for (step = 0; step < STEPS; step++) {
		bool hit;

		worker_fault_arm(variant->kind, (long)total * step / STEPS);
		wrong = whole_life(pair, 2 + step);
		hit = worker_fault_disarm(variant->kind) <= 0;
		struck += hit;
		failed += !!wrong;
		if (wrong) {
			TH_LOG("after %d of %d: %s", (int)((long)total * step / STEPS), total, wrong);
			EXPECT_TRUE(hit);
		}
		expect_gone(_metadata, pair);
	}
	TH_LOG("%d of %d faults struck, %d sessions failed", struck, STEPS, failed);
	EXPECT_GT(struck, STEPS / 2);
	EXPECT_GT(failed, 0);
	wrong = whole_life(pair, 1000);
	EXPECT_EQ(NULL, wrong) TH_LOG("after all faults: %s", wrong);
	expect_gone(_metadata, pair);
}

TEST_HARNESS_MAIN
