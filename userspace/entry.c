// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon.h"
#include "entry.h"

#define PATH_BYTES 512

/* Slashes of a name become "!": it may be a path, and stays in its directory. */
static void path_of(const char *kind, const char *name, char *path)
{
	size_t used = snprintf(path, PATH_BYTES - 8, RUN_DIR "/%s/", kind);

	for (; *name && used < PATH_BYTES - 16; name++)
		path[used++] = *name == '/' ? '!' : *name;
	strcpy(path + used, ".json");
}

int entry_write(const char *kind, const char *name, json_t *entry, struct fault *fault)
{
	char dir[64], path[PATH_BYTES], fresh[PATH_BYTES + 4];
	int fd, err;

	snprintf(dir, sizeof(dir), RUN_DIR "/%s", kind);
	mkdir(RUN_DIR, 0755);
	mkdir(dir, 0700);
	path_of(kind, name, path);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	err = fd < 0 || !entry || json_dumpfd(entry, fd, 0) || fsync(fd) || rename(fresh, path);
	if (err)
		fail(fault, "cannot write %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	json_decref(entry);
	return err ? -1 : 0;
}

json_t *entry_read(const char *kind, const char *name)
{
	char path[PATH_BYTES];
	json_t *entry;
	FILE *file;

	path_of(kind, name, path);
	file = fopen(path, "re");
	if (!file)
		return NULL;
	entry = json_loadf(file, JSON_REJECT_DUPLICATES, NULL);
	fclose(file);
	if (!entry)
		errno = EBADMSG;
	return entry;
}

void entry_remove(const char *kind, const char *name)
{
	char path[PATH_BYTES];

	path_of(kind, name, path);
	unlink(path);
}

json_t *entry_names(const char *kind)
{
	json_t *names = json_array();
	struct dirent *at;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), RUN_DIR "/%s", kind);
	dir = opendir(path);
	while (dir && (at = readdir(dir))) {
		size_t bytes = strlen(at->d_name);

		if (bytes > 5 && !strcmp(at->d_name + bytes - 5, ".json"))
			json_array_append_new(names, json_stringn(at->d_name, bytes - 5));
	}
	if (dir)
		closedir(dir);
	return names;
}
