// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <netdb.h>
#include <rdma/rdma_cma.h>
#include <stdio.h>
#include <string.h>

#include "path.h"

static const char *name_of(const struct sockaddr_storage *addr, char name[NI_MAXHOST])
{
	if (getnameinfo((const struct sockaddr *)addr, sizeof(*addr), name, NI_MAXHOST, NULL, 0,
			NI_NUMERICHOST))
		strcpy(name, "?");
	return name;
}

static int no_device(const struct sockaddr_storage *addr, struct fault *fault)
{
	char name[NI_MAXHOST];

	return fail(fault, "no RDMA device has the address %s; see: vmfastmig probe, or give vmfastmigd --rdma-addr",
		    name_of(addr, name));
}

static void take_device(const struct rdma_cm_id *id, char device[64])
{
	snprintf(device, 64, "%s", id->verbs ? ibv_get_device_name(id->verbs->device) : "?");
}

int rdma_path_local(const struct sockaddr_storage *addr, char device[64], struct fault *fault)
{
	struct sockaddr_storage at = *addr;
	struct rdma_cm_id *id;
	int err;

	if (rdma_create_id(NULL, &id, NULL, RDMA_PS_TCP))
		return fail(fault, "no RDMA connection manager: %s; modprobe rdma_ucm", strerror(errno));
	err = rdma_bind_addr(id, (struct sockaddr *)&at) || !id->verbs ?
	      no_device(addr, fault) : 0;
	if (!err)
		take_device(id, device);
	rdma_destroy_id(id);
	return err;
}

/* A synchronous id (without an event channel of its own) does both steps in their calls. */
int rdma_path_resolve(const struct sockaddr_storage *from, const struct sockaddr_storage *to,
		      int timeout_ms, char device[64], struct fault *fault)
{
	struct sockaddr_storage src = *from, dst = *to;
	char name[NI_MAXHOST];
	struct rdma_cm_id *id;
	int err = 0;

	if (rdma_create_id(NULL, &id, NULL, RDMA_PS_TCP))
		return fail(fault, "no RDMA connection manager: %s; modprobe rdma_ucm", strerror(errno));
	if (rdma_resolve_addr(id, src.ss_family ? (struct sockaddr *)&src : NULL,
			      (struct sockaddr *)&dst, timeout_ms))
		err = fail(fault, "RDMA does not reach %s: %s; is there an RDMA device on the way to it? see: vmfastmig probe",
			   name_of(to, name), strerror(errno));
	else if (rdma_resolve_route(id, timeout_ms))
		err = fail(fault, "no RDMA route to %s: %s", name_of(to, name), strerror(errno));
	else
		take_device(id, device);
	rdma_destroy_id(id);
	return err;
}
