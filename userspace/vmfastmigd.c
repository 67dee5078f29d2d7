// SPDX-License-Identifier: GPL-2.0-only
/*
 * The daemon: one per host. Listens to its peers (TCP) and to the command (a
 * UNIX socket), a thread for each that comes.
 */
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon.h"
#include "journal.h"
#include "log.h"
#include "sink.h"
#include "virtdir.h"

#define HELLO_MS	5000
#define PEERS_MAX	64	/* connections being served */

struct config config = { .listen_port = URI_PORT, .socket_path = RUN_DIR "/vmfastmigd.sock" };

static volatile sig_atomic_t stop;
static int peers;	/* atomic */

void config_rdma_addr(const struct chan *chan, struct sockaddr_storage *addr)
{
	*addr = config.rdma_addr.ss_family ? config.rdma_addr : chan->local;
	/* The port is at the same place in both families. */
	((struct sockaddr_in *)addr)->sin_port = 0;
}

static void serve_peer(struct chan *chan)
{
	struct fault fault;
	json_t *hello;
	const char *purpose, *ticket;

	if (chan_receive(chan, HELLO_MS, &hello, &fault)) {
		log_warn("%s", fault.text);
		return;
	}
	purpose = json_string_value(json_object_get(hello, "purpose")) ?: "";
	ticket = json_string_value(json_object_get(hello, "ticket")) ?: "";
	if (json_integer_value(json_object_get(hello, "protocol")) != PROTOCOL_VERSION)
		chan_send(chan, json_pack("{s:i,s:s}", "protocol", PROTOCOL_VERSION, "error",
					  "another protocol version"), &fault);
	else if (!strcmp(purpose, "control"))
		sink_control(chan);
	else if (!strcmp(purpose, "commit"))
		sink_commit_again(chan, ticket, json_string_value(json_object_get(hello, "boot_id")) ?: "");
	else if (!strcmp(purpose, "stream") && sink_stream(chan, ticket))
		chan->fd = -1, chan->tls = NULL;	/* it is the migration's now */
	else
		log_warn("%s: neither a control connection nor a stream with a ticket", chan->peer);
	json_decref(hello);
}

static void *peer_thread(void *arg)
{
	struct fault fault;
	struct chan chan;

	if (chan_accept(&chan, (int)(long)arg, &config.creds, &fault)) {
		log_warn("%s", fault.text);
	} else {
		serve_peer(&chan);
		chan_close(&chan);
	}
	__atomic_sub_fetch(&peers, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void *local_thread(void *arg)
{
	local_serve((int)(long)arg);
	return NULL;
}

static void hand_over(int listener, void *(*serve)(void *), bool peer)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	pthread_t thread;

	if (fd < 0)
		return;
	if (peer && __atomic_add_fetch(&peers, 1, __ATOMIC_RELAXED) > PEERS_MAX) {
		__atomic_sub_fetch(&peers, 1, __ATOMIC_RELAXED);
		log_warn("too many connections: one refused");
		close(fd);
		return;
	}
	if (!pthread_create(&thread, NULL, serve, (void *)(long)fd)) {
		pthread_detach(thread);
		return;
	}
	close(fd);
	if (peer)
		__atomic_sub_fetch(&peers, 1, __ATOMIC_RELAXED);
}

static int listen_tcp(struct fault *fault)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM,
				  .ai_family = *config.listen_host ? AF_UNSPEC : AF_INET6 };
	struct addrinfo *found;
	char port[8];
	int fd, one = 1, zero = 0, err;

	snprintf(port, sizeof(port), "%u", config.listen_port);
	err = getaddrinfo(*config.listen_host ? config.listen_host : NULL, port, &hints, &found);
	if (err)
		return fail(fault, "--listen %s: %s", config.listen_host, gai_strerror(err));
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (found->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, 26 /* IPV6_V6ONLY */, &zero, sizeof(zero));
	err = bind(fd, found->ai_addr, found->ai_addrlen) || listen(fd, 64);
	freeaddrinfo(found);
	return err ? fail(fault, "cannot listen on port %s: %s", port, strerror(errno)) : fd;
}

static int listen_local(struct fault *fault)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	mkdir(RUN_DIR, 0755);
	strcpy(addr.sun_path, config.socket_path);
	unlink(addr.sun_path);
	umask(0177);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 64))
		return fail(fault, "%s: %s", addr.sun_path, strerror(errno));
	umask(022);
	return fd;
}

/* systemd's readiness protocol: a datagram to where it says. */
static void notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if (!path || strlen(path) >= sizeof(addr.sun_path))
		return;
	strcpy(addr.sun_path, path);
	if (*path == '@')
		addr.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&addr,
	       sizeof(sa_family_t) + strlen(path));
	close(fd);
}

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

static void serve(int tcp, int local)
{
	struct pollfd fds[2] = { { .fd = tcp, .events = POLLIN }, { .fd = local, .events = POLLIN } };

	notify("READY=1");
	while (!stop) {
		if (poll(fds, 2, 1000) <= 0)
			continue;
		if (fds[0].revents)
			hand_over(tcp, peer_thread, true);
		if (fds[1].revents)
			hand_over(local, local_thread, false);
	}
}

/* Every guest is brought back before the daemon goes. */
static void end_jobs(void)
{
	json_t *left;
	int tries;
	size_t count = 1;

	notify("STOPPING=1");
	job_cancel_all();
	for (tries = 0; count && tries < 700; tries++) {
		left = job_list();
		count = json_array_size(left);
		json_decref(left);
		if (count)
			usleep(100000);
	}
}

static int set_listen(const char *text)
{
	struct uri uri = { .port = URI_PORT };
	struct fault ignored;

	if ((*text && *text != ':' && uri_parse_host(&text, &uri, &ignored)) ||
	    uri_parse_port(&text, &uri, &ignored) || *text)
		return -1;
	strcpy(config.listen_host, uri.host);
	config.listen_port = uri.port;
	return 0;
}

static int set_rdma_addr(const char *text)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST }, *found;

	if (getaddrinfo(text, NULL, &hints, &found))
		return -1;
	memcpy(&config.rdma_addr, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return 0;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: vmfastmigd [--listen ADDR:PORT] [--socket PATH] [--rdma-addr ADDR]\n"
		"                  --psk-file FILE | --x509-dir DIR | --insecure\n");
	return 2;
}

static int parse_args(int argc, char **argv, struct fault *fault)
{
	static const struct option options[] = {
		{ "listen", required_argument, NULL, 'l' },
		{ "socket", required_argument, NULL, 's' },
		{ "psk-file", required_argument, NULL, 'p' },
		{ "x509-dir", required_argument, NULL, 'x' },
		{ "insecure", no_argument, NULL, 'i' },
		{ "rdma-addr", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	int option, err = 0;

	while (!err && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'l')
			err = set_listen(optarg) ? fail(fault, "--listen %s: ADDR, ADDR:PORT, [IPV6], [IPV6]:PORT or :PORT", optarg) : 0;
		else if (option == 's' && strlen(optarg) < sizeof(config.socket_path))
			strcpy(config.socket_path, optarg);
		else if (option == 'p')
			err = creds_load_psk(&config.creds, optarg, fault);
		else if (option == 'x')
			err = creds_load_x509(&config.creds, optarg, fault);
		else if (option == 'i')
			config.creds.insecure = true;
		else if (option == 'r')
			err = set_rdma_addr(optarg) ? fail(fault, "--rdma-addr %s: not an address", optarg) : 0;
		else
			exit(usage());
	}
	return !err && optind < argc ? fail(fault, "what is %s?", argv[optind]) : err;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct fault fault;
	int tcp, local;

	if (parse_args(argc, argv, &fault)) {
		log_error("%s", fault.text);
		return 2;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (config.creds.kind == CREDS_NONE && config.creds.insecure)
		log_warn("--insecure: anyone who can connect can take over guests and read their memory");
	else if (config.creds.kind == CREDS_NONE)
		log_warn("neither --psk-file nor --x509-dir: only peers on loopback are accepted");
	local = listen_local(&fault);
	tcp = local < 0 ? -1 : listen_tcp(&fault);
	if (tcp < 0) {
		log_error("%s", fault.text);
		return 1;
	}
	journal_repair();
	custody_tell();
	virtdir_clean();
	serve(tcp, local);
	end_jobs();
	unlink(config.socket_path);
	return 0;
}
