// SPDX-License-Identifier: GPL-2.0-only
#include <linux/memcontrol.h>
#include <linux/mempolicy.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/topology.h>

#include "placement.h"

void vmfm_placement_init(struct vmfm_placement *placement)
{
	spin_lock_init(&placement->lock);
	placement->mode = MPOL_DEFAULT;
	placement->owner = NULL;
}

void vmfm_placement_destroy(struct vmfm_placement *placement)
{
	mem_cgroup_put(placement->owner);
}

void vmfm_placement_mapped(struct vmfm_placement *placement)
{
	struct mem_cgroup *owner = get_mem_cgroup_from_mm(current->mm);

	spin_lock(&placement->lock);
	swap(placement->owner, owner);
	spin_unlock(&placement->lock);
	mem_cgroup_put(owner);
}

#ifdef CONFIG_NUMA

void vmfm_placement_set_policy(struct vmfm_placement *placement, const struct mempolicy *policy)
{
	spin_lock(&placement->lock);
	if (policy)
		placement->nodes = policy->nodes;
	WRITE_ONCE(placement->mode, policy ? policy->mode : MPOL_DEFAULT);
	spin_unlock(&placement->lock);
}

/* Of @nodes, which has some, the near one. */
static int near_node(const nodemask_t *nodes)
{
	int here = numa_mem_id();

	return node_isset(here, *nodes) ? here : first_node(*nodes);
}

static int nth_node(const nodemask_t *nodes, unsigned long n)
{
	int node = first_node(*nodes);

	for (n %= nodes_weight(*nodes); n; n--)
		node = next_node(node, *nodes);
	return node;
}

struct folio *vmfm_placement_alloc(struct vmfm_placement *placement, gfp_t gfp,
				   unsigned int order, pgoff_t index)
{
	unsigned short mode = READ_ONCE(placement->mode);
	nodemask_t nodes;

	if (mode == MPOL_DEFAULT)
		return filemap_alloc_folio(gfp, order);
	spin_lock(&placement->lock);
	mode = placement->mode;
	nodes = placement->nodes;
	spin_unlock(&placement->lock);
	if (mode == MPOL_DEFAULT || mode == MPOL_LOCAL || nodes_empty(nodes))
		return __folio_alloc(gfp, order, numa_mem_id(), NULL);
	switch (mode) {
	case MPOL_BIND:
		return __folio_alloc(gfp, order, near_node(&nodes), &nodes);
	case MPOL_PREFERRED:
	case MPOL_PREFERRED_MANY:
		return __folio_alloc(gfp, order, near_node(&nodes), NULL);
	default:	/* interleaved, with weights or without */
		return __folio_alloc(gfp, order, nth_node(&nodes, index >> order), NULL);
	}
}

#else

struct folio *vmfm_placement_alloc(struct vmfm_placement *placement, gfp_t gfp,
				   unsigned int order, pgoff_t index)
{
	return filemap_alloc_folio(gfp, order);
}

#endif

#ifdef CONFIG_MEMCG

struct mem_cgroup *vmfm_placement_charge(struct vmfm_placement *placement)
{
	struct mem_cgroup *owner;

	spin_lock(&placement->lock);
	owner = placement->owner;
	if (owner)
		css_get(&owner->css);
	spin_unlock(&placement->lock);
	set_active_memcg(owner);
	return owner;
}

void vmfm_placement_charge_end(struct mem_cgroup *owner)
{
	set_active_memcg(NULL);
	mem_cgroup_put(owner);
}

#else

struct mem_cgroup *vmfm_placement_charge(struct vmfm_placement *placement)
{
	return NULL;
}

void vmfm_placement_charge_end(struct mem_cgroup *owner)
{
}

#endif
