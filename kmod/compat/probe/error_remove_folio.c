// SPDX-License-Identifier: GPL-2.0-only
/* 6.8: af7628d6ec19 "fs: convert error_remove_page to error_remove_folio" */
#include <linux/fs.h>
#include <linux/mm.h>

extern const struct address_space_operations probe;
const struct address_space_operations probe = {
	.error_remove_folio = generic_error_remove_folio,
};
