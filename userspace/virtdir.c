// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "virtdir.h"

#define LIBVIRT_RAM	FS_DIR "/libvirt/qemu"

int virtdir_make(struct fault *fault)
{
	struct stat qemu;

	if (stat(LIBVIRT_RAM, &qemu))
		return fail(fault, "libvirt has no RAM on vmfastmig (%s: %s); set memory_backing_dir = \"%s\" in /etc/libvirt/qemu.conf, mount %s and restart libvirtd",
			    LIBVIRT_RAM, strerror(errno), FS_DIR, FS_DIR);
	mkdir(VIRTDIR, 0700);
	if (chown(VIRTDIR, 0, qemu.st_gid) || chmod(VIRTDIR, 01770))
		return fail(fault, "%s: %s", VIRTDIR, strerror(errno));
	return 0;
}

int virtdir_path(const char *domain, char path[108], struct fault *fault)
{
	if (!*domain || strchr(domain, '/') || *domain == '.')
		return fail(fault, "\"%.32s\" is not a domain's name", domain);
	return snprintf(path, 108, VIRTDIR "/%s", domain) < 108 ? 0 :
	       fail(fault, "domain %s: its name is too long for a socket of that name; rename it: virsh domrename",
		    domain);
}

void virtdir_uri(const char *path, char *uri, size_t bytes)
{
	size_t used = snprintf(uri, bytes, "unix://");

	for (; *path && used + 4 < bytes; path++)
		used += snprintf(uri + used, bytes - used,
				 isalnum((unsigned char)*path) || strchr("/-._~", *path) ? "%c" : "%%%02X",
				 (unsigned char)*path);
}

int virtdir_listen(const char *path, struct fault *fault)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	unlink(path);
	/* Before anyone can connect: until listen() nobody can. */
	if (fd >= 0 && !bind(fd, (struct sockaddr *)&addr, sizeof(addr)) && !chmod(path, 0600) &&
	    !listen(fd, 1))
		return fd;
	fail(fault, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

void virtdir_clean(void)
{
	DIR *dir = opendir(VIRTDIR);
	struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir)))
		if (!fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
		    S_ISSOCK(st.st_mode) && !st.st_uid)
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
}
