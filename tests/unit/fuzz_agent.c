// SPDX-License-Identifier: GPL-2.0-only
/* The agent on what an observer says, up to the closing. No QEMU is there to be opened. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "downtime/agent.h"
#include "fuzz.h"

const unsigned int fuzz_iterations = 1500;

const char *const fuzz_seeds[] = {
	"{\"do\":\"ping\",\"id\":1}\n{\"do\":\"stat\",\"id\":2}\n{\"do\":\"stat\",\"monitor\":\"main\",\"id\":3}\n",
	"{\"do\":\"open\",\"monitor\":\"main\",\"path\":\"/none/vm.qmp\",\"id\":1}\n",
	"{\"do\":\"call\",\"monitor\":\"main\",\"execute\":\"migrate\",\"arguments\":{\"uri\":\"tcp:b:4\"},\"id\":4}\n",
	"{\"do\":\"run\",\"argv\":[\"true\"],\"id\":5}\n{\"do\":\"interrupt\",\"run\":5,\"id\":6}\n",
	"{\"do\":\"run\",\"argv\":[\"true\",\"\\u00e4\"],\"id\":{\"a\":[1]}}\n{\"do\":\"ping\",\"id\":null}\n",
	NULL,
};

/* Its programs are all the same one: whatever the words, nothing else is run. */
int execvp(const char *file, char *const argv[])
{
	(void)file;
	return execv("/bin/true", argv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	int pair[2];

	if (bytes > 32768 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return 0;
	if (send(pair[1], data, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
		abort();
	shutdown(pair[1], SHUT_WR);
	agent_serve(pair[0], open("/dev/null", O_WRONLY | O_CLOEXEC));
	close(pair[1]);
	return 0;
}
