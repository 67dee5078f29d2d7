// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal.h"
#include "log.h"
#include "qmp.h"

#define DIR_PATH "/run/vmfastmig/journal"

static void path_of(const char *uuid, char *path, size_t bytes)
{
	snprintf(path, bytes, DIR_PATH "/%.64s.json", uuid);
}

void journal_write(const char *uuid, const char *qmp_path, bool committed)
{
	json_t *entry = json_pack("{s:s,s:b}", "qmp", qmp_path, "committed", committed);
	char path[160], fresh[176];
	int fd;

	mkdir(DIR_PATH, 0700);
	path_of(uuid, path, sizeof(path));
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || json_dumpfd(entry, fd, 0) || fsync(fd) || rename(fresh, path))
		log_warn("journal %s: cannot write", path);
	if (fd >= 0)
		close(fd);
	json_decref(entry);
}

void journal_remove(const char *uuid)
{
	char path[160];

	path_of(uuid, path, sizeof(path));
	unlink(path);
}

/* Postmigrate and not committed: the destination never ran and never will. */
static void repair(const char *qmp_path)
{
	struct fault fault;
	json_t *answer = NULL;
	struct qmp qmp;
	const char *status;

	if (qmp_open(&qmp, qmp_path, &fault)) {
		log_warn("journal: %s", fault.text);
		return;
	}
	if (!qmp_call(&qmp, "query-status", NULL, &answer, &fault)) {
		status = json_string_value(json_object_get(answer, "status"));
		if (status && !strcmp(status, "postmigrate")) {
			if (qmp_call(&qmp, "cont", NULL, NULL, &fault))
				log_warn("journal: %s: %s", qmp_path, fault.text);
			else
				log_warn("journal: the guest at %s goes on here", qmp_path);
		}
	}
	json_decref(answer);
	qmp_close(&qmp);
}

void journal_repair(void)
{
	DIR *dir = opendir(DIR_PATH);
	struct dirent *at;
	char path[512];

	while (dir && (at = readdir(dir))) {
		json_t *entry;

		if (at->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), DIR_PATH "/%s", at->d_name);
		entry = json_load_file(path, 0, NULL);
		if (json_is_false(json_object_get(entry, "committed")) &&
		    json_is_string(json_object_get(entry, "qmp")))
			repair(json_string_value(json_object_get(entry, "qmp")));
		json_decref(entry);
		unlink(path);
	}
	if (dir)
		closedir(dir);
}
