// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rounds of a migration that does not end, over the file of a guest that runs:
 * what the module does in precopy, QEMU and daemons having no part in that. The rounds
 * up to the word steady are not throttled. Runs until it is killed.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "capture.h"

#define BULK_ROUNDS 2

/* FILE BYTES_PER_S */
void guest_track(char **argv)
{
	struct tracking tracking = { 0 };
	struct door_stats stats;
	struct stat st;
	int n, status;

	if (stat(argv[0], &st))
		err(1, "%s", argv[0]);
	tracking_add(&tracking, argv[0], st.st_size);
	tracking_start(&tracking);
	for (n = 0; n < BULK_ROUNDS; n++)
		tracking_round(&tracking, &stats);
	status = door_set(&tracking.door, tracking.source, VMFM_A_BANDWIDTH, bytes_of(argv[1]));
	if (status)
		errx(1, "bandwidth: %s, %s", strerror(-status), tracking.door.error);
	printf("steady\n");
	fflush(stdout);
	for (;;)
		tracking_round(&tracking, &stats);
}
