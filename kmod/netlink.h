/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMFM_NETLINK_H
#define VMFM_NETLINK_H

int vmfm_netlink_register(void);
void vmfm_netlink_unregister(void);

#endif
