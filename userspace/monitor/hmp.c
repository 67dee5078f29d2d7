// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "hmp.h"
#include "limits.h"
#include "monitor.h"
#include "uri.h"

#define WORDS_MAX 4
#define DETACHED "terminal does not allow synchronous migration, continuing detached\r\n"

struct words {
	unsigned int count;
	char text[1024];
	const char *at[WORDS_MAX];
};

/* A quoted one is without its quotes. */
static void split(const char *line, struct words *words)
{
	char *save = NULL, *word;

	*words = (struct words){ 0 };
	if (strlen(line) >= sizeof(words->text))
		return;
	strcpy(words->text, line);
	for (word = strtok_r(words->text, " \t\r\n\"", &save); word && words->count < WORDS_MAX;
	     word = strtok_r(NULL, " \t\r\n\"", &save))
		words->at[words->count++] = word;
}

static bool is(const struct words *words, const char *first)
{
	return words->count && !strcmp(words->at[0], first);
}

/* As if it had come as the QMP command. */
static void become(struct request *request, const char *command, const char *uri, const char *said)
{
	json_decref(request->object);
	request->object = json_pack("{s:s,s:{s:s}}", "execute", command, "arguments", "uri", uri);
	request->hmp = said;
}

static bool on_migrate(struct monitor *monitor, struct request *request,
		       const struct words *words)
{
	const char *uri = words->count > 1 ? words->at[words->count - 1] : "";
	bool detach = words->count == 3 && !strcmp(words->at[1], "-d");

	request->hmp = "";
	if (migration_runs(&monitor->migration)) {
		monitor_refuse(monitor, request, GENERIC, IN_PROGRESS);
	} else if (!uri_is_ours(uri)) {
		migration_forget(&monitor->migration);
		request->hmp = NULL;
		return false;
	} else if (words->count > 2 && !detach) {
		monitor_refuse(monitor, request, GENERIC, "-d is all that goes with rdmafast:");
	} else {
		become(request, "migrate", uri, detach ? "" : DETACHED);
		migration_begin(monitor, request);
	}
	return true;
}

static bool on_incoming(struct monitor *monitor, struct request *request,
			const struct words *words)
{
	if (words->count != 2 || !uri_is_ours(words->at[1]))
		return false;
	become(request, "migrate-incoming", words->at[1], "");
	incoming_begin(monitor, request);
	return true;
}

/* What QEMU would not do while it migrates. */
static bool is_refused(const struct words *words)
{
	return is(words, "migrate_continue") || is(words, "migrate_set_capability") ||
	       (is(words, "migrate_incoming") && words->count == 2);
}

static bool on_set_parameter(struct monitor *monitor, struct request *request,
			     const struct words *words)
{
	json_t *limit = words->count == 3 ? limits_of_hmp(words->at[1], words->at[2]) : NULL;

	if (!limit)
		return false;
	request->hmp = "";
	migration_limit(monitor, request, limit);
	json_decref(limit);
	return true;
}

static bool while_running(struct monitor *monitor, struct request *request,
			  const struct words *words)
{
	if (is(words, "migrate_cancel")) {
		request->hmp = "";
		migration_cancel(monitor);
		monitor_return(monitor, request, json_object());
		return true;
	}
	if (is(words, "migrate_set_parameter"))
		return on_set_parameter(monitor, request, words);
	if (!is_refused(words))
		return false;
	request->hmp = "";
	monitor_refuse(monitor, request, GENERIC, IN_PROGRESS);
	return true;
}

bool hmp_command(struct monitor *monitor, struct request *request)
{
	const char *line = json_string_value(request_argument(request, "command-line"));
	struct words words;

	if (!line)
		return false;
	split(line, &words);
	if (is(&words, "info") && words.count == 2 && !strcmp(words.at[1], "migrate") &&
	    migration_is_known(&monitor->migration)) {
		monitor_return(monitor, request, migration_figures_text(&monitor->migration));
		return true;
	}
	if (is(&words, "migrate"))
		return on_migrate(monitor, request, &words);
	if (migration_runs(&monitor->migration))
		return while_running(monitor, request, &words);
	return is(&words, "migrate_incoming") && on_incoming(monitor, request, &words);
}
