// SPDX-License-Identifier: GPL-2.0-only
/* Inline, and so usable by modules; before 6.7 it is a function not exported */
#include <linux/mm.h>

int probe(struct folio *folio);
int probe(struct folio *folio)
{
	return folio_large_mapcount(folio);
}
