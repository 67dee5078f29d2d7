// SPDX-License-Identifier: GPL-2.0
/*
 * How fast memory is, that nobody checks: first touched, then written and read in a
 * row, then written and read at random, a word a page. Once, when asked to.
 */
#include <stdio.h>
#include <sys/mman.h>

#include "clock.h"
#include "guest.h"
#include "responder/size.h"
#include "responder/thread.h"

#define STEP_PAGES	512	/* between two looks at the clock */
#define WORDS		(PAGE_BYTES / 8)

enum { POPULATE, SEQ_WRITE, SEQ_READ, RANDOM_WRITE, RANDOM_READ, COURSES };

static const char *const names[COURSES] = {
	"populate", "seq_write", "seq_read", "random_write", "random_read",
};

static struct {
	atomic_bool running;
	uint64_t *base;
	size_t pages;
	uint64_t course_ns;
	atomic_ullong ns_per_page[COURSES];	/* 0: not measured yet */
} throughput;

static void write_page(volatile uint64_t *page)
{
	unsigned int i;

	for (i = 0; i < WORDS; i++)
		page[i] = i;
}

static void read_page(const volatile uint64_t *page)
{
	unsigned int i;

	for (i = 0; i < WORDS; i++)
		(void)page[i];
}

static volatile uint64_t *random_page(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return throughput.base + (*state >> 33) % throughput.pages * WORDS;
}

static void step(int course, size_t from, uint64_t *state)
{
	size_t page;

	for (page = from; page < from + STEP_PAGES; page++) {
		uint64_t *at = throughput.base + page % throughput.pages * WORDS;

		switch (course) {
		case POPULATE:
			*(volatile uint64_t *)at = page;
			break;
		case SEQ_WRITE:
			write_page(at);
			break;
		case SEQ_READ:
			read_page(at);
			break;
		case RANDOM_WRITE:
			*random_page(state) = page;
			break;
		default:
			(void)*random_page(state);
		}
	}
}

/* Populating is once through; all else as long as it was asked for. */
static void run(int course)
{
	uint64_t start_ns = clock_ns(), spent_ns, state = 1;
	size_t pages = 0;

	do {
		step(course, pages, &state);
		pages += STEP_PAGES;
		spent_ns = clock_ns() - start_ns;
	} while (course == POPULATE ? pages < throughput.pages : spent_ns < throughput.course_ns);
	throughput.ns_per_page[course] = spent_ns / pages;
}

static void *measure(void *unused)
{
	int course;

	for (course = 0; course < COURSES; course++)
		run(course);
	munmap(throughput.base, throughput.pages * PAGE_BYTES);
	throughput.running = false;
	return unused;
}

int throughput_start(const char *argument, struct fault *fault)
{
	uint64_t bytes;
	char size[32];
	int ms, course;

	if (!argument || sscanf(argument, "%31s %d", size, &ms) != 2 || ms < 1 ||
	    size_parse(size, &bytes, fault) || bytes < STEP_PAGES * PAGE_BYTES)
		return fail(fault, "throughput BYTES MS, 2M or more");
	if (atomic_exchange(&throughput.running, true))
		return fail(fault, "throughput is being measured already");
	throughput.pages = bytes / PAGE_BYTES / STEP_PAGES * STEP_PAGES;
	throughput.course_ns = ms * 1000000ULL;
	throughput.base = mmap(NULL, throughput.pages * PAGE_BYTES, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (course = 0; course < COURSES; course++)
		throughput.ns_per_page[course] = 0;
	if (throughput.base == MAP_FAILED) {
		throughput.running = false;
		return fail(fault, "no memory for %s", size);
	}
	if (thread_start(measure, NULL, THREAD_NORMAL, THREAD_ANY_CPU, fault)) {
		munmap(throughput.base, throughput.pages * PAGE_BYTES);
		throughput.running = false;
		return -1;
	}
	return 0;
}

void throughput_tell(struct text *text)
{
	int course;

	text_add(text, ",\"throughput\":{\"running\":%s", throughput.running ? "true" : "false");
	for (course = 0; course < COURSES; course++)
		text_add(text, ",\"%s_ns\":%llu", names[course], throughput.ns_per_page[course]);
	text_add(text, "}");
}
