/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a file's pages come from: which NUMA nodes, as mbind() said, and who is
 * charged for those that nobody touched, but a migration brought.
 */
#ifndef VMFM_PLACEMENT_H
#define VMFM_PLACEMENT_H

#include <linux/gfp.h>
#include <linux/nodemask.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct folio;
struct mem_cgroup;
struct mempolicy;

struct vmfm_placement {
	spinlock_t lock;
	unsigned short mode;		/* MPOL_; MPOL_DEFAULT: as the task has it */
	nodemask_t nodes;
	struct mem_cgroup *owner;	/* of who last mapped the file to write to it */
};

void vmfm_placement_init(struct vmfm_placement *placement);
void vmfm_placement_destroy(struct vmfm_placement *placement);

/* The calling process maps the file. */
void vmfm_placement_mapped(struct vmfm_placement *placement);

/* For pages from now on; NULL: none. */
void vmfm_placement_set_policy(struct vmfm_placement *placement, const struct mempolicy *policy);

/* As filemap_alloc_folio(), for the pages from @index on. NULL: no memory. */
struct folio *vmfm_placement_alloc(struct vmfm_placement *placement, gfp_t gfp,
				   unsigned int order, pgoff_t index);

/*
 * For kernel threads: the owner is charged for pages from here to the end of it, to which
 * the answer is to be handed.
 */
struct mem_cgroup *vmfm_placement_charge(struct vmfm_placement *placement);
void vmfm_placement_charge_end(struct mem_cgroup *owner);

#endif
