// SPDX-License-Identifier: GPL-2.0-only
/* 6.5: pagevecs are gone */
#include <linux/pagevec.h>

void probe(struct folio_batch *batch);
void probe(struct folio_batch *batch)
{
	__folio_batch_release(batch);
}
