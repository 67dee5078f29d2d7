// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <string.h>

#include "words.h"

struct vmfm_msg word_region(int region, uint64_t pages, const char *name)
{
	struct vmfm_msg msg = { .type = htole16(VMFM_MSG_REGION), .region = htole16(region),
				.region_is.pages = htole64(pages) };

	memcpy(msg.region_is.name, name, strnlen(name, VMFM_WIRE_NAME_BYTES));
	return msg;
}

struct vmfm_msg word_range(int type, int region, uint64_t page, uint64_t pages)
{
	return (struct vmfm_msg){ .type = htole16(type), .region = htole16(region),
				  .range.page = htole64(page), .range.pages = htole64(pages) };
}

struct vmfm_msg word_grant(int region, uint64_t page, uint64_t pages, uint64_t iova,
			   uint32_t key)
{
	struct vmfm_msg msg = word_range(VMFM_MSG_GRANT, region, page, pages);

	msg.range.iova = htole64(iova);
	msg.range.rkey = htole32(key);
	return msg;
}

struct vmfm_msg word_number(int type, uint32_t word)
{
	struct vmfm_msg msg = { .type = htole16(type) };

	if (type == VMFM_MSG_ACCEPT)
		msg.word.chunk_pages = htole32(word);
	else if (type == VMFM_MSG_ERROR)
		msg.word.error = htole32(word);
	else
		msg.word.number = htole32(word);
	return msg;
}
