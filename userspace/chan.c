// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chan.h"
#include "clock.h"

#define CONNECT_MS	5000
#define PRIORITY	"NORMAL:-VERS-ALL:+VERS-TLS1.3"
#define PRIORITY_PSK	PRIORITY ":+ECDHE-PSK:+DHE-PSK:+PSK"

/* The address family the kernel and the user think in. */
static void unmap(struct sockaddr_storage *addr)
{
	struct sockaddr_in6 in6 = *(struct sockaddr_in6 *)addr;
	struct sockaddr_in *in = (struct sockaddr_in *)addr;

	if (addr->ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
		return;
	memset(addr, 0, sizeof(*addr));
	in->sin_family = AF_INET;
	in->sin_port = in6.sin6_port;
	memcpy(&in->sin_addr, &in6.sin6_addr.s6_addr[12], 4);
}

static void name_peer(struct chan *chan)
{
	char host[INET6_ADDRSTRLEN] = "?", port[8] = "?";
	socklen_t bytes = sizeof(chan->remote);

	getpeername(chan->fd, (struct sockaddr *)&chan->remote, &bytes);
	unmap(&chan->remote);
	getnameinfo((struct sockaddr *)&chan->remote, sizeof(chan->remote), host, sizeof(host), port, sizeof(port),
		    NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(chan->peer, sizeof(chan->peer), strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
	bytes = sizeof(chan->local);
	getsockname(chan->fd, (struct sockaddr *)&chan->local, &bytes);
	unmap(&chan->local);
}

static void tune(int fd)
{
	unsigned int silence_ms = CHAN_SILENCE_MS;
	int one = 1, second = 1, probes = CHAN_SILENCE_MS / 1000;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &second, sizeof(second));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &second, sizeof(second));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof(silence_ms));
}

static bool is_loopback(const struct sockaddr_storage *addr)
{
	const struct sockaddr_in6 *in6 = (const void *)addr;
	const struct sockaddr_in *in = (const void *)addr;

	if (addr->ss_family == AF_INET)
		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr) ||
	       (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) && in6->sin6_addr.s6_addr[12] == 127);
}

static void set_credentials(struct chan *chan, const struct creds *creds, bool server)
{
	if (creds->kind == CREDS_PSK)
		gnutls_credentials_set(chan->tls, GNUTLS_CRD_PSK,
				       server ? (void *)creds->psk_server : (void *)creds->psk_client);
	else
		gnutls_credentials_set(chan->tls, GNUTLS_CRD_CERTIFICATE,
				       server ? creds->x509_server : creds->x509_client);
	gnutls_priority_set_direct(chan->tls, creds->kind == CREDS_PSK ? PRIORITY_PSK : PRIORITY,
				   NULL);
}

/*
 * A server's certificate must be for the host that was asked for and for servers,
 * a client's for clients: that of another host in the fleet is no licence to pose
 * as this one. @host: NULL for a client's.
 */
static int verify(struct chan *chan, const char *host, struct fault *fault)
{
	gnutls_typed_vdata_st want[2] = {
		{ .type = GNUTLS_DT_KEY_PURPOSE_OID,
		  .data = (unsigned char *)(host ? GNUTLS_KP_TLS_WWW_SERVER :
					    GNUTLS_KP_TLS_WWW_CLIENT) },
		{ .type = GNUTLS_DT_DNS_HOSTNAME, .data = (unsigned char *)host },
	};
	unsigned int status = 0;
	gnutls_datum_t text = { 0 };
	int err = gnutls_certificate_verify_peers(chan->tls, want, host ? 2 : 1, &status);

	if (!err && !status)
		return 0;
	if (!err)
		gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0);
	fail(fault, "the certificate of %s is not good: %s", chan->peer,
	     err ? gnutls_strerror(err) : (char *)text.data);
	gnutls_free(text.data);
	return -1;
}

/* GnuTLS times each read; who sends a byte now and then would never come to an end. */
static int handshake(struct chan *chan)
{
	uint64_t deadline_ms = clock_ms() + CONNECT_MS, now_ms;
	int err;

	fcntl(chan->fd, F_SETFL, O_NONBLOCK);
	while ((err = gnutls_handshake(chan->tls)) < 0 && !gnutls_error_is_fatal(err)) {
		struct pollfd wait = { .fd = chan->fd, .events =
				       gnutls_record_get_direction(chan->tls) ? POLLOUT : POLLIN };

		now_ms = clock_ms();
		if (now_ms >= deadline_ms)
			return GNUTLS_E_TIMEDOUT;
		if (err == GNUTLS_E_AGAIN)
			poll(&wait, 1, (int)(deadline_ms - now_ms));
	}
	fcntl(chan->fd, F_SETFL, 0);
	return err;
}

/* @host: that we connect to; NULL: we were connected to. */
static int secure(struct chan *chan, const struct creds *creds, const char *host,
		  struct fault *fault)
{
	bool server = !host;
	int err;

	if (creds->kind == CREDS_NONE) {
		if (creds->insecure || is_loopback(&chan->remote))
			return 0;
		return fail(fault, "%s is not loopback and there is no key: give both daemons --psk-file or --x509-dir",
			    chan->peer);
	}
	gnutls_init(&chan->tls, server ? GNUTLS_SERVER : GNUTLS_CLIENT);
	set_credentials(chan, creds, server);
	if (server && creds->kind == CREDS_X509)
		gnutls_certificate_server_set_request(chan->tls, GNUTLS_CERT_REQUIRE);
	gnutls_transport_set_int(chan->tls, chan->fd);
	err = handshake(chan);
	if (err < 0)
		return fail(fault, "%s: TLS: %s (is its key the same as ours?)", chan->peer,
			    gnutls_strerror(err));
	/* Half a record that never becomes whole must not hold a reader. */
	gnutls_record_set_timeout(chan->tls, CHAN_SILENCE_MS);
	return creds->kind == CREDS_X509 ? verify(chan, host, fault) : 0;
}

int chan_accept(struct chan *chan, int fd, const struct creds *creds, struct fault *fault)
{
	memset(chan, 0, sizeof(*chan));
	chan->fd = fd;
	tune(fd);
	name_peer(chan);
	if (!secure(chan, creds, NULL, fault))
		return 0;
	chan_close(chan);
	return -1;
}

static int connect_one(const struct addrinfo *at)
{
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	socklen_t bytes = sizeof(int);
	int error = 0;

	if (fd < 0)
		return -1;
	if (connect(fd, at->ai_addr, at->ai_addrlen) && errno != EINPROGRESS)
		error = errno;
	else if (poll(&wait, 1, CONNECT_MS) <= 0)
		error = ETIMEDOUT;
	else
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes);
	if (error) {
		close(fd);
		errno = error;
		return -1;
	}
	fcntl(fd, F_SETFL, 0);
	return fd;
}

int chan_connect(struct chan *chan, const char *host, uint16_t port, const struct creds *creds,
		 struct fault *fault)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list, *at;
	char service[8];
	int err, fd = -1;

	memset(chan, 0, sizeof(*chan));
	chan->fd = -1;
	snprintf(service, sizeof(service), "%u", port);
	err = getaddrinfo(host, service, &hints, &list);
	if (err)
		return fail(fault, "host %s: %s", host, gai_strerror(err));
	for (at = list; at && fd < 0; at = at->ai_next)
		fd = connect_one(at);
	freeaddrinfo(list);
	if (fd < 0)
		return fail(fault, "cannot reach vmfastmigd at %s port %u: %s", host, port,
			    strerror(errno));
	chan->fd = fd;
	tune(fd);
	name_peer(chan);
	if (!secure(chan, creds, host, fault))
		return 0;
	chan_close(chan);
	return -1;
}

void chan_close(struct chan *chan)
{
	if (chan->tls) {
		gnutls_bye(chan->tls, GNUTLS_SHUT_WR);
		gnutls_deinit(chan->tls);
		chan->tls = NULL;
	}
	if (chan->fd >= 0)
		close(chan->fd);
	chan->fd = -1;
}

long chan_read(struct chan *chan, void *data, size_t bytes)
{
	long got;

	if (!chan->tls)
		return read(chan->fd, data, bytes);
	do {
		got = gnutls_record_recv(chan->tls, data, bytes);
	} while (got == GNUTLS_E_INTERRUPTED || got == GNUTLS_E_AGAIN);
	return got < 0 ? -1 : got;
}

int chan_write(struct chan *chan, const void *data, size_t bytes)
{
	const char *at = data;

	while (bytes) {
		long sent = chan->tls ? gnutls_record_send(chan->tls, at, bytes) :
					send(chan->fd, at, bytes, MSG_NOSIGNAL);

		if (chan->tls && (sent == GNUTLS_E_INTERRUPTED || sent == GNUTLS_E_AGAIN))
			continue;
		if (sent <= 0)
			return -1;
		at += sent;
		bytes -= sent;
	}
	return 0;
}

bool chan_readable(struct chan *chan, int timeout_ms)
{
	struct pollfd wait = { .fd = chan->fd, .events = POLLIN };

	if (chan->tls && gnutls_record_check_pending(chan->tls))
		return true;
	return poll(&wait, 1, timeout_ms) > 0;
}

int chan_send(struct chan *chan, json_t *message, struct fault *fault)
{
	char *text = json_dumps(message, JSON_COMPACT);
	size_t bytes = text ? strlen(text) : 0;
	char *frame = malloc(bytes + 4);
	uint32_t length = htonl(bytes);
	int err = 0;

	json_decref(message);
	if (!text || !frame) {
		err = fail(fault, "what %s is to be told is not UTF-8", chan->peer);
	} else if (bytes > CHAN_MESSAGE_BYTES) {
		err = fail(fault, "%zu bytes for %s are too many for a message", bytes, chan->peer);
	} else {
		memcpy(frame, &length, 4);
		memcpy(frame + 4, text, bytes);
		if (chan_write(chan, frame, bytes + 4))
			err = fail(fault, "the connection to %s is lost", chan->peer);
	}
	free(frame);
	free(text);
	return err;
}

long chan_length(const uint8_t head[4])
{
	uint32_t bytes = (uint32_t)head[0] << 24 | head[1] << 16 | head[2] << 8 | head[3];

	return bytes && bytes <= CHAN_MESSAGE_BYTES ? (long)bytes : -1;
}

/* A message that has begun must come to its end in time, too. */
static int read_all(struct chan *chan, void *data, size_t bytes, uint64_t deadline_ms)
{
	char *at = data;

	while (bytes) {
		uint64_t now_ms = clock_ms();
		long got;

		if (now_ms >= deadline_ms || !chan_readable(chan, (int)(deadline_ms - now_ms)))
			return 1;
		got = chan_read(chan, at, bytes);
		if (got <= 0)
			return -1;
		at += got;
		bytes -= got;
	}
	return 0;
}

static int no_bytes(struct chan *chan, int err, struct fault *fault)
{
	return fail(fault, err > 0 ? "%s does not answer" : "the connection to %s is lost",
		    chan->peer);
}

int chan_receive(struct chan *chan, int timeout_ms, json_t **message, struct fault *fault)
{
	uint64_t deadline_ms = timeout_ms < 0 ? UINT64_MAX : clock_ms() + timeout_ms;
	uint8_t head[4];
	long bytes;
	char *text;
	int err;

	*message = NULL;
	if (timeout_ms < 0)
		chan_readable(chan, -1);
	err = read_all(chan, head, sizeof(head), timeout_ms < 0 ? clock_ms() + 5000 : deadline_ms);
	if (err)
		return no_bytes(chan, err, fault);
	bytes = chan_length(head);
	if (bytes < 0)
		return fail(fault, "%s sent what is not a vmfastmig message", chan->peer);
	text = malloc(bytes);
	if (!text)
		return fail(fault, "no memory");
	err = read_all(chan, text, bytes, clock_ms() + CHAN_SILENCE_MS);
	if (!err)
		*message = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	if (err)
		return no_bytes(chan, err, fault);
	if (json_is_object(*message))
		return 0;
	json_decref(*message);
	*message = NULL;
	return fail(fault, "%s sent what is not a vmfastmig message", chan->peer);
}
