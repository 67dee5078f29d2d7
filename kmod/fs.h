/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMFM_FS_H
#define VMFM_FS_H

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include "placement.h"

struct vmfm_dirty;
struct vmfm_session;

/* One mounted vmfastmig filesystem. */
struct vmfm_mount {
	umode_t mode;
	kuid_t uid;
	kgid_t gid;
	unsigned long max_pages;	/* the quota */
	struct rw_semaphore adding;	/* shared from charging a page to its being there */
	atomic_long_t used_pages;
	bool as_hugetlbfs;		/* statfs() says so */
};

/* One file: a region of guest RAM. */
struct vmfm_region {
	struct inode inode;
	struct vmfm_dirty __rcu *dirty;	/* while a source session tracks */
	struct vmfm_session *session;	/* owner; written under vmfm_regions_lock */
	bool sink;			/* ... and it receives */
	spinlock_t waits_lock;
	struct list_head waits;		/* faults that wait for a folio's lock: dirty.c */
	atomic_t reading_maps;		/* mappings that cannot write to the file: mapping.c */
	atomic_t reading_maps_ever;	/* counts up, behind the one before */
	atomic_long_t charged_pages;	/* of the mount's quota */
	struct xarray lost;		/* pages that memory failure took: lost.c */
	struct vmfm_placement placement;
	struct list_head node;		/* in vmfm_regions */
};

extern struct mutex vmfm_regions_lock;
extern struct list_head vmfm_regions;

static inline struct vmfm_region *vmfm_region(struct inode *inode)
{
	return container_of(inode, struct vmfm_region, inode);
}

static inline unsigned long vmfm_region_pages(struct vmfm_region *region)
{
	return DIV_ROUND_UP(i_size_read(&region->inode), PAGE_SIZE);
}

/* -ENOSPC when the mount's size limit does not allow that many more pages. */
int vmfm_region_charge(struct vmfm_region *region, long pages);
void vmfm_region_uncharge(struct vmfm_region *region, long pages);
struct rw_semaphore *vmfm_region_adding(struct vmfm_region *region);

/*
 * The region behind an open file, with a reference on it and on its mount, or
 * ERR_PTR: -EBADF no such file or not open for writing, -EMEDIUMTYPE not ours.
 */
struct vmfm_region *vmfm_region_get_fd(int fd);
void vmfm_region_put(struct vmfm_region *region);

/* Makes @session the owner. -EBUSY when there is one already. */
int vmfm_region_claim(struct vmfm_region *region, struct vmfm_session *session, bool sink);
/* It is a sink's still, but no key reaches its pages any more. */
void vmfm_region_arrived(struct vmfm_region *region);
void vmfm_region_release(struct vmfm_region *region);

int vmfm_fs_register(void);
void vmfm_fs_unregister(void);

#endif
