// SPDX-License-Identifier: GPL-2.0
/*
 * The memory under test. Each page is filled with a piece of an endless stream of
 * bytes with a period of 4093, coprime to 4096 and to 2 MiB, mixed with a key of
 * the page's area, number and generation: a page in the wrong place, of the wrong
 * time, or torn, does not pass. Its head says in clear what it claims to be.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"
#include "guest.h"

#define PERIOD		4093UL
#define WORDS		(PAGE_BYTES / 8)
#define LOCKS		256

struct head {
	uint64_t area_page;	/* area in the top byte */
	uint64_t generation;
	uint64_t checksum;
};

struct area {
	unsigned char *base;
	size_t pages;
	uint64_t *generation;	/* what each page must hold */
};

static struct area areas[AREAS];
static pthread_mutex_t locks[LOCKS];
static unsigned char stream[PERIOD + PAGE_BYTES];

static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ULL;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static void stamp(uint64_t *to, enum area_id id, size_t page, uint64_t generation)
{
	struct head head = { (uint64_t)id << 56 | page, generation, 0 };
	uint64_t key = mix(mix(head.area_page + 1) + generation);
	size_t i;

	memcpy(to, stream + page * PAGE_BYTES % PERIOD, PAGE_BYTES);
	for (i = 0; i < WORDS; i++)
		to[i] ^= key;
	head.checksum = mix(key);
	memcpy(to, &head, sizeof(head));
}

static void *allocate(size_t bytes)
{
	void *p = mmap(NULL, bytes ? bytes : PAGE_BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		say("no memory for %zu bytes", bytes);
		abort();
	}
	return p;
}

static pthread_mutex_t *lock_of(enum area_id id, size_t page)
{
	return &locks[(page * AREAS + id) % LOCKS];
}

void pages_write(enum area_id id, size_t page)
{
	pthread_mutex_t *lock = lock_of(id, page);
	struct area *a = &areas[id];
	uint64_t from_ns;

	pthread_mutex_lock(lock);
	from_ns = clock_ns();
	stamp((void *)(a->base + page * PAGE_BYTES), id, page, ++a->generation[page]);
	latency_add(&counters.write_latency, clock_ns() - from_ns);
	pthread_mutex_unlock(lock);
}

static void area_init(enum area_id id, uint64_t bytes)
{
	struct area *a = &areas[id];
	size_t page;

	a->pages = bytes / PAGE_BYTES;
	a->base = allocate(a->pages * PAGE_BYTES);
	a->generation = allocate(a->pages * sizeof(*a->generation));
	for (page = 0; page < a->pages; page++)
		stamp((void *)(a->base + page * PAGE_BYTES), id, page, ++a->generation[page]);
}

void pages_init(void)
{
	size_t i;

	for (i = 0; i < LOCKS; i++)
		pthread_mutex_init(&locks[i], NULL);
	for (i = 0; i < sizeof(stream); i++)
		stream[i] = mix(i % PERIOD + 1);
	area_init(AREA_WS, settings.ws_bytes);
	area_init(AREA_COLD, settings.cold_bytes);
}

size_t pages_count(enum area_id id)
{
	return areas[id].pages;
}

static size_t first_difference(const unsigned char *a, const unsigned char *b)
{
	size_t i = 0;

	while (i < PAGE_BYTES - 1 && a[i] == b[i])
		i++;
	return i;
}

static void report(enum area_id id, size_t page, const void *is, const void *want)
{
	struct head got, right;

	if (atomic_fetch_add(&counters.errors, 1) >= 20)
		return;
	memcpy(&got, is, sizeof(got));
	memcpy(&right, want, sizeof(right));
	say("BAD PAGE: %s page %zu differs from byte %zu on: generation %llu, not %llu; head says area %llu page %llu, checksum %s",
	    id == AREA_WS ? "working set" : "cold", page, first_difference(is, want),
	    (unsigned long long)got.generation, (unsigned long long)right.generation,
	    (unsigned long long)got.area_page >> 56,
	    (unsigned long long)got.area_page & 0xffffffffffffffULL,
	    got.checksum == right.checksum ? "right" : "wrong");
}

/* A bad page is counted at every visit. */
void pages_check(enum area_id id, size_t page)
{
	pthread_mutex_t *lock = lock_of(id, page);
	struct area *a = &areas[id];
	unsigned char *is = a->base + page * PAGE_BYTES;
	uint64_t want[WORDS];

	pthread_mutex_lock(lock);
	stamp(want, id, page, a->generation[page]);
	if (memcmp(is, want, PAGE_BYTES))
		report(id, page, is, want);
	pthread_mutex_unlock(lock);
	atomic_fetch_add(&counters.pages_checked, 1);
}
