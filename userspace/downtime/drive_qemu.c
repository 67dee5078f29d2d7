// SPDX-License-Identifier: GPL-2.0-only
/* QEMU's own migration, any URI that it knows. */
#include <stdio.h>
#include <string.h>

#include "measure.h"

static int set_capabilities(struct measure *measure, enum where where, struct fault *fault)
{
	json_t *list = json_array(), *value;
	const char *name;

	json_array_append_new(list, json_pack("{s:s,s:b}", "capability", "events", "state", 1));
	if (measure->options->postcopy)
		json_array_append_new(list, json_pack("{s:s,s:b}", "capability", "postcopy-ram",
						      "state", 1));
	json_object_foreach(measure->options->capabilities[where], name, value)
		json_array_append_new(list, json_pack("{s:s,s:O}", "capability", name, "state",
						      value));
	return remote_qmp(&measure->remotes[where], "main", "migrate-set-capabilities",
			  json_pack("{s:o}", "capabilities", list), NULL, fault);
}

static int set_up(struct measure *measure, enum where where, struct fault *fault)
{
	json_t *parameters = measure->options->parameters[where];

	if (set_capabilities(measure, where, fault))
		return -1;
	return !json_object_size(parameters) ? 0 :
	       remote_qmp(&measure->remotes[where], "main", "migrate-set-parameters",
			  json_incref(parameters), NULL, fault);
}

static int prepare(struct measure *measure, struct fault *fault)
{
	const struct measure_options *options = measure->options;
	int where;

	for (where = 0; where < 2; where++)
		if (!measure->monitored[where])
			return fail(fault, "to migrate with %s both monitors are needed: --source-qmp, --dest-qmp; or --observe",
				    options->uri);
	if (set_up(measure, WHERE_DESTINATION, fault) || set_up(measure, WHERE_SOURCE, fault))
		return -1;
	return remote_qmp(&measure->remotes[WHERE_DESTINATION], "main", "migrate-incoming",
			  json_pack("{s:s}", "uri", options->incoming_uri ?: options->uri), NULL, fault);
}

static int start(struct measure *measure, struct fault *fault)
{
	return remote_qmp(&measure->remotes[WHERE_SOURCE], "main", "migrate",
			  json_pack("{s:s}", "uri", measure->options->uri), NULL, fault);
}

static int failed(struct measure *measure, enum where where, struct fault *fault)
{
	struct fault ignored;
	json_t *answer = NULL;
	const char *why = NULL;

	if (!remote_qmp(&measure->remotes[where], "main", "query-migrate", NULL, &answer, &ignored))
		why = json_string_value(json_object_get(answer, "error-desc"));
	fail(fault, "QEMU's migration is %s on the %s: %s", measure->status[where],
	     where_name(where), why ?: "it does not say why");
	json_decref(answer);
	return -1;
}

/* Post-copy begins after the first pass, as most do who use it. */
static int begin_postcopy(struct measure *measure, struct fault *fault)
{
	const char *status = measure->status[WHERE_SOURCE];

	if (!measure->options->postcopy || measure->passes < 2 || strcmp(status, "active"))
		return 0;
	measure->passes = 0;
	measure->switched = true;
	return remote_qmp(&measure->remotes[WHERE_SOURCE], "main", "migrate-start-postcopy", NULL,
			  NULL, fault);
}

static int ended(struct measure *measure, struct fault *fault)
{
	int where;

	for (where = 0; where < 2; where++) {
		const char *status = measure->status[where];

		if (measure->gone[where])
			return fail(fault, "the QEMU on the %s is gone", where_name(where));
		if (!strcmp(status, "failed") || !strcmp(status, "cancelled") ||
		    !strcmp(status, "postcopy-paused"))
			return failed(measure, where, fault);
	}
	if (begin_postcopy(measure, fault))
		return -1;
	return strcmp(measure->status[WHERE_SOURCE], "completed") ||
	       strcmp(measure->status[WHERE_DESTINATION], "completed") ? 0 :
	       measure_arrived(measure, fault);
}

/*
 * Not once post-copy was asked for, or the guest runs over there: the source would go on
 * with it, too.
 */
static bool cancel(struct measure *measure)
{
	const char *status = measure->status[WHERE_SOURCE];
	struct fault ignored;
	int n;

	if (measure->switched || measure->resumed || !strncmp(status, "postcopy", 8))
		return false;
	remote_qmp(&measure->remotes[WHERE_SOURCE], "main", "query-migrate", NULL,
		   &measure->qemu[WHERE_SOURCE], &ignored);
	remote_qmp(&measure->remotes[WHERE_SOURCE], "main", "migrate_cancel", NULL, NULL, &ignored);
	for (n = 0; n < 100 && strcmp(status, "cancelled") && strcmp(status, "completed"); n++)
		if (measure_pass(measure, 0.1, &ignored))
			break;
	return !strcmp(status, "cancelled");
}

const struct drive drive_qemu = { prepare, start, ended, cancel, NULL };

static int nothing(struct measure *measure, struct fault *fault)
{
	(void)measure;
	(void)fault;
	return 0;
}

/* Somebody else's: over when the guest runs over there, as far as it can be seen. */
static int others_ended(struct measure *measure, struct fault *fault)
{
	const char *status = measure->status[WHERE_SOURCE];

	if (!strcmp(status, "failed") || !strcmp(status, "cancelled"))
		return failed(measure, WHERE_SOURCE, fault);
	if (!measure->monitored[WHERE_DESTINATION])
		return 0;	/* until an interrupt, or the time-out */
	if (measure->gone[WHERE_DESTINATION])
		return fail(fault, "the QEMU on the destination is gone");
	if (!*status && !measure->gone[WHERE_SOURCE])
		return measure->resumed;	/* no monitor there, or one that tells no statuses */
	return measure->gone[WHERE_SOURCE] || !strcmp(status, "completed") ?
	       measure_arrived(measure, fault) : 0;
}

static bool leave(struct measure *measure)
{
	(void)measure;
	return false;
}

const struct drive drive_nobody = { nothing, nothing, others_ended, leave, NULL };
