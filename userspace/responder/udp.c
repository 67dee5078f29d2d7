// SPDX-License-Identifier: GPL-2.0-only
/*
 * An answer comes from the address that was asked, also where the guest has several:
 * what the kernel tells of the one goes back to it with the other.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port.h"
#include "thread.h"
#include "udp.h"

#define UDP_PRIORITY 10

static struct udp {
	const struct answers *answers;
	int sock;
	char request[LINE_BYTES + 1], reply[ANSWER_BYTES];
	struct sockaddr_storage peer;
	char control[256];
} udp;

/* The source of an answer, by any interface. */
static void keep_address(struct msghdr *msg)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			((struct in6_pktinfo *)(void *)CMSG_DATA(c))->ipi6_ifindex = 0;
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
			((struct in_pktinfo *)(void *)CMSG_DATA(c))->ipi_ifindex = 0;
	}
}

/*
 * An object is an answer, not a request: two responders that a forged address set on
 * each other would not end otherwise.
 */
static bool is_answer(const char *datagram, size_t bytes)
{
	return bytes && *datagram == '{';
}

static void serve(struct udp *u)
{
	struct iovec io = { u->request, sizeof(u->request) };
	struct msghdr msg = { .msg_name = &u->peer, .msg_namelen = sizeof(u->peer),
			      .msg_iov = &io, .msg_iovlen = 1, .msg_control = u->control,
			      .msg_controllen = sizeof(u->control) };
	ssize_t n = recvmsg(u->sock, &msg, 0);

	if (n < 0) {
		if (errno != EINTR)
			usleep(1000);
		return;
	}
	if (is_answer(u->request, n))
		return;
	keep_address(&msg);
	msg.msg_flags = 0;
	io = (struct iovec){ u->reply, answer(u->answers, u->request, n, u->reply) };
	sendmsg(u->sock, &msg, MSG_DONTWAIT);	/* what cannot be sent is lost, as on the way */
}

static void *run(void *arg)
{
	for (;;)
		serve(arg);
	return NULL;
}

static void ask_for_addresses(int sock)
{
	int on = 1;

	if (setsockopt(sock, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)))
		setsockopt(sock, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
}

int udp_start(const struct answers *answers, unsigned int port, struct fault *fault)
{
	int sock = port_open(SOCK_DGRAM, port, fault);

	if (sock < 0)
		return -1;
	ask_for_addresses(sock);
	udp.answers = answers;
	udp.sock = sock;
	return thread_start(run, &udp, UDP_PRIORITY, THREAD_ANY_CPU, fault);
}
