// SPDX-License-Identifier: GPL-2.0
/*
 * Compares guest RAM across hosts without carrying it there.
 *
 * pagesum FILE            writes 16 bytes a page of FILE to standard output
 * pagesum -c SUMS SUMS    prints {"pages":n,"different":n,"first":page or -1}
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAGE_BYTES 4096

struct sum {
	uint64_t a, b;
};

/* Two multiplicative hashes, each a bijection in every word it takes in. */
static struct sum sum_page(const void *page)
{
	struct sum sum = { 0x9e3779b97f4a7c15ULL, 0xc2b2ae3d27d4eb4fULL };
	uint64_t word;
	size_t at;

	for (at = 0; at < PAGE_BYTES; at += sizeof(word)) {
		memcpy(&word, (const char *)page + at, sizeof(word));
		sum.a = (sum.a ^ word) * 0xff51afd7ed558ccdULL;
		sum.a ^= sum.a >> 32;
		sum.b = (sum.b + word) * 0xc4ceb9fe1a85ec53ULL;
		sum.b ^= sum.b >> 29;
	}
	return sum;
}

static int write_sums(const char *path)
{
	static unsigned char page[PAGE_BYTES];
	int fd = open(path, O_RDONLY);
	struct sum sum;
	ssize_t got;

	if (fd < 0) {
		perror(path);
		return 1;
	}
	while ((got = read(fd, page, sizeof(page))) == sizeof(page)) {
		sum = sum_page(page);
		if (fwrite(&sum, sizeof(sum), 1, stdout) != 1)
			return 1;
	}
	if (got)
		fprintf(stderr, "%s: it does not end with a whole page\n", path);
	return got || fflush(stdout);
}

static int compare(const char *one, const char *other)
{
	FILE *a = fopen(one, "r"), *b = fopen(other, "r");
	unsigned long long pages = 0, different = 0;
	long long first = -1;
	struct sum x, y;
	size_t got, have;

	if (!a || !b) {
		perror(a ? other : one);
		return 1;
	}
	for (;; pages++) {
		got = fread(&x, sizeof(x), 1, a);
		have = fread(&y, sizeof(y), 1, b);
		if (got != 1 || have != 1)
			break;
		if (!memcmp(&x, &y, sizeof(x)))
			continue;
		if (!different++)
			first = (long long)pages;
	}
	printf("{\"pages\":%llu,\"different\":%llu,\"first\":%lld}\n", pages, different, first);
	return got != have || !pages || different;
}

int main(int argc, char **argv)
{
	if (argc == 2)
		return write_sums(argv[1]);
	if (argc == 4 && !strcmp(argv[1], "-c"))
		return compare(argv[2], argv[3]);
	fprintf(stderr, "usage: pagesum FILE | pagesum -c SUMS SUMS\n");
	return 64;
}
