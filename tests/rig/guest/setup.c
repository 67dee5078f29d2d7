// SPDX-License-Identifier: GPL-2.0
/* What an init has to do before anything else works. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

static void mount_on(const char *type, const char *where)
{
	if (mount(type, where, type, 0, NULL) && errno != EBUSY)
		say("cannot mount %s: %s", where, strerror(errno));
}

void setup_kernel_filesystems(void)
{
	mount_on("proc", "/proc");
	mount_on("sysfs", "/sys");
	mount_on("devtmpfs", "/dev");
}

static void load_module(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/modules/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		say("cannot load %s: %s", name, strerror(errno));
	close(fd);
	unlink(path);
}

void setup_modules(void)
{
	FILE *list = fopen("/modules.list", "r");
	char name[64];

	if (!list)
		return;
	while (fscanf(list, "%63s", name) == 1)
		load_module(name);
	fclose(list);
}

static struct sockaddr ipv4(uint32_t host_order)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr sa;

	in.sin_addr.s_addr = htonl(host_order);
	memcpy(&sa, &in, sizeof(sa));
	return sa;
}

static void interface_up(int sock, const char *name, uint32_t addr, uint32_t mask)
{
	struct ifreq req = { 0 };

	snprintf(req.ifr_name, IFNAMSIZ, "%s", name);
	req.ifr_addr = ipv4(addr);
	if (ioctl(sock, SIOCSIFADDR, &req))
		say("%s: no address: %s", name, strerror(errno));
	req.ifr_netmask = ipv4(mask);
	ioctl(sock, SIOCSIFNETMASK, &req);
	req.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(sock, SIOCSIFFLAGS, &req))
		say("%s does not come up: %s", name, strerror(errno));
}

/* @ip is like 10.77.2.10/24. */
void setup_network(const char *ip)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char addr[32];
	struct in_addr in;
	char *slash;
	int bits;

	snprintf(addr, sizeof(addr), "%s", ip);
	slash = strchr(addr, '/');
	bits = slash ? atoi(slash + 1) : 24;
	if (slash)
		*slash = 0;
	if (!inet_pton(AF_INET, addr, &in) || bits < 1 || bits > 32) {
		say("bad address %s", ip);
		return;
	}
	interface_up(sock, "lo", 0x7f000001, 0xff000000);
	interface_up(sock, "eth0", ntohl(in.s_addr), ~0U << (32 - bits));
	close(sock);
}
