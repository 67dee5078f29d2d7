// SPDX-License-Identifier: GPL-2.0-only
#include "compat.h"

#ifndef NL_SET_ERR_MSG_FMT

#define TEXTS		32
#define TEXT_BYTES	128

/*
 * The ack is sent right after the request that filled it in, so that a text is
 * overwritten too early only when 31 others fail in between.
 */
void vmfm_extack_format(struct netlink_ext_ack *extack, const char *format, ...)
{
	static char texts[TEXTS][TEXT_BYTES];
	static atomic_t next;
	char *text = texts[(unsigned int)atomic_inc_return(&next) % TEXTS];
	va_list args;

	if (!extack)
		return;
	va_start(args, format);
	vscnprintf(text, TEXT_BYTES, format, args);
	va_end(args);
	extack->_msg = text;
}

#endif
