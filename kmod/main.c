// SPDX-License-Identifier: GPL-2.0-only
#include <linux/genetlink.h>
#include <linux/module.h>
#include <net/genetlink.h>

#include "fs.h"
#include "netlink.h"
#include "session.h"
#include "xport.h"

#ifndef VMFM_VERSION
#define VMFM_VERSION "0"
#endif

static int __init vmfm_init(void)
{
	int err = vmfm_session_init();

	if (err)
		return err;
	err = vmfm_fs_register();
	if (err)
		goto exit_session;
	err = vmfm_netlink_register();
	if (err)
		goto unregister_fs;
	pr_info("vmfastmig: version %s\n", VMFM_VERSION);
	return 0;

unregister_fs:
	vmfm_fs_unregister();
exit_session:
	vmfm_session_exit();
	return err;
}

static void __exit vmfm_exit(void)
{
	vmfm_netlink_unregister();
	vmfm_session_exit();
	vmfm_fs_unregister();
}

module_init(vmfm_init);
module_exit(vmfm_exit);

MODULE_DESCRIPTION("Guest RAM that migrates between hosts over RDMA");
MODULE_AUTHOR("The vmfastmig developers");
MODULE_LICENSE("GPL");
MODULE_VERSION(VMFM_VERSION);
MODULE_ALIAS_GENL_FAMILY(VMFM_GENL_NAME);
