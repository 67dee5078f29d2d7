// SPDX-License-Identifier: GPL-2.0-only
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "size.h"

#define STATUS_USAGE 2

static const struct option names[] = {
	{ "port", required_argument, NULL, 'p' },
	{ "work", required_argument, NULL, 'w' },
	{ "dirty", required_argument, NULL, 'd' },
	{ "pattern", required_argument, NULL, 'a' },
	{ "writers", required_argument, NULL, 'n' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' },
	{ 0 },
};

static void usage(FILE *stream)
{
	fputs("usage: vmfastmig-responder [--port N] [--work BYTES] [--dirty BYTES|max]\n"
	      "                           [--pattern random|seq] [--writers N]\n\n"
	      "  --port N         UDP and TCP port to answer on (7000)\n"
	      "  --work BYTES     memory to write to, 0 for none (64M)\n"
	      "  --dirty BYTES    how much of it a second, in whole pages; max: no limit (8M)\n"
	      "  --pattern WHICH  pages at random, or seq: one after the other (random)\n"
	      "  --writers N      threads that write (one for each CPU)\n\n"
	      "BYTES take K, M, G or T. See vmfastmig-responder(8).\n", stream);
}

static unsigned int cpu_count(void)
{
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof(cpus), &cpus) ? 1 : CPU_COUNT(&cpus);
}

static int number(const char *text, unsigned int most, unsigned int *to, struct fault *fault)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (strspn(text, "0123456789") != strlen(text) || !*text || n < 1 || n > most)
		return fail(fault, "%.32s is not a number from 1 to %u", text, most);
	*to = n;
	return 0;
}

static int pattern(const char *text, bool *random, struct fault *fault)
{
	*random = !strcmp(text, "random");
	return *random || !strcmp(text, "seq") ? 0 :
	       fail(fault, "%.32s is neither random nor seq", text);
}

static int take(int c, struct options *options, struct fault *fault)
{
	switch (c) {
	case 'p':
		return number(optarg, 65535, &options->port, fault);
	case 'n':
		return number(optarg, WORK_WRITERS, &options->work.writers, fault);
	case 'w':
		return size_parse(optarg, &options->work.bytes, fault);
	case 'd':
		return work_set_rate(optarg, fault);
	case 'a':
		return pattern(optarg, &options->work.random, fault);
	}
	return -1;
}

/* What getopt_long() does not know it tells itself. */
static int refuse(const char *option, const char *why, int *status)
{
	if (why)
		fprintf(stderr, "vmfastmig-responder: %s%s\n", option, why);
	fputs("see: vmfastmig-responder --help\n", stderr);
	*status = STATUS_USAGE;
	return -1;
}

int options_parse(int argc, char **argv, struct options *options, int *status)
{
	struct fault fault = { 0 };
	char option[32];
	int c, which = 0;

	*options = (struct options){ 7000, { 64 << 20, true, cpu_count() } };
	*status = 0;
	while ((c = getopt_long(argc, argv, "h", names, &which)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return -1;
		}
		if (c == 'v') {
			puts("vmfastmig-responder " VERSION);
			return -1;
		}
		if (c == '?')
			return refuse("", NULL, status);
		snprintf(option, sizeof(option), "--%s: ", names[which].name);
		if (take(c, options, &fault))
			return refuse(option, fault.text, status);
	}
	return optind == argc ? 0 : refuse("", "takes options only", status);
}
