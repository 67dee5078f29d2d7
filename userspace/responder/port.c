// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port.h"

static int open_at(int type, const struct sockaddr *addr, socklen_t bytes)
{
	int on = 1, off = 0, err, how = SOCK_CLOEXEC | (type == SOCK_STREAM ? SOCK_NONBLOCK : 0);
	int sock = socket(addr->sa_family, type | how, 0);

	if (sock < 0)
		return -1;
	if ((addr->sa_family == AF_INET6 &&
	     setsockopt(sock, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off))) ||
	    (type == SOCK_STREAM &&
	     setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on))) ||
	    bind(sock, addr, bytes)) {
		err = errno;
		close(sock);
		errno = err;
		return -1;
	}
	return sock;
}

int port_open(int type, unsigned int port, struct fault *fault)
{
	struct sockaddr_in6 both = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in ipv4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	int sock = open_at(type, (void *)&both, sizeof(both));

	if (sock < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
		sock = open_at(type, (void *)&ipv4, sizeof(ipv4));
	if (sock < 0)
		return fail(fault, "cannot have %s port %u: %s",
			    type == SOCK_STREAM ? "TCP" : "UDP", port, strerror(errno));
	return sock;
}
