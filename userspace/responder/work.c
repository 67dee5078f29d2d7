// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each writer has a part of the area for itself, so that it knows what every page of
 * it must hold: the page's number and how often it was written.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "../clock.h"
#include "latency.h"
#include "pace.h"
#include "thread.h"
#include "work.h"

struct writer {
	size_t first, pages, next;
	uint64_t state;			/* of random numbers; never 0 */
	atomic_ullong written, errors;
	struct latency latency;
} __attribute__((aligned(64)));

static struct work_plan plan;
static struct writer writers[WORK_WRITERS];
static atomic_uint running;
static atomic_ullong rate = 8 << 20;
static unsigned char *area;
static atomic_ullong area_bytes;
static uint32_t *generation;		/* one for each page */

static uint64_t word_of(size_t page)
{
	return (uint64_t)(page + 1) << 32 | generation[page];
}

/* By memory alone: the compiler must neither keep a word nor look at it earlier. */
static volatile uint64_t *word_at(size_t page)
{
	return (volatile uint64_t *)(area + page * PAGE_BYTES);
}

static void write_page(struct writer *w, size_t page)
{
	uint64_t expected = word_of(page), next, was, from_ns;

	generation[page]++;
	next = word_of(page);
	from_ns = clock_ns();
	was = *word_at(page);
	*word_at(page) = next;
	latency_add(&w->latency, clock_ns() - from_ns);
	if (was != expected)
		w->errors++;
	atomic_fetch_add_explicit(&w->written, 1, memory_order_relaxed);
}

static size_t next_page(struct writer *w)
{
	if (!plan.random)
		return w->first + w->next++ % w->pages;
	w->state ^= w->state << 13;
	w->state ^= w->state >> 7;
	w->state ^= w->state << 17;
	return w->first + w->state % w->pages;
}

static void *writer_run(void *arg)
{
	struct writer *w = arg;
	struct pace pace;
	unsigned int n;

	pace_start(&pace);
	for (;;)
		for (n = pace_pages(&pace, rate, plan.writers); n; n--)
			write_page(w, next_page(w));
	return NULL;
}

static int writer_start(unsigned int i, size_t pages, struct fault *fault)
{
	struct writer *w = &writers[i];

	w->first = pages * i / plan.writers;
	w->pages = pages * (i + 1) / plan.writers - w->first;
	if (getrandom(&w->state, sizeof(w->state), GRND_NONBLOCK) < 0 || !w->state)
		w->state = clock_ns() | 1;
	return thread_start(writer_run, w, THREAD_NORMAL, THREAD_ANY_CPU, fault);
}

static void *allocate(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* Later writes are to find every page there. */
static int fill_area(size_t pages, struct fault *fault)
{
	size_t page;

	area = allocate(pages * PAGE_BYTES);
	generation = allocate(pages * sizeof(*generation));
	if (!area || !generation)
		return fail(fault, "cannot have %llu bytes to work on: %s; use less --work",
			    (unsigned long long)pages * PAGE_BYTES, strerror(errno));
	for (page = 0; page < pages; page++)
		*word_at(page) = word_of(page);
	area_bytes = pages * PAGE_BYTES;
	return 0;
}

int work_start(const struct work_plan *wanted, struct fault *fault)
{
	size_t pages = wanted->bytes / PAGE_BYTES;

	plan = *wanted;
	if (!pages)
		return 0;
	if (plan.writers > WORK_WRITERS)
		plan.writers = WORK_WRITERS;
	if (plan.writers > pages)
		plan.writers = pages;
	if (fill_area(pages, fault))
		return -1;
	for (; running < plan.writers; running++)
		if (writer_start(running, pages, fault))
			return -1;
	return 0;
}

int work_set_rate(const char *text, struct fault *fault)
{
	return pace_parse(text, &rate, fault);
}

void work_count(uint64_t *pages, uint64_t *errors)
{
	unsigned int i;

	*pages = *errors = 0;
	for (i = 0; i < running; i++) {
		*pages += writers[i].written;
		*errors += writers[i].errors;
	}
}

void work_tell(struct text *text)
{
	struct latency sum = { 0 };
	unsigned int i;

	for (i = 0; i < running; i++)
		latency_merge(&sum, &writers[i].latency);
	pace_tell(rate, "dirty_bytes_per_s", text);
	text_add(text, ",\"work_bytes\":%llu", area_bytes);
	latency_tell(&sum, text);
}
