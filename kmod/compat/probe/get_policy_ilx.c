// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>

struct mempolicy *probe(struct vm_area_struct *vma, unsigned long addr, pgoff_t *ilx);

struct mempolicy *probe(struct vm_area_struct *vma, unsigned long addr, pgoff_t *ilx)
{
#ifdef CONFIG_NUMA
	return vma->vm_ops->get_policy(vma, addr, ilx);
#else
	return NULL;
#endif
}
