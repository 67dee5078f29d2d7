// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "csv_file.h"

static int name_file(char path[PATH_MAX], const char *dir, const char *name)
{
	return snprintf(path, PATH_MAX, "%s/%s", dir, name) < PATH_MAX ? 0 : -1;
}

int csv_make_dir(const char *dir, struct fault *fault)
{
	return !mkdir(dir, 0777) || errno == EEXIST ? 0 :
	       fail(fault, "cannot make the directory %.400s: %s", dir, strerror(errno));
}

int csv_open(struct csv_file *file, const char *dir, const char *name, struct fault *fault)
{
	if (name_file(file->path, dir, name))
		return fail(fault, "%.300s/%s: the name is too long", dir, name);
	file->stream = fopen(file->path, "we");
	return file->stream ? 0 : fail(fault, "cannot write %.400s: %s", file->path,
				       strerror(errno));
}

int csv_close(struct csv_file *file, struct fault *fault)
{
	int number = fflush(file->stream) ? errno : ferror(file->stream) ? EIO : 0;

	if (fclose(file->stream) && !number)
		number = errno;
	file->stream = NULL;
	return !number ? 0 : fail(fault, "cannot write %.400s: %s", file->path, strerror(number));
}

void csv_forget(const char *dir, const char *name)
{
	char path[PATH_MAX];

	if (!name_file(path, dir, name))
		unlink(path);
}
